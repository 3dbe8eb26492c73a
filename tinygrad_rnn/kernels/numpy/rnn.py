"""Elman's layer: h' = act(W_ih x + b_ih + W_hh h + b_hh)."""

from typing import Any

import numpy as np

from ...backend.pool import empty
from ...backend.threads import threads_for
from . import scan
from .scan import Array, Arrays, Maybe, Needs


def rnn_forward(
    x: Array, h_0: Maybe, w_ih: Array, w_hh: Array, b_ih: Maybe, b_hh: Maybe, *,
    nonlinearity: str = "tanh", reverse: bool = False, lengths: Maybe = None,
) -> tuple[tuple[Array, Array], Any]:  # fmt: skip
    """Hidden states ``output`` (T, B, H) and the last one ``h_n`` (B, H).

    ``x`` is (T, B, I), or ids (T, B) for one-hot rows. Where a sequence is over, its state passes
    on unchanged and its output is 0; so both directions end with the state that is ``h_n``.
    """
    steps, batch, hidden = *x.shape[:2], len(w_hh)
    states = scan.states(h_0, (steps + 1, batch, hidden), w_hh.dtype, reverse)
    before, output = scan.around(states, reverse)
    ended, ends = scan.ending(lengths, steps)
    rows = scan.rows(x, ended)
    scan.project(rows, w_ih, None if b_ih is None else b_ih + b_hh, output[:, None])

    act = np.tanh if nonlinearity == "tanh" else _relu
    weight = scan.transposed(w_hh, steps * batch)
    product = empty((batch, hidden), w_hh.dtype)
    dot, add = np.dot, np.add
    with threads_for(4 * batch * hidden * hidden):  # a step has to wait for the last
        for h, new, end in scan.walk(reverse, before, output, ends):
            dot(h, weight, product)
            add(new, product, new)
            act(new, new)
            if end is not None:
                np.copyto(new, h, where=end)
    h_n = output[0 if reverse else -1].copy()
    return (scan.zeroed(output, ended), h_n), (states, rows, ended, ends)


def rnn_backward(
    grads: Arrays, needs: Needs, inputs: Any, outputs: Any, workspace: Any, *,
    nonlinearity: str = "tanh", reverse: bool = False, lengths: Maybe = None,
) -> Arrays:  # fmt: skip
    """Gradients of x, h_0, w_ih, w_hh, b_ih, b_hh: the transposed scan, then one product each."""
    x, _, w_ih, w_hh, _, _ = inputs
    states, rows, ended, ends = workspace
    before, after = scan.around(states, reverse)
    steps, batch, hidden = after.shape

    # act' of all steps; the loop multiplies each step's cotangent into it.
    g_sums = empty(after.shape, after.dtype)
    _slope(nonlinearity, after, g_sums)
    scan.silence(ended, g_sums)
    outer = scan.by_step(grads[0], ended, steps)
    carry, spare = scan.carried(grads[1], states[0])
    weight = np.ascontiguousarray(w_hh)
    final = -1 if needs[1] else (steps - 1) * reverse
    dot, add, multiply = np.dot, np.add, np.multiply
    with threads_for(4 * batch * hidden * hidden):  # a step has to wait for the last
        for t, g, g_sum, end in scan.walk(not reverse, range(steps), outer, g_sums, ends):
            if g is not None:
                add(carry, g, carry)
            multiply(carry, g_sum, g_sum)
            if t == final:
                break
            dot(g_sum, weight, spare)
            if end is not None:
                np.copyto(spare, carry, where=end)
            carry, spare = spare, carry

    g_x, *g_weights = scan.layer_grads((needs[0], *needs[2:]), x, rows, w_ih, before, g_sums)
    return g_x, carry if needs[1] else None, *g_weights


def _relu(x: Array, out: Array) -> None:
    np.maximum(x, 0, out=out)


def _slope(nonlinearity: str, h: Array, out: Array) -> None:
    """The derivative of the activation, told from its value."""
    if nonlinearity == "relu":
        np.sign(h, out)  # h is never negative; 0 at the kink, as in PyTorch
    else:
        np.multiply(h, h, out)
        np.subtract(np.ones((), h.dtype), out, out)
