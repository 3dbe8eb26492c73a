"""How an op is declared, and what a call of it records and returns."""

import inspect

import numpy as np
import pytest
from oracle import assert_close, complex_step, difference, gradients

import tinygrad_rnn as tg
from tinygrad_rnn.autograd import FusedOp, grad, op
from tinygrad_rnn.engine.op import table
from tinygrad_rnn.errors import DTypeError


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


def test_an_op_of_ones_own():
    @op
    def swish(xp, x, /, beta=1.0):
        """x sigmoid(beta x)."""
        return x / (1.0 + xp.exp(-beta * x))

    @swish.vjp
    def _(g, x, out, beta, xp):
        s = 1.0 / (1.0 + xp.exp(-beta * x))
        return g * (s + beta * out * (1.0 - s))

    def value(x):
        return x / (1 + np.exp(-2.0 * x))

    def call(x):
        return swish(x, beta=2.0)

    x, u = np.array([-1.0, 0.5, 2.0]), np.array([1.0, -2.0, 0.5])
    (found,) = gradients(call, [x], [0], [u])
    assert_close(found, complex_step(value, [x], [0], [u])[0], 1e-14)
    (first,) = grad(
        call(t := tg.tensor(x, requires_grad=True)), t, tg.tensor(u), create_graph=True
    )

    def slope(x):
        return gradients(call, [x], [0], [u])[0].sum()

    assert_close(grad(first.sum(), t)[0].numpy() @ x, difference(slope, [x], [x]), 1e-9)
    assert swish.__doc__ == "x sigmoid(beta x)."
    assert repr(swish) == "<op swish(x, beta)>"
    assert swish(t, 2.0).tolist() == call(t).tolist()  # a setting by its place


def test_an_op_of_ones_own_does_not_change_the_packages():
    """A namesake: the table that pullbacks are recorded with stays the package's."""
    before = dict(vars(table))

    @op
    def square(xp, x, /):
        return x * 0.0

    assert vars(table) == before
    x = leaf(2.0)
    (g,) = grad((x * 2.0).square().sum(), x, create_graph=True)
    assert grad(g.sum(), x)[0].tolist() == [8]


def test_an_op_without_a_pullback_records_nothing():
    @op
    def step(xp, x, /):
        return xp.floor(x)

    assert not step(leaf(1.5)).requires_grad


def test_a_pullback_of_none_is_for_an_argument_without_gradient():
    @op
    def scale(xp, x, k, /):
        return x * k

    scale.vjp(lambda g, k: g * k, None)
    x, k = leaf(1.0), leaf(2.0)
    out = scale(x, k)
    assert grad(out, x, retain_graph=True, allow_unused=True)[0].tolist() == [2]
    assert grad(out, k, allow_unused=True) == (None,)
    assert not scale(x.detach(), k).requires_grad


WRONG = {
    "a misspelt name": (
        lambda f: f.vjp(lambda g, z: g),
        r"example\.vjp: a pullback asks for 'z'.*one of x, y",
    ),
    "too few": (
        lambda f: f.vjp(lambda g: g),
        r"example\.vjp: got 1 pullbacks, expected one for each of x, y",
    ),
    "too many": (lambda f: f.vjp(*[lambda g: g] * 3), r"got 3 pullbacks"),
    "a shape of nothing": (
        lambda f: f.vjp(lambda g, z_shape: g, None),
        "asks for 'z_shape'.*x_shape",
    ),
    "no function": (
        lambda f: f.vjp(1.0, None),
        r"example\.vjp: .*float.*expected a function or None",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_declaration_raises_at_import(name):
    @op
    def example(xp, x, y, /, k=1.0):
        return x * y * k

    call, words = WRONG[name]
    with pytest.raises(DTypeError, match=words):
        call(example) if name != "a misspelt name" else example.vjp(
            lambda g, z: g, None
        )


@pytest.mark.parametrize("out", [None, [1.0], (1.0,), 1.0, "1"])
def test_a_forward_that_gives_no_array_is_told(out):
    @op
    def odd(xp, x, /):
        return out

    kind = type(out).__name__
    with pytest.raises(
        tg.Error, match=f"odd: the forward gave {kind}, expected an array"
    ):
        odd(tg.ones(2))


def test_signatures_are_those_of_calls():
    """Of an op what it takes; of the class FusedOp what declares one."""

    @op
    def scale(xp, x, /, factor=2.0):
        return factor * x

    assert str(inspect.signature(scale)) == "(x, /, factor=2.0)"
    assert next(iter(inspect.signature(FusedOp).parameters)) == "composite"
