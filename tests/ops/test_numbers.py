"""Functions of exponentials: finite wherever the answer is, and right to the last few
digits.
"""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, ops

logits = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=6)


@given(logits)
@example([1e4, -1e4])
@example([-1e4] * 3)
def test_finite_in_float32(values):
    for function in (
        lambda x: x.softmax(0),
        lambda x: x.log_softmax(0),
        lambda x: x.logsumexp(0),
        lambda x: x.sigmoid(),
        ops.softplus,
        lambda x: nn.functional.cross_entropy(x.reshape(1, -1), tg.tensor([0])),
    ):
        x = tg.tensor(values, requires_grad=True)
        out = function(x)
        assert np.isfinite(out.numpy()).all()
        assert out.dtype == np.float32
        out.sum().backward()
        assert np.isfinite(x.grad.numpy()).all()


def ulps(found, exact):
    """How many units in the last place of a float64 lie between."""
    nearest = float(exact)
    return float(abs(mpmath.mpf(float(found)) - exact) / mpmath.mpf(math.ulp(nearest)))


def exact(name, values):
    values = [mpmath.mpf(v) for v in values]
    total = mpmath.fsum(mpmath.exp(v) for v in values)
    return {
        "softmax": [mpmath.exp(v) / total for v in values],
        "log_softmax": [v - mpmath.log(total) for v in values],
        "logsumexp": [mpmath.log(total)],
        "sigmoid": [1 / (1 + mpmath.exp(-v)) for v in values],
        "softplus": [mpmath.log1p(mpmath.exp(v)) for v in values],
        "cross_entropy": [mpmath.log(total) - values[0]],
    }[name]


FUNCTIONS = {
    "softmax": lambda x: x.softmax(0),
    "log_softmax": lambda x: x.log_softmax(0),
    "logsumexp": lambda x: x.logsumexp(0),
    "sigmoid": lambda x: x.sigmoid(),
    "softplus": ops.softplus,
    "cross_entropy": lambda x: nn.functional.cross_entropy(
        x.reshape(1, -1), tg.tensor([0])
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@given(values=st.lists(st.floats(-50, 50), min_size=1, max_size=4))
@example(values=[0.0])
@example(values=[-30.0, 30.0])
@example(values=[0.0, -40.0])
@example(values=[-0.5, 0.3])
@example(values=[0.3, -30.7])  # 0.3 + 30.7 is rounded: 5 ULP of the small one
@example(values=[-13.2, 12.6, 49.3, 10.5])
@example(values=[-2.1630647272469845e-10, -16.6875])
@example(values=[-745.0])
@example(values=[-40.0])
@example(values=[1e-20])
def test_within_4_ulp_of_the_exact_value(name, values):
    """Beyond 4 ULP only where rounding the logits themselves would make the difference.

    A sum of a number and its near negative has a rounding of the number's own ULP.
    """
    with mpmath.workdps(400):
        wanted = exact(name, values)
        found = np.atleast_1d(
            FUNCTIONS[name](tg.tensor(values, dtype="float64")).numpy()
        )
        top = max(values)
        for one, other in zip(found, wanted, strict=True):
            allowed = 4
            if name in ("logsumexp", "log_softmax", "cross_entropy"):
                allowed += 2 * math.ulp(abs(top)) / math.ulp(float(other))
            if abs(other) > 1e-290:
                assert ulps(one, other) <= allowed


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_a_masked_out_score_costs_no_warning(name):
    found = getattr(tg.tensor([0.0, -np.inf, 1.0], dtype="float64"), name)(0)
    without = getattr(tg.tensor([0.0, 1.0], dtype="float64"), name)(0)
    kept = found[tg.tensor([0, 2])] if found.ndim else found
    assert kept.tolist() == without.tolist()


def test_float32_and_float64_of_a_softmax_agree():
    x = tg.randn(5, 7, generator=tg.Generator().manual_seed(0)) * 10.0
    for name in ("softmax", "log_softmax", "logsumexp"):
        one, two = (getattr(y, name)(1).numpy() for y in (x, x.double()))
        np.testing.assert_allclose(one, two, rtol=3e-6, atol=1e-6)


def test_scores_further_apart_than_a_float64_goes():
    x = tg.tensor(np.array([-1.7e308, 1.7e308]))
    with np.errstate(over="ignore"):
        assert x.softmax(0).tolist() == [0.0, 1.0]
        assert x.logsumexp(0).item() == 1.7e308
        assert (
            nn.functional.cross_entropy(x.reshape(1, -1), tg.tensor([1])).item() == 0.0
        )
