"""The arguments of a call: bound to names, checked, and made the arrays of one backend."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..backend import Backend, backend_of, backends, free_memory
from ..errors import DTypeError, described
from ..errors.boundary import translated, translated_of_own_op
from .node import Value, check_view

_Scalar = np.generic


def _tuple(values: Iterable[str]) -> str:
    return f"({''.join(f'{value}, ' for value in values)})"


class Signature:
    """The array arguments and the settings of a forward function, read once at import."""

    def __init__(self, function: Callable[..., Any], skip: int) -> None:
        code = function.__code__
        names, count, only = code.co_varnames, code.co_argcount, code.co_posonlyargcount
        last = count + code.co_kwonlyargcount
        self.variadic = bool(code.co_flags & 0x04)
        self.arrays = (names[last],) if self.variadic else names[skip:only]
        self.settings = names[only:last]
        self.names = self.arrays + self.settings
        if not self.arrays:
            raise DTypeError(
                f"{function.__name__}: no array arguments; they stand before a slash, "
                "as in def name(xp, x, y, /, setting=1.0)"
            )
        own = function.__defaults__ or ()
        defaults = dict(zip(names[count - len(own) : count], own, strict=True))
        defaults |= function.__kwdefaults__ or {}
        # Python itself binds a call: to a lambda of the same arguments, which hands
        # them on in two.
        heads = [
            f"{name}=defaults[{name!r}]" if name in defaults else name
            for name in self.names
        ]
        heads.insert(len(self.arrays), "/")
        arrays = self.arrays[0] if self.variadic else _tuple(self.arrays)
        settings = ", ".join(f"{name!r}: {name}" for name in self.settings)
        source = f"lambda {', '.join(heads)}: ({arrays}, {{{settings}}})"
        self.part = eval(source, {"defaults": defaults})

    def bind(
        self, name: str, args: Any, settings: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """The array arguments, and the settings in the order in which they were
        declared.
        """
        try:
            arrays, settings = self.part(*args, **settings)
        except TypeError as error:
            wrong = str(error).partition(" ")[2]  # without the name of the lambda
            expected = ", ".join(self.names)
            raise DTypeError(f"{name}: {wrong}; the arguments are {expected}") from None
        if self.variadic and not isinstance(arrays, list | tuple):
            raise DTypeError(f"{name}: expected a list or a tuple of tensors first")
        return tuple(arrays), settings


def enter(name: str, args: tuple[Any, ...], kinds: Any = (int, float)) -> Any:
    """The arrays of the arguments, a bit for each that needs a gradient, and their
    backend.

    ``kinds`` are those of Python's own values that will do. NumPy takes more: it loses
    the gradients of what is in a list, makes numbers of text and objects of None.
    """
    arrays: list[Any] = []
    needs, bit = 0, 1
    xp = first = None
    for arg in args:
        if isinstance(arg, Value):
            data = arg.array
            if arg.needs_grad:
                needs += bit
            if arg.epoch is not None:
                check_view(arg, name)
        else:  # a NumPy scalar is weak, as a Python scalar is: nothing turns float64 unasked
            data = arg.item() if isinstance(arg, _Scalar) else arg
            if not isinstance(data, kinds) and not _is_array(data):
                got = "None" if data is None else f"a {described(data)}"
                raise DTypeError(f"{name}: got {got}, expected a Tensor or a number")
        arrays.append(data)
        kind = type(data)
        if kind is not first and kind in backends:
            xp, first = (
                (backends[kind], kind)
                if xp is None
                else (one_device(name, arrays), kind)
            )
        bit += bit
    if xp is None:
        kinds = ", ".join(type(arg).__name__ for arg in args) or "nothing"
        raise DTypeError(f"{name}: expected a Tensor, got {kinds}")
    return arrays, needs, one_device(name, arrays) if xp.multi_device else xp


def _is_array(data: Any) -> bool:
    """Whether it is an array of numbers of a known library."""
    return type(data) in backends and getattr(data.dtype, "kind", "f") in "biuf"


def one_device(name: str, arrays: Sequence[Any]) -> Backend:
    """The backend that arrays have in common; refuses those of two devices."""
    first, *others = {
        backend_of(array): None for array in arrays if type(array) in backends
    }
    if others:
        both = f"{first.name} and {others[0].name}"
        way = f"move one of them with .to({first.name!r})"
        raise DTypeError(f"{name}: the arguments are on two devices, {both}; {way}")
    return first


def as_real(xp: Backend, x: Any) -> Any:
    """Integers as floats: float32, or float64 of 32 bits or more, as NumPy has it (but
    no float16).
    """
    if getattr(x.dtype, "kind", "") == "f" or xp.isdtype(x.dtype, "real floating"):
        return x
    return xp.astype(x, getattr(xp, str(np.result_type(str(x.dtype), np.float32))))


def raise_translated(
    name: str,
    arrays: Sequence[Any],
    error: Exception,
    settings: Iterable[Any] = (),
    own: bool = False,
) -> None:
    """Raise an error of the array library in terms of the op and its arguments.

    Where memory ran out, free what is kept for reuse and return: the caller tries once
    more. ``own`` is for the forward of an op that a user declared.
    """
    if isinstance(error, MemoryError):
        return free_memory()
    if not own:
        _check_devices(name, arrays, settings)
    translate = translated_of_own_op if own else translated
    ours = translate(name, arrays, error)
    if ours is error:
        raise error
    raise ours from error


def _check_devices(name: str, arrays: Sequence[Any], settings: Iterable[Any]) -> None:
    """Raise if an array among the settings, an index, is on another device.

    NumPy's arrays serve everywhere.
    """
    parts: list[Any] = []
    for setting in settings:
        parts += setting if isinstance(setting, tuple) else (setting,)
    foreign = [p for p in parts if type(p) in backends and type(p) is not np.ndarray]
    if foreign:
        one_device(name, [*arrays, *foreign])
