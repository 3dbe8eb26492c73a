"""Recurrent layers: the equations of one step, and the fused ops that scan a sequence with them.

Project, then scan: the input's part of the gates is one product (or one gather, for ids) for all
steps; only what depends on the step before is done step by step. Each fused op covers one layer in
one direction; its composite loops over the very step function that the cell uses.

Legend: T time, B batch, I input, H hidden. Time-major inside, whatever the user's layout.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import backend_of
from ..engine.node import wrap
from ..engine.fused import FusedOp
from .elementwise import relu, tanh, where, zeros_like
from .matmul import linear
from .shape import concat

__all__ = ["project", "rnn", "rnn_step"]

Tensor = Any
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": tanh, "relu": relu}


def project(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """W_ih x + b_ih for all steps: of features (..., I), or of ids (...), each a one-hot row."""
    if x.dtype.kind == "f":
        return linear(x, weight, bias)
    rows = weight.T[x]
    return rows if bias is None else rows + bias


def rnn_step(
    z: Tensor, h: Tensor, w_hh: Tensor, b_hh: Tensor | None, nonlinearity: str
) -> Tensor:
    """h' = tanh(z + W_hh h + b_hh), z = W_ih x + b_ih, as torch.nn.RNNCell: (B, H) to (B, H)."""
    return ACTIVATIONS[nonlinearity](z + linear(h, w_hh, b_hh))


def scan(
    step: Callable[[Tensor, Tensor], Tensor],
    z: Tensor,
    h: Tensor,
    reverse: bool,
    lengths: np.ndarray | None,
) -> tuple[Tensor, Tensor]:
    """Run ``h = step(z[t], h)`` over a sequence: the outputs (T, B, H) and the last state (B, H).

    Past the end of a sequence the state waits and the output is 0.
    """
    steps = z.shape[0]
    if lengths is not None:
        inside = np.arange(steps)[:, None, None] < np.asarray(lengths)[None, :, None]
        mask = wrap(backend_of(z.data).from_host(inside))  # (T, B, 1)
    outputs = [None] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        new = step(z[t], h)
        h = new if lengths is None else where(mask[t], new, h)
        out = new if lengths is None else where(mask[t], new, 0.0)
        outputs[t] = out.reshape(1, *out.shape)
    return concat(outputs), h


def _rnn(
    x: Tensor,
    h_0: Tensor | None,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    /,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    lengths: np.ndarray | None = None,
) -> tuple[Tensor, Tensor]:
    """A layer of torch.nn.RNN in one direction: (T, B, I) or ids (T, B) to (T, B, H), (B, H)."""
    z = project(x, w_ih, b_ih)
    h = zeros_like(z[0]) if h_0 is None else h_0
    return scan(lambda z_t, h: rnn_step(z_t, h, w_hh, b_hh, nonlinearity), z, h, reverse, lengths)


rnn = FusedOp(_rnn, reads_outputs=True)
