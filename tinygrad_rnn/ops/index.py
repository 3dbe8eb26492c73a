"""Reading and writing elements by index.

``index`` is what stands between brackets, with arrays in place of Tensors. It is a
setting, not an argument, as it has no gradient. ``add_at`` is the transpose of reading,
and ``put`` is assignment.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

from ..kernels import find as find_kernel
from ..backend.standard import has_arrays
from ..engine.op import op
from ..types import Array, Index, Namespace, Shape

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


@op(view=True)
def getitem(xp, x, /, index):
    return xp.getitem(x, index)


getitem.vjp(lambda g, x_shape, index, xp: xp.add_at(g, x_shape, index))


@op
def add_at(xp, values, /, shape, index):
    return xp.scatter(values, shape, index)


add_at.vjp(lambda g, index, xp: xp.getitem(g, index))


def _gradient_of_values(g: Array, index: Index, xp: Namespace) -> Array:
    """Return the gradient of assigned values; the last one of a position counts."""
    taken = xp.getitem(g, index)
    if not has_arrays(index):
        return taken
    return xp.where(xp.is_last_assigned(g, index), taken, 0.0)


@op
def put(xp, x, values, /, index):
    return xp.put(x, values, index)


put.vjp(lambda g, index, xp: xp.put(g, 0.0, index), _gradient_of_values)
put.name = "assignment"  # messages name what the user wrote


@op
def is_last_assigned(xp, x, /, index):
    return xp.is_last_assigned(x, index)


@op
def nonzero(xp, x, /):
    """Return the indices of the elements that are not 0, (N, ndim)."""
    indices = xp.nonzero(x if x.ndim else xp.reshape(x, (1,)))
    return xp.stack(indices, axis=-1)[:, : x.ndim]


def _gradient_of_table(
    g: Array, weight_shape: Shape, index: Array, xp: Namespace
) -> Array:
    """Return the gradient of a table whose rows ``index`` selects."""
    # When this is recorded, xp is the table of ops, which has no kind.
    kernel = find_kernel(getattr(xp, "kind", ""), "embedding_backward")
    if kernel is None or len(weight_shape) != 2:
        return xp.add_at(g, weight_shape, index)
    return kernel(index, g, weight_shape[0])


@op
def embedding(xp, weight, /, index):
    """Return the rows (..., D) of a table (N, D) for ids (...) in [0, N)."""
    return xp.rows(weight, index)


embedding.vjp(_gradient_of_table)
