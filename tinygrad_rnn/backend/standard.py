"""What a backend need not have of its own, made of the array API's functions: any
library runs it.

``xp`` is the backend. An index is what stands between brackets, with arrays in place of
Tensors. Nothing here adds or assigns at repeated places, as GPU libraries do so in any
order: places are sorted, what names one place is brought together, and the result is
gathered. So it is the same bits each time. And indices are checked to be in range, as
GPU libraries wrap them around.
"""

import math
from typing import Any

import numpy as np

from .part import Part

__all__ = [
    "add_at",
    "aliases",
    "array",
    "assign",
    "getitem",
    "join",
    "product",
    "put",
    "scatter",
]
__all__ += ["exp_difference", "largest", "row_sum", "sigmoid", "squares", "winners"]

Array = Any
Shape = tuple[int, ...]


def numpy_dtype(dtype: Any) -> np.dtype:
    """NumPy's dtype of the name that another library's has."""
    return (
        dtype
        if isinstance(dtype, np.dtype)
        else np.dtype(str(dtype).rpartition(".")[2])
    )


def aliases(xp: Any, out: Array, x: Array) -> bool:
    """Whether ``out``, made from ``x`` by a view function, still shows ``x``'s memory."""
    return out is x or (out.base is not None and (out.base is x or out.base is x.base))


def array(xp: Any, x: Array) -> Array:
    """A copy."""
    return xp.asarray(x, copy=True)


def join(xp: Any, arrays: list[Array]) -> Array:
    """A new array: arrays of one dtype, flattened, end to end."""
    return xp.concat([xp.reshape(x, (-1,)) for x in arrays])


def largest(xp: Any, x: Array) -> Any:
    """The largest element, or a NaN, as a Python number."""
    return xp.to_host(xp.max(x)).item()


def squares(xp: Any, arrays: list[Array]) -> Any:
    """The sum of the squares of all elements of arrays of one dtype, as a Python
    number.
    """
    flat = xp.join(arrays)
    return xp.to_host(xp.matmul(flat, flat)).item()


def row_sum(xp: Any, x: Array) -> Array:
    """The sum of the rows of a matrix."""
    return xp.sum(x, axis=0)


def product(xp: Any, x: Array, y: Array) -> Array:
    """The product of two matrices."""
    return xp.matmul(x, y)


def sigmoid(xp: Any, x: Array) -> Array:
    """1 / (1 + exp(-x)): it never overflows, and is right to the last digit where x is
    far below 0.
    """
    z = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, 1.0, z) / (1.0 + z)


def exp_difference(xp: Any, x: Array, y: Array) -> Array:
    """exp(x - y); of float64 to the last digit: what the difference rounds away is put
    back.

    That is the two-sum of Knuth. It doubles the time, so float32 goes without, as
    elsewhere.
    """
    e = x - y
    if x.dtype != xp.float64:
        return xp.exp(e)
    x = xp.where(xp.isfinite(e), x, y)  # of -inf nothing is lost
    shifted = x - y
    back = shifted - x
    return xp.exp(e) * (1.0 + ((x - (shifted - back)) - (y + back)))


# ---------------------------------------------------------------- indices


def has_arrays(index: Any) -> bool:
    """Whether an index has arrays in it: then reading makes a copy, and places may
    repeat.
    """
    parts = index if isinstance(index, tuple) else (index,)
    return True in [
        hasattr(part, "dtype") for part in parts
    ]  # any() takes three times as long


def complete(index: Any) -> Any:
    """The index with an ellipsis: then NumPy takes one element for a 0-d view, not for
    a scalar.
    """
    if index is Ellipsis or has_arrays(index):
        return index
    parts = index if isinstance(index, tuple) else (index,)
    return index if Ellipsis in parts else (*parts, Ellipsis)


def _places(xp: Any, shape: Shape, index: Any) -> tuple[Array, Shape, Shape]:
    """The places that an index with arrays names in an array seen as (rows, width);
    their shape.
    """
    parts = index if isinstance(index, tuple) else (index,)
    ids = parts[0] if shape and len(parts) == 1 and type(parts[0]) is xp.Array else None
    if ids is not None and xp.isdtype(ids.dtype, "integral"):
        ids = xp.astype(ids, xp.int64)  # rows that ids name: these stay on the device
        if 0 in ids.shape or not bool(xp.any((ids < -shape[0]) | (ids >= shape[0]))):
            rows, named = (shape[0], math.prod(shape[1:])), (*ids.shape, *shape[1:])
            return (
                xp.reshape(xp.where(ids < 0, ids + shape[0], ids), (-1,)),
                rows,
                named,
            )
    on_host = tuple(
        [xp.to_host(part) if type(part) is xp.Array else part for part in parts]
    )
    grid = np.asarray(np.arange(math.prod(shape)).reshape(shape)[on_host])
    return xp.from_host(grid.reshape(-1)), (math.prod(shape), 1), grid.shape


def _written(xp: Any, x: Array, values: Array, index: Any, add: bool) -> Array:
    """A copy of ``x`` with the last value written to each place that is named, or with
    their sum.
    """
    flat, rows, named = _places(xp, x.shape, index)
    count = flat.shape[0]
    if not count:
        return xp.array(x)
    values = xp.reshape(values, values.shape[max(values.ndim - len(named), 0) :])
    values = xp.reshape(xp.broadcast_to(values, named), (count, rows[1]))
    order, step = xp.argsort(flat), 1  # a stable one
    flat, values = xp.take(flat, order), xp.take(values, order, axis=0)
    while (
        add and step < count
    ):  # then a row is the sum of the next 2 * step rows of its place
        same, part = (flat[step:] == flat[:-step])[:, None], values[:-step, :]
        part += xp.where(same, values[step:, :], 0)
        step *= 2
    every = xp.arange(rows[0])
    at = xp.searchsorted(flat, every, side="left" if add else "right") - (
        0 if add else 1
    )
    at = xp.clip(at, 0, count - 1)
    found = (xp.take(flat, at) == every)[:, None]
    return xp.reshape(
        xp.where(found, xp.take(values, at, axis=0), xp.reshape(x, rows)), x.shape
    )


def getitem(xp: Any, x: Array, index: Any) -> Array:
    """``x[index]``: a view unless there are arrays in the index."""
    if not has_arrays(index):
        return x[complete(index)]
    flat, rows, named = _places(xp, x.shape, index)
    return xp.reshape(xp.take(xp.reshape(x, rows), flat, axis=0), named)


def put(xp: Any, x: Array, values: Any, index: Any) -> Array:
    """A copy of ``x`` with ``values`` assigned at ``index``; at equal places the last
    one stays.
    """
    if not hasattr(values, "dtype"):
        values = xp.from_host(np.asarray(values, numpy_dtype(x.dtype)))
    if has_arrays(index):
        return _written(xp, x, xp.astype(values, x.dtype), index, add=False)
    out = xp.array(x)
    xp.assign(out, index, values)
    return out


def assign(xp: Any, x: Array, index: Any, values: Any) -> None:
    """``x[index] = values``, in place; at equal places the last one stays."""
    if has_arrays(index):
        index, values = ..., xp.put(x, values, index)
    x[complete(index)] = values


def winners(xp: Any, x: Array, index: Any) -> Array:
    """Which of the elements assigned at ``index`` stay: of equal places, the last
    written does.
    """
    shape = xp.getitem(x, index).shape
    numbers = xp.reshape(xp.arange(math.prod(shape)), shape)
    written = xp.put(xp.zeros(x.shape, dtype=numbers.dtype), numbers, index)
    return xp.getitem(written, index) == numbers


def scatter(xp: Any, values: Array, shape: Shape, index: Any) -> Array:
    """Zeros of ``shape`` with ``values`` added at ``index``; an element may be named
    repeatedly.
    """
    out = xp.zeros(shape, dtype=values.dtype)
    if has_arrays(index):
        return _written(xp, out, values, index, add=True)
    xp.assign(out, index, values)
    return out


def add_at(xp: Any, values: Array, shape: Shape, index: Any) -> Any:
    """As ``scatter``, but not yet written out where an index without arrays names one
    part.
    """
    return (
        xp.scatter(values, shape, index)
        if has_arrays(index)
        else Part(xp, values, shape, index)
    )
