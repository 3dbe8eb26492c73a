"""CUDA: the inner loops of recurrent layers, losses and optimizers, on CuPy's arrays.

They have the names and signatures of kernels/numpy, whose equations they compute; what
is not here runs as its composite. The sources are in CUDA C++ (``*.cu``); the Python
files choose a layout and launch them. To be read in the order cells.cuh (the
equations), scan.cu, plan.py, scan.py.

Nothing here has run on a GPU yet. tests/kernels/cupy runs all of it on an emulator, and
compiles it for real ones.
"""

from .checks import all_below, check_ids
from .embedding import embedding_backward
from .loss import cross_entropy_backward, cross_entropy_forward
from .optimizer import adam_step, clip_to_norm, squares, total_norm
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
