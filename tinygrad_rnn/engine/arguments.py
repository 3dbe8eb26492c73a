"""The arguments of a call: bound, checked, and made the arrays of one backend."""

import inspect
from collections.abc import Sequence

import numpy as np

from ..backend import Backend, backend_of, backends
from ..errors import DTypeError, describe
from ..types import Array, Function, Operand, Settings
from . import seam
from .node import Value, check_view


class Signature:
    """The array arguments and the settings of a forward function.

    Array arguments are positional-only, or variadic and given as one list; settings
    follow by place or by name. The function's first ``skip`` parameters are not among
    them.
    """

    def __init__(self, function: Function, skip: int) -> None:
        # As inspect.signature finds them, at a tenth of its time.
        code = function.__code__
        names, count = code.co_varnames, code.co_argcount
        end = count + code.co_kwonlyargcount
        self.function, self.skip = function, skip
        self.variadic = bool(code.co_flags & inspect.CO_VARARGS)
        self.arrays = names[skip : code.co_posonlyargcount]
        if self.variadic:
            self.arrays = names[end : end + 1]
        if not self.arrays:
            raise DTypeError(
                f"{function.__name__}: no array arguments; they stand before a slash, "
                "as in def name(xp, x, y, /, setting=1.0)"
            )
        self.settings = names[code.co_posonlyargcount : end]
        self.names = self.arrays + self.settings
        self.setting_names = frozenset(self.settings)
        defaults = function.__defaults__ or ()
        last = names[count - len(defaults) : count]
        by_name = dict(zip(last, defaults, strict=True))
        # Of the last arrays, and of settings.
        self.default_arrays = tuple([by_name.pop(k) for k in last if k in self.arrays])
        self.default_settings = by_name | (function.__kwdefaults__ or {})

    def of_a_call(self) -> inspect.Signature:
        """Return what a call takes, for help() and tools."""
        known = inspect.signature(self.function).parameters.values()
        parameters = []
        for parameter in [*known][self.skip :]:
            if parameter.kind is parameter.VAR_POSITIONAL:  # one list
                parameter = parameter.replace(kind=parameter.POSITIONAL_ONLY)
            parameters.append(parameter)
        return inspect.Signature(parameters)

    def bind(
        self, name: str, args: tuple[Operand, ...], settings: Settings
    ) -> tuple[tuple[Operand, ...], Settings]:
        """Return the array arguments, and all settings by name."""
        count = len(self.arrays)
        arrays, given = args, {**self.default_settings, **settings}
        if len(args) > count and not settings:
            arrays = args[:count]
            given.update(zip(self.settings, args[count:], strict=False))
        elif 0 < count - len(args) <= len(self.default_arrays):
            arrays += self.default_arrays[len(args) - count :]
        is_bound = len(arrays) == count and given.keys() == self.setting_names
        if not is_bound or len(args) > len(self.names):
            arrays, given = self._bind_as_python(name, args, settings)
        if self.variadic:
            if not isinstance(arrays[0], list | tuple):
                raise DTypeError(f"{name}: expected a list or a tuple of tensors first")
            arrays = tuple(arrays[0])
        return arrays, given

    def _bind_as_python(
        self, name: str, args: tuple[Operand, ...], settings: Settings
    ) -> tuple[tuple[Operand, ...], Settings]:
        """Bind a call with arguments left out or given in two ways; raise if wrong."""
        try:
            bound = self.of_a_call().bind(*args, **settings)
        except TypeError as error:
            expected = ", ".join(self.names)
            raise DTypeError(f"{name}: {error}; the arguments are {expected}") from None
        bound.apply_defaults()
        given = bound.arguments
        return tuple([given.pop(array) for array in self.arrays]), given


def unwrap_arguments(
    name: str, args: Sequence[Operand], number_types: tuple[type, ...] = (int, float)
) -> tuple[list[Array], tuple[int, ...], Backend]:
    """Return the arguments' arrays, indices of those that need gradients, the backend.

    Python's own values of ``number_types`` are passed on as they are.
    """
    arrays: list[Array] = []
    needs: list[int] = []
    array_type, mixed = None, False
    if seam.recorder is not None:
        seam.use(name, *args)
    for arg in args:
        if isinstance(arg, Value):
            data = arg.array
            if arg.needs_grad:
                needs.append(len(arrays))
            if arg.view_version is not None:
                check_view(arg, name)
        else:
            data = _array_or_number(name, arg, number_types)
        arrays.append(data)
        found = type(data)
        if found is not array_type and found in backends:
            mixed = array_type is not None
            array_type = found
    if array_type is None:
        got = ", ".join(type(arg).__name__ for arg in args) or "nothing"
        raise DTypeError(f"{name}: expected a Tensor, got {got}")
    xp = backends[array_type]
    if mixed or xp.multi_device:
        xp = one_device(name, arrays)
    return arrays, tuple(needs), xp


def _array_or_number(
    name: str, arg: object, number_types: tuple[type, ...]
) -> Array | float | None:
    """Return an argument that is not a Tensor; raise unless it is an array or a number.

    NumPy would take more: it loses the gradients of Tensors in a list, and makes
    numbers of text and objects of None. A NumPy scalar is weak, as a Python number is:
    nothing turns float64 unasked.
    """
    data = arg.item() if isinstance(arg, np.generic) else arg
    if isinstance(data, number_types) or _is_array_of_numbers(data):
        return data
    got = "None" if data is None else f"a {describe(data)}"
    raise DTypeError(f"{name}: got {got}, expected a Tensor or a number")


def _is_array_of_numbers(data: Array) -> bool:
    return type(data) in backends and getattr(data.dtype, "kind", "f") in "biuf"


def one_device(name: str, arrays: Sequence[Array]) -> Backend:
    """Return the backend that arrays share; raise if they are on two devices."""
    first, *others = {
        backend_of(array): None for array in arrays if type(array) in backends
    }
    if others:
        both = f"{first.name} and {others[0].name}"
        way = f"move one of them with .to({first.name!r})"
        raise DTypeError(f"{name}: the arguments are on two devices, {both}; {way}")
    return first


def as_real(xp: Backend, x: Array) -> Array:
    """Return integers as floats: float32, or float64 for 32 bits or more."""
    if getattr(x.dtype, "kind", "") == "f" or xp.isdtype(x.dtype, "real floating"):
        return x
    return xp.astype(x, getattr(xp, str(np.result_type(str(x.dtype), np.float32))))
