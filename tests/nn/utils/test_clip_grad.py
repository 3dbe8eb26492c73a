"""Clipping: norms of every kind and size, and what is not finite."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, GraphError, OptionError
from tinygrad_rnn.nn.utils import clip_grad_norm_, clip_grad_value_, get_total_norm

seeds = st.integers(0, 2**32)
norm_types = st.sampled_from([0.5, 1, 1.5, 2, 3, math.inf])


def parameters(*grads):
    """Parameters with these gradients; None for none."""
    found = []
    for grad in grads:
        parameter = nn.Parameter(
            np.zeros(1 if grad is None else grad.shape, np.float32)
        )
        if grad is not None:
            parameter = nn.Parameter(np.zeros_like(grad))
            parameter.grad = tg.tensor(grad)
        found.append(parameter)
    return found


def norm(arrays, norm_type):
    flat = np.abs(np.concatenate([a.ravel().astype(np.longdouble) for a in arrays]))
    top = flat.max(initial=0)
    if norm_type == math.inf or not top:
        return float(top)
    return float(
        top * ((flat / top) ** norm_type).sum() ** (1 / np.longdouble(norm_type))
    )


@given(
    exponents=st.lists(st.integers(-30, 30), min_size=1, max_size=4),
    norm_type=norm_types,
    dtype=st.sampled_from(["float32", "float64"]),
    seed=seeds,
)
def test_norms_of_every_size(exponents, norm_type, dtype, seed):
    """From 1e-30 to 1e30, together or apart: squares of these are no float32."""
    rng = np.random.default_rng(seed)
    grads = [
        (rng.standard_normal(rng.integers(1, 6)) * 10.0**e).astype(dtype)
        for e in exponents
    ]
    chosen = parameters(*grads, None)
    expected = norm(grads, norm_type)
    tolerance = {"float32": 3e-6, "float64": 1e-13}[dtype]
    total = get_total_norm([tg.tensor(g) for g in grads], norm_type)
    assert total.dtype == dtype
    np.testing.assert_allclose(total.item(), expected, rtol=tolerance)
    max_norm = float(rng.choice([1e-3, 1.0, 100.0]))
    total = clip_grad_norm_(chosen, max_norm, norm_type)
    np.testing.assert_allclose(total.item(), expected, rtol=tolerance)
    scale = min(1.0, max_norm / (expected + 1e-6))
    for parameter, grad in zip(chosen, grads, strict=False):
        tiny = np.finfo(dtype).tiny  # products below it have lost digits
        np.testing.assert_allclose(
            parameter.grad.numpy(),
            grad.astype(np.float64) * scale,
            rtol=2 * tolerance,
            atol=tiny,
        )
    assert chosen[-1].grad is None


def test_many_small_gradients_lose_nothing():
    grads = [np.full(1000, 1e-30, np.float32), np.full((100, 100), -1e-30, np.float32)]
    assert get_total_norm([tg.tensor(g) for g in grads]).item() == pytest.approx(
        1e-30 * math.sqrt(11000), rel=1e-6, abs=0
    )


@pytest.mark.parametrize("exponent", range(-24, -16))
def test_squares_that_have_lost_digits(exponent):
    """In float32 they are no zeros yet, but few digits of them are left."""
    grad = (np.arange(1, 8) * 10.0**exponent).astype(np.float32)
    expected = norm([grad], 2)
    assert get_total_norm([tg.tensor(grad)]).item() == pytest.approx(
        expected, rel=1e-6, abs=0
    )


def test_below_the_limit_nothing_changes():
    grad = np.array([0.3, 0.4], np.float32)
    (parameter,) = parameters(grad)
    version = parameter.grad.version.count
    assert clip_grad_norm_(parameter, 1.0).item() == pytest.approx(0.5)
    np.testing.assert_array_equal(parameter.grad.numpy(), grad)
    assert parameter.grad.version.count == version


def test_a_limit_of_zero_silences_and_infinity_does_nothing():
    grad = np.array([3.0, 4.0])
    (parameter,) = parameters(grad)
    assert clip_grad_norm_([parameter], math.inf).item() == 5.0
    np.testing.assert_array_equal(parameter.grad.numpy(), grad)
    clip_grad_norm_([parameter], 0.0)
    assert not parameter.grad.numpy().any()


def test_nothing_to_clip():
    assert clip_grad_norm_([], 1.0).item() == 0.0
    assert clip_grad_norm_(parameters(None, None), 1.0).item() == 0.0
    assert get_total_norm([]).item() == 0.0
    assert clip_grad_norm_(parameters(np.zeros((0, 3))), 1.0).item() == 0.0
    assert clip_grad_norm_(parameters(np.zeros(3)), 1.0).item() == 0.0


@pytest.mark.parametrize(
    "function", [lambda p: clip_grad_norm_(p, 1.0), lambda p: clip_grad_value_(p, 1.0)]
)
def test_a_generator_that_was_used_before_is_refused(function):
    """Else the second of two uses would pass silently, and clip nothing."""
    model = nn.Linear(2, 2)
    chosen = model.parameters()
    function(chosen)
    with pytest.raises(
        OptionError, match=r"exhausted iterator.* model.parameters\(\) again"
    ):
        function(chosen)


def test_get_total_norm_may_refuse_what_is_not_finite():
    grads = [tg.ones(2), tg.tensor([1.0, math.nan])]
    assert math.isnan(get_total_norm(grads).item())
    with pytest.raises(GraphError, match=r"number 1, shape \(2,\)"):
        get_total_norm(grads, error_if_nonfinite=True)


def test_integers_have_no_total_norm():
    """A kernel would take their bits for those of floats."""
    for other in (tg.tensor([3, 4]), tg.ones(2) > 0):
        words = rf"number 1 is {other.dtype} of shape \(2,\), expected floats; use .fl"
        with pytest.raises(DTypeError, match=f"get_total_norm: {words}"):
            get_total_norm([tg.ones(2), other])


def test_norms_of_two_dtypes_together():
    grads = [tg.tensor(np.full(3, 1e-30, np.float32)), tg.tensor(np.full(4, 1e-200))]
    assert get_total_norm(grads).item() == pytest.approx(
        1e-30 * math.sqrt(3), rel=1e-6, abs=0
    )
    grads[0] = tg.zeros(3)
    assert get_total_norm(grads[::-1]).item() == pytest.approx(2e-200, rel=1e-12, abs=0)


def test_the_scale_is_as_exact_as_the_widest_gradient():
    narrow, wide = tg.zeros(1, requires_grad=True), tg.zeros(1, dtype=tg.float64)
    narrow.grad, wide.grad = tg.ones(1), tg.full((1,), 1 / 3, tg.float64)
    nn.utils.clip_grad_norm_([narrow, wide], 0.1)
    expected = 0.1 / 3 / (math.hypot(1, 1 / 3) + 1e-6)
    assert wide.grad.item() == pytest.approx(expected, rel=1e-14)


def test_a_gradient_that_is_recorded_is_clipped_as_it_stands():
    x = tg.tensor([3.0, 4.0], requires_grad=True)
    (x * x).sum().backward(create_graph=True)
    clip_grad_value_(x, 1.0)
    np.testing.assert_array_equal(x.grad.numpy(), [1.0, 1.0])


def test_parameters_may_come_from_a_generator():
    model = nn.RNN(2, 3)
    model(tg.randn(4, 1, 2))[0].sum().backward()
    clip_grad_norm_(model.parameters(), 1e-3)
    total = get_total_norm([p.grad for p in model.parameters()]).item()
    assert total == pytest.approx(1e-3, rel=2e-2)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("norm_type", [1, 2, 3, math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_not_finite_is_named_and_nothing_changes(bad, norm_type, place):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    chosen = list(model.parameters())[:3]
    for parameter in chosen:
        parameter.grad = tg.ones_like(parameter)
    chosen[place].grad.data[..., 0] = bad
    before = [p.grad.numpy().copy() for p in chosen]
    label = ("weight", "bias", "weight")[place]
    with pytest.raises(
        GraphError, match=rf"gradient of {label} \(number {place}, shape"
    ) as caught:
        clip_grad_norm_(chosen, 1.0, norm_type)
    assert "nothing was changed" in str(caught.value)
    for parameter, grad in zip(chosen, before, strict=True):
        np.testing.assert_array_equal(parameter.grad.numpy(), grad)


def test_the_message_of_a_nan_sends_to_the_data():
    """A lower rate is no cure for it; of an infinity it may be."""
    layer = nn.Linear(2, 1)
    layer(tg.tensor([[1.0, math.nan]])).sum().backward()
    with pytest.raises(GraphError) as caught:
        clip_grad_norm_(layer.parameters(), 1.0)
    message = str(caught.value)
    assert (
        "gradient of weight (number 0, shape (1, 2)) has a NaN; nothing was changed"
        in message
    )
    assert "NaN in the data and the loss" in message
    assert "tg.autograd.detect_anomaly()" in message
    assert "learning rate" not in message
    for kind, words in (
        (math.inf, "lower the learning rate"),
        (-math.inf, "has an infinity"),
    ):
        layer.weight.grad = tg.tensor([[1.0, kind]])
        with pytest.raises(GraphError, match=words) as caught:
            clip_grad_norm_(layer.parameters(), 1.0)
        assert "the data" not in str(caught.value)
    layer.weight.grad = tg.tensor([[math.inf, math.nan]])  # the NaN is what counts
    with pytest.raises(GraphError, match="has a NaN"):
        get_total_norm([layer.weight.grad], error_if_nonfinite=True)
    with tg.autograd.detect_anomaly(), pytest.raises(GraphError, match="NaN"):
        layer(tg.tensor([[1.0, math.nan]]))


def test_what_is_not_finite_may_pass_on_request():
    chosen = parameters(np.array([1.0, np.nan]), np.array([2.0]))
    assert math.isnan(clip_grad_norm_(chosen, 1.0, error_if_nonfinite=False).item())
    assert np.isnan(chosen[1].grad.numpy()).all()
    chosen = parameters(np.array([1.0, np.inf]), np.array([2.0]))
    assert clip_grad_norm_(chosen, 1.0, error_if_nonfinite=False).item() == math.inf
    np.testing.assert_array_equal(chosen[0].grad.numpy(), [0.0, np.nan])  # as PyTorch's


def test_a_norm_beyond_float32_still_clips():
    (parameter,) = parameters(np.full(10000, 3e38, np.float32))
    assert clip_grad_norm_(parameter, 1.0).item() == math.inf
    np.testing.assert_allclose(parameter.grad.numpy(), 0.01, rtol=1e-4)


def test_shared_gradients_are_scaled_once():
    """A tied weight is listed once by parameters()."""
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    model(tg.ones(1, 2)).sum().backward()
    before = model[0].weight.grad.numpy().copy()
    total = clip_grad_norm_(model.parameters(), 1e-2).item()
    expected = before * (1e-2 / (total + 1e-6))
    np.testing.assert_allclose(model[0].weight.grad.numpy(), expected, rtol=1e-6)


def test_a_gradient_that_was_clipped_has_changed():
    (parameter,) = parameters(np.array([3.0, 4.0]))
    version = parameter.grad.version.count
    clip_grad_norm_(parameter, 1.0)
    assert parameter.grad.version.count > version


@given(limit=st.sampled_from([0.0, 0.5, 2.0, math.inf]), seed=seeds)
def test_clip_by_value(limit, seed):
    grads = [
        np.random.default_rng(seed).standard_normal((3, 4)),
        np.array([np.inf, -np.inf]),
    ]
    chosen = parameters(*grads, None)
    assert clip_grad_value_(chosen, limit) is None
    for parameter, grad in zip(chosen, grads, strict=False):
        np.testing.assert_array_equal(
            parameter.grad.numpy(), np.clip(grad, -limit, limit)
        )
    assert chosen[-1].grad is None


# ---------------------------------------------------------------- the tutorial's class


@given(
    max_norm=st.sampled_from([0.1, 1.0, 10.0]),
    shapes=st.lists(st.none() | st.lists(st.integers(0, 3), max_size=2), max_size=4),
    seed=seeds,
)
def test_gradient_clipping_is_the_tutorials(max_norm, shapes, seed):
    rng = np.random.default_rng(seed)
    grads = [
        None if shape is None else np.asarray(rng.standard_normal(shape))
        for shape in shapes
    ]
    before = [None if g is None else g.copy() for g in grads]
    clipping = nn.GradientClipping(max_norm)
    assert clipping.last_norm is None
    found = clipping.clip_gradients(grads)
    squares = 0
    for grad in before:
        squares = squares + (0 if grad is None else np.sum(grad**2))
    total = np.sqrt(squares)
    assert clipping.last_norm == total
    if total <= max_norm:
        assert found is grads
    for new, old, kept in zip(found, before, grads, strict=True):
        if old is None:
            assert new is None
            continue
        np.testing.assert_array_equal(kept, old)  # its input stays as it was
        factor = max_norm / total if total > max_norm else 1.0
        np.testing.assert_array_equal(new, old * factor)


def test_gradient_clipping_lets_nan_be():
    grads = [np.array([np.nan, 1.0])]
    clipping = nn.GradientClipping()
    assert clipping.clip_gradients(grads) is grads
    assert math.isnan(clipping.last_norm)


@pytest.mark.parametrize("clip", [nn.utils.clip_grad_norm_, nn.utils.clip_grad_value_])
def test_a_gradient_that_cannot_be_written_changes_none(clip):
    params = [tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)]
    params[0].grad, params[1].grad = tg.full((2,), 9.0), tg.tensor(9.0).expand(2)
    with pytest.raises(GraphError, match=f"{clip.__name__}: a gradient: .*read-only"):
        clip(params, 1.0)
    assert params[0].grad.tolist() == [9.0, 9.0]


def test_clipping_by_value_counts_as_a_change_in_place():
    x = tg.tensor([3.0], requires_grad=True)
    (x * x).sum().backward()
    y = (tg.tensor([1.0], requires_grad=True) * x.grad).sum()
    tg.nn.utils.clip_grad_value_([x], 1.0)
    with pytest.raises(tg.Error, match="in place"):
        y.backward()
