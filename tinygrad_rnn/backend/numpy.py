"""NumPy: what the array API lacks, and what NumPy does faster by another way.

Some functions of the array API stand here again, as NumPy wraps its own in Python,
which costs microseconds a call. Names such as ``sum`` and ``max`` hide Python's: those
are reached as ``builtins.sum``. NumPy's warnings about numbers in here are given at the
user's line: see :mod:`tinygrad_rnn.engine.warned`.
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


def from_host(x: Array) -> Array:
    """The array itself: NumPy's arrays are on the host."""
    return x


to_host = from_host
free = clear

# ---------------------------------------------------------------- copies and shapes


def array(x: Array) -> Array:
    """A copy, C-contiguous."""
    if x.nbytes < SMALL:
        return x.copy()
    out = empty(x.shape, x.dtype)
    out[...] = x
    return out


def astype(x: Array, dtype: DType) -> Array:
    """A copy of another dtype."""
    return x.astype(dtype)


def join(arrays: list[Array]) -> Array:
    """Arrays of one dtype, flattened, end to end, in recycled memory."""
    size = builtins.sum([a.size for a in arrays])
    return np.concatenate(arrays, None, empty((size,), arrays[0].dtype))


def reshape(x: Array, shape: Shape) -> Array:
    """The elements in another shape."""
    return x.reshape(shape)


def permute_dims(x: Array, axes: Shape) -> Array:
    """The dims in another order."""
    return x.transpose(axes)


def matrix_transpose(x: Array) -> Array:
    """The last two dims exchanged."""
    return x.mT


def zeros_like(x: Array) -> Array:
    """Zeros of a shape and dtype."""
    return np.zeros(x.shape, x.dtype)


def ones_like(x: Array) -> Array:
    """Ones of a shape and dtype."""
    return np.ones(x.shape, x.dtype)


@lru_cache(16)
def ones(count: int, dtype: np.dtype) -> Array:
    """A vector of ones, the same one each time and read-only."""
    vector = np.ones(count, dtype)
    vector.flags.writeable = False
    return vector


# ---------------------------------------------------------------- reductions


def sum(x: Array, axis: Axes = None, keepdims: bool = False) -> Array:
    """The sum over dims."""
    return _add(x, axis, None, None, keepdims)


def mean(x: Array, axis: Axes = None, keepdims: bool = False) -> Array:
    """The mean over dims, of floats."""
    total = _add(x, axis, None, None, keepdims)
    return total / (x.size // builtins.max(total.size, 1))


def max(x: Array, axis: Axes = None, keepdims: bool = False) -> Array:
    """The largest element over dims."""
    return _max(x, axis, None, None, keepdims)


def largest(x: Array) -> float:
    """The largest element, or a NaN; a reduction of all takes three times as long."""
    return x.item(x.argmax())


def cumulative_sum(x: Array, axis: int | None = None) -> Array:
    """The sums up to each element; NumPy has this name since 2.1."""
    return x.cumsum(axis)


# ---------------------------------------------------------------- products


def product(x: Array, y: Array) -> Array:
    """The product of two matrices, in recycled memory."""
    return threads.product(x, y, empty((x.shape[0], y.shape[1]), x.dtype))


def matmul(x: Array, y: Array) -> Array:
    """The product of matrices, or of stacks of them, on one thread of BLAS."""
    if x.ndim > 1 and y.ndim == 2 and x.dtype == y.dtype:
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        return product(rows, y).reshape(*x.shape[:-1], y.shape[1])
    with threads.one_thread():
        return np.matmul(x, y)


def sum_over_rows(x: Array) -> Array:
    """The sum of the rows of a matrix: a product with ones outruns a reduction."""
    with threads.one_thread():
        return ones(len(x), x.dtype).dot(x)


# ---------------------------------------------------------------- indices


def getitem(x: Array, index: Index) -> Array:
    """``x[index]``."""
    return x[with_ellipsis(index)]


def assign(x: Array, index: Index, values: Operand) -> None:
    """``x[index] = values``."""
    x[with_ellipsis(index)] = values


def put(x: Array, values: Operand, index: Index) -> Array:
    """A copy of ``x`` with ``values`` assigned at ``index``."""
    out = x.copy()
    assign(out, index, values)
    return out


def scatter(values: Array, shape: Shape, index: Index) -> Array:
    """Zeros of ``shape`` with ``values`` added at ``index``; places may repeat."""
    parts = index if isinstance(index, tuple) else (index,)
    out = _zeros_for(parts, shape, values.dtype)
    arrays = [part for part in parts if hasattr(part, "dtype")]
    if all(array.dtype == bool for array in arrays):  # each place at most once
        out[index] = values
    elif len(parts) == 1:
        add_rows(out, parts[0], values)
    else:
        np.add.at(out, index, values)
    return out


def _zeros_for(parts: tuple[Index, ...], shape: Shape, dtype: np.dtype) -> Array:
    """Zeros in which the part that an index names is in one piece.

    So with x[:, -1] of (B, T, H): T is made the outermost dim in memory, and what reads
    the result step by step, as (T, B, H), goes through it in order.
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
    """``np.add.at`` for whole rows, element by element: it is fast for one dim only."""
    size = math.prod(out.shape[1:])
    # Narrow and unsigned ids would wrap around; those below 0 count from the end here
    # too.
    first = rows.reshape(-1, 1).astype(np.intp) * size
    places = (first + np.arange(size)).reshape(-1)
    np.add.at(out.reshape(-1), places, values.reshape(-1))
