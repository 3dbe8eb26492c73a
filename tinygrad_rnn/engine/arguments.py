"""The arguments of a call: bound, checked, and made the arrays of one backend."""

import inspect
from collections.abc import Sequence

import numpy as np

from ..backend import Backend, backend_of, backends
from ..errors import DTypeError, described
from ..types import Array, Function, Operand, Settings
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
        defaults = function.__defaults__ or ()
        with_default = names[count - len(defaults) : count]
        self.defaults = dict(zip(with_default, defaults, strict=True))
        self.defaults |= function.__kwdefaults__ or {}
        self.required = [name for name in self.names if name not in self.defaults]
        given = self.defaults.items()
        self.usual_settings = {k: v for k, v in given if k in self.settings}
        self.setting_names = frozenset(self.settings)

    def bind(
        self, name: str, args: tuple[Operand, ...], settings: Settings
    ) -> tuple[tuple[Operand, ...], Settings]:
        """The array arguments, and all settings by name."""
        count = len(self.arrays)
        given = {**self.usual_settings, **settings}
        arrays = args
        if len(args) != count:
            self._check(name, args, settings)
            omitted = [self.defaults[array] for array in self.arrays[len(args) :]]
            arrays = (*args[:count], *omitted)
            given.update(zip(self.settings, args[count:], strict=False))
        elif given.keys() != self.setting_names:
            self._check(name, args, settings)
        if self.variadic:
            if not isinstance(arrays[0], list | tuple):
                raise DTypeError(f"{name}: expected a list or a tuple of tensors first")
            arrays = tuple(arrays[0])
        return arrays, given

    def _check(self, name: str, args: Sequence[Operand], settings: Settings) -> None:
        """Raise if a call cannot be bound."""
        problem = self._problem(args, settings)
        if problem:
            expected = ", ".join(self.names)
            raise DTypeError(f"{name}: {problem}; the arguments are {expected}")

    def _problem(self, args: Sequence[Operand], settings: Settings) -> str:
        """Why a call cannot be bound; empty if it can."""
        if len(args) > len(self.names):
            takes = f"takes {len(self.names)} positional arguments"
            return f"{takes} but {len(args)} were given"
        by_place = self.names[: len(args)]
        for setting in settings:
            if setting in by_place:
                return f"got multiple values for argument {setting!r}"
            if setting not in self.settings:
                return f"got an unexpected keyword argument {setting!r}"
        for required in self.required:
            if required not in by_place and required not in settings:
                return f"missing the required argument {required!r}"
        return ""


def unwrap_arguments(
    name: str, args: Sequence[Operand], number_types: tuple[type, ...] = (int, float)
) -> tuple[list[Array], tuple[int, ...], Backend]:
    """The arrays of the arguments, the places that need a gradient, and the backend.

    Python's own values of ``number_types`` are passed on as they are.
    """
    arrays: list[Array] = []
    needs: list[int] = []
    array_type, mixed = None, False
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
    """An argument that is no Tensor.

    NumPy would take more: it loses the gradients of Tensors in a list, and makes
    numbers of text and objects of None. A NumPy scalar is weak, as a Python number is:
    nothing turns float64 unasked.
    """
    data = arg.item() if isinstance(arg, np.generic) else arg
    if isinstance(data, number_types) or _is_array_of_numbers(data):
        return data
    got = "None" if data is None else f"a {described(data)}"
    raise DTypeError(f"{name}: got {got}, expected a Tensor or a number")


def _is_array_of_numbers(data: Array) -> bool:
    return type(data) in backends and getattr(data.dtype, "kind", "f") in "biuf"


def one_device(name: str, arrays: Sequence[Array]) -> Backend:
    """The backend that arrays have in common; raises for arrays of two devices."""
    first, *others = {
        backend_of(array): None for array in arrays if type(array) in backends
    }
    if others:
        both = f"{first.name} and {others[0].name}"
        way = f"move one of them with .to({first.name!r})"
        raise DTypeError(f"{name}: the arguments are on two devices, {both}; {way}")
    return first


def as_real(xp: Backend, x: Array) -> Array:
    """Integers as floats: float32, or float64 for 32 bits or more, never float16."""
    if getattr(x.dtype, "kind", "") == "f" or xp.isdtype(x.dtype, "real floating"):
        return x
    return xp.astype(x, getattr(xp, str(np.result_type(str(x.dtype), np.float32))))
