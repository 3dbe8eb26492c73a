"""RNN, LSTM and GRU in C: allocate, let BLAS do large products, call the scans.

Legend: T time, B batch, I input, H hidden, G gates times H. Slices of the batch run on
threads; how many there are depends on the shape alone, so results do not depend on the
number of threads.
"""

from typing import Any, NamedTuple

from ...backend.numpy import matmul
from ...backend.pool import empty
from ...backend.threads import product, run_each
from ..numpy import lstm as reference
from ..numpy import scan
from ..numpy.scan import Array, Arrays, Inputs, MaybeArray, Needs, cell_kernels
from ..numpy.slices import split_batch
from . import _c
from .arrays import as_int64, contiguous, converted

RNN, GRU, LSTM = 1, 3, 4  # their numbers of gates
# Multiplications from which on BLAS is faster than the tiles of the C kernels.
LARGE_PRODUCT = 1 << 20


class Sizes(NamedTuple):
    """The sizes of a call."""

    gates: int
    steps: int
    batch: int
    features: int
    hidden: int

    @property
    def width(self) -> int:
        """All gates of a layer, G."""
        return self.gates * self.hidden


class Workspace(NamedTuple):
    """What the backward needs of the forward."""

    states: Array  # h before the first step and after each, (T+1, B, H)
    c_states: MaybeArray  # LSTM: c, the same
    gates: MaybeArray  # LSTM and GRU: their gates, (T, B, G)
    m: MaybeArray  # GRU: W_hn h + b_hn, (T, B, H)
    rows: MaybeArray  # features (T*B, I)
    ids: MaybeArray  # or ids (T*B,)
    lengths: MaybeArray  # (B,) of int64


def _sum_of_biases(gates: int, b_ih: MaybeArray, b_hh: MaybeArray) -> MaybeArray:
    """Return what is added to W_ih x; the GRU's b_hn is not part of it."""
    if gates != GRU or b_hh is None:
        return scan.add_biases(b_ih, b_hh)
    bias = b_hh.copy()
    bias[len(bias) // 3 * 2 :] = 0
    return scan.add_biases(b_ih, bias)


def _forward(
    gates: int,
    x: Array,
    h_0: MaybeArray,
    c_0: MaybeArray,
    w_ih: Array,
    w_hh: Array,
    b_ih: MaybeArray,
    b_hh: MaybeArray,
    *,
    relu: bool = False,
    reverse: bool = False,
    lengths: MaybeArray = None,
) -> tuple[Any, Workspace]:
    """Return the outputs of a layer, and its workspace."""
    dtype, is_lstm = w_hh.dtype, gates == LSTM
    steps, batch = x.shape[:2]
    hidden = w_hh.shape[1]
    sizes = Sizes(gates, steps, batch, w_ih.shape[1], hidden)
    rows = ids = None
    if x.ndim == 3:
        rows = contiguous(scan.flatten_input(x, lengths)[0])
    else:
        ids = as_int64(x).reshape(-1)
    lengths = as_int64(lengths)

    states = empty((steps + 1, batch, hidden), dtype)
    after = states[:-1] if reverse else states[1:]
    c_states = empty(states.shape, dtype) if is_lstm else None
    # The sums of the input; gates take their place, or an RNN's states.
    sums = after if gates == RNN else empty((steps, batch, sizes.width), dtype)
    m = empty(after.shape, dtype) if gates == GRU else None
    output = after if lengths is None else empty(after.shape, dtype)
    h_n = empty((1, batch, hidden), dtype)
    c_n = empty(h_n.shape, dtype) if is_lstm else None
    has_sums = False
    if rows is not None and rows.size * sizes.width >= LARGE_PRODUCT:
        has_sums = True
        flat = sums.reshape(steps * batch, sizes.width)
        product(rows, w_ih.T, flat)
        bias = _sum_of_biases(gates, b_ih, b_hh)
        if bias is not None:
            flat += bias
    weights = [converted(a, dtype) for a in (w_ih, w_hh, b_ih, b_hh, h_0, c_0)]

    def run(part: slice) -> None:
        _c.layer_forward(
            *sizes,
            part.start,
            part.stop,
            reverse,
            relu,
            lengths,
            rows,
            ids,
            has_sums,
            *weights,
            states,
            c_states,
            None if gates == RNN else sums,
            m,
            None if lengths is None else output,
            h_n,
            c_n,
        )

    run_each(run, split_batch(steps, batch, w_hh.size))
    saved = None if gates == RNN else sums
    workspace = Workspace(states, c_states, saved, m, rows, ids, lengths)
    return (output, h_n, c_n) if is_lstm else (output, h_n), workspace


def _begin_gradient(g_last: MaybeArray, like: Array) -> Array:
    """Return memory for the gradient of a state, (1, B, H), with that of the last."""
    g = empty((1, *like.shape[1:]), like.dtype)
    g[...] = 0 if g_last is None else g_last
    return g


def _backward(
    gates: int,
    grads: Arrays,
    needs: Needs,
    weights: Inputs,
    workspace: Workspace,
    *,
    relu: bool = False,
    reverse: bool = False,
) -> Arrays:
    """Return the gradients of x, h_0, c_0, w_ih, w_hh, b_ih and b_hh."""
    w_ih, w_hh = map(contiguous, weights)
    states, c_states, saved, m, rows, ids, lengths = workspace
    needs_x, needs_h, needs_c, needs_w_ih, needs_w_hh, *needs_biases = needs
    dtype = states.dtype
    steps, batch = len(states) - 1, states.shape[1]
    sizes = Sizes(gates, steps, batch, w_ih.shape[1], states.shape[2])
    width, count = sizes.width, steps * batch

    def new(needed: bool, *shape: int) -> MaybeArray:
        return empty(shape, dtype) if needed else None

    g_h = _begin_gradient(grads[1], states)
    g_c = _begin_gradient(grads[2], states) if gates == LSTM else None
    g_sums = empty((steps, batch, width), dtype)
    g_recurrent = new(gates == GRU, *g_sums.shape)
    # Small products are done in C, large ones by BLAS.
    small = count * sizes.features * width < LARGE_PRODUCT
    small_hidden = count * sizes.hidden * width < LARGE_PRODUCT
    g_x = new(needs_x and small, steps, batch, sizes.features)
    g_w_ih = new(needs_w_ih and (small or ids is not None), *w_ih.shape)
    g_w_hh = new(needs_w_hh and small_hidden, *w_hh.shape)
    g_biases = [new(needed, width) for needed in needs_biases]
    g_output = contiguous(grads[0])

    def run(part: slice, finishes: bool) -> None:
        _c.layer_backward(
            *sizes,
            part.start,
            part.stop,
            reverse,
            relu,
            lengths,
            rows,
            ids,
            w_ih,
            w_hh,
            states,
            c_states,
            saved,
            m,
            g_output,
            g_h,
            g_c,
            needs_h,
            g_sums,
            g_recurrent,
            g_x,
            g_w_ih,
            g_w_hh,
            *g_biases,
            finishes,
        )

    parts = split_batch(steps, batch, w_hh.size)
    if len(parts) == 1:
        run(parts[0], finishes=True)
    else:
        run_each(lambda part: run(part, finishes=False), parts)
        run(slice(0, 0), finishes=True)
    if needs_x and g_x is None:
        g_x = matmul(g_sums, w_ih)
    if needs_w_ih and g_w_ih is None and rows is not None:
        g_w_ih = scan.weight_gradient(g_sums, rows)
    if needs_w_hh and g_w_hh is None:
        before = states[1:] if reverse else states[:-1]
        through = g_sums if g_recurrent is None else g_recurrent
        g_w_hh = scan.weight_gradient(through, before)
    g_states = g_h if needs_h else None, g_c if needs_c else None
    return g_x, *g_states, g_w_ih, g_w_hh, *g_biases


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
) -> tuple[Any, Workspace]:
    """Run Elman's layer."""
    return _forward(
        RNN,
        x,
        h_0,
        None,
        w_ih,
        w_hh,
        b_ih,
        b_hh,
        relu=nonlinearity == "relu",
        reverse=reverse,
        lengths=lengths,
    )


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
    needs = (*needs[:2], False, *needs[2:6])
    relu = nonlinearity == "relu"
    found = _backward(
        RNN, grads, needs, inputs[2:4], workspace, relu=relu, reverse=reverse
    )
    return *found[:2], *found[3:]


def gru_forward(
    x: Array,
    h_0: MaybeArray,
    w_ih: Array,
    w_hh: Array,
    b_ih: MaybeArray,
    b_hh: MaybeArray,
    *,
    reverse: bool = False,
    lengths: MaybeArray = None,
) -> tuple[Any, Workspace]:
    """Run a layer of gated recurrent units."""
    weights = (w_ih, w_hh, b_ih, b_hh)
    return _forward(GRU, x, h_0, None, *weights, reverse=reverse, lengths=lengths)


def gru_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Workspace,
    *,
    reverse: bool = False,
    lengths: MaybeArray = None,
) -> Arrays:
    """Return the gradients of x, h_0, w_ih, w_hh, b_ih and b_hh."""
    needs = (*needs[:2], False, *needs[2:6])
    found = _backward(GRU, grads, needs, inputs[2:4], workspace, reverse=reverse)
    return *found[:2], *found[3:]


def lstm_forward(
    x: Array,
    h_0: MaybeArray,
    c_0: MaybeArray,
    w_ih: Array,
    w_hh: Array,
    b_ih: MaybeArray,
    b_hh: MaybeArray,
    w_hr: MaybeArray = None,
    *,
    reverse: bool = False,
    lengths: MaybeArray = None,
) -> tuple[Any, Any]:
    """Run a layer of long short-term memory; with a projection, NumPy's."""
    weights = (w_ih, w_hh, b_ih, b_hh)
    if w_hr is not None:
        return reference.lstm_forward(
            x, h_0, c_0, *weights, w_hr, reverse=reverse, lengths=lengths
        )
    return _forward(LSTM, x, h_0, c_0, *weights, reverse=reverse, lengths=lengths)


def lstm_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Any,
    *,
    reverse: bool = False,
    lengths: MaybeArray = None,
) -> Arrays:
    """Return the gradients of x, h_0, c_0, w_ih, w_hh, b_ih, b_hh and w_hr."""
    if not isinstance(workspace, Workspace):
        return reference.lstm_backward(
            grads, needs, inputs, outputs, workspace, reverse=reverse, lengths=lengths
        )
    found = _backward(LSTM, grads, needs[:7], inputs[3:5], workspace, reverse=reverse)
    return *found, None


lstm_cell_forward, lstm_cell_backward = cell_kernels(lstm_forward, lstm_backward, 2)
gru_cell_forward, gru_cell_backward = cell_kernels(gru_forward, gru_backward, 1)
