"""Activations as functions: against NumPy, far out and at kinks."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nn.draws import normal, seeds

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F

inf, nan = math.inf, math.nan


def slopes(function, values, dtype=tg.float64):
    """Values and first gradients."""
    x = tg.tensor(values, dtype=dtype, requires_grad=True)
    out = function(x)
    (g,) = tg.autograd.grad(out.sum(), x)
    return out.detach().numpy(), g.numpy()


def normal_cdf(x):
    return math.erfc(-x / math.sqrt(2)) / 2


ACTIVATIONS = {
    "leaky_relu": (F.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
    "elu": (F.elu, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    "silu": (F.silu, lambda x: x / (1 + np.exp(-x))),
    "gelu": (F.gelu, lambda x: x * np.vectorize(normal_cdf, otypes="d")(x)),
    "gelu by tanh": (
        lambda x: F.gelu(x, "tanh"),
        lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    "softplus": (F.softplus, lambda x: np.log1p(np.exp(x))),
    "logsigmoid": (F.logsigmoid, lambda x: -np.log1p(np.exp(-x))),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(shape=st.lists(st.integers(0, 3), max_size=3), seed=seeds)
def test_activations(name, shape, seed):
    function, reference = ACTIVATIONS[name]
    x = normal(seed, *shape) * 3
    np.testing.assert_allclose(
        function(tg.tensor(x)).numpy(), reference(x), rtol=1e-13, atol=1e-15
    )
    given_x = tg.tensor(x, requires_grad=True)
    assert tg.autograd.grad(function(given_x).sum(), given_x)[0].shape == tuple(shape)


@pytest.mark.parametrize(
    ("function", "at", "values", "gradients"),
    [
        (F.leaky_relu, [-2.0, 0.0, 3.0], [-0.02, 0.0, 3.0], [0.01, 0.01, 1.0]),
        (
            lambda x: F.leaky_relu(x, 0.0),
            [-2.0, 0.0, inf],
            [0.0, 0.0, inf],
            [0.0, 0.0, 1.0],
        ),
        (F.elu, [-inf, 0.0, 3.0, 1e4], [-1.0, 0.0, 3.0, 1e4], [0.0, 1.0, 1.0, 1.0]),
        (lambda x: F.elu(x, 2.0), [-1e4, 0.0], [-2.0, 0.0], [0.0, 2.0]),
        (F.silu, [-1e4, 0.0, 1e4], [0.0, 0.0, 1e4], [0.0, 0.5, 1.0]),
        (
            F.gelu,
            [-1e30, -50.0, 0.0, 50.0, 1e30],
            [0.0, 0.0, 0.0, 50.0, 1e30],
            [0.0, 0.0, 0.5, 1.0, 1.0],
        ),
        (
            lambda x: F.gelu(x, "tanh"),
            [-1e4, 0.0, 1e4],
            [0.0, 0.0, 1e4],
            [0.0, 0.5, 1.0],
        ),
        (
            F.softplus,
            [-1e4, -inf, 20.5, 1e4],
            [0.0, 0.0, 20.5, 1e4],
            [0.0, 0.0, 1.0, 1.0],
        ),
        (lambda x: F.softplus(x, 1e3), [-1.0, 1.0], [0.0, 1.0], [0.0, 1.0]),
        (
            lambda x: F.softplus(x, 0.5),
            [0.0, 2.0],
            [2 * math.log(2), 2 * math.log1p(math.e)],
            [0.5, 1 / (1 + math.exp(-1))],
        ),
        (
            F.logsigmoid,
            [-1e4, -inf, 1e4, inf],
            [-1e4, -inf, 0.0, 0.0],
            [1.0, 1.0, 0.0, 0.0],
        ),
    ],
)
@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_far_out_and_at_kinks(function, at, values, gradients, dtype):
    found, g = slopes(function, at, dtype)
    assert found.dtype == g.dtype == dtype
    np.testing.assert_allclose(found, values, rtol=1e-6)
    np.testing.assert_allclose(g, gradients, rtol=1e-6, atol=1e-38)


@given(x=st.floats(-700, 700), threshold=st.sampled_from([inf, 20.0]))
@example(x=20.0, threshold=20.0)
def test_softplus_and_logsigmoid_to_the_last_digits(x, threshold):
    """Within 4 units in the last place; above its threshold softplus is x."""

    def log1p_exp(v):
        return float(mpmath.log1p(mpmath.exp(mpmath.mpf(v))))

    with mpmath.workdps(50):
        expected = x if x > threshold else log1p_exp(x)
        assert abs(
            F.softplus(tg.tensor(np.float64(x)), threshold=threshold).item() - expected
        ) <= (4 * np.spacing(expected))
        expected = log1p_exp(-x)
        found = F.logsigmoid(tg.tensor(np.float64(x))).item()
        assert abs(found + expected) <= 4 * np.spacing(expected)


def test_functions_are_those_of_tensors():
    x = tg.tensor(normal(0, 3, 4))
    for name in ("relu", "sigmoid", "tanh"):
        np.testing.assert_array_equal(
            getattr(F, name)(x).numpy(), getattr(x, name)().numpy()
        )
    for name in ("softmax", "log_softmax"):
        found = getattr(F, name)(x, dim=0).numpy()
        np.testing.assert_array_equal(found, getattr(x, name)(0).numpy())
