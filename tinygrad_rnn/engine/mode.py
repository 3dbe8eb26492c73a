"""Whether operations are recorded: a switch for each thread and each asyncio task."""

import inspect
from collections.abc import Callable, Generator
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, Self, TypeVar, overload

from ..errors import DTypeError, check_type
from ..types import Function

F = TypeVar("F", bound=Callable[..., Any])

_recording: ContextVar[bool] = ContextVar("tinygrad_rnn_recording", default=True)
recording = _recording.get  # for the engine: without a Python call
set_recording = _recording.set  # likewise, of True or False


def is_grad_enabled() -> bool:
    """Return whether operations are recorded.

    Example:
        >>> import tinygrad_rnn as tg
        >>> with tg.no_grad():
        ...     print(tg.is_grad_enabled())
        False
        >>> tg.is_grad_enabled()
        True
    """
    return recording()


# The blocks that this thread or task is in, as (block, mode before it, the blocks
# around it). They are not kept by the block's own object, as several threads and tasks
# may enter the same one.
_Entered = tuple[object, bool, Any]
_entered: ContextVar[_Entered | None] = ContextVar("tinygrad_rnn_entered", default=None)


def _enter(block: object, mode: bool) -> None:
    """Set the switch, and remember what it was before this block."""
    _entered.set((block, recording(), _entered.get()))
    _recording.set(mode)


def _leave(block: object) -> None:
    """Set the switch as it was before this block; do nothing if it was not entered.

    Usually it is the block entered last. A generator that is closed late leaves another
    one: the blocks entered after that stay.
    """
    later = []
    entered = _entered.get()
    while entered is not None:
        other, mode_before, outer = entered
        if other is block:
            break
        later.append((other, mode_before))
        entered = outer
    else:
        return
    _recording.set(mode_before)
    for other, mode_before in reversed(later):
        outer = (other, mode_before, outer)
    _entered.set(outer)


class _Mode:
    """A context manager and decorator that sets the switch and puts it back."""

    _mode: bool

    def __init__(self, mode: bool | None = None) -> None:
        if mode is not None:  # else the class says
            self._mode = mode

    def __enter__(self) -> None:
        _enter(self, self._mode)

    def __exit__(self, *error: object) -> None:
        _leave(self)

    def __call__(self, function: F) -> F:
        check_type(
            type(self).__name__, Callable, "a function to decorate", function=function
        )
        # One for each call: it may recurse, or run in threads.
        mode = partial(_Mode, self._mode)
        if inspect.isasyncgenfunction(function):
            name = type(self).__name__
            given = f"the asynchronous generator {function.__name__!r}"
            way_out = f"use `with {name}():` around what it computes"
            raise DTypeError(f"{name}: cannot decorate {given}; {way_out}")

        async def coroutine(*args: object, **kwargs: object) -> object:
            with mode():
                return await function(*args, **kwargs)

        def call(*args: object, **kwargs: object) -> object:
            with mode():
                return function(*args, **kwargs)

        def generator(*args: object, **kwargs: object) -> Generator:
            return _drive(function(*args, **kwargs), mode)

        wrapper: Function = call
        if inspect.iscoroutinefunction(function):
            wrapper = coroutine
        elif inspect.isgeneratorfunction(function):
            wrapper = generator
        return wraps(function)(wrapper)  # type: ignore[return-value]


def _drive(generator: Generator, mode: Callable[[], _Mode]) -> Any:
    """Run a generator with the switch set; at each yield it is as the caller has it."""
    step: Function = partial(next, generator)
    try:
        while True:
            with mode():
                item = step()
            try:
                step = partial(generator.send, (yield item))
            except GeneratorExit:
                raise
            except BaseException as error:
                step = partial(generator.throw, error)
    except StopIteration as stop:
        return stop.value
    finally:
        with mode():
            generator.close()


class _Switch(_Mode):
    """A mode that also decorates without parentheses: ``@tg.no_grad``."""

    @overload
    def __new__(cls, function: None = None) -> Self: ...
    @overload
    def __new__(cls, function: F) -> F: ...  # type: ignore[misc]  # it is decorated
    def __new__(cls, function: Function | None = None) -> Any:
        if function is None:
            return super().__new__(cls)
        return cls()(function)


class no_grad(_Switch):
    """Record nothing inside: ``with tg.no_grad():`` or ``@tg.no_grad()``.

    Example:
        >>> import tinygrad_rnn as tg
        >>> weight = tg.ones(2, requires_grad=True)
        >>> with tg.no_grad():
        ...     weight -= 0.5  # an update, which is not recorded
        >>> weight
        tensor([0.5, 0.5], dtype=float32, requires_grad=True)
    """

    _mode = False


inference_mode = no_grad  # PyTorch's other name for it


class enable_grad(_Switch):
    """Record inside, also within :class:`no_grad`, as in PyTorch.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor(3.0, requires_grad=True)
        >>> with tg.no_grad(), tg.enable_grad():
        ...     y = x * x
        >>> y.requires_grad
        True
    """

    _mode = True


# The latest set_grad_enabled of this thread or task that is not a block yet, and the
# mode before it.
_called: ContextVar[tuple[object, bool] | None] = ContextVar(
    "tinygrad_rnn_called", default=None
)


class set_grad_enabled(_Mode):
    """Switch recording on or off, from now on or inside ``with``, as in PyTorch.

    Example:
        >>> import tinygrad_rnn as tg
        >>> training = False
        >>> with tg.set_grad_enabled(training):
        ...     print(tg.is_grad_enabled())
        False
    """

    def __init__(self, mode: bool) -> None:
        check_type("set_grad_enabled", int, "True or False", mode=mode)
        super().__init__(bool(mode))
        _called.set((self, recording()))
        _recording.set(self._mode)

    def __enter__(self) -> None:
        self._undo_call()  # the end of the block goes back to what was before
        super().__enter__()

    def __call__(self, function: F) -> F:
        self._undo_call()  # as a decorator it acts inside the function only
        return super().__call__(function)

    def _undo_call(self) -> None:
        """Set the mode as it was before this object was made, if none was made since.

        It happens once.
        """
        called = _called.get()
        if called is not None and called[0] is self:
            _called.set(None)
            _recording.set(called[1])
