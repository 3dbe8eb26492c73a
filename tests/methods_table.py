"""The table of the tests of methods and functions: how to draw a call, and its value.

The value is NumPy's. Names and arguments are PyTorch's, so `test_methods_parity.py` can
make the same call there. Functions that are a line over one op are in `ops/rows.py`;
here are those made of several.
"""

import math

import numpy as np
from strategies import Draw, apart, real, signed

CASES = {}  # name -> (Draw -> (tensors, arguments), NumPy's meaning, given both)


def case(name, draw, value):
    CASES[name] = (draw, value)


def one(domain, **settings):
    """Draw an array of at least one dim, and each setting by ``draw(d, ndim)``."""

    def draw(d):
        shape = tuple(n or 2 for n in d.shape(min_dims=1))
        drawn = {key: choose(d, len(shape)) for key, choose in settings.items()}
        return [d.array(shape, domain)], drawn

    return draw


# Settings: each is drawn for an array of n dims.


def some_dim(d, n):
    return d.integer(-n, n - 1)


def dim_or_none(d, n):
    return d.axis(n, tuples=False)


def dims_or_none(d, n):
    return d.axis(n)


def flag(d, n):
    return d.one_of(False, True)


def shift(d, n):
    return d.integer(-4, 4)


def choice(*values):
    return lambda d, n: d.one_of(*values)


def _zero_among(rng, shape):
    """Draw a 0 now and then: there, the gradient of a product is not out / x."""
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
    one(
        apart,
        p=choice("fro", 1, 2, 3, 0.5, 0, -1, math.inf, -math.inf),
        dim=dims_or_none,
        keepdim=flag,
    ),
    _norm,
)
case("sort", one(apart, dim=some_dim, descending=flag), _sorted)
case(
    "argsort",
    one(apart, dim=some_dim, descending=flag),
    lambda x, **s: _sorted(x, **s)[1],
)
case("topk", one(apart, k=choice(0, 1), dim=some_dim, largest=flag), _topk)
_spread = one(apart, dim=dims_or_none, correction=choice(0, 1), keepdim=flag)
case(
    "var",
    _spread,
    lambda x, dim, correction, keepdim: np.var(
        x, dim, ddof=correction, keepdims=keepdim
    ),
)
case(
    "std",
    _spread,
    lambda x, dim, correction, keepdim: np.std(
        x, dim, ddof=correction, keepdims=keepdim
    ),
)
case(
    "roll",
    one(real, shifts=shift, dims=dim_or_none),
    lambda x, shifts, dims: np.roll(x, shifts, dims),
)
case(
    "flip",
    one(real, dims=lambda d, n: (d.integer(-n, n - 1),)),
    lambda x, dims: np.flip(x, dims),
)


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


# ---------------------------------------------------------------- by mask and index


def _cumprod(x, dim):
    return np.cumprod(x, dim)


case("cumprod", one(_zero_among, dim=some_dim), _cumprod)


def _median(x, dim, keepdim):
    places = np.argsort(x, dim, kind="stable").take([(x.shape[dim] - 1) // 2], dim)
    values = np.take_along_axis(x, places, dim)
    return (values, places) if keepdim else (values.squeeze(dim), places.squeeze(dim))


case("median", one(apart, dim=some_dim, keepdim=flag), _median)


def _masked(d):
    one, two = d.shapes(2)
    return [d.array(one, real)], {"mask": d.rng.integers(0, 2, two).astype(bool)}


case(
    "masked_select",
    _masked,
    lambda x, mask: np.broadcast_arrays(x, mask)[0][mask | (x != x)],
)


def _diag(d):
    shape = tuple(d.integer(0, 4) for _ in range(d.integer(1, 2)))
    return [d.array(shape, real)], {"diagonal": d.integer(-3, 3)}


def _numpy_diag(x, diagonal):
    outside = x.ndim == 2 and not -x.shape[0] <= diagonal <= x.shape[1]
    return np.zeros(0) if outside else np.diag(x, diagonal)


case("diag", _diag, _numpy_diag)


def _filled(d):
    shape = tuple(n or 2 for n in d.shape(min_dims=1))
    dim = d.integer(-len(shape), len(shape) - 1)
    index = d.rng.integers(0, shape[dim], d.one_of((), (0,), (3,)))
    arrays = [d.array(shape, real), d.array((), real)]
    return arrays, {"dim": dim, "index": index, "names": ("value",)}


def _numpy_fill(x, value, dim, index):
    hit = np.isin(np.arange(x.shape[dim]), index)
    return np.where(
        hit.reshape([-1 if i == dim % x.ndim else 1 for i in range(x.ndim)]), value, x
    )


case("index_fill", _filled, _numpy_fill)


def _scattered(repeat):
    def draw(d):
        shape = tuple(n or 2 for n in d.shape(min_dims=1))
        dim = d.integer(-len(shape), len(shape) - 1)
        wanted = tuple(d.integer(0, n) for n in shape)
        index = np.argsort(d.rng.random(shape), dim)[tuple(map(slice, wanted))]
        if repeat:
            index = index // 2
        arrays = [d.array(shape, real), d.array(wanted, real)]
        return arrays, {"dim": dim, "index": np.array(index), "names": ("src",)}

    return draw


def _numpy_scatter(add):
    def value(x, src, dim, index):
        out = x.copy()
        for place in np.ndindex(index.shape):
            target = list(place)
            target[dim] = index[place]
            out[tuple(target)] = src[place] + (out[tuple(target)] if add else 0)
        return out

    return value


# Where a place is named twice the gradient of src is right here and PyTorch's is not.
case("scatter", _scattered(repeat=False), _numpy_scatter(add=False))
case("scatter_add", _scattered(repeat=True), _numpy_scatter(add=True))


def _counted(d):
    x = d.rng.integers(0, 4, d.integer(0, 6))
    weights = d.one_of(None, real(d.rng, x.shape))
    return [x], {"weights": weights, "minlength": d.integer(0, 6)}


def _numpy_counts(x, weights, minlength):
    size = max(minlength, x.max(initial=-1) + 1)
    amounts = np.ones(x.shape, int) if weights is None else weights
    return np.array([amounts[x == i].sum() for i in range(size)], amounts.dtype)


case("bincount", _counted, _numpy_counts)


def _distinct(d):
    shape = d.shape()
    flags = {"return_inverse": d.chance(), "return_counts": d.chance()}
    return [d.rng.integers(0, 3, shape)], flags


def _numpy_distinct(x, return_inverse, return_counts):
    values = np.array(sorted(set(x.flatten().tolist())), x.dtype)
    inverse = [values.tolist().index(item) for item in x.flatten().tolist()]
    counts = [inverse.count(i) for i in range(len(values))]
    parts = [values]
    parts += [np.array(inverse, int).reshape(x.shape)] * return_inverse
    parts += [np.array(counts, int)] * return_counts
    return tuple(parts) if len(parts) > 1 else values


case("unique", _distinct, _numpy_distinct)


def _found(d):
    x = d.rng.integers(0, 2, d.shape())
    return [x], {"as_tuple": d.chance()}


def _numpy_found(x, as_tuple):
    places = np.nonzero(x.reshape(x.shape or (1,)))
    return places if as_tuple else np.stack(places, 1)[:, : x.ndim]


case("nonzero", _found, _numpy_found)

EQUATIONS = (
    "ij->ji",
    "ii->i",
    "ii",
    "i,i",
    "i,j",
    "ij,jk",
    "bij,bjk->bik",
    "ij,ij->",
    "ij,j->i",
    "i,i,i->i",
    "iij,jk,kl->il",
    "ij,kj,lj->ikl",
    "...ij,...jk->...ik",
    "...i->...",
    "i...,j...->ij...",
    "ab,bc->ac",
    "aab,bc->ac",
    "ij->",
    "ij,k->k",
)


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


# ---------------------------------------------------------------- drawing and calling


def call(library, tensor, name, settings):
    """Call the function of the top level with tensors and the drawn settings."""
    given = {
        k: tensor(v) if isinstance(v, np.ndarray) else v for k, v in settings.items()
    }
    if "equation" in given:
        equation = given.pop("equation")
        return lambda *xs: getattr(library, name)(equation, *xs, **given)
    names = given.pop("names", ())  # of the tensors after the first
    function = getattr(library, name)
    if names:
        return lambda x, *xs: function(x, **dict(zip(names, xs, strict=True)), **given)
    return lambda *xs: function(*xs, **given)


def drawn(name, data):
    """Draw a case; return the draws, its arrays and its settings."""
    d = Draw(data.draw)
    arrays, settings = CASES[name][0](d)
    if name in ("var", "std"):  # of one number, less one, it is 0 / 0
        count = arrays[0].size // max(
            np.sum(arrays[0], settings["dim"], keepdims=True).size, 1
        )
        d.keep(count > 1)
    return d, arrays, settings
