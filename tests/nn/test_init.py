"""Initial values: bounds, deviations, shapes and the source of their numbers."""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

init = nn.init
SHAPES = [(300, 200), (200, 30, 10)]


@pytest.mark.parametrize(
    ("name", "gain"),
    [
        ("linear", 1.0),
        ("sigmoid", 1.0),
        ("tanh", 5 / 3),
        ("relu", math.sqrt(2)),
        ("leaky_relu", math.sqrt(2 / (1 + 0.01**2))),
        ("selu", 3 / 4),
    ],
)
def test_gains(name, gain):
    assert init.calculate_gain(name) == gain
    assert init.calculate_gain("leaky_relu", 0.5) == math.sqrt(1.6)


def fans(shape):
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


CASES = [
    ("xavier_{}_", {}, lambda i, o: math.sqrt(2 / (i + o))),
    ("xavier_{}_", {"gain": 3.0}, lambda i, o: 3 * math.sqrt(2 / (i + o))),
    ("kaiming_{}_", {}, lambda i, o: math.sqrt(2 / i)),
    ("kaiming_{}_", {"mode": "fan_out"}, lambda i, o: math.sqrt(2 / o)),
    ("kaiming_{}_", {"a": 1.0}, lambda i, o: math.sqrt(1 / i)),
    ("kaiming_{}_", {"nonlinearity": "tanh"}, lambda i, o: 5 / 3 / math.sqrt(i)),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "options", "deviation"), CASES)
@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_deviations(name, options, deviation, kind, shape):
    tensor = tg.empty(shape, dtype=tg.float64)
    assert getattr(init, name.format(kind))(tensor, **options) is tensor
    values, wanted = tensor.numpy(), deviation(*fans(shape))
    assert abs(values.mean()) < 0.02 * wanted
    assert abs(values.std() / wanted - 1) < 0.02
    if kind == "uniform":
        assert np.abs(values).max() <= math.sqrt(3) * wanted
        assert np.abs(values).max() > 0.999 * math.sqrt(3) * wanted
    else:
        assert abs((np.abs(values) < wanted).mean() - 0.6827) < 0.01


def test_uniform_and_normal():
    tensor = tg.empty(50000)
    values = init.uniform_(tensor, -1.0, 3.0).numpy()
    assert -1 <= values.min() < -0.999
    assert 2.999 < values.max() <= 3
    assert (init.uniform_(tensor, 2.0, 2.0).numpy() == 2).all()
    values = init.normal_(tensor, 5.0, 0.5).numpy()
    assert abs(values.mean() - 5) < 0.02
    assert abs(values.std() - 0.5) < 0.01
    assert (init.normal_(tensor, 5.0, 0.0).numpy() == 5).all()


def test_constants():
    tensor = tg.empty(3, 5)
    assert (init.constant_(tensor, 0.25).numpy() == 0.25).all()
    assert (init.ones_(tensor).numpy() == 1).all()
    assert not init.zeros_(tensor).numpy().any()
    np.testing.assert_array_equal(init.eye_(tensor).numpy(), np.eye(3, 5))
    np.testing.assert_array_equal(init.identity_(tensor).numpy(), np.eye(3, 5))
    found = init.identity_(tg.empty(4, 4, dtype=tg.float64), 0.1).numpy()
    np.testing.assert_array_equal(found, 0.1 * np.eye(4))


@pytest.mark.parametrize(
    "shape", [(6, 6), (8, 3), (3, 8), (4, 2, 3), (10, 2, 2), (1, 5)]
)
def test_orthogonal(shape):
    q = init.orthogonal_(tg.empty(shape, dtype=tg.float64), gain=2.0).numpy()
    q = q.reshape(shape[0], -1) / 2
    small = min(q.shape)
    product = q @ q.T if small == shape[0] else q.T @ q
    np.testing.assert_allclose(product, np.eye(small), atol=1e-13)


def test_orthogonal_prefers_none():
    """Each entry is as often above 0 as below: the decomposition's signs are undone."""
    signs = [np.sign(init.orthogonal_(tg.empty(2, 2)).numpy()) for _ in range(400)]
    assert np.abs(np.mean(signs, 0)).max() < 0.2


def test_identity_keeps_what_the_state_holds():
    """Le, Jaitly and Hinton 2015: with relu and no input, a state stays as it is."""
    layer = nn.RNN(2, 5, nonlinearity="relu", bias=False)
    init.identity_(layer.weight_hh_l0)
    h_0 = tg.tensor(
        np.abs(np.random.default_rng(0).standard_normal((1, 1, 5))).astype(np.float32)
    )
    h_0.requires_grad_()
    _, h_n = layer(tg.zeros(50, 1, 2), h_0)
    np.testing.assert_array_equal(h_n.detach().numpy(), h_0.numpy())
    h_n.sum().backward()
    assert (h_0.grad.numpy() == 1).all()


@pytest.mark.parametrize(
    "draw",
    [
        init.uniform_,
        init.normal_,
        init.xavier_uniform_,
        init.xavier_normal_,
        init.kaiming_uniform_,
        init.kaiming_normal_,
        init.orthogonal_,
    ],
)
def test_numbers_come_from_the_generator(draw):
    state = tg.random.default_generator.get_state().numpy()
    first, second, third = (
        draw(tg.empty(4, 3), generator=tg.Generator().manual_seed(seed)).numpy()
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()
    np.testing.assert_array_equal(
        tg.random.default_generator.get_state().numpy(), state
    )
    draw(tg.empty(4, 3))
    assert (tg.random.default_generator.get_state().numpy() != state).any()


def test_the_dtype_is_the_tensors_and_the_numbers_are_alike():
    low, high = (
        init.xavier_normal_(
            tg.empty(4, 3, dtype=dtype), generator=tg.Generator()
        ).numpy()
        for dtype in (tg.float32, tg.float64)
    )
    assert low.dtype == np.float32
    np.testing.assert_array_equal(low, high.astype(np.float32))


def test_a_value_set_after_the_forward_pass_is_noticed():
    layer = nn.Linear(2, 2)
    out = layer(tg.ones(1, 2, requires_grad=True)).sum()
    init.zeros_(layer.weight)
    with pytest.raises(RuntimeError, match="changed in place"):
        out.backward()


def test_parameters_may_be_set_while_recording():
    layer = nn.Linear(2, 2)
    init.ones_(layer.weight)
    assert layer.weight.is_leaf
    assert layer.weight.requires_grad
