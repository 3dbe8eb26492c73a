"""Losses as modules."""

from ..tensor import Tensor
from . import functional as F
from .module import Module


class MSELoss(Module):
    """The mean of (input - target)^2; also 'sum' and 'none'."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        F.check_reduction("nn.MSELoss", reduction)
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, self.reduction)


class CrossEntropyLoss(Module):
    """Cross entropy in nats of logits (N, V, ...) and classes (N, ...), as PyTorch's."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        F.check_reduction("nn.CrossEntropyLoss", reduction)
        F.check_probability("nn.CrossEntropyLoss", "label_smoothing", label_smoothing)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )
