"""Dropout."""

from ...errors.tensor_checks import check_options
from ...tensor import Tensor
from .. import functional as F
from .base import Layer

__all__ = ["Dropout"]


class Dropout(Layer):
    """Zeros with probability p while training, the rest scaled by 1 / (1 - p)."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__(p=p)
        check_options(self._name, inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training)
