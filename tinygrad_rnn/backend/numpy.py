"""NumPy: what the array API lacks and a training step needs."""

import builtins
import math
from typing import Any

import numpy as np

from .arithmetic import *
from .pool import SMALL, clear, empty
from .standard import complete

namespace: Any = np
Array = np.ndarray
free = clear  # the pool's blocks that nobody uses
from_host = to_host = lambda x: x
getitem = lambda x, index: x[complete(index)]
_or: Any = np.logical_or.reduce


def array(x: Any) -> np.ndarray:
    """A copy, C-contiguous."""
    if x.nbytes < SMALL:
        return x.copy()
    out = empty(x.shape, x.dtype)
    out[...] = x
    return out


def put(x: np.ndarray, values: Any, index: Any) -> np.ndarray:
    """A copy of ``x`` with ``values`` assigned at ``index``."""
    out = x.copy()
    out[complete(index)] = values
    return out


def scatter(values: np.ndarray, shape: tuple[int, ...], index: Any) -> np.ndarray:
    """Zeros of ``shape`` with ``values`` added at ``index``; an element may be named
    repeatedly.
    """
    parts = index if isinstance(index, tuple) else (index,)
    # x[:, -1] of (B, T, H): the dim that a number names is made the outermost one in
    # memory, so that the part is in one piece, and what looks at it as (T, B, H) goes
    # through it in order.
    k = next((i for i, part in enumerate(parts) if type(part) is not slice), 0)
    if k and type(parts[k]) is int:
        out = np.zeros((shape[k], *shape[:k], *shape[k + 1 :]), values.dtype)
        out = out.transpose(*range(1, k + 1), 0, *range(k + 1, len(shape)))
    else:
        out = np.zeros(shape, values.dtype)
    if all(
        p.dtype == bool for p in parts if hasattr(p, "dtype")
    ):  # each element once at most
        out[index] = values
    elif len(parts) == 1:
        add_rows(out, parts[0], values)
    else:
        np.add.at(out, index, values)
    return out


def add_rows(out: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """``np.add.at`` for whole rows: by element, as it is quick for one dim and slow for
    several.
    """
    size = math.prod(out.shape[1:])
    # Narrow and unsigned ids would wrap around; those below 0 count from the end, here
    # too.
    first = rows.reshape(-1, 1).astype(np.intp) * size
    np.add.at(
        out.reshape(-1), (first + np.arange(size)).reshape(-1), values.reshape(-1)
    )


def join(arrays: list[np.ndarray]) -> np.ndarray:
    """Arrays of one dtype, flattened, end to end, in recycled memory."""
    size = builtins.sum([a.size for a in arrays])
    return np.concatenate(arrays, None, empty((size,), arrays[0].dtype))


# The standard's functions that NumPy wraps in Python, without the wrapping:
# microseconds a call.

reshape = lambda x, shape: x.reshape(shape)
permute_dims = lambda x, axes: x.transpose(axes)
matrix_transpose = lambda x: x.mT
zeros_like = lambda x: np.zeros(x.shape, x.dtype)
ones_like = lambda x: np.ones(x.shape, x.dtype)
any = lambda x, axis=None, keepdims=False: _or(x, axis, None, None, keepdims)
