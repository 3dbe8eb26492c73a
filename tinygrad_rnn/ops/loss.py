"""Losses and layer normalization as fused ops: by kernels, squared errors in a few
array calls.
"""

import math
from typing import Any

from ..backend import backend_of
from ..engine.fused import FusedOp
from ..engine.node import wrap
from ..engine.op import op
from .elementwise import sqrt, square, where
from .reduce import log_softmax, mean

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


def _cross_entropy(
    logits: Any,
    target: Any,
    weight: Any = None,
    /,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Cross entropy of logits (N, V) and class indices (N,), weighted by class (V,), in
    nats.
    """
    classes = logits.shape[-1]
    target = target.long()
    kept = target != ignore_index
    log_p = log_softmax(
        where(kept.reshape(-1, 1), logits, 0.0)
    )  # a NaN there is of no matter
    index = where(kept, target, 0)
    share = kept.to(logits.dtype) if weight is None else where(kept, weight[index], 0.0)
    one_hot = index.reshape(-1, 1) == wrap(backend_of(index.array).arange(classes))
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


def _log(xp: Any, x: Any) -> Any:
    """log(x), but at least -100: that of 0 too."""
    some = x > 0
    return xp.where(some, xp.clip(xp.log(xp.where(some, x, 1.0)), -100.0, None), -100.0)


def _log_of_rest(xp: Any, x: Any) -> Any:
    """log(1 - x), but at least -100: that of 1 too."""
    some = x < 1
    return xp.where(
        some, xp.clip(xp.log1p(-xp.where(some, x, 0.0)), -100.0, None), -100.0
    )


@op
def binary_cross_entropy(xp: Any, x: Any, y: Any, /) -> Any:
    """-y log(x) - (1 - y) log(1 - x), as PyTorch's, whose slope is finite at 0 and at
    1.
    """
    return (y - 1.0) * _log_of_rest(xp, x) - y * _log(xp, x)


binary_cross_entropy.vjp(
    lambda g, x, y, xp: g * ((x - y) / xp.clip((1.0 - x) * x, 1e-12, None)),
    lambda g, x, xp: g * (_log_of_rest(xp, x) - _log(xp, x)),
)


def _mse(x: Any, y: Any, /) -> Any:
    """The mean of (x - y)^2 over two arrays of one shape."""
    return square(x - y).mean()


def _mse_forward(xp: Any, x: Any, y: Any) -> Any:
    difference = x - y
    flat = xp.reshape(difference, (math.prod(difference.shape),))
    return (xp.asarray(xp.matmul(flat, flat) / flat.shape[0]),), difference


def _mse_backward(
    xp: Any, grads: Any, needs: Any, inputs: Any, outputs: None, difference: Any
) -> Any:
    g = difference * (grads[0] * (2.0 / math.prod(difference.shape)))
    return (g if needs[0] else None, -g if needs[1] else None)


mse = FusedOp(_mse, _mse_forward, _mse_backward, fresh=True)


def _layer_norm(
    x: Any, weight: Any, bias: Any, /, *, shape: tuple[int, ...], eps: float
) -> Any:
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last dims, which are of
    ``shape``.
    """
    dims = tuple(range(-len(shape), 0))
    centred = x - mean(x, axis=dims, keepdims=True)
    out = centred / sqrt(mean(square(centred), axis=dims, keepdims=True) + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


layer_norm = FusedOp(_layer_norm, "layer_norm_forward", "layer_norm_backward")
