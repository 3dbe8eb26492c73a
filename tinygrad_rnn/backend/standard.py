"""What a backend need not have: functions made from those of the array API standard.

``xp`` is the backend. An index is what stands between brackets, with arrays in place of
Tensors. Nothing here adds to or assigns to repeated positions, which GPU libraries do
in any order. Values are sorted by position, those of one position are combined, and the
result is gathered, so equal calls give equal bits. Indices are checked to be in range,
since GPU libraries wrap them around.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..types import Array, DType, Index, Namespace, Operand, Shape

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

__all__ = [  # what a backend looks up here
    "add_at",
    "aliases",
    "array",
    "assign",
    "exp_difference",
    "getitem",
    "is_last_assigned",
    "join",
    "largest",
    "put",
    "rows",
    "scatter",
    "sigmoid",
    "squares",
    "sum_over_rows",
]


def numpy_dtype(dtype: DType) -> np.dtype:
    """Return NumPy's dtype of the same name as another library's."""
    if isinstance(dtype, np.dtype):
        return dtype
    return np.dtype(str(dtype).rpartition(".")[2])


def aliases(xp: Namespace, out: Array, x: Array) -> bool:
    """Return whether ``out``, a view function's result for ``x``, shares its memory."""
    if out is x:
        return True
    return out.base is not None and (out.base is x or out.base is x.base)


def array(xp: Namespace, x: Array) -> Array:
    """Return a copy."""
    return xp.asarray(x, copy=True)


def join(xp: Namespace, arrays: list[Array]) -> Array:
    """Join arrays of one dtype, flattened, into a new one."""
    return xp.concat([xp.reshape(x, (-1,)) for x in arrays])


def largest(xp: Namespace, x: Array) -> float:
    """Return the largest element, or a NaN, as a Python number."""
    return xp.to_host(xp.max(x)).item()


def squares(xp: Namespace, arrays: list[Array]) -> float:
    """Return the sum of the squares of all elements, each array's in its dtype."""
    by_dtype: dict[str, list[Array]] = {}
    for array in arrays:
        by_dtype.setdefault(str(array.dtype), []).append(array)
    joined = [xp.join(group) for group in by_dtype.values()]
    return sum([xp.to_host(xp.matmul(flat, flat)).item() for flat in joined])


def sum_over_rows(xp: Namespace, x: Array) -> Array:
    """Return the sum of all rows: (M, N) to (N,)."""
    return xp.sum(x, axis=0)


def sigmoid(xp: Namespace, x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), without overflow and exact far below 0."""
    z = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1.0, z) / (1.0 + z)


def exp_difference(xp: Namespace, x: Array, y: Array) -> Array:
    """Return exp(x - y), exact to the last digit in float64.

    Knuth's two-sum (The Art of Computer Programming, vol. 2, 4.2.2) gives the rounding
    error of the difference. It doubles the time, so float32 does without.
    """
    e = x - y
    if x.dtype != xp.float64:
        return xp.exp(e)
    x = xp.where(xp.isfinite(e), x, y)  # an infinite difference has no rounding error
    rounded = x - y
    back = rounded - x
    lost = (x - (rounded - back)) - (y + back)
    return xp.exp(e) * (1.0 + lost)


# ---------------------------------------------------------------- indices


@dataclass(eq=False, slots=True)
class Part:
    """A gradient that is 0 except for one part of an array, and not yet written out.

    The steps of a sequence, taken one by one, have one each. If each were written out
    in the shape of the sequence, the time would grow with the square of its length.
    """

    xp: Namespace
    values: Array
    shape: Shape  # of the array
    index: Index

    def whole(self) -> Array:
        """Return the gradient of the array, as a new array."""
        return self.xp.scatter(self.values, self.shape, self.index)

    def add_to(self, total: Array) -> None:
        """Add this to a gradient of the array, in place."""
        view = self.xp.getitem(total, self.index)
        view += self.values


def has_arrays(index: Index) -> bool:
    """Return whether an index has arrays, so that it copies and may repeat elements."""
    parts = index if isinstance(index, tuple) else (index,)
    # any() takes three times as long.
    return True in [hasattr(part, "dtype") for part in parts]


def with_ellipsis(index: Index) -> Index:
    """Add an ellipsis to an index, so that one element is a 0-d view, not a scalar."""
    if index is Ellipsis or has_arrays(index):
        return index
    if not isinstance(index, tuple):
        return (index, Ellipsis)
    return index if Ellipsis in index else (*index, Ellipsis)


class _Selection(NamedTuple):
    """What an index with arrays selects in an array, as rows of that array."""

    rows: Array  # their numbers, (K,), on the device
    matrix_shape: Shape  # (rows, width) of the array
    shape: Shape  # of what is selected


def _find_rows(xp: Namespace, shape: Shape, index: Index) -> _Selection:
    """Find the rows that an index with arrays selects in an array of this shape."""
    parts = index if isinstance(index, tuple) else (index,)
    if shape and len(parts) == 1 and type(parts[0]) is xp.Array:
        ids, count = parts[0], shape[0]
        if xp.isdtype(ids.dtype, "integral"):
            ids = xp.astype(ids, xp.int64)
            if not xp.any((ids < -count) | (ids >= count)):  # these stay on the device
                rows = xp.reshape(xp.where(ids < 0, ids + count, ids), (-1,))
                matrix_shape = (count, math.prod(shape[1:]))
                return _Selection(rows, matrix_shape, (*ids.shape, *shape[1:]))
    on_host = [xp.to_host(part) if type(part) is xp.Array else part for part in parts]
    count = math.prod(shape)
    numbers = np.arange(count).reshape(shape)
    selected = np.asarray(numbers[tuple(on_host)])  # raises if one is out of range
    rows = xp.from_host(selected.reshape(-1))
    return _Selection(rows, (count, 1), selected.shape)


def _write(xp: Namespace, x: Array, values: Array, index: Index, add: bool) -> Array:
    """Return a copy of ``x`` with the last value, or the sum of all, at each position.

    Values are sorted by position. For sums, each row then takes up those after it by
    pointer doubling (Hillis and Steele, CACM 1986): after the pass of step s, a row
    holds the sum of the 2 s rows from it on that belong to its position. In the end the
    first row of a position holds its sum.
    """
    rows, matrix_shape, selected_shape = _find_rows(xp, x.shape, index)
    count, width = matrix_shape
    size = rows.shape[0]
    if not size:
        return xp.array(x)
    extra_dims = max(values.ndim - len(selected_shape), 0)  # of size 1, as in NumPy
    values = xp.reshape(values, values.shape[extra_dims:])
    values = xp.broadcast_to(values, selected_shape)
    values = xp.reshape(values, (size, width))
    order = xp.argsort(rows)  # a stable sort
    rows = xp.take(rows, order)
    values = xp.take(values, order, axis=0)
    step = 1
    while add and step < size:
        same_position = (rows[step:] == rows[:-step])[:, None]
        after = xp.where(same_position, values[step:, :], 0)
        head = values[:-step, :]
        head += after
        step *= 2
    all_rows = xp.arange(count)
    if add:
        source = xp.searchsorted(rows, all_rows, side="left")
    else:
        source = xp.searchsorted(rows, all_rows, side="right") - 1
    source = xp.clip(source, 0, size - 1)
    is_written = xp.take(rows, source) == all_rows
    new = xp.take(values, source, axis=0)
    old = xp.reshape(x, matrix_shape)
    return xp.reshape(xp.where(is_written[:, None], new, old), x.shape)


def getitem(xp: Namespace, x: Array, index: Index) -> Array:
    """Return ``x[index]``, a view unless there are arrays in the index."""
    if not has_arrays(index):
        return x[with_ellipsis(index)]
    rows, matrix_shape, selected_shape = _find_rows(xp, x.shape, index)
    found = xp.take(xp.reshape(x, matrix_shape), rows, axis=0)
    return xp.reshape(found, selected_shape)


def rows(xp: Namespace, x: Array, ids: Array) -> Array:
    """Return the rows of ``x`` that ids name, which are known to be in range."""
    if type(ids) is not xp.Array:
        ids = xp.from_host(ids)
    found = xp.take(x, xp.reshape(ids, (-1,)), axis=0)
    return xp.reshape(found, (*ids.shape, *x.shape[1:]))


def put(xp: Namespace, x: Array, values: Operand, index: Index) -> Array:
    """Return a copy of ``x`` with ``values`` assigned at ``index``."""
    if not hasattr(values, "dtype"):
        values = xp.from_host(np.asarray(values, numpy_dtype(x.dtype)))
    if has_arrays(index):
        return _write(xp, x, xp.astype(values, x.dtype), index, add=False)
    out = xp.array(x)
    xp.assign(out, index, values)
    return out


def assign(xp: Namespace, x: Array, index: Index, values: Operand) -> None:
    """Assign ``x[index] = values``; the last value of a position stays."""
    if has_arrays(index):
        index, values = ..., xp.put(x, values, index)
    x[with_ellipsis(index)] = values


def is_last_assigned(xp: Namespace, x: Array, index: Index) -> Array:
    """Return which elements assigned at ``index`` stay: the last of each position."""
    shape = xp.getitem(x, index).shape
    numbers = xp.reshape(xp.arange(math.prod(shape)), shape)
    written = xp.put(xp.zeros(x.shape, dtype=numbers.dtype), numbers, index)
    return xp.getitem(written, index) == numbers


def scatter(xp: Namespace, values: Array, shape: Shape, index: Index) -> Array:
    """Return zeros with ``values`` added at ``index``, where positions may repeat."""
    out = xp.zeros(shape, dtype=values.dtype)
    if has_arrays(index):
        return _write(xp, out, values, index, add=True)
    xp.assign(out, index, values)
    return out


def add_at(xp: Namespace, values: Array, shape: Shape, index: Index) -> Array | Part:
    """Return what ``scatter`` does, or a Part if no arrays are in the index."""
    if has_arrays(index):
        return xp.scatter(values, shape, index)
    return Part(xp, values, shape, index)
