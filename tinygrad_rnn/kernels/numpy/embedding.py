"""The gradient of an embedding, or of a weight that multiplies one-hot rows."""

import numpy as np

from ...backend.numpy import add_rows, ones
from ...backend.pool import empty
from ...backend.threads import one_thread

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Array = np.ndarray
FEW_IDS = 150  # for so few, a product with one-hot rows costs less than a sort
FEW_ROWS = 256  # with more, one-hot rows are mostly zeros and segments mostly short


def embedding_backward(
    ids: Array, g: Array, num_embeddings: int, *, transposed: bool = False
) -> Array:
    """The gradient of a table (N, D) of which ``ids`` (...) took the rows: (N, D).

    Row v sums those rows of ``g``, (..., D), whose id is v. ``ids`` are integers of any
    kind in [0, N). With ``transposed`` the table, and so its gradient, is (D, N), as
    W_ih is.
    """
    size = g.shape[-1]
    ids, g = ids.reshape(-1).astype(np.intp, copy=False), g.reshape(-1, size)
    with one_thread():
        few_rows = num_embeddings <= FEW_ROWS
        if few_rows and len(ids) <= FEW_IDS:
            return _one_hot_product(ids, g, num_embeddings, transposed)
        counts = np.bincount(ids, minlength=num_embeddings)
        distinct = counts.nonzero()[0]
        table = empty((num_embeddings, size), g.dtype)
        table.fill(0)
        if few_rows or len(ids) >= 8 * len(distinct):
            _sum_segments(ids, g, counts, distinct, table)
        else:
            add_rows(table, ids, g)
    if not transposed:
        return table
    out = empty((size, num_embeddings), g.dtype)
    out[...] = table.T
    return out


def _one_hot_product(ids: Array, g: Array, count: int, transposed: bool) -> Array:
    one_hot = np.zeros((len(ids), count), g.dtype)
    one_hot.reshape(-1)[ids + np.arange(0, one_hot.size, count)] = 1
    left, right = (g, one_hot) if transposed else (one_hot, g)
    return left.T.dot(right, empty((left.shape[1], right.shape[1]), g.dtype))


def _sum_segments(
    ids: Array, g: Array, counts: Array, distinct: Array, table: Array
) -> None:
    """Segmented sum: sort by id, then one product with ones for each distinct id."""
    # NumPy sorts 16 bits by radix, which is much faster.
    order = (ids.astype(np.uint16) if len(table) <= 1 << 16 else ids).argsort(
        kind="stable"
    )
    every_one = ones(counts.max().item(), g.dtype)
    stops = counts.cumsum()[distinct].tolist()
    start = 0
    for v, stop in zip(distinct.tolist(), stops, strict=True):
        every_one[: stop - start].dot(g.take(order[start:stop], 0), table[v])
        start = stop
