"""Ops with a forward and a backward by hand, beside their composite."""

from types import SimpleNamespace

import numpy as np
import pytest
from oracle import assert_close, complex_step, difference, gradients

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.autograd import FusedOp, grad
from tinygrad_rnn.errors import GraphError
from tinygrad_rnn.kernels import modules


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


def _hypot_forward(xp, x, y):
    out = xp.sqrt(x * x + y * y)
    return (out, x - y), out


def _hypot_backward(xp, grads, needs, inputs, outputs, out):
    x, y = inputs
    g, d = grads
    gx = 0.0 * x
    gy = 0.0 * y
    if g is not None:
        gx, gy = gx + g * x / out, gy + g * y / out
    if d is not None:
        gx, gy = gx + d, gy - d
    return gx if needs[0] else None, gy if needs[1] else None


def test_a_kernel_may_leave_a_call_to_the_composite(monkeypatch):
    def composite(x, /):
        calls.append(x.shape)
        return x * x

    def forward(x):
        return NotImplemented if x.shape == (1,) else ((x * x,), x)

    def backward(grads, needs, inputs, outputs, x):
        return (2 * x * grads[0],)

    twins = SimpleNamespace(square_forward=forward, square_backward=backward)
    monkeypatch.setitem(modules, "cpu", twins)
    square, calls = FusedOp(composite, "square_forward", "square_backward"), []
    for x in (leaf(3.0), leaf(3.0, 4.0)):
        square(x).sum().backward()
        assert calls == [(1,)]
        assert_close(x.grad.numpy(), 2 * x.detach().numpy(), 1e-15)


def _hypot(x, y, /):
    return (x * x + y * y).sqrt(), x - y


@pytest.fixture(params=["kernel", "composite"])
def hypot(request):
    """A fused op of two outputs; without a forward it runs its composite."""
    if request.param == "kernel":
        return FusedOp(_hypot, _hypot_forward, _hypot_backward)
    return FusedOp(_hypot)


@pytest.mark.parametrize("used", [(1.0, 0.0), (0.0, 1.0), (2.0, -3.0)])
def test_a_fused_op_of_ones_own(hypot, used):
    a, b = np.array([3.0, 1.0]), np.array([4.0, 2.0])

    def value(x, y):
        return np.sqrt(x * x + y * y) * used[0] + (x - y) * used[1]

    def call(x, y):
        out, difference = hypot(x, y)
        if not used[1]:
            return out * used[0]
        return (
            difference * used[1]
            if not used[0]
            else out * used[0] + difference * used[1]
        )

    u = np.array([1.0, -2.0])
    wanted = complex_step(value, [a, b], [0, 1], [u])
    for create in (False, True):
        for found, exact in zip(
            gradients(call, [a, b], [0, 1], [u], create), wanted, strict=True
        ):
            assert_close(found, exact, 1e-14)
    x, y = leaf(3.0, 1.0), leaf(4.0, 2.0)
    first = grad(call(x, y).sum(), x, create_graph=True)[0]

    def slope(a):
        return gradients(call, [a, b], [0], [np.ones(2)])[0].sum()

    found = grad(first.sum(), x, allow_unused=True)[0] if first.requires_grad else None
    expected = difference(slope, [a], [a])
    assert_close(0.0 if found is None else found.numpy() @ a, expected, 1e-9)


def test_a_fused_op_is_told_which_outputs_matter():
    seen = []

    def backward(xp, grads, *rest):
        seen.append([g is not None for g in grads])
        return _hypot_backward(xp, grads, *rest)

    fused = FusedOp(_hypot, _hypot_forward, backward)
    x, y = leaf(3.0), leaf(4.0)
    out, difference = fused(x, y)
    out.sum().backward(retain_graph=True)
    difference.sum().backward(retain_graph=True)
    (out + difference).sum().backward()
    assert seen == [[True, False], [False, True], [True, True]]
    assert_close(x.grad.numpy(), [2 * (0.6 + 1)], 1e-15)


def test_one_output_walked_frees_the_whole():
    fused = FusedOp(_hypot, _hypot_forward, _hypot_backward)
    x, y = leaf(3.0), leaf(4.0)
    out, difference = fused(x, y)
    out.sum().backward()
    with pytest.raises(GraphError, match="already walked"):
        difference.sum().backward()


def test_outputs_that_the_backward_reads_are_watched():
    def _twice_exp(x, /):
        return x.exp(), x.exp() * 2.0

    def forward(xp, x):
        e = xp.exp(x)
        return (e, e * 2.0), None

    def backward(xp, grads, needs, inputs, outputs, workspace):
        g, h = grads
        return (
            (0.0 if g is None else g * outputs[0])
            + (0.0 if h is None else h * outputs[1]),
        )

    fused = FusedOp(_twice_exp, forward, backward, reads_outputs=True)
    x = leaf(1.0)
    one, two = fused(x)
    assert_close(grad((one + two).sum(), x)[0].numpy(), 3 * np.exp([1.0]), 1e-15)
    one, two = fused(x)
    with tg.no_grad():
        two.zero_()
    with pytest.raises(GraphError, match="twice_exp .*changed in place"):
        one.sum().backward()


@pytest.mark.parametrize(
    "keep", [lambda e: e, lambda e: (1, [e]), lambda e: {"view": e[...]}]
)
def test_a_workspace_that_keeps_an_output_is_watched(keep):
    """Also where the op does not say that its backward reads it."""

    def _exp(x, /):
        return x.exp()

    def forward(xp, x):
        e = xp.exp(x)
        return (e,), keep(e)

    def backward(xp, grads, needs, inputs, outputs, kept):
        while not hasattr(kept, "dtype"):
            kept = list(kept.values())[-1] if isinstance(kept, dict) else kept[-1]
        return (grads[0] * kept,)

    fused = FusedOp(_exp, forward, backward)
    x = leaf(1.0)
    out = fused(x)
    out.sum().backward()
    assert_close(x.grad.numpy(), np.exp([1.0]), 1e-15)
    out = fused(x)
    with tg.no_grad():
        out.zero_()
    with pytest.raises(GraphError, match="exp .*changed in place"):
        out.sum().backward()


def test_a_backward_that_gives_too_few_gradients_is_named():
    def _scale(x, k, /):
        return x * k

    def backward(xp, grads, needs, inputs, *_):
        return (grads[0] * inputs[1],)

    fused = FusedOp(_scale, lambda xp, x, k: ((x * k,), None), backward)
    with pytest.raises(tg.Error, match="scale: 1 gradients, expected those of x, k"):
        fused(leaf(1.0), leaf(2.0)).sum().backward()


def test_hooks_of_the_outputs_of_a_fused_op():
    rnn = nn.RNN(2, 3)
    x = tg.randn(4, 1, 2, requires_grad=True)
    output, h_n = rnn(x)
    seen = []
    output.register_hook(lambda g: seen.append(g.shape))
    h_n.register_hook(lambda g: g * 0.0)
    (output.sum() * 0.0 + h_n.sum()).backward()
    assert seen == [(4, 1, 3)]
    assert not x.grad.numpy().any()


def test_an_output_of_a_fused_op_used_alone_and_twice():
    rnn = nn.RNN(2, 3)
    x = tg.randn(4, 2, 2)
    output, h_n = rnn(x)
    for value in (
        output[-1].sum(),
        h_n.sum(),
        (output[-1] + output[-1] - h_n[0]).sum(),
    ):
        rnn.weight_hh_l0.grad = None
        value.backward(retain_graph=True)
        if value.is_leaf:
            continue
        grads = rnn.weight_hh_l0.grad.numpy()
        expected = rnn(x)[1].sum()
        (g,) = tg.autograd.grad(expected, rnn.weight_hh_l0)
        np.testing.assert_allclose(grads, g.numpy(), rtol=1e-5, atol=1e-6)
