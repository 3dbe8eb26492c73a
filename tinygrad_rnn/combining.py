"""Functions of several tensors that are not methods of one: where, cat, stack."""

from collections.abc import Sequence

import numpy as np

from . import ops
from .creation import as_tensor
from .errors import DTypeError, OptionError, ShapeError, check_dim, check_type
from .errors.boundary import name_errors
from .tensor import Tensor
from .tensor.arguments import check_mask
from .types import Operand


def where(condition: Tensor, input: Operand, other: Operand) -> Tensor:
    """Return ``input`` where ``condition``, else ``other``.

    Args:
        condition: A tensor of truth values.
        input: A tensor, an array or a number.
        other: A tensor, an array or a number; all three broadcast.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor([-2.0, 3.0])
        >>> tg.where(x > 0, x, 0.0).tolist()
        [0.0, 3.0]
    """
    if not isinstance(input, Tensor | np.ndarray) and not isinstance(
        other, Tensor | np.ndarray
    ):
        pair = as_tensor([input, other], device=getattr(condition, "device", None))
        input, other = pair  # of two numbers, the default dtype
    return ops.where(check_mask("where", "condition", condition), input, other)


def _check_several(name: str, tensors: Sequence[Tensor]) -> None:
    """Require a list of Tensors. The common mistake is ``cat(a, b)``."""
    if not isinstance(tensors, list | tuple):
        got = type(tensors).__name__
        raise DTypeError(
            f"{name}: got {got}, expected the tensors in a list: {name}([a, b], dim)"
        )
    if not tensors:
        raise OptionError(f"{name}: got no tensors, expected at least one")
    numbered = {f"number {i}": x for i, x in enumerate(tensors)}
    check_type(name, Tensor, "a Tensor; use tg.as_tensor()", **numbered)


@name_errors
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along an existing dim.

    Args:
        tensors: A list of tensors, of the same sizes in all other dims.
        dim: The dim to join along.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.cat([tg.tensor([1, 2]), tg.tensor([3])]).tolist()
        [1, 2, 3]
    """
    _check_several("cat", tensors)
    if 0 in [x.ndim for x in tensors]:
        raise ShapeError("cat: a 0-d tensor has no dim to join along; use stack()")
    try:
        return ops.concat(tensors, axis=dim)
    except ShapeError:
        _check_alike("cat", tensors, dim)
        raise


def _check_alike(name: str, tensors: Sequence[Tensor], dim: int) -> None:
    """Raise for the first tensor that differs from those before it in another dim."""
    first = tensors[0].shape
    for i, x in enumerate(tensors):
        others = [*x.shape]
        if len(others) == len(first):
            others[dim] = first[dim]
        if tuple(others) != first:
            sizes: list[object] = [*first]
            sizes[dim] = "*"
            expected = ", ".join(map(str, sizes)) + ("," if len(sizes) == 1 else "")
            got = f"tensor {i} has shape {x.shape}"
            raise ShapeError(f"{name}: {got}, expected ({expected})")


concat = cat


@name_errors
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new dim.

    Args:
        tensors: A list of tensors of the same shape.
        dim: Where the new dim is in the result.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.stack([tg.tensor([1, 2]), tg.tensor([3, 4])]).tolist()
        [[1, 2], [3, 4]]
    """
    _check_several("stack", tensors)
    for i, x in enumerate(tensors):
        if x.shape != tensors[0].shape:
            raise ShapeError(
                f"stack: tensor {i} has shape {x.shape}, expected {tensors[0].shape}"
            )
    dim = check_dim("stack", dim, (1, *tensors[0].shape))
    return ops.stack(tensors, axis=dim)
