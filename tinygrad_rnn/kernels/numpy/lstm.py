"""Long short-term memory: c' = f c + i g, h' = o tanh(c'), with gates i, f, g, o."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy import add, copyto, multiply, subtract, tanh

from ...backend.pool import empty
from . import scan, slices
from .scan import Array, Arrays, Forward, Maybe, Needs


@lru_cache(4)
def _scales(batch: int, hidden: int, dtype: Any) -> tuple[Array, Array]:
    """What makes sigmoids of tanh for i, f and o, (4, B, H): repeated, as in
    scan.project.
    """
    half = (
        np.array([0.5, 0.5, 1, 0.5], dtype)[:, None, None]
        .repeat(batch, 1)
        .repeat(hidden, 2)
    )
    return half, 1 - half


@slices.forward(states=2)
def lstm_forward(
    x: Array,
    h_0: Maybe,
    c_0: Maybe,
    w_ih: Array,
    w_hh: Array,
    b_ih: Maybe,
    b_hh: Maybe,
    w_hr: Maybe = None,
    *,
    reverse: bool = False,
    lengths: Maybe = None,
) -> Forward:
    """``output`` (T, B, H), the last of them ``h_n`` and ``c_n``, (1, B, H), as
    rnn_forward.

    With W_hr (R, H) the state h' is W_hr (o tanh(c')) instead, (B, R). A sigmoid of z
    is (1 + tanh(z / 2)) / 2, so that one tanh serves all gates.
    """
    steps, batch, hidden, size = *x.shape[:2], len(w_hh) // 4, w_hh.shape[1]
    dtype = w_hh.dtype
    before, output = scan.states(h_0, (steps + 1, batch, size), dtype, reverse)
    c_before, c_after = cells = scan.states(
        c_0, (steps + 1, batch, hidden), dtype, reverse
    )
    rows, ended, ends = scan.rows(x, lengths)
    bias = scan.joined(b_ih, b_hh)
    half, shift = _scales(batch, hidden, dtype)
    if (
        scaled := steps * batch >= hidden
    ):  # the weights are copied anyway, so halve them there
        halves = half[:, 0].reshape(-1, 1)  # (4H, 1)
        w_ih, w_hh = w_ih * halves, w_hh * halves
        bias = None if bias is None else bias * halves[:, 0]
    gates = empty((steps, 4, batch, hidden), dtype)
    sums = scan.project(
        rows, w_ih, bias, gates
    )  # read before the gates take their place
    inner = output if w_hr is None else empty(c_after.shape, dtype)  # o tanh(c')

    w_out = None if w_hr is None else scan.transposed(w_hr, steps * batch)
    z, spare = empty((4, batch, hidden), dtype), empty((batch, hidden), dtype)
    multiply_by_weight = scan.into_gates(w_hh, z, steps)
    by_step = (before, output, c_before, c_after, inner, sums, gates, ends)
    for h, new_h, c, new_c, m, total, gate, end in scan.walk(reverse, *by_step):
        multiply_by_weight(h)
        add(z, total, z)
        if not scaled:
            multiply(z, half, z)
        tanh(z, z)
        multiply(z, half, z)
        add(z, shift, gate)
        i, f, g, o = gate
        multiply(f, c, new_c)
        multiply(i, g, spare)
        add(new_c, spare, new_c)
        tanh(new_c, spare)
        multiply(o, spare, m)
        if w_out is not None:
            m.dot(w_out, new_h)
        if end is not None:
            copyto(new_c, c, where=end)
            copyto(new_h, h, where=end)
    h_n, c_n = scan.last(output, reverse), scan.last(c_after, reverse)
    return (scan.zeroed(output, ended), h_n, c_n), (
        before,
        cells,
        gates,
        inner,
        rows,
        ended,
        ends,
    )


@slices.backward(states=2)
def lstm_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Any,
    outputs: Any,
    workspace: Any,
    *,
    reverse: bool = False,
    lengths: Maybe = None,
) -> Arrays:
    """Gradients of x, h_0, c_0, w_ih, w_hh, b_ih, b_hh, w_hr, as rnn_backward."""
    w_ih, w_hh, w_hr = inputs[3], inputs[4], inputs[7]
    before, (c_before, c_after), gates, inner, rows, ended, ends = workspace
    steps, _, batch, hidden = gates.shape
    dtype, one = gates.dtype, np.ones((), gates.dtype)

    # For all steps, how a gate's sum acts on h (that of o) or on c, and how c acts on
    # h.
    slopes, slopes_c = empty(gates.shape, dtype), empty(c_after.shape, dtype)
    (i, f, g, o), (of_i, of_f, of_g, of_o) = gates.swapaxes(0, 1), slopes.swapaxes(0, 1)
    multiply(gates, gates, slopes)
    subtract(gates, slopes, slopes)
    multiply(g, g, of_g)
    subtract(one, of_g, of_g)
    tanh(c_after, slopes_c)
    for slope, factor in (of_i, g), (of_f, c_before), (of_g, i), (of_o, slopes_c):
        multiply(slope, factor, slope)
    multiply(slopes_c, inner, slopes_c)
    subtract(o, slopes_c, slopes_c)
    scan.silence(ended, slopes, slopes_c)

    g_sums = slopes.reshape(
        steps, batch, 4 * hidden
    )  # a step's take the place of its slopes
    outer = scan.by_step(grads[0], ended, steps)
    carry, spare = scan.carried(grads[1], before[0])
    g_c, spare_c = scan.carried(grads[2], c_before[0])
    g_states = empty(before.shape, dtype) if needs[7] else None
    weight, g_gates = np.ascontiguousarray(w_hh), empty((4, batch, hidden), dtype)
    g_ifg, g_o = g_gates[:3], g_gates[3]
    final = -1 if needs[1] else (steps - 1) * reverse
    by_step = (range(steps), outer, slopes, slopes_c, f, scan.by_gate(g_sums, 4), ends)
    for t, g_out, slope, slope_c, forget, g_sum, end in scan.walk(
        not reverse, *by_step
    ):
        if g_out is not None:
            add(carry, g_out, carry)
        if g_states is not None:
            g_states[t] = carry
        g_m = carry if w_hr is None else carry.dot(w_hr)
        multiply(g_m, slope[3], g_o)
        multiply(g_m, slope_c, slope_c)
        add(g_c, slope_c, g_c)
        multiply(g_c, slope[:3], g_ifg)
        g_sum[...] = g_gates
        multiply(g_c, forget, spare_c)
        if end is not None:
            copyto(spare_c, g_c, where=end)
        g_c, spare_c = spare_c, g_c
        if t == final:
            break
        g_sums[t].dot(weight, spare)
        if end is not None:
            copyto(spare, carry, where=end)
        carry, spare = spare, carry

    g_w_hr = None
    if g_states is not None:
        scan.silence(ended, g_states)
        g_w_hr = scan.weight_grad(g_states, inner)
    g_x, *g_weights = scan.layer_grads(
        (needs[0], *needs[3:7]), rows, w_ih, before, g_sums
    )
    g_h_0, g_c_0 = (
        (carry[None] if needs[1] else None),
        (g_c[None] if needs[2] else None),
    )
    return g_x, g_h_0, g_c_0, *g_weights, g_w_hr


lstm_cell_forward, lstm_cell_backward = scan.one_step(
    lstm_forward, lstm_backward, states=2
)
