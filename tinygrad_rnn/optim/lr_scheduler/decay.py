"""Schedules that multiply a rate by a function of the epoch."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...errors import check_integers, check_type
from ..optimizer import Optimizer
from ..options import (
    check_count,
    check_fraction,
    check_not_negative,
    check_positive_fraction,
    label,
)
from .base import LRScheduler

Factor = Callable[[int], float]


@dataclass(repr=False, eq=False)
class LambdaLR(LRScheduler):
    """A function of the epoch times the base rate.

    ::

        lr = base_lr * lr_lambda(epoch)

    Args:
        optimizer: The optimizer whose groups are scheduled.
        lr_lambda: A function for all groups, or a list of one for each. Functions are
            not saved with the state.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A function is not callable, or does not return a number
            of at least 0.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
        >>> schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)
        >>> for epoch in range(3):
        ...     print(optimizer.param_groups[0]["lr"])
        ...     optimizer.step()
        ...     schedule.step()
        1.0
        0.5
        0.25
    """

    optimizer: Optimizer
    lr_lambda: Factor | Sequence[Factor]
    last_epoch: int = -1

    def lrs_at(self, epoch: int) -> list[float]:
        functions = self._for_each_group("lr_lambda", self.lr_lambda)
        labelled = label("lr_lambda", functions)
        check_type(self._name, Callable, "a function of the epoch", **labelled)
        found = [function(epoch) for function in functions]
        factors = self._rates(f"lr_lambda({epoch})", found)
        return [lr * factor for lr, factor in zip(self.base_lrs, factors, strict=True)]


@dataclass(repr=False, eq=False)
class StepLR(LRScheduler):
    """Decay by a factor every few epochs.

    ::

        lr = base_lr * gamma ** (epoch // step_size)

    Args:
        optimizer: The optimizer whose groups are scheduled.
        step_size: How many epochs a rate holds.
        gamma: The factor.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
        >>> schedule = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        >>> for epoch in range(4):
        ...     print(optimizer.param_groups[0]["lr"])
        ...     optimizer.step()
        ...     schedule.step()
        1.0
        1.0
        0.5
        0.5
    """

    optimizer: Optimizer
    step_size: int
    gamma: float = 0.1
    last_epoch: int = -1
    rules: ClassVar = {"step_size": check_integers, "gamma": check_not_negative}

    def factor_at(self, epoch: int) -> float:
        return self.gamma if epoch > 0 and epoch % self.step_size == 0 else 1.0


def check_milestones(name: str, milestones: Sequence[int]) -> None:
    """Require a list of epochs."""
    check_type(name, list | tuple, "a list of epochs", milestones=milestones)
    check_count(name, **label("milestones", milestones))


def sort_milestones(name: str, milestones: Iterable[int]) -> list[int]:
    """Return milestones in order, as Python's integers."""
    check_type(name, Iterable, "a list of epochs", milestones=milestones)
    listed = list(milestones)
    check_milestones(name, listed)
    return sorted(map(int, listed))


@dataclass(repr=False, eq=False)
class MultiStepLR(LRScheduler):
    """Decay by a factor at each of some epochs.

    ::

        lr = base_lr * gamma ** (how many milestones are <= epoch)

    Args:
        optimizer: The optimizer whose groups are scheduled.
        milestones: The epochs; one that is listed twice counts twice.
        gamma: The factor.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.

    Example:
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

    optimizer: Optimizer
    milestones: Iterable[int]
    gamma: float = 0.1
    last_epoch: int = -1
    rules: ClassVar = {"milestones": check_milestones, "gamma": check_not_negative}

    def __post_init__(self) -> None:
        self.milestones = sort_milestones(self._name, self.milestones)
        super().__post_init__()

    def factor_at(self, epoch: int) -> float:
        return self.gamma ** list(self.milestones).count(epoch)


@dataclass(repr=False, eq=False)
class ExponentialLR(LRScheduler):
    """Decay by a factor every epoch.

    ::

        lr = base_lr * gamma ** epoch

    Args:
        optimizer: The optimizer whose groups are scheduled.
        gamma: The factor.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
        >>> schedule = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        >>> for epoch in range(3):
        ...     print(optimizer.param_groups[0]["lr"])
        ...     optimizer.step()
        ...     schedule.step()
        1.0
        0.5
        0.25
    """

    optimizer: Optimizer
    gamma: float
    last_epoch: int = -1
    rules: ClassVar = {"gamma": check_not_negative}

    def factor_at(self, epoch: int) -> float:
        return self.gamma if self._last_lr else 1.0


@dataclass(repr=False, eq=False)
class LinearLR(LRScheduler):
    """A factor that changes linearly from one value to another, and then stays.

    ::

        share = min(epoch / total_iters, 1)
        lr = base_lr * (start_factor + (end_factor - start_factor) * share)

    Args:
        optimizer: The optimizer whose groups are scheduled.
        start_factor: The factor of the first epoch, above 0.
        end_factor: The factor after ``total_iters`` epochs.
        total_iters: How many epochs that takes; with 0 the factor stays at its start.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
        >>> schedule = optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2)
        >>> for epoch in range(4):
        ...     print(optimizer.param_groups[0]["lr"])
        ...     optimizer.step()
        ...     schedule.step()
        0.5
        0.75
        1.0
        1.0
    """

    optimizer: Optimizer
    start_factor: float = 1.0 / 3
    end_factor: float = 1.0
    total_iters: int = 5
    last_epoch: int = -1
    rules: ClassVar = {
        "start_factor": check_positive_fraction,
        "end_factor": check_fraction,
        "total_iters": check_count,
    }

    def factor_at(self, epoch: int) -> float:
        if epoch == 0:
            return self.start_factor
        if not self._last_lr or epoch > self.total_iters:
            return 1.0
        # The factor of this epoch, divided by that of the one before.
        change = self.end_factor - self.start_factor
        last = self.total_iters * self.start_factor + (epoch - 1) * change
        return 1.0 + change / last
