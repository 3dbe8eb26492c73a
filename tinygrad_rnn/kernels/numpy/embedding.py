"""The gradient of an embedding, or of a weight that multiplies one-hot rows."""

import numpy as np

from ...backend.numpy import add_rows, ones
from ...backend.pool import empty
from ...backend.threads import one_thread

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Array = np.ndarray
# W_ih of a small vocabulary: for few ids a product with one-hot rows costs least.
FEW_ROWS = 256
FEW_IDS = 150
# Elements of the cotangent from which on a sort costs less than adding row by row.
LARGE = 1 << 17


def embedding_backward(
    ids: Array, g: Array, num_embeddings: int, *, transposed: bool = False
) -> Array:
    """The gradient of a table (N, D) of which ``ids`` (...) took the rows: (N, D).

    Row v sums those rows of ``g``, (..., D), whose id is v. ``ids`` are integers of any
    kind in [0, N). With ``transposed`` the table, and so its gradient, is (D, N), as
    W_ih is.
    """
    size = g.shape[-1]
    ids = ids.reshape(-1).astype(np.intp, copy=False)
    g = g.reshape(len(ids), size)
    few_rows = transposed and num_embeddings <= FEW_ROWS
    if few_rows and len(ids) <= FEW_IDS:
        return _one_hot_product(ids, g, num_embeddings)
    table = empty((num_embeddings, size), g.dtype)
    table.fill(0)
    if few_rows or (g.size >= LARGE and _repeat_often(ids)):
        _sum_segments(ids, g, table)
    else:
        add_rows(table, ids, g)
    if not transposed:
        return table
    out = empty((size, num_embeddings), g.dtype)
    out[...] = table.T
    return out


def _repeat_often(ids: Array) -> bool:
    return bool(len(ids) >= 8 * np.count_nonzero(np.bincount(ids)))


def _one_hot_product(ids: Array, g: Array, num_embeddings: int) -> Array:
    one_hot = np.zeros((len(ids), num_embeddings), g.dtype)
    one_hot.reshape(-1)[ids + np.arange(0, one_hot.size, num_embeddings)] = 1
    with one_thread():
        return g.T.dot(one_hot, empty((g.shape[1], num_embeddings), g.dtype))


def _sum_segments(ids: Array, g: Array, table: Array) -> None:
    """Segmented sum: sort by id, then one product with ones for each distinct id."""
    # NumPy sorts 16 bits by radix, which is much faster.
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
