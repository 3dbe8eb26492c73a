"""Whether operations are recorded: one switch, separate for each thread and each asyncio task."""

from collections.abc import Callable, Generator
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, Self, TypeVar, overload

from ..errors import DTypeError, check_type

F = TypeVar("F", bound=Callable[..., Any])

_recording: ContextVar[bool] = ContextVar("tinygrad_rnn_recording", default=True)
recording = _recording.get  # for the engine: without a Python call


def is_grad_enabled() -> bool:
    """Whether operations are recorded."""
    return recording()


_COROUTINE, _GENERATOR, _ASYNC_GENERATOR = 0x80, 0x20, 0x200  # inspect's CO_* flags


class _Mode:
    """A context manager and decorator that sets the switch and puts it back."""

    _mode: bool

    def __init__(self, mode: bool | None = None) -> None:
        self._before: list[bool] = []
        if mode is not None:  # else the class says
            self._mode = mode

    def __enter__(self) -> None:
        self._before.append(recording())  # no token: the end may be in another context
        _recording.set(self._mode)

    def __exit__(self, *error: object) -> None:
        _recording.set(self._before.pop())

    def __call__(self, function: F) -> F:
        check_type(type(self).__name__, Callable, "a function to decorate", function=function)
        # One for each call: it may recurse, or run in threads.
        mode = partial(_Mode, self._mode)
        flags = function.__code__.co_flags if hasattr(function, "__code__") else 0
        if flags & _ASYNC_GENERATOR:
            name, given = type(self).__name__, f"the asynchronous generator {function.__name__!r}"
            way_out = f"use `with {name}():` around what it computes"
            raise DTypeError(f"{name}: cannot decorate {given}; {way_out}")

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with mode():
                return await function(*args, **kwargs)

        def call(*args: Any, **kwargs: Any) -> Any:
            with mode():
                return function(*args, **kwargs)

        drive: Any = lambda *args, **kwargs: _drive(function(*args, **kwargs), mode)
        wrapper = coroutine if flags & _COROUTINE else drive if flags & _GENERATOR else call
        return wraps(function)(wrapper)  # type: ignore[return-value]


def _drive(generator: Generator[Any, Any, Any], mode: Callable[[], _Mode]) -> Any:
    """Run a generator with the switch set while it runs, and as the caller has it at each yield."""
    step: Callable[[], Any] = partial(next, generator)
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
    def __new__(cls, function: Any = None) -> Any:
        if function is None:
            return super().__new__(cls)
        return cls()(function)


class no_grad(_Switch):
    """Record nothing inside: ``with tg.no_grad():`` or ``@tg.no_grad()``, as in PyTorch."""

    _mode = False


inference_mode = no_grad  # PyTorch's other name for it


class enable_grad(_Switch):
    """Record inside, also within :class:`no_grad`, as in PyTorch."""

    _mode = True


class set_grad_enabled(_Mode):
    """Switch recording on or off: from the call on, or inside ``with``, as in PyTorch."""

    def __init__(self, mode: bool) -> None:
        check_type("set_grad_enabled", int, "True or False", mode=mode)
        super().__init__(bool(mode))
        self._fresh = True
        super().__enter__()

    def __enter__(self) -> None:
        if not self._fresh:
            super().__enter__()
        self._fresh = False

    def __call__(self, function: F) -> F:
        self.__exit__(None, None, None)  # as a decorator it acts inside the function only
        return super().__call__(function)
