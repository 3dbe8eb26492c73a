"""Losses: against 50 digits, against NumPy, and far out."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, OptionError, ShapeError

seeds = st.integers(0, 2**32)
reductions = st.sampled_from(["mean", "sum", "none"])
leads = st.sampled_from([(), (1,), (4,), (3, 2), (2, 3, 2)])


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def log_softmax(x, axis):
    z = x - x.max(axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis, keepdims=True))


def exact(logits, target):
    """Loss and gradient of one row of logits, to 50 digits."""
    with mpmath.workdps(50):
        lead = [
            mpmath.mpf(float(v)) - mpmath.mpf(float(logits[target])) for v in logits
        ]
        terms = [mpmath.exp(v) for v in lead]
        others = mpmath.fsum(terms[:target] + terms[target + 1 :])
        slopes = [t / (1 + others) for t in terms]
        slopes[target] = -others / (1 + others)
        return float(mpmath.log1p(others)), np.array([float(s) for s in slopes])


# ---------------------------------------------------------------- digits


@given(
    scale=st.sampled_from([1e-8, 1.0, 10.0, 300.0, 1e4]),
    classes=st.integers(1, 6),
    seed=seeds,
)
def test_cross_entropy_to_the_last_digits(scale, classes, seed):
    """Within 4 units in the last place, and what the rounding of x - max(x) adds."""
    x = tg.tensor(normal(seed, 1, classes) * scale, requires_grad=True)
    target = seed % classes
    loss = F.cross_entropy(x, tg.tensor([target]))
    loss.backward()
    expected, slopes = exact(x.numpy()[0], target)
    eps = np.finfo(np.float64).eps
    rounding = np.ptp(x.numpy()) * eps / 2
    assert abs(loss.item() - expected) <= 4 * np.spacing(expected) + rounding * min(
        1.0, expected
    )
    found = x.grad.numpy()[0]
    allowed = np.abs(slopes) * (4 * eps + rounding) + 1e-307
    allowed[target] += 4 * eps  # p - 1 has only the digits of p
    assert (np.abs(found - slopes) <= allowed).all()


@pytest.mark.parametrize("size", [1e2, 1e3, 1e4])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_far_logits_in_float32(size, smoothing):
    rng = np.random.default_rng(0)
    values = (rng.uniform(-1, 1, (50, 9)) * size).astype(np.float32)
    values[0] = [size] + [-size] * 8
    values[1] = -size
    values[2] = size
    target = rng.integers(0, 9, 50)
    target[0] = 3  # certain and wrong: the largest loss
    results = []
    for dtype in (tg.float32, tg.float64):
        x = tg.tensor(values, dtype=dtype, requires_grad=True)
        loss = F.cross_entropy(
            x, tg.tensor(target), reduction="none", label_smoothing=smoothing
        )
        loss.sum().backward()
        results.append((loss.detach().numpy(), x.grad.numpy()))
    for low, high in zip(*results, strict=True):
        assert low.dtype == np.float32
        assert np.isfinite(low).all()
        np.testing.assert_allclose(low, high, rtol=2e-5, atol=2e-6)
    if not smoothing:
        assert results[0][0][0] == 2 * np.float32(size)


def test_a_certain_and_right_answer_costs_almost_nothing():
    """A tiny loss keeps its digits: log1p, not log."""
    loss = F.cross_entropy(tg.tensor(np.array([[60.0, 0.0]])), tg.tensor([0]))
    assert loss.item() == pytest.approx(math.exp(-60), rel=1e-12, abs=0)


# ------------------------------------------------------------ options, against NumPy


@given(
    classes=st.integers(1, 4),
    lead=leads,
    weighted=st.booleans(),
    ignored=st.sampled_from([-100, -1, 0, 1]),
    reduction=reductions,
    smoothing=st.sampled_from([0.0, 0.2, 1.0]),
    dtype=st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]),
    seed=seeds,
)
def test_cross_entropy_of_classes(
    classes, lead, weighted, ignored, reduction, smoothing, dtype, seed
):
    rng = np.random.default_rng(seed)
    axis = min(1, len(lead))
    x = normal(seed, *lead[:1], classes, *lead[1:])
    target = rng.integers(0, classes, lead)
    if ignored >= 0 or dtype[0] == "i":
        target = np.where(rng.random(lead) < 0.3, ignored, target)
    weight = rng.random(classes) + 0.1 if weighted else np.ones(classes)
    kept = target != ignored
    log_p = log_softmax(x, axis)
    index = np.expand_dims(np.where(kept, target, 0), axis)
    hot = (np.arange(classes).reshape(-1, *(1,) * (len(lead) - axis)) == index) * 1.0
    w = weight.reshape(-1, *(1,) * (len(lead) - axis))
    share = (w * hot).sum(axis) * kept
    losses = (
        -(w * log_p * ((1 - smoothing) * hot + smoothing / classes)).sum(axis) * kept
    )
    options = {
        "reduction": reduction,
        "label_smoothing": smoothing,
        "ignore_index": ignored,
    }
    criterion = nn.CrossEntropyLoss(tg.tensor(weight) if weighted else None, **options)
    given_x, given_target = (
        tg.tensor(x, requires_grad=True),
        tg.tensor(target.astype(dtype)),
    )
    if reduction == "mean" and not kept.any():
        with pytest.raises(ShapeError, match="mean over no targets"):
            criterion(given_x, given_target)
        return
    loss = criterion(given_x, given_target)
    expected = {"none": losses, "sum": losses.sum()}
    expected["mean"] = losses.sum() / share.sum() if share.sum() else np.nan
    np.testing.assert_allclose(
        loss.detach().numpy(), expected[reduction], rtol=1e-12, atol=1e-13
    )
    u = normal(seed + 1, *loss.shape)
    loss.backward(tg.tensor(u))
    scale = {"none": u, "sum": u, "mean": u / share.sum() if share.sum() else 0}[
        reduction
    ]
    parts = w * ((1 - smoothing) * hot + smoothing / classes)
    scale = np.expand_dims(np.broadcast_to(scale, lead) * kept, axis)
    slopes = scale * (np.exp(log_p) * parts.sum(axis, keepdims=True) - parts)
    np.testing.assert_allclose(given_x.grad.numpy(), slopes, rtol=1e-11, atol=1e-12)


@given(
    classes=st.integers(1, 4),
    lead=leads,
    weighted=st.booleans(),
    reduction=reductions,
    smoothing=st.sampled_from([0.0, 0.2, 1.0]),
    seed=seeds,
)
def test_cross_entropy_of_probabilities(
    classes, lead, weighted, reduction, smoothing, seed
):
    rng = np.random.default_rng(seed)
    axis = min(1, len(lead))
    x = normal(seed, *lead[:1], classes, *lead[1:])
    target = np.moveaxis(rng.dirichlet(np.ones(classes), lead), -1, axis)
    weight = rng.random(classes) + 0.1 if weighted else np.ones(classes)
    w = weight.reshape(-1, *(1,) * (len(lead) - axis))
    share = w * (target * (1 - smoothing) + smoothing / classes)
    losses = -(share * log_softmax(x, axis)).sum(axis)
    loss = F.cross_entropy(
        tg.tensor(x),
        tg.tensor(target),
        tg.tensor(weight) if weighted else None,
        reduction=reduction,
        label_smoothing=smoothing,
    )
    expected = {"none": losses, "sum": losses.sum(), "mean": losses.mean()}[reduction]
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-12, atol=1e-13)


def test_one_hot_probabilities_are_classes():
    x, target = tg.randn(6, 4), tg.tensor([0, 3, 1, 1, 2, 0])
    soft = F.cross_entropy(x, F.one_hot(target, 4).float())
    np.testing.assert_allclose(
        soft.numpy(), F.cross_entropy(x, target).numpy(), rtol=1e-6
    )


def test_the_loss_of_nothing():
    nothing, ids = tg.zeros(0, 3, requires_grad=True), tg.zeros(0, dtype=tg.int64)
    total = F.cross_entropy(nothing, ids, reduction="sum")
    total.backward()
    assert total.item() == 0.0
    assert nothing.grad.shape == (0, 3)
    assert F.cross_entropy(nothing, ids, reduction="none").shape == (0,)
    assert F.cross_entropy(
        tg.zeros(0, 3, 2), tg.zeros(0, 2, dtype=tg.int64), reduction="none"
    ).shape == (0, 2)
    with pytest.raises(ShapeError, match="mean over no targets"):
        F.cross_entropy(nothing, ids)


def test_ignored_targets_alone():
    x, target = tg.randn(3, 4), tg.tensor([-100, -100, -100])
    assert F.cross_entropy(x, target, reduction="sum").item() == 0.0
    assert not F.cross_entropy(x, target, reduction="none").numpy().any()
    with pytest.raises(ShapeError, match="nothing but ignore_index=-100"):
        F.cross_entropy(x, target)


def test_a_loss_records_only_if_its_input_requires_grad():
    x = tg.randn(3, 4)
    assert not F.cross_entropy(x, tg.tensor([0, 1, 2])).requires_grad
    loss = F.cross_entropy(x.requires_grad_(), tg.tensor([0, 1, 2]))
    assert loss.shape == ()
    assert isinstance(loss.item(), float)
    assert f"{loss:.3f}"


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


# ---------------------------------------------------------------- of log-probabilities


@given(
    classes=st.integers(1, 4),
    lead=leads,
    weighted=st.booleans(),
    ignored=st.sampled_from([-100, 0, 1]),
    reduction=reductions,
    seed=seeds,
)
def test_nll_of_log_softmax_is_cross_entropy(
    classes, lead, weighted, ignored, reduction, seed
):
    rng = np.random.default_rng(seed)
    axis = min(1, len(lead))
    target = np.where(rng.random(lead) < 0.3, ignored, rng.integers(0, classes, lead))
    options = {"ignore_index": ignored, "reduction": reduction}
    options["weight"] = tg.tensor(rng.random(classes) + 0.1) if weighted else None
    found = []
    for function in (
        F.cross_entropy,
        lambda x, *a, **k: F.nll_loss(x.log_softmax(axis), *a, **k),
    ):
        x = tg.tensor(normal(seed, *lead[:1], classes, *lead[1:]), requires_grad=True)
        if reduction == "mean" and (target == ignored).all():
            with pytest.raises(ShapeError, match="mean over no targets"):
                function(x, tg.tensor(target), **options)
            return
        loss = function(x, tg.tensor(target), **options)
        loss.backward(tg.tensor(normal(seed + 1, *loss.shape)))
        found.append((loss.detach().numpy(), x.grad.numpy()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def test_what_is_ignored_may_be_anything():
    x = tg.tensor([[-1.0, -math.inf], [math.nan, -math.inf]], requires_grad=True)
    loss = nn.NLLLoss(ignore_index=1)(x, tg.tensor([0, 1]))
    loss.backward()
    assert loss.item() == 1.0
    np.testing.assert_array_equal(x.grad.numpy(), [[-1.0, 0.0], [0.0, 0.0]])


# ---------------------------------------------------------------- as modules


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (nn.MSELoss(), "MSELoss(reduction='mean')"),
        (nn.L1Loss("sum"), "L1Loss(reduction='sum')"),
        (nn.SmoothL1Loss(beta=2.0), "SmoothL1Loss(reduction='mean', beta=2.0)"),
        (nn.HuberLoss(delta=2.0), "HuberLoss(reduction='mean', delta=2.0)"),
        (nn.NLLLoss(tg.ones(2), 3), "NLLLoss(ignore_index=3, reduction='mean')"),
        (nn.BCEWithLogitsLoss(), "BCEWithLogitsLoss(reduction='mean')"),
        (
            nn.CrossEntropyLoss(label_smoothing=0.1),
            "CrossEntropyLoss(ignore_index=-100, reduction='mean', "
            "label_smoothing=0.1)",
        ),
    ],
)
def test_the_repr_of_a_loss_shows_its_options(loss, shown):
    assert repr(loss) == shown
    assert list(loss.parameters()) == []


def test_weights_of_losses_are_buffers_that_may_be_replaced():
    loss = nn.CrossEntropyLoss(tg.tensor([1.0, 2.0]))
    assert loss.double().weight.dtype == np.float64
    loss.weight = None
    assert loss(tg.zeros(1, 2), tg.tensor([0])).item() == pytest.approx(math.log(2))
    loss.reduction = "sum"
    assert loss(tg.zeros(2, 2), tg.tensor([0, 1])).item() == pytest.approx(
        2 * math.log(2)
    )


def test_the_mean_over_padding_alone_raises():
    with pytest.raises(ShapeError, match="ignore_index=0"):
        F.cross_entropy(tg.zeros(2, 3), tg.tensor([0, 0]), ignore_index=0)


def test_probabilities_have_no_index_to_ignore():
    with pytest.raises(
        OptionError, match="ignore_index is 1, but the targets are probabilities"
    ):
        F.cross_entropy(tg.zeros(2, 3), tg.full((2, 3), 1 / 3), ignore_index=1)


def test_smoothing_keeps_an_infinite_loss():
    scores = tg.tensor([[-math.inf, 0.0]])
    with np.errstate(invalid="ignore"):
        loss = F.cross_entropy(scores, tg.tensor([0]), label_smoothing=0.5)
    assert loss.item() == math.inf


def test_classes_as_floats_of_any_width_raise_and_name_long():
    scores, classes = tg.zeros(4, 3), tg.tensor([0, 1, 2, 0])
    for target in (classes.float(), classes.double()):
        with pytest.raises(
            ValueError, match=r"classes are integers: use target.long\(\)"
        ):
            F.cross_entropy(scores, target)
