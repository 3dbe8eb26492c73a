"""nn.functional: values far out and at kinks, padding, normalization."""

import inspect
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn

seeds = st.integers(0, 2**32)
inf, nan = math.inf, math.nan


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def slopes(function, values, dtype=tg.float64):
    """Values and first gradients."""
    x = tg.tensor(values, dtype=dtype, requires_grad=True)
    out = function(x)
    (g,) = tg.autograd.grad(out.sum(), x)
    return out.detach().numpy(), g.numpy()


# ---------------------------------------------------------------- activations


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
def test_softplus_and_logsigmoid_to_the_last_digits(x, threshold):
    """Within 4 units in the last place; above its threshold softplus is x."""
    with mpmath.workdps(50):
        log1p_exp = lambda v: float(mpmath.log1p(mpmath.exp(mpmath.mpf(v))))
        expected = x if x > threshold else log1p_exp(x)
        assert abs(
            F.softplus(tg.tensor(np.float64(x)), threshold=threshold).item() - expected
        ) <= (4 * np.spacing(expected))
        expected = log1p_exp(-x)
        found = F.logsigmoid(tg.tensor(np.float64(x))).item()
        assert abs(found + expected) <= 4 * np.spacing(expected)


# ---------------------------------------------------------------- layer_norm


@given(
    lead=st.lists(st.integers(0, 3), max_size=2),
    last=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    affine=st.booleans(),
    bias=st.booleans(),
    seed=seeds,
)
def test_layer_norm(lead, last, affine, bias, seed):
    layer = nn.LayerNorm(last, 0.1, affine, bias).double()
    assert [p.shape for p in layer.parameters()] == [tuple(last)] * affine * (1 + bias)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x = normal(seed, *lead, *last)
    axes = tuple(range(-len(last), 0))
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(
        x.var(axes, keepdims=True) + 0.1
    )
    if affine:
        expected = expected * layer.weight.numpy() + (layer.bias.numpy() if bias else 0)
    np.testing.assert_allclose(
        layer(tg.tensor(x)).detach().numpy(), expected, rtol=1e-11, atol=1e-12
    )


def test_layer_norm_of_large_numbers_with_small_differences():
    x = tg.tensor(np.array([[1e4, 1e4 + 1, 1e4 + 2]], np.float32))
    found = F.layer_norm(x, 3).numpy()
    np.testing.assert_allclose(
        found, [[-math.sqrt(1.5), 0.0, math.sqrt(1.5)]], rtol=1e-4
    )


def test_layer_norm_starts_as_the_plain_one_and_says_so():
    layer = nn.LayerNorm((2, 3))
    assert (layer.weight.numpy() == 1).all() and not layer.bias.numpy().any()
    assert (
        repr(layer)
        == "LayerNorm(normalized_shape=(2, 3), eps=1e-05, elementwise_affine=True)"
    )
    x = tg.randn(4, 2, 3)
    np.testing.assert_array_equal(
        layer(x).detach().numpy(), F.layer_norm(x, (2, 3)).numpy()
    )
    assert nn.LayerNorm(3).normalized_shape == (3,)


# ---------------------------------------------------------------- padding


@given(
    shape=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    mode=st.sampled_from(["constant", "reflect", "replicate"]),
    value=st.sampled_from([None, -1.5]),
    seed=seeds,
)
def test_pad(shape, mode, value, seed):
    rng = np.random.default_rng(seed)
    dims = rng.integers(0, len(shape) + 1)
    most = [
        n - 1 if mode == "reflect" else 3 if n or mode == "constant" else 0
        for n in shape
    ]
    ends = [[int(e) for e in rng.integers(0, max(m, 0) + 1, 2)] for m in most]
    ends = [[0, 0]] * (len(shape) - dims) + ends[len(shape) - dims :]
    pad = [size for end in ends[::-1] for size in end][: 2 * dims]
    x = normal(seed, *shape)
    options = {"constant_values": value or 0.0} if mode == "constant" else {}
    expected = np.pad(x, ends, {"replicate": "edge"}.get(mode, mode), **options)
    given_x = tg.tensor(x, requires_grad=True)
    found = F.pad(given_x, pad, mode, value if mode == "constant" else None)
    np.testing.assert_array_equal(found.detach().numpy(), expected)
    u = normal(seed + 1, *expected.shape)
    found.backward(tg.tensor(u))
    places = np.pad(
        np.arange(x.size).reshape(x.shape),
        ends,
        {"replicate": "edge"}.get(mode, mode),
        **({"constant_values": -1} if mode == "constant" else {}),
    )
    slope = np.zeros(x.size + 1)
    np.add.at(slope, places, u)
    np.testing.assert_allclose(
        given_x.grad.numpy(), slope[:-1].reshape(x.shape), rtol=1e-12
    )


def test_negative_padding_cuts():
    x = tg.tensor(np.arange(20.0).reshape(4, 5))
    np.testing.assert_array_equal(
        F.pad(x, (-1, 2, -2, -1)).numpy(), [[11, 12, 13, 14, 0, 0]]
    )
    np.testing.assert_array_equal(
        F.pad(x, (-1, 1), "replicate").numpy()[0], [1, 2, 3, 4, 4]
    )
    assert F.pad(x, (0, -5)).shape == (4, 0)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate"])
@pytest.mark.parametrize("sizes", [(), (0, 0), (0, 0, 0, 0)])
def test_padding_with_nothing_is_a_copy(mode, sizes):
    x = tg.ones(2, 3)
    F.pad(x, sizes, mode).zero_()
    assert x.numpy().all()


@pytest.mark.parametrize("dtype", [tg.int64, tg.int32, tg.bool, tg.float32])
def test_pad_keeps_the_dtype(dtype):
    x = tg.ones(2, 2, dtype=dtype)
    assert F.pad(x, (1, 0)).dtype == dtype
    assert F.pad(x, (1, 0), value=1).numpy().all()
    assert F.pad(x, (1, 0), mode="reflect").dtype == dtype


# ---------------------------------------------------------------- modules of functions


def test_modules_of_functions_hold_their_options():
    x = tg.tensor(normal(0, 2, 3, 4))
    for layer, expected in (
        (nn.Softmax(1), x.softmax(1)),
        (nn.LogSoftmax(dim=-1), x.log_softmax(-1)),
        (nn.Flatten(), x.flatten(1)),
        (nn.Flatten(0, 1), x.flatten(0, 1)),
    ):
        np.testing.assert_array_equal(layer(x).numpy(), expected.numpy())
    assert repr(nn.Softmax(1)) == "Softmax(dim=1)"
    assert repr(nn.Flatten()) == "Flatten(start_dim=1, end_dim=-1)"
    assert repr(nn.Tanh()) == "Tanh()"
    dropout = nn.Dropout(0.5)
    dropout.p = 0.0  # an option is an attribute
    np.testing.assert_array_equal(dropout(x).numpy(), x.numpy())


@pytest.mark.parametrize("layer", [nn.Tanh, nn.LogSigmoid, nn.Sigmoid])
def test_what_has_no_options_takes_none(layer):
    assert not inspect.signature(layer).parameters
    with pytest.raises(TypeError, match="inplace"):
        layer(inplace=True)


def test_a_subclass_calls_the_function_of_its_class():
    class Sum(nn.MSELoss):
        def __init__(self):
            super().__init__("sum")

    assert Sum()(tg.ones(3), tg.zeros(3)).item() == 3.0


def test_no_name_is_there_but_those_that_are_listed():
    """Helpers are not public functions."""
    own = [
        name
        for name, thing in vars(F).items()
        if callable(thing) and not name.startswith("_")
    ]
    assert sorted(own) == sorted(F.__all__)
    assert all(getattr(F, name).__doc__ for name in own)


def test_layer_norm_shares_no_memory():
    """The output with what the backward reads, gradients with what came in."""
    x = tg.randn(2, 3, requires_grad=True)
    y = F.layer_norm(x, 3)
    (one,) = tg.autograd.grad(y.square().sum(), x, retain_graph=True)
    g, kept = tg.randn(2, 3), None
    (kept,) = tg.autograd.grad(y, x, g, retain_graph=True)
    with tg.no_grad():
        y.mul_(9.0)
    assert tg.autograd.grad(y, x, g)[0].tolist() == kept.tolist()
    bias, g = tg.zeros(3, requires_grad=True), tg.ones(1, 3)
    F.layer_norm(tg.randn(1, 3), 3, None, bias).backward(g)
    bias.grad.mul_(0.0)
    assert g.tolist() == [[1.0] * 3]
