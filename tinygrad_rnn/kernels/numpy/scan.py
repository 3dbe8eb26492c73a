"""What the recurrent layers share: the projection of the input, and the scan.

Project, then scan: what does not depend on the step before is computed for all steps at
once, and so are, after the scan back, the gradients of the weights and of the input.
Legend: T time, B batch, I input, H hidden, G gates (1 for a layer without any).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...backend.numpy import array as copy
from ...backend.numpy import sum_over_rows
from ...backend.pool import empty
from ...backend.threads import product
from ...types import Function, Shape
from .embedding import embedding_backward

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Array = np.ndarray
MaybeArray = np.ndarray | None
Arrays = Sequence[MaybeArray]
Needs = tuple[bool, ...]  # which of the inputs want a gradient
Inputs = Sequence[Any]  # those of a forward: arrays, some of them None


def relu(x: Array, out: Array) -> None:
    """The rectifier, called as ``np.tanh``."""
    np.maximum(x, 0, out=out)  # NumPy deprecates a third positional argument here


ACTIVATIONS: dict[str, Function] = {"tanh": np.tanh, "relu": relu}

# ---- sequences that end early


class Padding(NamedTuple):
    """Where sequences are over."""

    mask: MaybeArray  # (T, B, 1); None if none ends early
    by_step: list[MaybeArray]  # its parts (B, 1); None where all sequences go on


def find_padding(lengths: MaybeArray, steps: int) -> Padding:
    """The padding of sequences of these lengths, (B,), or of full length if None."""
    if lengths is None or lengths.min(initial=steps) == steps:
        return Padding(None, [None] * steps)
    mask = np.arange(steps)[:, None, None] >= lengths[:, None]
    some_over = np.logical_or.reduce(mask, (1, 2)).tolist()
    by_step = [
        part if over else None for part, over in zip(mask, some_over, strict=True)
    ]
    return Padding(mask, by_step)


def clear_padding(padding: Padding, *arrays: Array) -> None:
    """Put zeros where a sequence is over into arrays (T, B, H) or (T, G, B, H)."""
    if padding.mask is None:
        return
    for x in arrays:
        mask = padding.mask if x.ndim == 3 else padding.mask[:, None]
        np.copyto(x, 0, where=mask)


def with_clear_padding(x: Array, padding: Padding) -> Array:
    """A copy with zeros in the padding, whatever was there; x if there is none."""
    if padding.mask is None:
        return x
    out = copy(x)
    clear_padding(padding, out)
    return out


# ---- projection: what a layer can compute for all steps at once


def flatten_input(x: Array, lengths: MaybeArray) -> tuple[Array, Padding]:
    """Features (T, B, I) as contiguous rows (T*B, I), or ids (T, B) as (T*B,)."""
    padding = find_padding(lengths, len(x))
    if x.ndim == 3 and not (padding.mask is None and x.flags.c_contiguous):
        x = copy(x)
        clear_padding(padding, x)
    return x.reshape(-1, *x.shape[2:]), padding


def transpose(weight: Array, rows: int) -> Array:
    """``weight.T`` as the right operand of products of so many rows altogether.

    Products with a contiguous copy are up to twice as fast, but the copy costs time
    too.
    """
    return np.ascontiguousarray(weight.T) if rows >= len(weight) else weight.T


def add_biases(b_ih: MaybeArray, b_hh: MaybeArray) -> MaybeArray:
    """The sum of two biases, of which either may be None."""
    if b_ih is None:
        return b_hh
    return b_ih if b_hh is None else b_ih + b_hh


def recurrent_product(weight: Array, out: Array, steps: int) -> Callable[[Array], Any]:
    """A function that multiplies a state (B, H) by W_hh (G*H, H), into ``out``.

    ``out`` is (G, B, H). One product a gate leaves each gate contiguous, and small
    products run faster; with a batch of one, a single product does so anyway.
    """
    gates, batch, hidden = out.shape
    if batch == 1:
        flat = transpose(weight, steps)
        row = out.reshape(1, gates * hidden)
        return lambda h: h.dot(flat, row)
    by_gate = weight.reshape(gates, hidden, weight.shape[1]).mT
    if steps * batch >= hidden:
        by_gate = np.ascontiguousarray(by_gate)
    return lambda h: np.matmul(h, by_gate, out)


def split_gates(x: Array, gates: int) -> Array:
    """A view of rows (T, B, G*H) as (T, G, B, H)."""
    steps, batch, size = x.shape
    return x.reshape(steps, batch, gates, size // gates).swapaxes(1, 2)


def project(rows: Array, weight: Array, bias: MaybeArray, out: Array) -> Array:
    """``rows @ weight.T + bias`` in the memory of ``out``, as a view (T, G, B, H).

    Rows are features (T*B, I), or ids (T*B,) for one-hot rows. Of features and few ids,
    the memory holds (B, G*H) step by step.
    """
    steps, gates, batch, hidden = out.shape
    if rows.ndim == 1 and len(rows) >= weight.shape[1]:
        return _take_from_table(rows, weight, bias, out)
    flat = out.reshape(steps * batch, gates * hidden)
    if rows.ndim == 1:
        columns = weight.take(rows.astype(np.intp, copy=False), 1)
        np.add(columns.T, 0 if bias is None else bias, flat)
    else:
        product(rows, transpose(weight, len(rows)), flat)
        if bias is not None:  # adding few long rows is faster than many short ones
            wide = out.reshape(steps, batch * gates * hidden)
            np.add(wide, bias[None].repeat(batch, 0).reshape(-1), wide)
    if gates == 1:
        return out
    return split_gates(flat.reshape(steps, batch, gates * hidden), gates)


def _take_from_table(ids: Array, weight: Array, bias: MaybeArray, out: Array) -> Array:
    """Project ids by a table of all possible results, as there are fewer than ids."""
    steps, gates, batch, hidden = out.shape
    table = np.add(weight.T, 0 if bias is None else bias, order="C")
    first_gate = ids.astype(np.intp).reshape(steps, 1, batch) * gates
    places = first_gate + np.arange(gates)[:, None]
    flat = out.reshape(-1, hidden)
    # Only the mode "clip" writes to `out` without a copy between.
    table.reshape(-1, hidden).take(places.reshape(-1), 0, flat, "clip")
    return out


# ---- gradients of weights and input, from those of the gates' sums, (T, B, G*H)


def weight_gradient(g_sums: Array, x: Array) -> Array:
    """That of a weight (G*H, I) that multiplied x, (T, B, I) or (T*B, I)."""
    g_rows = g_sums.reshape(-1, g_sums.shape[-1])
    rows = x.reshape(-1, x.shape[-1])
    out = empty((g_rows.shape[1], rows.shape[1]), x.dtype)
    return product(g_rows.T, rows, out)


def input_gradients(needs: Needs, rows: Array, w_ih: Array, g_sums: Array) -> Arrays:
    """Those of x, w_ih and b_ih."""
    g_rows = g_sums.reshape(-1, g_sums.shape[-1])
    g_x = g_weight = g_bias = None
    if needs[0]:
        g_x = product(g_rows, w_ih, empty(rows.shape, rows.dtype))
        g_x = g_x.reshape(*g_sums.shape[:2], rows.shape[1])
    if needs[1]:
        if rows.ndim == 2:
            g_weight = weight_gradient(g_rows, rows)
        else:
            count = w_ih.shape[1]
            g_weight = embedding_backward(rows, g_rows, count, transposed=True)
    if needs[2]:
        # A one-hot row sums up to 1, so the bias's gradient is also the sum of
        # g_weight.
        g_bias = sum_over_rows(
            g_rows if rows.ndim == 2 or g_weight is None else g_weight.T
        )
    return g_x, g_weight, g_bias


def layer_gradients(
    needs: Needs, rows: Array, w_ih: Array, before: Array, g_sums: Array
) -> Arrays:
    """Those of x, w_ih, w_hh, b_ih and b_hh, where both biases act alike."""
    input_needs = (needs[0], needs[1], needs[3] or needs[4])
    g_x, g_w_ih, g_bias = input_gradients(input_needs, rows, w_ih, g_sums)
    g_w_hh = weight_gradient(g_sums, before) if needs[2] else None
    g_b_ih = g_bias if needs[3] else None
    g_b_hh = g_bias.copy() if g_bias is not None and needs[4] else None
    return g_x, g_w_ih, g_w_hh, g_b_ih, g_b_hh


# ---- scan


def allocate_states(
    first: MaybeArray, shape: Shape, dtype: np.dtype, reverse: bool
) -> tuple[Array, Array]:
    """The states before each step and after it, each of a shape (T, B, H).

    They are two views of the same T + 1 states.
    """
    steps, *size = shape
    states = empty((steps + 1, *size), dtype)
    head, tail = states[:-1], states[1:]
    before, after = (tail, head) if reverse else (head, tail)
    states[-1 if reverse else 0] = 0 if first is None else first
    return before, after


def last_state(after: Array, reverse: bool) -> Array:
    """The state that a scan ends with, (1, B, H), of those after each step."""
    return (after[:1] if reverse else after[-1:]).copy()


def steps_of(backwards: bool, *arrays: Any) -> Iterator[tuple[Any, ...]]:
    """The steps of arrays side by side, from the last to the first if backwards."""
    if backwards:
        arrays = tuple([x[::-1] for x in arrays])
    return zip(*arrays, strict=True)


def output_cotangents(
    g_output: MaybeArray, padding: Padding, steps: int
) -> Iterable[MaybeArray]:
    """The cotangent of each step's output, 0 in the padding."""
    if g_output is None:
        return [None] * steps
    return with_clear_padding(g_output, padding)


def state_cotangents(g_last: MaybeArray, like: Array) -> tuple[Array, Array]:
    """The cotangent of the last state, and room for that of the state before."""
    g_state = empty(like.shape, like.dtype)
    spare = empty(like.shape, like.dtype)
    g_state[...] = 0 if g_last is None else g_last
    return g_state, spare


# ---- a cell: a sequence of one step


def cell_kernels(
    layer_forward: Function, layer_backward: Function, states: int
) -> tuple[Function, Function]:
    """A cell's kernels, made from those of a layer with ``states`` parts of state."""

    def forward(x: Array, *args: MaybeArray, **settings: object) -> tuple[Any, Any]:
        # A dim for the step, and one for the batch if x has none.
        unbatched = x.ndim == (x.dtype.kind == "f")
        new_dims = (None, None) if unbatched else (None,)
        state = [None if part is None else part[new_dims] for part in args[:states]]
        outputs, workspace = layer_forward(
            x[new_dims], *state, *args[states:], **settings
        )
        first = (0,) * len(new_dims)
        return tuple([part[first] for part in outputs[1:]]), (new_dims, workspace)

    def backward(
        grads: Arrays,
        needs: Needs,
        inputs: Inputs,
        outputs: object,
        workspace: tuple[Any, Any],
        **settings: object,
    ) -> Arrays:
        new_dims, layer_workspace = workspace
        first = (0,) * len(new_dims)
        g_states = [None if g is None else g[new_dims] for g in grads]
        found = layer_backward(
            (None, *g_states),
            (*needs, False),  # a layer may have W_hr
            (*inputs, None),
            None,
            layer_workspace,
            **settings,
        )
        begins, weights = found[: 1 + states], found[1 + states : len(needs)]
        g_begins = [None if g is None else g[first] for g in begins]
        return *g_begins, *weights

    return forward, backward
