"""Losses of pairs: against 50 digits, against NumPy, and far out."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import normal, reductions, seeds

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, ShapeError

# ---------------------------------------------------------------- mean squared error


@given(shape=st.lists(st.integers(1, 4), max_size=3), reduction=reductions, seed=seeds)
def test_mse(shape, reduction, seed):
    x, y = normal(seed, *shape), normal(seed + 1, *shape)
    given_x, given_y = (
        tg.tensor(x, requires_grad=True),
        tg.tensor(y, requires_grad=True),
    )
    loss = nn.MSELoss(reduction)(given_x, given_y)
    squares = (x - y) ** 2
    expected = {"none": squares, "sum": squares.sum(), "mean": squares.mean()}[
        reduction
    ]
    np.testing.assert_allclose(loss.detach().numpy(), expected, rtol=1e-13)
    u = normal(seed + 2, *loss.shape)
    loss.backward(tg.tensor(u))
    slopes = 2 * (x - y) * u / (squares.size if reduction == "mean" else 1)
    np.testing.assert_allclose(given_x.grad.numpy(), slopes, rtol=1e-12)
    np.testing.assert_allclose(given_y.grad.numpy(), -slopes, rtol=1e-12)


def test_mse_of_nothing():
    nothing = tg.zeros(0, 2)
    assert F.mse_loss(nothing, nothing, "sum").item() == 0.0
    assert F.mse_loss(nothing, nothing, "none").shape == (0, 2)
    with pytest.raises(ShapeError, match="mean of no elements"):
        F.mse_loss(nothing, nothing)


# ------------------------------------------------------------ other distances

DISTANCES = {
    "l1_loss": (nn.L1Loss, {}, lambda d: (np.abs(d), np.sign(d))),
    "smooth_l1_loss": (
        nn.SmoothL1Loss,
        {"beta": 0.5},
        lambda d: (
            np.where(np.abs(d) < 0.5, d * d, np.abs(d) - 0.25),
            np.clip(2 * d, -1, 1),
        ),
    ),
    "huber_loss": (
        nn.HuberLoss,
        {"delta": 0.5},
        lambda d: (
            np.where(np.abs(d) < 0.5, d * d / 2, 0.5 * (np.abs(d) - 0.25)),
            np.clip(d, -0.5, 0.5),
        ),
    ),
}


@pytest.mark.parametrize("name", DISTANCES)
@given(shape=st.lists(st.integers(1, 4), max_size=3), reduction=reductions, seed=seeds)
def test_distances(name, shape, reduction, seed):
    layer, options, reference = DISTANCES[name]
    difference = normal(seed, *shape)
    difference = np.where(
        np.random.default_rng(seed).random(shape) < 0.2, 0.0, difference
    )
    y = normal(seed + 1, *shape)
    given_x, given_y = (
        tg.tensor(y + difference, requires_grad=True),
        tg.tensor(y, requires_grad=True),
    )
    loss = layer(reduction, **options)(given_x, given_y)
    losses, slopes = reference(given_x.numpy() - y)
    expected = {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]
    np.testing.assert_allclose(loss.detach().numpy(), expected, rtol=1e-12)
    u = normal(seed + 2, *loss.shape)
    loss.backward(tg.tensor(u))
    slopes = slopes * u / (losses.size if reduction == "mean" else 1)
    np.testing.assert_allclose(given_x.grad.numpy(), slopes, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(given_y.grad.numpy(), -slopes, rtol=1e-12, atol=1e-15)
    again = getattr(F, name)(given_x, given_y, reduction=reduction, **options)
    np.testing.assert_array_equal(again.detach().numpy(), loss.detach().numpy())


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_weights_of_elements(name, reduction):
    """A mean is divided by the sum of the weights, except in huber_loss."""
    x, y, weight = (tg.tensor(np.abs(normal(seed, 3, 2))) for seed in range(3))
    function = getattr(F, name)
    losses = function(x, y, reduction="none").numpy() * weight.numpy()
    mean = (
        losses.mean() if name == "huber_loss" else losses.sum() / weight.numpy().sum()
    )
    expected = {"none": losses, "sum": losses.sum(), "mean": mean}[reduction]
    found = function(x, y, reduction=reduction, weight=weight)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13)


@pytest.mark.parametrize("loss", [nn.L1Loss(), nn.SmoothL1Loss(), nn.HuberLoss()])
def test_a_distance_beyond_all_bounds_has_a_bounded_slope(loss):
    x = tg.tensor([1e30, -math.inf, 1.0], requires_grad=True)
    loss(x, tg.zeros(3)).backward()
    np.testing.assert_allclose(x.grad.numpy(), np.array([1, -1, 1]) / 3, rtol=1e-6)


def test_smooth_l1_without_a_bend_is_l1():
    x, y = tg.tensor([1.0, -2.0, 0.0]), tg.zeros(3)
    assert F.smooth_l1_loss(x, y, beta=0.0).item() == F.l1_loss(x, y).item() == 1.0


# ------------------------------------------------------------ binary cross entropy


@given(
    x=st.floats(-700, 700),
    target=st.sampled_from([0.0, 1.0, 0.25]),
    weight=st.sampled_from([None, 3.0]),
)
def test_binary_cross_entropy_to_the_last_digits(x, target, weight):
    """No part is negative, so no digit is lost, however certain the answer."""
    given_x = tg.tensor(np.float64(x), requires_grad=True)
    pos_weight = None if weight is None else tg.tensor(np.float64(weight))
    loss = F.binary_cross_entropy_with_logits(
        given_x, tg.tensor(np.float64(target)), pos_weight=pos_weight
    )
    loss.backward()
    with mpmath.workdps(50):
        z, t, w = mpmath.mpf(x), mpmath.mpf(target), mpmath.mpf(weight or 1)
        expected = w * t * mpmath.log1p(mpmath.exp(-z)) + (1 - t) * mpmath.log1p(
            mpmath.exp(z)
        )
        slope = (1 - t) / (1 + mpmath.exp(-z)) - w * t / (1 + mpmath.exp(z))
        size = (1 - t) / (1 + mpmath.exp(-z)) + w * t / (1 + mpmath.exp(z))
        assert abs(loss.item() - float(expected)) <= 6 * np.spacing(float(expected))
        assert abs(given_x.grad.item() - float(slope)) <= 6 * np.spacing(float(size))


@pytest.mark.parametrize("size", [1e2, 1e4])
def test_far_binary_logits_in_float32(size):
    x = tg.tensor([-size, size, 0.0], requires_grad=True)
    loss = nn.BCEWithLogitsLoss(reduction="none")(x, tg.tensor([1.0, 1.0, 0.0]))
    loss.sum().backward()
    np.testing.assert_allclose(
        loss.detach().numpy(), [size, 0.0, math.log(2)], 1e-6, 1e-30
    )
    np.testing.assert_allclose(x.grad.numpy(), [-1.0, 0.0, 0.5], atol=1e-30)


def test_weights_of_binary_losses_broadcast_to_the_input():
    x, y = tg.tensor(normal(0, 4, 3)), tg.tensor((normal(1, 4, 3) > 0) * 1.0)
    weight, pos_weight = (
        tg.tensor([[1.0], [2.0], [0.0], [1.0]]).double(),
        tg.tensor([1.0, 2.0, 3.0]).double(),
    )
    loss = nn.BCEWithLogitsLoss(weight, "none", pos_weight)
    assert list(loss.state_dict()) == ["weight", "pos_weight"]
    p = 1 / (1 + np.exp(-x.numpy()))
    expected = -pos_weight.numpy() * y.numpy() * np.log(p) - (1 - y.numpy()) * np.log(
        1 - p
    )
    np.testing.assert_allclose(
        loss(x, y).numpy(), weight.numpy() * expected, rtol=1e-11
    )


@given(x=st.floats(1e-30, 1.0), target=st.sampled_from([0.0, 1.0, 0.25]))
def test_binary_cross_entropy_of_probabilities_to_the_last_digits(x, target):
    given_x = tg.tensor(np.float64(x))
    loss = F.binary_cross_entropy(given_x, tg.tensor(np.float64(target)))
    with mpmath.workdps(50):
        z, t = mpmath.mpf(x), mpmath.mpf(target)
        rest = mpmath.log(1 - z) if x < 1 else mpmath.mpf(-100)
        expected = float(-t * mpmath.log(z) - (1 - t) * max(rest, -100))
        assert abs(loss.item() - expected) <= 6 * np.spacing(expected)


def test_certain_answers_cost_at_most_100():
    x = tg.tensor([0.0, 0.0, 1.0, 1.0], requires_grad=True)
    loss = nn.BCELoss(reduction="none")(x, tg.tensor([0.0, 1.0, 0.0, 1.0]))
    assert loss.tolist() == [0.0, 100.0, 100.0, 0.0]
    loss.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0.0, -1e12, 1e12, 0.0], rtol=1e-6)


def test_the_divergence_of_two_distributions():
    p, q = (
        tg.tensor([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]]),
        tg.tensor([[0.25, 0.5, 0.25], [0.3, 0.3, 0.4]]),
    )
    expected = sum(
        a * math.log(a / b)
        for a, b in zip(p.flatten().tolist(), q.flatten().tolist(), strict=True)
        if a
    )
    for reduction, share in (("sum", 1), ("batchmean", 2), ("mean", 6)):
        loss = nn.KLDivLoss(reduction)(q.log(), p)
        np.testing.assert_allclose(loss.item(), expected / share, rtol=1e-6)
    assert repr(nn.KLDivLoss("sum")) == "KLDivLoss(reduction='sum', log_target=False)"
    logs = nn.KLDivLoss("sum", log_target=True)(q.log(), (p + 1e-12).log())
    np.testing.assert_allclose(logs.item(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "loss",
    [nn.MSELoss(), nn.L1Loss(), nn.BCELoss(), nn.BCEWithLogitsLoss(), nn.KLDivLoss()],
)
def test_targets_of_another_dtype_name_the_way_out(loss):
    x = tg.tensor([0.5, 0.5])
    for target in (
        tg.tensor([1, 0]),
        tg.tensor([1.0, 0.0]).double(),
        tg.tensor([True, False]),
    ):
        with pytest.raises(
            DTypeError, match=r"target is .* expected float32; use target.float\(\)"
        ):
            loss(x, target)
        loss(x, target.float())
    with pytest.raises(DTypeError, match=r"expected float64; use target.double\(\)"):
        loss(x.double(), x)
