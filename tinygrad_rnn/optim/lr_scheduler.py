"""Schedules of learning rates, with torch.optim.lr_scheduler's names and arithmetic.

A schedule sets the rates of all groups of an optimizer when it is made, and again at
each ``step()``, which as a rule ends an epoch. The formulas say what a schedule on its
own sets. Most compute a rate from the one they find, so that several may work on one
optimizer, and a rate that was changed by hand is gone on from.
"""

import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from math import cos, inf, pi
from numbers import Real
from typing import TYPE_CHECKING, ClassVar, Self

from ..engine.commit import Changes, commit
from ..errors import (
    CheckpointError,
    DTypeError,
    OptionError,
    abbreviate,
    check_choice,
    check_integers,
    check_type,
    describe,
    left_out,
)
from ..types import Setting, Settings
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

Rates = float | Sequence[float]  # one for all groups, or one for each
Factor = Callable[[int], float]


class LRScheduler:
    """Base of the schedules. A subclass stores its settings and writes ``lrs_at``.

    Its class attribute ``rules`` names a check for each setting: see
    :class:`Optimizer`. ``state_dict`` holds all attributes but those in ``unsaved``.

    Args:
        optimizer: Whose groups are scheduled.
        last_epoch: The epoch before the one to come, for an optimizer that was
            scheduled before, whose groups hold their ``initial_lr``; -1 begins anew.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.

    Example:
        >>> from tinygrad_rnn import nn, optim
        >>> class InverseRoot(optim.lr_scheduler.LRScheduler):
        ...     def lrs_at(self, epoch):
        ...         return [lr / (epoch + 1) ** 0.5 for lr in self.base_lrs]
        >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
        >>> schedule = InverseRoot(optimizer)
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     schedule.step()
        >>> schedule.get_last_lr()
        [0.5]
    """

    rules: ClassVar[Rules] = {}
    unsaved: ClassVar[tuple[str, ...]] = ("_name", "optimizer", "lr_lambda")
    # Attributes that are a rate, or a list of one for each group.
    _per_group: ClassVar[tuple[str, ...]] = ("base_lrs", "_last_lr")

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "get_lr"):
            way = "write lrs_at(self, epoch), which returns a rate for each group"
            raise DTypeError(f"{cls.__name__}.get_lr: {way}")

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self._name = f"optim.lr_scheduler.{type(self).__name__}"
        check_type(self._name, Optimizer, "an Optimizer", optimizer=optimizer)
        self.optimizer, self.last_epoch = optimizer, last_epoch
        self.check(vars(self))
        self.base_lrs: list[float] = []
        self._last_lr: list[float] = []  # empty until rates are set the first time
        self._try(type(self)._begin)

    def check(self, state: Mapping[str, Setting]) -> None:
        """Raise if settings are wrong, as they are given or loaded."""
        last_epoch = partial(check_integers, low=-1)
        checked_options(self._name, {"last_epoch": last_epoch, **self.rules}, state)
        for key in self._per_group:
            if key in state:
                self._rates(key, state[key])

    def _each(self, what: str, value: Setting) -> list[Setting]:
        """Return a value for each group: those of a list, or one value repeated."""
        size = len(self.optimizer.param_groups)
        values = list(value) if isinstance(value, list | tuple) else [value] * size
        length = {f"length of {what}, one for each group,": len(values)}
        check_choice(self._name, (size,), **length)
        return values

    def _rates(self, what: str, value: Setting) -> list[float]:
        """Return a rate for each group, as :meth:`_each` does."""
        rates = self._each(what, value)
        for i, rate in enumerate(rates):
            check_not_negative(self._name, **{f"{what}[{i}]": rate})
        return [float(rate) for rate in rates]

    def lrs_at(self, epoch: int) -> list[float]:
        """Return the rates for the epoch to come: in the base, those in use."""
        return self._rates("lr", [group["lr"] for group in self.optimizer.param_groups])

    def get_last_lr(self) -> list[float]:
        """Return the rates that were set last, one for each group."""
        return list(self._last_lr)

    def step(self) -> None:
        """Set the rates for the next epoch; nothing changes if one of them is wrong.

        Warns if it is the first step and the optimizer has not made one yet: then the
        schedule's first rate is never used.
        """
        if self.last_epoch == 0 and not self.optimizer.has_stepped:
            warnings.warn(
                f"{self._name}.step: before optimizer.step(); call optimizer.step() "
                "first, or the first rate of the schedule is never used",
                stacklevel=2,
            )
        self._try(type(self)._advance)

    # ------------------------------------------------------------ all or nothing

    def _try(self, change: Callable[..., None], *args: object) -> None:
        """Change a copy of this schedule and of the groups, and then take it over."""
        groups = self.optimizer.param_groups
        optimizer = copy(self.optimizer)
        optimizer.param_groups = [dict(group) for group in groups]
        trial = self._copied(optimizer)
        change(trial, *args)
        changes = self._taking_over(trial)
        for group, new in zip(groups, optimizer.param_groups, strict=True):
            changes.append(partial(group.update, new))
        commit(changes)

    def _copied(self, optimizer: Optimizer) -> Self:
        """Return a copy of this schedule that works on another optimizer."""
        twin = copy(self)
        twin.optimizer, twin.base_lrs = optimizer, list(self.base_lrs)
        return twin

    def _taking_over(self, trial: Self) -> Changes:
        """Return the changes that make this schedule what a trial has become."""
        return [partial(vars(self).update, vars(trial) | {"optimizer": self.optimizer})]

    # ------------------------------------------------------------ how rates are set

    def _begin(self) -> None:
        """Set the first rates."""
        self._advance()

    def _restart(self, rates: Sequence[float] | None = None) -> None:
        """Begin anew, with the rates that the schedule was made for or with others."""
        self._note_base_lrs()
        self._set_lrs(rates or self.base_lrs)
        self.last_epoch, self._last_lr = -1, []
        self._begin()

    def _advance(self) -> None:
        """Set the rates for the next epoch."""
        self._note_base_lrs()
        epoch = self.last_epoch + 1
        rates = self.lrs_at(epoch)
        rounded = [0.0 if -1e-12 < rate < 0.0 else rate for rate in rates]
        self._last_lr, self.last_epoch = self._rates("lr", rounded), epoch
        self._set_lrs(self._last_lr)
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group.setdefault("initial_lr", base)

    def _set_lrs(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def _note_base_lrs(self) -> None:
        """Note the first rates of all groups, or of those that have joined since."""
        resumed = self.last_epoch >= 0 and not self._last_lr
        bases = []
        for group in self.optimizer.param_groups:
            default = None if resumed else group["lr"]
            bases.append(group.get("initial_lr", default))
        self.base_lrs += self._rates("initial_lr", bases)[len(self.base_lrs) :]

    # ------------------------------------------------------------ saving and loading

    def __repr__(self) -> str:
        shown = [f"{k}={v!r}" for k, v in self.state_dict().items() if k[0] != "_"]
        return f"{type(self).__name__}({', '.join(shown)}, lr={self._last_lr})"

    def state_dict(self) -> Settings:
        """Return settings and state as plain values; the optimizer holds its rates."""
        state = {k: copy(v) for k, v in vars(self).items() if k not in self.unsaved}
        joined = self.optimizer.param_groups[len(self.base_lrs) :]
        for group in joined:  # since the last step
            state["base_lrs"].append(group.get("initial_lr", group["lr"]))
            state["_last_lr"].append(group["lr"])
        return state

    def load_state_dict(self, state_dict: Mapping[str, Setting]) -> None:
        """Go on from a ``state_dict``.

        Args:
            state_dict: What ``state_dict()`` of a schedule of this class returned. Load
                the optimizer's state too: it holds the rates.

        Raises:
            CheckpointError: It does not fit; nothing is changed.
        """
        if wrong := abbreviate(self.misfits(state_dict), "; "):
            raise CheckpointError(
                f"{self._name}.load_state_dict: nothing was loaded, as {wrong}"
            )
        commit(self._loading(state_dict))

    def _loading(self, state_dict: Mapping[str, Setting]) -> Changes:
        """Return the changes that load a ``state_dict`` that fits, for ``commit``."""
        state = {key: copy(value) for key, value in state_dict.items()}
        for key in ("base_lrs", "_last_lr"):
            state[key] = self._rates(key, state[key])
        return [partial(vars(self).update, state)]

    def misfits(self, state_dict: Mapping[str, Setting]) -> list[str]:
        """Say what in a ``state_dict`` does not fit this schedule, a line each."""
        if not isinstance(state_dict, Mapping):
            return [f"it is {describe(state_dict)}, not a scheduler's state"]
        odd = sorted(map(str, state_dict.keys() ^ self.state_dict().keys()))
        if odd:
            return [f"{key!r} is missing or unexpected" for key in odd]
        return faults(self.check, state_dict)


class _Multiplying(LRScheduler):
    """Multiplies the rates that it finds by a factor, the same for all groups."""

    def _factor(self, epoch: int) -> float:
        raise NotImplementedError

    def lrs_at(self, epoch: int) -> list[float]:
        factor = self._factor(epoch)
        return [rate * factor for rate in super().lrs_at(epoch)]


class LambdaLR(LRScheduler):
    """A function of the epoch times the base rate.

    ::

        lr = base_lr * lr_lambda(epoch)

    Args:
        optimizer: Whose groups are scheduled.
        lr_lambda: A function for all groups, or a list of one for each. Functions are
            not saved with the state.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A function is none, or returns no number of at least 0.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Factor | Sequence[Factor],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        functions = self._each("lr_lambda", self.lr_lambda)
        for i, function in enumerate(functions):
            what = {f"lr_lambda[{i}]": function}
            check_type(self._name, Callable, "a function of the epoch", **what)
        found = [function(epoch) for function in functions]
        factors = self._rates(f"lr_lambda({epoch})", found)
        return [lr * factor for lr, factor in zip(self.base_lrs, factors, strict=True)]


class StepLR(_Multiplying):
    """Decay by a factor every few epochs.

    ::

        lr = base_lr * gamma ** (epoch // step_size)

    Args:
        optimizer: Whose groups are scheduled.
        step_size: How many epochs a rate holds.
        gamma: The factor.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.
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

    def _factor(self, epoch: int) -> float:
        return self.gamma if epoch > 0 and epoch % self.step_size == 0 else 1.0


def _check_milestones(name: str, milestones: Sequence[int]) -> None:
    check_type(name, list | tuple, "a list of epochs", milestones=milestones)
    for i, epoch in enumerate(milestones):
        check_count(name, **{f"milestones[{i}]": epoch})


def _sorted_milestones(name: str, milestones: Iterable[int]) -> list[int]:
    """Return milestones in order, as Python's integers."""
    check_type(name, Iterable, "a list of epochs", milestones=milestones)
    listed = list(milestones)
    _check_milestones(name, listed)
    return sorted([int(epoch) for epoch in listed])


class MultiStepLR(_Multiplying):
    """Decay by a factor at each of some epochs.

    ::

        lr = base_lr * gamma ** (how many milestones are <= epoch)

    Args:
        optimizer: Whose groups are scheduled.
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

    rules: ClassVar = {"milestones": _check_milestones, "gamma": check_not_negative}

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        name = "optim.lr_scheduler.MultiStepLR"
        self.milestones, self.gamma = _sorted_milestones(name, milestones), gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return self.gamma ** self.milestones.count(epoch)


class ExponentialLR(_Multiplying):
    """Decay by a factor every epoch.

    ::

        lr = base_lr * gamma ** epoch

    Args:
        optimizer: Whose groups are scheduled.
        gamma: The factor.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.
    """

    rules: ClassVar = {"gamma": check_not_negative}

    def __init__(
        self, optimizer: Optimizer, gamma: float, last_epoch: int = -1
    ) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        return self.gamma if self._last_lr else 1.0


class LinearLR(_Multiplying):
    """A factor that changes linearly from one value to another, and then stays.

    ::

        share = min(epoch / total_iters, 1)
        lr = base_lr * (start_factor + (end_factor - start_factor) * share)

    Args:
        optimizer: Whose groups are scheduled.
        start_factor: The factor of the first epoch, above 0.
        end_factor: The factor after ``total_iters`` epochs.
        total_iters: How many epochs that takes; with 0 the factor stays at its start.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.
    """

    rules: ClassVar = {
        "start_factor": check_positive_fraction,
        "end_factor": check_fraction,
        "total_iters": check_count,
    }

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _factor(self, epoch: int) -> float:
        if epoch == 0:
            return self.start_factor
        if not self._last_lr or epoch > self.total_iters:
            return 1.0
        # The factor of this epoch by that of the one before.
        change = self.end_factor - self.start_factor
        last = self.total_iters * self.start_factor + (epoch - 1) * change
        return 1.0 + change / last


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the base rate to the lowest one, and back in as many epochs.

    ::

        lr = eta_min + (base_lr - eta_min) * (1 + cos(pi * epoch / T_max)) / 2

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR
    2017, equation 5.

    Args:
        optimizer: Whose groups are scheduled.
        T_max: How many epochs the way down takes.
        eta_min: The lowest rate.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError, DTypeError: A setting breaks its rule; nothing is changed.
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
        if (epoch - 1 - length) % (2 * length) == 0:
            # The last rate was eta_min: the ratio below would be 0 / 0.
            rise = 1 - cos(pi / length)
            pairs = zip(rates, self.base_lrs, strict=True)
            return [rate + (base - low) * rise / 2 for rate, base in pairs]
        ratio = (1 + cos(pi * epoch / length)) / (1 + cos(pi * (epoch - 1) / length))
        return [ratio * (rate - low) + low for rate in rates]


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
        optimizer: What is scheduled; its own rates are replaced.
        max_lr: The highest rate, a number or one for each group.
        total_steps: How many steps the cycle has; or ``epochs`` and
            ``steps_per_epoch``.
        pct_start: The share of the steps that the rise takes.
        anneal_strategy: "cos" for half a cosine from level to level, or "linear".
        cycle_momentum: Whether the momentum (of SGD and RMSprop; of Adam, the first
            beta) falls from ``max_momentum`` to ``base_momentum`` while the rate rises,
            and rises again; each is a number, or one for each group.
        div_factor: The highest rate by the first one.
        final_div_factor: The first rate by the last one.
        three_phase: Whether the rate falls to where it began in as many steps as it
            rose, and then to its end.
        last_epoch: As in :class:`LRScheduler`.

    Raises:
        OptionError: A setting breaks its rule; the optimizer has no momentum to cycle;
            step() is called more than ``total_steps`` times.
        DTypeError: A setting is of another type.
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
        max_lr: Rates,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Rates = 0.85,
        max_momentum: Rates = 0.95,
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
            raise OptionError(
                f"{self._name}: the optimizer has no momentum and no betas; pass "
                "cycle_momentum=False"
            )
        groups = self.optimizer.param_groups
        if self.last_epoch == -1 and not self.base_lrs:
            highs = self._rates("max_lr", self.max_lr)
            for group, high in zip(groups, highs, strict=True):
                group["initial_lr"] = high / self.div_factor
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
            momentum = self._at(self.last_epoch, [high, low, high, high])
            if "betas" in self.optimizer.defaults:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def lrs_at(self, epoch: int) -> list[float]:
        if epoch > self.total_steps:
            most = f"expected at most total_steps={self.total_steps}"
            raise OptionError(f"{self._name}.step: this is step {epoch}, {most}")
        rates = []
        for high in self._rates("max_lr", self.max_lr):
            first = high / self.div_factor
            last = first / self.final_div_factor
            levels = [first, high, last]
            if self.three_phase:
                levels = [first, high, first, last]
            # A line goes below 0 in the step after the last phase.
            rates.append(max(self._at(epoch, levels), 0.0))
        return rates

    def _at(self, step: int, levels: Sequence[float]) -> float:
        """Return the value at a step of what goes from level to level in the phases."""
        rise, last = float(self.pct_start * self.total_steps), self.total_steps - 1
        ends = [rise - 1, last]
        if self.three_phase:
            ends = [rise - 1, 2 * rise - 2, last]
        phase = min(sum(end < step for end in ends), len(ends) - 1)
        begin, end = [0.0, *ends][phase], ends[phase]
        share = (step - begin) / (end - begin) if end != begin else 1.0
        start, stop = levels[phase], levels[phase + 1]
        if self.anneal_strategy == "cos":
            return stop + (start - stop) / 2.0 * (cos(pi * share) + 1)
        return (stop - start) * share + start


def _total_steps(
    total: int | None, epochs: int | None, steps_per_epoch: int | None
) -> int:
    name = "optim.lr_scheduler.OneCycleLR"
    if total is not None:
        check_integers(name, total_steps=total)
        return int(total)
    if epochs is None or steps_per_epoch is None:
        expected = "expected total_steps, or epochs and steps_per_epoch"
        raise OptionError(f"{name}: {expected}; got None")
    check_integers(name, epochs=epochs, steps_per_epoch=steps_per_epoch)
    return int(epochs) * int(steps_per_epoch)


class SequentialLR(LRScheduler):
    """Several schedules one after the other.

    Args:
        optimizer: Whose groups are scheduled.
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

    rules: ClassVar = {"milestones": _check_milestones}
    unsaved = (*LRScheduler.unsaved, "_schedulers")

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Iterable[int],
        last_epoch: int = -1,
    ) -> None:
        name = "optim.lr_scheduler.SequentialLR"
        self.milestones = _sorted_milestones(name, milestones)
        _check_schedulers(name, optimizer, schedulers)
        if len(self.milestones) != len(schedulers) - 1:
            got = f"{len(schedulers)} schedulers and {len(self.milestones)} milestones"
            expected = "expected one milestone between each two schedulers"
            raise OptionError(f"{name}: got {got}, {expected}")
        self._schedulers = list(schedulers)
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
        self.base_lrs = list(scheduler.base_lrs)
        self._last_lr = list(scheduler._last_lr)

    def _copied(self, optimizer: Optimizer) -> Self:
        twin = super()._copied(optimizer)
        twin._schedulers = [part._copied(optimizer) for part in self._schedulers]
        return twin

    def _taking_over(self, trial: Self) -> Changes:
        changes: Changes = []
        for part, new in zip(self._schedulers, trial._schedulers, strict=True):
            changes += part._taking_over(new)
        trial._schedulers = self._schedulers
        return changes + super()._taking_over(trial)

    def state_dict(self) -> Settings:
        states = [scheduler.state_dict() for scheduler in self._schedulers]
        return {**super().state_dict(), "_schedulers": states}

    def misfits(self, state_dict: Mapping[str, Setting]) -> list[str]:
        if wrong := super().misfits(state_dict):
            return wrong
        states = state_dict["_schedulers"]
        if not isinstance(states, list | tuple) or len(states) != len(self._schedulers):
            return [f"it has other schedulers than these {len(self._schedulers)}"]
        for number, (part, state) in enumerate(
            zip(self._schedulers, states, strict=True)
        ):
            wrong += [f"scheduler {number}: {fault}" for fault in part.misfits(state)]
        return wrong

    def _loading(self, state_dict: Mapping[str, Setting]) -> Changes:
        own = dict(state_dict)
        states = own.pop("_schedulers")
        changes = super()._loading(own)
        for scheduler, state in zip(self._schedulers, states, strict=True):
            changes += scheduler._loading(state)
        return changes


def _check_schedulers(
    name: str, optimizer: Optimizer, schedulers: Sequence[LRScheduler]
) -> None:
    """Require different schedules of one optimizer, which step without metrics."""
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


class ReduceLROnPlateau(LRScheduler):
    """Decay by a factor whenever a metric has stopped improving.

    An epoch is bad if its metrics are not better than the best so far by the
    threshold: with mode "min", below ``best * (1 - threshold)`` ("rel") or
    ``best - threshold`` ("abs"); with "max", above the same with plus. After more than
    ``patience`` bad epochs in a row::

        lr <- max(lr * factor, min_lr)

    Args:
        optimizer: Whose groups are scheduled.
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

    _per_group = (*LRScheduler._per_group, "min_lr")
    rules: ClassVar = {
        "mode": partial(check_choice, choices=("min", "max")),
        "factor": check_below_1,
        "patience": check_count,
        "threshold": check_not_negative,
        "threshold_mode": partial(check_choice, choices=("rel", "abs")),
        "cooldown": check_count,
        "eps": check_not_negative,
        "best": (check_type, Real, "a number"),
        "num_bad_epochs": check_count,
        "cooldown_counter": check_count,
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
        min_lr: Rates = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.factor, self.patience, self.cooldown = factor, patience, cooldown
        self.min_lr, self.eps, self.best = min_lr, eps, inf if mode == "min" else -inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def step(self, metrics: object = None) -> None:
        """Note an epoch's metrics, and set the rates for the next.

        Args:
            metrics: A number, or a tensor of one element.

        Raises:
            OptionError, DTypeError: It is NaN, or no number; nothing is changed.
        """
        name = f"{self._name}.step"
        value = metrics.item() if hasattr(metrics, "item") else metrics
        check_type(name, Real, "a number: step(validation_loss)", metrics=value)
        if value != value:
            raise OptionError(f"{name}: metrics is nan, expected a number")
        self._try(type(self)._note, value)

    def _is_better(self, value: float) -> bool:
        threshold = self.threshold if self.mode == "min" else -self.threshold
        if self.threshold_mode == "rel":
            bound = self.best * (1.0 - threshold)
        else:
            bound = self.best - threshold
        return value < bound if self.mode == "min" else value > bound

    def _note(self, value: float) -> None:
        self._advance()
        if self._is_better(value):
            self.best = float(value)
            self.num_bad_epochs = 0
        elif self.cooldown_counter:
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        self.cooldown_counter = max(self.cooldown_counter - 1, 0)
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.num_bad_epochs, self.cooldown_counter = 0, self.cooldown

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        for group, low in zip(groups, self._rates("min_lr", self.min_lr), strict=True):
            lower = max(group["lr"] * self.factor, low)
            if group["lr"] - lower > self.eps:
                group["lr"] = lower
        self._last_lr = [group["lr"] for group in groups]


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.optim.lr_scheduler", globals())
