"""Modules, layers, losses, initial values, clipping: torch.nn's names.

Example:
    >>> from tinygrad_rnn import nn, ones
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    >>> model(ones(5, 3)).shape
    (5, 2)
"""

from typing import TYPE_CHECKING

from ..errors import left_out
from . import containers, functional, init, layers, utils
from .cells import GRUCell, LSTMCell, RNNCell
from .containers import *
from .layers.activations import *
from .layers.dropout import *
from .layers.embedding import *
from .layers.linear import *
from .layers.losses import *
from .layers.normalization import *
from .layers.shapes import *
from .module import Module
from .parameter import Parameter
from .rnn import GRU, LSTM, RNN
from .stepper import Stepper
from .utils.clip_grad import GradientClipping

__all__ = [
    "GRU",
    "GRUCell",
    "GradientClipping",
    "LSTM",
    "LSTMCell",
    "Module",
    "Parameter",
    "RNN",
    "RNNCell",
    "Stepper",
    "functional",
    "init",
    "utils",
]
__all__ += containers.__all__
__all__ += layers.activations.__all__
__all__ += layers.dropout.__all__
__all__ += layers.embedding.__all__
__all__ += layers.linear.__all__
__all__ += layers.losses.__all__
__all__ += layers.normalization.__all__
__all__ += layers.shapes.__all__

if TYPE_CHECKING:
    from . import parallel as parallel
else:
    __getattr__ = left_out.getter("tg.nn", globals(), lazy={"parallel"})
