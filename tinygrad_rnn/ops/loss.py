"""Losses, and layer normalization."""
# mypy: allow-untyped-defs, allow-incomplete-defs

import math

from ..backend import backend_of
from ..engine import seam
from ..engine.fused import FusedOp
from ..engine.node import wrap
from ..engine.op import op
from ..types import Array, Namespace, Operand, Shape
from .elementwise import sqrt, square, where
from .reduce import log_softmax, mean

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


def _cross_entropy(
    logits: Operand,
    target: Operand,
    weight: Operand = None,
    /,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Operand:
    """Return the cross entropy, in nats, of logits (N, V) and classes (N,)."""
    classes = logits.shape[-1]
    target = target.long()
    counts = target != ignore_index
    # Zeros in place of ignored rows, which may hold a NaN.
    log_p = log_softmax(where(counts.reshape(-1, 1), logits, 0.0))
    target = where(counts, target, 0)
    if weight is None:
        row_weights = counts.to(logits.dtype)
    else:
        row_weights = where(counts, weight[target], 0.0)
    every_class = wrap(seam.constant(backend_of(target.array).arange(classes)))
    one_hot = target.reshape(-1, 1) == every_class
    loss = -row_weights * where(one_hot, log_p, 0.0).sum(-1)
    if label_smoothing:
        weighted = log_p if weight is None else log_p * weight
        smooth = where(counts, -weighted.sum(-1), 0.0)
        loss = (1.0 - label_smoothing) * loss + (label_smoothing / classes) * smooth
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.sum() / row_weights.sum()


cross_entropy = FusedOp(
    _cross_entropy, "cross_entropy_forward", "cross_entropy_backward"
)


def _bounded_log(xp: Namespace, x: Array) -> Array:
    """Return log(x), but at least -100, also for 0."""
    positive = x > 0
    logs = xp.log(xp.where(positive, x, 1.0))
    return xp.where(positive, xp.clip(logs, -100.0, None), -100.0)


def _bounded_log_of_rest(xp: Namespace, x: Array) -> Array:
    """Return log(1 - x), but at least -100, also for 1."""
    below_1 = x < 1
    logs = xp.log1p(-xp.where(below_1, x, 0.0))
    return xp.where(below_1, xp.clip(logs, -100.0, None), -100.0)


@op
def binary_cross_entropy(xp, x, y, /):
    """Return -y log(x) - (1 - y) log(1 - x), with PyTorch's finite slope at 0 and 1."""
    return (y - 1.0) * _bounded_log_of_rest(xp, x) - y * _bounded_log(xp, x)


binary_cross_entropy.vjp(
    lambda g, x, y, xp: g * ((x - y) / xp.clip((1.0 - x) * x, 1e-12, None)),
    lambda g, x, xp: g * (_bounded_log_of_rest(xp, x) - _bounded_log(xp, x)),
)


@op
def mse(xp, x, y, /):
    """Return the mean of (x - y)^2 over two arrays of one shape."""
    flat = xp.reshape(x - y, (math.prod(x.shape),))
    return xp.matmul(flat, flat) / flat.shape[0]


mse.vjp(
    lambda g, x, y: (x - y) * (g * (2.0 / math.prod(x.shape))),
    lambda g, x, y: (y - x) * (g * (2.0 / math.prod(x.shape))),
)


def _layer_norm(
    x: Operand, weight: Operand, bias: Operand, /, *, shape: Shape, eps: float
) -> Operand:
    """Return (x - mean) / sqrt(var + eps) * weight + bias over dims of ``shape``."""
    dims = tuple(range(-len(shape), 0))
    centred = x - mean(x, axis=dims, keepdims=True)
    out = centred / sqrt(mean(square(centred), axis=dims, keepdims=True) + eps)
    if weight is not None:
        out = out * weight
    if bias is not None:
        out = out + bias
    return out


layer_norm = FusedOp(_layer_norm, "layer_norm_forward", "layer_norm_backward")
