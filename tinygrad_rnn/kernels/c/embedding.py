"""The gradient of an embedding in C."""

from ...backend.pool import empty
from ..numpy.scan import Array
from . import _c


def embedding_backward(
    ids: Array, g: Array, num_embeddings: int, *, transposed: bool = False
) -> Array:
    """Return the gradient of a table (N, D) from which ``ids`` (...) selected rows."""
    table = _c.embedding_backward(ids, g, num_embeddings)
    if not transposed:
        return table
    out = empty((g.shape[-1], num_embeddings), g.dtype)
    out[...] = table.T
    return out
