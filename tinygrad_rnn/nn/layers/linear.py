"""Linear: a product with a matrix of weights."""

from typing import Any

from ...errors.tensor_checks import check_options
from ...tensor import Tensor
from .. import functional as F
from ..parameter import Parameter
from .base import Layer

__all__ = ["Linear"]


class Linear(Layer):
    """y = x W^T + b, as torch.nn.Linear: (..., in_features) to (..., out_features).

    Weight and bias start uniform within 1 / sqrt(in_features), the same on every
    device.
    """

    weight: Parameter
    bias: Parameter  # or None, which few programs ask for: typed as in PyTorch

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_features=in_features, out_features=out_features)
        check_options(self._name, bias=bias)
        self.weight = self._parameter((out_features, in_features), device, dtype)
        self.bias = self._parameter((out_features,), device, dtype, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        self._draw_uniform(("weight", "bias"), self.in_features)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, bias={self.bias is not None}"
