"""Around training: memory for time (``checkpoint``), states without a history, graphs drawn."""

from types import NoneType
from typing import Any

from ..errors import check_type
from ..tensor import Tensor
from . import checkpoint
from .drawing import draw

__all__ = ["checkpoint", "detach", "draw"]


def detach(state: Any) -> Any:
    """A state without its history, for truncated backpropagation in one line.

    Of a Tensor, or of the Tensors in a tuple, list or dict, such as an LSTM's ``(h, c)``; None
    stays None. The memory is shared.

    >>> import tinygrad_rnn as tg
    >>> lstm, state = tg.nn.LSTM(3, 4), None
    >>> for window in tg.randn(6, 2, 3).split(2):  # a sequence, two steps at a time
    ...     output, state = lstm(window, state)
    ...     output.sum().backward()  # goes back through this window alone
    ...     state = tg.utils.detach(state)
    """
    if isinstance(state, dict):
        return {key: detach(part) for key, part in state.items()}
    if isinstance(state, tuple | list):
        return type(state)(map(detach, state))
    expected = "a Tensor, None, or a tuple, list or dict of them"
    check_type("detach", Tensor | NoneType, expected, state=state)
    return None if state is None else state.detach()
