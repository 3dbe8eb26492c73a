"""Softmax cross entropy and its gradient.

With p = softmax(x), the loss of a row x (V,) and its class t is -log p_t. With label
smoothing e (Szegedy et al., arXiv:1512.00567) and weights w of the classes, it is

    (1 - e) w_t (-log p_t) + e / V sum_v w_v (-log p_v).

As d(-log p_v) / dx = p - onehot(v), its gradient is

    ((1 - e) w_t + e / V sum_v w_v) p - (1 - e) w_t onehot(t) - e / V w.
"""

from typing import Any, NamedTuple

import numpy as np

from ...backend.numpy import ones
from ...backend.pool import empty
from ...backend.standard import exp_difference
from .scan import Array, Arrays, Inputs, MaybeArray, Needs

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


class Workspace(NamedTuple):
    """What the backward needs of the forward."""

    exps: Array  # exp(x - max(x)), (N, V)
    sums: Array  # their sums, (N,)
    indices: Array  # of each row's class in the flat logits, (N,)
    ignored: MaybeArray  # which rows are ignored, (N,); None if none is
    row_weights: MaybeArray  # w_t, 0 of ignored rows, (N,); None if all are 1
    total: Array | int  # their sum, by which a mean divides


def cross_entropy_forward(
    logits: Array,
    target: Array,
    weight: MaybeArray = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[tuple[Array], Workspace]:
    """Return the loss of logits (N, V) for classes (N,), 0-d, or (N,) for "none".

    With z = x - max(x), log(sum(exp(z))) is log1p of the sum without its largest term,
    the 1 of the maximum. Nothing cancels, so a small loss is as exact as a large one.
    """
    count, classes = logits.shape
    ignored: MaybeArray = None
    is_ignored = target == ignore_index
    if np.count_nonzero(is_ignored):
        ignored, target = is_ignored, np.where(is_ignored, 0, target)
    row_starts = np.arange(0, count * classes, classes)
    x = np.ascontiguousarray(logits)
    tops = row_starts + x.argmax(1)  # argmax and take are faster than max here
    indices = row_starts + target.astype(np.intp, copy=False)

    largest = x.take(tops)[:, None]
    exps = np.subtract(x, largest, empty(x.shape, x.dtype))
    flat = exps.reshape(-1)
    losses = -flat[indices]
    every_one = ones(classes, x.dtype)
    smooth = None
    if label_smoothing:
        smooth = exps.dot(every_one if weight is None else weight)
    if x.dtype == np.float32:
        np.exp(exps, exps)
    else:  # the same, corrected by the rounding error of the difference
        exps[...] = exp_difference(np, x, largest)
    flat[tops] *= 0  # of infinity it stays NaN, as in PyTorch
    sums = exps.dot(every_one)
    flat[tops] = 1
    log_sums = np.log1p(sums)
    losses += log_sums
    sums += 1

    row_weights, total = _weigh_rows(target, weight, ignored, x.dtype)
    if row_weights is not None:
        losses *= row_weights
    if smooth is not None:
        smooth = log_sums * (classes if weight is None else weight.sum()) - smooth
        losses *= 1 - label_smoothing
        losses += label_smoothing / classes * smooth
    if ignored is not None:  # even if the logits are NaN
        losses[ignored] = 0
    loss = losses
    if reduction != "none":
        loss = np.add.reduce(losses)
        loss = np.asarray(loss / total if reduction == "mean" else loss)
    return (loss,), Workspace(exps, sums, indices, ignored, row_weights, total)


def _weigh_rows(
    target: Array, weight: MaybeArray, ignored: MaybeArray, dtype: np.dtype
) -> tuple[MaybeArray, Array | int]:
    """Return the weight of each row, None if all are 1, and their sum."""
    if weight is None and ignored is None:
        return None, len(target)
    rows = np.ones(len(target), dtype) if weight is None else weight[target]
    if ignored is not None:
        rows[ignored] = 0
    return rows, rows.sum()


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
    exps, sums, indices, ignored, row_weights, total = workspace
    scale: Any = grads[0]
    if reduction == "mean":
        scale = scale / total
    at_target = scale * (1 - label_smoothing)
    if row_weights is not None:
        at_target = row_weights * at_target
    factor, at_all = at_target, None
    if label_smoothing:
        classes = exps.shape[1]
        weight = np.ones(classes, exps.dtype) if inputs[2] is None else inputs[2]
        at_all = np.full(len(exps), scale * (label_smoothing / classes), exps.dtype)
        factor = at_target + at_all * weight.sum()
    g = np.multiply(exps, (factor / sums)[:, None], empty(exps.shape, exps.dtype))
    g.reshape(-1)[indices] -= at_target
    if at_all is not None:
        g -= at_all[:, None] * weight
    if ignored is not None:
        g[ignored] = 0
    return g, None, None
