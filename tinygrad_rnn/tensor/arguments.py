"""What methods do with their arguments."""

from typing import TYPE_CHECKING, NamedTuple

from ..backend import backends
from ..backend.standard import numpy_dtype
from ..engine.node import Value
from ..errors import DTypeError, check_type, describe
from ..types import Dims, Operand, Shape

if TYPE_CHECKING:
    from . import Tensor


class Sorted(NamedTuple):
    """What ``max``, ``min``, ``median`` along a dim, ``sort`` and ``topk`` return."""

    values: "Tensor"
    indices: "Tensor"


def sizes_of(
    name: str, sizes: tuple[object, ...], keyword: object | None = None
) -> Shape:
    """Sizes that are given one by one, as one sequence, or by keyword."""
    given = sizes if keyword is None else (keyword,)
    if len(given) == 1 and isinstance(given[0], tuple | list):
        given = tuple(given[0])
    try:
        return tuple([size.__index__() for size in given])  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        raise DTypeError(f"{name}: got {given!r}, expected integers") from None


def dims_of(dims: Dims) -> Shape:
    """One dim, or those of a sequence, as a tuple."""
    return tuple(dims) if isinstance(dims, tuple | list) else (dims,)  # type: ignore[return-value]


def check_mask(name: str, what: str, mask: Operand) -> Operand:
    """The mask, which has to be bool, as everywhere in PyTorch."""
    if "bool" not in str(getattr(mask, "dtype", "")):
        got = f"{what} is {describe(mask)}"
        raise DTypeError(f"{name}: {got}, expected bool; compare, as in x > 0")
    return mask


def check_integer_tensors(name: str, **tensors: Operand) -> None:
    """Raise unless these are tensors, or arrays, of integers."""
    check_type(name, (Value, *backends), "a Tensor of integers", **tensors)
    for what, x in tensors.items():
        if numpy_dtype(x.dtype).kind not in "iu":
            got = f"{what} is {describe(x)}"
            raise DTypeError(f"{name}: {got}, expected integers; use .long()")


def as_vector(x: Operand) -> Operand:
    """A 0-d tensor as a vector of one element; other tensors as they are."""
    return x if x.ndim else x.reshape(1)
