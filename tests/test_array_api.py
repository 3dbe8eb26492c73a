"""The array API standard's call forms on Tensors: what NumPy gives for the same call,
and slopes.
"""

import inspect

import array_api_compat.numpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import assert_close, difference, gradients
from strategies import Draw, apart, real, signed

import tinygrad_rnn as tg

xp = tg.ones(1).__array_namespace__()

M = np.array([[3.0, -1.0, 2.0], [0.5, 7.0, -4.0]])
V = np.array([2.0, -3.0, 1.0, 0.0])
N = np.array([[3, 1, 2], [0, 2, 2]], np.int32)
U = np.array([3, 200, 100], np.uint8)
B = np.array([[True, False, True], [False, False, True]])

# Each call is made of NumPy's namespace and of ours; a, b, ... are its arrays.
FORMS = {
    "zeros(shape=)": lambda xp: xp.zeros(shape=(2, 3), dtype=xp.int16),
    "zeros(int)": lambda xp: xp.zeros(3, dtype=xp.float64),
    "ones": lambda xp: xp.ones((2,), dtype=xp.uint32),
    "empty": lambda xp: xp.zeros_like(xp.empty((2, 0), dtype=xp.int8)),
    "full": lambda xp: xp.full(shape=(2,), fill_value=3, dtype=xp.int64),
    "full of a bool": lambda xp: xp.full((2,), True),
    "full_like": lambda xp, a: xp.full_like(a, fill_value=2, dtype=xp.float64),
    "zeros_like": lambda xp, a: xp.zeros_like(a, dtype=xp.int64),
    "ones_like": lambda xp, a: xp.ones_like(a),
    "eye": lambda xp: xp.eye(3, 4, k=1, dtype=xp.float64),
    "eye far below": lambda xp: xp.eye(2, 3, k=-(10**9), dtype=xp.float64),
    "eye far above": lambda xp: xp.eye(2, 3, k=10**9, dtype=xp.float64),
    "positive": lambda xp, a: xp.positive(a),
    "conj": lambda xp, a: xp.conj(a),
    "eye below": lambda xp: xp.eye(2, k=-1, dtype=xp.float64),
    "arange": lambda xp: xp.arange(2, 9, 3, dtype=xp.int64),
    "arange backwards": lambda xp: xp.arange(5, 3, dtype=xp.int64),
    "arange up with a negative step": lambda xp: xp.arange(0, 3, -1, dtype=xp.int64),
    "arange down": lambda xp: xp.arange(5, step=2, stop=1, dtype=xp.int64),
    "arange backwards of floats": lambda xp: xp.arange(-1.0, step=2, dtype=xp.float64),
    "arange of a float": lambda xp: xp.arange(2.5, dtype=xp.float64),
    "linspace": lambda xp: xp.linspace(0, 1, num=5, dtype=xp.float64),
    "linspace without its end": lambda xp: xp.linspace(
        0, 1, 5, endpoint=False, dtype=xp.float64
    ),
    "meshgrid": lambda xp, v: xp.meshgrid(v, v[:2], v[:1]),
    "meshgrid ij": lambda xp, v: xp.meshgrid(v, v[:2], v[:1], indexing="ij"),
    "meshgrid of one": lambda xp, v: xp.meshgrid(v),
    "tril": lambda xp, a: xp.tril(a, k=1),
    "triu": lambda xp, a: xp.triu(a, k=-1),
    "astype": lambda xp, a: xp.astype(a, xp.int16),
    "astype without a copy": lambda xp, a: xp.astype(a, xp.float64, copy=False),
    "sum of bytes": lambda xp, u: xp.sum(u),
    "sum in a dtype": lambda xp, i: xp.sum(i, axis=0, dtype=xp.int16, keepdims=True),
    "sum of ints": lambda xp, i: xp.sum(i, axis=(0, 1)),
    "prod of dims": lambda xp, a: xp.prod(a, axis=(0, 1), keepdims=True),
    "prod of bytes": lambda xp, u: xp.prod(u),
    "prod in a dtype": lambda xp, i: xp.prod(i, axis=-1, dtype=xp.float64),
    "mean": lambda xp, a: xp.mean(a, axis=(1,), keepdims=True),
    "var": lambda xp, a: xp.var(a, axis=1, correction=1.0),
    "std": lambda xp, a: xp.std(a, correction=0.0, keepdims=True),
    "max": lambda xp, a: xp.max(a, axis=0, keepdims=True),
    "argmax": lambda xp, a: xp.argmax(a, axis=1, keepdims=True),
    "argmin": lambda xp, a: xp.argmin(a),
    "all": lambda xp, b: xp.all(b, axis=(0,)),
    "any": lambda xp, b: xp.any(b, keepdims=True),
    "count_nonzero": lambda xp, i: xp.count_nonzero(i, axis=1),
    "clip": lambda xp, a: xp.clip(a, min=-1.0, max=2.0),
    "clip below": lambda xp, a: xp.clip(a, None, 0.5),
    "clip by tensors": lambda xp, a: xp.clip(a, a - 1.0, xp.ones_like(a)),
    "where of numbers": lambda xp, b: xp.where(b, 1, 2),
    "where of one number": lambda xp, a: xp.where(a > 0, a, 0.0),
    "logical_xor": lambda xp, b: xp.logical_xor(b, b[:1]),
    "pow": lambda xp, a: xp.pow(a, 2),
    "a number first": lambda xp, a: xp.subtract(1.0, a),
    "sort": lambda xp, a: xp.sort(a, axis=0),
    "argsort": lambda xp, i: xp.argsort(i, axis=1, stable=True),
    "nonzero": lambda xp, b: xp.nonzero(b),
    "searchsorted": lambda xp, v: xp.searchsorted(xp.sort(v), v + 0.5, side="right"),
    "searchsorted by a sorter": lambda xp, v: xp.searchsorted(
        v, v, sorter=xp.argsort(v)
    ),
    "unique_all": lambda xp, i: tuple(xp.unique_all(i)),
    "unique_all of nothing": lambda xp, i: tuple(xp.unique_all(i[:0, ...])),
    "unique_counts": lambda xp, i: tuple(xp.unique_counts(i)),
    "unique_inverse": lambda xp, i: tuple(xp.unique_inverse(i)),
    "unique_values": lambda xp, i: xp.sort(xp.unique_values(i)),
    "take": lambda xp, v: xp.take(v, xp.asarray([2, 0])),
    "take of a dim": lambda xp, a: xp.take(a, xp.asarray([2, 0]), axis=1),
    "take_along_axis": lambda xp, a: xp.take_along_axis(
        a, xp.argsort(a, axis=0), axis=0
    ),
    "broadcast_arrays": lambda xp, a: list(xp.broadcast_arrays(a, a[:1], a[:, :1])),
    "broadcast_to": lambda xp, a: xp.broadcast_to(a[:1], shape=(4, 3)),
    "concat": lambda xp, a: xp.concat((a, a), axis=-1),
    "concat, flattened": lambda xp, a: xp.concat([a, a[0]], axis=None),
    "stack": lambda xp, a: xp.stack([a, a], axis=-1),
    "expand_dims": lambda xp, a: xp.expand_dims(a, axis=1),
    "squeeze": lambda xp, a: xp.squeeze(a[:1, None], axis=(0, 1)),
    "flip": lambda xp, a: xp.flip(a),
    "moveaxis": lambda xp, a: xp.moveaxis(a[None], (0, 1), (-1, 0)),
    "permute_dims": lambda xp, a: xp.permute_dims(a, axes=(1, 0)),
    "reshape": lambda xp, a: xp.reshape(a, shape=(3, -1), copy=True),
    "roll": lambda xp, a: xp.roll(a, 1, axis=(0, 1)),
    "roll of all": lambda xp, a: xp.roll(a, shift=2),
    "tile": lambda xp, a: xp.tile(a, (2, 1, 2)),
    "repeat": lambda xp, a: xp.repeat(a, 2),
    "repeat of a dim": lambda xp, a: xp.repeat(a, xp.asarray([1, 0, 2]), axis=1),
    "diff": lambda xp, a: xp.diff(a, axis=1, n=2),
    "diff with more": lambda xp, v: xp.diff(v, prepend=v[:1], append=v[-2:]),
    "diff of bools": lambda xp, b: xp.diff(b, axis=0),
    "matmul": lambda xp, a: xp.matmul(a, xp.matrix_transpose(a)),
    "tensordot": lambda xp, a: xp.tensordot(a, a, axes=((0, 1), (0, 1))),
    "tensordot of one": lambda xp, a: xp.tensordot(a, a.T, axes=1),
    "tensordot of none": lambda xp, v: xp.tensordot(v, v, axes=0),
    "vecdot": lambda xp, a: xp.vecdot(a, a[:1], axis=-1),
    "vecdot of bytes": lambda xp, u: xp.vecdot(u, u),
    "cumulative_sum of bytes": lambda xp, u: xp.cumulative_sum(u, include_initial=True),
    "cumulative_sum of a dim": lambda xp, a: xp.cumulative_sum(
        a, axis=0, dtype=xp.float32
    ),
    "cumulative_sum of ints": lambda xp, i: xp.cumulative_sum(
        i[0, ...], include_initial=True
    ),
    "can_cast": lambda xp, u: xp.asarray(xp.can_cast(u.dtype, xp.int16)),
    "result_type": lambda xp, u: xp.zeros(1, dtype=xp.result_type(u, xp.int16, 1)),
}
GIVEN = {"a": M, "v": V, "i": N, "u": U, "b": B}


def call(name, namespace, tensor):
    function = FORMS[name]
    names = [*inspect.signature(function).parameters][1:]
    return function(namespace, *[tensor(GIVEN[n]) for n in names])


def plain(found):
    return [
        np.asarray(x) for x in (found if isinstance(found, (tuple, list)) else [found])
    ]


@pytest.mark.parametrize("name", FORMS)
def test_a_call_gives_what_numpy_gives(name):
    found, wanted = (
        call(name, xp, tg.tensor),
        call(name, array_api_compat.numpy, np.array),
    )
    parts = found if isinstance(found, (tuple, list)) else [found]
    assert all(isinstance(part, tg.Tensor) for part in parts)
    for one, two in zip(plain(found), plain(wanted), strict=True):
        assert one.dtype == two.dtype
        assert_close(one, two)


REDUCTIONS = ["sum", "prod", "mean", "max", "min", "var", "std", "all", "any", "flip"]


@pytest.mark.parametrize("name", REDUCTIONS)
@given(data=st.data())
def test_along_no_dims_nothing_is_reduced(name, data):
    d = Draw(data.draw)
    array = d.array(d.shape(), signed)
    x, settings = tg.tensor(array, requires_grad=True), {"axis": ()}
    if name != "flip":
        settings["keepdims"] = d.one_of(False, True)
    out = getattr(xp, name)(x, **settings)
    wanted = {"var": array * 0, "std": array * 0, "all": array != 0, "any": array != 0}
    np.testing.assert_array_equal(out.detach().numpy(), wanted.get(name, array))
    if out.requires_grad:
        out.sum().backward()
        assert_close(
            x.grad.numpy(), np.full(array.shape, 0.0 if name in ("var", "std") else 1.0)
        )


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "var"])
def test_methods_keep_what_pytorch_makes_of_no_dims(name):
    """``dim=()`` is all of them there."""
    assert getattr(tg.ones(2, 3), name)(dim=()).shape == ()


DIFFERENTIABLE = {
    "prod": lambda xp, x: xp.prod(x, axis=(0, -1)),
    "clip by tensors": lambda xp, x: xp.clip(x, x * 0.0 - 0.3, x * 0.0 + 0.9),
    "cumulative_sum": lambda xp, x: xp.cumulative_sum(x, axis=1, include_initial=True),
    "cumulative_prod": lambda xp, x: xp.cumulative_prod(
        x, axis=0, include_initial=True
    ),
    "diff": lambda xp, x: xp.diff(x, axis=0, prepend=x[:1], n=2),
    "tensordot": lambda xp, x: xp.tensordot(x, x, axes=((0,), (0,))),
    "repeat": lambda xp, x: xp.repeat(x, 3, axis=1),
    "meshgrid": lambda xp, x: (
        xp.meshgrid(x[0], x[:, 0])[0] * xp.meshgrid(x[0], x[:, 0])[1]
    ),
    "take_along_axis": lambda xp, x: xp.take_along_axis(
        x, xp.argsort(x, axis=1), axis=1
    ),
    "asarray": lambda xp, x: xp.asarray(x) * xp.astype(x, xp.float64),
    "linspace": lambda xp, x: x * xp.linspace(0, 1, x.shape[1], dtype=xp.float64),
    "unstack": lambda xp, x: xp.stack([row * i for i, row in enumerate(xp.unstack(x))]),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@given(data=st.data())
def test_what_is_differentiable_has_the_right_slope(name, data):
    d, function = Draw(data.draw), DIFFERENTIABLE[name]
    array = d.array((d.integer(2, 3), d.integer(2, 3)), apart)
    out = function(xp, tg.tensor(array))
    u, v = real(d.rng, out.shape), real(d.rng, array.shape)
    (slope,) = gradients(lambda x: function(xp, x), [array], [0], [u])
    moved = lambda x: (function(xp, tg.tensor(x)).numpy() * u).sum()
    assert_close(
        (slope * v).sum(), difference(moved, [array], [v], step=1e-5), rtol=1e-6
    )


def test_what_the_namespace_can_do():
    info = xp.__array_namespace_info__()
    assert info.capabilities()["boolean indexing"] is True
    assert info.default_device() == "cpu"
    assert "cpu" in info.devices()
    assert info.default_dtypes() == {
        "real floating": np.float32,
        "integral": np.int64,
        "indexing": np.int64,
    }
    numbers = {f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
    assert info.dtypes().keys() == numbers | {"bool", "float32", "float64"}
    assert info.dtypes(kind="real floating").keys() == {"float32", "float64"}
    assert info.dtypes(kind="unsigned integer").keys() == {
        n for n in numbers if n[0] == "u"
    }
    assert info.dtypes(kind=("bool", "real floating")).keys() == {
        "bool",
        "float32",
        "float64",
    }
    assert info.dtypes(kind="complex floating") == {}
    for name, dtype in info.dtypes().items():
        assert getattr(xp, name) == dtype == np.dtype(name)
        assert xp.zeros(1, dtype=dtype).dtype == name


def test_the_limits_of_dtypes_are_pythons_numbers():
    for thing in (tg.float32, tg.ones(1)):
        found = xp.finfo(thing)
        assert (found.bits, found.dtype) == (32, np.float32)
        assert found.max == float(np.finfo(np.float32).max) == -found.min
        assert {type(found.eps), type(found.smallest_normal)} == {float}
    found = xp.iinfo(tg.tensor([1], dtype=tg.uint8))
    assert (found.bits, found.min, found.max, found.dtype) == (8, 0, 255, np.uint8)


def test_signatures_are_those_that_help_shows():
    """Of ops too: without the namespace that they are handed."""
    assert str(inspect.signature(xp.exp)) == "(x: Any, /) -> Any"
    assert [*inspect.signature(xp.permute_dims).parameters] == ["x", "axes"]


WRONG = {
    "squeeze": (
        lambda x: xp.squeeze(x, 0),
        ValueError,
        r"squeeze: dim 0 of .* \(2, 3\) is not 1",
    ),
    "cumulative_sum": (
        lambda x: xp.cumulative_sum(x),
        ValueError,
        "cumulative_sum: axis is None, but x has 2 dims",
    ),
    "take": (lambda x: xp.take(x, tg.tensor([0])), ValueError, "take: axis is None"),
    "nonzero": (lambda x: xp.nonzero(x[0, 0]), ValueError, "nonzero: got a 0-d tensor"),
    "unstack": (lambda x: xp.unstack(x[0, 0]), ValueError, "unstack: got a 0-d tensor"),
    "meshgrid": (
        lambda x: xp.meshgrid(x[0], indexing="yx"),
        ValueError,
        "meshgrid: indexing is",
    ),
    "meshgrid of arrays": (
        lambda x: xp.meshgrid([1.0]),
        TypeError,
        "meshgrid: number 0 is list",
    ),
    "searchsorted": (
        lambda x: xp.searchsorted(x[0], x[0], side="middle"),
        ValueError,
        "searchsorted: side is 'middle'",
    ),
    "reshape": (
        lambda x: xp.reshape(x.T, (6,), copy=False),
        ValueError,
        r"reshape: to \(6,\) it is a copy, but copy=False",
    ),
    "broadcast_arrays": (
        lambda x: xp.broadcast_arrays(x, x.T),
        ValueError,
        r"broadcast_arrays: the shapes \(2, 3\) and \(3, 2\) do not broadcast",
    ),
    "eye": (
        lambda x: xp.eye(2, k=0.5),
        TypeError,
        "eye: k is 0.5, expected an integer",
    ),
    "arange": (
        lambda x: xp.arange(0, 3, 0),
        ValueError,
        "arange: from 0 to 3, but step is 0",
    ),
    "tensordot": (
        lambda x: xp.tensordot(x, x, axes=((2,), (0,))),
        IndexError,
        "tensordot: dim 2",
    ),
    "vecdot": (
        lambda x: xp.vecdot(x, x[:, :1]),
        ValueError,
        r"vecdot: the shapes \(2, 3\) and \(2, 1\) differ along dim -1",
    ),
    "diff": (
        lambda x: xp.diff(x, n=-1),
        ValueError,
        "diff: n is -1, expected at least 0",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    wrong, kind, words = WRONG[name]
    with pytest.raises(kind, match=words) as caught:
        wrong(tg.ones(2, 3))
    assert isinstance(caught.value, tg.Error)


def test_where_a_copy_is_made():
    x = tg.ones(2, 3)
    shares = lambda y: np.shares_memory(x.numpy(), y.numpy())
    assert shares(xp.reshape(x, (6,), copy=False))
    assert not shares(xp.reshape(x, (6,), copy=True))
    assert shares(xp.astype(x, tg.float32, copy=False))
    assert not shares(xp.astype(x, tg.float32))
    assert shares(xp.from_dlpack(x))
    assert not shares(xp.from_dlpack(x, device="cpu", copy=True))


def test_scikit_learn_dispatches_to_the_namespace(monkeypatch):
    """It scores and scales Tensors by their own functions."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    sklearn = pytest.importorskip(
        "sklearn", reason="needs scikit-learn, which is no dependency"
    )
    metrics = pytest.importorskip("sklearn.metrics")
    x, y = tg.randn(20, dtype=tg.float64), tg.randn(20, dtype=tg.float64)
    with sklearn.config_context(array_api_dispatch=True):
        found = metrics.mean_squared_error(x, y)
    assert float(found) == pytest.approx(((x - y) ** 2).mean().item())
