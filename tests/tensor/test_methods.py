"""The functions made of several ops: what NumPy gives, and the slope of that."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from methods_table import CASES, call, drawn
from oracle import assert_close, difference, gradients, outputs_of
from strategies import Draw, real

import tinygrad_rnn as tg
from tinygrad_rnn.errors import ShapeError
from tinygrad_rnn.errors.boundary import name_errors


@pytest.mark.parametrize(
    "call", [tg.softmax, tg.nn.functional.softmax, tg.Tensor.softmax]
)
def test_pythons_own_messages_name_the_function_and_no_class_of_ours(call):
    with pytest.raises(TypeError, match=r"^softmax\(\) missing .* 'dim'$"):
        call(tg.ones(2))


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_value_and_gradient(name, data, device):
    d, arrays, settings = drawn(name, data)
    placed = lambda a: tg.tensor(a, device=device)
    ours, numpys = call(tg, placed, name, settings), CASES[name][1]
    settings.pop("names", None)
    found = outputs_of(ours(*map(placed, arrays)))
    wanted = outputs_of(numpys(*arrays, **settings))
    assert len(found) == len(wanted)
    for one, two in zip(found, wanted, strict=True):
        assert_close(one.cpu().numpy(), np.asarray(two), what=name)
    if found[0].dtype.kind != "f" or arrays[0].dtype.kind != "f":
        return
    u = np.asarray(real(d.rng, found[0].shape))
    directions = [np.asarray(real(d.rng, a.shape)) for a in arrays]
    first = lambda *xs: outputs_of(ours(*xs))[0]
    slopes = gradients(first, arrays, range(len(arrays)), [u], device=device)
    along = sum((g * v).sum() for g, v in zip(slopes, directions, strict=True))
    moved = lambda *xs: (outputs_of(numpys(*xs, **settings))[0] * u).sum()
    assert_close(
        along, difference(moved, arrays, directions, step=1e-5), rtol=1e-6, what=name
    )


@pytest.mark.parametrize("name", CASES)
def test_every_function_is_a_method_too(name):
    assert name == "einsum" or getattr(tg.Tensor, name) is getattr(tg, name).__wrapped__


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


def test_a_choice_between_numbers_is_made_where_the_condition_is(device):
    found = tg.where(tg.tensor([True, False], device=device), 1.0, 2.0)
    assert found.device == tg.device(device)
    assert found.tolist() == [1, 2]
    assert found.dtype == tg.float32


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


def test_order_is_stable_and_nan_is_the_largest():
    x = tg.tensor([1.0, 0.0, 1.0, 0.0])
    assert x.argsort().tolist() == [1, 3, 0, 2]
    assert x.argsort(descending=True).tolist() == [0, 2, 1, 3]
    assert tg.tensor([float("nan"), 1.0]).argsort(descending=True).tolist() == [0, 1]


@pytest.mark.parametrize("correction", [2, 3.5])
def test_the_variance_of_no_more_numbers_than_the_correction_is_infinite(correction):
    with np.errstate(divide="ignore"):
        variance = tg.tensor([[1.0, 2.0], [3.0, 5.0]]).var(0, correction)
    assert variance.tolist() == [math.inf, math.inf]


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
    # On its way a slope is multiplied by the size of its row, where it may be subnormal.
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


INDEXED = {  # what PyTorch gives: each of these raised before
    "index_select of 0-d": (
        lambda lib, x: x[0, 0].index_select(0, lib.tensor([0])),
        7.0,
    ),
    "index_select of 0-d by 0-d": (
        lambda lib, x: x[0, 0].index_select(0, lib.tensor(0)),
        7.0,
    ),
    "index_select by 0-d": (
        lambda lib, x: x.index_select(1, lib.tensor(2)),
        [[9.0], [12.0]],
    ),
    "gather of 0-d": (lambda lib, x: x[0, 0].gather(0, lib.tensor([0])), [7.0]),
    "gather of 0-d twice": (
        lambda lib, x: x[0, 0].gather(0, lib.tensor([0, 0])),
        [7.0, 7.0],
    ),
    "gather by 0-d": (lambda lib, x: x[0].gather(0, lib.tensor(1)), 8.0),
    "take_along_dim, index repeated": (
        lambda lib, x: x.take_along_dim(lib.tensor([[2]]), 1),
        [[9.0], [12.0]],
    ),
    "take_along_dim, input repeated": (
        lambda lib, x: x[:1].take_along_dim(lib.tensor([[1], [0], [1]]), 1),
        [[8.0], [7.0], [8.0]],
    ),
    "take_along_dim, both repeated": (
        lambda lib, x: x[:, None, :1].take_along_dim(lib.tensor([[[0, 0, 0]] * 2]), 1),
        [[[7.0] * 3] * 2, [[10.0] * 3] * 2],
    ),
    "take_along_dim of the flattened": (
        lambda lib, x: x.take_along_dim(lib.tensor([[5, 0]])),
        [12.0, 7.0],
    ),
    "scatter of 0-d": (lambda lib, x: x[0, 0].scatter(0, lib.tensor([0]), 5.0), 5.0),
    "scatter by nothing": (
        lambda lib, x: x.scatter(0, lib.tensor([], dtype=lib.int64), 5.0),
        [[7.0, 8.0, 9.0], [10.0, 11.0, 12.0]],
    ),
    "scatter of more than the index": (
        lambda lib, x: x.scatter(1, lib.tensor([[2, 0]]), x * 10),
        [[80.0, 8.0, 70.0], [10.0, 11.0, 12.0]],
    ),
    "scatter_add of more than the index": (
        lambda lib, x: x.scatter_add(1, lib.tensor([[2], [2]]), x * 10),
        [[7.0, 8.0, 79.0], [10.0, 11.0, 112.0]],
    ),
    "scatter of a value": (
        lambda lib, x: x.scatter(0, lib.tensor([[0, 1]]), value=0.5),
        [[0.5, 8.0, 9.0], [10.0, 0.5, 12.0]],
    ),
    "median of 0-d": (lambda lib, x: x[0, 0].median(0).values, 7.0),
    "median of 0-d, kept": (lambda lib, x: x[0, 0].median(0, keepdim=True).indices, 0),
    "unique rows": (
        lambda lib, x: lib.unique(lib.tensor([[2, 1], [0, 3], [2, 1]]), dim=0),
        [[0, 3], [2, 1]],
    ),
    "where unique rows are": (
        lambda lib, x: lib.unique(
            lib.tensor([[2, 1], [0, 3], [2, 1]]), return_inverse=True, dim=0
        )[1],
        [1, 0, 1],
    ),
    "NaNs are distinct": (
        lambda lib, x: lib.unique(
            lib.tensor([math.nan, 1.0, math.nan]), return_counts=True
        )[1],
        [1, 1, 1],
    ),
    "bincount by float32": (
        lambda lib, x: str(lib.bincount(lib.tensor([1]), lib.ones(1)).dtype).split(".")[
            -1
        ],
        "float32",
    ),
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


@pytest.mark.parametrize("name", INDEXED)
@pytest.mark.parametrize(
    "library", ["tg", pytest.param("torch", marks=pytest.mark.parity)]
)
def test_what_pytorch_gives(name, library):
    lib = tg if library == "tg" else pytest.importorskip("torch")
    call, wanted = INDEXED[name]
    found = call(lib, lib.arange(7.0, 13.0, dtype=lib.float64).reshape(2, 3))
    found = found if isinstance(found, str) else found.tolist()
    assert found == (
        pytest.approx(wanted, rel=1e-14) if isinstance(wanted, float) else wanted
    )


TOTALS = {  # a total of integers has the dtype that was asked for, and wraps around there
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
    """As PyTorch's: by itself a total of integers, of any width, and of bools is int64."""
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


def test_what_is_written_twice_has_the_gradient_of_the_last():
    """PyTorch gives both of them one."""
    src = tg.tensor([2.0, 3.0], requires_grad=True)
    found = tg.zeros(2).scatter(0, tg.tensor([1, 1]), src)
    found.sum().backward()
    assert found.tolist() == [0.0, 3.0]
    assert src.grad.tolist() == [0.0, 1.0]


def test_an_index_that_changes_later_changes_no_gradient():
    x, src = tg.zeros(3, requires_grad=True), tg.ones(1, requires_grad=True)
    index = tg.tensor([0])
    out = (
        x.scatter(0, index, src)
        + x.scatter_add(0, index, src)
        + x.index_fill(0, index, 1.0)
    )
    index += 2
    out.sum().backward()
    assert x.grad.tolist() == [1.0, 3.0, 3.0]


@pytest.mark.parametrize("name", ["unique", "bincount", "nonzero"])
def test_places_and_counts_have_no_gradient(name):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    found = (
        tg.bincount(tg.tensor([0, 1]), x) if name == "bincount" else getattr(x, name)()
    )
    assert not found.requires_grad


WRONG = {
    "norm": (lambda x: x.norm("nuc"), TypeError, "norm: p is 'nuc'"),
    "topk too many": (
        lambda x: x.topk(4),
        ValueError,
        "topk: k is 4, expected at most 3",
    ),
    "topk of half": (lambda x: x.topk(1.5), TypeError, "topk: k is 1.5"),
    "mm": (lambda x: x.mm(x[0]), ValueError, r"mm: got the shapes \(2, 3\) and \(3,\)"),
    "bmm": (
        lambda x: x.reshape(2, 1, 3).bmm(tg.ones(1, 3, 1)),
        ValueError,
        "bmm: got the shapes",
    ),
    "mv of a list": (
        lambda x: x.mv([1, 2, 3]),
        TypeError,
        "mv: other is list, expected a Tensor",
    ),
    "outer": (lambda x: x.outer(x), ValueError, "outer: got the shapes"),
    "gather": (
        lambda x: x.gather(0, tg.tensor([0])),
        ValueError,
        "gather: index has shape",
    ),
    "masked_select": (
        lambda x: x.masked_select(tg.tensor([1, 0, 1])),
        TypeError,
        "masked_select: mask is int64 of shape .3,., expected bool",
    ),
    "masked_select of others": (
        lambda x: x.masked_select(tg.ones(2).bool()),
        ValueError,
        "masked_select: ",
    ),
    "median of nothing": (
        lambda x: x[:0].median(),
        ValueError,
        "median: nothing in a tensor",
    ),
    "median along nothing": (
        lambda x: x[:0].median(0),
        ValueError,
        "median: nothing along dim 0",
    ),
    "diag": (
        lambda x: x.reshape(1, 2, 3).diag(),
        ValueError,
        r"diag: got the shape \(1, 2, 3\)",
    ),
    "diag of a half": (lambda x: x.diag(0.5), TypeError, "diag: diagonal is 0.5"),
    "cumprod": (lambda x: x.cumprod(2), IndexError, "cumprod: dim 2"),
    "bincount of floats": (
        lambda x: x.bincount(),
        TypeError,
        "bincount: input is float32 .*, expected integers; use .long()",
    ),
    "bincount of a matrix": (
        lambda x: x.long().bincount(),
        ValueError,
        "bincount: input is int64",
    ),
    "bincount below 0": (
        lambda x: tg.bincount(tg.tensor([1, -2])),
        ValueError,
        "bincount: input is .*, smallest -2, expected a vector of integers >= 0",
    ),
    "bincount by others": (
        lambda x: tg.bincount(tg.tensor([1]), x),
        ValueError,
        r"bincount: weights has shape \(2, 3\), expected \(1,\)",
    ),
    "unique": (lambda x: x.unique(dim=2), IndexError, "unique: dim 2"),
    "index_fill": (
        lambda x: x.index_fill(0, tg.ones(1), 0.0),
        TypeError,
        "index_fill: index is float32 of shape .1,., expected integers",
    ),
    "index_fill by a vector": (
        lambda x: x.index_fill(0, tg.tensor([0]), x[0]),
        ValueError,
        "index_fill: index is .* value is float32 of shape .3,., expected a vector and a number",
    ),
    "index_fill too far": (
        lambda x: x.index_fill(0, tg.tensor([2]), 0.0),
        IndexError,
        "index_fill: index 2",
    ),
    "scatter": (
        lambda x: x.scatter(0, tg.tensor([0]), 1.0),
        ValueError,
        r"scatter: input has shape \(2, 3\), index \(1,\), src a number",
    ),
    "scatter of fewer": (
        lambda x: x.scatter(0, tg.tensor([[0, 1]]), x[:1, :1]),
        ValueError,
        r"scatter: input has shape \(2, 3\), index \(1, 2\), src \(1, 1\)",
    ),
    "scatter of doubles": (
        lambda x: x.scatter(0, tg.tensor([[0]]), x.double()),
        TypeError,
        "scatter: src is float64, expected float32, as the input",
    ),
    "scatter of None": (
        lambda x: x.scatter(0, tg.tensor([[0]])),
        TypeError,
        "scatter: src is NoneType, expected a Tensor or a number",
    ),
    "scatter too far": (
        lambda x: x.scatter(0, tg.tensor([[2]]), 1.0),
        IndexError,
        "scatter: ",
    ),
    "scatter_add of a number": (
        lambda x: x.scatter_add(0, tg.tensor([[0]]), 1.0),
        TypeError,
        "scatter_add: src is float, expected a Tensor",
    ),
    "gather too far": (
        lambda x: x.gather(0, tg.tensor([[2]])),
        IndexError,
        "gather: index 2",
    ),
    "gather of 0-d": (
        lambda x: x[0, 0].gather(0, tg.tensor(1)),
        tg.Error,
        "gather: index 1",
    ),
    "index_select": (
        lambda x: x.index_select(0, tg.tensor([[1]])),
        ValueError,
        "index_select: index has 2",
    ),
    "index_select of 0-d": (
        lambda x: x[0, 0].index_select(0, tg.tensor([0, 0])),
        ValueError,
        "index_select: 2 of a 0-d tensor",
    ),
    "take_along_dim": (
        lambda x: x.take_along_dim(tg.tensor([0]), 1),
        ValueError,
        r"take_along_dim: indices has shape \(1,\), expected 2 dims",
    ),
    "take_along_dim of others": (
        lambda x: x.take_along_dim(tg.tensor([[0]] * 3), 1),
        ValueError,
        r"take_along_dim: the shapes \(2, 3\) and \(3, 1\) do not broadcast",
    ),
    "narrow of 0-d": (
        lambda x: x[0, 0].narrow(0, 0, 1),
        tg.Error,
        "narrow: too many indices",
    ),
    "split of 0-d": (lambda x: x[0, 0].split(1), tg.Error, "split: too many indices"),
    "roll of 0-d": (lambda x: x[0, 0].roll(1, 0), tg.Error, "roll: too many indices"),
    "an array of sizes": (
        lambda x: x.reshape(np.array([3, 2])),
        tg.Error,
        "reshape: got",
    ),
    "roll": (lambda x: x.roll((1, 2), 0), ValueError, "roll: got 2 shifts for 1 dims"),
    "tril": (lambda x: x[0].tril(), ValueError, r"tril: got the shape \(3,\)"),
    "tile": (lambda x: x.tile(-1), ValueError, "tile: dims is -1, expected at least 0"),
    "einsum of a rank": (
        lambda x: tg.einsum("i->i", x),
        ValueError,
        "einsum: 'i->i' does not fit",
    ),
    "einsum of a size": (
        lambda x: tg.einsum("ij,ji", x, x),
        ValueError,
        "einsum: 'j' is of the sizes",
    ),
    "einsum of one": (
        lambda x: tg.einsum("ij,jk->ik", x),
        ValueError,
        "einsum: 'ij,jk->ik' names 2 operands, got 1",
    ),
    "einsum to what": (
        lambda x: tg.einsum("ij->k", x),
        ValueError,
        "einsum: .* is not an equation",
    ),
    "einsum twice": (
        lambda x: tg.einsum("ij->ii", x),
        ValueError,
        "einsum: .* is not an equation",
    ),
    "einsum of digits": (
        lambda x: tg.einsum("i1->i", x),
        ValueError,
        "einsum: .* is not an equation",
    ),
    "einsum of a number": (
        lambda x: tg.einsum("ij,", x, 2.0),
        TypeError,
        "einsum: operand 1 is float",
    ),
    "cumsum": (lambda x: x.cumsum(2), IndexError, "cumsum: dim 2"),
    "sort": (lambda x: x.sort((0, 1)), TypeError, "sort: dim is"),
    "softmax": (lambda x: x.softmax(None), TypeError, "softmax: dim is None"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    call, kind, words = WRONG[name]
    with pytest.raises(kind, match=words) as caught:
        call(tg.arange(6).float().reshape(2, 3))
    assert isinstance(caught.value, tg.Error)


@pytest.mark.parametrize(
    "error", [KeyError("a: b"), MemoryError("a: b"), AttributeError("a: b")]
)
def test_errors_that_are_not_about_the_call_stay_as_they_are(error):
    def total(x):
        raise error

    with pytest.raises(type(error)) as caught:
        name_errors(total)(tg.ones(1))
    assert caught.value is error
    assert error.args == ("a: b",)


def test_functions_take_input_by_name():
    x = tg.tensor([[1.0, 2.0]])
    assert tg.softmax(input=x, dim=1).tolist() == x.softmax(1).tolist()
    assert tg.sum(input=x, dim=1).tolist() == [3]
    assert tg.nn.functional.relu(input=x).tolist() == x.tolist()


# ---------------------------------------------------------------- names that PyTorch users reach for


def test_dtypes_under_their_other_names():
    assert (tg.float, tg.double, tg.int, tg.long) == (
        "float32",
        "float64",
        "int32",
        "int64",
    )
    assert tg.zeros(2, dtype=tg.long).dtype == tg.int64


@given(data=st.data())
def test_repeat_is_tile_of_all_dims(data):
    d = Draw(data.draw)
    shape = d.shape()
    x, times = (
        tg.tensor(d.array(shape, real)),
        [d.integer(0, 2) for _ in range(len(shape) + 1)],
    )
    np.testing.assert_array_equal(x.repeat(*times).numpy(), np.tile(x.numpy(), times))
    np.testing.assert_array_equal(
        x.repeat(times[1:]).numpy(), np.tile(x.numpy(), times[1:])
    )
    with pytest.raises(ShapeError, match="repeat: got 0 sizes, expected 2"):
        tg.ones(2, 2).repeat()


def test_t():
    x = tg.ones(2, 3, requires_grad=True)
    assert (x.t().shape, tg.ones(3).t().shape, tg.tensor(1.0).t().shape) == (
        (3, 2),
        (3,),
        (),
    )
    (x.t() * tg.arange(6.0).reshape(3, 2)).sum().backward()
    assert x.grad.tolist() == [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
    with pytest.raises(ShapeError, match=r"t: got the shape \(1, 1, 1\)"):
        tg.ones(1, 1, 1).t()


def test_equal_is_of_shape_and_elements():
    x = tg.tensor([1.0, 2.0])
    assert x.equal(tg.tensor([1.0, 2.0]))
    assert tg.equal(x, x.clone())
    assert not x.equal(tg.tensor([1.0, 3.0]))
    assert not x.equal(tg.tensor([[1.0, 2.0]]))
    assert not tg.equal(tg.tensor(math.nan), tg.tensor(math.nan))
    assert tg.equal(tg.zeros(0), tg.zeros(0))


def test_new_tensors_are_like_the_one_that_is_asked(device):
    x = tg.ones(2, dtype="float64", device=device, requires_grad=True)
    for made, value in [
        (x.new_zeros(3, 1), 0),
        (x.new_ones((3, 1)), 1),
        (x.new_full((3, 1), 7), 7),
    ]:
        assert (made.shape, made.dtype, made.device) == ((3, 1), x.dtype, x.device)
        assert made.cpu().tolist() == [[value]] * 3
        assert made.is_leaf
        assert not made.requires_grad
    other = x.new_zeros(2, dtype=tg.long, device="cpu")
    assert (other.dtype, other.device) == ("int64", "cpu")


def test_randn_like_draws_what_randn_draws(device):
    x = tg.zeros(2, 3, dtype="float64", device=device)
    found = tg.randn_like(
        x, generator=tg.Generator().manual_seed(3), requires_grad=True
    )
    wanted = tg.randn(2, 3, dtype="float64", generator=tg.Generator().manual_seed(3))
    assert found.cpu().tolist() == wanted.tolist()
    assert (found.device, found.requires_grad) == (x.device, True)
    assert tg.randn_like(x, dtype="float32").dtype == "float32"


@pytest.mark.parametrize(
    "name", ["max", "sort", "std", "unbind", "flatten", "norm", "topk", "split"]
)
def test_functions_take_arrays(name):
    array, more = np.arange(6.0).reshape(2, 3), [1] * (name in ("topk", "split"))
    found, wanted = (getattr(tg, name)(x, *more) for x in (array, tg.tensor(array)))
    for one, two in zip(
        *[x if isinstance(x, tuple) else [x] for x in (found, wanted)], strict=True
    ):
        assert isinstance(one, tg.Tensor)
        assert one.equal(two)


def test_functions_take_an_array_by_name():
    assert tg.max(input=np.ones((2, 2)), dim=1).values.tolist() == [1.0, 1.0]
