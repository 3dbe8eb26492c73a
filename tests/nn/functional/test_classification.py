"""Cross entropy and NLL: against 50 digits, against NumPy, and far out."""

import math
import re

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import leads, normal, reductions, seeds

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import OptionError, ShapeError


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


def test_the_mean_over_padding_alone_raises():
    with pytest.raises(ShapeError, match="ignore_index=0"):
        F.cross_entropy(tg.zeros(2, 3), tg.tensor([0, 0]), ignore_index=0)


def test_only_a_sequence_of_scores_brings_up_that_classes_are_dim_1():
    way = re.escape("; classes are its dim 1: of (T, B, V) use input.flatten(0, 1)")
    for shape, end in {(3, 5): "$", (3, 2, 5): way, (3, 2, 5, 5): "$"}.items():
        with pytest.raises(ShapeError, match=f"of the shape of the input{end}"):
            F.cross_entropy(tg.zeros(*shape), tg.ones(4, dtype=tg.int64))


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
