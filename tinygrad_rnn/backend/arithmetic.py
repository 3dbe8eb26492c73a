"""NumPy: arithmetic that a training step needs, and that may warn about its numbers.

These run inside of ops and of :func:`tinygrad_rnn.engine.warned.watched`, which give
the warnings at the user's line.
"""

import builtins
import math
from functools import lru_cache
from typing import Any

import numpy as np

from . import threads
from .pool import empty
from .standard import complete

__all__ = [
    "assign",
    "astype",
    "cumulative_sum",
    "largest",
    "matmul",
    "max",
    "mean",
    "ones",
    "product",
]
__all__ += ["row_sum", "sum"]

_add: Any = np.add.reduce
_max: Any = np.maximum.reduce


def product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The product of two matrices, in recycled memory."""
    return threads.product(x, y, empty((x.shape[0], y.shape[1]), x.dtype))


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The product of matrices, or of stacks of them, without a thread of BLAS that then
    waits.
    """
    if x.ndim > 1 and y.ndim == 2 and x.dtype == y.dtype:
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        return product(rows, y).reshape(*x.shape[:-1], y.shape[1])
    with threads.one_thread():
        return np.matmul(x, y)


@lru_cache(16)
def ones(count: int, dtype: np.dtype) -> np.ndarray:
    """A vector of ones, the same one each time: not to be written to."""
    vector = np.ones(count, dtype)
    vector.flags.writeable = False
    return vector


def row_sum(x: np.ndarray) -> np.ndarray:
    """The sum of the rows of a matrix: a product with ones outruns a reduction."""
    with threads.one_thread():
        return ones(len(x), x.dtype).dot(x)


# The standard's functions that NumPy wraps in Python, without the wrapping:
# microseconds a call.

assign = lambda x, index, values: x.__setitem__(complete(index), values)
astype = lambda x, dtype: x.astype(dtype)
cumulative_sum = lambda x, axis=None: x.cumsum(axis)  # NumPy has that name since 2.1
largest = lambda x: x.item(
    x.argmax()
)  # a reduction of all elements takes three times as long
max = lambda x, axis=None, keepdims=False: _max(x, axis, None, None, keepdims)
sum = lambda x, axis=None, keepdims=False: _add(x, axis, None, None, keepdims)


def mean(x: np.ndarray, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """The mean over dims, of floats."""
    total = _add(x, axis, None, None, keepdims)
    return total / (x.size // builtins.max(total.size, 1))
