"""Elman's layer: h' = act(W_ih x + b_ih + W_hh h + b_hh)."""

from typing import Any

import numpy as np
from numpy import add, copyto, multiply, subtract

from ...backend.pool import empty
from . import scan, slices
from .scan import Array, Arrays, Forward, Maybe, Needs


@slices.forward(states=1)
def rnn_forward(
    x: Array,
    h_0: Maybe,
    w_ih: Array,
    w_hh: Array,
    b_ih: Maybe,
    b_hh: Maybe,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    lengths: Maybe = None,
) -> Forward:
    """Hidden states ``output`` (T, B, H) and the last one ``h_n`` (1, B, H).

    ``x`` is (T, B, I), or ids (T, B) for one-hot rows; ``h_0`` is (1, B, H). Where a
    sequence is over, its state passes on unchanged and its output is 0; so both
    directions end with the state that is ``h_n``.
    """
    steps, batch, hidden = *x.shape[:2], len(w_hh)
    before, output = scan.states(h_0, (steps + 1, batch, hidden), w_hh.dtype, reverse)
    rows, ended, ends = scan.rows(x, lengths)
    scan.project(rows, w_ih, scan.joined(b_ih, b_hh), output[:, None])

    act: Any = (
        np.tanh if nonlinearity == "tanh" else lambda x, out: np.maximum(x, 0, out=out)
    )
    weight = scan.transposed(w_hh, steps * batch)
    product = empty((batch, hidden), w_hh.dtype)
    h = before[-1 if reverse else 0]
    for new, end in scan.walk(reverse, output, ends):
        h.dot(weight, product)  # np.dot is the same by a way around
        add(new, product, new)
        act(new, new)
        if end is not None:
            copyto(new, h, where=end)
        h = new
    h_n = scan.last(output, reverse)
    return (scan.zeroed(output, ended), h_n), (before, output, rows, ended, ends)


@slices.backward(states=1)
def rnn_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Any,
    outputs: Any,
    workspace: Any,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    lengths: Maybe = None,
) -> Arrays:
    """Gradients of x, h_0, w_ih, w_hh, b_ih, b_hh: the transposed scan, then one
    product each.
    """
    w_ih, w_hh = inputs[2:4]
    before, after, rows, ended, ends = workspace
    steps = len(after)

    # act' of all steps, told from act; the loop multiplies each step's cotangent into
    # it.
    g_sums = empty(after.shape, after.dtype)
    if nonlinearity == "relu":
        np.sign(after, g_sums)  # never negative; 0 at the kink, as in PyTorch
    else:
        multiply(after, after, g_sums)
        subtract(np.ones((), after.dtype), g_sums, g_sums)
    scan.silence(ended, g_sums)
    outer = scan.by_step(grads[0], ended, steps)
    carry, spare = scan.carried(grads[1], before[0])
    weight = np.ascontiguousarray(w_hh)
    final = -1 if needs[1] else (steps - 1) * reverse
    for t, g, g_sum, end in scan.walk(not reverse, range(steps), outer, g_sums, ends):
        if g is not None:
            add(carry, g, carry)
        multiply(carry, g_sum, g_sum)
        if t == final:
            break
        g_sum.dot(weight, spare)
        if end is not None:
            copyto(spare, carry, where=end)
        carry, spare = spare, carry

    g_x, *g_weights = scan.layer_grads(
        (needs[0], *needs[2:]), rows, w_ih, before, g_sums
    )
    return g_x, carry[None] if needs[1] else None, *g_weights
