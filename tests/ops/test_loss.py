"""Losses as ops: the mean of squares, and bounded logarithms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import assert_close

import tinygrad_rnn as tg
from tinygrad_rnn import ops


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 9))
def test_the_two_gradients_of_mse_are_opposite(seed, count):
    rng = np.random.default_rng(seed)
    x, y = [tg.from_numpy(rng.standard_normal(count)) for _ in range(2)]
    x.requires_grad_()
    y.requires_grad_()
    loss = ops.mse(x, y)
    difference = (x - y).detach().numpy()
    assert_close(loss.detach().numpy(), (difference**2).mean(), 1e-13)
    loss.backward()
    assert_close(x.grad.numpy(), 2 * difference / count, 1e-13)
    assert np.array_equal(y.grad.numpy(), -x.grad.numpy())


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])
def test_binary_cross_entropy_is_finite_at_0_and_1(x, y):
    """Logarithms are at least -100, as in PyTorch."""
    p = tg.tensor([x], dtype="float64", requires_grad=True)
    target = tg.tensor([y], dtype="float64", requires_grad=True)
    loss = ops.binary_cross_entropy(p, target)
    assert loss.tolist() == [100.0 if x != y else 0.0]
    loss.backward(tg.ones(1, dtype="float64"))
    assert p.grad.tolist() == [(x - y) * 1e12]
    assert target.grad.tolist() == [100.0 - 200.0 * x]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_an_ignored_row_may_hold_a_nan(reduction):
    """In the composite, which runs on Tensors."""
    x = tg.tensor([[0.0, 1.0], [np.nan, 0.0]], requires_grad=True)
    target = tg.tensor([1, -100])
    loss = ops.cross_entropy.composite(x, target, reduction=reduction).sum()
    wanted = ops.cross_entropy(x[:1], target[:1])
    assert_close(loss.detach().numpy(), wanted.detach().numpy(), 1e-6)
    loss.backward()
    assert x.grad[1].tolist() == [0, 0]
