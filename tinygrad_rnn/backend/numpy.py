"""NumPy: what the array API lacks and a training step needs."""

from typing import Any

import numpy as np

from .pool import empty

__all__ = [
    "Array",
    "add_at",
    "aliases",
    "array",
    "empty_buffer",
    "from_host",
    "namespace",
    "product",
    "put",
    "synchronize",
    "to_host",
    "winners",
]

namespace = np
Array = np.ndarray
empty_buffer = empty


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


def add_at(values: np.ndarray, shape: tuple[int, ...], index: Any) -> np.ndarray:
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
    flat = rows.ravel()
    if flat.size == 0:
        return
    flat = np.where(flat < 0, flat + out.shape[0], flat)
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    blocks = values.reshape(flat.size, -1)[order]
    out.reshape(out.shape[0], -1)[ordered[starts]] = np.add.reduceat(blocks, starts, axis=0)


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
    return np.matmul(x, y, out=empty((x.shape[0], y.shape[1]), x.dtype))


def synchronize() -> None:
    """Wait until all work is done: on a CPU it is."""
