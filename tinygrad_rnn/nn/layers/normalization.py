"""LayerNorm."""

from collections.abc import Sequence
from typing import Any

from ...errors.tensor_checks import check_normalized_shape, check_options
from ...tensor import Tensor
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .base import Layer

__all__ = ["LayerNorm"]


class LayerNorm(Layer):
    """(x - mean) / sqrt(var + eps) * weight + bias, as torch.nn.LayerNorm: (..., *S) to
    the same.

    Mean and variance are over the last dims, S = ``normalized_shape``; weight and bias
    of that shape start as ones and zeros.
    """

    weight: Parameter  # or None, typed as in PyTorch
    bias: Parameter  # likewise

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        shape = check_normalized_shape(self._name, normalized_shape)
        super().__init__(
            normalized_shape=shape, eps=eps, elementwise_affine=elementwise_affine
        )
        check_options(self._name, bias=bias)
        has_bias = elementwise_affine and bias
        self.weight = self._parameter(shape, device, dtype, elementwise_affine)
        self.bias = self._parameter(shape, device, dtype, has_bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Ones and zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(
            input, self.normalized_shape, self.weight, self.bias, self.eps
        )
