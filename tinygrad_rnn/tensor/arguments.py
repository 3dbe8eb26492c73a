"""What methods do with their arguments.

An error begins with any word: ``name_errors``, which decorates the methods, puts the
method's name there.
"""

from typing import TYPE_CHECKING, NamedTuple

from ..backend import backends
from ..backend.standard import numpy_dtype
from ..engine.node import Value
from ..errors import DTypeError, NoAttribute, check_type, describe
from ..types import Dims, Operand, Shape

if TYPE_CHECKING:
    from . import Tensor


class Sorted(NamedTuple):
    """What ``max``, ``min``, ``median`` along a dim, ``sort`` and ``topk`` return."""

    values: "Tensor"
    indices: "Tensor"

    if not TYPE_CHECKING:  # type: ignore[misc]  # mypy wants fields alone

        def __getattr__(self, name: str) -> object:
            got = "got a pair (values, indices), expected a Tensor"
            raise NoAttribute(name, lambda: f"{name}: {got}; use .values or .indices")


def sizes_of(sizes: tuple[object, ...], keyword: object | None = None) -> Shape:
    """Return sizes that are given one by one, as one sequence, or by keyword."""
    given = sizes if keyword is None else (keyword,)
    if len(given) == 1 and isinstance(given[0], tuple | list):
        given = tuple(given[0])
    try:
        return tuple([size.__index__() for size in given])  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        raise DTypeError(f"size: got {given!r}, expected integers") from None


def dims_of(dims: Dims) -> Shape:
    """Return one dim, or those of a sequence, as a tuple."""
    return tuple(dims) if isinstance(dims, tuple | list) else (dims,)  # type: ignore[return-value]


def check_mask(name: str, what: str, mask: Operand) -> Operand:
    """Return a mask, which has to be bool, as everywhere in PyTorch."""
    if "bool" not in str(getattr(mask, "dtype", "")):
        raise DTypeError(
            f"{name}: {what} is {describe(mask)}, expected bool; compare, as in x > 0"
        )
    return mask


def check_integer_tensor(what: str, x: Operand) -> None:
    """Raise unless an argument is a tensor, or an array, of integers."""
    check_type("index", (Value, *backends), "a Tensor of integers", **{what: x})
    if numpy_dtype(x.dtype).kind not in "iu":
        raise DTypeError(
            f"index: {what} is {describe(x)}, expected integers; use .long()"
        )


def as_vector(x: Operand) -> Operand:
    """Return a 0-d tensor as a vector of one element; other tensors as they are."""
    return x if x.ndim else x.reshape(1)
