"""Softmax cross entropy and its gradient: a twin of kernels/numpy/loss.py."""

from collections.abc import Sequence
from typing import NamedTuple

import cupy
import numpy as np

from ...types import Array
from .launch import THREADS, TRAINING, contiguous, launch, options

MaybeArray = Array | None
ROWS = THREADS // 32  # of a block: a warp has one


class Workspace(NamedTuple):
    """What the backward needs of the forward; the names are those of training.cu."""

    logits: Array  # (N, V), in C order
    target: Array  # (N,), int32
    weight: MaybeArray
    row_weights: Array  # (N,)
    largest: Array  # (N,)
    sums: Array  # (N,)
    divisor: MaybeArray  # 0-d; None for "none"


def _launch(name: str, count: int, logits: Array, *args: object) -> None:
    settings = options(logits.itemsize)
    launch(name, TRAINING, settings, (-(-count // ROWS),), THREADS, (logits, *args))


def cross_entropy_forward(
    logits: Array,
    target: Array,
    weight: MaybeArray = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[tuple[Array], Workspace]:
    """Return the loss of logits (N, V) for classes (N,), 0-d, or (N,) for "none"."""
    count, classes = logits.shape
    dtype = logits.dtype
    logits, weight = contiguous(logits), contiguous(weight)
    target = contiguous(_as_int32(target, classes, ignore_index))
    losses, row_weights, largest, sums = [cupy.empty(count, dtype) for _ in range(4)]
    if count:
        arrays = (logits, target, weight, losses, row_weights, largest, sums)
        smoothing = dtype.type(label_smoothing)
        sizes = (count, classes, _ignored(ignore_index), smoothing)
        _launch("cross_entropy_rows", count, *arrays, *sizes)
    loss, divisor = losses, None
    if reduction != "none":
        loss, divisor = cupy.empty((), dtype), cupy.empty((), dtype)
        args = (losses, row_weights, loss, divisor, count, reduction == "mean")
        launch(
            "cross_entropy_total",
            TRAINING,
            options(dtype.itemsize),
            (1,),
            THREADS,
            args,
            shared_bytes=THREADS * dtype.itemsize,
        )
    kept = (logits, target, weight, row_weights, largest, sums, divisor)
    return (loss,), Workspace(*kept)


def _ignored(ignore_index: int) -> int:
    """Return an index to ignore as an int32, -1 for one that is no class anyway."""
    return ignore_index if 0 <= ignore_index < 1 << 31 else -1


def _as_int32(target: Array, classes: int, ignore_index: int) -> Array:
    """Return classes as int32; those to be ignored need not fit."""
    if not 0 <= ignore_index < classes:
        target = cupy.where(target == ignore_index, -1, target)
    return target.astype(np.int32)


def cross_entropy_backward(
    grads: Sequence[MaybeArray],
    needs: Sequence[bool],
    inputs: Sequence[object],
    outputs: object,
    workspace: Workspace,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[MaybeArray, None, None]:
    """Return the gradient of the logits; target and weight have none."""
    if not needs[0]:
        return None, None, None
    logits = workspace.logits
    count, classes = logits.shape
    g = cupy.empty(logits.shape, logits.dtype)
    if g.size:
        smoothing = logits.dtype.type(label_smoothing)
        sizes = (count, classes, _ignored(ignore_index), smoothing)
        arrays = (*workspace, contiguous(grads[0]), g)
        _launch("cross_entropy_gradient", count, *arrays, *sizes)
    return g, None, None
