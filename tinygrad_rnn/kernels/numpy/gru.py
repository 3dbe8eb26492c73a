"""Gated recurrent unit: h' = (1 - u) n + u h, with gates r, u, n; PyTorch calls u z."""

from typing import Any

import numpy as np
from numpy import add, copyto, multiply, subtract, tanh

from ...backend.numpy import row_sum
from ...backend.pool import empty
from . import scan, slices
from .scan import Array, Arrays, Forward, Maybe, Needs


@slices.forward(states=1)
def gru_forward(
    x: Array,
    h_0: Maybe,
    w_ih: Array,
    w_hh: Array,
    b_ih: Maybe,
    b_hh: Maybe,
    *,
    reverse: bool = False,
    lengths: Maybe = None,
) -> Forward:
    """``output`` (T, B, H) and the last of them ``h_n`` (1, B, H), as rnn_forward."""
    steps, batch, hidden = *x.shape[:2], w_hh.shape[1]
    dtype = w_hh.dtype
    before, output = scan.states(h_0, (steps + 1, batch, hidden), dtype, reverse)
    rows, ended, ends = scan.rows(x, lengths)
    bias, bias_n = b_ih, None
    if b_hh is not None:
        bias_n = b_hh[None, 2 * hidden :].repeat(batch, 0)
        bias = b_hh + (0 if b_ih is None else b_ih)
        bias[2 * hidden :] = 0 if b_ih is None else b_ih[2 * hidden :]
    gates = empty((steps, 3, batch, hidden), dtype)
    sums = scan.project(
        rows, w_ih, bias, gates
    )  # read before the gates take their place
    inner = empty(output.shape, dtype)  # W_hn h + b_hn

    z, half = empty((3, batch, hidden), dtype), np.array(0.5, dtype)
    (r, u, n), ru = z, z[:2]
    multiply_by_weight = scan.into_gates(w_hh, z, steps)
    by_step = (before, output, sums, gates, inner, ends)
    for h, new, total, gate, m, end in scan.walk(reverse, *by_step):
        multiply_by_weight(h)
        add(ru, total[:2], ru)
        multiply(ru, half, ru)  # a sigmoid as in lstm_forward
        tanh(ru, ru)
        multiply(ru, half, ru)
        add(ru, half, ru)
        if bias_n is not None:
            add(n, bias_n, n)
        m[...] = n
        multiply(r, n, n)
        add(n, total[2], n)
        tanh(n, n)
        gate[...] = z
        subtract(h, n, new)
        multiply(u, new, new)
        add(new, n, new)
        if end is not None:
            copyto(new, h, where=end)
    h_n, workspace = (
        scan.last(output, reverse),
        (before, gates, inner, rows, ended, ends),
    )
    return (scan.zeroed(output, ended), h_n), workspace


@slices.backward(states=1)
def gru_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Any,
    outputs: Any,
    workspace: Any,
    *,
    reverse: bool = False,
    lengths: Maybe = None,
) -> Arrays:
    """Gradients of x, h_0, w_ih, w_hh, b_ih, b_hh, as rnn_backward."""
    w_ih, w_hh = inputs[2:4]
    before, gates, inner, rows, ended, ends = workspace
    steps, _, batch, hidden = gates.shape
    dtype, one = gates.dtype, np.ones((), gates.dtype)

    # For all steps, how the sums of r and u, and n's by way of W_hn h + b_hn, act on
    # h'. On n's other part W_in x + b_in it acts directly: slopes_n.
    slopes, slopes_n = empty(gates.shape, dtype), empty(inner.shape, dtype)
    (r, u, n), (of_r, of_u, of_m) = gates.swapaxes(0, 1), slopes.swapaxes(0, 1)
    multiply(n, n, slopes_n)
    subtract(one, slopes_n, slopes_n)
    subtract(one, u, of_m)
    multiply(slopes_n, of_m, slopes_n)  # (1 - n²)(1 - u)
    subtract(before, n, of_u)
    multiply(of_u, u, of_u)
    multiply(of_u, of_m, of_u)  # (h - n) u (1 - u)
    multiply(slopes_n, r, of_m)
    subtract(one, r, of_r)
    multiply(of_r, of_m, of_r)
    multiply(of_r, inner, of_r)  # slope_n (W_hn h + b_hn) r (1 - r)
    scan.silence(ended, slopes, slopes_n)

    g_sums = slopes.reshape(
        steps, batch, 3 * hidden
    )  # a step's take the place of its slopes
    outer = scan.by_step(grads[0], ended, steps)
    carry, spare = scan.carried(grads[1], before[0])
    weight, kept = np.ascontiguousarray(w_hh), empty((batch, hidden), dtype)
    g_gates = empty((3, batch, hidden), dtype)
    final = -1 if needs[1] else (steps - 1) * reverse
    by_step = (range(steps), outer, slopes, slopes_n, u, scan.by_gate(g_sums, 3), ends)
    for t, g, slope, slope_n, keep, g_sum, end in scan.walk(not reverse, *by_step):
        if g is not None:
            add(carry, g, carry)
        multiply(carry, slope, g_gates)
        multiply(carry, slope_n, slope_n)
        g_sum[...] = g_gates
        if t == final:
            break
        g_sums[t].dot(weight, spare)
        multiply(carry, keep, kept)
        add(spare, kept, spare)
        if end is not None:
            copyto(spare, carry, where=end)
        carry, spare = spare, carry

    g_w_hh = scan.weight_grad(g_sums, before) if needs[3] else None
    g_b_hh = row_sum(g_sums.reshape(-1, 3 * hidden)) if needs[5] else None
    g_sums[..., 2 * hidden :] = slopes_n
    wanted = (needs[0], needs[2], needs[4])
    g_x, g_w_ih, g_b_ih = scan.input_grads(wanted, rows, w_ih, g_sums)
    return g_x, carry[None] if needs[1] else None, g_w_ih, g_w_hh, g_b_ih, g_b_hh


gru_cell_forward, gru_cell_backward = scan.one_step(gru_forward, gru_backward, states=1)
