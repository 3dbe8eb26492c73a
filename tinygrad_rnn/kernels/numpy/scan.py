"""What the recurrent layers share: the input's projection, and the walk through the
steps.

Project, then scan: what does not depend on the step before is done for all steps at
once, and so are, after the scan back, the gradients of weights and input. G counts
gates; a layer without has one.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...backend.numpy import ones, row_sum
from ...backend.pool import empty
from ...backend.threads import product

Array = np.ndarray
Maybe = np.ndarray | None
Arrays = tuple[Maybe, ...]
Needs = tuple[bool, ...]
Forward = tuple[tuple[Array, ...], Any]  # outputs, workspace

# ---- sequences that end early


def _ending(lengths: Maybe, steps: int) -> tuple[Maybe, list[Maybe]]:
    """Where a sequence is over, (T, B, 1), and the same by step; None where none is."""
    if lengths is None or lengths.min(initial=steps) == steps:
        return None, [None] * steps
    ended = np.arange(steps)[:, None, None] >= lengths[:, None]
    some: Array = np.asarray(ended.any((1, 2)))
    return ended, [
        end if any_ended else None for end, any_ended in zip(ended, some, strict=True)
    ]


def _copy(x: Array, ended: Maybe) -> Array:
    out = empty(x.shape, x.dtype)
    out[...] = x
    silence(ended, out)
    return out


def zeroed(x: Array, ended: Maybe) -> Array:
    """A copy with zeros where a sequence is over, whatever stood there, a NaN too; x if
    none is.
    """
    return x if ended is None else _copy(x, ended)


def silence(ended: Maybe, *arrays: Array) -> None:
    """Put zeros where a sequence is over: (T, B, H), or (T, G, B, H)."""
    for array in arrays if ended is not None else ():
        np.copyto(array, 0, where=ended if array.ndim == 3 else ended[:, None])  # type: ignore[index]


# ---- projection: what of a recurrent layer can be done for all steps at once


def rows(x: Array, lengths: Maybe) -> tuple[Array, Maybe, list[Maybe]]:
    """Features (T, B, I) as contiguous rows (T*B, I), ids (T, B) as (T*B,); where they
    are over.
    """
    ended, ends = _ending(lengths, len(x))
    if x.ndim == 3 and not (ended is None and x.flags.c_contiguous):
        x = _copy(x, ended)
    return x.reshape(-1, *x.shape[2:]), ended, ends


def transposed(weight: Array, rows: int) -> Array:
    """``weight.T`` as the right operand of products of so many rows altogether.

    Products with a contiguous copy are up to twice as fast, but the copy has to be
    made.
    """
    return np.ascontiguousarray(weight.T) if rows >= len(weight) else weight.T


def joined(one: Maybe, other: Maybe) -> Maybe:
    """The sum of two biases, of which either may not be there."""
    if one is None or other is None:
        return other if one is None else one
    return one + other


def into_gates(weight: Array, z: Array, steps: int) -> Callable[[Array], Any]:
    """What writes the product of a state (B, I) with weights (G*H, I) to ``z`` (G, B,
    H).

    A product for each gate leaves the gate in one piece, and small products run faster;
    of one row all lie in one piece anyway.
    """
    gates, batch, hidden = z.shape
    if batch == 1:
        flat, row = transposed(weight, steps), z.reshape(1, gates * hidden)
        return lambda h: h.dot(flat, row)
    apart = weight.reshape(gates, hidden, weight.shape[1]).mT
    apart = np.ascontiguousarray(apart) if steps * batch >= hidden else apart
    return lambda h: np.matmul(h, apart, z)


def by_gate(x: Array, gates: int) -> Array:
    """Rows (T, B, G*H) seen as (T, G, B, H)."""
    steps, batch, size = x.shape
    return x.reshape(steps, batch, gates, size // gates).swapaxes(1, 2)


def project(rows: Array, weight: Array, bias: Maybe, out: Array) -> Array:
    """``rows @ weight.T + bias`` in the memory of ``out``, seen as (T, G, B, H); ids
    take rows.

    Of features, what lies there step by step is (B, G*H), and the result a view of
    that.
    """
    steps, gates, batch, hidden = out.shape
    if (
        rows.ndim == 1 and len(rows) >= weight.shape[1]
    ):  # at least as many ids as table rows
        table = np.add(weight.T, 0 if bias is None else bias, order="C").reshape(
            -1, hidden
        )
        places = (
            rows.astype(np.intp).reshape(steps, 1, batch) * gates
            + np.arange(gates)[:, None]
        )
        # Other modes go through a copy of what is written.
        table.take(places.reshape(-1), 0, out.reshape(-1, hidden), "clip")
        return out
    flat = out.reshape(steps * batch, gates * hidden)
    if rows.ndim == 1:
        np.add(
            weight.take(rows.astype(np.intp, copy=False), 1).T,
            0 if bias is None else bias,
            flat,
        )
    else:
        product(rows, transposed(weight, len(rows)), flat)
    # Repeated, as adding few long rows outruns adding many short ones.
    if rows.ndim == 2 and bias is not None:
        wide = out.reshape(steps, batch * gates * hidden)
        np.add(wide, bias[None].repeat(batch, 0).reshape(-1), wide)
    return (
        out
        if gates == 1
        else by_gate(flat.reshape(steps, batch, gates * hidden), gates)
    )


# ---- gradients of the weights and of the input, for that of the gates' sums (T, B,
# G*H)


def weight_grad(g_sums: Array, x: Array) -> Array:
    """That of weights (G*H, I) which were multiplied by x, (T, B, I) or its rows."""
    g_rows, x = g_sums.reshape(-1, g_sums.shape[-1]), x.reshape(-1, x.shape[-1])
    return product(g_rows.T, x, empty((g_rows.shape[1], x.shape[1]), x.dtype))


def input_grads(needs: Needs, rows: Array, w_ih: Array, g_sums: Array) -> Arrays:
    """Those of x, w_ih and b_ih."""
    g_rows = g_sums.reshape(-1, g_sums.shape[-1])
    g_x = g_weight = g_bias = None
    if needs[0]:
        g_x = product(g_rows, w_ih, empty(rows.shape, rows.dtype))
        g_x = g_x.reshape(*g_sums.shape[:2], rows.shape[1])
    if needs[1]:
        g_weight = (
            weight_grad(g_rows, rows)
            if rows.ndim == 2
            else _scatter(rows, g_rows, w_ih)
        )
    if needs[2]:
        g_bias = row_sum(g_rows if rows.ndim == 2 or g_weight is None else g_weight.T)
    return g_x, g_weight, g_bias


def layer_grads(
    needs: Needs, rows: Array, w_ih: Array, before: Array, g_sums: Array
) -> Arrays:
    """Those of x, w_ih, w_hh, b_ih and b_hh, where both biases act alike."""
    wanted = (needs[0], needs[1], needs[3] or needs[4])
    g_x, g_w_ih, g_bias = input_grads(wanted, rows, w_ih, g_sums)
    g_w_hh = weight_grad(g_sums, before) if needs[2] else None
    g_b_hh = g_bias.copy() if g_bias is not None and needs[4] else None
    return g_x, g_w_ih, g_w_hh, g_bias if needs[3] else None, g_b_hh


def _scatter(ids: Array, g_rows: Array, weight: Array) -> Array:
    """The product of ``g_rows.T`` with one-hot rows: its column v sums what stands
    where v is.
    """
    hidden, count = weight.shape
    g_weight = empty(weight.shape, weight.dtype)
    if ids.size <= 150:  # so few that the product costs less than the calls below
        one_hot = np.zeros((ids.size, count), weight.dtype)
        one_hot.reshape(-1)[ids.astype(np.intp) + np.arange(0, one_hot.size, count)] = 1
        return g_rows.T.dot(one_hot, g_weight)
    # Bring equal ids together (NumPy sorts 16 bits much faster) and sum by a product
    # with ones.
    order = ids.astype(np.uint16 if count <= 1 << 16 else ids.dtype).argsort(
        kind="stable"
    )
    counts = np.bincount(ids.astype(np.intp, copy=False))
    distinct = counts.nonzero()[0]
    every = ones(counts.max().item(), weight.dtype)
    table = empty((count, hidden), weight.dtype)
    table.fill(0)
    start = 0
    for v, stop in zip(
        distinct.tolist(), counts.cumsum()[distinct].tolist(), strict=True
    ):
        every[: stop - start].dot(g_rows.take(order[start:stop], 0), table[v])
        start = stop
    g_weight[...] = table.T
    return g_weight


# ---- scan


def states(
    first: Maybe, shape: tuple[int, ...], dtype: Any, reverse: bool
) -> tuple[Array, Array]:
    """The state before each step and the one after it, views of T + 1 states."""
    out = empty(shape, dtype)
    out[-1 if reverse else 0] = 0 if first is None else first
    return (out[1:], out[:-1]) if reverse else (out[:-1], out[1:])


def last(after: Array, reverse: bool) -> Array:
    """The state that a scan ends with, (1, B, H), of those after each step."""
    return (after[:1] if reverse else after[-1:]).copy()


def walk(backwards: bool, *arrays: Any) -> Iterator[tuple[Any, ...]]:
    """The steps of arrays side by side, from the last one on if backwards."""
    return zip(*[a[::-1] for a in arrays] if backwards else arrays, strict=True)


def by_step(g_output: Maybe, ended: Maybe, steps: int) -> Any:
    """The cotangents of the output, none where a sequence is over."""
    return [None] * steps if g_output is None else zeroed(g_output, ended)


def carried(g_last: Maybe, like: Array) -> tuple[Array, Array]:
    """The cotangent that goes back from step to step, and room for the next one."""
    carry, spare = empty(like.shape, like.dtype), empty(like.shape, like.dtype)
    carry[...] = 0 if g_last is None else g_last
    return carry, spare


# ---- a cell: a sequence of one step


def one_step(
    forward: Any, backward: Any, states: int
) -> tuple[Callable[..., Any], ...]:
    """The kernels of a cell, made of those of a layer with so many states."""

    def cell_forward(x: Array, *args: Maybe, **settings: Any) -> Forward:
        # A dim for the step, and one for the batch where x has none.
        new = (None, None) if x.ndim == (x.dtype.kind == "f") else (None,)
        parts = [None if part is None else part[new] for part in args[:states]]
        (_, *last), workspace = forward(x[new], *parts, *args[states:], **settings)
        return tuple([part[(0,) * len(new)] for part in last]), (new, workspace)

    def cell_backward(
        grads: Arrays,
        needs: Needs,
        inputs: Any,
        outputs: Any,
        workspace: Any,
        **settings: Any,
    ) -> Arrays:
        new, workspace = workspace
        given = [None if g is None else g[new] for g in grads]
        asked = (*needs, False), (*inputs, None)  # a layer's may have W_hr
        found = backward((None, *given), *asked, None, workspace, **settings)[
            : len(needs)
        ]
        at = (0,) * len(new)
        return *[g if g is None else g[at] for g in found[: 1 + states]], *found[
            1 + states :
        ]

    return cell_forward, cell_backward
