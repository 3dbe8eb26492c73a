"""Squares and Adam for lists of arrays: twins of kernels/numpy/optimizer.py."""

from collections.abc import Sequence
from math import sqrt

import cupy
import numpy as np

from ...types import Array
from .launch import THREADS, TRAINING, blocks_that_loop, contiguous, launch, options

Arrays = Sequence[Array]


def squares(arrays: Arrays) -> float:
    """Return the sum of the squares of all elements, each array's in its dtype.

    The host waits for the sum.
    """
    total = sum_of_squares(arrays)
    return 0.0 if total is None else total.item()


def sum_of_squares(arrays: Arrays) -> Array | None:
    """Return the sum of squares as a 0-d float64 array on the device; None of nothing.

    Each array gives some partial sums, which one thread adds up in their order.
    """
    arrays = [contiguous(x) for x in arrays if x.size]
    if not arrays:
        return None
    counts = [blocks_that_loop(x.size)[0] for x in arrays]
    partial = cupy.empty(sum(counts), arrays[0].dtype)
    settings, total = options(partial.itemsize), cupy.empty((), np.float64)
    start = 0
    for x, count in zip(arrays, counts, strict=True):
        args = (x, partial[start : start + count], np.int64(x.size))
        shared = THREADS * partial.itemsize
        launch("add_squares", TRAINING, settings, (count,), THREADS, args, shared)
        start += count
    launch("add_partials", TRAINING, settings, (1,), 1, (partial, total, len(partial)))
    return total


def adam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    max_exp_avg_sqs: Arrays | None,
    *,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Take one step of Adam, or of AdamW if ``decoupled``, a launch an array."""
    root = sqrt(1 - beta2**step)
    rate = lr * root / (1 - beta1**step)
    shrink = 1 - lr * weight_decay if decoupled else 1.0
    decay = 0.0 if decoupled else weight_decay
    numbers = (1 - beta1, beta2, 1 - beta2, eps * root, rate, shrink, decay)
    largest = max_exp_avg_sqs or [None] * len(params)
    state = (params, grads, exp_avgs, exp_avg_sqs, largest)
    for arrays in zip(*state, strict=True):
        size, dtype = arrays[0].size, arrays[0].dtype
        if size:
            scalars = [dtype.type(number) for number in numbers]
            args = (*arrays, *scalars, np.int64(size))
            settings, grid = options(dtype.itemsize), blocks_that_loop(size)
            launch("adam", TRAINING, settings, grid, THREADS, args)
