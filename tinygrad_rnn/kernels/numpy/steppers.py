"""One step at a time, without a gradient: for text that is written character by
character.

Each stepper prepares its weights once (transposed copies, halves of what a sigmoid
sees) and returns a function of one step, which writes the new state into memory that it
is given. States are (B, H) or (H,); what comes in is (B, I) or (I,), or ids (B,) or ().
All arrays are of one float dtype.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy import add, tanh

from ...backend.threads import one_thread
from .scan import Array, Maybe, joined

__all__ = ["stepper"]

Step = Callable[..., Any]


def _linear(weight: Array, bias: Maybe, scale: Any = None) -> Step:
    """``x W^T + b`` in fresh memory, times a scale of the outputs; ids take rows of W^T
    + b.
    """
    if scale is not None:
        weight, bias = weight * scale[:, None], None if bias is None else bias * scale
    flat = np.ascontiguousarray(weight.T)
    table = cache(
        lambda: flat if bias is None else flat + bias
    )  # made for the first ids

    def step(x: Array) -> Any:
        if x.dtype.kind != "f":
            return table().take(x.astype(np.intp, copy=False), 0)
        z = x.dot(flat)
        return z if bias is None else add(z, bias, z)

    return step


def _rnn(
    w_ih: Array, w_hh: Array, b_ih: Maybe, b_hh: Maybe, *, nonlinearity: str
) -> Step:
    project, recur = _linear(w_ih, joined(b_ih, b_hh)), _linear(w_hh, None)
    act = tanh if nonlinearity == "tanh" else lambda z, out: np.maximum(z, 0, out=out)
    return lambda x, h, new_h: act(project(x) + recur(h), new_h)


def _lstm(
    w_ih: Array, w_hh: Array, b_ih: Maybe, b_hh: Maybe, w_hr: Maybe = None
) -> Step:
    """A sigmoid by way of tanh, as in lstm_forward."""
    hidden = len(w_hh) // 4
    half = np.array([0.5, 0.5, 1, 0.5], w_hh.dtype).repeat(hidden)
    shift = 1 - half
    project, recur = _linear(w_ih, joined(b_ih, b_hh), half), _linear(w_hh, None, half)
    out: Step = (lambda m: m) if w_hr is None else _linear(w_hr, None)

    def step(x: Array, h: Array, c: Array, new_h: Array, new_c: Array) -> None:
        z = tanh(project(x) + recur(h)) * half + shift
        i, f, g, o = [z[..., k * hidden : (k + 1) * hidden] for k in range(4)]
        add(f * c, i * g, new_c)
        new_h[...] = out(o * tanh(new_c))

    return step


def _gru(w_ih: Array, w_hh: Array, b_ih: Maybe, b_hh: Maybe) -> Step:
    hidden = w_hh.shape[1]
    half = np.array([0.5, 0.5, 1], w_hh.dtype).repeat(hidden)
    project, recur = _linear(w_ih, b_ih, half), _linear(w_hh, b_hh, half)
    middle = np.array(0.5, w_hh.dtype)

    def step(x: Array, h: Array, new_h: Array) -> None:
        z, y = project(x), recur(h)
        ru = tanh(z[..., :-hidden] + y[..., :-hidden]) * middle + middle
        n = tanh(z[..., -hidden:] + ru[..., :hidden] * y[..., -hidden:])
        add(n, ru[..., hidden:] * (h - n), new_h)

    return step


def stepper(
    cell: str, layers: list[list[Any]], head: list[Any], **settings: Any
) -> Callable[[Array, list[Array]], tuple[Array, list[Array]]]:
    """``run(x, parts)``: a step through layers of a cell, whose weights are given, and
    a head.

    The parts of the state are (L, B, H) with L layers; ``run`` returns what comes out,
    (B, H) or the head's (B, V), and the parts of the next state, all of it new arrays.
    """
    make: Any = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}[cell]
    steps = [make(*weights, **settings) for weights in layers]
    final: Any = _linear(*head) if head else np.copy

    def run(x: Array, parts: list[Array]) -> tuple[Array, list[Array]]:
        new = [np.empty(part.shape, part.dtype) for part in parts]
        with one_thread():
            for step, *states in zip(steps, *parts, *new, strict=True):
                step(x, *states)
                x = states[len(parts)]
            return final(x), new

    return run
