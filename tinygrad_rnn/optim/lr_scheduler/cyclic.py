"""Schedules that fall and rise: half a cosine over and over, and one cycle."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from math import cos, pi
from typing import ClassVar

from ...errors import OptionError, check_choice, check_integers
from ..optimizer import Optimizer
from ..options import check_flag, check_fraction, check_not_negative, check_positive
from .base import LRScheduler, Rates


@dataclass(repr=False, eq=False)
class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the base rate to the lowest one, and back in as many epochs.

    ::

        lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR
    2017, equation 5.

    Args:
        optimizer: The optimizer whose groups are scheduled.
        T_max: How many epochs the way down takes.
        eta_min: The lowest rate.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
        >>> schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
        >>> for epoch in range(3):
        ...     print(f"{optimizer.param_groups[0]['lr']:.2f}")
        ...     optimizer.step()
        ...     schedule.step()
        1.00
        0.50
        0.00
    """

    optimizer: Optimizer
    T_max: int
    eta_min: float = 0.0
    last_epoch: int = -1
    rules: ClassVar = {"T_max": check_integers, "eta_min": check_not_negative}

    def lrs_at(self, epoch: int) -> list[float]:
        rates, low, length = super().lrs_at(epoch), self.eta_min, self.T_max
        if not self._last_lr:
            return rates
        if (epoch - 1 - length) % (2 * length) == 0:
            # The last rate was eta_min: the ratio below would be 0 / 0.
            rise = 1 - cos(pi / length)
            pairs = zip(rates, self.base_lrs, strict=True)
            return [rate + (base - low) * rise / 2 for rate, base in pairs]
        ratio = (1 + cos(pi * epoch / length)) / (1 + cos(pi * (epoch - 1) / length))
        return [ratio * (rate - low) + low for rate in rates]


@dataclass(repr=False, eq=False)
class OneCycleLR(LRScheduler):
    """One rise of the rate to ``max_lr``, and a longer fall to next to nothing.

    A ``step()`` ends a batch here. The rate goes from level to level, in phases::

        first = max_lr / div_factor
        levels = first, max_lr, first / final_div_factor
        share = (step - begin) / (end - begin)       of the phase that the step is in
        "cos":     lr = stop + (start - stop) * (1 + cos(pi * share)) / 2
        "linear":  lr = start + (stop - start) * share

    Smith and Topin, "Super-convergence", arXiv:1708.07120.

    Args:
        optimizer: The optimizer that is scheduled; its own rates are replaced.
        max_lr: The highest rate, a number or one for each group.
        total_steps: How many steps the cycle has.
        epochs, steps_per_epoch: Their product, in place of ``total_steps``.
        pct_start: The share of the steps that the rise takes.
        anneal_strategy: "cos" for half a cosine from level to level, or "linear".
        cycle_momentum: Whether the momentum (of SGD and RMSprop; of Adam, the first
            beta) falls while the rate rises, and rises again.
        base_momentum, max_momentum: The lowest and the highest momentum, each a number
            or one for each group.
        div_factor: The highest rate divided by the first one.
        final_div_factor: The first rate divided by the last one.
        three_phase: Whether the rate falls to where it began in as many steps as it
            rose, and then to its end.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError: A setting breaks its rule; the optimizer has no momentum to cycle;
            step() is called more than ``total_steps`` times.
        DTypeError: A setting is of another type.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1, momentum=0.9)
        >>> schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=5)
        >>> for batch in range(5):
        ...     print(f"{optimizer.param_groups[0]['lr']:.2f}")
        ...     optimizer.step()
        ...     if batch < 4:
        ...         schedule.step()
        0.04
        0.95
        0.61
        0.19
        0.00
    """

    optimizer: Optimizer
    max_lr: Rates
    total_steps: int | None = None
    epochs: InitVar[int | None] = None
    steps_per_epoch: InitVar[int | None] = None
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    cycle_momentum: bool = True
    base_momentum: Rates = 0.85
    max_momentum: Rates = 0.95
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False
    last_epoch: int = -1
    _per_group = (*LRScheduler._per_group, "max_lr", "base_momentum", "max_momentum")
    rules: ClassVar = {
        "total_steps": check_integers,
        "pct_start": check_fraction,
        "anneal_strategy": (check_choice, ("cos", "linear")),
        "cycle_momentum": check_flag,
        "div_factor": check_positive,
        "final_div_factor": check_positive,
        "three_phase": check_flag,
    }

    def __post_init__(self, epochs: int | None, steps_per_epoch: int | None) -> None:
        if self.total_steps is not None:
            check_integers(self._name, total_steps=self.total_steps)
            self.total_steps = int(self.total_steps)
        elif epochs is None or steps_per_epoch is None:
            expected = "expected total_steps, or epochs and steps_per_epoch"
            raise OptionError(f"{self._name}: {expected}; got None")
        else:
            check_integers(self._name, epochs=epochs, steps_per_epoch=steps_per_epoch)
            self.total_steps = int(epochs) * int(steps_per_epoch)
        super().__post_init__()

    def _begin(self) -> None:
        known = self.optimizer.defaults
        if self.cycle_momentum and "momentum" not in known and "betas" not in known:
            raise OptionError(
                f"{self._name}: the optimizer has no momentum and no betas; pass "
                "cycle_momentum=False"
            )
        groups = self.optimizer.param_groups
        if self.last_epoch == -1 and not self.base_lrs:
            highs = self._rates("max_lr", self.max_lr)
            self._set("initial_lr", [high / self.div_factor for high in highs])
        super()._begin()
        for group in groups:
            self.optimizer.options(group)  # the momentum has to be one

    def _advance(self) -> None:
        super()._advance()
        if not self.cycle_momentum:
            return
        lows = self._rates("base_momentum", self.base_momentum)
        highs = self._rates("max_momentum", self.max_momentum)
        groups = self.optimizer.param_groups
        for group, low, high in zip(groups, lows, highs, strict=True):
            momentum = self._value_at(self.last_epoch, [high, low, high, high])
            if "betas" in self.optimizer.defaults:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def lrs_at(self, epoch: int) -> list[float]:
        rates = []
        for high in self._rates("max_lr", self.max_lr):
            first = high / self.div_factor
            middle = [first] if self.three_phase else []
            levels = [first, high, *middle, first / self.final_div_factor]
            # A line goes below 0 in the step after the last phase.
            rates.append(max(self._value_at(epoch, levels), 0.0))
        return rates

    def _value_at(self, step: int, levels: Sequence[float]) -> float:
        """Return the value at a step, if it goes from level to level, one a phase."""
        total = self.total_steps
        assert total is not None  # epochs and steps_per_epoch have given it
        if step > total:
            got, most = f"this is step {step}", f"expected at most total_steps={total}"
            raise OptionError(f"{self._name}.step: {got}, {most}")
        rise = float(self.pct_start * total)
        middle = [2 * rise - 2] if self.three_phase else []
        ends = [rise - 1, *middle, total - 1]
        phase = min(sum(end < step for end in ends), len(ends) - 1)
        begin, end = [0.0, *ends][phase], ends[phase]
        share = (step - begin) / (end - begin) if end != begin else 1.0
        start, stop = levels[phase], levels[phase + 1]
        if self.anneal_strategy == "cos":
            return stop + (start - stop) / 2.0 * (cos(pi * share) + 1)
        return (stop - start) * share + start
