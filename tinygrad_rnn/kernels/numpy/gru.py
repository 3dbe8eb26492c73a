"""Gated recurrent unit: h' = (1 - u) n + u h, with gates r, u, n; PyTorch calls u z.

Cho et al., arXiv:1406.1078, in the form in which r acts on the product with the state.
With a = W_ih x + b_ih and m = W_hn h + b_hn: r, u = sigmoid(a + W_hh h + b_hh) of two
of the three parts, and n = tanh(a_n + r m).

Backward, with dh' the cotangent of h', and s_n = (1 - n^2)(1 - u):

    da_n = dh' s_n                  dm   = dh' s_n r
    da_u = dh' (h - n) u (1 - u)    da_r = dh' s_n m r (1 - r)
    dh   = dh' u + W_hh^T (da_r, da_u, dm) + the cotangent of the previous output

The factors of dh', the slopes, are computed for all steps before the scan back.
"""

from typing import NamedTuple

import numpy as np
from numpy import add, copyto, multiply, subtract, tanh

from ...backend.numpy import sum_over_rows
from ...backend.pool import empty
from . import scan, slices
from .scan import Array, Arrays, Inputs, MaybeArray, Needs, Padding

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


class Workspace(NamedTuple):
    """What the backward needs of the forward."""

    before: Array  # h of the previous step, (T, B, H)
    gates: Array  # r, u, n: (T, 3, B, H)
    m: Array  # W_hn h + b_hn
    rows: Array  # the input, (T*B, I), or ids (T*B,)
    padding: Padding


@slices.parallel_forward(states=1)
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
) -> tuple[tuple[Array, Array], Workspace]:
    """Return ``output`` (T, B, H) and ``h_n`` (1, B, H), as rnn_forward."""
    steps, batch, hidden = *x.shape[:2], w_hh.shape[1]
    dtype = w_hh.dtype
    before, after = scan.allocate_states(h_0, (steps, batch, hidden), dtype, reverse)
    rows, padding = scan.flatten_input(x, lengths)
    bias, bias_n = b_ih, None
    if b_hh is not None:
        bias_n = b_hh[None, 2 * hidden :].repeat(batch, 0)
        bias = b_hh + (0 if b_ih is None else b_ih)
        bias[2 * hidden :] = 0 if b_ih is None else b_ih[2 * hidden :]
    gates = empty((steps, 3, batch, hidden), dtype)
    # In the memory of the gates: each step is read, then overwritten.
    sums = scan.project(rows, w_ih, bias, gates)
    m = empty(after.shape, dtype)

    half = np.array(0.5, dtype)
    z = empty((3, batch, hidden), dtype)
    r, u, n = z
    ru = z[:2]
    multiply_by_weight = scan.recurrent_product(w_hh, z, steps)
    by_step = scan.steps_of(reverse, before, after, sums, gates, m, padding.by_step)
    for h, new_h, input_sum, gate, m_t, over in by_step:
        multiply_by_weight(h)
        add(ru, input_sum[:2], ru)
        multiply(ru, half, ru)  # sigmoid(a) = tanh(a / 2) / 2 + 1 / 2
        tanh(ru, ru)
        multiply(ru, half, ru)
        add(ru, half, ru)
        if bias_n is not None:
            add(n, bias_n, n)
        m_t[...] = n
        multiply(r, n, n)
        add(n, input_sum[2], n)
        tanh(n, n)
        gate[...] = z
        subtract(h, n, new_h)
        multiply(u, new_h, new_h)
        add(new_h, n, new_h)
        if over is not None:
            copyto(new_h, h, where=over)
    output = scan.zero_padding(after, padding)
    h_n = scan.last_state(after, reverse)
    return (output, h_n), Workspace(before, gates, m, rows, padding)


def _slopes(workspace: Workspace) -> tuple[Array, Array]:
    """Return the factors of dh' in da_r, da_u and dm, (T, 3, B, H), and in da_n."""
    before, gates, m, _, padding = workspace
    slopes, slopes_n = empty(gates.shape, m.dtype), empty(m.shape, m.dtype)
    r, u, n = gates.swapaxes(0, 1)
    slopes_r, slopes_u, slopes_m = slopes.swapaxes(0, 1)
    multiply(n, n, slopes_n)
    subtract(1, slopes_n, slopes_n)
    subtract(1, u, slopes_m)
    slopes_n *= slopes_m  # (1 - n^2) (1 - u)
    subtract(before, n, slopes_u)
    slopes_u *= u
    slopes_u *= slopes_m  # (h - n) u (1 - u)
    multiply(slopes_n, r, slopes_m)
    subtract(1, r, slopes_r)
    slopes_r *= slopes_m
    slopes_r *= m  # s_n m r (1 - r)
    scan.clear_padding(padding, slopes, slopes_n)
    return slopes, slopes_n


@slices.parallel_backward(states=1)
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
    w_ih, w_hh = inputs[2:4]
    before, gates, _, rows, padding = workspace
    steps, _, batch, hidden = gates.shape
    dtype = gates.dtype
    slopes, slopes_n = _slopes(workspace)

    g_sums = slopes.reshape(steps, batch, 3 * hidden)  # these overwrite the slopes
    g_outputs = scan.output_cotangents(grads[0], padding)
    g_h, spare = scan.state_cotangents(grads[1], before[0])
    weight, direct = np.ascontiguousarray(w_hh), empty((batch, hidden), dtype)
    g_gates = empty((3, batch, hidden), dtype)
    first_step = (steps - 1) * reverse
    by_step = scan.steps_of(
        not reverse,
        range(steps),
        g_outputs,
        slopes,
        slopes_n,
        gates[:, 1],
        scan.split_gates(g_sums, 3),
        padding.by_step,
    )
    for t, g_output, slope, slope_n, u, g_sum, over in by_step:
        if g_output is not None:
            add(g_h, g_output, g_h)
        multiply(g_h, slope, g_gates)
        multiply(g_h, slope_n, slope_n)
        g_sum[...] = g_gates
        if t == first_step and not needs[1]:
            break
        g_sums[t].dot(weight, spare)
        multiply(g_h, u, direct)
        add(spare, direct, spare)
        if over is not None:
            copyto(spare, g_h, where=over)
        g_h, spare = spare, g_h

    g_w_hh = scan.weight_gradient(g_sums, before) if needs[3] else None
    g_b_hh = sum_over_rows(g_sums.reshape(-1, 3 * hidden)) if needs[5] else None
    g_sums[..., 2 * hidden :] = slopes_n  # from here on da_n in place of dm
    input_needs = (needs[0], needs[2], needs[4])
    g_x, g_w_ih, g_b_ih = scan.input_gradients(input_needs, rows, w_ih, g_sums)
    return g_x, g_h[None] if needs[1] else None, g_w_ih, g_w_hh, g_b_ih, g_b_hh


gru_cell_forward, gru_cell_backward = scan.cell_kernels(
    gru_forward, gru_backward, states=1
)
