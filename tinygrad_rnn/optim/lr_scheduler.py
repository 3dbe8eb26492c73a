"""Schedules of learning rates: torch.optim.lr_scheduler's names, arguments and arithmetic.

A scheduler sets the rates of all groups of an optimizer when it is made, and again at each
``step()``, which as a rule ends an epoch. Most multiply the rates that they find, so that several
may work on one optimizer.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from math import cos, inf, pi
from numbers import Real
from typing import Any, ClassVar

from ..errors import CheckpointError, DTypeError, OptionError

# isort: split
from ..errors import check_choice, check_integers, check_numbers, check_type, described
from .optimizer import BELOW_1, COUNT, FROM_0, NUMBER, UNIT, Optimizer, Rules, checked, faults


class LRScheduler:
    """Base of the schedulers. A subclass names the ``rules`` of its settings, and says ``lrs_at``.

    ``last_epoch`` counts the steps, from 0. It is given for an optimizer that was scheduled before,
    whose groups know their ``initial_lr``: the epoch before the one to come.
    """

    rules: ClassVar[Rules] = {}  # what its settings can be
    _per_group: ClassVar[tuple[str, ...]] = ("base_lrs", "_last_lr")  # rates, one for each
    unsaved: ClassVar[tuple[str, ...]] = ("_name", "optimizer", "lr_lambda")

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "get_lr"):
            raise DTypeError(f"{cls.__name__}.get_lr: write lrs_at(self, epoch), a rate a group")

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self._name = f"optim.lr_scheduler.{type(self).__name__}"
        check_type(self._name, Optimizer, "an Optimizer", optimizer=optimizer)
        self.optimizer, self.last_epoch = optimizer, last_epoch
        self.check(vars(self))
        self.base_lrs: list[float] = []
        self._last_lr: list[float] = []  # empty until the rates are set for the first time
        self._advance(self.lrs_at)

    def check(self, state: Mapping[str, Any]) -> None:
        """Refuse settings that cannot be right, when they are given and when they are loaded."""
        checked(self._name, {"last_epoch": (check_integers, -1), **self.rules}, state)
        for key in [key for key in self._per_group if key in state]:
            self._rates(key, state[key])

    def _each(self, what: str, value: Any) -> list[Any]:
        """A value for each group, of a list with as many or of one that serves all."""
        size = len(self.optimizer.param_groups)
        values = list(value) if isinstance(value, list | tuple) else [value] * size
        check_choice(self._name, (size,), **{f"length of {what}, one for each group,": len(values)})
        return values

    def _rates(self, what: str, value: Any) -> list[float]:
        """As ``_each``, of numbers that can be rates."""
        rates = self._each(what, value)
        check_numbers(self._name, 0.0, **{f"{what}[{i}]": rate for i, rate in enumerate(rates)})
        return [float(rate) for rate in rates]

    def lrs_at(self, epoch: int) -> list[float]:
        """The rates for the epoch to come; here those in use, for a subclass to change."""
        return self._rates("lr", [group["lr"] for group in self.optimizer.param_groups])

    def get_last_lr(self) -> list[float]:
        """The rates that were set last."""
        return list(self._last_lr)

    def step(self) -> None:
        """Set the rates for the next epoch; changes nothing if one of them cannot be right."""
        self._advance(self.lrs_at)

    def _advance(self, lrs_at: Callable[[int], list[float]]) -> None:
        groups, epoch = self.optimizer.param_groups, self.last_epoch + 1
        resumed = epoch > 0 and not self._last_lr
        bases = [group.get("initial_lr", None if resumed else group["lr"]) for group in groups]
        self.base_lrs += self._rates("initial_lr", bases)[len(self.base_lrs) :]  # who joined since
        rates = [0.0 if -1e-12 < lr < 0.0 else lr for lr in lrs_at(epoch)]  # 0 that was rounded
        self._last_lr, self.last_epoch = self._rates("lr", rates), epoch
        for group, rate, base in zip(groups, self._last_lr, self.base_lrs, strict=True):
            group["lr"] = rate
            group.setdefault("initial_lr", base)

    def __repr__(self) -> str:
        shown = [f"{k}={v!r}" for k, v in self.state_dict().items() if k[0] != "_"]
        return f"{type(self).__name__}({', '.join(shown)}, lr={self._last_lr})"

    def state_dict(self) -> dict[str, Any]:
        """Settings and state as plain values; the rates in use are in the optimizer's state."""
        state = {key: copy(v) for key, v in vars(self).items() if key not in self.unsaved}
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:  # who joined since
            state["base_lrs"].append(group.get("initial_lr", group["lr"]))
            state["_last_lr"].append(group["lr"])
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a ``state_dict``; raises CheckpointError before anything is changed."""
        if wrong := "; ".join(self.misfits(state_dict)):
            raise CheckpointError(f"{self._name}.load_state_dict: nothing was loaded, as {wrong}")
        new = {key: self._rates(key, state_dict[key]) for key in ("base_lrs", "_last_lr")}
        vars(self).update({key: copy(value) for key, value in state_dict.items()} | new)

    def misfits(self, state_dict: Mapping[str, Any]) -> list[str]:
        """What in a ``state_dict`` does not fit this scheduler, a line each."""
        if not isinstance(state_dict, Mapping):
            return [f"it is {described(state_dict)}, no scheduler's state"]
        if odd := sorted(map(str, state_dict.keys() ^ self.state_dict().keys())):
            return [f"{key!r} is missing or unexpected" for key in odd]
        return faults(self.check, state_dict)


class LambdaLR(LRScheduler):
    """base_lr * lr_lambda(epoch), with a function for all groups or a list of one for each.

    As torch.optim.lr_scheduler.LambdaLR, but the functions are never saved with the state.
    """

    def __init__(self, optimizer: Optimizer,
                 lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
                 last_epoch: int = -1) -> None:  # fmt: skip
        self.lr_lambda = lr_lambda
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        functions = self._each("lr_lambda", self.lr_lambda)
        named = {f"lr_lambda[{i}]": function for i, function in enumerate(functions)}
        check_type(self._name, Callable, "a function of the epoch", **named)
        factors = self._rates(f"lr_lambda({epoch})", [function(epoch) for function in functions])
        return [base * factor for base, factor in zip(self.base_lrs, factors, strict=True)]


class StepLR(LRScheduler):
    """Multiplies by ``gamma`` every ``step_size`` epochs; as torch.optim.lr_scheduler.StepLR."""

    rules: ClassVar = {"step_size": COUNT, "gamma": NUMBER}

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1,
                 last_epoch: int = -1) -> None:  # fmt: skip
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        due = epoch > 0 and epoch % self.step_size == 0
        return [rate * self.gamma if due else rate for rate in super().lrs_at(epoch)]


class ExponentialLR(LRScheduler):
    """Multiplies by ``gamma`` every epoch; as torch.optim.lr_scheduler.ExponentialLR."""

    rules: ClassVar = {"gamma": NUMBER}

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        return [rate * self.gamma if self._last_lr else rate for rate in super().lrs_at(epoch)]


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from base_lr to ``eta_min`` in ``T_max`` epochs, and back in as many.

    As torch.optim.lr_scheduler.CosineAnnealingLR: each rate is made from the one before, so that
    rates changed by others keep their ratio (Loshchilov and Hutter 2017, equation 5).
    """

    rules: ClassVar = {"T_max": COUNT, "eta_min": NUMBER}

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:  # fmt: skip
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        rates, low, length = super().lrs_at(epoch), self.eta_min, self.T_max
        if not self._last_lr:
            return rates
        if (epoch - 1 - length) % (2 * length) == 0:  # at the bottom a ratio would be 0 / 0
            pairs = zip(rates, self.base_lrs, strict=True)
            return [rate + (base - low) * (1 - cos(pi / length)) / 2 for rate, base in pairs]
        ratio = (1 + cos(pi * epoch / length)) / (1 + cos(pi * (epoch - 1) / length))
        return [ratio * (rate - low) + low for rate in rates]


class LinearLR(LRScheduler):
    """A factor that goes from ``start_factor`` to ``end_factor`` in ``total_iters`` epochs.

    As torch.optim.lr_scheduler.LinearLR.
    """

    rules: ClassVar = {"end_factor": UNIT, "total_iters": COUNT}
    rules["start_factor"] = (check_numbers, 5e-324, 1.0)  # above 0

    def __init__(self, optimizer: Optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0,
                 total_iters: int = 5, last_epoch: int = -1) -> None:  # fmt: skip
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def lrs_at(self, epoch: int) -> list[float]:
        factor, change = 1.0, self.end_factor - self.start_factor
        if epoch == 0:
            factor = self.start_factor
        elif self._last_lr and epoch <= self.total_iters:
            factor += change / (self.total_iters * self.start_factor + (epoch - 1) * change)
        return [rate * factor for rate in super().lrs_at(epoch)]


class ReduceLROnPlateau(LRScheduler):
    """Multiplies by ``factor`` when more than ``patience`` epochs were no better than the best.

    As torch.optim.lr_scheduler.ReduceLROnPlateau; ``step(metrics)`` takes what is watched, a loss
    with mode "min", an accuracy with "max".
    """

    _per_group = (*LRScheduler._per_group, "min_lr")
    rules: ClassVar = {
        **dict.fromkeys(("patience", "cooldown", "cooldown_counter", "num_bad_epochs"), FROM_0),
        "mode": (check_choice, ("min", "max")), "threshold_mode": (check_choice, ("rel", "abs")),
        "factor": BELOW_1, "threshold": NUMBER, "eps": NUMBER, "best": (check_type, Real, "a number"),
    }  # fmt: skip

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1,
                 patience: int = 10, threshold: float = 1e-4, threshold_mode: str = "rel",
                 cooldown: int = 0, min_lr: float | Sequence[float] = 0.0,
                 eps: float = 1e-8) -> None:  # fmt: skip
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.factor, self.patience, self.cooldown = factor, patience, cooldown
        self.min_lr, self.eps, self.best = min_lr, eps, inf if mode == "min" else -inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def step(self, metrics: Any = None) -> None:
        """Note an epoch's metrics, a number or a tensor of one, and set the rates for the next."""
        value = metrics.item() if hasattr(metrics, "item") else metrics
        check_type(f"{self._name}.step", Real, "a number: step(validation_loss)", metrics=value)
        if value != value:
            raise OptionError(f"{self._name}.step: metrics is nan, expected a number")
        sign = 1.0 if self.mode == "min" else -1.0
        margin = sign * self.threshold
        edge = self.best * (1.0 - margin) if self.threshold_mode == "rel" else self.best - margin
        better = sign * value < sign * edge
        bad = 0 if better or self.cooldown_counter else self.num_bad_epochs + 1
        reduces, rates = bad > self.patience, self.lrs_at(self.last_epoch + 1)
        for i, low in enumerate(self._rates("min_lr", self.min_lr) if reduces else []):
            lower = max(rates[i] * self.factor, low)
            rates[i] = lower if rates[i] - lower > self.eps else rates[i]
        self._advance(lambda epoch: rates)
        self.best = float(value) if better else self.best
        self.cooldown_counter = self.cooldown if reduces else max(self.cooldown_counter - 1, 0)
        self.num_bad_epochs = 0 if reduces else bad
