"""A schedule that follows a metric."""

from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import ClassVar

from ...errors import OptionError, check_choice, check_type
from ...types import Setting
from ..optimizer import Optimizer
from ..options import check_below_1, check_count, check_not_negative
from .base import LRScheduler, Rates


@dataclass(repr=False, eq=False)
class ReduceLROnPlateau(LRScheduler):
    """Decay by a factor whenever a metric has stopped improving.

    An epoch is bad if its metrics are not better than the best so far by the
    threshold: with mode "min", below ``best * (1 - threshold)`` ("rel") or
    ``best - threshold`` ("abs"); with "max", above the same with plus. After more than
    ``patience`` bad epochs in a row::

        lr <- max(lr * factor, min_lr)

    Args:
        optimizer: The optimizer whose groups are scheduled.
        mode: "min" for what should fall, such as a loss, or "max" for an accuracy.
        factor: The factor, below 1.
        patience: How many bad epochs are let pass.
        threshold: By how much an epoch has to be better.
        threshold_mode: "rel" for a share of the best, or "abs".
        cooldown: How many epochs after a fall are not counted as bad.
        min_lr: The lowest rate, a number or one for each group.
        eps: A fall by no more than this is left out.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
        >>> schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
        >>> for validation_loss in (3.0, 2.0, 2.0, 2.0):
        ...     schedule.step(validation_loss)
        >>> schedule.get_last_lr()
        [0.1]
    """

    optimizer: Optimizer
    mode: str = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    min_lr: Rates = 0.0
    eps: float = 1e-8
    _per_group = (*LRScheduler._per_group, "min_lr")
    rules: ClassVar = {
        "mode": (check_choice, ("min", "max")),
        "factor": check_below_1,
        "patience": check_count,
        "threshold": check_not_negative,
        "threshold_mode": (check_choice, ("rel", "abs")),
        "cooldown": check_count,
        "eps": check_not_negative,
        "best": (check_type, Real, "a number"),
        "num_bad_epochs": check_count,
        "cooldown_counter": check_count,
    }

    def __post_init__(self) -> None:
        self.best = inf if self.mode == "min" else -inf
        self.num_bad_epochs = self.cooldown_counter = 0
        self.last_epoch = -1
        super().__post_init__()

    def step(self, metrics: object = None) -> None:
        """Note an epoch's metrics, and set the rates for the next.

        Args:
            metrics: A number, or a tensor of one element.

        Raises:
            OptionError, DTypeError: It is NaN, or no number; nothing is changed.
        """
        name = f"{self._name}.step"
        value: Setting = metrics.item() if hasattr(metrics, "item") else metrics
        check_type(name, Real, "a number: step(validation_loss)", metrics=value)
        if value != value:
            raise OptionError(f"{name}: metrics is nan, expected a number")
        with self._all_or_nothing():
            self._count(value)

    def _is_better(self, value: float) -> bool:
        threshold = self.threshold if self.mode == "min" else -self.threshold
        if self.threshold_mode == "rel":
            bound = self.best * (1.0 - threshold)
        else:
            bound = self.best - threshold
        return value < bound if self.mode == "min" else value > bound

    def _count(self, value: float) -> None:
        """Count a value as good or bad; reduce the rates after ``patience`` bad ones.

        While the schedule cools down after a reduction, no value counts as bad.
        """
        self._advance()
        better = self._is_better(value)
        if better:
            self.best = float(value)
        if better or self.cooldown_counter:
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        self.cooldown_counter = max(self.cooldown_counter - 1, 0)
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.num_bad_epochs, self.cooldown_counter = 0, self.cooldown

    def _reduce(self) -> None:
        groups, lows = self.optimizer.param_groups, self._rates("min_lr", self.min_lr)
        for group, low in zip(groups, lows, strict=True):
            lower = max(group["lr"] * self.factor, low)
            if group["lr"] - lower > self.eps:
                group["lr"] = lower
        self._last_lr = [group["lr"] for group in groups]
