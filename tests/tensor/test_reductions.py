"""Sums, extremes, norms."""

import itertools
import math

import numpy as np
import pytest
from calls import LIBRARIES, check_what_pytorch_gives, check_wrong_call, same
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import Draw, real

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DimError, DTypeError

f8 = np.float64
i8 = np.int64


@given(st.data())
def test_variance_and_deviation_are_numpys(data):
    d = Draw(data.draw)
    shape = tuple(n or 2 for n in d.shape())
    array = d.array(shape, real)
    dim, correction = d.axis(len(shape)), d.one_of(0, 1, 0.5)
    count = array.size // max(np.sum(array, axis=dim).size, 1)
    if count - correction <= 0:
        return
    x = tg.from_numpy(array)
    for keep in (False, True):
        want = np.asarray(np.var(array, axis=dim, ddof=correction, keepdims=keep))
        np.testing.assert_allclose(
            x.var(dim, correction, keep).numpy(), want, rtol=1e-12, atol=1e-14
        )
        np.testing.assert_allclose(
            x.std(dim, correction, keep).numpy(), np.sqrt(want), rtol=1e-12, atol=1e-14
        )


@given(st.data())
def test_extremes_of_a_dim_come_with_their_places(data):
    d = Draw(data.draw)
    shape = tuple(n or 2 for n in d.shape(min_dims=1))
    array = d.array(shape, lambda rng, shape: rng.integers(0, 3, shape) * 1.0)
    dim = d.integer(-len(shape), len(shape) - 1)
    x = tg.from_numpy(array)
    for name, pick in {"max": np.argmax, "min": np.argmin}.items():
        for keep in (False, True):
            values, indices = getattr(x, name)(dim, keep)
            same(indices, np.asarray(pick(array, dim, keepdims=keep)))
            same(values, np.asarray(getattr(np, name)(array, dim, keepdims=keep)))
            assert getattr(x, name)(dim, keep).values.tolist() == values.tolist()
        same(getattr(x, name)(), np.asarray(getattr(np, name)(array)))


def test_sums_of_integers_and_bools_are_int64():
    assert tg.tensor([True, True]).sum().dtype == i8
    assert tg.tensor([100, 100], dtype="int8").sum().item() == 200
    assert tg.tensor([1, 2]).sum(dtype=f8).dtype == f8


def test_allclose():
    x = tg.tensor([1.0, float("inf")])
    assert tg.allclose(x, x)
    assert not tg.allclose(x, x + 1.0)
    assert tg.allclose(tg.ones(2), tg.ones(2) + 1e-7)
    assert tg.is_tensor(x)
    assert not tg.is_tensor(1.0)


WRONG = {
    "a dim too large": (
        lambda x: x.sum(2),
        DimError,
        r"sum: dim 2 .*\(2, 3\), expected one from -2 to 1",
    ),
    "a dim too small": (lambda x: x.mean(-3), DimError, "mean: dim -3"),
    "a dim twice": (lambda x: x.sum((0, -2)), DimError, "sum: dim .*names a dim twice"),
    "a dim of text": (
        lambda x: x.sum("a"),
        DTypeError,
        "sum: dim is 'a', expected an integer",
    ),
    "a dim of floats": (lambda x: x.softmax(1.0), DTypeError, "softmax: dim is 1.0"),
    "mean of ints": (
        lambda x: tg.arange(3).mean(),
        DTypeError,
        r"mean: got a tensor of int64.*\.float\(\)",
    ),
    "norm": (lambda x: x.norm("nuc"), TypeError, "norm: p is 'nuc'"),
    "cumprod": (lambda x: x.cumprod(2), IndexError, "cumprod: dim 2"),
    "cumsum": (lambda x: x.cumsum(2), IndexError, "cumsum: dim 2"),
    "softmax": (lambda x: x.softmax(None), TypeError, "softmax: dim is None"),
}


def test_of_0d_tensors():
    x = tg.tensor(3.0)
    assert (
        x.sort(0).values.item() == x.topk(1).values.item() == x.cumsum(-1).item() == 3
    )
    assert x.argsort().item() == x.sort().indices.item() == 0
    assert (
        x.prod().item()
        == x.prod(0).item()
        == x.norm().item()
        == x.max(0).values.item()
        == 3
    )


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_gradient_of_a_0d_cumsum(create_graph):
    x = tg.tensor(3.0, requires_grad=True)
    x.cumsum(0).backward(create_graph=create_graph)
    assert x.grad.item() == 1


def test_products_of_nothing_and_of_integers():
    assert tg.zeros(0).prod().item() == 1
    assert tg.zeros(2, 0).prod(1).tolist() == [1, 1]
    assert tg.tensor([3, 4], dtype="int32").prod().dtype == tg.int64
    assert tg.tensor([True, False]).prod().item() == 0


@pytest.mark.parametrize("correction", [2, 3.5])
def test_the_variance_of_no_more_numbers_than_the_correction_is_infinite(correction):
    for name in ("var", "std"):
        words = (
            rf"^var: correction={correction} leaves nothing of a count of 2 to divide"
        )
        with pytest.warns(UserWarning, match=words) as warned:
            found = getattr(tg.tensor([[1.0, 2.0], [3.0, 3.0]]), name)(1, correction)
        assert len(warned) == 1
        assert warned[0].filename == __file__
        assert found[0].item() == math.inf
        assert math.isnan(found[1].item())


def test_the_variance_of_no_rows_is_empty():
    assert tg.zeros(1, 0).var(0).shape == (0,)
    assert tg.zeros(1, 0).std(0).shape == (0,)


def test_the_deviation_of_equal_numbers_has_the_gradient_0():
    x = tg.full((3,), 2.5, requires_grad=True)
    x.std().backward()
    assert x.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize("p", ["fro", 1, 2, 3, 0.5])
def test_the_norm_of_zeros_has_the_gradient_0(p):
    x = tg.zeros(3).requires_grad_()
    x.norm(p).backward()
    assert x.grad.tolist() == [0, 0, 0]


def wide_norm(x, p, axis):
    """The norm and its gradient in long doubles, scaled by hand."""
    x = np.abs(x.astype(np.longdouble))
    top = (np.max if p > 0 else np.min)(x, axis, keepdims=True)
    total = ((x / top) ** p).sum(axis, keepdims=True) ** (1 / np.longdouble(p))
    return (top * total).squeeze(axis), (x / top / total) ** (p - 1)


@example(p=40, exponents=[-21], double=False, seed=0)
@given(
    p=st.sampled_from(["fro", 1, 1.5, 2, 3, 0.5, -1, -2, 40]),
    exponents=st.lists(st.integers(-30, 30), min_size=1, max_size=3),
    double=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_norms_of_every_size(p, exponents, double, seed):
    """Each row of its own size: squares of these are no float32."""
    rng = np.random.default_rng(seed)
    size = 10.0 ** ((6 if double else 1) * np.array(exponents))[:, None]
    values = (
        rng.choice([-1, 1], (len(size), 4)) * rng.uniform(0.5, 2, (len(size), 4)) * size
    )
    x = tg.tensor(values.astype("f8" if double else "f4"), requires_grad=True)
    found = x.norm(p, dim=1)
    found.sum().backward()
    expected, slope = wide_norm(x.numpy(), 2 if p == "fro" else p, 1)
    tolerance = 1e-13 if double else 5e-6
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=tolerance)
    # On its way a slope is multiplied by its row's size, where it may be subnormal.
    lost = 8.0 * float(np.finfo(x.numpy().dtype).smallest_subnormal) / size
    difference = np.abs(x.grad.numpy() - slope * np.sign(values))
    assert (difference <= 20 * tolerance * np.abs(slope) + lost).all()


@given(scale=st.sampled_from([1e-9, 1e-3, 1.0, 1e3, 1e9]), seed=st.integers(0, 2**32))
def test_norms_of_usual_numbers_keep_their_bits(scale, seed):
    values = scale * np.random.default_rng(seed).standard_normal((3, 5), np.float32)
    x, y = (tg.tensor(values.astype("f4"), requires_grad=True) for _ in range(2))
    found, plain = x.norm(dim=1), y.square().sum(1) ** 0.5
    np.testing.assert_array_equal(found.detach().numpy(), plain.detach().numpy())
    found.sum().backward()
    plain.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.grad.numpy())


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e30])
def test_the_second_derivative_of_a_norm(scale):
    """(v - u (u v)) / n, with u = x / n."""
    values = np.array([1.0, -2.0, 0.5, 3.0])
    x = tg.tensor((values * scale).astype("f4"), requires_grad=True)
    (grad,) = tg.autograd.grad(x.norm(), x, create_graph=True)
    v = np.array([0.3, 0.2, -1.0, 0.4])
    (found,) = tg.autograd.grad((grad * tg.tensor(v.astype("f4"))).sum(), x)
    n = np.linalg.norm(values)
    expected = (v - values / n * (values @ v) / n) / n
    np.testing.assert_allclose(
        found.numpy().astype("f8") * scale, expected, rtol=1e-4, atol=1e-6
    )


def test_norms_of_what_is_not_finite():
    rows = tg.tensor(
        [[math.inf, 1.0], [1e-30, -math.inf], [math.nan, 1e30], [0.0, 0.0]]
    )
    assert rows.norm(dim=1).tolist()[:2] == [math.inf, math.inf]
    assert rows.norm(dim=1).isnan().tolist() == [False, False, True, False]
    assert math.isnan(rows.norm().item())
    assert rows[3].norm().item() == 0
    assert tg.zeros(0).norm().item() == 0
    assert tg.tensor([3, 4]).norm().item() == 5
    big = tg.full((10,), 3e38)
    with np.errstate(over="ignore"):
        assert big.norm().item() == math.inf  # beyond float32 it is
    assert tg.full((10, 1), 3e38).norm(dim=1).tolist() == [pytest.approx(3e38)] * 10


def test_the_norm_of_a_negative_p_is_0_where_an_element_is():
    x = tg.tensor([0.0, 2.0], requires_grad=True)
    x.norm(-1).backward()
    assert x.norm(-1).item() == 0
    assert x.grad.tolist() == [0, 0]


INDEXED = {
    "var of no correction": (lambda lib, x: x.var(correction=None), 3.5),
    "var of no correction along a dim": (
        lambda lib, x: x.var(1, correction=None),
        [1.0, 1.0],
    ),
    "std of no correction": (lambda lib, x: x.std(0, correction=None), [4.5**0.5] * 3),
    "cumprod of seven": (
        lambda lib, x: lib.arange(1, 8).cumprod(0),
        [1, 2, 6, 24, 120, 720, 5040],
    ),
    "cumprod of integers": (
        lambda lib, x: str(x.to(lib.int32).cumprod(0).dtype).split(".")[-1],
        "int64",
    ),
}


# A total of integers has the dtype that was asked for, and wraps around there.
TOTALS = {
    "sum": lambda lib, x, dtype: x.sum(dtype=dtype),
    "sum of a dim": lambda lib, x, dtype: lib.sum(x, 0, keepdim=True, dtype=dtype),
    "prod": lambda lib, x, dtype: x.prod(dtype=dtype),
    "prod of a dim": lambda lib, x, dtype: x.prod(0, dtype=dtype),
    "prod of nothing": lambda lib, x, dtype: x[:0].prod(dtype=dtype),
    "cumsum": lambda lib, x, dtype: x.cumsum(0, dtype=dtype),
    "cumprod": lambda lib, x, dtype: x.cumprod(0, dtype=dtype),
    "mean": lambda lib, x, dtype: x.mean(dtype=dtype),
}


@pytest.mark.parametrize("name", TOTALS)
@pytest.mark.parametrize(
    "library", ["tg", pytest.param("torch", marks=pytest.mark.parity)]
)
def test_totals_have_the_dtype_asked_for(name, library):
    """By itself a total of integers of any width, or of bools, is int64."""
    lib = tg if library == "tg" else pytest.importorskip("torch")
    functions = {"sum": np.sum, "prod": np.prod, "mean": np.mean}
    functions |= {"cumsum": np.cumsum, "cumprod": np.cumprod}
    values = np.array([3, 100, 0, 2][: 0 if name == "prod of nothing" else 4])
    dtypes = [None, "bool", "uint8", "int8", "int32", "int64", "float64"]
    for kind, asked in itertools.product(
        ["int64", "int32", "uint8", "bool", "float32"], dtypes
    ):
        dtype = asked or ("float32" if kind == "float32" else "int64")
        if (name == "mean" and "float" not in dtype) or (
            name in ("cumsum", "cumprod") and dtype == "bool"
        ):
            continue  # refused
        x = lib.tensor(values).to(getattr(lib, kind))
        found = TOTALS[name](lib, x, asked and getattr(lib, asked))
        wanted = values.astype(kind).astype(dtype)
        wanted = functions[name.split()[0]](wanted, dtype=dtype, axis=0)
        assert str(found.dtype).split(".")[-1] == dtype, (kind, asked)
        assert (
            np.array(found.tolist()).astype(dtype).flatten().tolist()
            == wanted.ravel().tolist()
        )


def test_equal_is_of_shape_and_elements():
    x = tg.tensor([1.0, 2.0])
    assert x.equal(tg.tensor([1.0, 2.0]))
    assert tg.equal(x, x.clone())
    assert not x.equal(tg.tensor([1.0, 3.0]))
    assert not x.equal(tg.tensor([[1.0, 2.0]]))
    assert not tg.equal(tg.tensor(math.nan), tg.tensor(math.nan))
    assert tg.equal(tg.zeros(0), tg.zeros(0))


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])


@pytest.mark.parametrize("name", INDEXED)
@pytest.mark.parametrize("library", LIBRARIES)
def test_what_pytorch_gives(name, library):
    check_what_pytorch_gives(library, *INDEXED[name])
