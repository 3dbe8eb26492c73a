"""C: the same kernels as kernels/numpy, compiled for several instruction sets.

What is not written in C is NumPy's. The sources are in source/; setup.py builds the
module ``_c`` from them.
"""

from .embedding import embedding_backward
from .linear import linear_backward, linear_forward
from .loss import cross_entropy_backward, cross_entropy_forward
from .norm import layer_norm_backward, layer_norm_forward
from .optimizer import (
    adam_step,
    all_below,
    all_contiguous,
    clip,
    prepare_adam_step,
    scale,
    squares,
)
from .recurrent import (
    gru_backward,
    gru_cell_backward,
    gru_cell_forward,
    gru_forward,
    lstm_backward,
    lstm_cell_backward,
    lstm_cell_forward,
    lstm_forward,
    rnn_backward,
    rnn_forward,
)
