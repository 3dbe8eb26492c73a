"""NumPy: what the array API lacks and a training step needs."""

import builtins
from typing import Any

import numpy as np

from .pool import empty
from .threads import threads_for

namespace = np
Array = np.ndarray
empty_buffer = empty
_add: Any = np.add.reduce
_max: Any = np.maximum.reduce


def array(data: Any, dtype: Any = None) -> np.ndarray:
    """A new array with a copy of ``data``."""
    return np.array(data, dtype=dtype, order="C", subok=False)


def from_host(data: np.ndarray) -> np.ndarray:
    """An array of this library that holds what the NumPy array holds; shared where it can be."""
    return data


def to_host(data: np.ndarray) -> np.ndarray:
    """A NumPy array that holds what ``data`` holds; shared where it can be."""
    return data


def aliases(out: np.ndarray, x: np.ndarray) -> bool:
    """Whether ``out``, made from ``x`` by a view function, still shows ``x``'s memory."""
    return out is x or (out.base is not None and (out.base is x or out.base is x.base))


def scatter(values: np.ndarray, shape: tuple[int, ...], index: Any) -> np.ndarray:
    """Zeros of ``shape`` with ``values`` added at ``index``; an element may be named repeatedly."""
    out = np.zeros(shape, values.dtype)
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [p for p in parts if isinstance(p, np.ndarray)]
    if all(p.dtype == bool for p in arrays):  # slices and masks name an element once at most
        out[index] = values
    elif len(parts) == 1:
        _add_rows(out, arrays[0], values)
    else:
        np.add.at(out, index, values)
    return out


def _add_rows(out: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """``np.add.at`` for whole rows: equal rows are brought together by a sort, then summed."""
    flat = rows.ravel().astype(np.intp, copy=False)  # narrow and unsigned ids would wrap around
    if flat.size == 0:
        return
    flat = np.where(flat < 0, flat + out.shape[0], flat)
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    blocks = values.reshape(flat.size, -1)[order]
    out.reshape(out.shape[0], -1)[ordered[starts]] = np.add.reduceat(blocks, starts, axis=0)


def add_at(values: np.ndarray, shape: tuple[int, ...], index: Any) -> Any:
    """As ``scatter``, but not yet written out where an index without arrays names one part."""
    from . import Part

    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, np.ndarray) for part in parts):
        return scatter(values, shape, index)
    return Part(values, shape, index)


def put(x: np.ndarray, values: Any, index: Any) -> np.ndarray:
    """A copy of ``x`` with ``values`` assigned at ``index``."""
    out = x.copy()
    out[index] = values
    return out


def winners(x: np.ndarray, index: Any) -> np.ndarray:
    """Which of the elements assigned at ``index`` stay: of equal places, the last written does."""
    places = np.arange(x.size).reshape(x.shape)[index]
    last = np.empty(x.size, np.int64)
    numbers = np.arange(places.size)
    last[places.ravel()] = numbers
    return (last[places.ravel()] == numbers).reshape(places.shape)


def product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The product of two matrices, in recycled memory."""
    with threads_for(x.shape[0] * x.shape[1] * y.shape[1]):
        return x.dot(y, empty((x.shape[0], y.shape[1]), x.dtype))


def join(arrays: list[np.ndarray]) -> np.ndarray:
    """Arrays of one dtype, flattened, end to end, in recycled memory."""
    size = builtins.sum([a.size for a in arrays])
    return np.concatenate(arrays, None, empty((size,), arrays[0].dtype))


# The standard's functions that NumPy wraps in Python, without the wrapping: microseconds a call.


def reshape(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The same elements in another shape."""
    return x.reshape(shape)


def permute_dims(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The dims in another order."""
    return x.transpose(axes)


def matrix_transpose(x: np.ndarray) -> np.ndarray:
    """The last two dims exchanged."""
    return x.mT


def astype(x: np.ndarray, dtype: Any) -> np.ndarray:
    """A copy of another dtype."""
    return x.astype(dtype)


def zeros_like(x: np.ndarray) -> np.ndarray:
    """Zeros of the same shape and dtype."""
    return np.zeros(x.shape, x.dtype)


def ones_like(x: np.ndarray) -> np.ndarray:
    """Ones of the same shape and dtype."""
    return np.ones(x.shape, x.dtype)


def max(x: np.ndarray, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """The largest along dims."""
    return _max(x, axis, None, None, keepdims)


def sum(x: np.ndarray, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """The sum over dims."""
    return _add(x, axis, None, None, keepdims)


def mean(x: np.ndarray, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """The mean over dims, of floats."""
    total = _add(x, axis, None, None, keepdims)
    return total / (x.size // builtins.max(total.size, 1))


def vecdot(x: np.ndarray, y: np.ndarray) -> Any:
    """The dot product of two vectors."""
    return x.dot(y)


def synchronize() -> None:
    """Wait until all work is done: on a CPU it is."""
