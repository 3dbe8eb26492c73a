"""Losses as modules: the functions of `functional`, with their options kept as attributes."""

from ..tensor import Tensor
from . import functional as F
from .layers import Functional

__all__ = ["BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "L1Loss", "MSELoss", "NLLLoss"]
__all__ += ["SmoothL1Loss"]


class _Reduced(Functional):
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


class MSELoss(_Reduced):
    """(input - target)^2: its mean, its sum, or as it is."""

    function = F.mse_loss


class L1Loss(_Reduced):
    """|input - target|: its mean, its sum, or as it is."""

    function = F.l1_loss


class SmoothL1Loss(Functional):
    """d^2 / (2 beta) for |d| < beta, else |d| - beta / 2, of d = input - target."""

    function = F.smooth_l1_loss

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction, beta=beta)


class HuberLoss(Functional):
    """d^2 / 2 for |d| < delta, else delta * (|d| - delta / 2), of d = input - target."""

    function = F.huber_loss

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction, delta=delta)


class CrossEntropyLoss(Functional):
    """Cross entropy in nats of logits (N, V, ...) and classes (N, ...) or probabilities."""

    function = F.cross_entropy

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        options = {"ignore_index": ignore_index, "reduction": reduction}
        super().__init__(weight=weight, **options, label_smoothing=label_smoothing)


class NLLLoss(Functional):
    """-input at the class: of log-probabilities (N, V, ...) and classes (N, ...)."""

    function = F.nll_loss

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)


class BCEWithLogitsLoss(Functional):
    """Cross entropy in nats of logits and of probabilities that something is true, of one shape."""

    function = F.binary_cross_entropy_with_logits

    def __init__(
        self, weight: Tensor | None = None, reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight=weight, reduction=reduction, pos_weight=pos_weight)
