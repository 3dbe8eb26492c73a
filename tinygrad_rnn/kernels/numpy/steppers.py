"""One step at a time, without a gradient: for text that is written character by character.

Each stepper prepares its weights once (transposed copies, summed biases, halves of what a sigmoid sees)
and returns a function of one step, which writes the new state into memory that it is given. States are
(B, H) or (H,); what comes in is (B, I) or (I,), or ids (B,) or (). All arrays are of one float dtype.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import add, multiply, subtract, tanh

from ...backend.threads import one_thread
from .scan import Array, Maybe

__all__ = ["stepper"]

Step = Callable[..., None]


def linear_stepper(weight: Array, bias: Maybe = None) -> Callable[[Array], Any]:
    """``x W^T + b`` in fresh memory; ids take rows of W^T."""
    flat = np.ascontiguousarray(weight.T)
    table: Any = None  # made for the first ids

    def step(x: Array) -> Any:
        nonlocal table
        if x.dtype.kind != "f":
            if table is None:
                table = flat if bias is None else flat + bias
            return table.take(x, 0)
        z = x.dot(flat)
        return z if bias is None else add(z, bias, z)

    return step


def _scaled(scale: Array, weight: Maybe, bias: Maybe) -> Callable[[Array], Any]:
    return linear_stepper(weight * scale[:, None], None if bias is None else bias * scale)


def rnn_stepper(w_ih: Array, w_hh: Array, b_ih: Maybe, b_hh: Maybe, *, nonlinearity: str) -> Step:
    """As rnn_forward."""
    project = linear_stepper(w_ih, None if b_ih is None else b_ih + b_hh)
    weight = np.ascontiguousarray(w_hh.T)

    def step(x: Array, h: Array, new_h: Array) -> None:
        z = project(x)
        add(z, h.dot(weight), z)
        if nonlinearity == "tanh":
            tanh(z, new_h)
        else:
            np.maximum(z, 0, out=new_h)

    return step


def lstm_stepper(w_ih: Array, w_hh: Array, b_ih: Maybe, b_hh: Maybe, w_hr: Maybe = None) -> Step:
    """As lstm_forward."""
    hidden = len(w_hh) // 4
    half = np.array([0.5, 0.5, 1, 0.5], w_hh.dtype).repeat(hidden)
    shift = 1 - half
    project, recur = _scaled(half, w_ih, b_ih), _scaled(half, w_hh, b_hh)
    out = None if w_hr is None else linear_stepper(w_hr)

    def step(x: Array, h: Array, c: Array, new_h: Array, new_c: Array) -> None:
        z = project(x)
        add(z, recur(h), z)
        tanh(z, z)
        multiply(z, half, z)
        add(z, shift, z)
        i, f, g, o = [z[..., k * hidden : (k + 1) * hidden] for k in range(4)]
        multiply(f, c, new_c)
        multiply(i, g, g)
        add(new_c, g, new_c)
        tanh(new_c, g)
        if out is None:
            multiply(o, g, new_h)
        else:
            new_h[...] = out(multiply(o, g, g))

    return step


def gru_stepper(w_ih: Array, w_hh: Array, b_ih: Maybe, b_hh: Maybe) -> Step:
    """As gru_forward."""
    hidden = w_hh.shape[1]
    half = np.array([0.5, 0.5, 1], w_hh.dtype).repeat(hidden)
    project, recur = _scaled(half, w_ih, b_ih), _scaled(half, w_hh, b_hh)
    middle = half[0]

    def step(x: Array, h: Array, new_h: Array) -> None:
        z, y = project(x), recur(h)
        ru, n, m = z[..., : 2 * hidden], z[..., 2 * hidden :], y[..., 2 * hidden :]
        add(ru, y[..., : 2 * hidden], ru)
        tanh(ru, ru)
        multiply(ru, middle, ru)
        add(ru, middle, ru)
        multiply(m, ru[..., :hidden], m)
        add(n, m, n)
        tanh(n, n)
        subtract(h, n, new_h)
        multiply(new_h, ru[..., hidden:], new_h)
        add(new_h, n, new_h)

    return step


def stepper(
    cell: str, layers: list[list[Any]], head: list[Any], **settings: Any
) -> Callable[[Array, list[Array]], tuple[Array, list[Array]]]:
    """``run(x, parts)``: a step through layers of a cell, whose weights are given, and through a head.

    The parts of the state are (L, B, H) with L layers; ``run`` returns what comes out, (B, H) or the
    head's (B, V), and the parts of the next state, all of it new arrays.
    """
    make: Any = {"rnn": rnn_stepper, "lstm": lstm_stepper, "gru": gru_stepper}[cell]
    steps = [make(*weights, **settings) for weights in layers]
    final = linear_stepper(*head[0]) if head else np.copy

    def run(x: Array, parts: list[Array]) -> tuple[Array, list[Array]]:
        new = [np.empty(part.shape, part.dtype) for part in parts]
        with one_thread():
            for step, *states in zip(steps, *parts, *new, strict=True):
                step(x, *states)
                x = states[len(parts)]
            return final(x), new

    return run
