"""RNN, LSTM and GRU: twins of kernels/numpy/rnn.py, lstm.py and gru.py."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...types import Array
from ..numpy.scan import cell_kernels
from .scan import (
    GRU,
    LSTM,
    RNN,
    Cell,
    MaybeArray,
    Needs,
    Workspace,
    scan_backward,
    scan_forward,
)

Arrays = Sequence[MaybeArray]
Inputs = Sequence[Any]  # the arguments of a forward
Lengths = np.ndarray | None


def rnn_forward(
    x: Array,
    h_0: MaybeArray,
    w_ih: Array,
    w_hh: Array,
    b_ih: MaybeArray,
    b_hh: MaybeArray,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    lengths: Lengths = None,
) -> tuple[tuple[Array, Array], Workspace]:
    """Return ``output`` (T, B, H) and ``h_n`` (1, B, H)."""
    cell = Cell(RNN, nonlinearity == "relu")
    weights = (w_ih, w_hh, b_ih, b_hh)
    outputs, workspace = scan_forward(cell, x, h_0, None, *weights, reverse, lengths)
    return outputs[:2], workspace


def rnn_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Workspace,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    lengths: Lengths = None,
) -> Arrays:
    """Return the gradients of x, h_0, w_ih, w_hh, b_ih and b_hh."""
    cell = Cell(RNN, nonlinearity == "relu")
    return _backward_without_c(cell, grads, needs, inputs, workspace, reverse)


def lstm_forward(
    x: Array,
    h_0: MaybeArray,
    c_0: MaybeArray,
    w_ih: Array,
    w_hh: Array,
    b_ih: MaybeArray,
    b_hh: MaybeArray,
    w_hr: MaybeArray = None,
    *,
    reverse: bool = False,
    lengths: Lengths = None,
) -> Any:
    """Return ``output`` (T, B, H), ``h_n`` and ``c_n`` (1, B, H).

    A projection, W_hr, is left to the composite.
    """
    if w_hr is not None:
        return NotImplemented
    weights = (w_ih, w_hh, b_ih, b_hh)
    return scan_forward(Cell(LSTM), x, h_0, c_0, *weights, reverse, lengths)


def lstm_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Workspace,
    *,
    reverse: bool = False,
    lengths: Lengths = None,
) -> Arrays:
    """Return the gradients of x, h_0, c_0, w_ih, w_hh, b_ih, b_hh and w_hr."""
    w_ih, w_hh = inputs[3:5]
    found = scan_backward(Cell(LSTM), grads, needs, w_ih, w_hh, workspace, reverse)
    return *found, None


def gru_forward(
    x: Array,
    h_0: MaybeArray,
    w_ih: Array,
    w_hh: Array,
    b_ih: MaybeArray,
    b_hh: MaybeArray,
    *,
    reverse: bool = False,
    lengths: Lengths = None,
) -> tuple[tuple[Array, Array], Workspace]:
    """Return ``output`` (T, B, H) and ``h_n`` (1, B, H)."""
    weights = (w_ih, w_hh, b_ih, b_hh)
    outputs, workspace = scan_forward(
        Cell(GRU), x, h_0, None, *weights, reverse, lengths
    )
    return outputs[:2], workspace


def gru_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Workspace,
    *,
    reverse: bool = False,
    lengths: Lengths = None,
) -> Arrays:
    """Return the gradients of x, h_0, w_ih, w_hh, b_ih and b_hh."""
    return _backward_without_c(Cell(GRU), grads, needs, inputs, workspace, reverse)


def _backward_without_c(
    cell: Cell,
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    workspace: Workspace,
    reverse: bool,
) -> Arrays:
    """Return the gradients of a layer whose only state is h."""
    w_ih, w_hh = inputs[2:4]
    with_c = (*needs[:2], False, *needs[2:])
    g_x, g_h_0, _, *g_weights = scan_backward(
        cell, (*grads, None), with_c, w_ih, w_hh, workspace, reverse
    )
    return g_x, g_h_0, *g_weights


lstm_cell_forward, lstm_cell_backward = cell_kernels(
    lstm_forward, lstm_backward, states=2
)
gru_cell_forward, gru_cell_backward = cell_kernels(gru_forward, gru_backward, states=1)
