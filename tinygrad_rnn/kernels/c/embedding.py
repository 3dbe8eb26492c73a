"""The gradient of an embedding in C."""

from ...backend.pool import empty
from ..numpy.scan import Array
from . import _c
from .arrays import as_int64, contiguous


def embedding_backward(
    ids: Array, g: Array, num_embeddings: int, *, transposed: bool = False
) -> Array:
    """Return the gradient of a table (N, D) from which ``ids`` (...) selected rows."""
    size = g.shape[-1]
    ids = as_int64(ids).reshape(-1)
    g = contiguous(g).reshape(len(ids), size)
    table = empty((num_embeddings, size), g.dtype)
    table.fill(0)
    _c.embedding_backward(len(ids), size, num_embeddings, ids, g, table)
    if not transposed:
        return table
    out = empty((size, num_embeddings), g.dtype)
    out[...] = table.T
    return out
