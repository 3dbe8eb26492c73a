"""Reading and writing elements by index.

``index`` is what stands between brackets, with arrays in place of Tensors: a setting,
not an argument, as it has no gradient. ``add_at`` is the transpose of reading, ``put``
is assignment.
"""

from typing import Any

from ..backend.standard import has_arrays
from ..engine.op import op

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Array = Any

# fmt: off

@op(view=True)
def getitem(xp: Any, x: Array, /, index: Any) -> Array: return xp.getitem(x, index)
getitem.vjp(lambda g, x_shape, index, xp: xp.add_at(g, x_shape, index))

@op
def add_at(xp: Any, values: Array, /, shape: tuple[int, ...], index: Any) -> Array:
    return xp.scatter(values, shape, index)
add_at.vjp(lambda g, index, xp: xp.getitem(g, index))

@op
def put(xp: Any, x: Array, values: Array, /, index: Any) -> Array: return xp.put(x, values, index)
put.vjp(lambda g, index, xp: xp.put(g, 0.0, index),
        lambda g, index, xp: (xp.where(xp.winners(g, index), xp.getitem(g, index), 0.0)
                              if has_arrays(index) else xp.getitem(g, index)))
put.name = "assignment"  # what the user wrote, for messages

@op
def winners(xp: Any, x: Array, /, index: Any) -> Array: return xp.winners(x, index)

@op
def nonzero(xp: Any, x: Array, /) -> Array:
    """Where x is not 0: (N, ndim), a row for each place."""
    places = xp.nonzero(x if x.ndim else xp.reshape(x, (1,)))
    return xp.stack(places, axis=-1)[:, : x.ndim]
