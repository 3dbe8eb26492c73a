"""NumPy: the inner loops of recurrent layers, of the loss and of the optimizer step.

All work on arrays of one float dtype, float32 or float64, inputs of any strides, time first. Legend:
T time, B batch, I input, H hidden, V classes, N examples. A forward returns its outputs and a
workspace. A backward takes ``grads``, the outputs' cotangents (None where there is none), and
``needs``, which of the inputs want a gradient, and returns a gradient or None for each input; it
changes neither its arguments nor the workspace, and its gradients are new arrays.

The layers above check arguments; here a wrong one is not noticed.
"""

from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from ..backend.pool import empty
from ..backend.threads import scanning

# fmt: off
__all__ = [
    "adam_step", "cross_entropy_backward", "cross_entropy_forward", "rnn_backward",
    "rnn_forward",
]
# fmt: on

Array = np.ndarray
Maybe = np.ndarray | None

# ---- projection: what of a recurrent layer can be done for all steps at once


def _ended(lengths: Maybe, steps: int) -> Maybe:
    """Where a sequence is over, (T, B, 1); None if all go on to the last step."""
    if lengths is None or lengths.min(initial=steps) == steps:
        return None
    return np.arange(steps)[:, None, None] >= lengths[:, None]


def _by_step(ended: Maybe, steps: int) -> list[Maybe]:
    """For each step which sequences are over; None where none is."""
    if ended is None:
        return [None] * steps
    some: Array = np.asarray(ended.any((1, 2)))
    return [end if any_ended else None for end, any_ended in zip(ended, some, strict=True)]


def _copy(x: Array, ended: Maybe) -> Array:
    """A contiguous copy with zeros where a sequence is over, whatever stood there, a NaN too."""
    out = empty(x.shape, x.dtype)
    out[...] = x
    if ended is not None:
        np.copyto(out, 0, where=ended)
    return out


def _rows(x: Array, ended: Maybe) -> Array:
    """Features (T, B, I) as contiguous rows (T*B, I), ids (T, B) as (T*B,)."""
    if x.ndim == 3 and not (ended is None and x.flags.c_contiguous):
        x = _copy(x, ended)
    return x.reshape(-1, *x.shape[2:])


def _transposed(weight: Array, rows: int) -> Array:
    """``weight.T`` as the right operand of products of so many rows altogether.

    Products with a contiguous copy are up to twice as fast, but the copy has to be made.
    """
    return np.ascontiguousarray(weight.T) if rows >= len(weight) else weight.T


def _project(rows: Array, weight: Array, bias: Maybe, out: Array) -> None:
    """``out = rows @ weight.T + bias``, (T, B, H); an id takes a row of a table instead."""
    steps, batch, hidden = out.shape
    flat = out.reshape(steps * batch, hidden)
    if rows.ndim == 2:
        np.dot(rows, _transposed(weight, len(rows)), flat)
        if bias is not None:  # repeated, as adding few long rows outruns adding many short ones
            wide = out.reshape(steps, batch * hidden)
            np.add(wide, bias[None].repeat(batch, 0).reshape(-1), wide)
    elif len(rows) < weight.shape[1]:  # fewer ids than the table has rows
        np.add(weight.T[rows], 0 if bias is None else bias, flat)
    else:
        table = np.add(weight.T, 0 if bias is None else bias, order="C")
        table.take(rows, 0, flat, "clip")  # other modes go through a copy of flat


def _projection_grads(
    needs: tuple[bool, bool, bool], x: Array, rows: Array, weight: Array, g_out: Array
) -> tuple[Maybe, Maybe, Maybe]:
    """The gradients of x, weight and bias for that of the projection."""
    g_x = g_weight = g_bias = None
    if needs[0]:
        g_x = empty(x.shape, x.dtype)
        np.dot(g_out, weight, g_x.reshape(rows.shape))
    if needs[1]:
        g_weight = empty(weight.shape, weight.dtype)
        if rows.ndim == 2:
            np.dot(g_out.T, rows, g_weight)
        else:
            _scatter(rows, g_out, g_weight)
    if needs[2]:
        terms = g_out if rows.ndim == 2 or g_weight is None else g_weight.T
        g_bias = np.dot(np.ones(len(terms), terms.dtype), terms)
    return g_x, g_weight, g_bias


def _scatter(ids: Array, g_out: Array, g_weight: Array) -> None:
    """The product of ``g_out.T`` with one-hot rows: its column v sums what stands where v is."""
    hidden, count = g_weight.shape
    if ids.size * count <= 4096:  # so small that the product costs less than the calls below
        np.dot(g_out.T, np.equal.outer(ids, np.arange(count)).astype(g_out.dtype), g_weight)
        return
    # Bring equal ids together (NumPy sorts 16 bits much faster) and sum by a product with ones.
    order = ids.astype(np.uint16 if count <= 1 << 16 else ids.dtype).argsort(kind="stable")
    counts = np.bincount(ids)
    distinct = counts.nonzero()[0]
    ones = np.ones(counts.max(), g_out.dtype)
    table = empty((count, hidden), g_out.dtype)
    table.fill(0)
    start = 0
    for v, stop in zip(distinct.tolist(), counts.cumsum()[distinct].tolist(), strict=True):
        np.dot(ones[: stop - start], g_out.take(order[start:stop], 0), table[v])
        start = stop
    g_weight[...] = table.T


# ---- scan: h_t = act(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh)


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
) -> tuple[tuple[Array, Array], Any]:
    """Hidden states ``output`` (T, B, H) and the last one ``h_n`` (B, H) of an Elman layer.

    ``x`` is (T, B, I), or ids (T, B) for one-hot rows. Where a sequence is over, its state passes
    on unchanged and its output is 0; so both directions end with the state that is ``h_n``.
    """
    steps, batch, hidden = *x.shape[:2], len(w_hh)
    states = empty((steps + 1, batch, hidden), w_hh.dtype)  # the first one is h_0
    first, output = (states[-1], states[:-1]) if reverse else (states[0], states[1:])
    first[...] = 0 if h_0 is None else h_0
    ended = _ended(lengths, steps)
    rows = _rows(x, ended)
    bias = None if b_ih is None else b_ih + b_hh
    _project(rows, w_ih, bias, output)

    order = slice(None, None, -1 if reverse else 1)
    walk, ends = list(states)[order], _by_step(ended, steps)[order]
    act = np.tanh if nonlinearity == "tanh" else _relu
    weight = _transposed(w_hh, steps * batch)
    product = empty((batch, hidden), w_hh.dtype)
    dot, add = np.dot, np.add
    with scanning(batch * hidden * hidden):
        for (previous, state), end in zip(pairwise(walk), ends, strict=True):
            dot(previous, weight, product)
            add(state, product, state)
            act(state, state)
            if end is not None:
                np.copyto(state, previous, where=end)
    if ended is not None:
        output = _copy(output, ended)
    return (output, walk[-1].copy()), (states, rows, ended)


def rnn_backward(
    grads: tuple[Maybe, Maybe],
    needs: tuple[bool, ...],
    inputs: tuple[Any, ...],
    outputs: tuple[Array, Array],
    workspace: Any,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    lengths: Maybe = None,
) -> tuple[Maybe, ...]:
    """Gradients of x, h_0, w_ih, w_hh, b_ih, b_hh: the transposed scan, then one product each."""
    g_output, g_h_n = grads
    x, _, w_ih, w_hh, _, _ = inputs
    states, rows, ended = workspace
    (batch, hidden), steps = states.shape[1:], len(states) - 1
    before, after = (states[1:], states[:-1]) if reverse else (states[:-1], states[1:])

    # act' of all steps; the loop multiplies each step's cotangent into it.
    g_sum = empty(after.shape, after.dtype)
    _slope(nonlinearity, after, g_sum)
    if ended is not None:
        np.copyto(g_sum, 0, where=ended)
        g_output = None if g_output is None else _copy(g_output, ended)
    order = slice(None, None, 1 if reverse else -1)
    walk, ends = list(g_sum)[order], _by_step(ended, steps)[order]
    outer = [None] * steps if g_output is None else list(g_output)[order]
    weight = np.ascontiguousarray(w_hh)
    carry, spare = (empty((batch, hidden), states.dtype) for _ in range(2))
    carry[...] = 0 if g_h_n is None else g_h_n
    dot, add, multiply = np.dot, np.add, np.multiply
    final = None if needs[1] else walk[-1]
    with scanning(batch * hidden * hidden):
        for gate, g, end in zip(walk, outer, ends, strict=True):
            if g is not None:
                add(carry, g, carry)
            multiply(carry, gate, gate)
            if gate is final:
                break
            dot(gate, weight, spare)
            if end is not None:
                np.copyto(spare, carry, where=end)
            carry, spare = spare, carry

    g_rows = g_sum.reshape(-1, hidden)
    wanted = (needs[0], needs[2], needs[4] or needs[5])
    g_x, g_w_ih, g_bias = _projection_grads(wanted, x, rows, w_ih, g_rows)
    g_w_hh = None
    if needs[3]:
        g_w_hh = np.dot(g_rows.T, before.reshape(-1, hidden), empty(w_hh.shape, w_hh.dtype))
    g_b_ih = g_bias if needs[4] else None
    g_b_hh = None if g_bias is None or not needs[5] else g_bias.copy()
    return g_x, carry if needs[1] else None, g_w_ih, g_w_hh, g_b_ih, g_b_hh


def _relu(x: Array, out: Array) -> None:
    np.maximum(x, 0, out=out)


def _slope(nonlinearity: str, h: Array, out: Array) -> None:
    """The derivative of the activation, told from its value."""
    if nonlinearity == "relu":
        np.sign(h, out)  # h is never negative; 0 at the kink, as in PyTorch
    else:
        np.multiply(h, h, out)
        np.subtract(np.ones((), h.dtype), out, out)


# ---- loss


def cross_entropy_forward(
    logits: Array,
    target: Array,
    weight: Maybe = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[tuple[Array], Any]:
    """The loss of logits (N, V) for classes (N,): 0-d, or (N,) with reduction "none".

    With z = x - max(x), log(sum(exp(z))) is log1p of the sum without its largest term, the 1 of the
    maximum itself: nothing cancels, and a small loss is as exact as a big one.
    """
    count, classes = logits.shape
    start = np.arange(0, count * classes, classes)
    ignored: Maybe = None
    if (target == ignore_index).any():
        ignored = target == ignore_index
        target = np.where(ignored, 0, target)
    x = np.ascontiguousarray(logits)
    top, place = start + x.argmax(1), start + target.astype(np.intp, copy=False)  # as argmax and a look-up outrun max

    p = np.subtract(x, x.take(top)[:, None], empty(x.shape, x.dtype))
    flat = p.reshape(-1)
    losses = -flat[place]
    every = np.ones(classes, x.dtype)
    smooth = np.dot(p, every if weight is None else weight) if label_smoothing else None
    np.exp(p, p)
    flat[top] = 0
    z = np.dot(p, every)
    flat[top] = 1
    log_z = np.log1p(z)
    losses += log_z
    z += 1

    share = every[target] if weight is None else weight[target]
    if ignored is not None:
        share[ignored] = 0
    losses *= share
    if smooth is not None:
        smooth = log_z * (classes if weight is None else weight.sum()) - smooth
        losses += label_smoothing * (smooth / classes - losses)
    if ignored is not None:  # whatever its logits, a NaN too
        losses[ignored] = 0
    total = share.sum()
    loss = losses
    if reduction != "none":
        loss = np.asarray(losses.sum() / total if reduction == "mean" else losses.sum())
    return (loss,), (p, z, place, ignored, share, total)


def cross_entropy_backward(
    grads: tuple[Array],
    needs: tuple[bool, ...],
    inputs: tuple[Any, ...],
    outputs: tuple[Array],
    workspace: Any,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[Maybe, None, None]:
    """The gradient of the logits, softmax(x) - target, as loss and weights scale it."""
    if not needs[0]:
        return None, None, None
    p, z, place, ignored, share, total = workspace
    scale = grads[0] / total if reduction == "mean" else grads[0]
    sharp = share * (scale * (1 - label_smoothing))
    factor, level = sharp, None
    if label_smoothing:
        weight = np.ones(p.shape[1], p.dtype) if inputs[2] is None else inputs[2]
        level = np.full(len(p), scale * (label_smoothing / len(weight)), p.dtype)
        factor = sharp + level * weight.sum()
    g = np.multiply(p, (factor / z)[:, None], empty(p.shape, p.dtype))
    g.reshape(-1)[place] -= sharp
    if level is not None:
        g -= level[:, None] * weight
    if ignored is not None:
        g[ignored] = 0
    return g, None, None


# ---- optimizer

CHUNK = 1 << 17  # elements; of long vectors, pieces that stay in cache from pass to pass


def adam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Maybe,
    *,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    decoupled: bool,
) -> None:
    """One step of Adam, or AdamW if ``decoupled``, in place on flat arrays; ``step`` counts from 1.

    Kingma and Ba, arXiv:1412.6980, section 2, with both bias corrections moved into the scalars.
    """
    root = sqrt(1 - beta2**step)
    constants = (1 - beta1, beta2, 1 - beta2, eps * root, lr * root / (1 - beta1**step))
    new, keep_sq, new_sq, floor, rate = (np.array(c, param.dtype) for c in constants)
    decay = np.array(1 - lr * weight_decay if decoupled else weight_decay, param.dtype)
    scratch = empty((2, min(CHUNK, param.size)), param.dtype)
    for start in range(0, param.size, CHUNK):
        part = slice(start, start + CHUNK)
        p, g, m, v = param[part], grad[part], exp_avg[part], exp_avg_sq[part]
        a, b = scratch[:, : p.size]
        if weight_decay and decoupled:
            np.multiply(p, decay, p)
        elif weight_decay:
            np.multiply(p, decay, b)
            g = np.add(b, g, b)
        np.subtract(g, m, a)
        np.multiply(a, new, a)
        np.add(m, a, m)
        np.multiply(g, g, a)
        np.multiply(a, new_sq, a)
        np.multiply(v, keep_sq, v)
        np.add(v, a, v)
        if amsgrad and max_exp_avg_sq is not None:
            v = np.maximum(max_exp_avg_sq[part], v, out=max_exp_avg_sq[part])
        np.sqrt(v, a)
        np.add(a, floor, a)
        np.divide(m, a, a)
        np.multiply(a, rate, a)
        np.subtract(p, a, p)
