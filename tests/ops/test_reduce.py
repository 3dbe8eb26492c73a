"""Reductions of nothing and of 0-d arrays."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import ops
from tinygrad_rnn.errors import DimError, ShapeError


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "amax", "amin"])
def test_nothing_to_choose_from(name):
    empty = tg.zeros(2, 0)
    with pytest.raises(ShapeError, match="am|max|min"):
        getattr(empty, name)()
    with pytest.raises(ShapeError, match="am|max|min"):
        getattr(empty, name)(1)
    out = getattr(tg.zeros(0, 2), name)(1)
    out = out.values if isinstance(out, tuple) else out
    assert out.shape == (0,)


def test_sums_of_nothing():
    empty = tg.zeros(2, 0, requires_grad=True)
    assert empty.sum().item() == 0
    assert empty.sum(1).tolist() == [0, 0]
    assert empty.all().item() is True
    assert empty.any().item() is False
    with pytest.raises(
        ShapeError, match=r"mean: nothing to average in a tensor of shape \(2, 0\)"
    ):
        empty.mean()
    with pytest.raises(ShapeError, match="mean"):
        empty.mean(1)
    assert empty.mean(0).shape == (0,)
    empty.sum().backward()
    assert empty.grad.shape == (2, 0)


@pytest.mark.parametrize("function", ["softmax", "log_softmax"])
@pytest.mark.parametrize(
    ("shape", "dim"), [((5, 0, 0), 1), ((2, 0), 1), ((0,), 0), ((0, 2), 1)]
)
def test_what_is_empty_is_normalised_to_something_empty(function, shape, dim):
    x = tg.zeros(shape, requires_grad=True)
    out = getattr(x, function)(dim)
    assert out.shape == shape
    out.sum().backward()
    assert x.grad.shape == shape


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_logarithm_of_the_sum_of_nothing(create_graph):
    x = tg.zeros(2, 0, requires_grad=True)
    out = x.logsumexp(1)
    assert out.tolist() == [-np.inf, -np.inf]
    assert out.dtype == tg.float32
    out.sum().backward(create_graph=create_graph)
    assert x.grad.shape == (2, 0)
    assert tg.zeros(0, 2).logsumexp(1).shape == (0,)


@pytest.mark.parametrize(
    "reduce", ["sum", "mean", "amax", "amin", "logsumexp", "max", "softmax"]
)
def test_0_d_takes_the_dims_0_and_minus_1(reduce):
    for dim in (0, -1):
        x = tg.tensor(2.0, dtype="float64", requires_grad=True)
        out = getattr(x, reduce)(dim)
        out = out.values if isinstance(out, tuple) else out
        assert out.shape == ()
        out.backward()
        assert x.grad.item() == (0 if reduce == "softmax" else 1)
    with pytest.raises(DimError):
        getattr(x, reduce)(1)


@pytest.mark.parametrize(
    "name", "sum mean max min argmax argmin all any logsumexp".split()
)
def test_the_defaults_of_the_ops_reduce_all_dims_and_keep_none(name):
    assert getattr(ops, name)(tg.ones(2, 3)).shape == ()
