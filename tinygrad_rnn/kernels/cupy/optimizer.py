"""Norms, clipping and Adam for lists of arrays."""

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from math import inf, sqrt

import cupy
import numpy as np

from ...backend.pending import Check
from ...types import Array
from .checks import error_record
from .launch import THREADS, TRAINING, blocks_that_loop, contiguous, launch, options

Arrays = Sequence[Array]


def squares(arrays: Arrays) -> float:
    """Return the sum of the squares of all elements; the host waits for it."""
    partial, _ = _add_squares(arrays)
    total = cupy.empty((), np.float64)
    args = (partial, total, len(partial))
    launch("add_partials", TRAINING, options(8), (1,), 1, args)
    return float(total.item())


def _add_squares(arrays: Arrays) -> tuple[Array, list[int]]:
    """Return partial sums of the squares, some of each array, and how many of each."""
    counts = [blocks_that_loop(x.size)[0] for x in arrays]
    partial, start = cupy.empty(sum(counts), np.float64), 0
    for x, count in zip(arrays, counts, strict=True):
        if count:
            own = partial[start : start + count]
            args = (contiguous(x), own, np.int64(x.size))
            settings, shared = options(x.itemsize), THREADS * partial.itemsize
            launch("add_squares", TRAINING, settings, (count,), THREADS, args, shared)
        start += count
    return partial, counts


def total_norm(
    arrays: Arrays, max_norm: float = inf, if_nonfinite: Check | None = None
) -> tuple[Array, Array]:
    """Return the norm of arrays, 0-d in the first one's dtype, without a wait.

    Args:
        arrays: Their elements are taken together.
        max_norm: The norm that the factor is for.
        if_nonfinite: What is reported if the norm is not finite: with the number of the
            first array that is to blame, and 1 for a NaN.

    Returns:
        The norm, and the factor for :func:`clip_to_norm`, 0-d.
    """
    partial, counts = _add_squares(arrays)
    number, record = 0, error_record()
    if if_nonfinite is not None:
        ends = tuple(accumulate(counts))
        number = record.number_of(Check(_explain_by_array, (ends, if_nonfinite)))
    norm, factor = cupy.empty((), arrays[0].dtype), cupy.empty((), np.float64)
    results = (norm, factor, record.memory)
    args = (partial, *results, len(partial), np.float64(max_norm), number)
    settings, shared = options(norm.itemsize), THREADS * partial.itemsize
    launch("norm_and_factor", TRAINING, settings, (1,), THREADS, args, shared)
    return norm, factor


def _explain_by_array(
    place: int, is_nan: int, ends: tuple[int, ...], check: Check
) -> Exception:
    """Return the error of the array that a partial sum belongs to."""
    return check.explain(bisect(ends, place), is_nan, *check.facts)


def clip_to_norm(
    arrays: Arrays, max_norm: float, if_nonfinite: Check | None
) -> Array | None:
    """Scale arrays in place to a norm of at most max_norm, without a wait.

    With ``if_nonfinite``, they become zeros if their norm is not finite.

    Returns:
        The norm before, 0-d; None, with nothing done, for an array with gaps.
    """
    arrays = [x.T if x.flags.f_contiguous else x for x in arrays]
    if not all(x.flags.c_contiguous for x in arrays):
        return None
    norm, factor = total_norm(arrays, max_norm, if_nonfinite)
    for x in arrays:
        if x.size:
            args, grid = (x, factor, np.int64(x.size)), blocks_that_loop(x.size)
            launch("clip_to_norm", TRAINING, options(x.itemsize), grid, THREADS, args)
    return norm


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
