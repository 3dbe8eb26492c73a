"""RNN, LSTM and GRU in C: let BLAS do large products, call the scans.

Legend: T time, B batch, I input, H hidden, G gates times H. Slices of the batch run on
threads; how many there are depends on the shape alone, so results do not depend on the
number of threads.
"""

from typing import Any

import numpy as np

from ...backend.numpy import matmul
from ...backend.threads import product, run_each
from ..numpy import lstm as reference
from ..numpy import scan
from ..numpy.scan import Array, Arrays, Inputs, MaybeArray, Needs
from ..numpy.slices import split_batch
from . import _c

RNN, GRU, LSTM = 1, 3, 4  # their numbers of gates
# Multiplications from which on BLAS is faster than the tiles of the C kernels.
LARGE_PRODUCT = 2.0**20
# A layer whose x and W_hh have sizes with a smaller product needs neither BLAS nor
# threads: that is seen at once, and nothing else has to be asked.
SMALL_LAYER = 2**20

# What the backward needs of the forward, or None: the states h before the first step
# and after each, (T+1, B, H); those of c; the gates, (T, B, G); W_hn h + b_hn of a GRU
# or tanh(c') of an LSTM, (T, B, H); x; lengths.
Workspace = tuple[MaybeArray, ...]
Outputs = tuple[Array, ...]


def _sum_of_biases(gates: int, b_ih: MaybeArray, b_hh: MaybeArray) -> MaybeArray:
    """Return what is added to W_ih x; the GRU's b_hn is not part of it."""
    if gates != GRU or b_hh is None:
        return scan.add_biases(b_ih, b_hh)
    bias = b_hh.copy()
    bias[len(bias) // 3 * 2 :] = 0
    return scan.add_biases(b_ih, bias)


def _forward(
    gates: int,
    inputs: Inputs,
    relu: bool = False,
    reverse: bool = False,
    lengths: MaybeArray = None,
) -> tuple[Outputs, Workspace]:
    """Return the outputs of a layer, and its workspace.

    Args:
        gates: RNN, GRU or LSTM.
        inputs: x, h_0, c_0, w_ih, w_hh, b_ih, b_hh.
    """
    x, w_hh = inputs[0], inputs[4]
    if lengths is None and x.size * w_hh.size < SMALL_LAYER:
        rows = 0, x.shape[1]
        return _c.layer_forward(gates, relu, reverse, *rows, False, None, *inputs, None)
    steps, batch = x.shape[:2]
    parts = split_batch(steps, batch, w_hh.size)
    is_large = x.ndim == 3 and x.size * len(w_hh) >= LARGE_PRODUCT
    if lengths is not None and x.ndim == 3:
        x = scan.zero_padding(x, scan.find_padding(lengths, steps))
        inputs = (x, *inputs[1:])
    if len(parts) == 1 and not is_large:
        return _c.layer_forward(
            gates, relu, reverse, 0, batch, False, lengths, *inputs, None
        )
    inputs = [None if a is None else np.ascontiguousarray(a) for a in inputs]
    made = _c.layer_forward(gates, relu, reverse, 0, 0, False, lengths, *inputs, None)
    if is_large:
        _project(gates, inputs, made[1], reverse)

    def run(part: slice) -> None:
        rows = part.start, part.stop
        _c.layer_forward(gates, relu, reverse, *rows, is_large, lengths, *inputs, made)

    run_each(run, parts)
    return made


def _project(gates: int, inputs: Inputs, workspace: Workspace, reverse: bool) -> None:
    """Write W_ih x and the biases, of all steps, to where the scan expects them."""
    x, _, _, w_ih, _, b_ih, b_hh = inputs
    states, _, sums = workspace[:3]
    if sums is None:
        assert states is not None
        sums = states[:-1] if reverse else states[1:]
    flat = sums.reshape(-1, len(w_ih))
    product(x.reshape(len(flat), -1), w_ih.T, flat)
    bias = _sum_of_biases(gates, b_ih, b_hh)
    if bias is not None:
        flat += bias


def _backward(
    gates: int,
    grads: Arrays,
    needs: Needs,
    weights: Inputs,
    workspace: Workspace,
    relu: bool = False,
    reverse: bool = False,
) -> tuple[MaybeArray, ...]:
    """Return the gradients of x, h_0, c_0, w_ih, w_hh, b_ih and b_hh.

    Args:
        gates: RNN, GRU or LSTM.
        grads: Of the outputs, h_n and c_n.
        needs: Of the results.
        weights: w_ih and w_hh.
    """
    w_ih, w_hh = weights
    states, x = workspace[0], workspace[4]
    assert states is not None and x is not None
    steps, batch = len(states) - 1, states.shape[1]
    parts = split_batch(steps, batch, w_hh.size)
    fixed = LARGE_PRODUCT, needs, grads, w_ih, w_hh, workspace
    if len(parts) == 1:
        made = _c.layer_backward(gates, relu, reverse, 0, batch, True, *fixed, None)
    else:
        made = _c.layer_backward(gates, relu, reverse, 0, 0, False, *fixed, None)

        def run(part: slice) -> None:
            rows = part.start, part.stop
            _c.layer_backward(gates, relu, reverse, *rows, False, *fixed, made)

        run_each(run, parts)
        _c.layer_backward(gates, relu, reverse, 0, 0, True, *fixed, made)
    return _add_large_products(made, needs, w_ih, states, x, reverse)


def _add_large_products(
    made: tuple[Array, ...],
    needs: Needs,
    w_ih: Array,
    states: Array,
    x: Array,
    reverse: bool,
) -> tuple[MaybeArray, ...]:
    """Return the gradients, with those that are left to BLAS."""
    g_x, g_h, g_c, g_w_ih, g_w_hh, g_b_ih, g_b_hh, g_sums, g_recurrent = made
    if needs[0] and g_x is None:
        g_x = matmul(g_sums, w_ih)
    if needs[3] and g_w_ih is None:
        g_w_ih = scan.weight_gradient(g_sums, x.reshape(-1, x.shape[-1]))
    if needs[4] and g_w_hh is None:
        before = states[1:] if reverse else states[:-1]
        through = g_sums if g_recurrent is None else g_recurrent
        g_w_hh = scan.weight_gradient(through, before)
    g_states = g_h if needs[1] else None, g_c if needs[2] else None
    return g_x, *g_states, g_w_ih, g_w_hh, g_b_ih, g_b_hh


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
    lengths: MaybeArray = None,
) -> tuple[Outputs, Workspace]:
    """Run Elman's layer."""
    inputs = (x, h_0, None, w_ih, w_hh, b_ih, b_hh)
    return _forward(RNN, inputs, nonlinearity == "relu", reverse, lengths)


def rnn_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Workspace,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    lengths: MaybeArray = None,
) -> Arrays:
    """Return the gradients of x, h_0, w_ih, w_hh, b_ih and b_hh."""
    grads, needs = (*grads, None), (*needs[:2], False, *needs[2:6])
    relu = nonlinearity == "relu"
    found = _backward(RNN, grads, needs, inputs[2:4], workspace, relu, reverse)
    return found[:2] + found[3:]


def gru_forward(
    x: Array,
    h_0: MaybeArray,
    w_ih: Array,
    w_hh: Array,
    b_ih: MaybeArray,
    b_hh: MaybeArray,
    *,
    reverse: bool = False,
    lengths: MaybeArray = None,
) -> tuple[Outputs, Workspace]:
    """Run a layer of gated recurrent units."""
    inputs = (x, h_0, None, w_ih, w_hh, b_ih, b_hh)
    return _forward(GRU, inputs, False, reverse, lengths)


def gru_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Workspace,
    *,
    reverse: bool = False,
    lengths: MaybeArray = None,
) -> Arrays:
    """Return the gradients of x, h_0, w_ih, w_hh, b_ih and b_hh."""
    grads, needs = (*grads, None), (*needs[:2], False, *needs[2:6])
    found = _backward(GRU, grads, needs, inputs[2:4], workspace, False, reverse)
    return found[:2] + found[3:]


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
    lengths: MaybeArray = None,
) -> tuple[Any, Any]:
    """Run a layer of long short-term memory; with a projection, NumPy's."""
    inputs = (x, h_0, c_0, w_ih, w_hh, b_ih, b_hh)
    if w_hr is not None:
        return reference.lstm_forward(*inputs, w_hr, reverse=reverse, lengths=lengths)
    return _forward(LSTM, inputs, False, reverse, lengths)


def lstm_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Any,
    *,
    reverse: bool = False,
    lengths: MaybeArray = None,
) -> Arrays:
    """Return the gradients of x, h_0, c_0, w_ih, w_hh, b_ih, b_hh and w_hr."""
    if len(inputs) > 7 and inputs[7] is not None:
        return reference.lstm_backward(
            grads, needs, inputs, outputs, workspace, reverse=reverse, lengths=lengths
        )
    needs = (*needs[:7],)
    found = _backward(LSTM, (*grads,), needs, inputs[3:5], workspace, False, reverse)
    return *found, None


# ---- cells


def lstm_cell_forward(
    x: Array,
    h: MaybeArray,
    c: MaybeArray,
    w_ih: Array,
    w_hh: Array,
    b_ih: MaybeArray,
    b_hh: MaybeArray,
) -> tuple[Outputs, Workspace]:
    """Run torch.nn.LSTMCell."""
    return _cell_forward(LSTM, x, h, c, w_ih, w_hh, b_ih, b_hh)


def lstm_cell_backward(
    grads: Arrays, needs: Needs, inputs: Inputs, outputs: object, workspace: Workspace
) -> Arrays:
    """Return the gradients of x, h, c, w_ih, w_hh, b_ih and b_hh."""
    return _cell_backward(LSTM, (None, *grads), needs, inputs[3:5], workspace)


def gru_cell_forward(
    x: Array,
    h: MaybeArray,
    w_ih: Array,
    w_hh: Array,
    b_ih: MaybeArray,
    b_hh: MaybeArray,
) -> tuple[Outputs, Workspace]:
    """Run torch.nn.GRUCell."""
    return _cell_forward(GRU, x, h, None, w_ih, w_hh, b_ih, b_hh)


def gru_cell_backward(
    grads: Arrays, needs: Needs, inputs: Inputs, outputs: object, workspace: Workspace
) -> Arrays:
    """Return the gradients of x, h, w_ih, w_hh, b_ih and b_hh."""
    needs = (*needs[:2], False, *needs[2:])
    grads = (None, *grads, None)
    found = _cell_backward(GRU, grads, needs, inputs[2:4], workspace)
    return found[:2] + found[3:]


def _cell_forward(gates: int, x: Array, *inputs: Any) -> tuple[Outputs, Workspace]:
    """Run one step, of (B, I), (I,), ids (B,) or an id ()."""
    lead = x.ndim - (x.dtype.kind == "f")
    batch = len(x) if lead else 1
    return _c.layer_forward(
        gates, False, False, 0, batch, False, None, x, *inputs, None
    )


def _cell_backward(
    gates: int, grads: Arrays, needs: Needs, weights: Inputs, workspace: Workspace
) -> tuple[MaybeArray, ...]:
    """Return the gradients of one step, as ``_backward`` does."""
    batch = workspace[0].shape[1]  # type: ignore[union-attr]
    fixed = np.inf, needs, grads, *weights, workspace, None
    found = _c.layer_backward(gates, False, False, 0, batch, True, *fixed)
    g_h, g_c = found[1:3]
    return (found[0], g_h if needs[1] else None, g_c if needs[2] else None, *found[3:7])
