"""NumPy: the inner loops of recurrent layers, losses, normalization and optimizers.

They take arrays of one float dtype, float32 or float64, with any strides and with time
first. docs/adding-a-kernel.md lists them with their contracts. The layers check the
arguments; kernels do not.
"""

from .embedding import embedding_backward
from .gru import gru_backward, gru_cell_backward, gru_cell_forward, gru_forward
from .linear import linear_backward, linear_forward
from .loss import cross_entropy_backward, cross_entropy_forward
from .lstm import lstm_backward, lstm_cell_backward, lstm_cell_forward, lstm_forward
from .norm import layer_norm_backward, layer_norm_forward
from .optimizer import adam_step, scale, squares
from .rnn import rnn_backward, rnn_forward
