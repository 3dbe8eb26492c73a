"""The array API's namespace as a whole: code that is written for the standard."""

import inspect

import array_api_compat.numpy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import assert_close
from strategies import Draw, real

import tinygrad_rnn as tg

xp = tg.array_api


def namespace(*arrays):
    """As libraries written for the standard ask; NumPy's own lacks some of its names in
    2.0.
    """
    (found,) = {array_api_compat.array_namespace(array) for array in arrays}
    return found


def standardised(x, axis):
    xp = namespace(x)
    centred = x - xp.mean(x, axis=axis, keepdims=True)
    spread = xp.std(x, axis=axis, correction=0, keepdims=True)
    return xp.where(spread > 0, centred / (spread + 1e-3), xp.zeros_like(x))


def attention(q, k, v):
    xp = namespace(q, k, v)
    scores = xp.matmul(q, xp.matrix_transpose(k)) / q.shape[-1] ** 0.5
    mask = xp.tril(xp.ones(scores.shape[-2:], dtype=xp.bool), k=0)
    scores = xp.where(mask, scores, xp.asarray(-xp.inf, dtype=q.dtype))
    e = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
    return xp.matmul(e / xp.sum(e, axis=-1, keepdims=True), v)


def rearranged(x):
    xp = namespace(x)
    x = xp.concat([xp.roll(x, 1, axis=0), xp.flip(x, axis=-1)], axis=0)
    x = xp.moveaxis(xp.stack([x, xp.sort(x, axis=-1)], axis=0), 0, -1)
    rows = xp.take(x, xp.asarray([1, 0]), axis=0)
    places = xp.argsort(rows, axis=1)
    ordered = xp.take_along_axis(rows, places, axis=1)
    return xp.squeeze(
        xp.expand_dims(xp.cumulative_sum(ordered, axis=0), axis=0), axis=0
    )


def measured(x):
    xp = namespace(x)
    length = xp.sqrt(xp.vecdot(x, x, axis=-1))
    counts = xp.astype(xp.isfinite(x), xp.int64)
    assert xp.isdtype(xp.result_type(x, counts), "real floating")
    halves = xp.unstack(xp.reshape(xp.tile(x, (1, 2)), (2, *x.shape)), axis=0)
    return (
        length
        + xp.sum(counts, axis=-1)
        + xp.prod(halves[0], axis=-1)
        + xp.var(x, axis=-1)
    )


@given(st.data())
def test_code_written_for_the_standard_runs_on_tensors(data):
    d = Draw(data.draw)
    shape = tuple(d.integer(2, 4) for _ in range(2))
    arrays = [np.array(real(d.rng, shape)) for _ in range(3)]
    for function, count in (
        (standardised, 1),
        (attention, 3),
        (rearranged, 1),
        (measured, 1),
    ):
        more = (d.integer(0, 1),) if function is standardised else ()
        ours = function(*[tg.tensor(a) for a in arrays[:count]], *more)
        assert isinstance(ours, tg.Tensor)
        assert_close(
            ours.numpy(), function(*arrays[:count], *more), what=function.__name__
        )


def test_and_can_be_differentiated():
    q, k, v = (tg.randn(3, 2, dtype="float64", requires_grad=True) for _ in range(3))
    attention(q, k, v).sum().backward()
    assert_close(v.grad.sum(0).numpy(), [3, 3])  # each row of weights adds up to 1
    assert k.grad.abs().sum() > 0


def test_array_api_compat_finds_the_namespace():
    x = tg.ones(2)
    assert array_api_compat.is_array_api_obj(x)
    xp = array_api_compat.array_namespace(x, tg.zeros(3))
    assert xp is x.__array_namespace__(api_version="2023.12")
    assert array_api_compat.device(x) == "cpu"


def test_the_namespace_has_the_standards_names():
    """All names of the standard of which we have the function; call forms are used
    above.
    """
    missing = """
        e inf nan newaxis pi bool int32 int64 float32 float64 arange asarray empty
        empty_like eye from_dlpack full full_like linspace ones ones_like tril triu
        zeros zeros_like astype can_cast finfo iinfo isdtype result_type abs add
        bitwise_and bitwise_invert bitwise_or ceil clip cos divide equal exp expm1 floor
        floor_divide greater greater_equal isfinite isinf isnan less less_equal log
        log1p logical_and logical_not logical_or maximum minimum multiply negative
        not_equal pow reciprocal remainder round sign sin sqrt square subtract tanh
        matmul matrix_transpose vecdot broadcast_to concat expand_dims flip moveaxis
        permute_dims reshape roll squeeze stack tile unstack argmax argmin where argsort
        sort take take_along_axis cumulative_sum max mean min prod std sum var all any
    """.split()
    xp = tg.ones(1).__array_namespace__()
    assert [name for name in missing if not hasattr(xp, name)] == []


def test_signatures_are_those_that_help_shows():
    """Of ops too: without the namespace that they are handed."""
    assert str(inspect.signature(xp.exp)).startswith("(x")
    assert [*inspect.signature(xp.permute_dims).parameters] == ["x", "axes"]


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
