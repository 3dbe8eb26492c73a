"""NumPy: what the array API lacks, and what NumPy can do faster.

Some functions of the array API are here because NumPy wraps its own in Python, which
costs microseconds a call. Names such as ``sum`` and ``max`` hide Python's functions,
which are called as ``builtins.sum``. NumPy's warnings point to the user's line: see
:mod:`tinygrad_rnn.engine.warned`.
"""

import builtins
import math
from functools import lru_cache

import numpy as np

from ..types import DType, Function, Index, Operand, Shape
from . import threads
from .pool import SMALL, clear, empty
from .standard import with_ellipsis

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

namespace = np
Array = np.ndarray
Axes = int | tuple[int, ...] | None

# NumPy's stubs know fewer arguments of these.
_add: Function = np.add.reduce
_max: Function = np.maximum.reduce


def is_contiguous(x: np.ndarray) -> bool:
    """Return whether an array is C-contiguous, and aligned for its dtype."""
    flags = x.flags
    return flags.c_contiguous and flags.aligned


def from_host(x: Array) -> Array:
    """Return the array itself: NumPy's arrays are on the host."""
    return x


to_host = from_host
free = clear

# ---------------------------------------------------------------- copies and shapes


def array(x: Array) -> Array:
    """Return a C-contiguous copy."""
    if x.nbytes < SMALL:
        return x.copy()
    out = empty(x.shape, x.dtype)
    out[...] = x
    return out


def astype(x: Array, dtype: DType) -> Array:
    """Return a copy in another dtype."""
    return x.astype(dtype)


def join(arrays: list[Array]) -> Array:
    """Join arrays of one dtype, flattened, in recycled memory."""
    size = builtins.sum([a.size for a in arrays])
    return np.concatenate(arrays, None, empty((size,), arrays[0].dtype))


def reshape(x: Array, shape: Shape) -> Array:
    """Return the elements in another shape."""
    return x.reshape(shape)


def permute_dims(x: Array, axes: Shape) -> Array:
    """Return the dims in another order."""
    return x.transpose(axes)


def matrix_transpose(x: Array) -> Array:
    """Exchange the last two dims."""
    return x.mT


def zeros_like(x: Array) -> Array:
    """Return zeros of the same shape and dtype."""
    return np.zeros(x.shape, x.dtype)


def ones_like(x: Array) -> Array:
    """Return ones of the same shape and dtype."""
    return np.ones(x.shape, x.dtype)


@lru_cache(16)
def ones(count: int, dtype: np.dtype) -> Array:
    """Return a read-only vector of ones, the same one each time."""
    vector = np.ones(count, dtype)
    vector.flags.writeable = False
    return vector


# ---------------------------------------------------------------- reductions


def sum(x: Array, axis: Axes = None, keepdims: bool = False) -> Array:
    """Return the sum over dims."""
    return _add(x, axis, None, None, keepdims)


def mean(x: Array, axis: Axes = None, keepdims: bool = False) -> Array:
    """Return the mean over dims, of floats."""
    total = _add(x, axis, None, None, keepdims)
    return total / (x.size // builtins.max(total.size, 1))


def max(x: Array, axis: Axes = None, keepdims: bool = False) -> Array:
    """Return the largest element over dims."""
    return _max(x, axis, None, None, keepdims)


def largest(x: Array) -> float:
    """Return the largest element, or a NaN; ``max`` takes three times as long."""
    return x.item(x.argmax())


def cumulative_sum(x: Array, axis: int | None = None) -> Array:
    """Return the sums up to each element.

    NumPy has this name since 2.1; its functions would warn at lines of their own.
    """
    return x.cumsum(axis)


# ---------------------------------------------------------------- products


def matmul(x: Array, y: Array) -> Array:
    """Return the product of matrices or stacks of matrices, without BLAS's threads."""
    if x.ndim > 1 and y.ndim == 2 and x.dtype == y.dtype:
        dims = x.shape[:-1]
        rows = x if x.ndim == 2 else x.reshape(math.prod(dims), x.shape[-1])
        out = threads.product(rows, y, empty((len(rows), y.shape[1]), x.dtype))
        return out.reshape(*dims, y.shape[1])
    with threads.one_thread():
        return np.matmul(x, y)


def sum_over_rows(x: Array) -> Array:
    """Return the sum of the rows; a product with ones is faster than a reduction."""
    with threads.one_thread():
        return ones(len(x), x.dtype).dot(x)


# ---------------------------------------------------------------- indices


def getitem(x: Array, index: Index) -> Array:
    """Return ``x[index]``."""
    return x[with_ellipsis(index)]


rows = getitem


def assign(x: Array, index: Index, values: Operand) -> None:
    """Assign ``x[index] = values``."""
    x[with_ellipsis(index)] = values


def put(x: Array, values: Operand, index: Index) -> Array:
    """Return a copy of ``x`` with ``values`` assigned at ``index``."""
    out = x.copy()
    assign(out, index, values)
    return out


def scatter(values: Array, shape: Shape, index: Index) -> Array:
    """Return zeros with ``values`` added at ``index``, where positions may repeat."""
    parts = index if isinstance(index, tuple) else (index,)
    out = _zeros_for(parts, shape, values.dtype)
    arrays = [part for part in parts if hasattr(part, "dtype")]
    if all(array.dtype == bool for array in arrays):  # no position twice
        out[index] = values
    elif len(parts) == 1:
        add_rows(out, parts[0], values)
    else:
        np.add.at(out, index, values)
    return out


def _zeros_for(parts: tuple[Index, ...], shape: Shape, dtype: np.dtype) -> Array:
    """Return zeros in which the part that an index selects is contiguous.

    For x[:, -1] of (B, T, H), T becomes the outermost dim in memory: a layer reads the
    result step by step, as (T, B, H).
    """
    at = 0
    while at < len(parts) - 1 and type(parts[at]) is slice:
        at += 1
    if at == 0 or type(parts[at]) is not int:
        return np.zeros(shape, dtype)
    before, after = shape[:at], shape[at + 1 :]
    out = np.zeros((shape[at], *before, *after), dtype)
    return out.transpose(*range(1, at + 1), 0, *range(at + 1, len(shape)))


def add_rows(out: Array, rows: Array, values: Array) -> None:
    """Add to whole rows, which may repeat; ``np.add.at`` is fast for one dim only."""
    size = math.prod(out.shape[1:])
    # Products of narrow ids would wrap around. Those below 0 count from the end.
    starts = rows.reshape(-1, 1).astype(np.intp) * size
    indices = (starts + np.arange(size)).reshape(-1)
    np.add.at(out.reshape(-1), indices, values.reshape(-1))
