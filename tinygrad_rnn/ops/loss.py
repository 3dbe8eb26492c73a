"""Softmax cross entropy as one fused op: the only loss that is worth a kernel."""

from typing import Any

from ..engine.op import FusedOp
from ..engine.node import wrap
from .elementwise import where
from .reduce import log_softmax

__all__ = ["cross_entropy"]


def _cross_entropy(
    logits: Any,
    target: Any,
    weight: Any = None,
    /,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Cross entropy of logits (N, V) and class indices (N,), weighted by class (V,), in nats."""
    classes = logits.shape[-1]
    log_p = log_softmax(logits)
    kept = target != ignore_index
    index = where(kept, target, 0)
    share = kept.to(logits.dtype) if weight is None else weight[index] * kept
    one_hot = index.reshape(-1, 1) == wrap(_arange(index, classes))
    loss = -share * where(one_hot, log_p, 0.0).sum(-1)
    if label_smoothing:
        spread = log_p if weight is None else log_p * weight
        smooth = -spread.sum(-1) * kept
        loss = (1.0 - label_smoothing) * loss + (label_smoothing / classes) * smooth
    if reduction == "none":
        return loss
    return loss.sum() / share.sum() if reduction == "mean" else loss.sum()


def _arange(like: Any, count: int) -> Any:
    from ..backend import backend_of

    return backend_of(like.data).arange(count)


cross_entropy = FusedOp(_cross_entropy)
