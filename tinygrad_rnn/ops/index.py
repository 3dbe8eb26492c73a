"""Reading and writing elements by index.

``index`` is what stands between brackets, with arrays in place of Tensors: a setting, not an
argument, as it has no gradient. ``add_at`` is the transpose of reading, ``put`` is assignment.
"""

from typing import Any

from ..engine.op import op

Array = Any


def has_arrays(index: Any) -> bool:
    """Whether an index has arrays in it: then reading makes a copy, and places may repeat."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(hasattr(part, "dtype") for part in parts)


def complete(index: Any) -> Any:
    """The index with an ellipsis: then NumPy takes one element for a 0-d view, not for a scalar."""
    if has_arrays(index):
        return index
    index = index if isinstance(index, tuple) else (index,)
    return index if Ellipsis in index else (*index, Ellipsis)


# fmt: off

@op(view=True)
def getitem(xp: Any, x: Array, /, index: Any) -> Array: return x[complete(index)]
getitem.vjp(lambda g, x_shape, index, xp: xp.add_at(g, x_shape, index))

@op
def add_at(xp: Any, values: Array, /, shape: tuple[int, ...], index: Any) -> Array:
    return xp.scatter(values, shape, index)
add_at.vjp(lambda g, index: g[index])

@op
def put(xp: Any, x: Array, values: Array, /, index: Any) -> Array:
    return xp.put(x, values, complete(index))
put.vjp(lambda g, index, xp: xp.put(g, 0.0, index),
        lambda g, index, xp: (xp.where(xp.winners(g, index), g[index], 0.0)
                              if has_arrays(index) else g[index]))

@op
def winners(xp: Any, x: Array, /, index: Any) -> Array: return xp.winners(x, index)
