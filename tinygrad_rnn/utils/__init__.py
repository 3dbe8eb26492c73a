"""Tools around training: recomputation, batches, states, drawings, gradient flow.

Example:
    >>> import tinygrad_rnn as tg
    >>> tg.utils.detach(tg.ones(2, requires_grad=True) * 3)
    tensor([3., 3.], dtype=float32)
"""

from typing import TYPE_CHECKING

from ..errors import left_out
from . import checkpoint, data
from .drawing import draw
from .flow import gradient_flow
from .structure import detach

__all__ = ["checkpoint", "data", "detach", "draw", "gradient_flow"]

if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.utils", globals())
