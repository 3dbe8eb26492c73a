"""Modules, layers, losses, initial values, clipping: torch.nn's names."""

from . import functional, init, utils
from .clip import GradientClipping
from .layers import Dropout, Embedding, Identity, Linear, ReLU, Sequential, Sigmoid, Tanh
from .losses import CrossEntropyLoss, MSELoss
from .module import Module, Parameter
from .rnn import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell

# fmt: off
__all__ = [
    "GRU", "LSTM", "RNN", "CrossEntropyLoss", "Dropout", "Embedding", "GRUCell",
    "GradientClipping", "Identity", "LSTMCell", "Linear", "MSELoss", "Module", "Parameter",
    "RNNCell", "ReLU", "Sequential", "Sigmoid", "Tanh", "functional", "init", "utils",
]
# fmt: on
