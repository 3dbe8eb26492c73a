"""Reductions, sums and products of the first elements, and differences."""

import math
from collections.abc import Sequence
from functools import wraps

from .. import creation, ops
from ..errors import OptionError, check_axis, check_dim, check_integers
from ..errors.boundary import name_errors
from ..tensor import Tensor
from ..tensor.dtypes import bool as bool_
from ..tensor.dtypes import int64, uint64
from ..types import DType, Function

Axis = int | tuple[int, ...] | None


def _reduced_dims(x: Tensor, axis: Axis, keepdims: bool) -> tuple[Tensor, Axis, bool]:
    """What to reduce, and along which dims: for ``()`` a new dim of size 1.

    The standard reduces each element by itself there; ops reduce all of them.
    """
    return (x.unsqueeze(0), 0, False) if axis == () else (x, axis, keepdims)


def _reduction(op: Function) -> Function:
    """An op that reduces dims, in the standard's call form."""

    @wraps(op)
    def reduce(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
        return op(*_reduced_dims(x, axis, keepdims))

    return reduce


mean = _reduction(ops.mean)
max = _reduction(ops.max)
min = _reduction(ops.min)
all = _reduction(ops.all)
any = _reduction(ops.any)


def _in_sum_dtype(x: Tensor, dtype: DType) -> Tensor:
    """The elements in the dtype of their sum: if not given, 64 bits for integers."""
    if dtype is None:
        dtype = {"i": int64, "u": uint64}.get(x.dtype.kind, x.dtype)
    return x.to(dtype)


def sum(
    x: Tensor, /, *, axis: Axis = None, dtype: DType = None, keepdims: bool = False
) -> Tensor:
    """The sum, of all or along dims."""
    x, axis, keepdims = _reduced_dims(x, axis, keepdims)
    if dtype is None:
        return ops.sum(x, axis, keepdims)
    return ops.sum(x.to(dtype), axis, keepdims).to(dtype)


def prod(
    x: Tensor, /, *, axis: Axis = None, dtype: DType = None, keepdims: bool = False
) -> Tensor:
    """The product, of all or along dims."""
    x = _in_sum_dtype(x, dtype)
    axes = _dims("prod", axis, x)
    rest = [i for i in range(x.ndim) if i not in axes]
    count = math.prod([x.shape[i] for i in axes])
    # The dims to reduce become the first one.
    rows = x.permute([*axes, *rest]).reshape([count, *[x.shape[i] for i in rest]])
    product = rows.prod(0, dtype=x.dtype)
    if not keepdims:
        return product
    return product.reshape([1 if i in axes else size for i, size in enumerate(x.shape)])


def _dims(name: str, axis: Axis, x: Tensor) -> Sequence[int]:
    """The dims that ``axis`` names, counted from the front."""
    if axis == ():
        return ()
    dims = check_axis(name, axis, x.shape)
    if dims is None:
        return range(x.ndim)
    return dims if isinstance(dims, tuple) else (dims,)


def var(
    x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The variance, divided by the count less ``correction``."""
    x, axis, keepdims = _reduced_dims(x, axis, keepdims)
    return x.var(axis, correction, keepdims)


def std(
    x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The standard deviation; its gradient is 0 where nothing varies."""
    x, axis, keepdims = _reduced_dims(x, axis, keepdims)
    return x.std(axis, correction, keepdims)


def count_nonzero(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """How many are not 0."""
    return sum(ops.not_equal(x, 0), axis=axis, dtype=int64, keepdims=keepdims)


def _cumulative(
    method: Function,
    initial: int,
    x: Tensor,
    axis: int | None,
    dtype: DType,
    include_initial: bool,
) -> Tensor:
    """Sums or products of the first elements along a dim, and of none if asked."""
    if axis is None and x.ndim > 1:
        got = f"axis is None, but x has {x.ndim} dims"
        raise OptionError(f"{method.__name__}: {got}")
    x = _in_sum_dtype(x, dtype)
    dim = check_dim(method.__name__, axis or 0, x.shape)
    out = method(x, dim, dtype=x.dtype)
    if not include_initial:
        return out
    sizes = [1 if i == dim else size for i, size in enumerate(x.shape)]
    first = creation.full(sizes, initial, x.dtype, x.device)
    return ops.concat([first, out], axis=dim)


@name_errors
def cumulative_sum(
    x: Tensor,
    /,
    *,
    axis: int | None = None,
    dtype: DType = None,
    include_initial: bool = False,
) -> Tensor:
    """The sums of the first 1, 2, ... elements along a dim, from 0 on if asked."""
    return _cumulative(Tensor.cumsum, 0, x, axis, dtype, include_initial)


@name_errors
def cumulative_prod(
    x: Tensor,
    /,
    *,
    axis: int | None = None,
    dtype: DType = None,
    include_initial: bool = False,
) -> Tensor:
    """The products of the first 1, 2, ... elements along a dim, from 1 on if asked."""
    return _cumulative(Tensor.cumprod, 1, x, axis, dtype, include_initial)


def diff(
    x: Tensor,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """The n-th differences of neighbours along a dim."""
    check_integers("diff", 0, n=n)
    parts = [part for part in (prepend, x, append) if part is not None]
    out = ops.concat(parts, axis=axis) if len(parts) > 1 else x
    for _ in range(n):
        size = out.size(axis)
        count = size - 1 if size else 0
        later = out.narrow(axis, size - count, count)
        earlier = out.narrow(axis, 0, count)
        is_bool = out.dtype == bool_
        out = ops.not_equal(later, earlier) if is_bool else later - earlier
    return out
