"""Rows of a table by ids, and the gradient of the table."""

import cupy
import numpy as np

from ...types import Array
from .launch import THREADS, TRAINING, blocks_that_loop, contiguous, launch, options

COLUMNS, TEAMS = 32, 4  # of a block of add_rows


def take_rows(table: Array, ids: Array, bias: Array | None) -> Array:
    """Return the rows (N, D) of a table (V, D) for ids (N,) of int32, plus a bias (D,).

    The table may be transposed, as W_ih.T is; it is copied if there are as many ids as
    rows, as then the copy is the smaller work.
    """
    rows, width = table.shape
    is_transposed = len(ids) < rows and table.T.flags.c_contiguous
    memory = table.T if is_transposed else contiguous(table)
    strides = (1, rows) if is_transposed else (width, 1)  # of an id, of a column
    out = cupy.empty((len(ids), width), table.dtype)
    if out.size:
        args = (memory, contiguous(bias), ids, out, len(ids), width, rows, *strides)
        settings, grid = options(table.itemsize), blocks_that_loop(out.size)
        launch("take_rows", TRAINING, settings, grid, THREADS, args)
    return out


def embedding_backward(
    ids: Array, g: Array, num_embeddings: int, *, transposed: bool = False
) -> Array:
    """Return the gradient of a table (N, D) from which ``ids`` (...) selected rows.

    The ids are sorted, so that the rows of each are added up in a fixed order. With
    ``transposed``, the table and its gradient are (D, N).
    """
    size = g.shape[-1]
    ids = cupy.reshape(cupy.asarray(ids), (-1,)).astype(np.int32)  # or on the host
    g = contiguous(cupy.reshape(g, (len(ids), size)))
    shape = (size, num_embeddings) if transposed else (num_embeddings, size)
    table = cupy.empty(shape, g.dtype)
    if table.size == 0:
        return table
    order = cupy.argsort(ids)  # which is stable
    every_id = cupy.arange(num_embeddings + 1, dtype=np.int32)
    starts = cupy.searchsorted(cupy.take(ids, order), every_id).astype(np.int32)
    strides = (1, num_embeddings) if transposed else (size, 1)
    launch(
        "add_rows",
        TRAINING,
        options(g.itemsize),
        (num_embeddings, -(-size // COLUMNS)),
        COLUMNS * TEAMS,
        (g, order.astype(np.int32), starts, table, size, *strides),
        shared_bytes=COLUMNS * TEAMS * g.itemsize,
    )
    return table
