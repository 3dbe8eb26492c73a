"""Dropout."""

from ...errors.tensor_checks import check_options
from ...tensor import Tensor
from .. import functional as F
from .base import Layer

__all__ = ["Dropout"]


class Dropout(Layer):
    """Dropout: while training, set elements to 0 with probability p.

    The others are scaled by 1 / (1 - p), which keeps the expected value. After
    ``eval()`` the input passes unchanged. Like torch.nn.Dropout; Srivastava et al.
    2014.

    Args:
        p: The probability of a zero, from 0 to 1.
        inplace: Not supported; has to be False.

    Shape:
        (...) to the same.

    Example:
        >>> import tinygrad_rnn as tg
        >>> dropout = tg.nn.Dropout(0.75)
        >>> {*dropout(tg.ones(100)).tolist()} == {0.0, 4.0}
        True
        >>> dropout.eval()(tg.ones(2)).tolist()
        [1.0, 1.0]
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__(p=p)
        check_options(self._name, inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training)
