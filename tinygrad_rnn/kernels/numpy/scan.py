"""What the recurrent layers share: the projection of the input, and the scan.

Project, then scan: what does not depend on the previous step is computed for all steps
at once, and so are, after the scan back, the gradients of the weights and of the input.
Legend: T time, B batch, I input, H hidden, G gates (1 for a layer without any).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...backend.numpy import array as copy
from ...backend.numpy import matmul, sum_over_rows
from ...backend.pool import empty
from ...backend.threads import product
from ...types import Function, Shape
from .embedding import embedding_backward

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Array = np.ndarray
MaybeArray = np.ndarray | None
Arrays = Sequence[MaybeArray]
Needs = tuple[bool, ...]  # which inputs need a gradient
Inputs = Sequence[Any]  # the arguments of a forward: arrays, some of them None


def relu(x: Array, out: Array) -> None:
    """Write the rectifier of x to ``out``; called like ``np.tanh``."""
    np.maximum(x, 0, out=out)  # NumPy deprecates a third positional argument here


ACTIVATIONS: dict[str, Function] = {"tanh": np.tanh, "relu": relu}

# ---- sequences that end early


class Padding(NamedTuple):
    """Which steps are past the end of their sequence."""

    mask: MaybeArray  # (T, B, 1); None if no sequence ends early
    by_step: list[MaybeArray]  # its steps, (B, 1); None before the first end


def find_padding(lengths: MaybeArray, steps: int) -> Padding:
    """Return the padding of sequences with lengths (B,), or of full length if None."""
    shortest = steps if lengths is None else lengths.min(initial=steps).item()
    full_steps: list[MaybeArray] = [None] * shortest
    if lengths is None or shortest == steps:
        return Padding(None, full_steps)
    mask = np.arange(steps)[:, None, None] >= lengths[:, None]
    return Padding(mask, [*full_steps, *mask[shortest:]])


def clear_padding(padding: Padding, *arrays: Array) -> None:
    """Set the padding of arrays (T, B, H) or (T, G, B, H) to 0, in place."""
    if padding.mask is None:
        return
    for x in arrays:
        mask = padding.mask if x.ndim == 3 else padding.mask[:, None]
        np.copyto(x, 0, where=mask)


def zero_padding(x: Array, padding: Padding) -> Array:
    """Return a copy with zeros in the padding, or x itself if there is none."""
    if padding.mask is None:
        return x
    out = copy(x)
    clear_padding(padding, out)
    return out


# ---- projection: what a layer can compute for all steps at once


def flatten_input(x: Array, lengths: MaybeArray) -> tuple[Array, Padding]:
    """Flatten features (T, B, I) to contiguous rows (T*B, I), or ids to (T*B,)."""
    padding = find_padding(lengths, len(x))
    if x.ndim == 3 and not (padding.mask is None and x.flags.c_contiguous):
        x = copy(x)
        clear_padding(padding, x)
    return x.reshape(-1, *x.shape[2:]), padding


def transpose(weight: Array, rows: int) -> Array:
    """Return ``weight.T`` for products with so many rows altogether.

    Products with a contiguous copy are up to twice as fast, but the copy takes time,
    too.
    """
    return np.ascontiguousarray(weight.T) if rows >= len(weight) else weight.T


def add_biases(b_ih: MaybeArray, b_hh: MaybeArray) -> MaybeArray:
    """Return the sum of two biases, either of which may be None."""
    if b_ih is None:
        return b_hh
    return b_ih if b_hh is None else b_ih + b_hh


def recurrent_product(weight: Array, out: Array, steps: int) -> Callable[[Array], Any]:
    """Return a function that writes the product of a state (B, H) and W_hh to ``out``.

    W_hh is (G*H, H), ``out`` is (G, B, H). One product per gate leaves each gate
    contiguous, and small products run faster. With a batch of one, one product for all
    gates does so, too.
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
    """Return a view of rows (T, B, G*H) as (T, G, B, H)."""
    steps, batch, size = x.shape
    return x.reshape(steps, batch, gates, size // gates).swapaxes(1, 2)


def project(rows: Array, weight: Array, bias: MaybeArray, out: Array) -> Array:
    """Write ``rows @ weight.T + bias`` to ``out``; return a view of it, (T, G, B, H).

    Rows are features (T*B, I), or ids (T*B,) for one-hot rows. For features and for few
    ids, the memory of ``out`` holds (B, G*H) step by step.
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
            wide += bias[None].repeat(batch, 0).reshape(-1)
    if gates == 1:
        return out
    return split_gates(flat.reshape(steps, batch, gates * hidden), gates)


def _take_from_table(ids: Array, weight: Array, bias: MaybeArray, out: Array) -> Array:
    """Project at least as many ids as there are, through a table of all results."""
    steps, gates, batch, hidden = out.shape
    table = np.add(weight.T, 0 if bias is None else bias, order="C")
    first_gate = ids.astype(np.intp).reshape(steps, 1, batch) * gates
    indices = first_gate + np.arange(gates)[:, None]
    flat = out.reshape(-1, hidden)
    # Only the mode "clip" writes to `out` directly.
    table.reshape(-1, hidden).take(indices.reshape(-1), 0, flat, "clip")
    return out


# ---- gradients of weights and input, from those of the gates' sums, (T, B, G*H)


def weight_gradient(g_sums: Array, x: Array) -> Array:
    """Return the gradient of a weight that multiplied x, (T, B, I) or (T*B, I)."""
    g_rows = g_sums.reshape(-1, g_sums.shape[-1])
    return matmul(g_rows.T, x.reshape(-1, x.shape[-1]))


def input_gradients(needs: Needs, rows: Array, w_ih: Array, g_sums: Array) -> Arrays:
    """Return the gradients of x, w_ih and b_ih."""
    g_x = g_weight = g_bias = None
    g_rows = g_sums.reshape(-1, g_sums.shape[-1])
    if needs[0]:
        g_x = matmul(g_sums, w_ih)
    if needs[1] and rows.ndim == 2:
        g_weight = weight_gradient(g_rows, rows)
    elif needs[1]:
        g_weight = embedding_backward(rows, g_rows, w_ih.shape[1], transposed=True)
    if needs[2]:
        if rows.ndim == 1 and g_weight is not None:
            g_rows = g_weight.T  # has the same sum, as a one-hot row sums to 1
        g_bias = sum_over_rows(g_rows)
    return g_x, g_weight, g_bias


def layer_gradients(
    needs: Needs, rows: Array, w_ih: Array, before: Array, g_sums: Array
) -> Arrays:
    """Return the gradients of x and all weights, if both biases act alike."""
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
    """Return the states before each step and after it, each of a shape (T, B, H).

    They are two views of the same T + 1 states.
    """
    steps, *size = shape
    states = empty((steps + 1, *size), dtype)
    head, tail = states[:-1], states[1:]
    before, after = (tail, head) if reverse else (head, tail)
    states[-1 if reverse else 0] = 0 if first is None else first
    return before, after


def last_state(after: Array, reverse: bool) -> Array:
    """Return the final state of a scan, (1, B, H), from the states after each step."""
    return (after[:1] if reverse else after[-1:]).copy()


def steps_of(backwards: bool, *arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Return the steps of arrays side by side, from the last one if backwards."""
    if backwards:
        arrays = tuple([x[::-1] for x in arrays])
    return zip(*arrays, strict=True)


def output_cotangents(g_output: MaybeArray, padding: Padding) -> Iterable[MaybeArray]:
    """Return the cotangent of each step's output, 0 in the padding."""
    if g_output is None:
        return [None] * len(padding.by_step)
    return zero_padding(g_output, padding)


def state_cotangents(g_last: MaybeArray, like: Array) -> tuple[Array, Array]:
    """Return the cotangent of the last state, and memory for that of another."""
    g_state = empty(like.shape, like.dtype)
    spare = empty(like.shape, like.dtype)
    g_state[...] = 0 if g_last is None else g_last
    return g_state, spare


# ---- a cell: a sequence of one step


def cell_kernels(
    layer_forward: Function, layer_backward: Function, states: int
) -> tuple[Function, Function]:
    """Make a cell's kernels from those of a layer with ``states`` parts of state."""

    def forward(x: Array, *args: MaybeArray) -> tuple[Any, Any]:
        # A dim for the step, and one for the batch if x has none.
        unbatched = x.ndim == (x.dtype.kind == "f")
        new_dims = (None, None) if unbatched else (None,)
        state = [None if part is None else part[new_dims] for part in args[:states]]
        outputs, workspace = layer_forward(x[new_dims], *state, *args[states:])
        first = (0,) * len(new_dims)
        return tuple([part[first] for part in outputs[1:]]), (new_dims, workspace)

    def backward(
        grads: Arrays,
        needs: Needs,
        inputs: Inputs,
        outputs: object,
        workspace: tuple[Any, Any],
    ) -> Arrays:
        new_dims, layer_workspace = workspace
        first = (0,) * len(new_dims)
        g_states = [None if g is None else g[new_dims] for g in grads]
        # The last need and input are for W_hr, which a layer may have.
        found = layer_backward(
            (None, *g_states), (*needs, False), (*inputs, None), None, layer_workspace
        )
        begins, weights = found[: 1 + states], found[1 + states : len(needs)]
        g_begins = [None if g is None else g[first] for g in begins]
        return *g_begins, *weights

    return forward, backward
