"""What all schedules share: rates that are set at once, groups that join, state."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import ClassVar

from ...engine import seam
from ...engine.commit import Changes, commit
from ...engine.warned import warn_user
from ...errors import DTypeError, OptionError, check_integers, check_type, describe
from ...errors.construction import NamedConstruction
from ...types import Setting, Settings
from ..optimizer import Optimizer
from ..options import Rules, check_not_negative, check_options, faults, label
from ..saved import raise_misfits

Rates = float | Sequence[float]  # one for all groups, or one for each


class LRScheduler(metaclass=NamedConstruction):
    """Base of the schedules.

    A subclass stores its settings and writes ``lrs_at``, or ``factor_at`` if it
    multiplies the rates in use. Its class attribute ``rules`` names a check for each
    setting: see :class:`tinygrad_rnn.optim.Optimizer`. ``state_dict`` holds all
    attributes but those in ``unsaved``.

    Args:
        optimizer: The optimizer whose groups are scheduled.
        last_epoch: The epoch before the next one, if the optimizer was scheduled before
            and its groups hold their ``initial_lr``; -1 to start from the beginning.

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
    unsaved: ClassVar[tuple[str, ...]] = ("optimizer", "lr_lambda")
    # Attributes that are a rate, or a list of one for each group.
    _per_group: ClassVar[tuple[str, ...]] = ("base_lrs", "_last_lr")
    _name: ClassVar[str] = "optim.lr_scheduler.LRScheduler"

    def __init_subclass__(cls, **kwargs: Setting) -> None:
        super().__init_subclass__(**kwargs)
        cls._name = f"optim.lr_scheduler.{cls.__name__}"
        if hasattr(cls, "get_lr"):
            way = "write lrs_at(self, epoch), which returns a rate for each group"
            raise DTypeError(f"{cls.__name__}.get_lr: {way}")

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer, self.last_epoch = optimizer, last_epoch
        self.__post_init__()

    def __post_init__(self) -> None:
        """Check the settings, which are attributes by now, and set the first rates.

        Schedules of the package are dataclasses, which call this themselves.
        """
        check_type(self._name, Optimizer, "an Optimizer", optimizer=self.optimizer)
        self.check(vars(self))
        self.base_lrs: list[float] = []
        self._last_lr: list[float] = []  # empty until rates are set the first time
        with self._all_or_nothing():
            self._begin()

    def check(self, state: Mapping[str, Setting]) -> None:
        """Raise if settings are wrong, as they are given or loaded."""
        rules = {"last_epoch": (check_integers, -1), **self.rules}
        check_options(self._name, rules, state)
        for key in self._per_group:
            if key in state:
                self._rates(key, state[key])

    def _for_each_group(self, what: str, value: Setting) -> list[Setting]:
        """Return a value for each group: those of a list, or one value repeated."""
        size = len(self.optimizer.param_groups)
        values = list(value) if isinstance(value, list | tuple) else [value] * size
        if len(values) != size:
            got = f"length of {what}, one for each group, is {len(values)}"
            raise OptionError(f"{self._name}: {got}, expected {size}")
        return values

    def _rates(self, what: str, value: Setting) -> list[float]:
        """Return a rate for each group, as floats; raise for a number below 0."""
        rates = self._for_each_group(what, value)
        check_not_negative(self._name, **label(what, rates))
        return [float(rate) for rate in rates]

    def lrs_at(self, epoch: int) -> list[float]:
        """Return the rates for the epoch to come: those in use times ``factor_at``."""
        groups = self.optimizer.param_groups
        rates = self._rates("lr", [group["lr"] for group in groups])
        factor = self.factor_at(epoch)
        return [rate * factor for rate in rates]

    def factor_at(self, epoch: int) -> float:
        """Return what the rates in use are multiplied by, the same for all groups."""
        return 1.0

    def get_last_lr(self) -> list[float]:
        """Return the rates that were set last, one for each group.

        Example:
            >>> from tinygrad_rnn import nn, optim
            >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
            >>> optim.lr_scheduler.StepLR(optimizer, step_size=2).get_last_lr()
            [1.0]
        """
        seam.read_values("get_last_lr()", "call it outside")
        return list(self._last_lr)

    def step(self) -> None:
        """Set the rates for the next epoch; nothing changes if one of them is wrong.

        Warns if it is the first step and the optimizer has not made one yet: then the
        schedule's first rate is never used.

        Example:
            >>> import tinygrad_rnn as tg
            >>> from tinygrad_rnn.optim.lr_scheduler import ExponentialLR
            >>> w = tg.tensor([1.0], requires_grad=True)
            >>> optimizer = tg.optim.SGD([w], lr=1.0)
            >>> schedule = ExponentialLR(optimizer, gamma=0.5)
            >>> optimizer.step()  # for each batch of the epoch
            >>> schedule.step()  # after the epoch
            >>> optimizer.param_groups[0]["lr"]
            0.5
        """
        seam.refuse(f"{self._name}.step()", "call it outside")
        if self.last_epoch == 0 and not self.optimizer.has_stepped:
            warn_user(
                f"{self._name}.step: before optimizer.step(); call optimizer.step() "
                "first, or the first rate of the schedule is never used"
            )
        with self._all_or_nothing():
            self._advance()

    # ------------------------------------------------------------ all or nothing

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Undo what a with statement changes if it raises, or Ctrl-C comes in."""
        undo: Changes = []
        for held in (*map(vars, self._all()), *self.optimizer.param_groups):
            undo += [held.clear, partial(held.update, dict(held))]
        try:
            yield
        except BaseException:
            commit(undo)
            raise

    def _all(self) -> "list[LRScheduler]":
        """Return this schedule and those that it is made of."""
        return [self]

    # ------------------------------------------------------------ how rates are set

    def _begin(self) -> None:
        """Set the first rates."""
        self._advance()

    def _restart(self, rates: Sequence[float] | None = None) -> None:
        """Start again, with the rates that the schedule was made for or with others."""
        self._extend_base_lrs()
        self._set("lr", rates or self.base_lrs)
        self.last_epoch, self._last_lr = -1, []
        self._begin()

    def _advance(self) -> None:
        """Set the rates for the next epoch."""
        self._extend_base_lrs()
        epoch = self.last_epoch + 1
        rates = self.lrs_at(epoch)
        rounded = [0.0 if -1e-12 < rate < 0.0 else rate for rate in rates]
        self._last_lr, self.last_epoch = self._rates("lr", rounded), epoch
        self._set("lr", self._last_lr)
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group.setdefault("initial_lr", base)

    def _set(self, option: str, values: Sequence[float]) -> None:
        """Set an option of all groups."""
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            group[option] = value

    def _extend_base_lrs(self) -> None:
        """Note the first rates of all groups, or of those that have joined since."""
        resumed = self.last_epoch >= 0 and not self._last_lr
        bases = []
        for group in self.optimizer.param_groups:
            first = None if resumed else group["lr"]
            bases.append(group.get("initial_lr", first))
        rates = self._rates("initial_lr", bases)
        self.base_lrs = self.base_lrs + rates[len(self.base_lrs) :]

    # ------------------------------------------------------------ saving and loading

    def __repr__(self) -> str:
        shown = [f"{k}={v!r}" for k, v in self.state_dict().items() if k[0] != "_"]
        return f"{type(self).__name__}({', '.join(shown)}, lr={self._last_lr})"

    def state_dict(self) -> Settings:
        """Return settings and state as plain values; the optimizer holds its rates.

        Example:
            >>> import tinygrad_rnn as tg
            >>> w = tg.tensor([1.0], requires_grad=True)
            >>> optimizer = tg.optim.SGD([w], lr=1.0)
            >>> schedule = tg.optim.lr_scheduler.StepLR(optimizer, step_size=2)
            >>> schedule.state_dict()["step_size"], schedule.state_dict()["last_epoch"]
            (2, 0)
        """
        state = {k: copy(v) for k, v in vars(self).items() if k not in self.unsaved}
        # Groups that have joined since the last step come last.
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
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

        Example:
            >>> import tinygrad_rnn as tg
            >>> from tinygrad_rnn.optim.lr_scheduler import StepLR
            >>> w = tg.tensor([1.0], requires_grad=True)
            >>> optimizer = tg.optim.SGD([w], lr=1.0)
            >>> saved = StepLR(optimizer, step_size=2).state_dict()
            >>> schedule = StepLR(optimizer, step_size=5)
            >>> schedule.load_state_dict(saved)
            >>> schedule.step_size
            2
        """
        raise_misfits(self._name, self.misfits(state_dict))
        commit(self._loading(state_dict))

    def _loading(self, state_dict: Mapping[str, Setting]) -> Changes:
        """Return the changes that load a ``state_dict`` that fits, for ``commit``."""
        state = {key: copy(value) for key, value in state_dict.items()}
        for key in LRScheduler._per_group:
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
