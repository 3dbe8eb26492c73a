"""Layers that compute nothing: Identity and Flatten."""

from ...tensor import Tensor
from ...types import Operand, Setting
from ..module import Module
from .base import Functional

__all__ = ["Flatten", "Identity"]


class Identity(Module):
    """The input itself. Its arguments are ignored, so it can replace any layer.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.Identity(54, unused=True)(tg.tensor([1, 2])).tolist()
        [1, 2]
    """

    def __init__(self, *args: Setting, **kwargs: Setting) -> None:
        super().__init__()

    def forward(self, input: Operand) -> Operand:
        return input


class Flatten(Functional, of=Tensor.flatten):
    """The dims from ``start_dim`` to ``end_dim`` as one.

    Args:
        start_dim: The first dim that is joined.
        end_dim: The last dim that is joined.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.Flatten()(tg.ones(2, 3, 4)).shape
        (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__(start_dim=start_dim, end_dim=end_dim)
