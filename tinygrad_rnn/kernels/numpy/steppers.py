"""One step at a time, without a gradient, for text written character by character.

A stepper prepares the weights once (transposed copies, halves for the sigmoids). Each
step then writes the new state to memory that it is given. States are (B, H) or (H,);
the input is (B, I) or (I,), or ids (B,) or ().
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy import add, tanh

from ...backend.threads import one_thread
from ...types import Function
from .scan import ACTIVATIONS, Array, MaybeArray, add_biases

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


def _make_linear(weight: Array, bias: MaybeArray, scale: MaybeArray = None) -> Function:
    """Return the function ``scale * (x W^T + b)`` of x, or of ids for one-hot rows."""
    if scale is not None:
        weight = weight * scale[:, None]
        bias = None if bias is None else bias * scale
    transposed = np.ascontiguousarray(weight.T)

    @cache
    def table() -> Array:  # made for the first ids
        return transposed if bias is None else transposed + bias

    def linear(x: Array) -> Array:
        if x.dtype.kind != "f":
            return table().take(x.astype(np.intp, copy=False), 0)
        z = x.dot(transposed)
        return z if bias is None else add(z, bias, z)

    return linear


def _make_rnn(
    w_ih: Array, w_hh: Array, b_ih: MaybeArray, b_hh: MaybeArray, *, nonlinearity: str
) -> Function:
    """Make a step of an RNN."""
    project = _make_linear(w_ih, add_biases(b_ih, b_hh))
    recur = _make_linear(w_hh, None)
    act = ACTIVATIONS[nonlinearity]

    def step(x: Array, h: Array, new_h: Array) -> None:
        act(project(x) + recur(h), new_h)

    return step


def _make_lstm(
    w_ih: Array,
    w_hh: Array,
    b_ih: MaybeArray,
    b_hh: MaybeArray,
    w_hr: MaybeArray = None,
) -> Function:
    """Make a step of an LSTM; its sigmoids are computed by tanh, as in lstm_forward."""
    hidden = len(w_hh) // 4
    half = np.array([0.5, 0.5, 1, 0.5], w_hh.dtype).repeat(hidden)
    offset = 1 - half
    project = _make_linear(w_ih, add_biases(b_ih, b_hh), half)
    recur = _make_linear(w_hh, None, half)
    output = None if w_hr is None else _make_linear(w_hr, None)

    def step(x: Array, h: Array, c: Array, new_h: Array, new_c: Array) -> None:
        z = tanh(project(x) + recur(h)) * half + offset
        i, f, g, o = [z[..., k * hidden : (k + 1) * hidden] for k in range(4)]
        add(f * c, i * g, new_c)
        m = o * tanh(new_c)
        new_h[...] = m if output is None else output(m)

    return step


def _make_gru(w_ih: Array, w_hh: Array, b_ih: MaybeArray, b_hh: MaybeArray) -> Function:
    """Make a step of a GRU; r multiplies the state's part of n, with its bias."""
    hidden = w_hh.shape[1]
    half = np.array([0.5, 0.5, 1], w_hh.dtype).repeat(hidden)
    project = _make_linear(w_ih, b_ih, half)
    recur = _make_linear(w_hh, b_hh, half)
    one_half = np.array(0.5, w_hh.dtype)

    def step(x: Array, h: Array, new_h: Array) -> None:
        z, y = project(x), recur(h)
        ru = tanh(z[..., :-hidden] + y[..., :-hidden]) * one_half + one_half
        r, u = ru[..., :hidden], ru[..., hidden:]
        n = tanh(z[..., -hidden:] + r * y[..., -hidden:])
        add(n, u * (h - n), new_h)

    return step


_MAKERS: dict[str, Function] = {"rnn": _make_rnn, "lstm": _make_lstm, "gru": _make_gru}


def stepper(
    cell: str,
    layers: Sequence[Sequence[MaybeArray]],
    head: Sequence[MaybeArray],
    **settings: object,
) -> Callable[[Array, list[Array]], tuple[Array, list[Array]]] | None:
    """Return ``run(x, state)``, one step through layers and a head, given by weights.

    The parts of the state are (L, B, H) for L layers. ``run`` returns the output, (B,
    H) or the head's (B, V), and the parts of the next state, all in new arrays.

    Returns:
        The function, or None for a cell that is not one of the three above.
    """
    make = _MAKERS.get(cell)
    if make is None:
        return None
    steps = [make(*weights, **settings) for weights in layers]
    output: Function = np.copy
    if head:
        weight, bias = head
        assert weight is not None
        output = _make_linear(weight, bias)

    def run(x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
        new_state = [np.empty(part.shape, part.dtype) for part in state]
        with one_thread():
            for step, *parts in zip(steps, *state, *new_state, strict=True):
                step(x, *parts)
                x = parts[len(state)]
            return output(x), new_state

    return run
