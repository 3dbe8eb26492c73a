"""Schedules of learning rates: torch.optim.lr_scheduler's names, arguments and
arithmetic.

A scheduler sets the rates of all groups of an optimizer when it is made, and again at
each ``step()``, which as a rule ends an epoch. Most multiply the rates that they find,
so that several may work on one optimizer.
"""

import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from math import cos, inf, pi
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..engine.commit import Changes, commit
from ..errors import (
    CheckpointError,
    DTypeError,
    OptionError,
    check_choice,
    check_integers,
    check_numbers,
    check_type,
    described,
    few,
    left_out,
)
from .optimizer import Optimizer
from .options import (
    Rules,
    check_below_1,
    check_count,
    check_flag,
    check_fraction,
    check_not_negative,
    check_positive,
    check_positive_fraction,
    checked_options,
    faults,
)


class LRScheduler:
    """Base of the schedulers. A subclass names the ``rules`` of its settings, and says
    ``lrs_at``.

    ``last_epoch`` counts the steps, from 0. It is given for an optimizer that was
    scheduled before, whose groups know their ``initial_lr``: the epoch before the one
    to come.
    """

    rules: ClassVar[Rules] = {}  # what its settings can be
    _per_group: ClassVar[tuple[str, ...]] = (
        "base_lrs",
        "_last_lr",
    )  # rates, one for each
    unsaved: ClassVar[tuple[str, ...]] = ("_name", "optimizer", "lr_lambda")

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "get_lr"):
            raise DTypeError(
                f"{cls.__name__}.get_lr: write lrs_at(self, epoch), a rate a group"
            )

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self._name = f"optim.lr_scheduler.{type(self).__name__}"
        check_type(self._name, Optimizer, "an Optimizer", optimizer=optimizer)
        self.optimizer, self.last_epoch = optimizer, last_epoch
        self.check(vars(self))
        self.base_lrs: list[float] = []
        self._last_lr: list[
            float
        ] = []  # empty until the rates are set for the first time
        self._try(type(self)._begin)

    def check(self, state: Mapping[str, Any]) -> None:
        """Raise if settings cannot be right, when they are given and when they are
        loaded.
        """
        checked_options(
            self._name, {"last_epoch": (check_integers, -1), **self.rules}, state
        )
        for key in [key for key in self._per_group if key in state]:
            self._rates(key, state[key])

    def _each(self, what: str, value: Any) -> list[Any]:
        """A value for each group, of a list with as many or of one that serves all."""
        size = len(self.optimizer.param_groups)
        values = list(value) if isinstance(value, list | tuple) else [value] * size
        check_choice(
            self._name,
            (size,),
            **{f"length of {what}, one for each group,": len(values)},
        )
        return values

    def _rates(self, what: str, value: Any) -> list[float]:
        """As ``_each``, of numbers that can be rates."""
        rates = self._each(what, value)
        check_numbers(
            self._name, 0.0, **{f"{what}[{i}]": rate for i, rate in enumerate(rates)}
        )
        return [float(rate) for rate in rates]

    def lrs_at(self, epoch: int) -> list[float]:
        """The rates for the epoch to come; here those in use, for a subclass to change."""
        return self._rates("lr", [group["lr"] for group in self.optimizer.param_groups])

    def get_last_lr(self) -> list[float]:
        """The rates that were set last."""
        return list(self._last_lr)

    def step(self) -> None:
        """Set the rates for the next epoch; changes nothing if one of them cannot be
        right.

        Warns if it is the first step, and the optimizer has not made one yet: then the
        schedule's first rate would never be used.
        """
        if self.last_epoch == 0 and not self.optimizer.has_stepped:
            way = "call optimizer.step() first, or the first rate of the schedule is never used"
            warnings.warn(
                f"{self._name}.step: before optimizer.step(); {way}", stacklevel=2
            )
        self._try(type(self)._advance)

    # ------------------------------------------------------------ steps that are all or nothing

    def _try(self, change: Callable[..., None], *args: Any) -> None:
        """Change a copy of this scheduler and of the groups, and take all of it over at
        once.
        """
        groups = self.optimizer.param_groups
        twin = copy(self.optimizer)
        twin.param_groups = [dict(group) for group in groups]
        trial = self._copied(twin)
        change(trial, *args)
        changes: Changes = [
            partial(vars(one).update, new) for one, new in self._changed(trial)
        ]
        pairs = zip(groups, twin.param_groups, strict=True)
        commit(changes + [partial(group.update, new) for group, new in pairs])

    def _copied(self, optimizer: Optimizer) -> Self:
        """A copy of this scheduler that works on another optimizer."""
        twin = copy(self)
        twin.optimizer, twin.base_lrs = optimizer, list(self.base_lrs)
        return twin

    def _changed(self, trial: Self) -> list[tuple["LRScheduler", dict[str, Any]]]:
        """The schedulers that a trial stands for, each with what has become of its
        attributes.
        """
        return [(self, {**vars(trial), "optimizer": self.optimizer})]

    def _begin(self) -> None:
        """Set the first rates."""
        self._advance()

    def _restart(self, rates: Sequence[float] | None = None) -> None:
        """Begin anew, with the rates that it was made for or with others."""
        self._take_in()
        rates = rates or self.base_lrs
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self.last_epoch, self._last_lr = -1, []
        self._begin()

    def _take_in(self) -> None:
        """Note the first rates of all groups, or of those that have joined since."""
        resumed = self.last_epoch >= 0 and not self._last_lr
        groups = self.optimizer.param_groups
        bases = [
            group.get("initial_lr", None if resumed else group["lr"])
            for group in groups
        ]
        self.base_lrs += self._rates("initial_lr", bases)[len(self.base_lrs) :]

    def _advance(self) -> None:
        """Set the rates for the next epoch."""
        self._take_in()
        groups, epoch = self.optimizer.param_groups, self.last_epoch + 1
        rates = [
            0.0 if -1e-12 < lr < 0.0 else lr for lr in self.lrs_at(epoch)
        ]  # 0 that was rounded
        self._last_lr, self.last_epoch = self._rates("lr", rates), epoch
        for group, rate, base in zip(groups, self._last_lr, self.base_lrs, strict=True):
            group["lr"] = rate
            group.setdefault("initial_lr", base)

    # ------------------------------------------------------------ how it prints, saving, loading

    def __repr__(self) -> str:
        shown = [f"{k}={v!r}" for k, v in self.state_dict().items() if k[0] != "_"]
        return f"{type(self).__name__}({', '.join(shown)}, lr={self._last_lr})"

    def state_dict(self) -> dict[str, Any]:
        """Settings and state as plain values; the rates in use are in the optimizer's
        state.
        """
        state = {
            key: copy(v) for key, v in vars(self).items() if key not in self.unsaved
        }
        for group in self.optimizer.param_groups[
            len(self.base_lrs) :
        ]:  # who joined since
            state["base_lrs"].append(group.get("initial_lr", group["lr"]))
            state["_last_lr"].append(group["lr"])
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a ``state_dict``; raises CheckpointError before anything is
        changed.
        """
        if wrong := few(self.misfits(state_dict), "; "):
            raise CheckpointError(
                f"{self._name}.load_state_dict: nothing was loaded, as {wrong}"
            )
        commit(self._loading(state_dict))

    def _loading(self, state_dict: Mapping[str, Any]) -> Changes:
        """The changes that put a ``state_dict`` back that fits, for ``commit``."""
        new = {
            key: self._rates(key, state_dict[key]) for key in ("base_lrs", "_last_lr")
        }
        state = {key: copy(value) for key, value in state_dict.items()}
        return [partial(vars(self).update, state | new)]

    def misfits(self, state_dict: Mapping[str, Any]) -> list[str]:
        """What in a ``state_dict`` does not fit this scheduler, a line each."""
        if not isinstance(state_dict, Mapping):
            return [f"it is {described(state_dict)}, no scheduler's state"]
        if odd := sorted(map(str, state_dict.keys() ^ self.state_dict().keys())):
            return [f"{key!r} is missing or unexpected" for key in odd]
        return faults(self.check, state_dict)


def _check_milestones(name: str, milestones: Any) -> None:
    check_type(name, list | tuple, "a list of epochs", milestones=milestones)
    check_integers(
        name, 0, **{f"milestones[{i}]": at for i, at in enumerate(milestones)}
    )


def _in_order(scheduler: LRScheduler, milestones: Any) -> list[int]:
    """Milestones as a sorted list of Python's integers."""
    name = f"optim.lr_scheduler.{type(scheduler).__name__}"
    check_type(name, Iterable, "a list of epochs", milestones=milestones)
    listed = list(milestones)
    _check_milestones(name, listed)
    return sorted([int(at) for at in listed])


class LambdaLR(LRScheduler):
    """base_lr * lr_lambda(epoch), with a function for all groups or a list of one for
    each.

    As torch.optim.lr_scheduler.LambdaLR, but the functions are never saved with the
    state.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        functions = self._each("lr_lambda", self.lr_lambda)
        named = {f"lr_lambda[{i}]": function for i, function in enumerate(functions)}
        check_type(self._name, Callable, "a function of the epoch", **named)
        factors = self._rates(
            f"lr_lambda({epoch})", [function(epoch) for function in functions]
        )
        return [
            base * factor for base, factor in zip(self.base_lrs, factors, strict=True)
        ]


class StepLR(LRScheduler):
    """Multiplies by ``gamma`` every ``step_size`` epochs; as
    torch.optim.lr_scheduler.StepLR.
    """

    rules: ClassVar = {"step_size": check_integers, "gamma": check_not_negative}

    def __init__(
        self,
        optimizer: Optimizer,
        step_size: int,
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        due = epoch > 0 and epoch % self.step_size == 0
        return [rate * self.gamma if due else rate for rate in super().lrs_at(epoch)]


class MultiStepLR(LRScheduler):
    """Multiplies by ``gamma`` at each of the ``milestones``, which are epochs.

    As torch.optim.lr_scheduler.MultiStepLR: an epoch that is listed twice counts twice.

    >>> from tinygrad_rnn import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> schedule = optim.lr_scheduler.MultiStepLR(optimizer, [1, 3], gamma=0.5)
    >>> for epoch in range(4):
    ...     print(schedule.get_last_lr())
    ...     optimizer.step()
    ...     schedule.step()
    [1.0]
    [0.5]
    [0.5]
    [0.25]
    """

    rules: ClassVar = {"milestones": _check_milestones, "gamma": check_not_negative}

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones, self.gamma = _in_order(self, milestones), gamma
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        factor = self.gamma ** self.milestones.count(epoch)
        return [rate * factor for rate in super().lrs_at(epoch)]


class ExponentialLR(LRScheduler):
    """Multiplies by ``gamma`` every epoch; as torch.optim.lr_scheduler.ExponentialLR."""

    rules: ClassVar = {"gamma": check_not_negative}

    def __init__(
        self, optimizer: Optimizer, gamma: float, last_epoch: int = -1
    ) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        return [
            rate * self.gamma if self._last_lr else rate
            for rate in super().lrs_at(epoch)
        ]


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from base_lr to ``eta_min`` in ``T_max`` epochs, and back in as
    many.

    As torch.optim.lr_scheduler.CosineAnnealingLR: each rate is made from the one
    before, so that rates changed by others keep their ratio (Loshchilov and Hutter
    2017, equation 5).
    """

    rules: ClassVar = {"T_max": check_integers, "eta_min": check_not_negative}

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        rates, low, length = super().lrs_at(epoch), self.eta_min, self.T_max
        if not self._last_lr:
            return rates
        if (epoch - 1 - length) % (
            2 * length
        ) == 0:  # at the bottom a ratio would be 0 / 0
            pairs = zip(rates, self.base_lrs, strict=True)
            return [
                rate + (base - low) * (1 - cos(pi / length)) / 2 for rate, base in pairs
            ]
        ratio = (1 + cos(pi * epoch / length)) / (1 + cos(pi * (epoch - 1) / length))
        return [ratio * (rate - low) + low for rate in rates]


class LinearLR(LRScheduler):
    """A factor that goes from ``start_factor`` to ``end_factor`` in ``total_iters``
    epochs.

    As torch.optim.lr_scheduler.LinearLR.
    """

    rules: ClassVar = {"end_factor": check_fraction, "total_iters": check_count}
    rules["start_factor"] = check_positive_fraction

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor, self.end_factor, self.total_iters = (
            start_factor,
            end_factor,
            total_iters,
        )
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        factor, change = 1.0, self.end_factor - self.start_factor
        if epoch == 0:
            factor = self.start_factor
        elif self._last_lr and epoch <= self.total_iters:
            factor += change / (
                self.total_iters * self.start_factor + (epoch - 1) * change
            )
        return [rate * factor for rate in super().lrs_at(epoch)]


class OneCycleLR(LRScheduler):
    """One rise of the rate to ``max_lr``, and a longer fall to next to nothing; a step
    a batch.

    As torch.optim.lr_scheduler.OneCycleLR (Smith and Topin, arXiv:1708.07120). The rate
    begins at max_lr / div_factor and ends at max_lr / div_factor / final_div_factor.
    With ``cycle_momentum`` the momentum of SGD and RMSprop, or Adam's first beta, goes
    the other way.

    Args:
        optimizer: what is scheduled; its own rates are replaced.
        max_lr: the highest rate, a number or one for each group.
        total_steps: how many steps the cycle has; or ``epochs`` and
            ``steps_per_epoch``.
        pct_start: the share of the steps that the rise takes.
        anneal_strategy: "cos" for half a cosine from level to level, or "linear".
        cycle_momentum: whether the momentum falls from ``max_momentum`` to
            ``base_momentum`` and rises again; each is a number, or one for each group.
        three_phase: whether the rate falls to where it began in as many steps as it
            rose, and then to its end.

    Raises:
        OptionError: step() is called more than ``total_steps`` times.
    """

    _per_group = (*LRScheduler._per_group, "max_lr", "base_momentum", "max_momentum")
    rules: ClassVar = {
        "total_steps": check_integers,
        "pct_start": check_fraction,
        "anneal_strategy": partial(check_choice, choices=("cos", "linear")),
        "cycle_momentum": check_flag,
        "div_factor": check_positive,
        "final_div_factor": check_positive,
        "three_phase": check_flag,
    }

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.max_lr = max_lr
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        self.pct_start, self.anneal_strategy = pct_start, anneal_strategy
        self.cycle_momentum = cycle_momentum
        self.base_momentum, self.max_momentum = base_momentum, max_momentum
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        self.three_phase = three_phase
        super().__init__(optimizer, last_epoch)

    def _begin(self) -> None:
        known = self.optimizer.defaults
        if self.cycle_momentum and "momentum" not in known and "betas" not in known:
            way = "pass cycle_momentum=False"
            raise OptionError(
                f"{self._name}: the optimizer has no momentum and no betas; {way}"
            )
        if self.last_epoch == -1 and not self.base_lrs:
            highs = self._rates("max_lr", self.max_lr)
            for group, high in zip(self.optimizer.param_groups, highs, strict=True):
                group["initial_lr"] = high / self.div_factor
        super()._begin()
        for group in self.optimizer.param_groups:
            self.optimizer.options(group)

    def _advance(self) -> None:
        super()._advance()
        if not self.cycle_momentum:
            return
        lows = self._rates("base_momentum", self.base_momentum)
        highs = self._rates("max_momentum", self.max_momentum)
        for group, low, high in zip(
            self.optimizer.param_groups, lows, highs, strict=True
        ):
            momentum = self._at(self.last_epoch, [high, low, high, high])
            if "betas" in self.optimizer.defaults:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def lrs_at(self, epoch: int) -> list[float]:
        if epoch > self.total_steps:
            raise OptionError(
                f"{self._name}.step: this is step {epoch}, expected at most "
                f"total_steps={self.total_steps}"
            )
        rates = []
        for high in self._rates("max_lr", self.max_lr):
            first = high / self.div_factor
            last = first / self.final_div_factor
            levels = (
                [first, high, first, last] if self.three_phase else [first, high, last]
            )
            rates.append(
                max(self._at(epoch, levels), 0.0)
            )  # a line may go below, at the end
        return rates

    def _at(self, epoch: int, levels: Sequence[float]) -> float:
        """The value at a step of what goes from level to level, one phase after the
        other.
        """
        rise, last = float(self.pct_start * self.total_steps), self.total_steps - 1
        ends = [rise - 1, 2 * rise - 2, last] if self.three_phase else [rise - 1, last]
        phase = min(sum(end < epoch for end in ends), len(ends) - 1)
        begin, end = [0.0, *ends][phase], ends[phase]
        share = (epoch - begin) / (end - begin) if end != begin else 1.0
        start, stop = levels[phase], levels[phase + 1]
        if self.anneal_strategy == "cos":
            return stop + (start - stop) / 2.0 * (cos(pi * share) + 1)
        return (stop - start) * share + start


def _total_steps(total: Any, epochs: Any, steps_per_epoch: Any) -> int:
    name = "optim.lr_scheduler.OneCycleLR"
    if total is None and (epochs is None or steps_per_epoch is None):
        raise OptionError(
            f"{name}: expected total_steps, or epochs and steps_per_epoch; got None"
        )
    if total is not None:
        check_integers(name, total_steps=total)
        return int(total)
    check_integers(name, epochs=epochs, steps_per_epoch=steps_per_epoch)
    return int(epochs) * int(steps_per_epoch)


class SequentialLR(LRScheduler):
    """Several schedules one after the other: the next one begins at each of the
    ``milestones``.

    As torch.optim.lr_scheduler.SequentialLR. The schedules are made for the same
    optimizer, one more of them than there are milestones, and only this one's
    ``step()`` is called.

    >>> from tinygrad_rnn import nn, optim
    >>> from tinygrad_rnn.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> warmup = LinearLR(optimizer, 0.25, total_iters=3)
    >>> schedule = SequentialLR(optimizer, [warmup, CosineAnnealingLR(optimizer, 2)], [3])
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates += schedule.get_last_lr()
    ...     optimizer.step()
    ...     schedule.step()
    >>> [round(rate, 3) for rate in rates]
    [0.25, 0.5, 0.75, 1.0, 0.5]
    """

    rules: ClassVar = {"milestones": _check_milestones}
    unsaved = (*LRScheduler.unsaved, "_schedulers")

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Iterable[int],
        last_epoch: int = -1,
    ) -> None:
        self.milestones = _in_order(self, milestones)
        self._schedulers = _checked_schedulers(optimizer, schedulers, self.milestones)
        super().__init__(optimizer, last_epoch)

    def _begin(self) -> None:
        self._restart([group["initial_lr"] for group in self.optimizer.param_groups])

    def _restart(self, rates: Sequence[float] | None = None) -> None:
        first = self._schedulers[bisect_right(self.milestones, 0)]
        first._restart(rates)
        self.last_epoch = -1
        self._follow(first)

    def _advance(self) -> None:
        epoch = self.last_epoch + 1
        number = bisect_right(self.milestones, epoch)
        scheduler = self._schedulers[number]
        if number and self.milestones[number - 1] == epoch:
            scheduler._restart()
        else:
            scheduler._advance()
        self._follow(scheduler)

    def _follow(self, scheduler: LRScheduler) -> None:
        """Count the epoch, and note the rates that a schedule has set."""
        self.last_epoch += 1
        self.base_lrs, self._last_lr = (
            list(scheduler.base_lrs),
            list(scheduler._last_lr),
        )

    def _copied(self, optimizer: Optimizer) -> Self:
        twin = super()._copied(optimizer)
        twin._schedulers = [
            scheduler._copied(optimizer) for scheduler in self._schedulers
        ]
        return twin

    def _changed(self, trial: Self) -> list[tuple[LRScheduler, dict[str, Any]]]:
        [(_, own)] = super()._changed(trial)
        pairs = zip(self._schedulers, trial._schedulers, strict=True)
        parts = [part for one, new in pairs for part in one._changed(new)]
        return [(self, {**own, "_schedulers": self._schedulers}), *parts]

    def state_dict(self) -> dict[str, Any]:
        states = [scheduler.state_dict() for scheduler in self._schedulers]
        return {**super().state_dict(), "_schedulers": states}

    def misfits(self, state_dict: Mapping[str, Any]) -> list[str]:
        if wrong := super().misfits(state_dict):
            return wrong
        states = state_dict["_schedulers"]
        if not isinstance(states, list | tuple) or len(states) != len(self._schedulers):
            return [f"it has other schedulers than these {len(self._schedulers)}"]
        pairs = zip(self._schedulers, states, strict=True)
        return [
            f"scheduler {number}: {fault}"
            for number, (scheduler, state) in enumerate(pairs)
            for fault in scheduler.misfits(state)
        ]

    def _loading(self, state_dict: Mapping[str, Any]) -> Changes:
        own = {key: value for key, value in state_dict.items() if key != "_schedulers"}
        changes = super()._loading(own)
        for scheduler, state in zip(
            self._schedulers, state_dict["_schedulers"], strict=True
        ):
            changes += scheduler._loading(state)
        return changes


def _checked_schedulers(
    optimizer: Any, schedulers: Any, milestones: list[int]
) -> list[LRScheduler]:
    """The schedules of a SequentialLR as a list."""
    name = "optim.lr_scheduler.SequentialLR"
    check_type(name, list | tuple, "a list of schedulers", schedulers=schedulers)
    seen: set[int] = set()
    for number, scheduler in enumerate(schedulers):
        what = f"scheduler {number}"
        check_type(name, LRScheduler, "a scheduler", **{what: scheduler})
        if isinstance(scheduler, ReduceLROnPlateau):
            why = "its step() needs metrics; step it on its own"
            raise OptionError(f"{name}: {what} is a ReduceLROnPlateau, {why}")
        if scheduler.optimizer is not optimizer:
            raise OptionError(f"{name}: {what} was made for another optimizer")
        if id(scheduler) in seen:
            raise OptionError(f"{name}: {what} is given twice; make one for each phase")
        seen.add(id(scheduler))
    if len(milestones) != len(schedulers) - 1:
        expected = "expected one milestone between each two schedulers"
        got = f"{len(schedulers)} schedulers and {len(milestones)} milestones"
        raise OptionError(f"{name}: got {got}, {expected}")
    return list(schedulers)


class ReduceLROnPlateau(LRScheduler):
    """Multiplies by ``factor`` when more than ``patience`` epochs were no better than
    the best.

    As torch.optim.lr_scheduler.ReduceLROnPlateau; ``step(metrics)`` takes what is
    watched, a loss with mode "min", an accuracy with "max".
    """

    _per_group = (*LRScheduler._per_group, "min_lr")
    rules: ClassVar = {
        **dict.fromkeys(
            ("patience", "cooldown", "cooldown_counter", "num_bad_epochs"), check_count
        ),
        "mode": (check_choice, ("min", "max")),
        "threshold_mode": (check_choice, ("rel", "abs")),
        "factor": check_below_1,
        "threshold": check_not_negative,
        "eps": check_not_negative,
        "best": (check_type, Real, "a number"),
    }

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.factor, self.patience, self.cooldown = factor, patience, cooldown
        self.min_lr, self.eps, self.best = min_lr, eps, inf if mode == "min" else -inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def step(self, metrics: Any = None) -> None:
        """Note an epoch's metrics, a number or a tensor of one, and set the rates for
        the next.
        """
        value = metrics.item() if hasattr(metrics, "item") else metrics
        check_type(
            f"{self._name}.step", Real, "a number: step(validation_loss)", metrics=value
        )
        if value != value:
            raise OptionError(f"{self._name}.step: metrics is nan, expected a number")
        self._try(type(self)._note, value)

    def _note(self, value: Any) -> None:
        sign = 1.0 if self.mode == "min" else -1.0
        margin = sign * self.threshold
        edge = (
            self.best * (1.0 - margin)
            if self.threshold_mode == "rel"
            else self.best - margin
        )
        better = sign * value < sign * edge
        bad = 0 if better or self.cooldown_counter else self.num_bad_epochs + 1
        self._advance()
        reduces = bad > self.patience
        if reduces:
            self._reduce()
        self.best = float(value) if better else self.best
        self.cooldown_counter = (
            self.cooldown if reduces else max(self.cooldown_counter - 1, 0)
        )
        self.num_bad_epochs = 0 if reduces else bad

    def _reduce(self) -> None:
        lows = self._rates("min_lr", self.min_lr)
        for group, low in zip(self.optimizer.param_groups, lows, strict=True):
            lower = max(group["lr"] * self.factor, low)
            if group["lr"] - lower > self.eps:
                group["lr"] = lower
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.optim.lr_scheduler", globals())
