"""Softmax cross entropy and its gradient."""

from typing import Any

import numpy as np

from ...backend.numpy import ones
from ...backend.pool import empty
from ...backend.standard import exp_difference
from .scan import Array, Arrays, Forward, Maybe, Needs


def cross_entropy_forward(
    logits: Array,
    target: Array,
    weight: Maybe = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Forward:
    """The loss of logits (N, V) for classes (N,): 0-d, or (N,) with reduction "none".

    With z = x - max(x), log(sum(exp(z))) is log1p of the sum without its largest term,
    the 1 of the maximum itself: nothing cancels, and a small loss is as exact as a big
    one.
    """
    count, classes = logits.shape
    start = np.arange(0, count * classes, classes)
    ignored: Maybe = None
    if np.count_nonzero(some := target == ignore_index):
        ignored, target = some, np.where(some, 0, target)
    x = np.ascontiguousarray(logits)
    top = start + x.argmax(1)  # as argmax and a look-up outrun max
    place = start + target.astype(np.intp, copy=False)

    largest = x.take(top)[:, None]
    p = np.subtract(x, largest, empty(x.shape, x.dtype))
    flat = p.reshape(-1)
    losses = -flat[place]
    every = ones(classes, x.dtype)
    smooth = p.dot(every if weight is None else weight) if label_smoothing else None
    if x.dtype == np.float32:
        np.exp(p, p)
    else:  # the same, with what the difference rounds away put back
        p[...] = exp_difference(np, x, largest)
    flat[top] = 0
    z = p.dot(every)
    flat[top] = 1
    log_z = np.log1p(z)
    losses += log_z
    z += 1

    share, total = (
        None,
        count,
    )  # the weight of each row if they are not all 1, and their sum
    if weight is not None or ignored is not None:
        share = np.ones(count, x.dtype) if weight is None else weight[target]
        if ignored is not None:
            share[ignored] = 0
        losses *= share
        total = share.sum()
    if smooth is not None:
        smooth = log_z * (classes if weight is None else weight.sum()) - smooth
        losses *= 1 - label_smoothing
        losses += label_smoothing / classes * smooth
    if ignored is not None:  # whatever its logits, a NaN too
        losses[ignored] = 0
    loss = losses
    if reduction != "none":
        loss = np.add.reduce(losses)
        loss = np.asarray(loss / total if reduction == "mean" else loss)
    return (loss,), (p, z, place, ignored, share, total)


def cross_entropy_backward(
    grads: Any,
    needs: Needs,
    inputs: Any,
    outputs: Any,
    workspace: Any,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Arrays:
    """The gradient of the logits, softmax(x) - target, as loss and weights scale it."""
    if not needs[0]:
        return None, None, None
    p, z, place, ignored, share, total = workspace
    scale = grads[0] / total if reduction == "mean" else grads[0]
    sharp = scale * (1 - label_smoothing)
    sharp = sharp if share is None else share * sharp
    factor, level = sharp, None
    if label_smoothing:
        weight = np.ones(p.shape[1], p.dtype) if inputs[2] is None else inputs[2]
        level = np.full(len(p), scale * (label_smoothing / len(weight)), p.dtype)
        factor = sharp + level * weight.sum()
    g = np.multiply(p, (factor / z)[:, None], empty(p.shape, p.dtype))
    g.reshape(-1)[place] -= sharp
    if level is not None:
        g -= level[:, None] * weight
    if ignored is not None:
        g[ignored] = 0
    return g, None, None
