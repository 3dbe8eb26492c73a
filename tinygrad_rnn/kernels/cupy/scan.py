"""A recurrent layer in one direction: project the input, scan, gather gradients.

The scan is one launch of scan.cu where find_plan finds a layout, else a loop: for each
step, a product by cuBLAS and a launch of steps.cu. Legend: T time, B batch, I input, H
hidden, G gates.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cupy
import numpy as np

from ...types import Array
from . import plan as plans
from .embedding import embedding_backward, take_rows
from .launch import (
    SCAN,
    STEPS,
    THREADS,
    blocks_for,
    contiguous,
    current_card,
    launch,
    options,
)
from .plan import Layer, Plan

MaybeArray = Array | None
Needs = Sequence[bool]

RNN, LSTM, GRU = 1, 4, 3  # a cell is known by the number of its gates


class Cell(NamedTuple):
    """Which equations a scan computes."""

    gates: int
    relu: bool = False

    @property
    def is_lstm(self) -> bool:
        """Whether there is a second state, c."""
        return self.gates == LSTM


class Workspace(NamedTuple):
    """What the backward needs of the forward; the names are those of scan.cu."""

    states: Array  # (T + 1, B, H)
    cells: MaybeArray  # (T + 1, B, H) of an LSTM
    kept: MaybeArray  # (T, B, 4, H), but of an RNN
    rows: Array  # the input, (T*B, I), or ids (T*B,)
    lengths: MaybeArray  # (B,), None if no sequence ends early


# ---- before the scan


def _upload_lengths(lengths: np.ndarray | None, steps: int) -> MaybeArray:
    """Return the lengths on the device; None if all sequences are of full length."""
    if lengths is None or lengths.min(initial=steps) == steps:
        return None
    return cupy.asarray(lengths.astype(np.int32))


def _flatten_input(x: Array, lengths: MaybeArray) -> Array:
    """Return features (T*B, I) with zeros in the padding, or ids (T*B,), in C order."""
    if x.ndim == 2:
        return contiguous(cupy.reshape(x, (-1,)).astype(np.int32))
    if lengths is not None:
        is_padding = cupy.arange(len(x), dtype=np.int32)[:, None] >= lengths
        x = cupy.where(is_padding[:, :, None], x.dtype.type(0), x)
    return contiguous(cupy.reshape(x, (-1, x.shape[2])))


def _split_biases(
    cell: Cell, b_ih: MaybeArray, b_hh: MaybeArray
) -> tuple[MaybeArray, MaybeArray]:
    """Return the bias of the input's sums, and b_hn of a GRU, which r multiplies."""
    if b_hh is None or cell.gates != GRU:
        if b_ih is None or b_hh is None:
            return (b_hh if b_ih is None else b_ih), None
        return b_ih + b_hh, None
    start = 2 * (len(b_hh) // 3)
    bias = b_hh.copy()
    bias[start:] = 0
    return (bias if b_ih is None else bias + b_ih), contiguous(b_hh[start:])


def _project(rows: Array, w_ih: Array, bias: MaybeArray) -> Array:
    """Return W_ih x + bias for all steps, (T*B, G*H)."""
    if rows.ndim == 1:
        return take_rows(w_ih.T, rows, bias)
    sums = cupy.matmul(rows, w_ih.T)
    if bias is not None:
        sums += bias
    return contiguous(sums)


# ---- forward


class Forward(NamedTuple):
    """The arrays of a forward scan, as its kernels take them."""

    inputs: Array
    w_hh: Array
    b_n: MaybeArray
    h_0: MaybeArray
    c_0: MaybeArray
    states: Array
    cells: MaybeArray
    kept: MaybeArray
    output: MaybeArray
    h_n: Array
    c_n: MaybeArray
    lengths: MaybeArray


def scan_forward(
    cell: Cell,
    x: Array,
    h_0: MaybeArray,
    c_0: MaybeArray,
    w_ih: Array,
    w_hh: Array,
    b_ih: MaybeArray,
    b_hh: MaybeArray,
    reverse: bool,
    lengths: np.ndarray | None,
) -> tuple[tuple[Array, Array, MaybeArray], Workspace]:
    """Return ``output`` (T, B, H), ``h_n`` and ``c_n`` (1, B, H); c_n of an LSTM."""
    (steps, batch), hidden, dtype = x.shape[:2], w_hh.shape[1], w_hh.dtype
    ends = _upload_lengths(lengths, steps)
    rows = _flatten_input(x, ends)
    bias, b_n = _split_biases(cell, b_ih, b_hh)

    def empty(*shape: int, needed: bool = True) -> MaybeArray:
        return cupy.empty(shape, dtype) if needed else None

    layer = (batch, hidden)
    arrays = Forward(
        inputs=_project(rows, w_ih, bias),
        w_hh=contiguous(w_hh),
        b_n=b_n,
        h_0=contiguous(h_0),
        c_0=contiguous(c_0),
        states=empty(steps + 1, *layer),
        cells=empty(steps + 1, *layer, needed=cell.is_lstm),
        kept=empty(steps, batch, 4, hidden, needed=cell.gates != RNN),
        output=empty(steps, *layer, needed=ends is not None),
        h_n=empty(1, *layer),
        c_n=empty(1, *layer, needed=cell.is_lstm),
        lengths=ends,
    )
    plan = _find_plan(cell, steps, batch, hidden, dtype, backward=False)
    if batch and plan is not None:
        launch_scan("scan_forward", cell, plan, arrays, arrays.states, reverse)
    elif batch:
        loop_forward(cell, arrays, reverse)
    after = arrays.states[:-1] if reverse else arrays.states[1:]
    output = after if arrays.output is None else arrays.output
    workspace = Workspace(arrays.states, arrays.cells, arrays.kept, rows, ends)
    return (output, arrays.h_n, arrays.c_n), workspace


def _sizes(states: Array) -> tuple[int, int, int]:
    """Return T, B and H of the states of a scan, (T + 1, B, H)."""
    count, batch, hidden = states.shape
    return count - 1, batch, hidden


def _find_plan(
    cell: Cell, steps: int, batch: int, hidden: int, dtype: np.dtype, backward: bool
) -> Plan | None:
    layer = Layer(cell.gates, steps, batch, hidden, dtype.itemsize, backward)
    return plans.find_plan(layer, current_card()) if batch else None


def launch_scan(
    name: str,
    cell: Cell,
    plan: Plan,
    arrays: Sequence[MaybeArray],
    states: Array,
    reverse: bool,
) -> None:
    """Launch a scan by a plan."""
    steps, batch, hidden = _sizes(states)
    uses_grid = plan.mode == plans.GRID
    counters = (
        cupy.zeros((plan.grid // plan.ranks, 32), np.uint32) if uses_grid else None
    )
    defines = {"GATES": cell.gates, "MODE": plan.mode, "TILE": plan.tile}
    if plan.mode == plans.CLUSTER:
        defines["RANKS"] = plan.ranks
    sizes = (steps, batch, hidden, plan.units, plan.ranks, plan.slice, plan.parts)
    launch(
        name,
        SCAN,
        options(states.dtype.itemsize, **defines),
        (plan.grid,),
        plan.threads,
        (*arrays, counters, *sizes, reverse, cell.relu),
        plan.shared_bytes,
        cooperative=uses_grid,
    )


def loop_forward(cell: Cell, arrays: Forward, reverse: bool) -> None:
    """Scan step by step, for any size."""
    states, cells = arrays.states, arrays.cells
    steps, batch, hidden = _sizes(states)
    by_step = cupy.reshape(arrays.inputs, (steps, batch, cell.gates * hidden))
    products = cupy.empty((batch, cell.gates * hidden), states.dtype)
    begin = steps if reverse else 0
    states[begin] = 0 if arrays.h_0 is None else arrays.h_0[0]
    if cells is not None:
        cells[begin] = 0 if arrays.c_0 is None else arrays.c_0[0]
    settings = options(states.dtype.itemsize, GATES=cell.gates)
    for t in reversed(range(steps)) if reverse else range(steps):
        before, after = t + reverse, t + 1 - reverse
        cupy.matmul(states[before], arrays.w_hh.T, out=products)
        args = (
            products,
            by_step[t],
            arrays.b_n,
            states[before],
            _at(cells, before),
            states[after],
            _at(cells, after),
            _at(arrays.kept, t),
            _at(arrays.output, t),
            arrays.lengths,
        )
        sizes = (t, batch, hidden, cell.relu)
        grid = blocks_for(batch * hidden)
        launch("one_step_forward", STEPS, settings, grid, THREADS, (*args, *sizes))
    end = 0 if reverse else steps
    arrays.h_n[0] = states[end]
    if cells is not None and arrays.c_n is not None:
        arrays.c_n[0] = cells[end]


def _at(x: MaybeArray, index: int) -> MaybeArray:
    return None if x is None else x[index]


# ---- backward


class Backward(NamedTuple):
    """The arrays of a backward scan, as its kernels take them."""

    g_output: MaybeArray
    g_h_n: MaybeArray
    g_c_n: MaybeArray
    w_hh: Array
    states: Array
    cells: MaybeArray
    kept: MaybeArray
    g_sums: Array
    g_n: MaybeArray
    g_h_0: Array
    g_c_0: MaybeArray
    lengths: MaybeArray


def scan_backward(
    cell: Cell,
    grads: Sequence[MaybeArray],
    needs: Needs,
    w_ih: Array,
    w_hh: Array,
    workspace: Workspace,
    reverse: bool,
) -> tuple[MaybeArray, ...]:
    """Return the gradients of x, h_0, c_0, w_ih, w_hh, b_ih and b_hh.

    ``grads`` are those of output, h_n and c_n; there is always one of c_0 in the
    result and in ``needs``, which is None and False but of an LSTM.
    """
    states = workspace.states
    steps, batch, hidden = _sizes(states)
    dtype, layer = states.dtype, (batch, hidden)
    g_output, g_h_n, g_c_n = map(contiguous, grads)
    arrays = Backward(
        g_output=g_output,
        g_h_n=g_h_n,
        g_c_n=g_c_n,
        w_hh=contiguous(w_hh),
        states=states,
        cells=workspace.cells,
        kept=workspace.kept,
        g_sums=cupy.empty((steps, batch, cell.gates * hidden), dtype),
        g_n=cupy.empty((steps, *layer), dtype) if cell.gates == GRU else None,
        g_h_0=cupy.empty((1, *layer), dtype),
        g_c_0=cupy.empty((1, *layer), dtype) if cell.is_lstm else None,
        lengths=workspace.lengths,
    )
    plan = _find_plan(cell, steps, batch, hidden, dtype, backward=True)
    if batch and plan is not None:
        launch_scan("scan_backward", cell, plan, arrays, states, reverse)
    elif batch:
        loop_backward(cell, arrays, reverse)
    g_h_0 = arrays.g_h_0 if needs[1] else None
    g_c_0 = arrays.g_c_0 if needs[2] else None
    before = states[1:] if reverse else states[:-1]
    g_x, *g_weights = _gradients_past_the_scan(needs, w_ih, workspace, before, arrays)
    return g_x, g_h_0, g_c_0, *g_weights


def _gradients_past_the_scan(
    needs: Needs, w_ih: Array, workspace: Workspace, before: Array, arrays: Backward
) -> tuple[MaybeArray, ...]:
    """Return the gradients of x, w_ih, w_hh, b_ih and b_hh from those of the sums."""
    g_x = g_w_ih = g_w_hh = g_b_ih = g_b_hh = None
    rows = workspace.rows
    g_rows = cupy.reshape(arrays.g_sums, (len(rows), len(w_ih)))
    hidden = before.shape[2]
    if needs[4]:
        flat = cupy.reshape(before, (len(rows), hidden))
        g_w_hh = contiguous(cupy.matmul(g_rows.T, flat))
    if needs[6]:
        g_b_hh = cupy.sum(g_rows, axis=0)
    if arrays.g_n is not None:  # from here on that of n's sum in place of m's
        g_rows[:, 2 * hidden :] = cupy.reshape(arrays.g_n, (len(rows), hidden))
    if needs[0]:
        g_x = cupy.matmul(arrays.g_sums, w_ih)
    if needs[3] and rows.ndim == 1:
        g_w_ih = embedding_backward(rows, g_rows, w_ih.shape[1], transposed=True)
    elif needs[3]:
        g_w_ih = contiguous(cupy.matmul(g_rows.T, rows))
    if needs[5]:
        g_b_ih = cupy.sum(g_rows, axis=0)
    return g_x, g_w_ih, g_w_hh, g_b_ih, g_b_hh


def loop_backward(cell: Cell, arrays: Backward, reverse: bool) -> None:
    """Go back step by step, for any size."""
    states, cells = arrays.states, arrays.cells
    steps, batch, hidden = _sizes(states)
    direct, g_c = (
        arrays.g_h_0[0],
        _at(arrays.g_c_0, 0),
    )  # end as the gradients of h_0, c_0
    direct[...] = 0 if arrays.g_h_n is None else arrays.g_h_n[0]
    if g_c is not None:
        g_c[...] = 0 if arrays.g_c_n is None else arrays.g_c_n[0]
    buffer, products = cupy.empty((batch, hidden), states.dtype), None
    settings = options(states.dtype.itemsize, GATES=cell.gates)
    for t in range(steps) if reverse else reversed(range(steps)):
        before, after = t + reverse, t + 1 - reverse
        args = (
            _at(arrays.g_output, t),
            products,
            direct,
            g_c,
            states[before],
            states[after],
            _at(cells, before),
            _at(cells, after),
            _at(arrays.kept, t),
            arrays.g_sums[t],
            _at(arrays.g_n, t),
            arrays.lengths,
        )
        sizes = (t, batch, hidden, cell.relu)
        grid = blocks_for(batch * hidden)
        launch("one_step_backward", STEPS, settings, grid, THREADS, (*args, *sizes))
        products = buffer
        cupy.matmul(arrays.g_sums[t], arrays.w_hh, out=products)
    direct += buffer
