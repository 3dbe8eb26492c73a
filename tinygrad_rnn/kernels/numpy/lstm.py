"""Long short-term memory: c' = f c + i g, h' = o tanh(c'), with gates i, f, g, o.

Hochreiter and Schmidhuber, Neural Computation 1997, with the forget gate f of Gers,
Schmidhuber and Cummins 2000. i, f, o = sigmoid(a), g = tanh(a) of the four parts of
a = W_ih x + b_ih + W_hh h + b_hh. With m = o tanh(c'), h' = m, or with W_hr (R, H) a
projection, h' = W_hr m, (B, R): Sak, Senior and Beaufays, arXiv:1402.1128.

Backward. dh' and dc' are the cotangents of h' and c' so far:

    dm   = W_hr^T dh'  or dh'              dW_hr = sum dh' m^T
    dc'  = dc' + dm o (1 - tanh(c')^2)     dc    = dc' f
    da_o = dm tanh(c') o (1 - o)           da_i  = dc' g i (1 - i)
    da_f = dc' c f (1 - f)                 da_g  = dc' i (1 - g^2)
    dh   = W_hh^T da + the cotangent of the previous output

The factors of dm and dc', the slopes, are computed for all steps before the scan back.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy import add, copyto, multiply, subtract, tanh

from ...backend.pool import empty
from . import scan, slices
from .scan import Array, Arrays, Inputs, MaybeArray, Needs, Padding

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


class Workspace(NamedTuple):
    """What the backward needs of the forward."""

    h_before: Array  # h of the previous step, (T, B, H or R)
    c_before: Array  # c of the previous step, (T, B, H)
    c_after: Array  # c' of each step
    gates: Array  # i, f, g, o: (T, 4, B, H)
    m: Array  # o tanh(c')
    rows: Array  # the input, (T*B, I), or ids (T*B,)
    padding: Padding


@lru_cache(4)
def _tanh_to_gates(batch: int, hidden: int, dtype: np.dtype) -> tuple[Array, Array]:
    """Return factors and offsets, (4, B, H), for all four gates by one tanh.

    sigmoid(a) = tanh(a / 2) / 2 + 1 / 2. They are repeated over the batch, as adding
    few long rows is faster than many short ones.
    """
    half = np.array([0.5, 0.5, 1, 0.5], dtype)[:, None, None]
    half = half.repeat(batch, 1).repeat(hidden, 2)
    return half, 1 - half


@slices.parallel_forward(states=2)
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
) -> tuple[tuple[Array, Array, Array], Workspace]:
    """Return ``output`` (T, B, H) and ``h_n`` and ``c_n`` (1, B, H), as rnn_forward.

    With W_hr (R, H), ``output`` and ``h_n`` have R features.
    """
    steps, batch, hidden, size = *x.shape[:2], len(w_hh) // 4, w_hh.shape[1]
    dtype = w_hh.dtype
    h_before, h_after = scan.allocate_states(h_0, (steps, batch, size), dtype, reverse)
    c_before, c_after = scan.allocate_states(
        c_0, (steps, batch, hidden), dtype, reverse
    )
    rows, padding = scan.flatten_input(x, lengths)
    bias = scan.add_biases(b_ih, b_hh)
    half, offset = _tanh_to_gates(batch, hidden, dtype)
    weights_halved = steps * batch >= hidden
    if weights_halved:  # they are copied anyway, and it saves work in each step
        halves = half[:, 0].reshape(-1)
        w_ih, w_hh = w_ih * halves[:, None], w_hh * halves[:, None]
        bias = None if bias is None else bias * halves
    gates = empty((steps, 4, batch, hidden), dtype)
    # In the memory of the gates: each step is read, then overwritten.
    sums = scan.project(rows, w_ih, bias, gates)
    m = h_after if w_hr is None else empty(c_after.shape, dtype)

    w_out = None if w_hr is None else scan.transpose(w_hr, steps * batch)
    z = empty((4, batch, hidden), dtype)
    spare = empty((batch, hidden), dtype)
    multiply_by_weight = scan.recurrent_product(w_hh, z, steps)
    states = (h_before, h_after, c_before, c_after)
    by_step = scan.steps_of(reverse, *states, m, sums, gates, padding.by_step)
    for h, new_h, c, new_c, m_t, input_sum, gate, over in by_step:
        multiply_by_weight(h)
        add(z, input_sum, z)
        if not weights_halved:
            multiply(z, half, z)
        tanh(z, z)
        multiply(z, half, z)
        add(z, offset, gate)
        i, f, g, o = gate
        multiply(f, c, new_c)
        multiply(i, g, spare)
        add(new_c, spare, new_c)
        tanh(new_c, spare)
        multiply(o, spare, m_t)
        if w_out is not None:
            m_t.dot(w_out, new_h)
        if over is not None:
            copyto(new_c, c, where=over)
            copyto(new_h, h, where=over)
    output = scan.zero_padding(h_after, padding)
    h_n, c_n = scan.last_state(h_after, reverse), scan.last_state(c_after, reverse)
    workspace = Workspace(h_before, c_before, c_after, gates, m, rows, padding)
    return (output, h_n, c_n), workspace


def _slopes(workspace: Workspace) -> tuple[Array, Array]:
    """Return the factors of dc' in da_i, da_f, da_g and of dm in da_o and dc'.

    The first result is (T, 4, B, H), the second, for dc', is (T, B, H).
    """
    _, c_before, c_after, gates, m, _, padding = workspace
    slopes, slopes_c = empty(gates.shape, m.dtype), empty(c_after.shape, m.dtype)
    i, _, g, o = gates.swapaxes(0, 1)
    slopes_i, slopes_f, slopes_g, slopes_o = slopes.swapaxes(0, 1)
    multiply(gates, gates, slopes)
    subtract(gates, slopes, slopes)  # s (1 - s) of the sigmoids
    multiply(g, g, slopes_g)
    subtract(1, slopes_g, slopes_g)
    tanh(c_after, slopes_c)
    slopes_i *= g
    slopes_f *= c_before
    slopes_g *= i
    slopes_o *= slopes_c
    slopes_c *= m
    subtract(o, slopes_c, slopes_c)  # o - o tanh(c')^2
    scan.clear_padding(padding, slopes, slopes_c)
    return slopes, slopes_c


@slices.parallel_backward(states=2)
def lstm_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Workspace,
    *,
    reverse: bool = False,
    lengths: MaybeArray = None,
) -> Arrays:
    """Return the gradients of x, h_0, c_0, w_ih, w_hh, b_ih, b_hh and w_hr."""
    w_ih, w_hh, w_hr = inputs[3], inputs[4], inputs[7]
    h_before, c_before, _, gates, m, rows, padding = workspace
    steps, _, batch, hidden = gates.shape
    dtype = gates.dtype
    slopes, slopes_c = _slopes(workspace)

    g_sums = slopes.reshape(steps, batch, 4 * hidden)  # these overwrite the slopes
    g_outputs = scan.output_cotangents(grads[0], padding)
    g_h, spare = scan.state_cotangents(grads[1], h_before[0])
    g_c, spare_c = scan.state_cotangents(grads[2], c_before[0])
    g_states = empty(h_before.shape, dtype) if needs[7] else None
    weight, g_gates = np.ascontiguousarray(w_hh), empty((4, batch, hidden), dtype)
    g_ifg, g_o = g_gates[:3], g_gates[3]
    first_step = (steps - 1) * reverse
    by_step = scan.steps_of(
        not reverse,
        range(steps),
        g_outputs,
        slopes,
        slopes_c,
        gates[:, 1],
        scan.split_gates(g_sums, 4),
        padding.by_step,
    )
    for t, g_output, slope, slope_c, f, g_sum, over in by_step:
        if g_output is not None:
            add(g_h, g_output, g_h)
        if g_states is not None:
            g_states[t] = g_h
        g_m = g_h if w_hr is None else g_h.dot(w_hr)
        multiply(g_m, slope[3], g_o)
        multiply(g_m, slope_c, slope_c)
        add(g_c, slope_c, g_c)
        multiply(g_c, slope[:3], g_ifg)
        g_sum[...] = g_gates
        multiply(g_c, f, spare_c)
        if over is not None:
            copyto(spare_c, g_c, where=over)
        g_c, spare_c = spare_c, g_c
        if t == first_step and not needs[1]:
            break
        g_sums[t].dot(weight, spare)
        if over is not None:
            copyto(spare, g_h, where=over)
        g_h, spare = spare, g_h

    g_w_hr = None
    if g_states is not None:
        scan.clear_padding(padding, g_states)
        g_w_hr = scan.weight_gradient(g_states, m)
    layer_needs = (needs[0], *needs[3:7])
    g_x, *g_weights = scan.layer_gradients(layer_needs, rows, w_ih, h_before, g_sums)
    g_h_0 = g_h[None] if needs[1] else None
    g_c_0 = g_c[None] if needs[2] else None
    return g_x, g_h_0, g_c_0, *g_weights, g_w_hr


lstm_cell_forward, lstm_cell_backward = scan.cell_kernels(
    lstm_forward, lstm_backward, states=2
)
