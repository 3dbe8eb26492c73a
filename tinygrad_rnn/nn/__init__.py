"""Modules, layers, losses, initial values, clipping: torch.nn's names."""

from typing import TYPE_CHECKING

from ..errors import left_out
from . import functional, init, layers, utils
from .cells import GRUCell, LSTMCell, RNNCell
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .layers import *
from .module import Module
from .parameter import Parameter
from .rnn import GRU, LSTM, RNN
from .stepper import Stepper
from .utils.clip_grad import GradientClipping

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "GradientClipping",
    "LSTMCell",
    "Module",
    "ModuleDict",
]
__all__ += [
    "ModuleList",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "RNNCell",
    "Sequential",
]
__all__ += ["Stepper", "functional"]
__all__ += ["init", "utils"]
__all__ += layers.__all__

if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.nn", globals())
