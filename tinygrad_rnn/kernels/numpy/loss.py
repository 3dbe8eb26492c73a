"""Softmax cross entropy and its gradient."""

from typing import Any

import numpy as np

from ...backend.pool import empty
from .scan import Array, Arrays, Forward, Maybe, Needs


def cross_entropy_forward(
    logits: Array, target: Array, weight: Maybe = None, *, ignore_index: int = -100,
    reduction: str = "mean", label_smoothing: float = 0.0) -> Forward:  # fmt: skip
    """The loss of logits (N, V) for classes (N,): 0-d, or (N,) with reduction "none".

    With z = x - max(x), log(sum(exp(z))) is log1p of the sum without its largest term, the 1 of the
    maximum itself: nothing cancels, and a small loss is as exact as a big one.
    """
    count, classes = logits.shape
    start = np.arange(0, count * classes, classes)
    ignored: Maybe = None
    if (target == ignore_index).any():
        ignored = target == ignore_index
        target = np.where(ignored, 0, target)
    x = np.ascontiguousarray(logits)
    top = start + x.argmax(1)  # as argmax and a look-up outrun max
    place = start + target.astype(np.intp, copy=False)

    p = np.subtract(x, x.take(top)[:, None], empty(x.shape, x.dtype))
    flat = p.reshape(-1)
    losses = -flat[place]
    every = np.ones(classes, x.dtype)
    smooth = np.dot(p, every if weight is None else weight) if label_smoothing else None
    np.exp(p, p)
    flat[top] = 0
    z = p.dot(every)
    flat[top] = 1
    log_z = np.log1p(z)
    losses += log_z
    z += 1

    share, total = None, count  # the weight of each row if they are not all 1, and their sum
    if weight is not None or ignored is not None:
        share = np.ones(count, x.dtype) if weight is None else weight[target]
        if ignored is not None:
            share[ignored] = 0
        losses *= share
        total = share.sum()
    if smooth is not None:
        smooth = log_z * (classes if weight is None else weight.sum()) - smooth
        losses += label_smoothing * (smooth / classes - losses)
    if ignored is not None:  # whatever its logits, a NaN too
        losses[ignored] = 0
    loss = losses
    if reduction != "none":
        loss = np.asarray(losses.sum() / total if reduction == "mean" else losses.sum())
    return (loss,), (p, z, place, ignored, share, total)


def cross_entropy_backward(
    grads: Any, needs: Needs, inputs: Any, outputs: Any, workspace: Any, *, ignore_index: int = -100,
    reduction: str = "mean", label_smoothing: float = 0.0) -> Arrays:  # fmt: skip
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
