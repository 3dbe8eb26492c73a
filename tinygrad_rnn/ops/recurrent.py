"""Recurrent layers: the equations of one step, and fused ops that scan a sequence.

Project, then scan: the input's part of the gates is one product for all steps (or one
gather, for ids), and only what depends on the previous step is done step by step. Each
fused op covers one layer in one direction. Its composite loops over the step function
that the cell uses.

Legend: T time, B batch, I input, H hidden, G gates. Time comes first here, whatever the
user's layout.
"""

from collections.abc import Sequence

import numpy as np

from ..backend import backend_of
from ..engine import seam
from ..engine.fused import FusedOp
from ..engine.node import wrap
from ..types import Array, Function, Operand, Setting
from .elementwise import relu, sigmoid, tanh, where, zeros_like
from .matmul import linear
from .shape import concat

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Tensor = Operand  # composites run on Tensors only
MaybeTensor = Operand
Lengths = np.ndarray | None
ACTIVATIONS: dict[str, Function] = {"tanh": tanh, "relu": relu}


def project(x: Tensor, weight: Tensor, bias: MaybeTensor) -> Tensor:
    """Return W_ih x + b_ih for all steps, of features (..., I) or ids (...)."""
    if x.dtype.kind == "f":
        return linear(x, weight, bias)
    rows = weight.T[x]
    if bias is not None:
        rows = rows + bias
    return rows


def split_gates(z: Tensor, count: int) -> list[Tensor]:
    """Split (..., G*H) into the gates, (..., H) each."""
    size = z.shape[-1] // count
    return [z[..., k * size : (k + 1) * size] for k in range(count)]


# ---------------------------------------------------------------- one step


def rnn_step(
    z: Tensor, h: Tensor, w_hh: Tensor, b_hh: MaybeTensor, *, nonlinearity: str
) -> Tensor:
    """Return h' = tanh(z + W_hh h + b_hh), as torch.nn.RNNCell: (B, H) to (B, H)."""
    return ACTIVATIONS[nonlinearity](z + linear(h, w_hh, b_hh))


def lstm_step(
    z: Tensor,
    h: Tensor,
    c: Tensor,
    w_hh: Tensor,
    b_hh: MaybeTensor,
    w_hr: MaybeTensor = None,
) -> tuple[Tensor, Tensor]:
    """Return h' = o tanh(c') and c' = f c + i g, as torch.nn.LSTMCell.

    (B, 4H), (B, H), (B, H) to (B, H) twice. i, f, o are sigmoids, and g is the tanh, of
    the four parts i, f, g, o of z + W_hh h + b_hh. With W_hr (R, H), the state h' is
    W_hr (o tanh(c')), (B, R): Sak et al., arXiv:1402.1128.
    """
    i, f, g, o = split_gates(z + linear(h, w_hh, b_hh), 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    if w_hr is not None:
        h = linear(h, w_hr)
    return h, c


def gru_step(z: Tensor, h: Tensor, w_hh: Tensor, b_hh: MaybeTensor) -> Tensor:
    """Return h' = (1 - u) n + u h, as torch.nn.GRUCell, which calls u z.

    (B, 3H), (B, H) to (B, H). r and u are sigmoids of two of the three parts r, u, n of
    z + W_hh h + b_hh. In the third, r acts on the state's part only:
    n = tanh(z_n + r (W_hn h + b_hn)).
    """
    z_r, z_u, z_n = split_gates(z, 3)
    r, u, n = split_gates(linear(h, w_hh, b_hh), 3)
    r, u = sigmoid(z_r + r), sigmoid(z_u + u)
    n = tanh(z_n + r * n)
    return n + u * (h - n)


# ---------------------------------------------------------------- a sequence


def _valid_steps(like: Tensor, lengths: np.ndarray) -> Tensor:
    """Return which steps of ``like`` (T, B, ...) are not padding: (T, B, 1)."""
    to_device = backend_of(like.array).from_host
    return wrap(seam.run(_valid_mask, like.shape[0], lengths, to_device))


def _valid_mask(steps: int, lengths: np.ndarray, to_device: Function) -> Array:
    mask = np.arange(steps)[:, None, None] < np.asarray(lengths)[None, :, None]
    return to_device(mask)


def _clear_padding(x: Tensor, lengths: Lengths) -> Tensor:
    """Return features with zeros in the padding, which may hold NaN."""
    if lengths is None or x.dtype.kind != "f":
        return x
    return where(_valid_steps(x, lengths), x, 0.0)


def scan(
    step: Function,
    z: Tensor,
    state: tuple[Tensor, ...],
    reverse: bool,
    lengths: Lengths,
) -> tuple[Tensor, ...]:
    """Run ``state = step(z[t], *state)`` over a sequence (T, B, G*H).

    The parts of a state are (1, B, H). Past the end of a sequence, the state does not
    change and the output is 0.

    Returns:
        The outputs (T, B, H), which are the first part of each state, and the parts of
        the last state.
    """
    steps = z.shape[0]
    mask = None if lengths is None else _valid_steps(z, lengths)
    outputs = [None] * steps
    state = tuple([part[0] for part in state])
    for t in reversed(range(steps)) if reverse else range(steps):
        new_state = step(z[t], *state)
        out = new_state[0]
        if mask is not None:
            out = where(mask[t], out, 0.0)
            pairs = zip(new_state, state, strict=True)
            new_state = tuple([where(mask[t], new, old) for new, old in pairs])
        outputs[t] = out.reshape(1, *out.shape)
        state = new_state
    return concat(outputs), *[part.reshape(1, *part.shape) for part in state]


def _first_state(state: MaybeTensor, z: Tensor, size: int) -> Tensor:
    """Return the state, or zeros if it is None."""
    if state is None:
        return zeros_like(z[..., :size])
    return state


def project_and_scan(
    equations: Function,
    x: Tensor,
    state: Sequence[MaybeTensor],
    weights: Sequence[MaybeTensor],
    reverse: bool = False,
    lengths: Lengths = None,
    **options: Setting,
) -> tuple[Tensor, ...]:
    """Run a layer in one direction, step by step.

    Args:
        equations: Those of one step, such as ``lstm_step``.
        x: Features (T, B, I) or ids (T, B).
        state: The parts of the first state, (1, B, H) each; None for zeros.
        weights: W_ih, W_hh, b_ih, b_hh, and W_hr if there is one.
        reverse: Whether to go from the last step to the first.
        lengths: Those of the sequences (B,); None if all have T steps.
        options: Further arguments of the equations.

    Returns:
        What ``scan`` returns.
    """
    w_ih, w_hh, b_ih, b_hh, *others = weights

    def step(z: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        found = equations(z, *state, w_hh, b_hh, *others, **options)
        return found if isinstance(found, tuple) else (found,)

    z = project(_clear_padding(x, lengths), w_ih, b_ih)
    h_size = size = w_hh.shape[1]
    if others and others[0] is not None:  # W_hr (R, H) projects h, but not the others
        size = others[0].shape[1]
    sizes = [h_size, *[size] * (len(state) - 1)]
    parts = zip(state, sizes, strict=True)
    first = tuple([_first_state(part, z[:1], size) for part, size in parts])
    return scan(step, z, first, reverse, lengths)


def _rnn(
    x: Tensor,
    h_0: MaybeTensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: MaybeTensor,
    b_hh: MaybeTensor,
    /,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    lengths: Lengths = None,
) -> tuple[Tensor, ...]:
    """Run a layer of torch.nn.RNN in one direction.

    (T, B, I) or ids (T, B) to (T, B, H) and (1, B, H).
    """

    weights, options = (w_ih, w_hh, b_ih, b_hh), {"nonlinearity": nonlinearity}
    return project_and_scan(rnn_step, x, (h_0,), weights, reverse, lengths, **options)


def _lstm(
    x: Tensor,
    h_0: MaybeTensor,
    c_0: MaybeTensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: MaybeTensor,
    b_hh: MaybeTensor,
    w_hr: MaybeTensor = None,
    /,
    reverse: bool = False,
    lengths: Lengths = None,
) -> tuple[Tensor, ...]:
    """Run a layer of torch.nn.LSTM in one direction.

    (T, B, I) or ids (T, B) to (T, B, H), (1, B, H) and (1, B, H). With W_hr (R, H), the
    output and h have R features.
    """

    weights = (w_ih, w_hh, b_ih, b_hh, w_hr)
    return project_and_scan(lstm_step, x, (h_0, c_0), weights, reverse, lengths)


def _gru(
    x: Tensor,
    h_0: MaybeTensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: MaybeTensor,
    b_hh: MaybeTensor,
    /,
    reverse: bool = False,
    lengths: Lengths = None,
) -> tuple[Tensor, ...]:
    """Run a layer of torch.nn.GRU in one direction.

    (T, B, I) or ids (T, B) to (T, B, H) and (1, B, H).
    """

    weights = (w_ih, w_hh, b_ih, b_hh)
    return project_and_scan(gru_step, x, (h_0,), weights, reverse, lengths)


rnn = FusedOp(_rnn, "rnn_forward", "rnn_backward", reads_outputs=True)
lstm = FusedOp(_lstm, "lstm_forward", "lstm_backward", reads_outputs=True)
gru = FusedOp(_gru, "gru_forward", "gru_backward", reads_outputs=True)


# ---------------------------------------------------------------- a cell


def rnn_cell(
    x: Tensor,
    h: MaybeTensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: MaybeTensor,
    b_hh: MaybeTensor,
    *,
    nonlinearity: str,
) -> Tensor:
    """Run torch.nn.RNNCell: (B, I) or ids (B,), and (B, H), to (B, H).

    B may be left out. This is no fused op, as its few ops are faster than the layer's
    kernel for one step.
    """
    z = project(x, w_ih, b_ih)
    h = _first_state(h, z, w_hh.shape[1])
    return rnn_step(z, h, w_hh, b_hh, nonlinearity=nonlinearity)


def _lstm_cell(
    x: Tensor,
    h: MaybeTensor,
    c: MaybeTensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: MaybeTensor,
    b_hh: MaybeTensor,
    /,
) -> tuple[Tensor, Tensor]:
    """Run torch.nn.LSTMCell, which returns h and c."""
    z = project(x, w_ih, b_ih)
    h, c = (_first_state(part, z, w_hh.shape[1]) for part in (h, c))
    return lstm_step(z, h, c, w_hh, b_hh)


def _gru_cell(
    x: Tensor,
    h: MaybeTensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: MaybeTensor,
    b_hh: MaybeTensor,
    /,
) -> Tensor:
    """Run torch.nn.GRUCell."""
    z = project(x, w_ih, b_ih)
    return gru_step(z, _first_state(h, z, w_hh.shape[1]), w_hh, b_hh)


lstm_cell = FusedOp(_lstm_cell, "lstm_cell_forward", "lstm_cell_backward")
gru_cell = FusedOp(_gru_cell, "gru_cell_forward", "gru_cell_backward")
