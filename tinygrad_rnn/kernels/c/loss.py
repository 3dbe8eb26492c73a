"""Softmax cross entropy in C; kernels/numpy/loss.py has the equations."""

from typing import Any, NamedTuple

import numpy as np

from ...backend.pool import empty
from ..numpy.scan import Array, Arrays, Inputs, MaybeArray, Needs
from . import _c
from .arrays import as_int64, contiguous


class Workspace(NamedTuple):
    """What the backward needs of the forward."""

    exps: Array  # exp(x - max(x)), (N, V)
    sums: Array  # their sums, (N,)
    target: Array  # (N,) of int64
    total: Any  # what a mean divides by


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
    dtype, target = logits.dtype, as_int64(target)
    exps = empty((count, classes), dtype)
    sums, losses = empty((count,), dtype), empty((count,), dtype)
    _c.cross_entropy_forward(
        count,
        classes,
        contiguous(logits),
        target,
        contiguous(weight),
        ignore_index,
        label_smoothing,
        exps,
        sums,
        losses,
    )
    total = _total_weight(target, weight, ignore_index)
    loss = losses
    if reduction != "none":
        loss = np.add.reduce(losses)
        loss = np.asarray(loss / total if reduction == "mean" else loss)
    return (loss,), Workspace(exps, sums, target, total)


def _total_weight(target: Array, weight: MaybeArray, ignore_index: int) -> Any:
    """Return the sum of the rows' weights; 0 of ignored ones."""
    ignored = target == ignore_index
    if weight is None:
        return len(target) - int(np.count_nonzero(ignored))
    return weight[target[~ignored]].sum()


def cross_entropy_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Workspace,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Arrays:
    """Return the gradient of the logits; target and weight have none."""
    if not needs[0]:
        return None, None, None
    exps, sums, target, total = workspace
    scale: Any = grads[0]
    if reduction == "mean":
        scale = scale / total
    scale = contiguous(np.asarray(scale, exps.dtype).reshape(-1))
    g = empty(exps.shape, exps.dtype)
    _c.cross_entropy_backward(
        *exps.shape,
        exps,
        sums,
        target,
        contiguous(inputs[2]),
        ignore_index,
        label_smoothing,
        scale,
        reduction != "none",
        g,
    )
    return g, None, None
