"""The table of the tests of `methods` and `functions`: how to draw a call, and what NumPy says.

Names and arguments are PyTorch's, so a call is the same there: `test_methods_parity.py` makes it.
Functions that are a line over one op are in `ops/rows.py`; here is what is made of several.
"""

import math

import numpy as np
from strategies import apart, real, signed

CASES = {}  # name -> (Draw -> (tensors, arguments), NumPy's meaning, given both)


def case(name, draw, value):
    CASES[name] = (draw, value)


def one(domain, **settings):
    """One array of at least a dim, and a dim of it, given by ``draw(d, ndim)`` for each setting."""

    def draw(d):
        shape = tuple(n or 2 for n in d.shape(min_dims=1))
        drawn = {key: choose(d, len(shape)) for key, choose in settings.items()}
        return [d.array(shape, domain)], drawn

    return draw


some_dim = lambda d, n: d.integer(-n, n - 1)
dim_or_none = lambda d, n: d.axis(n, tuples=False)
dims_or_none = lambda d, n: d.axis(n)
flag = lambda d, n: d.one_of(False, True)
choice = lambda *values: lambda d, n: d.one_of(*values)
shift = lambda d, n: d.integer(-4, 4)


def _zero_among(rng, shape):
    """Now and then an element is 0: the product's gradient is not out / x there."""
    return signed(rng, shape) * (rng.random(shape) > 0.2)


def _prod(x, dim=None, keepdim=False):
    return np.prod(x, dim, keepdims=keepdim and dim is not None)


def _norm(x, p, dim, keepdim):
    dim = tuple(range(x.ndim)) if dim is None else dim
    if p in (math.inf, -math.inf):
        return (np.max if p > 0 else np.min)(np.abs(x), dim, keepdims=keepdim)
    if p == 0:
        return np.sum(x != 0, dim, keepdims=keepdim).astype(float)
    p = 2 if p == "fro" else p
    return np.sum(np.abs(x) ** p, dim, keepdims=keepdim) ** (1 / p)


def _sorted(x, dim=-1, descending=False):
    places = np.argsort(-x if descending else x, dim, kind="stable")
    return np.take_along_axis(x, places, dim), places


def _topk(x, k, dim=-1, largest=True):
    return tuple(np.take(a, range(k), dim) for a in _sorted(x, dim, largest))


case("prod", one(_zero_among, dim=some_dim, keepdim=flag), _prod)
case("cumsum", one(real, dim=some_dim), lambda x, dim: np.cumsum(x, dim))
case(
    "norm",
    one(apart, p=choice("fro", 1, 2, 3, 0.5, 0, -1, math.inf, -math.inf), dim=dims_or_none, keepdim=flag),
    _norm,
)  # fmt: skip
case("sort", one(apart, dim=some_dim, descending=flag), _sorted)
case("argsort", one(apart, dim=some_dim, descending=flag), lambda x, **s: _sorted(x, **s)[1])
case("topk", one(apart, k=choice(0, 1), dim=some_dim, largest=flag), _topk)
_spread = one(apart, dim=dims_or_none, correction=choice(0, 1), keepdim=flag)
case(
    "var",
    _spread,
    lambda x, dim, correction, keepdim: np.var(x, dim, ddof=correction, keepdims=keepdim),
)
case(
    "std",
    _spread,
    lambda x, dim, correction, keepdim: np.std(x, dim, ddof=correction, keepdims=keepdim),
)
case(
    "roll",
    one(real, shifts=shift, dims=dim_or_none),
    lambda x, shifts, dims: np.roll(x, shifts, dims),
)
case("flip", one(real, dims=lambda d, n: (d.integer(-n, n - 1),)), lambda x, dims: np.flip(x, dims))


def _tile(d):
    return [d.array(d.shape(), real)], {
        "dims": tuple(d.integer(0, 2) for _ in range(d.integer(0, 4)))
    }


case("tile", _tile, lambda x, dims: np.tile(x, dims))


def _triangle(d):
    return [d.array(d.shape(min_dims=2), real)], {"diagonal": d.integer(-3, 3)}


case("tril", _triangle, lambda x, diagonal: np.tril(x, diagonal))
case("triu", _triangle, lambda x, diagonal: np.triu(x, diagonal))


def _factors(*letters):
    def draw(d):
        sizes = {c: d.integer(0, 3) for c in "".join(letters)}
        return [d.array(tuple(sizes[c] for c in term), real) for term in letters], {}

    return draw


case("mm", _factors("mk", "kn"), np.matmul)
case("bmm", _factors("bmk", "bkn"), np.matmul)
case("mv", _factors("mk", "k"), np.matmul)
case("dot", _factors("k", "k"), np.dot)
case("outer", _factors("m", "n"), np.outer)


def _gather(d):
    shape = tuple(n or 2 for n in d.shape(min_dims=1))
    dim = d.integer(-len(shape), len(shape) - 1)
    wanted = tuple(d.integer(0, n) for n in shape)
    index = d.rng.integers(0, shape[dim], wanted)
    return [d.array(shape, real)], {"dim": dim, "index": index}


def _numpy_gather(x, dim, index):
    part = [slice(n) for n in index.shape]
    part[dim] = slice(None)
    return np.take_along_axis(x[tuple(part)], index, dim)


case("gather", _gather, _numpy_gather)

EQUATIONS = (
    "ij->ji", "ii->i", "ii", "i,i", "i,j", "ij,jk", "bij,bjk->bik", "ij,ij->", "ij,j->i", "i,i,i->i",
    "iij,jk,kl->il", "ij,kj,lj->ikl", "...ij,...jk->...ik", "...i->...", "i...,j...->ij...", "ab,bc->ac",
    "aab,bc->ac", "ij->", "ij,k->k",
)  # fmt: skip


def _einsum(d):
    equation = d.one_of(*EQUATIONS)
    sizes = {c: d.integer(1, 3) for c in set(equation) if c.isalpha()}
    dots = tuple(d.integer(1, 2) for _ in range(2))
    arrays = []
    for term in equation.partition("->")[0].split(","):
        before, dotted, after = term.partition("...")
        middle = dots[d.integer(0, 2) :] if dotted else ()
        shape = (*(sizes[c] for c in before), *middle, *(sizes[c] for c in after))
        arrays.append(d.array(shape, real))
    return arrays, {"equation": equation}


case("einsum", _einsum, lambda *arrays, equation: np.einsum(equation, *arrays))
