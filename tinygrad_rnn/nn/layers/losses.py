"""Losses as modules."""

from ...errors import check_choice
from ...errors.tensor_checks import KL_REDUCTIONS
from ...tensor import Tensor
from .. import functional as F
from .base import Functional

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Reduced(Functional):
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


class MSELoss(_Reduced, of=F.mse_loss):
    """(input - target)^2: its mean, its sum, or as it is."""


class L1Loss(_Reduced, of=F.l1_loss):
    """|input - target|: its mean, its sum, or as it is."""


class SmoothL1Loss(Functional, of=F.smooth_l1_loss):
    """d^2 / (2 beta) for |d| < beta, else |d| - beta / 2, of d = input - target."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction, beta=beta)


class HuberLoss(Functional, of=F.huber_loss):
    """d^2 / 2 for |d| < delta, else delta * (|d| - delta / 2), of d = input - target."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction, delta=delta)


class CrossEntropyLoss(Functional, of=F.cross_entropy):
    """Cross entropy in nats of logits (N, V, ...) and classes (N, ...) or
    probabilities.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )


class NLLLoss(Functional, of=F.nll_loss):
    """-input at the class: of log-probabilities (N, V, ...) and classes (N, ...)."""

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)


class BCEWithLogitsLoss(Functional, of=F.binary_cross_entropy_with_logits):
    """Cross entropy in nats of logits and of probabilities that something is true, of
    one shape.
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight=weight, reduction=reduction, pos_weight=pos_weight)


class BCELoss(Functional, of=F.binary_cross_entropy):
    """Cross entropy in nats of probabilities and of those that something is true, of
    one shape.
    """

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(weight=weight, reduction=reduction)


class KLDivLoss(Functional, of=F.kl_div):
    """target * (log(target) - input), of log-probabilities ``input`` and probabilities
    ``target``.

    ``reduction="batchmean"`` divides the sum by the first dim, as the divergence is
    defined; "mean" divides it by the number of elements.
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(log_target=log_target)
        check_choice(self._name, KL_REDUCTIONS, reduction=reduction)
        self.reduction, self._kept = reduction, ("reduction", *self._kept)
