"""Reading and writing elements by index.

``index`` is what stands between brackets, with arrays in place of Tensors: a setting,
not an argument, as it has no gradient. ``add_at`` is the transpose of reading, ``put``
is assignment.
"""

from .. import kernels
from ..backend.standard import has_arrays
from ..engine.op import op
from ..types import Array, Index, Namespace, Shape

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


@op(view=True)
def getitem(xp: Namespace, x: Array, /, index: Index) -> Array:
    return xp.getitem(x, index)


getitem.vjp(lambda g, x_shape, index, xp: xp.add_at(g, x_shape, index))


@op
def add_at(xp: Namespace, values: Array, /, shape: Shape, index: Index) -> Array:
    return xp.scatter(values, shape, index)


add_at.vjp(lambda g, index, xp: xp.getitem(g, index))


def _gradient_of_values(g: Array, index: Index, xp: Namespace) -> Array:
    """That of what is assigned; of equal places only the last value counts."""
    taken = xp.getitem(g, index)
    return xp.where(xp.winners(g, index), taken, 0.0) if has_arrays(index) else taken


@op
def put(xp: Namespace, x: Array, values: Array, /, index: Index) -> Array:
    return xp.put(x, values, index)


put.vjp(lambda g, index, xp: xp.put(g, 0.0, index), _gradient_of_values)
put.name = "assignment"  # what the user wrote, for messages


@op
def winners(xp: Namespace, x: Array, /, index: Index) -> Array:
    return xp.winners(x, index)


@op
def nonzero(xp: Namespace, x: Array, /) -> Array:
    """Where x is not 0: (N, ndim), a row for each place."""
    places = xp.nonzero(x if x.ndim else xp.reshape(x, (1,)))
    return xp.stack(places, axis=-1)[:, : x.ndim]


def _gradient_of_table(
    g: Array, weight_shape: Shape, index: Array, xp: Namespace
) -> Array:
    # While it is recorded xp is the table of ops, which is of no kind.
    kernel = kernels.find(getattr(xp, "kind", ""), "embedding_backward")
    if kernel is None or len(weight_shape) != 2:
        return xp.add_at(g, weight_shape, index)
    return kernel(index, g, weight_shape[0])


@op
def embedding(xp: Namespace, weight: Array, /, index: Array) -> Array:
    """The rows (..., D) of a table (N, D) that ids (...) in [0, N) name."""
    return xp.getitem(weight, index)


embedding.vjp(_gradient_of_table)
