"""Recurrent layers: the equations of one step, and the fused ops that scan a sequence
with them.

Project, then scan: the input's part of the gates is one product (or one gather, for
ids) for all steps; only what depends on the step before is done step by step. Each
fused op covers one layer in one direction; its composite loops over the very step
function that the cell uses.

Legend: T time, B batch, I input, H hidden, G gates. Time-major inside, whatever the
    user's layout.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import backend_of
from ..engine.node import wrap
from ..engine.fused import FusedOp
from .elementwise import relu, sigmoid, tanh, where, zeros_like
from .matmul import linear
from .shape import concat

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Tensor = Any
Maybe = Any  # a Tensor or None
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": tanh, "relu": relu}


def project(x: Tensor, weight: Tensor, bias: Maybe) -> Tensor:
    """W_ih x + b_ih for all steps: of features (..., I), or of ids (...), each a
    one-hot row.
    """
    if x.dtype.kind == "f":
        return linear(x, weight, bias)
    rows = weight.T[x]
    return rows if bias is None else rows + bias


def gates(z: Tensor, count: int) -> list[Tensor]:
    """The parts of (..., G*H), gate by gate: (..., H) each."""
    size = z.shape[-1] // count
    return [z[..., k * size : (k + 1) * size] for k in range(count)]


# ---------------------------------------------------------------- one step, of z = W_ih x + b_ih


def rnn_step(
    z: Tensor, h: Tensor, w_hh: Tensor, b_hh: Maybe, nonlinearity: str
) -> Tensor:
    """h' = tanh(z + W_hh h + b_hh), as torch.nn.RNNCell: (B, H) to (B, H)."""
    return ACTIVATIONS[nonlinearity](z + linear(h, w_hh, b_hh))


def lstm_step(
    z: Tensor, h: Tensor, c: Tensor, w_hh: Tensor, b_hh: Maybe, w_hr: Maybe = None
) -> tuple[Tensor, Tensor]:
    """c' = f c + i g and h' = o tanh(c'), as torch.nn.LSTMCell: (B, 4H), (B, H) to (B,
    H) twice.

    i, f, o are sigmoids and g is the tanh of the four parts i, f, g, o of z + W_hh h +
    b_hh. With W_hr (R, H) the state h' is W_hr (o tanh(c')), (B, R): Sak et al.,
    arXiv:1402.1128.
    """
    i, f, g, o = gates(z + linear(h, w_hh, b_hh), 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return (h if w_hr is None else linear(h, w_hr)), c


def gru_step(z: Tensor, h: Tensor, w_hh: Tensor, b_hh: Maybe) -> Tensor:
    """h' = (1 - u) n + u h, as torch.nn.GRUCell, which calls u z: (B, 3H), (B, H) to
    (B, H).

    r and u are sigmoids of two of the three parts r, u, n of z + W_hh h + b_hh. In the
    third r acts on what comes of the state: n = tanh(z_n + r (W_hn h + b_hn)).
    """
    (z_r, z_u, z_n), (r, u, n) = gates(z, 3), gates(linear(h, w_hh, b_hh), 3)
    r, u = sigmoid(z_r + r), sigmoid(z_u + u)
    n = tanh(z_n + r * n)
    return n + u * (h - n)


# ---------------------------------------------------------------- a sequence


def _inside(like: Tensor, lengths: np.ndarray) -> Tensor:
    """Where a sequence goes on: (T, B, 1)."""
    inside = (
        np.arange(like.shape[0])[:, None, None] < np.asarray(lengths)[None, :, None]
    )
    return wrap(backend_of(like.array).from_host(inside))


def _silenced(x: Tensor, lengths: np.ndarray | None) -> Tensor:
    """Features with zeros in the padding, whatever stood there, a NaN too."""
    if lengths is None or x.dtype.kind != "f":
        return x
    return where(_inside(x, lengths), x, 0.0)


def scan(
    step: Callable[..., tuple[Tensor, ...]],
    z: Tensor,
    state: tuple[Tensor, ...],
    reverse: bool,
    lengths: np.ndarray | None,
) -> tuple[Tensor, ...]:
    """Run ``state = step(z[t], *state)`` over a sequence (T, B, G*H), from a state of
    (1, B, H).

    Returns the outputs (T, B, H), each the first part of a state, and then the last
    state. Past the end of a sequence the state waits and the output is 0.
    """
    steps = z.shape[0]
    mask = None if lengths is None else _inside(z, lengths)
    outputs = [None] * steps
    state = tuple([part[0] for part in state])
    for t in reversed(range(steps)) if reverse else range(steps):
        new = step(z[t], *state)
        out = new[0] if mask is None else where(mask[t], new[0], 0.0)
        if mask is not None:
            new = tuple(
                [where(mask[t], *pair) for pair in zip(new, state, strict=True)]
            )
        outputs[t] = out.reshape(1, *out.shape)
        state = new
    return concat(outputs), *[part.reshape(1, *part.shape) for part in state]


def _start(state: Maybe, z: Tensor, size: int) -> Tensor:
    return zeros_like(z[..., :size]) if state is None else state


def _rnn(
    x: Tensor, h_0: Maybe, w_ih: Tensor, w_hh: Tensor, b_ih: Maybe, b_hh: Maybe, /,
    nonlinearity: str = "tanh", reverse: bool = False, lengths: np.ndarray | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """A layer of torch.nn.RNN in one direction: (T, B, I) or ids (T, B) to (T, B, H),
    (1, B, H).
    """
    z = project(_silenced(x, lengths), w_ih, b_ih)
    h = _start(h_0, z[:1], w_hh.shape[1])
    step = lambda z, h: (rnn_step(z, h, w_hh, b_hh, nonlinearity),)
    return scan(step, z, (h,), reverse, lengths)


def _lstm(
    x: Tensor, h_0: Maybe, c_0: Maybe, w_ih: Tensor, w_hh: Tensor, b_ih: Maybe, b_hh: Maybe,
    w_hr: Maybe = None, /, reverse: bool = False, lengths: np.ndarray | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """A layer of torch.nn.LSTM in one direction: to (T, B, H), (1, B, H) and as much
    for c.
    """
    z = project(_silenced(x, lengths), w_ih, b_ih)
    h, c = _start(h_0, z[:1], w_hh.shape[1]), _start(c_0, z[:1], w_hh.shape[0] // 4)
    step = lambda z, h, c: lstm_step(z, h, c, w_hh, b_hh, w_hr)
    return scan(step, z, (h, c), reverse, lengths)


def _gru(
    x: Tensor, h_0: Maybe, w_ih: Tensor, w_hh: Tensor, b_ih: Maybe, b_hh: Maybe, /,
    reverse: bool = False, lengths: np.ndarray | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """A layer of torch.nn.GRU in one direction: (T, B, I) or ids (T, B) to (T, B, H),
    (1, B, H).
    """
    z = project(_silenced(x, lengths), w_ih, b_ih)
    h = _start(h_0, z[:1], w_hh.shape[1])
    step = lambda z, h: (gru_step(z, h, w_hh, b_hh),)
    return scan(step, z, (h,), reverse, lengths)


rnn = FusedOp(_rnn, "rnn_forward", "rnn_backward", reads_outputs=True)
lstm = FusedOp(_lstm, "lstm_forward", "lstm_backward", reads_outputs=True)
gru = FusedOp(_gru, "gru_forward", "gru_backward", reads_outputs=True)


# ---------------------------------------------------------------- a cell


def rnn_cell(
    x: Tensor,
    h: Maybe,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Maybe,
    b_hh: Maybe,
    *,
    nonlinearity: str,
) -> Tensor:
    """torch.nn.RNNCell: (B, I) or ids (B,), and (B, H), to (B, H); B may be left out.

    No fused op: its few ops outrun the fixed cost of the layer's kernel.
    """
    z = project(x, w_ih, b_ih)
    return rnn_step(z, _start(h, z, w_hh.shape[1]), w_hh, b_hh, nonlinearity)


def _lstm_cell(
    x: Tensor,
    h: Maybe,
    c: Maybe,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Maybe,
    b_hh: Maybe,
    /,
) -> tuple[Tensor, Tensor]:
    """torch.nn.LSTMCell: as rnn_cell, to h and c."""
    z = project(x, w_ih, b_ih)
    h, c = (_start(part, z, w_hh.shape[1]) for part in (h, c))
    return lstm_step(z, h, c, w_hh, b_hh)


def _gru_cell(
    x: Tensor, h: Maybe, w_ih: Tensor, w_hh: Tensor, b_ih: Maybe, b_hh: Maybe, /
) -> Tensor:
    """torch.nn.GRUCell: as rnn_cell."""
    z = project(x, w_ih, b_ih)
    return gru_step(z, _start(h, z, w_hh.shape[1]), w_hh, b_hh)


lstm_cell = FusedOp(_lstm_cell, "lstm_cell_forward", "lstm_cell_backward")
gru_cell = FusedOp(_gru_cell, "gru_cell_forward", "gru_cell_backward")
