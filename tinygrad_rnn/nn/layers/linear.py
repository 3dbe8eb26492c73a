"""Linear: a product with a matrix of weights."""

from ...errors.tensor_checks import check_options
from ...tensor import Tensor
from ...types import DeviceLike, DType
from .. import functional as F
from ..parameter import Parameter
from .base import Layer

__all__ = ["Linear"]


class Linear(Layer):
    """y = x W^T + b, like torch.nn.Linear.

    Weight (out_features, in_features) and bias (out_features,) are drawn uniformly
    within 1 / sqrt(in_features), the same on every device.

    Args:
        in_features: The size I of the last dim of the input.
        out_features: The size O of the last dim of the output.
        bias: Whether there is a b.
        device: Where the parameters are; the CPU if left out.
        dtype: float32 or float64; the default dtype if left out.

    Shape:
        (..., I) to (..., O).

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.Linear(3, 2)(tg.ones(5, 4, 3)).shape
        (5, 4, 2)
    """

    weight: Parameter
    bias: Parameter  # or None; typed as in PyTorch, since few programs leave it out

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DType = None,
    ) -> None:
        super().__init__(in_features=in_features, out_features=out_features)
        check_options(self._name, bias=bias)
        shape = (out_features, in_features)
        self.weight = self._new_parameter(shape, device, dtype)
        self.bias = self._new_parameter((out_features,), device, dtype, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial values again."""
        self._draw_uniform((self.weight, self.bias), self.in_features)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, bias={self.bias is not None}"
