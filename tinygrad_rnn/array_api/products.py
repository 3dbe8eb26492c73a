"""Sums of products."""

import math
from collections.abc import Sequence

from ..errors import ShapeError, check_dim
from ..tensor import Tensor
from .statistics import sum


def tensordot(
    x1: Tensor, x2: Tensor, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2
) -> Tensor:
    """Return sums of products over dims of both.

    ``axes`` is how many, the last of one and the first of the other, or names them.
    """
    if isinstance(axes, int):
        axes = range(x1.ndim - axes, x1.ndim), range(axes)
    summed1, summed2 = (
        [check_dim("tensordot", dim, x.shape) for dim in dims]
        for x, dims in zip((x1, x2), axes, strict=True)
    )
    free1 = [i for i in range(x1.ndim) if i not in summed1]
    free2 = [i for i in range(x2.ndim) if i not in summed2]
    product = _as_matrix(x1, free1, summed1) @ _as_matrix(x2, summed2, free2)
    sizes = [x1.shape[i] for i in free1] + [x2.shape[i] for i in free2]
    return product.reshape(sizes)


def _as_matrix(x: Tensor, rows: list[int], columns: list[int]) -> Tensor:
    """Return a tensor with some dims as its rows and the others as its columns."""
    sizes = [math.prod([x.shape[i] for i in dims]) for dims in (rows, columns)]
    return x.permute([*rows, *columns]).reshape(sizes)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Return the sums of products along a dim, which has one size in both."""
    if x1.size(axis) != x2.size(axis):
        raise ShapeError(
            f"vecdot: the shapes {x1.shape} and {x2.shape} differ along dim {axis}"
        )
    products = x1 * x2
    return sum(products, axis=axis, dtype=products.dtype)
