"""Losses and layer normalization as fused ops, and binary cross entropy as a row."""

import math

from ..backend import backend_of
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
    """Cross entropy in nats of logits (N, V) and classes (N,), with weights (V,)."""
    classes = logits.shape[-1]
    target = target.long()
    kept = target != ignore_index
    # A NaN in an ignored row is of no matter.
    log_p = log_softmax(where(kept.reshape(-1, 1), logits, 0.0))
    index = where(kept, target, 0)
    share = kept.to(logits.dtype) if weight is None else where(kept, weight[index], 0.0)
    every_class = wrap(backend_of(index.array).arange(classes))
    one_hot = index.reshape(-1, 1) == every_class
    loss = -share * where(one_hot, log_p, 0.0).sum(-1)
    if label_smoothing:
        spread = log_p if weight is None else log_p * weight
        smooth = where(kept, -spread.sum(-1), 0.0)
        loss = (1.0 - label_smoothing) * loss + (label_smoothing / classes) * smooth
    if reduction == "none":
        return loss
    return loss.sum() / share.sum() if reduction == "mean" else loss.sum()


cross_entropy = FusedOp(
    _cross_entropy, "cross_entropy_forward", "cross_entropy_backward"
)


def _bounded_log(xp: Namespace, x: Array) -> Array:
    """log(x), but at least -100: that of 0 too."""
    positive = x > 0
    logs = xp.log(xp.where(positive, x, 1.0))
    return xp.where(positive, xp.clip(logs, -100.0, None), -100.0)


def _bounded_log_of_rest(xp: Namespace, x: Array) -> Array:
    """log(1 - x), but at least -100: that of 1 too."""
    below_1 = x < 1
    logs = xp.log1p(-xp.where(below_1, x, 0.0))
    return xp.where(below_1, xp.clip(logs, -100.0, None), -100.0)


@op
def binary_cross_entropy(xp: Namespace, x: Array, y: Array, /) -> Array:
    """-y log(x) - (1 - y) log(1 - x), with a finite slope at 0 and 1, as PyTorch's."""
    return (y - 1.0) * _bounded_log_of_rest(xp, x) - y * _bounded_log(xp, x)


binary_cross_entropy.vjp(
    lambda g, x, y, xp: g * ((x - y) / xp.clip((1.0 - x) * x, 1e-12, None)),
    lambda g, x, xp: g * (_bounded_log_of_rest(xp, x) - _bounded_log(xp, x)),
)


def _mse(x: Operand, y: Operand, /) -> Operand:
    """The mean of (x - y)^2 over two arrays of one shape."""
    return square(x - y).mean()


def _mse_forward(xp: Namespace, x: Array, y: Array) -> tuple[tuple[Array], Array]:
    difference = x - y
    flat = xp.reshape(difference, (math.prod(difference.shape),))
    return (xp.asarray(xp.matmul(flat, flat) / flat.shape[0]),), difference


def _mse_backward(
    xp: Namespace,
    grads: tuple[Array],
    needs: tuple[bool, ...],
    inputs: tuple[Array, ...],
    outputs: None,
    difference: Array,
) -> tuple[Array | None, ...]:
    g = difference * (grads[0] * (2.0 / math.prod(difference.shape)))
    return (g if needs[0] else None, -g if needs[1] else None)


mse = FusedOp(_mse, _mse_forward, _mse_backward, fresh=True)


def _layer_norm(
    x: Operand, weight: Operand, bias: Operand, /, *, shape: Shape, eps: float
) -> Operand:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dims, of ``shape``."""
    dims = tuple(range(-len(shape), 0))
    centred = x - mean(x, axis=dims, keepdims=True)
    out = centred / sqrt(mean(square(centred), axis=dims, keepdims=True) + eps)
    if weight is not None:
        out = out * weight
    return out if bias is None else out + bias


layer_norm = FusedOp(_layer_norm, "layer_norm_forward", "layer_norm_backward")
