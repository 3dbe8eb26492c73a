"""Schedules that are made of others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

from ...engine.commit import Changes
from ...errors import OptionError, check_type
from ...types import Setting, Settings
from ..optimizer import Optimizer
from .base import LRScheduler
from .decay import check_milestones, sort_milestones
from .plateau import ReduceLROnPlateau


@dataclass(repr=False, eq=False)
class SequentialLR(LRScheduler):
    """Several schedules one after the other.

    Args:
        optimizer: The optimizer whose groups are scheduled.
        schedulers: Schedules made for this optimizer, one more than there are
            milestones. Only the sequence's ``step()`` is called from then on.
        milestones: The epochs at which the next one begins, with epoch 0 of its own.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> from tinygrad_rnn.optim.lr_scheduler import (
        ...     CosineAnnealingLR, LinearLR, SequentialLR
        ... )
        >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
        >>> warmup = LinearLR(optimizer, 0.25, total_iters=3)
        >>> decay = CosineAnnealingLR(optimizer, 2)
        >>> schedule = SequentialLR(optimizer, [warmup, decay], [3])
        >>> rates = []
        >>> for epoch in range(5):
        ...     rates += schedule.get_last_lr()
        ...     optimizer.step()
        ...     schedule.step()
        >>> [round(rate, 3) for rate in rates]
        [0.25, 0.5, 0.75, 1.0, 0.5]
    """

    optimizer: Optimizer
    schedulers: Sequence[LRScheduler]
    milestones: Iterable[int]
    last_epoch: int = -1
    rules: ClassVar = {"milestones": check_milestones}
    unsaved = (*LRScheduler.unsaved, "schedulers")

    def __post_init__(self) -> None:
        self.milestones = sort_milestones(self._name, self.milestones)
        schedulers, count = self.schedulers, len(self.milestones)
        check_type(
            self._name, list | tuple, "a list of schedulers", schedulers=schedulers
        )
        self._check_schedulers()
        if count != len(schedulers) - 1:
            got = f"{len(schedulers)} schedulers and {count} milestones"
            expected = "expected one milestone between each two schedulers"
            raise OptionError(f"{self._name}: got {got}, {expected}")
        self.schedulers = list(schedulers)
        super().__post_init__()

    def _check_schedulers(self) -> None:
        """Require different schedules of one optimizer, which step without metrics."""
        seen: set[int] = set()
        for number, scheduler in enumerate(self.schedulers):
            what = f"scheduler {number}"
            check_type(self._name, LRScheduler, "a scheduler", **{what: scheduler})
            wrong = ""
            if isinstance(scheduler, ReduceLROnPlateau):
                way = "step it on its own"
                wrong = f"is a ReduceLROnPlateau, its step() needs metrics; {way}"
            elif scheduler.optimizer is not self.optimizer:
                wrong = "was made for another optimizer"
            elif id(scheduler) in seen:
                wrong = "is given twice; make one for each phase"
            if wrong:
                raise OptionError(f"{self._name}: {what} {wrong}")
            seen.add(id(scheduler))

    def _begin(self) -> None:
        self._restart([group["initial_lr"] for group in self.optimizer.param_groups])

    def _restart(self, rates: Sequence[float] | None = None) -> None:
        first = self._scheduler_at(0)
        first._restart(rates)
        self.last_epoch = -1
        self._follow(first)

    def _advance(self) -> None:
        epoch = self.last_epoch + 1
        scheduler = self._scheduler_at(epoch)
        if epoch in self.milestones:
            scheduler._restart()
        else:
            scheduler._advance()
        self._follow(scheduler)

    def _scheduler_at(self, epoch: int) -> LRScheduler:
        return self.schedulers[sum(start <= epoch for start in self.milestones)]

    def _follow(self, scheduler: LRScheduler) -> None:
        """Count the epoch, and note the rates that a schedule has set."""
        self.last_epoch += 1
        self.base_lrs = list(scheduler.base_lrs)
        self._last_lr = list(scheduler._last_lr)

    def _all(self) -> list[LRScheduler]:
        parts = [part._all() for part in self.schedulers]
        return [self, *chain.from_iterable(parts)]

    def state_dict(self) -> Settings:
        states = [scheduler.state_dict() for scheduler in self.schedulers]
        return {**super().state_dict(), "_schedulers": states}

    def misfits(self, state_dict: Mapping[str, Setting]) -> list[str]:
        if wrong := super().misfits(state_dict):
            return wrong
        states = state_dict["_schedulers"]
        if not isinstance(states, list | tuple) or len(states) != len(self.schedulers):
            return [f"it has other schedulers than these {len(self.schedulers)}"]
        for number, part in enumerate(self.schedulers):
            faults = part.misfits(states[number])
            wrong += [f"scheduler {number}: {fault}" for fault in faults]
        return wrong

    def _loading(self, state_dict: Mapping[str, Setting]) -> Changes:
        own = dict(state_dict)
        states = own.pop("_schedulers")
        changes = super()._loading(own)
        for scheduler, state in zip(self.schedulers, states, strict=True):
            changes += scheduler._loading(state)
        return changes
