"""The table of the tests: one row for every op of the package, as the package has one
for each.

A row says how to draw arguments (away from kinks and ties), what the op means in NumPy,
and what it is in PyTorch. The NumPy meaning is written so that it holds for complex
numbers too: then the imaginary part, a tiny step in, is the derivative to the last
digit (`oracle.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import strategies as st
from oracle import softmax_parts
from strategies import apart, between, lattice, positive, real, signed

from tinygrad_rnn import ops
from tinygrad_rnn.engine.fused import FusedOp
from tinygrad_rnn.engine.op import Op, table


@dataclass(frozen=True)
class Row:
    """An op, how to draw its arguments, and what it should give."""

    op: Any
    case: Callable[..., tuple[tuple, dict]]  # Draw -> (arguments, settings)
    value: Callable[..., Any]  # NumPy's
    # (torch, *tensors, **settings); None for a tensor that is no array
    torch: Callable[..., Any]
    wrt: tuple[int, ...]  # the arguments that have gradients
    scalar: tuple[int, ...] = ()  # the arguments that may be a Python or a NumPy scalar

    @property
    def variadic(self):
        return self.op.signature.variadic


ROWS: dict[str, Row] = {}


def row(name, case, value, torch, wrt=(0,), scalar=()):
    ROWS[name] = Row(getattr(ops, name), case, value, torch, wrt, scalar)


def _is_in_package(function):
    """Whether a file of the package has it; a doctest has that file's name alone."""
    return "doctest" not in function.__code__.co_filename and (
        function.__module__.startswith("tinygrad_rnn.")
    )


def package_ops():
    """Every op that the package declares, by name: rows of its table and fused ops."""
    found = {
        name: op
        for name, op in vars(table).items()
        if isinstance(op, Op) and _is_in_package(op.forward)
    }
    for module in vars(ops).values():
        for value in (
            list(vars(module).values()) if isinstance(module, ModuleType) else [module]
        ):
            if isinstance(value, FusedOp):
                found[value.name] = value
    return found


# ------------------------------------------------------------ ways to draw arguments


def unary(domain):
    return lambda d: ((d.array(d.shape(), domain),), {})


def binary(one, two):
    def case(d):
        first, second = d.shapes(2)
        return (d.array(first, one), d.array(second, two)), {}

    return case


def truths(d, shape):
    return d.array(shape, lambda rng, shape: rng.integers(0, 2, shape)).astype(bool)


def logical(count):
    return lambda d: (tuple(truths(d, shape) for shape in d.shapes(count)), {})


def integers(count):
    return lambda d: (
        tuple(
            d.rng.integers(-8, 8, shape).astype(d.one_of("int64", "int32"))
            for shape in d.shapes(count)
        ),
        {},
    )


def reducing(domain, tuples=True, empty=True, none=True, keepdims=True):
    """Along an axis; ``empty`` says whether nothing may be reduced."""

    def case(d):
        shape = list(d.shape())
        axis = d.axis(len(shape), tuples, none)
        axes = (
            range(len(shape))
            if axis is None
            else (axis,)
            if isinstance(axis, int)
            else axis
        )
        if not empty:
            for a in axes:
                shape[a] = shape[a] or 2
        settings = {"axis": axis} | (
            {"keepdims": d.one_of(False, True)} if keepdims else {}
        )
        return (d.array(tuple(shape), domain),), settings

    return case


# ---------------------------------------------------------------- arithmetic

row(
    "add",
    binary(signed, signed),
    lambda x, y: x + y,
    lambda torch, x, y: x + y,
    (0, 1),
    scalar=(0, 1),
)
row(
    "subtract",
    binary(signed, signed),
    lambda x, y: x - y,
    lambda torch, x, y: x - y,
    (0, 1),
    scalar=(0, 1),
)
row(
    "multiply",
    binary(real, signed),
    lambda x, y: x * y,
    lambda torch, x, y: x * y,
    (0, 1),
    scalar=(0, 1),
)
row(
    "divide",
    binary(real, signed),
    lambda x, y: x / y,
    lambda torch, x, y: x / y,
    (0, 1),
    scalar=(0, 1),
)
row("negative", unary(real), lambda x: -x, lambda torch, x: -x)
row("reciprocal", unary(signed), lambda x: 1 / x, lambda torch, x: x.reciprocal())
row("square", unary(real), lambda x: x**2, lambda torch, x: x.square())
row("sqrt", unary(positive), np.sqrt, lambda torch, x: x.sqrt())


def _power(d):
    exponent = d.one_of(0, 1, 2, 3, -1, -2, 0.5, 1.5, -0.5, 2.0)
    whole = float(exponent).is_integer()
    return (d.array(d.shape(), signed if whole else positive),), {"exponent": exponent}


row(
    "power",
    _power,
    lambda x, exponent: x ** (exponent + 0j if np.iscomplexobj(x) else exponent),
    lambda torch, x, exponent: x**exponent,
)
row(
    "pow",
    binary(positive, signed),
    lambda x, y: np.exp(np.log(x) * y),
    lambda torch, x, y: x**y,
    (0, 1),
)
row("clone", unary(real), lambda x: x + 0, lambda torch, x: x.clone())
row("identity", unary(real), lambda x: x, lambda torch, x: x.view_as(x))
row(
    "astype",
    lambda d: (unary(real)(d)[0], {"dtype": np.dtype("float64")}),
    lambda x, dtype: x,
    lambda torch, x, dtype: x.double(),
)

# ------------------------------------------------------------ exponentials, sines

row("exp", unary(real), np.exp, lambda torch, x: x.exp())
row("expm1", unary(real), lambda x: np.exp(x) - 1, lambda torch, x: x.expm1())
row("log", unary(positive), np.log, lambda torch, x: x.log())
row("log1p", unary(positive), lambda x: np.log(1 + x), lambda torch, x: x.log1p())
row("sin", unary(real), np.sin, lambda torch, x: x.sin())
row("cos", unary(real), np.cos, lambda torch, x: x.cos())
row("tanh", unary(real), lambda x: np.sinh(x) / np.cosh(x), lambda torch, x: x.tanh())
row(
    "sigmoid", unary(real), lambda x: 1 / (1 + np.exp(-x)), lambda torch, x: x.sigmoid()
)
row(
    "softplus",
    unary(real),
    lambda x: np.log(1 + np.exp(x)),
    lambda torch, x: torch.nn.functional.softplus(x, threshold=1e9),
)


def normal_cdf(x):
    """1/2 + the integral of the density from 0 to x, by 60 points of Gauss and
    Legendre.
    """
    places, weights = np.polynomial.legendre.leggauss(60)
    points = x[..., None] * (places + 1) / 2
    return 0.5 + x * (np.exp(-0.5 * points * points) @ weights) / np.sqrt(8 * np.pi)


row("normal_cdf", unary(real), normal_cdf, lambda torch, x: torch.special.ndtr(x))

# ---------------------------------------------------------------- kinks and choices

row(
    "abs",
    unary(signed),
    lambda x: np.where(x.real > 0, x, -x),
    lambda torch, x: x.abs(),
)
row(
    "relu",
    unary(signed),
    lambda x: np.where(x.real > 0, x, 0),
    lambda torch, x: x.relu(),
)
row(
    "maximum",
    binary(lattice(0), lattice(2)),
    lambda x, y: np.where(x.real > y.real, x, y),
    lambda torch, x, y: torch.maximum(x, y),
    (0, 1),
    scalar=(0, 1),
)
row(
    "minimum",
    binary(lattice(0), lattice(2)),
    lambda x, y: np.where(x.real < y.real, x, y),
    lambda torch, x, y: torch.minimum(x, y),
    (0, 1),
    scalar=(0, 1),
)


def _clip(d):
    low, high = d.one_of(
        (-1.0, 1.0), (None, 0.0), (0.0, None), (-2, 1), (-9.0, 9.0), (0.0, 0.0)
    )
    return (d.array(d.shape(), lattice(2)),), {"min": low, "max": high}


def _clip_value(x, min, max):
    out = x if min is None else np.where(x.real < min, min, x)
    return out if max is None else np.where(x.real > max, max, out)


row("clip", _clip, _clip_value, lambda torch, x, min, max: x.clamp(min, max))


def _where(d):
    shapes = d.shapes(3)
    return (
        truths(d, shapes[0]),
        d.array(shapes[1], real),
        d.array(shapes[2], real),
    ), {}


row(
    "where",
    _where,
    lambda c, x, y: x * c + y * ~c,
    lambda torch, c, x, y: torch.where(c, x, y),
    (1, 2),
    scalar=(1, 2),
)

# ---------------------------------------------------------------- steps

row(
    "sign",
    unary(signed),
    lambda x: np.where(x.real > 0, 1.0, -1.0),
    lambda torch, x: x.sign(),
)
row("floor", unary(between), lambda x: x - x % 1, lambda torch, x: x.floor(), ())
row("ceil", unary(between), lambda x: (x - x % 1) + 1, lambda torch, x: x.ceil(), ())
row(
    "round",
    unary(between),
    lambda x: (x + 0.5) - (x + 0.5) % 1,
    lambda torch, x: x.round(),
    (),
)


def _division(d):
    """Quotients that keep away from integers."""
    first, second = d.shapes(2)
    y = d.array(
        second, lambda rng, shape: rng.choice([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0], shape)
    )
    return (d.array(first, between), y), {}


row(
    "floor_divide",
    _division,
    lambda x, y: np.floor(x / y),
    lambda torch, x, y: x // y,
    (),
    scalar=(0, 1),
)
row(
    "remainder",
    _division,
    lambda x, y: x - np.floor((x / y).real) * y,
    lambda torch, x, y: x % y,
    (0, 1),
    scalar=(0, 1),
)

# ---------------------------------------------------------------- comparison and logic


def _few_values(rng, shape):
    return rng.choice([-1.0, 0.0, 0.5], shape)


for name, symbol in {
    "equal": lambda x, y: x == y,
    "not_equal": lambda x, y: x != y,
    "less": lambda x, y: x < y,
    "less_equal": lambda x, y: x <= y,
    "greater": lambda x, y: x > y,
    "greater_equal": lambda x, y: x >= y,
}.items():
    row(
        name,
        binary(_few_values, _few_values),
        np.vectorize(symbol, otypes=[bool]),
        lambda torch, x, y, symbol=symbol: symbol(x, y),
        (),
        scalar=(0, 1),
    )


def odd(rng, shape):
    return rng.choice([np.nan, np.inf, -np.inf, 0.0, 1.0], shape)


row("isnan", unary(odd), lambda x: x != x, lambda torch, x: x.isnan(), ())
row("isinf", unary(odd), lambda x: np.abs(x) == np.inf, lambda torch, x: x.isinf(), ())
row(
    "isfinite",
    unary(odd),
    lambda x: np.abs(x) < np.inf,
    lambda torch, x: x.isfinite(),
    (),
)
row(
    "logical_and",
    logical(2),
    lambda x, y: x & y,
    lambda torch, x, y: x.logical_and(y),
    (),
)
row(
    "logical_or",
    logical(2),
    lambda x, y: x | y,
    lambda torch, x, y: x.logical_or(y),
    (),
)
row("logical_not", logical(1), lambda x: ~x, lambda torch, x: x.logical_not(), ())
row("bitwise_and", integers(2), np.bitwise_and, lambda torch, x, y: x & y, ())
row("bitwise_or", integers(2), np.bitwise_or, lambda torch, x, y: x | y, ())
row("bitwise_invert", integers(1), lambda x: -x - 1, lambda torch, x: ~x, ())
row(
    "zeros_like", unary(real), lambda x: x * 0, lambda torch, x: torch.zeros_like(x), ()
)

# ---------------------------------------------------------------- reductions


def _kept(x, axis):
    """The array with the reduced axes first, as one; what stands there is reduced."""
    axes = (
        tuple(range(x.ndim))
        if axis is None
        else (axis,)
        if isinstance(axis, int)
        else axis
    )
    axes = tuple(a % x.ndim for a in axes) if x.ndim else ()
    rest = [a for a in range(x.ndim) if a not in axes]
    rows = int(np.prod([x.shape[a] for a in axes]))
    moved = x.transpose([*axes, *rest]).reshape([rows] + [x.shape[a] for a in rest])
    return moved, [1 if a in axes else n for a, n in enumerate(x.shape)]


def reduction(of):
    def value(x, axis, keepdims):
        moved, shape = _kept(x, axis)
        out = np.asarray(of(moved))
        return out.reshape(shape) if keepdims else out

    return value


def _extreme(pick):
    """The rows that are largest or smallest, of distinct (or, for both parts, complex)
    numbers.
    """

    def of(rows):
        places = pick(rows.real, 0)[None]
        return np.take_along_axis(rows, places, 0)[0]

    return reduction(of)


def _dims(x, axis):
    return tuple(range(x.ndim)) if axis is None else axis


row(
    "sum",
    reducing(real),
    reduction(lambda rows: sum(rows, np.zeros(rows.shape[1:]))),
    lambda torch, x, axis, keepdims: x.sum(_dims(x, axis), keepdims),
)
row(
    "mean",
    reducing(real, empty=False),
    reduction(lambda rows: sum(rows, np.zeros(rows.shape[1:])) / len(rows)),
    lambda torch, x, axis, keepdims: x.mean(_dims(x, axis), keepdims),
)
row(
    "max",
    reducing(apart, empty=False),
    _extreme(np.argmax),
    lambda torch, x, axis, keepdims: x.amax(_dims(x, axis), keepdims),
)
row(
    "min",
    reducing(apart, empty=False),
    _extreme(np.argmin),
    lambda torch, x, axis, keepdims: x.amin(_dims(x, axis), keepdims),
)


def _median(d):
    return (d.array(tuple(n or 2 for n in d.shape()), apart),), {}


row(
    "median",
    _median,
    lambda x: x.flatten()[np.argsort(x.real, axis=None)[(x.size - 1) // 2]],
    lambda torch, x: x.median(),
)
row(
    "logsumexp",
    reducing(real, empty=False),
    reduction(lambda rows: np.log(sum(np.exp(rows), np.zeros(rows.shape[1:])))),
    lambda torch, x, axis, keepdims: (
        x.logsumexp(_dims(x, axis), keepdims) if x.ndim else x.reshape(1).logsumexp(0)
    ),
)


def _one_axis(d):
    shape = tuple(n or 2 for n in d.shape(min_dims=1))
    return (d.array(shape, real),), {
        "axis": d.axis(len(shape), tuples=False, none=False)
    }


row(
    "softmax",
    _one_axis,
    lambda x, axis: softmax_parts(x, axis)[0],
    lambda torch, x, axis: x.softmax(axis),
)
row(
    "log_softmax",
    _one_axis,
    lambda x, axis: softmax_parts(x, axis)[1],
    lambda torch, x, axis: x.log_softmax(axis),
)


def _argument(x, axis, keepdims, pick):
    rows, shape = _kept(x, axis)
    out = np.zeros(rows.shape[1:], np.int64)
    for place in np.ndindex(out.shape):
        column = rows[(slice(None), *place)].tolist()
        out[place] = column.index(pick(column))
    return out.reshape(shape) if keepdims else out


def _repeating(rng, shape):
    return rng.integers(0, 3, shape).astype(np.float64)


def _ordered(d):
    shape = d.shape(min_dims=1)
    settings = {"axis": d.axis(len(shape), tuples=False, none=False)}
    return (d.array(shape, _repeating),), {
        **settings,
        "descending": d.draw(st.booleans()),
    }


row(
    "cumulative_sum",
    _one_axis,
    lambda x, axis: np.cumsum(x, axis).reshape(x.shape),
    lambda torch, x, axis: x.cumsum(axis),
)
row(
    "argsort",
    _ordered,
    lambda x, axis, descending: np.argsort(
        -x if descending else x, axis, kind="stable"
    ),
    lambda torch, x, axis, descending: x.argsort(
        dim=axis, descending=descending, stable=True
    ),
    (),
)
row(
    "argmax",
    reducing(_repeating, tuples=False, empty=False),
    lambda x, axis, keepdims: _argument(x, axis, keepdims, max),
    lambda torch, x, axis, keepdims: x.argmax(axis, keepdims),
    (),
)
row(
    "argmin",
    reducing(_repeating, tuples=False, empty=False),
    lambda x, axis, keepdims: _argument(x, axis, keepdims, min),
    lambda torch, x, axis, keepdims: x.argmin(axis, keepdims),
    (),
)


def _truth(d):
    (x,), settings = reducing(_repeating)(d)
    return (x.astype(bool),), settings


row(
    "all",
    _truth,
    reduction(lambda rows: ~(~rows).sum(0).astype(bool)),
    lambda torch, x, axis, keepdims: x.all(_dims(x, axis), keepdims),
    (),
)
row(
    "any",
    _truth,
    reduction(lambda rows: rows.sum(0) > 0),
    lambda torch, x, axis, keepdims: x.any(_dims(x, axis), keepdims),
    (),
)

# ---------------------------------------------------------------- shape


def _reshape(d):
    shape = d.shape()
    other = list(d.permuted(shape))
    other.insert(d.integer(0, len(other)), 1)
    if d.one_of(True, False):
        other = [int(np.prod(shape))]
    return (d.array(shape, real),), {"shape": tuple(other)}


def _permute(d):
    shape = d.shape()
    axes = d.permuted(range(len(shape)))
    return (d.array(shape, real),), {
        "axes": tuple(a - len(shape) if d.chance() else a for a in axes)
    }


def _broadcast(d):
    full = d.shape()
    return (d.array(d.narrowed(full), real),), {"shape": full}


def _flip(d):
    shape = d.shape(min_dims=1)
    return (d.array(shape, real),), {"axis": d.axis(len(shape), none=False)}


def _concat(d):
    shape = list(d.shape(min_dims=1))
    axis = d.integer(-len(shape), len(shape) - 1)
    arrays = []
    for _ in range(d.integer(1, 4)):
        shape[axis] = d.integer(0, 3)
        arrays.append(d.array(tuple(shape), real))
    return tuple(arrays), {"axis": axis}


def _stack(d):
    shape = d.shape()
    arrays = [d.array(shape, real) for _ in range(d.integer(1, 4))]
    return tuple(arrays), {"axis": d.integer(-len(shape) - 1, len(shape))}


def _backwards(x, axis):
    for a in (axis,) if isinstance(axis, int) else axis:
        x = np.take(x, range(x.shape[a])[::-1], axis=a)
    return x


row(
    "reshape",
    _reshape,
    lambda x, shape: np.array(x.flatten().tolist(), x.dtype).reshape(shape),
    lambda torch, x, shape: x.reshape(shape),
)
row(
    "permute_dims",
    _permute,
    lambda x, axes: np.einsum(
        x,
        [a % max(x.ndim, 1) for a in range(x.ndim)],
        [a % max(x.ndim, 1) for a in axes],
    ),
    lambda torch, x, axes: x.permute(axes),
)
row(
    "broadcast_to",
    _broadcast,
    lambda x, shape: x + np.zeros(shape),
    lambda torch, x, shape: x.expand(shape),
)
row(
    "flip",
    _flip,
    _backwards,
    lambda torch, x, axis: x.flip((axis,) if isinstance(axis, int) else axis),
)
row(
    "concat",
    _concat,
    lambda *xs, axis: np.array(np.concatenate(xs, axis)),
    lambda torch, *xs, axis: torch.cat(xs, axis),
    None,
)

row(
    "stack",
    _stack,
    lambda *xs, axis: np.array(np.stack(xs, axis)),
    lambda torch, *xs, axis: torch.stack(xs, axis),
    None,
)
row(
    "to_device",
    lambda d: (unary(real)(d)[0], {"device": "cpu", "source": "cpu"}),
    lambda x, device, source: x,
    lambda torch, x, device, source: x.to(device),
)

# ---------------------------------------------------------------- index


def _grid(shape, index):
    """For each element that an index names, its place in the flattened array."""
    return np.array(np.arange(int(np.prod(shape))).reshape(shape)[index], order="C")


def _getitem(d):
    shape = d.shape()
    return (d.array(shape, real),), {"index": d.index(shape)}


def _add_at(d):
    shape = d.shape()
    index = d.index(shape)
    return (d.array(_grid(shape, index).shape, real),), {"shape": shape, "index": index}


def _embedding(d):
    rows = d.integer(1, 4)
    ids = d.rng.integers(0, rows, d.shape())
    return (d.array((rows, d.integer(0, 3)), real),), {"index": ids}


def _put(d):
    shape = d.shape()
    index = d.index(shape)
    named = _grid(shape, index).shape
    values = d.narrowed(named)
    if d.one_of(False, True) and getattr(index, "dtype", None) != bool:
        values = (1,) * (
            len(named) - len(values) + 1
        ) + values  # NumPy allows leading ones
    return (d.array(shape, real), d.array(values, real)), {"index": index}


def _values(values, grid):
    """Values to be assigned at the places of a grid, one for each."""
    flat = values.reshape(values.shape[max(values.ndim - grid.ndim, 0) :])
    return flat, grid


def _put_value(x, values, index):
    flat, grid = _values(values, _grid(x.shape, index))
    out = list(x.flatten())
    for place, value in zip(
        grid.flatten(), np.broadcast_to(flat, grid.shape).flatten(), strict=True
    ):
        out[place] = value
    return np.array(out, np.result_type(x, values)).reshape(x.shape)


def _put_torch(torch, x, values, index):
    flat, grid = _values(values, _grid(tuple(x.shape), index))
    last = {int(place): number for number, place in enumerate(grid.flatten())}
    chosen = flat.expand(grid.shape).flatten()[list(last.values())]
    out = x.flatten().index_put((torch.tensor(list(last), dtype=torch.long),), chosen)
    return out.reshape(x.shape)


def _add_at_value(values, shape, index):
    out = [0.0 * values.sum()] * int(np.prod(shape))
    for place, value in zip(
        _grid(shape, index).flatten(), values.flatten(), strict=True
    ):
        out[place] = out[place] + value
    return np.array(out, values.dtype).reshape(shape)


def _is_last_assigned_value(x, index):
    grid = _grid(x.shape, index)
    last = {place: number for number, place in enumerate(grid.flatten())}
    flags = [last[place] == number for number, place in enumerate(grid.flatten())]
    return np.array(flags, bool).reshape(grid.shape)


row(
    "getitem",
    _getitem,
    lambda x, index: x.flatten()[_grid(x.shape, index)],
    lambda torch, x, index: x.flatten()[torch.as_tensor(_grid(tuple(x.shape), index))],
)
row(
    "add_at",
    _add_at,
    _add_at_value,
    lambda torch, values, shape, index: (
        torch.zeros(int(np.prod(shape)), dtype=values.dtype)
        .index_add(0, torch.as_tensor(_grid(shape, index).flatten()), values.flatten())
        .reshape(shape)
    ),
)
row("put", _put, _put_value, _put_torch, (0, 1), scalar=(1,))
row(
    "embedding",
    _embedding,
    lambda x, index: x.flatten()[_grid(x.shape, index)],
    lambda torch, x, index: torch.nn.functional.embedding(torch.as_tensor(index), x),
)
row(
    "is_last_assigned",
    _getitem,
    _is_last_assigned_value,
    lambda torch, x, index: torch.as_tensor(_is_last_assigned_value(x, index)),
    (),
)

row(
    "nonzero",
    unary(_repeating),
    lambda x: np.stack(np.nonzero(x.reshape(x.shape or (1,))), 1)[:, : x.ndim],
    lambda torch, x: x.nonzero(),
    (),
)

# ---------------------------------------------------------------- matrix products


def _matmul(d):
    first = d.shape(max_dims=2)
    second = d.narrowed(first)
    if d.one_of(False, True):
        first, second = second, first
    m, k, n = (d.one_of(2, 1, 3, 0) for _ in range(3))
    return (d.array((*first, m, k), real), d.array((*second, k, n), real)), {}


row(
    "matmul",
    _matmul,
    lambda x, y: np.einsum("...mk,...kn->...mn", x, y),
    lambda torch, x, y: x @ y,
    (0, 1),
)
row(
    "matrix_transpose",
    lambda d: ((d.array(d.shape(min_dims=2), real),), {}),
    lambda x: np.swapaxes(x, -1, -2),
    lambda torch, x: x.mT,
)


def _linear(d):
    size_in, size_out = d.integer(1, 4), d.integer(1, 3)
    x = d.array((*d.shape(max_dims=2), size_in), real)
    weight = d.array((size_out, size_in), real)
    return (x, weight, d.one_of(None, d.array((size_out,), real))), {}


row(
    "linear",
    _linear,
    lambda x, w, b: np.einsum("...i,oi->...o", x, w) + (0 if b is None else b),
    lambda torch, x, w, b: torch.nn.functional.linear(x, w, b),
    (0, 1, 2),
)

# ---------------------------------------------------------------- loss


def _cross_entropy(d):
    count, classes = d.integer(1, 4), d.integer(1, 4)
    target = d.rng.integers(0, classes, count).astype(
        d.one_of("int64", "int32", "uint8", "int16")
    )
    ignore = d.one_of(-100, 0, 1)
    if (target == ignore).all():
        ignore = -100
    weight = d.one_of(None, d.array((classes,), positive))
    return (d.array((count, classes), real), target, weight), {
        "ignore_index": ignore,
        "reduction": d.one_of("mean", "sum", "none"),
        "label_smoothing": d.one_of(0.0, 0.25, 1.0),
    }


def _cross_entropy_value(
    logits, target, weight, ignore_index, reduction, label_smoothing
):
    log_p = softmax_parts(logits, 1)[1]
    weight = np.ones(log_p.shape[1]) if weight is None else weight
    losses, total = [], 0.0
    for scores, wanted in zip(log_p, target.tolist(), strict=True):
        kept = wanted != ignore_index
        hard = -scores[wanted] * weight[wanted]
        soft = -sum(scores * weight) / len(scores)
        losses.append(kept * ((1 - label_smoothing) * hard + label_smoothing * soft))
        total += kept * weight[wanted]
    out = np.array(losses)
    return (
        out
        if reduction == "none"
        else out.sum() / (total if reduction == "mean" else 1)
    )


row(
    "cross_entropy",
    _cross_entropy,
    _cross_entropy_value,
    lambda torch, x, t, w, **settings: torch.nn.functional.cross_entropy(
        x, t.long(), w, **settings
    ),
    (0,),
)


def _mse(d):
    shape = tuple(n or 2 for n in d.shape())
    return (d.array(shape, real), d.array(shape, real)), {}


row(
    "mse",
    _mse,
    lambda x, y: ((x - y) ** 2).sum() / x.size,
    lambda torch, x, y: torch.nn.functional.mse_loss(x, y),
    (0, 1),
)


def _inside(rng, shape):
    return rng.uniform(0.05, 0.95, shape)


row(
    "binary_cross_entropy",
    binary(_inside, _inside),
    lambda x, y: -y * np.log(x) - (1 - y) * np.log(1 - x),
    lambda torch, x, y: torch.nn.functional.binary_cross_entropy(
        *torch.broadcast_tensors(x, y), reduction="none"
    ),
    (0, 1),
)


def _layer_norm(d):
    shape = tuple(n or 2 for n in d.shape(1))
    last = shape[d.integer(0, len(shape) - 1) :]
    x, weight, bias = d.array(shape, apart), d.array(last, real), d.array(last, real)
    # Of a single element the variance is 0: a small eps makes much of what rounding
    # leaves.
    settings = {
        "shape": last,
        "eps": 0.1 if np.prod(last) == 1 else d.one_of(1e-5, 0.1),
    }
    return (x, d.one_of(weight, None), d.one_of(bias, None)), settings


def _layer_norm_value(x, weight, bias, shape, eps):
    dims = tuple(range(-len(shape), 0))
    centred = x - x.mean(dims, keepdims=True)
    # Complex steps too
    out = centred / np.sqrt((centred**2).mean(dims, keepdims=True) + eps)
    return out * (1 if weight is None else weight) + (0 if bias is None else bias)


row(
    "layer_norm",
    _layer_norm,
    _layer_norm_value,
    # PyTorch has no second derivatives without a weight
    lambda torch, x, w, b, shape, eps: torch.nn.functional.layer_norm(
        x, shape, x.new_ones(shape) if w is None else w, b, eps
    ),
    (0, 1, 2),
)

# ---------------------------------------------------------------- recurrent


def recurrent(gates, states=1, extra=lambda d: {}, projected=False):
    """A layer in one direction; ``gates`` blocks of H rows in each weight."""

    def case(d):
        steps, batch, size_in, hidden = (d.integer(1, 3) for _ in range(4))
        size_in += size_in == hidden and d.one_of(0, 1)
        ids = d.one_of(False, True)
        x = (
            d.rng.integers(0, size_in, (steps, batch))
            if ids
            else d.array((steps, batch, size_in), real)
        )
        size_out = d.one_of(hidden, max(hidden - 1, 1)) if projected else hidden
        initial, narrowed = d.one_of(False, True), size_out != hidden
        biases = d.one_of((True, True), (False, False), (True, False), (False, True))
        sizes = (size_out, hidden)[:states]
        args = [
            x,
            *[d.array((1, batch, size), real) if initial else None for size in sizes],
            d.array((gates * hidden, size_in), real),
            d.array((gates * hidden, size_out), real),
            *[d.array((gates * hidden,), real) if there else None for there in biases],
        ]
        if projected:
            args.append(d.array((size_out, hidden), real) if narrowed else None)
        lengths = d.rng.integers(0, steps + 1, batch) if d.one_of(False, True) else None
        settings = extra(d) | {"reverse": d.one_of(False, True), "lengths": lengths}
        if settings.get("nonlinearity") == "relu":
            d.keep(_distance_to_kink(args, settings) > 0.02)
        return tuple(args), settings

    return case


def unrolled(step, gates, states=1):
    """The meaning of a recurrent layer: one sequence at a time, one step at a time."""

    def value(x, *rest, reverse, lengths, **settings):
        first, (w_ih, w_hh, b_ih, b_hh, *more) = rest[:states], rest[states:]
        if x.ndim == 2:
            x = np.eye(w_ih.shape[1])[x]
        steps, batch = x.shape[:2]
        kind = np.result_type(*(a for a in (x, *rest) if a is not None))
        sizes = (w_hh.shape[1], len(w_hh) // gates)[:states]
        output = np.zeros((steps, batch, sizes[0]), kind)
        last = [np.zeros((1, batch, size), kind) for size in sizes]
        for b in range(batch):
            state = [
                np.zeros(n) if s is None else s[0, b]
                for n, s in zip(sizes, first, strict=True)
            ]
            times = range(steps if lengths is None else lengths[b])
            for t in reversed(times) if reverse else times:
                z = w_ih @ x[t, b] + (0 if b_ih is None else b_ih)
                r = w_hh @ state[0] + (0 if b_hh is None else b_hh)
                state = step(z, r, *state, *more, **settings)
                output[t, b] = state[0]
            for whole, part in zip(last, state, strict=True):
                whole[0, b] = part
        return (output, *last)

    return value


def layer_of_torch(kind, states=1):
    """torch.nn's layer, as a function; a reversed one is the second half of a
    bidirectional one.
    """

    def value(torch, x, *rest, reverse, lengths, **settings):
        first, weights = rest[:states], rest[states:]
        if x.ndim == 2:
            x = torch.nn.functional.one_hot(x, weights[0].shape[1]).to(weights[0].dtype)
        names = (
            "weight_ih_l0",
            "weight_hh_l0",
            "bias_ih_l0",
            "bias_hh_l0",
            "weight_hr_l0",
        )
        biases, weights = weights[2:4], list(weights)
        for i, bias in enumerate(biases):  # one alone PyTorch refuses
            if bias is None and any(b is not None for b in biases):
                weights[2 + i] = torch.zeros_like(biases[1 - i])
        named = {n: w for n, w in zip(names, weights, strict=False) if w is not None}
        gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[kind]
        size_out = weights[1].shape[1]
        if "weight_hr_l0" in named:
            settings["proj_size"] = size_out
        layer = getattr(torch.nn, kind)(
            x.shape[-1],
            len(weights[1]) // gates,
            bias=weights[2] is not None,
            bidirectional=reverse,
            dtype=x.dtype,
            **settings,
        )
        if reverse:
            named = {f"{n}_reverse": w for n, w in named.items()}
        parameters = dict(layer.named_parameters()) | named
        initial = None
        if first[0] is not None:
            initial = tuple(torch.cat([s, s]) if reverse else s for s in first)
            initial = initial[0] if states == 1 else initial
        packed = x
        if lengths is not None:
            pack = torch.nn.utils.rnn.pack_padded_sequence
            some = torch.as_tensor(lengths).clamp(1)  # it packs no length of 0
            packed = pack(x, some, enforce_sorted=False)
        output, last = torch.func.functional_call(layer, parameters, (packed, initial))
        last = (last,) if states == 1 else last
        if lengths is not None:
            unpack = torch.nn.utils.rnn.pad_packed_sequence
            output = unpack(output, total_length=x.shape[0])[0]
            begun = torch.as_tensor(lengths > 0)[:, None]
            output = torch.where(begun, output, 0.0)
            starts = [0.0 if s is None else s for s in first]
            last = [
                torch.where(begun, *pair) for pair in zip(last, starts, strict=True)
            ]
        return (output[..., -size_out:], *(s[-1:] for s in last))

    return value


def _distance_to_kink(args, settings):
    sums = [np.inf]

    def step(z, r, h, nonlinearity):
        sums.extend(z + r)
        return _rnn_step(z, r, h, nonlinearity)

    unrolled(step, 1)(*args, **settings)
    return np.abs(sums).min()


def _logistic(z):
    return 1 / (1 + np.exp(-z))


def _rnn_step(z, r, h, nonlinearity):
    total = z + r
    return [
        np.tanh(total) if nonlinearity == "tanh" else np.where(total.real > 0, total, 0)
    ]


def _lstm_step(z, r, h, c, w_hr):
    i, f, g, o = np.split(z + r, 4)
    c = _logistic(f) * c + _logistic(i) * np.tanh(g)
    h = _logistic(o) * np.tanh(c)
    return [h if w_hr is None else w_hr @ h, c]


def _gru_step(z, r, h):
    (z_r, z_u, z_n), (r_r, r_u, r_n) = np.split(z, 3), np.split(r, 3)
    reset, update = _logistic(z_r + r_r), _logistic(z_u + r_u)
    return [(1 - update) * np.tanh(z_n + reset * r_n) + update * h]


row(
    "rnn",
    recurrent(1, extra=lambda d: {"nonlinearity": d.one_of("tanh", "relu")}),
    unrolled(_rnn_step, 1),
    layer_of_torch("RNN"),
    tuple(range(6)),
)
row(
    "lstm",
    recurrent(4, 2, projected=True),
    unrolled(_lstm_step, 4, 2),
    layer_of_torch("LSTM", 2),
    tuple(range(8)),
)
row("gru", recurrent(3), unrolled(_gru_step, 3), layer_of_torch("GRU"), tuple(range(6)))


def cell(layer, states=1):
    """A case of a layer as one of its cell: a step of a batch or of one sequence."""

    def case(d):
        args, _ = layer(d)
        at = d.one_of((0,), (0, 0))
        first = [part if part is None else part[at] for part in args[1 : 1 + states]]
        return (np.asarray(args[0][at]), *first, *args[1 + states :]), {}

    return case


def of_one_step(value, states=1):
    """The meaning of a cell, by that of its layer."""

    def meaning(x, *rest):
        new = (None,) * (2 if x.ndim == ("int" not in str(x.dtype)) else 1)
        first = [part if part is None else part[new] for part in rest[:states]]
        more = (None,) * (states == 2)  # an LSTM's W_hr
        weights = (*rest[states:], *more)
        _, *last = value(x[new], *first, *weights, reverse=False, lengths=None)
        last = tuple(part[(0,) * len(new)] for part in last)
        return last if states == 2 else last[0]

    return meaning


def cell_row(kind, layer, step, gates, states=1):
    of_torch = layer_of_torch(kind.upper(), states)
    row(
        f"{kind}_cell",
        cell(layer, states),
        of_one_step(unrolled(step, gates, states), states),
        lambda torch, *args: of_one_step(partial(of_torch, torch), states)(*args),
        tuple(range(5 + states)),
    )


cell_row("lstm", recurrent(4, 2), _lstm_step, 4, 2)
cell_row("gru", recurrent(3), _gru_step, 3)


assert all(isinstance(r.op, Op | FusedOp) for r in ROWS.values())
