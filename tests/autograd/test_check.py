"""gradcheck and gradgradcheck: they pass what is right, and tell where what is wrong is
wrong.
"""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.autograd import FusedOp, gradcheck, gradgradcheck, op
from tinygrad_rnn.errors import DTypeError, GraphError, OptionError, ShapeError


def leaf(*shape, seed=0):
    values = np.random.default_rng(seed).uniform(0.3, 1.5, shape)
    return tg.tensor(values, requires_grad=True)


def declared(*pullbacks):
    """x * tanh(y), with pullbacks to be doubted."""

    @op
    def doubtful(xp, x, y, /):
        return x * xp.tanh(y)

    doubtful.vjp(*pullbacks)
    return doubtful


def of_x(g, y, xp):
    return g * xp.tanh(y)


def of_y(g, x, y, xp):
    return g * x * (1.0 - xp.tanh(y) ** 2)


# ---------------------------------------------------------------- what is right


def test_an_op():
    x, y = leaf(3, 2), leaf(2, seed=1)
    assert gradcheck(declared(of_x, of_y), (x, y)) is True
    assert gradgradcheck(declared(of_x, of_y), [x, y]) is True


FUNCTIONS = {
    "several outputs": lambda x, y: (x @ y, [], (x.exp().sum())),
    "an output without a gradient": lambda x, y: (x @ y, x.detach() * 0.0, x.argmax()),
    "an input that is not used": lambda x, y: x.exp(),
    "linear": lambda x, y: x * 3.0,
    "constant": lambda x, y: x.detach() * 0.0 + tg.ones(2, 3),
    "a view": lambda x, y: x.T[1:],
    "twice the same": lambda x, y: x * x.sum(1, keepdim=True),
    "a slice assigned": lambda x, y: assigned(x * 1.0, y),
}


def assigned(x, y):
    x[0] = y[:, 0].exp()
    return x


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_functions(name, check):
    function = FUNCTIONS[name]
    x, y = leaf(2, 3), leaf(3, 2, seed=1)
    before = x.tolist(), y.tolist()
    assert check(function, (x, y))
    assert (x.tolist(), y.tolist()) == before
    assert x.grad is None


def test_inputs_of_every_kind():
    """Those that record, those that do not, others than Tensors, the same one twice,
    and views.
    """
    x, fixed = leaf(2, 2), tg.ones(2, 2)

    def function(a, b, n, c):
        return (a**n * b).sum() * c.sum()

    base = leaf(4) * 1.0
    for other in (
        x,
        base[1:3],
        base.reshape(2, 2),
        leaf(3, 2)[::-2].T,
        leaf(),
        leaf(2, 0),
    ):
        assert gradcheck(function, (x, fixed, 3, other))
        assert gradgradcheck(function, (x, fixed, 3, other))


def test_parameters_of_a_module():
    """They need not be arguments of the function: they change where they are."""
    rnn, x = nn.LSTM(2, 2).double(), tg.randn(3, 2, 2, dtype="float64")
    before = [p.tolist() for p in rnn.parameters()]
    for check in (gradcheck, gradgradcheck):
        assert check(lambda *_: rnn(x)[0], list(rnn.parameters()))
    assert [p.tolist() for p in rnn.parameters()] == before


def test_the_random_numbers_of_others_stay_theirs():
    state = tg.random.default_generator.get_state().tolist()
    gradgradcheck(lambda x: x.exp(), leaf(3))
    assert tg.random.default_generator.get_state().tolist() == state


def test_gradients_of_the_outputs_may_be_given():
    x, u = leaf(3), leaf(3, seed=2)
    assert gradgradcheck(lambda x: x**3, x, u)
    with pytest.raises(
        DTypeError, match=r"gradgradcheck: input 1 is float32.*\.double\(\)"
    ):
        gradgradcheck(lambda x: x**3, x, tg.ones(3))


# ---------------------------------------------------------------- what is wrong


def test_an_array_where_a_tensor_is_wanted_is_told_apart():
    """A pullback that leaves the graph has a first derivative, and none of it."""

    @op
    def twice(xp, x, /):
        return x * 2.0

    twice.vjp(lambda g: np.asarray(getattr(g, "array", g)) * 2.0)
    assert gradcheck(twice, leaf(3))
    words = (
        r"twice: .* x is float64 ndarray of shape \(3,\), "
        r"expected a Tensor of shape \(3,\)$"
    )
    with pytest.raises(ShapeError, match=words):
        gradgradcheck(twice, leaf(3))


WRONG = {
    "a factor": (lambda g, y, xp: 2.0 * g * xp.tanh(y), of_y, "input 0 at"),
    "a sign": (
        of_x,
        lambda g, x, y, xp: -g * x * (1.0 - xp.tanh(y) ** 2),
        "input 1 at",
    ),
    "squared": (
        of_x,
        lambda g, x, y, xp: g * g * x * (1.0 - xp.tanh(y) ** 2),
        "not linear",
    ),
    "not linear": (lambda g, y, xp: xp.abs(g) * xp.tanh(y), of_y, "not linear"),
    "nothing": (of_x, None, r"input 1 at .*analytic 0\.0"),
    "a NaN": (lambda g, y, xp: g * float("nan"), of_y, "input 0 at .*analytic nan"),
    "a NaN in one place": (
        lambda g, y, xp: _spoilt(2.0 * g * xp.tanh(y), float("nan")),
        of_y,
        r"input 0 at \(2, 1\): analytic nan",
    ),
    "in one place": (
        lambda g, y, x, xp: _spoilt(g * xp.tanh(y)),
        of_y,
        r"input 0 at \(2, 1\)",
    ),
    "shifted": (lambda g, y, xp: xp.flip(g * xp.tanh(y), axis=0), of_y, "input 0 at"),
}


def _spoilt(g, factor=1.01):
    g = g * 1.0
    g[2, 1] = g[2, 1] * factor
    return g


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_gradient(name):
    *pullbacks, words = WRONG[name]
    x, y = leaf(3, 2), leaf(2, seed=1)
    for args in ((x, y), (x, y.detach()), (x.detach(), y)):
        blind = "input 0" in words and not args[0].requires_grad
        blind |= "input 1" in words and not args[1].requires_grad
        if name in ("squared", "not linear"):
            blind = not args[name == "squared"].requires_grad
        if blind:
            assert gradcheck(declared(*pullbacks), args)
            continue
        with pytest.raises(GraphError, match=f"gradcheck: .*{words}"):
            gradcheck(declared(*pullbacks), args)
        assert gradcheck(declared(*pullbacks), args, raise_exception=False) is False


def test_the_values_are_told():
    """The worst place of the first input that is wrong, with both values."""

    @op
    def cube(xp, x, /):
        return x**3

    cube.vjp(lambda g, x: g * x * x * 2.0)
    x = tg.tensor([1.0, 10.0, 2.0], dtype="float64", requires_grad=True)
    with pytest.raises(GraphError) as error:
        gradcheck(lambda x: cube(x) / 100.0, x)
    words = str(error.value).split()
    assert words[:5] == ["gradcheck:", "input", "0", "at", "(1,):"]
    analytic, numerical = float(words[6].rstrip(",")), float(words[8])
    assert abs(analytic / numerical - 2 / 3) < 1e-6
    assert 0.5 * 3 < abs(numerical) < 4 * 3


def test_a_first_derivative_may_be_right_and_the_second_wrong():
    """Its second pullback gets arrays in place of Tensors: they are constants."""

    @op
    def exponential(xp, x, /):
        return xp.exp(x)

    exponential.vjp(lambda g, out: g * getattr(out, "array", out))
    x = leaf(3)
    assert gradcheck(exponential, x)
    with pytest.raises(GraphError, match="gradgradcheck: input 0 at"):
        gradgradcheck(exponential, x)
    assert gradgradcheck(exponential, x, raise_exception=False) is False


def composite(x, scale=None, /, power=1.0):
    out = x.tanh() ** power
    return out if scale is None else out * scale, x.argmax()


def forward(xp, x, scale, power):
    out = xp.tanh(x) ** power
    return (out if scale is None else out * scale, xp.argmax(x)), xp.tanh(x)


def backward(xp, grads, needs, inputs, outputs, t, power):
    (g, _), (_, scale) = grads, inputs
    slope = g * power * t ** (power - 1.0) * (1.0 - t * t)
    return slope if scale is None else slope * scale, xp.sum(g * t**power, axis=0)


def shifted(*args, **settings):
    (out, place), t = forward(*args, **settings)
    return (out + 1e-3, place), t


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_a_fused_op(check):
    """Its composite too, with the settings and the arguments of each call."""
    x, scale = leaf(3, 2), leaf(2, seed=1)
    fused = FusedOp(composite, forward, backward)
    assert check(fused, (x, scale))
    assert check(lambda x: fused(x, power=2.0)[0] * fused(x)[0], x)
    assert check(lambda x: fused(x.exp(), scale.detach())[0].sum(), x)
    assert check(FusedOp(composite), (x, scale))


APART = {
    "the forward": (
        composite,
        shifted,
        backward,
        r"composite: output 0 at \(.*by its composite ",
    ),
    "the composite": (
        lambda x, scale, /, power=1.0: composite(x, scale, power + 1e-2),
        forward,
        backward,
        r"output 0 at \(.*by its composite ",
    ),
    "forward and backward": (
        composite,
        lambda xp, x, scale, power: forward(xp, x, scale * 2.0, power),
        lambda *args, **settings: [2.0 * g for g in backward(*args, **settings)],
        "composite: output 0 at",
    ),
    "the backward": (
        composite,
        forward,
        lambda *args, **settings: [2.0 * g for g in backward(*args, **settings)],
        "^gradcheck: input 0 at .*analytic .*numerical",
    ),
    "a shape": (
        lambda x, scale, /, power=1.0: composite(x, scale, power)[0][None],
        forward,
        backward,
        r"the outputs have the shapes \[\(3, 2\)\], its composite's \[\(1, 3, 2\)\]",
    ),
    "a number of outputs": (
        lambda x, scale, /, power=1.0: (x, composite(x, scale, power)[0]),
        forward,
        backward,
        "the outputs have the shapes .*its composite's",
    ),
}


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("inside", [False, True])
def test_a_fused_op_that_is_not_its_composite(name, inside):
    """Also where it is one of several ops, and its output one of several."""
    *parts, words = APART[name]
    fused = FusedOp(*parts)
    function = (
        (lambda x, scale: [x, x + fused(x * 2.0, scale)[0].exp()]) if inside else fused
    )
    inputs = leaf(3, 2), leaf(2, seed=1)
    with pytest.raises(GraphError, match=words):
        gradcheck(function, inputs)
    assert gradcheck(function, inputs, raise_exception=False) is False


def test_a_composite_that_loses_a_gradient():
    """Its values are right, and no walk but a recorded one goes through it."""

    def lossy(x, scale, /, power=1.0):
        return composite(x.detach(), scale, power)

    inputs = leaf(3, 2), leaf(2, seed=1)
    with pytest.raises(GraphError, match="gradgradcheck: input 0"):
        gradgradcheck(FusedOp(lossy, forward, backward), inputs)


def test_tolerances():
    x = leaf(3)

    def kink(x):
        return (x * 1e6).tanh()

    assert not gradcheck(kink, x * 1e-6, eps=1e-6, raise_exception=False)
    assert gradcheck(kink, (x * 1e-6).detach().requires_grad_(), eps=1e-9, atol=1.0)
    noisy = declared(lambda g, y, xp: g * xp.tanh(y) * 1.0001, of_y)
    assert gradcheck(noisy, (x, leaf(3, seed=1).detach()))
    assert not gradcheck(
        noisy, (x, leaf(3)), rtol=1e-6, atol=1e-8, raise_exception=False
    )


# ---------------------------------------------------------------- what is refused

REFUSED = {
    "float32": (
        lambda: gradcheck(tg.tanh, tg.ones(2, requires_grad=True)),
        DTypeError,
        r"gradcheck: input 0 is float32 of shape \(2,\), expected float64; "
        r"use \.double\(\)",
    ),
    "the second": (
        lambda: gradgradcheck(tg.mul, (leaf(2), tg.ones(2, requires_grad=True))),
        DTypeError,
        r"gradgradcheck: input 1 is float32.*\.double\(\)",
    ),
    "none": (
        lambda: gradcheck(tg.tanh, tg.ones(2)),
        OptionError,
        "no input requires grad",
    ),
    "nothing": (
        lambda: gradcheck(lambda: 1, ()),
        OptionError,
        "no input requires grad",
    ),
    "an expanded tensor": (
        lambda: gradcheck(tg.tanh, leaf(1).expand(3)),
        GraphError,
        r"gradcheck: input 0: .*read-only.*clone\(\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()


def test_a_random_function_is_told_from_a_wrong_gradient():
    dropout, x = tg.nn.Dropout(0.5), leaf(20)
    with pytest.raises(
        OptionError, match=r"gradcheck: fn gives another result .*\.eval\(\)"
    ):
        gradcheck(dropout, x)
    assert gradcheck(dropout.eval(), x)
    with pytest.raises(OptionError, match="gradgradcheck: fn gives another result"):
        gradgradcheck(lambda x: x**3 * tg.rand(20, dtype="float64"), x)
    # But not random
    assert gradcheck(lambda x: x * np.nan, x, raise_exception=False) is False


def test_an_error_of_the_function_leaves_its_inputs_alone():
    x, calls = leaf(2), []

    def function(x):
        calls.append(x.tolist())
        if len(calls) == 8:
            raise KeyError
        return x * 1.0

    before = x.tolist()
    with pytest.raises(KeyError):
        gradcheck(function, x)
    assert calls[-1] != before
    assert x.tolist() == before


def test_under_no_grad_it_checks_all_the_same():
    x = leaf(3)
    with tg.no_grad():
        assert gradcheck(lambda x: x**3, x)
        assert gradgradcheck(lambda x: x**3, x)
        broken = declared(lambda g, y, xp: g * y, None)
        assert not gradcheck(broken, (x, leaf(3).detach()), raise_exception=False)

        def wrong(x):  # its first derivative is wrong, and so is the second
            return x.detach() * x * x

        assert not gradgradcheck(wrong, x, raise_exception=False)


def test_cotangents_that_are_given_stay_as_they_are():
    u = tg.ones(3, dtype="float64")
    assert gradgradcheck(lambda x: x**3, leaf(3), u)
    assert not u.requires_grad


def test_another_number_of_outputs_is_told():
    counts = iter([2, 3, 1, 2, 2, 2])
    with pytest.raises(OptionError, match="another result each time"):
        gradcheck(lambda x: (x * 2.0,) * next(counts), leaf(2))
