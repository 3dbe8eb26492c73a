"""Reductions, sums and products of the first elements, and differences."""

from functools import wraps

from .. import creation, ops
from ..errors import OptionError, check_dim, check_integers
from ..errors.boundary import name_errors
from ..tensor import Tensor
from ..tensor.arguments import dims_of
from ..tensor.dtypes import bool as bool_
from ..tensor.dtypes import int64, uint64
from ..types import DType, Function

Axis = int | tuple[int, ...] | None


def _dims_to_reduce(x: Tensor, axis: Axis, keepdims: bool) -> tuple[Tensor, Axis, bool]:
    """Return what to reduce, and along which dims: for ``()`` a new dim of size 1.

    The standard reduces each element by itself there; ops reduce all of them.
    """
    return (x.unsqueeze(0), 0, False) if axis == () else (x, axis, keepdims)


def _reduction(op: Function) -> Function:
    """Return an op that reduces dims, in the standard's call form."""

    @wraps(op)
    def reduce(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
        return op(*_dims_to_reduce(x, axis, keepdims))

    return reduce


mean = _reduction(ops.mean)
max = _reduction(ops.max)
min = _reduction(ops.min)
all = _reduction(ops.all)
any = _reduction(ops.any)


def _in_sum_dtype(x: Tensor, dtype: DType) -> Tensor:
    """Return the elements in the dtype of a sum: by default, 64 bits for integers."""
    if dtype is None:
        dtype = {"i": int64, "u": uint64}.get(x.dtype.kind, x.dtype)
    return x.to(dtype)


def sum(
    x: Tensor, /, *, axis: Axis = None, dtype: DType = None, keepdims: bool = False
) -> Tensor:
    """Return the sum, of all or along dims."""
    x, axis, keepdims = _dims_to_reduce(x, axis, keepdims)
    if dtype is None:
        return ops.sum(x, axis, keepdims)
    return ops.sum(x.to(dtype), axis, keepdims).to(dtype)


def prod(
    x: Tensor, /, *, axis: Axis = None, dtype: DType = None, keepdims: bool = False
) -> Tensor:
    """Return the product, of all or along dims."""
    x = _in_sum_dtype(x, dtype)
    x, axis, keepdims = _dims_to_reduce(x, axis, keepdims)
    given = range(x.ndim) if axis is None else dims_of(axis)
    dims = [check_dim("prod", dim, x.shape) for dim in given]
    front = [*range(len(dims))]
    rows = x.movedim(dims, front).flatten(0, len(dims) - 1)  # the dims to reduce as one
    product = rows.prod(0, dtype=x.dtype)
    for dim in sorted(dims) if keepdims else ():
        product = product.unsqueeze(dim)
    return product


def var(
    x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """Return the variance, divided by the count less ``correction``."""
    x, axis, keepdims = _dims_to_reduce(x, axis, keepdims)
    return x.var(axis, correction, keepdims)


def std(
    x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """Return the standard deviation; its gradient is 0 where nothing varies."""
    x, axis, keepdims = _dims_to_reduce(x, axis, keepdims)
    return x.std(axis, correction, keepdims)


def count_nonzero(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Count the elements that are not 0."""
    return sum(ops.not_equal(x, 0), axis=axis, dtype=int64, keepdims=keepdims)


def _cumulative(name: str, method: Function, initial: int) -> Function:
    """Return a function of the first elements along a dim, and of none if asked."""

    def cumulate(
        x: Tensor,
        /,
        *,
        axis: int | None = None,
        dtype: DType = None,
        include_initial: bool = False,
    ) -> Tensor:
        if axis is None and x.ndim > 1:
            raise OptionError(f"{name}: axis is None, but x has {x.ndim} dims")
        x = _in_sum_dtype(x, dtype)
        dim = check_dim(name, axis or 0, x.shape)
        out = method(x, dim, dtype=x.dtype)
        if not include_initial:
            return out
        sizes = [1 if i == dim else size for i, size in enumerate(x.shape)]
        first = creation.full(sizes, initial, x.dtype, x.device)
        return ops.concat([first, out], axis=dim)

    cumulate.__name__, cumulate.__doc__ = name, method.__doc__
    return name_errors(cumulate)


cumulative_sum = _cumulative("cumulative_sum", Tensor.cumsum, 0)
cumulative_prod = _cumulative("cumulative_prod", Tensor.cumprod, 1)


def diff(
    x: Tensor,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Return the n-th differences of neighbours along a dim."""
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
