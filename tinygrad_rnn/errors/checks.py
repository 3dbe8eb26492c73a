"""Checks that every room uses: types, numbers, choices, dims."""

from collections.abc import Sequence
from math import inf, isfinite, nextafter
from numbers import Integral, Real
from sys import float_info
from typing import Any

from .kinds import DimError, DTypeError, OptionError
from .messages import described


def check_type(name: str, kinds: Any, expected: str, /, **values: Any) -> None:
    """Refuse values that are not of one of the types; ``expected`` says them, and the
    way out.
    """
    for what, value in values.items():
        if not isinstance(value, kinds):
            raise DTypeError(
                f"{name}: {what} is {described(value)}, expected {expected}"
            )


def check_numbers(
    name: str, low: float = -inf, high: float = inf, **values: Any
) -> None:
    """Refuse values that are not finite numbers from ``low`` to ``high``."""
    for what, value in values.items():
        if type(value) is not float and (
            type(value) is bool or not isinstance(value, Real)
        ):
            if hasattr(value, "item"):
                got = f"{what} is {described(value)}"
                raise DTypeError(f"{name}: {got}, expected a number; use .item()")
            raise DTypeError(f"{name}: {what} is {value!r}, expected a number")
        if not low <= float(value) <= high or not isfinite(value):
            raise OptionError(
                f"{name}: {what} is {value}, expected {_range(low, high)}"
            )


def _range(low: float, high: float) -> str:
    """In words what numbers are within the bounds: the float next to 0 or to 1 leaves
    that out.
    """
    is_above_0 = 0 < low <= float_info.min
    if high == inf:
        return "a finite number above 0" if is_above_0 else f"a finite number >= {low}"
    top = "below 1" if high == nextafter(1.0, 0.0) else f"{high}"
    return (
        f"a number above 0, to {top}" if is_above_0 else f"a number from {low} to {top}"
    )


def check_integers(name: str, low: float = 1, **values: Any) -> None:
    """Refuse values that are not integers of at least ``low``."""
    for what, value in values.items():
        if type(value) is bool or not isinstance(value, Integral):
            got = described(value) if hasattr(value, "shape") else repr(value)
            raise DTypeError(f"{name}: {what} is {got}, expected an integer")
        if value.__index__() < low:
            raise OptionError(f"{name}: {what} is {value}, expected at least {low}")


def check_choice(name: str, choices: tuple[Any, ...], **values: Any) -> None:
    """Refuse values that are not among the choices."""
    for what, value in values.items():
        if (
            not isinstance(value, str | int) or value not in choices
        ):  # an array is in nothing
            got = described(value) if hasattr(value, "shape") else repr(value)
            expected = " or ".join(map(repr, choices))
            raise OptionError(f"{name}: {what} is {got}, expected {expected}")


def check_dim(name: str, dim: Any, shape: Sequence[int]) -> int:
    """A dim counted from the front; of 0-d arrays 0 and -1 are dims too, as in PyTorch."""
    count = max(len(shape), 1)
    if type(dim) is not int and (type(dim) is bool or not isinstance(dim, Integral)):
        got = described(dim) if hasattr(dim, "dtype") else repr(dim)
        raise DTypeError(f"{name}: dim is {got}, expected an integer")
    if not -count <= (dim := int(dim)) < count:
        raise DimError(
            f"{name}: dim {dim} of a tensor of shape {tuple(shape)}, "
            f"expected one from {-count} to {count - 1}"
        )
    return dim % count


def check_axis(name: str, axis: Any, shape: Sequence[int], kind: Any = None) -> Any:
    """The setting ``axis`` of an op: a dim, several, or None for all, as for any of a
    0-d array.

    ``kind`` is the annotation in the row: if it is ``int``, then nothing else will do.
    """
    if kind is int or not isinstance(axis, tuple | list | None):
        found = check_dim(name, axis, shape)
        return found if shape else None
    if axis is None:
        return None
    dims = tuple([check_dim(name, dim, shape) for dim in axis])
    if len(set(dims)) < len(dims):
        raise DimError(f"{name}: dim {axis!r} names a dim twice")
    return dims if dims and shape else None
