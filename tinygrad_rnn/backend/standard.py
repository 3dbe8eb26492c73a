"""What a backend need not bring: functions made of the array API's, for any library.

``xp`` is the backend. An index is what stands between brackets, with arrays in place of
Tensors. Nothing here adds or assigns at repeated places, which GPU libraries do in any
order: values are sorted by their places, those of one place are combined, and the
result is gathered. So the bits are the same each time. Indices are checked to be in
range, as GPU libraries wrap them around.
"""

import math

import numpy as np

from ..types import Array, DType, Index, Namespace, Operand, Shape
from .part import Part

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

__all__ = [  # what a backend looks up here
    "add_at",
    "aliases",
    "array",
    "assign",
    "exp_difference",
    "getitem",
    "join",
    "largest",
    "product",
    "put",
    "sum_over_rows",
    "scatter",
    "sigmoid",
    "squares",
    "winners",
]


def numpy_dtype(dtype: DType) -> np.dtype:
    """NumPy's dtype of the same name as another library's."""
    if isinstance(dtype, np.dtype):
        return dtype
    return np.dtype(str(dtype).rpartition(".")[2])


def aliases(xp: Namespace, out: Array, x: Array) -> bool:
    """Whether ``out``, which a view function made of ``x``, shows the same memory."""
    if out is x:
        return True
    return out.base is not None and (out.base is x or out.base is x.base)


def array(xp: Namespace, x: Array) -> Array:
    """A copy."""
    return xp.asarray(x, copy=True)


def join(xp: Namespace, arrays: list[Array]) -> Array:
    """A new array: arrays of one dtype, flattened, end to end."""
    return xp.concat([xp.reshape(x, (-1,)) for x in arrays])


def largest(xp: Namespace, x: Array) -> float:
    """The largest element, or a NaN, as a Python number."""
    return xp.to_host(xp.max(x)).item()


def squares(xp: Namespace, arrays: list[Array]) -> float:
    """The sum of the squares of all elements of arrays of one dtype."""
    flat = xp.join(arrays)
    return xp.to_host(xp.matmul(flat, flat)).item()


def sum_over_rows(xp: Namespace, x: Array) -> Array:
    """The sum of the rows of a matrix."""
    return xp.sum(x, axis=0)


def product(xp: Namespace, x: Array, y: Array) -> Array:
    """The product of two matrices."""
    return xp.matmul(x, y)


def sigmoid(xp: Namespace, x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow and right to the last digit far below 0."""
    z = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1.0, z) / (1.0 + z)


def exp_difference(xp: Namespace, x: Array, y: Array) -> Array:
    """exp(x - y), in float64 to the last digit.

    Knuth's two-sum (The Art of Computer Programming, vol. 2, 4.2.2) gives what the
    difference rounds away. It doubles the time, so float32 goes without, as elsewhere.
    """
    e = x - y
    if x.dtype != xp.float64:
        return xp.exp(e)
    x = xp.where(xp.isfinite(e), x, y)  # of -inf nothing is lost
    rounded = x - y
    back = rounded - x
    lost = (x - (rounded - back)) - (y + back)
    return xp.exp(e) * (1.0 + lost)


# ---------------------------------------------------------------- indices


def has_arrays(index: Index) -> bool:
    """Whether an index has arrays: then reading copies, and places may repeat."""
    parts = index if isinstance(index, tuple) else (index,)
    # any() takes three times as long.
    return True in [hasattr(part, "dtype") for part in parts]


def with_ellipsis(index: Index) -> Index:
    """The index with an ellipsis, so that one element is a 0-d view, not a scalar."""
    if index is Ellipsis or has_arrays(index):
        return index
    if not isinstance(index, tuple):
        return (index, Ellipsis)
    return index if Ellipsis in index else (*index, Ellipsis)


def _places_of(
    xp: Namespace, shape: Shape, index: Index
) -> tuple[Array, tuple[int, int], Shape]:
    """What an index with arrays names in an array of this shape.

    Returns:
        Row numbers (K,), on the device; the shape (rows, width) of the array in which
        they are rows; the shape of what is named.
    """
    parts = index if isinstance(index, tuple) else (index,)
    if shape and len(parts) == 1 and type(parts[0]) is xp.Array:
        ids = parts[0]
        if xp.isdtype(ids.dtype, "integral"):
            ids = xp.astype(ids, xp.int64)
            if _all_in_range(xp, ids, shape[0]):  # these stay on the device
                rows = xp.where(ids < 0, ids + shape[0], ids)
                flat_shape = (shape[0], math.prod(shape[1:]))
                return xp.reshape(rows, (-1,)), flat_shape, (*ids.shape, *shape[1:])
    on_host = [xp.to_host(part) if type(part) is xp.Array else part for part in parts]
    count = math.prod(shape)
    numbers = np.arange(count).reshape(shape)
    places = np.asarray(numbers[tuple(on_host)])  # raises if one is out of range
    return xp.from_host(places.reshape(-1)), (count, 1), places.shape


def _all_in_range(xp: Namespace, ids: Array, count: int) -> bool:
    if 0 in ids.shape:
        return True
    return not bool(xp.any((ids < -count) | (ids >= count)))


def _write(xp: Namespace, x: Array, values: Array, index: Index, add: bool) -> Array:
    """A copy of ``x`` with the last value, or the sum of all, written to each place.

    Values are sorted by place. For sums, each row then takes up those behind it by
    pointer doubling (Hillis and Steele, CACM 1986): after the pass of step s a row
    holds the sum of the 2 s rows from it on that belong to its place, so in the end the
    first row of a place holds its sum.
    """
    rows, (count, width), named = _places_of(xp, x.shape, index)
    size = rows.shape[0]
    if not size:
        return xp.array(x)
    extra_dims = max(values.ndim - len(named), 0)  # of size 1, as NumPy allows
    values = xp.reshape(values, values.shape[extra_dims:])
    values = xp.broadcast_to(values, named)
    values = xp.reshape(values, (size, width))
    order = xp.argsort(rows)  # a stable one
    rows = xp.take(rows, order)
    values = xp.take(values, order, axis=0)
    step = 1
    while add and step < size:
        same_place = (rows[step:] == rows[:-step])[:, None]
        behind = xp.where(same_place, values[step:, :], 0)
        head = values[:-step, :]
        head += behind
        step *= 2
    all_rows = xp.arange(count)
    if add:
        source = xp.searchsorted(rows, all_rows, side="left")
    else:
        source = xp.searchsorted(rows, all_rows, side="right") - 1
    source = xp.clip(source, 0, size - 1)
    is_written = xp.take(rows, source) == all_rows
    new = xp.take(values, source, axis=0)
    old = xp.reshape(x, (count, width))
    return xp.reshape(xp.where(is_written[:, None], new, old), x.shape)


def getitem(xp: Namespace, x: Array, index: Index) -> Array:
    """``x[index]``: a view unless there are arrays in the index."""
    if not has_arrays(index):
        return x[with_ellipsis(index)]
    rows, flat_shape, named = _places_of(xp, x.shape, index)
    return xp.reshape(xp.take(xp.reshape(x, flat_shape), rows, axis=0), named)


def put(xp: Namespace, x: Array, values: Operand, index: Index) -> Array:
    """A copy of ``x`` with ``values`` at ``index``; the last value of a place stays."""
    if not hasattr(values, "dtype"):
        values = xp.from_host(np.asarray(values, numpy_dtype(x.dtype)))
    if has_arrays(index):
        return _write(xp, x, xp.astype(values, x.dtype), index, add=False)
    out = xp.array(x)
    xp.assign(out, index, values)
    return out


def assign(xp: Namespace, x: Array, index: Index, values: Operand) -> None:
    """``x[index] = values``, in place; the last value of a place stays."""
    if has_arrays(index):
        index, values = ..., xp.put(x, values, index)
    x[with_ellipsis(index)] = values


def winners(xp: Namespace, x: Array, index: Index) -> Array:
    """Which of the elements assigned at ``index`` stay: the last one of each place."""
    shape = xp.getitem(x, index).shape
    numbers = xp.reshape(xp.arange(math.prod(shape)), shape)
    written = xp.put(xp.zeros(x.shape, dtype=numbers.dtype), numbers, index)
    return xp.getitem(written, index) == numbers


def scatter(xp: Namespace, values: Array, shape: Shape, index: Index) -> Array:
    """Zeros of ``shape`` with ``values`` added at ``index``; places may repeat."""
    out = xp.zeros(shape, dtype=values.dtype)
    if has_arrays(index):
        return _write(xp, out, values, index, add=True)
    xp.assign(out, index, values)
    return out


def add_at(xp: Namespace, values: Array, shape: Shape, index: Index) -> Array | Part:
    """As ``scatter``, but a Part, to be added later, if no arrays are in the index."""
    if has_arrays(index):
        return xp.scatter(values, shape, index)
    return Part(xp, values, shape, index)
