"""Elman's layer: h' = act(W_ih x + b_ih + W_hh h + b_hh); Cognitive Science 1990.

Backward. With h' = act(a), dh' the cotangent of h', and g the cotangent of the output
of the previous step:

    da  = dh' act'(a)      act'(a) is 1 - h'^2 for tanh, and 1 where h' > 0 for relu
    dh  = W_hh^T da + g    for the previous step
    dW_hh = sum da h^T,  dW_ih = sum da x^T,  db = sum da,  dx = W_ih^T da
"""

from typing import NamedTuple

import numpy as np
from numpy import add, copyto, multiply, subtract

from ...backend.pool import empty
from . import scan, slices
from .scan import Array, Arrays, Inputs, MaybeArray, Needs, Padding

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


class Workspace(NamedTuple):
    """What the backward needs of the forward."""

    before: Array  # h of the previous step, (T, B, H)
    after: Array  # h' of each step
    rows: Array  # the input, (T*B, I), or ids (T*B,)
    padding: Padding


@slices.parallel_forward(states=1)
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
) -> tuple[tuple[Array, Array], Workspace]:
    """Return the hidden states ``output`` (T, B, H) and the last one ``h_n`` (1, B, H).

    ``x`` is (T, B, I), or ids (T, B) for one-hot rows; ``h_0`` is (1, B, H). Past the
    end of a sequence, its state does not change and its output is 0. So in both
    directions, ``h_n`` is the state at the end of the scan.
    """
    steps, batch, hidden = *x.shape[:2], len(w_hh)
    dtype = w_hh.dtype
    before, after = scan.allocate_states(h_0, (steps, batch, hidden), dtype, reverse)
    rows, padding = scan.flatten_input(x, lengths)
    scan.project(rows, w_ih, scan.add_biases(b_ih, b_hh), after[:, None])

    act = scan.ACTIVATIONS[nonlinearity]
    weight = scan.transpose(w_hh, steps * batch)
    product = empty((batch, hidden), dtype)
    h = before[-1 if reverse else 0]
    for new_h, over in scan.steps_of(reverse, after, padding.by_step):
        h.dot(weight, product)  # faster than np.dot
        add(new_h, product, new_h)
        act(new_h, new_h)
        if over is not None:
            copyto(new_h, h, where=over)
        h = new_h
    output = scan.zero_padding(after, padding)
    h_n = scan.last_state(after, reverse)
    return (output, h_n), Workspace(before, after, rows, padding)


@slices.parallel_backward(states=1)
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
    w_ih, w_hh = inputs[2:4]
    before, after, rows, padding = workspace
    steps = len(after)

    # act'(a) of all steps; the loop multiplies each step by its cotangent.
    g_sums = empty(after.shape, after.dtype)
    if nonlinearity == "relu":
        np.sign(after, g_sums)  # h' is never negative; 0 at the kink, as in PyTorch
    else:
        multiply(after, after, g_sums)
        subtract(1, g_sums, g_sums)
    scan.clear_padding(padding, g_sums)
    g_outputs = scan.output_cotangents(grads[0], padding)
    g_h, spare = scan.state_cotangents(grads[1], before[0])
    weight = np.ascontiguousarray(w_hh)
    first_step = (steps - 1) * reverse
    by_step = (range(steps), g_outputs, g_sums, padding.by_step)
    for t, g_output, g_sum, over in scan.steps_of(not reverse, *by_step):
        if g_output is not None:
            add(g_h, g_output, g_h)
        multiply(g_h, g_sum, g_sum)
        if t == first_step and not needs[1]:
            break
        g_sum.dot(weight, spare)
        if over is not None:
            copyto(spare, g_h, where=over)
        g_h, spare = spare, g_h

    layer_needs = (needs[0], *needs[2:])
    g_x, *g_weights = scan.layer_gradients(layer_needs, rows, w_ih, before, g_sums)
    return g_x, g_h[None] if needs[1] else None, *g_weights
