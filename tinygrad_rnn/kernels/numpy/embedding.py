"""The gradient of an embedding, or of a weight that multiplies one-hot rows."""

import numpy as np

from ...backend.numpy import add_rows, ones
from ...backend.pool import empty
from ...backend.threads import one_thread

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Array = np.ndarray
# For W_ih of a small vocabulary and few ids, a product with one-hot rows is fastest.
SMALL_VOCABULARY = 256
FEW_IDS = 150
# Elements of the cotangent from which a sort is faster than adding row by row.
LARGE = 1 << 17


def embedding_backward(
    ids: Array, g: Array, num_embeddings: int, *, transposed: bool = False
) -> Array:
    """Return the gradient of a table (N, D) from which ``ids`` (...) selected rows.

    Row v is the sum of the rows of ``g``, (..., D), whose id is v. ``ids`` are integers
    of any dtype in [0, N). With ``transposed``, the table and its gradient are (D, N),
    like W_ih.
    """
    size = g.shape[-1]
    ids = ids.reshape(-1).astype(np.intp, copy=False)
    g = g.reshape(len(ids), size)
    small_weight = transposed and num_embeddings <= SMALL_VOCABULARY
    if small_weight and len(ids) <= FEW_IDS:
        return _one_hot_product(ids, g, num_embeddings)
    table = empty((num_embeddings, size), g.dtype)
    table.fill(0)
    if small_weight or (g.size >= LARGE and _repeat_often(ids)):
        _sum_segments(ids, g, table)
    else:
        add_rows(table, ids, g)
    if not transposed:
        return table
    out = empty((size, num_embeddings), g.dtype)
    out[...] = table.T
    return out


def _repeat_often(ids: Array) -> bool:
    """Return whether each id that occurs does so at least 8 times on average."""
    return bool(len(ids) >= 8 * np.count_nonzero(np.bincount(ids)))


def _one_hot_product(ids: Array, g: Array, num_embeddings: int) -> Array:
    """Return the product of ``g.T`` and one-hot rows."""
    one_hot = np.zeros((len(ids), num_embeddings), g.dtype)
    one_hot.reshape(-1)[ids + np.arange(0, one_hot.size, num_embeddings)] = 1
    with one_thread():
        return g.T.dot(one_hot, empty((g.shape[1], num_embeddings), g.dtype))


def _sum_segments(ids: Array, g: Array, table: Array) -> None:
    """Sum segments: sort by id, then take a product with ones for each distinct id."""
    # NumPy sorts 16 bits with a radix sort, which is much faster.
    keys = ids.astype(np.uint16) if len(table) <= 1 << 16 else ids
    order = keys.argsort(kind="stable")
    counts = np.bincount(ids)
    distinct = counts.nonzero()[0]
    stops = counts.cumsum()[distinct].tolist()
    every_one = ones(counts.max().item(), g.dtype)
    start = 0
    with one_thread():
        for v, stop in zip(distinct.tolist(), stops, strict=True):
            every_one[: stop - start].dot(g.take(order[start:stop], 0), table[v])
            start = stop
