"""Layers, activations and losses as functions, by torch.nn.functional's names.

Example:
    >>> import tinygrad_rnn.nn.functional as F
    >>> from tinygrad_rnn import tensor
    >>> F.relu(tensor([-2.0, 3.0])).tolist()
    [0.0, 3.0]
"""

from typing import TYPE_CHECKING

from ...errors import left_out
from . import activations, classification, layers, losses, padding
from .activations import *
from .classification import *
from .layers import *
from .losses import *
from .padding import *

__all__: list[str] = []
__all__ += layers.__all__
__all__ += activations.__all__
__all__ += padding.__all__
__all__ += losses.__all__
__all__ += classification.__all__

if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.nn.functional", globals())
