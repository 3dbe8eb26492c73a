"""Checks of types, numbers, choices and dims, and how messages describe values."""

import os
from collections.abc import Iterable, Sequence
from math import inf, isfinite, nextafter
from numbers import Integral, Real
from sys import float_info
from typing import Any

from ..types import Kinds, Setting
from .kinds import DimError, DTypeError, OptionError

# The built-in types stand first, as looking into an abstract class takes longer.
_REAL = (float, int, Real)
_INTEGRAL = (int, Integral)


def _show(value: object) -> str:
    """Return a value for a message; an array by its dtype and shape."""
    return describe(value) if hasattr(value, "dtype") else repr(value)


def check_type(name: str, kinds: Kinds, expected: str, /, **values: object) -> None:
    """Require values of one of the types; ``expected`` says which, and the way out."""
    for what, value in values.items():
        if not isinstance(value, kinds):
            got = f"{what} is {describe(value)}"
            raise DTypeError(f"{name}: {got}, expected {expected}")


def check_numbers(
    name: str, low: float = -inf, high: float = inf, **values: object
) -> None:
    """Require finite numbers from ``low`` to ``high``."""
    for what, value in values.items():
        if type(value) is bool or not isinstance(value, _REAL):
            way = "; use .item()" if hasattr(value, "item") else ""
            got = f"{what} is {_show(value)}"
            raise DTypeError(f"{name}: {got}, expected a number{way}")
        if not low <= float(value) <= high or not isfinite(value):
            expected = _range_in_words(low, high)
            raise OptionError(f"{name}: {what} is {value}, expected {expected}")


def check_fits(name: str, dtype: Any, **values: object) -> None:
    """Require numbers that a dtype can hold: of integers, whole ones in its range."""
    if dtype.kind not in "iu":
        return
    bits = 8 * dtype.itemsize
    low = -(2 ** (bits - 1)) if dtype.kind == "i" else 0
    for what, value in values.items():
        if not isinstance(value, _REAL):
            continue  # what takes it says what is wrong
        # Integers stay exact; a float has room for those of any dtype but the largest.
        number = value if isinstance(value, int) else float(value)
        if not isfinite(number) or number != int(number):
            expected = f"a whole number for {dtype}; convert the tensor by .float()"
            raise OptionError(f"{name}: {what} is {value}, expected {expected}")
        if not low <= number < low + 2**bits:
            expected = f"a number from {low} to {low + 2**bits - 1} for {dtype}"
            raise OptionError(f"{name}: {what} is {value}, expected {expected}")


def _range_in_words(low: float, high: float) -> str:
    """Say bounds in words; the floats next to 0 and to 1 stand for open bounds."""
    is_above_0 = 0 < low <= float_info.min
    if high == inf:
        return "a finite number above 0" if is_above_0 else f"a finite number >= {low}"
    bottom = "above 0," if is_above_0 else f"from {low}"
    top = "below 1" if high == nextafter(1.0, 0.0) else f"{high}"
    return f"a number {bottom} to {top}"


def check_integers(name: str, low: float = 1, **values: object) -> None:
    """Require integers of at least ``low``."""
    for what, value in values.items():
        if type(value) is bool or not isinstance(value, _INTEGRAL):
            got = f"{what} is {_show(value)}"
            raise DTypeError(f"{name}: {got}, expected an integer")
        if value.__index__() < low:
            raise OptionError(f"{name}: {what} is {value}, expected at least {low}")


def check_choice(name: str, choices: Sequence[object], **values: object) -> None:
    """Require values that are among the choices."""
    for what, value in values.items():
        # The type comes first: comparing an array with the choices would raise.
        if not isinstance(value, str | int) or value not in choices:
            expected = " or ".join(map(repr, choices))
            raise OptionError(f"{name}: {what} is {_show(value)}, expected {expected}")


def check_dim(name: str, dim: object, shape: Sequence[int], new_dims: int = 0) -> int:
    """Return a dim counted from the front; a 0-d array has dims 0 and -1.

    ``new_dims`` is how many more dims the result has than ``shape``.
    """
    if type(dim) is bool or not isinstance(dim, _INTEGRAL):
        raise DTypeError(f"{name}: dim is {_show(dim)}, expected an integer")
    dim = int(dim)
    count = max(len(shape) + new_dims, 1)
    if not -count <= dim < count:
        got = f"dim {dim} of a tensor of shape {tuple(shape)}"
        raise DimError(f"{name}: {got}, expected one from {-count} to {count - 1}")
    return dim % count


def check_axis(
    name: str, axis: object, shape: Sequence[int], kind: object = None
) -> Setting:
    """Return the setting ``axis`` of an op: a dim, several, or None for all dims.

    Any dim of a 0-d array becomes None. ``kind`` is the annotation of the setting; with
    ``int`` several dims and None raise.
    """
    if kind is int or not isinstance(axis, tuple | list | None):
        dim = check_dim(name, axis, shape)
        return dim if shape else None
    if axis is None:
        return None
    dims = tuple([check_dim(name, dim, shape) for dim in axis])
    if len(set(dims)) < len(dims):
        raise DimError(f"{name}: dim {axis!r} names a dim twice")
    return dims if dims and shape else None


# ---------------------------------------------------------------- words


def describe(value: object, kind: str | None = None) -> str:
    """Say what a value is: ``float32 of shape (2, 3)`` for a Tensor, else its type."""
    is_class = isinstance(value, type)
    if is_class or not (hasattr(value, "dtype") and hasattr(value, "shape")):
        return type(value).__name__
    if kind is None:
        kind = "" if hasattr(value, "requires_grad") else f" {type(value).__name__}"
        if kind == f" {value.dtype}":
            kind = " scalar"  # of NumPy: its type has the name of the dtype
    return f"{value.dtype}{kind} of shape {tuple(value.shape)}"


def abbreviate(items: Iterable[object], between: str = ", ", most: int = 10) -> str:
    """List the first items of what may be long, and how many more there are."""
    listed = [str(item) for item in items]
    shown = [item if len(item) <= 300 else f"{item[:300]}..." for item in listed[:most]]
    if len(listed) > most:
        shown.append(f"and {len(listed) - most:,} more")
    return between.join(shown)


def file_name(path: object) -> str:
    """Return the name of a path, or of a file that is open."""
    if isinstance(path, str | bytes | os.PathLike):
        return os.fsdecode(path)
    return str(getattr(path, "name", type(path).__name__))
