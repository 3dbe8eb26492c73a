"""LayerNorm."""

from collections.abc import Sequence

from ...errors.tensor_checks import check_normalized_shape, check_options
from ...tensor import Tensor
from ...types import DeviceLike, DType
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .base import Layer

__all__ = ["LayerNorm"]


class LayerNorm(Layer):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, like torch.nn.LayerNorm.

    Mean and variance are taken over the last dims, for each example on its own: Ba,
    Kiros, Hinton, arXiv:1607.06450.

    Args:
        normalized_shape: The sizes S of these last dims.
        eps: A small number that keeps the root above 0.
        elementwise_affine: Whether there are weight and bias, of shape S; they start as
            ones and zeros.
        bias: With False there is no bias, in any case.
        device: Where the parameters are; the CPU if left out.
        dtype: float32 or float64; the default dtype if left out.

    Shape:
        ``(..., *S)`` to the same.

    Example:
        >>> import tinygrad_rnn as tg
        >>> y = tg.nn.LayerNorm(3)(tg.tensor([[1.0, 2.0, 3.0]]))
        >>> [round(value, 3) for value in y[0].tolist()]
        [-1.225, 0.0, 1.225]
    """

    weight: Parameter  # or None; typed as in PyTorch
    bias: Parameter  # likewise

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DType = None,
    ) -> None:
        shape = check_normalized_shape(self._name, normalized_shape)
        super().__init__(
            normalized_shape=shape, eps=eps, elementwise_affine=elementwise_affine
        )
        check_options(self._name, bias=bias)
        has_bias = elementwise_affine and bias
        self.weight = self._new_parameter(shape, device, dtype, elementwise_affine)
        self.bias = self._new_parameter(shape, device, dtype, has_bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to ones and the bias to zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        shape = self.normalized_shape
        return F.layer_norm(input, shape, self.weight, self.bias, self.eps)
