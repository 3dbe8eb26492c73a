"""What methods do with their arguments, and names for the types of these."""

from typing import Any, NamedTuple, TypeAlias

from .. import errors
from ..backend import backends
from ..backend.standard import numpy_dtype
from ..engine.node import Value

Dim = int | tuple[int, ...] | list[int] | None
Operand = Any  # a Tensor, an array or a scalar

Int: TypeAlias = int  # methods take these names
Float: TypeAlias = float
Bool: TypeAlias = bool


class Sorted(NamedTuple):
    """What ``max``, ``min`` along a dim, ``sort`` and ``topk`` give."""

    values: Any
    indices: Any


def sizes_of(name: str, sizes: tuple[Any, ...], named: Any = None) -> tuple[int, ...]:
    """Sizes given one by one, or as one sequence, or by name."""
    sizes = sizes if named is None else (named,)
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    try:
        return tuple([size.__index__() for size in sizes])
    except (AttributeError, TypeError):
        raise errors.DTypeError(f"{name}: got {sizes!r}, expected integers") from None


def mask_of(name: str, what: str, mask: Any) -> Any:
    """A mask, which has to be bool, as everywhere in PyTorch."""
    if "bool" not in str(getattr(mask, "dtype", "")):
        got = errors.described(mask)
        raise errors.DTypeError(
            f"{name}: {what} is {got}, expected bool; compare, as in x > 0"
        )
    return mask


def several(value: Any) -> tuple[Any, ...]:
    """One value, or those of a sequence, as a tuple."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def as_vector(x: Any) -> Any:
    """A 0-d tensor as one of one element; others as they are."""
    return x if x.ndim else x.reshape(1)


def check_integers_in(name: str, **tensors: Any) -> None:
    """Raise unless these are tensors, or arrays, of integers."""
    errors.check_type(name, (Value, *backends), "a Tensor of integers", **tensors)
    for what, x in tensors.items():
        if numpy_dtype(x.dtype).kind not in "iu":
            got = errors.described(x)
            raise errors.DTypeError(
                f"{name}: {what} is {got}, expected integers; use .long()"
            )
