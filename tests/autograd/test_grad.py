"""autograd.grad: what it gives, for which inputs, and what it leaves alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import assert_close, difference

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.autograd import grad
from tinygrad_rnn.errors import DTypeError, GraphError, ShapeError


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


def test_grad_of_leaves_stays_as_it_is():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y.grad = tg.ones(2, dtype="float64")
    gx, gy = grad((x * y).sum(), [x, y])
    assert gx.tolist() == [3, 4]
    assert gy.tolist() == [1, 2]
    assert x.grad is None
    assert y.grad.tolist() == [1, 1]
    assert not gx.requires_grad


def test_a_single_input_gives_a_tuple():
    x = leaf(1.0)
    assert isinstance(grad(x.sum(), x), tuple)
    assert len(grad(x.sum(), [x])) == 1


def test_inputs_that_are_no_leaves():
    x = leaf(1.0, 2.0)
    y = x * 2.0
    z = y * y
    gy, gx, gz = grad(z.sum(), [y, x, z])
    assert gy.tolist() == [4, 8]
    assert gx.tolist() == [8, 16]
    assert gz.tolist() == [1, 1]


def test_an_input_may_be_the_output():
    x = leaf(2.0)
    y = x * 3.0
    assert grad(y, y, tg.tensor([5.0]))[0].tolist() == [5]
    assert grad(x, x, tg.tensor([5.0]))[0].tolist() == [5]


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_same_input_twice(create_graph):
    x = leaf(1.0, 2.0)
    y = x * 1.0
    found = grad((y * y).sum(), [x, y, x, y], create_graph=create_graph)
    assert all(g.tolist() == [2, 4] for g in found)
    for i, g in enumerate(found):
        assert not any(
            np.shares_memory(g.numpy(), other.numpy()) for other in found[:i]
        )


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_share_no_memory_with_the_cotangent(create_graph):
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    u = tg.tensor([1.0, -1.0], dtype="float64")
    found = grad(x + y, [x, y, x], u, create_graph=create_graph)
    held = [u, *found]
    for i, one in enumerate(held):
        assert not any(
            np.shares_memory(one.numpy(), other.numpy()) for other in held[:i]
        )


def test_several_outputs():
    x = leaf(1.0, 2.0)
    y = x * x
    u = tg.tensor([1.0, 10.0], dtype="float64")
    assert grad([y.sum(), x.sum()], x)[0].tolist() == [3, 5]
    assert grad([x * 2.0, (x * x).sum()], x, [u, None])[0].tolist() == [4, 24]
    y = x * x
    assert grad([y, y], x, [u, u])[0].tolist() == [4, 80]  # the same output twice


def test_one_cotangent_may_come_without_a_list():
    x = leaf(1.0, 2.0)
    assert grad(x * 2.0, x, tg.tensor([1.0, 3.0]))[0].tolist() == [2, 6]
    assert grad([x * 2.0], x, [tg.tensor([1.0, 3.0])])[0].tolist() == [2, 6]


def test_unused_inputs():
    x, y = leaf(1.0), leaf(2.0)
    with pytest.raises(
        GraphError, match=r"do not depend on input 1.*allow_unused=True"
    ):
        grad((x * 2.0).sum(), [x, y])
    found = grad((x * 2.0).sum(), [x, y], allow_unused=True)
    assert found[0].tolist() == [2]
    assert found[1] is None
    z = y * x  # made of them, but not part of the output
    found = grad((x * 2.0).sum(), [z, x], allow_unused=True)
    assert found[0] is None


def test_an_error_about_an_unused_input_keeps_the_graph():
    """Known before the walk: nothing is freed."""
    x, y = leaf(1.0), leaf(2.0)
    z = (x * x).sum()
    with pytest.raises(GraphError, match="input 0"):
        grad(z, y)
    assert grad(z, x)[0].tolist() == [2]


def test_a_detached_way_is_no_way():
    x = leaf(3.0)
    y = x * 2.0
    z = (x * y.detach()).sum()
    assert grad(z, x, retain_graph=True)[0].tolist() == [6]
    assert grad(z, y, allow_unused=True) == (None,)


def test_unneeded_pullbacks_do_not_run():
    ran = []

    @tg.autograd.op
    def noted(xp, x, y, /):
        return x * y

    def first(g, y):
        ran.append("first")
        return g * y

    def second(g, x):
        ran.append("second")
        return g * x

    noted.vjp(first, second)
    x, y, z = leaf(2.0), leaf(3.0), leaf(4.0)
    a = x * 1.0
    out = (noted(a, y) * noted(z, z)).sum()
    assert grad(out, a, retain_graph=True)[0].tolist() == [48]
    assert ran == ["first"]
    ran.clear()
    assert grad(out, y, retain_graph=True)[0].tolist() == [32]
    assert ran == ["second"]
    ran.clear()
    noted(x.detach(), y).sum().backward()  # an argument that asks for none costs none
    assert ran == ["second"]


def test_what_lies_behind_an_input_is_not_walked():
    x = leaf(2.0)
    behind = []
    y = x.exp()
    x.register_hook(lambda g: behind.append(g))
    grad((y * y).sum(), y)
    assert not behind


def test_unneeded_gradients_of_a_fused_op_are_not_asked_for():
    asked = []

    def composite(x, y, /):
        return x * y

    def forward(xp, x, y):
        return (x * y,), None

    def backward(xp, grads, needs, inputs, outputs, workspace):
        asked.append(needs)
        x, y = inputs
        return (grads[0] * y if needs[0] else None, grads[0] * x if needs[1] else None)

    product = tg.autograd.FusedOp(composite, forward, backward)
    x, y = leaf(2.0), leaf(3.0)
    grad(product(x, y).sum(), x)
    grad(product(x, y).sum(), y)
    grad(product(x, y).sum(), [x, y])
    product(x.detach(), y).sum().backward()
    assert asked == [(True, False), (False, True), (True, True), (False, True)]


def test_the_graph_behind_the_inputs_stays():
    """Only what was walked is freed."""
    x = leaf(2.0)
    y = x.exp()
    z = (y * y).sum()
    grad(z, y)
    assert_close(grad(y.sum(), x)[0].numpy(), np.exp([2.0]))
    with pytest.raises(GraphError, match="already walked"):
        grad(z, x)


@pytest.mark.parametrize("keep", [True, False])
def test_retain_graph(keep):
    x = leaf(1.0, 2.0)
    z = (x.exp() * x).sum()
    one = grad(z, x, retain_graph=keep)[0]
    if keep:
        assert grad(z, x)[0].tolist() == one.tolist()
    with pytest.raises(GraphError, match="already walked"):
        grad(z, x)


REFUSED = {
    "an input without grad": (
        lambda x: grad(x.sum(), tg.ones(2)),
        GraphError,
        "input 0 does not require",
    ),
    "an output without grad": (
        lambda x: grad(tg.ones(()), x),
        GraphError,
        "grad: .*does not require",
    ),
    "a vector": (lambda x: grad(x * 2.0, x), GraphError, r"grad: .*shape \(2,\)"),
    "too many cotangents": (
        lambda x: grad(x.sum(), x, [None, None]),
        GraphError,
        "got 2 grad_outputs, expected 1",
    ),
    "a cotangent's shape": (
        lambda x: grad(x * 2.0, x, tg.ones(3)),
        ShapeError,
        r"expected \(2,\)",
    ),
    "a cotangent's type": (
        lambda x: grad(x * 2.0, x, [1.0]),
        DTypeError,
        "float, expected a Tensor",
    ),
    "no inputs": (
        lambda x: grad(x.sum(), []),
        (GraphError, ValueError),
        "grad: .*inputs",
    ),
    "no outputs": (lambda x: grad([], x), (GraphError, ValueError), "grad: .*outputs"),
    "an input that is an array": (
        lambda x: grad(x.sum(), np.ones(2)),
        TypeError,
        r"grad: inputs is float64 ndarray of shape \(2,\), expected a Tensor",
    ),
    "an output that is a number": (
        lambda x: grad([1.0], x),
        TypeError,
        r"grad: outputs\[0\] is float, expected a Tensor",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, words = REFUSED[name]
    x = leaf(1.0, 2.0)
    with pytest.raises(kind, match=words):
        call(x)
    assert x.grad is None


# ---------------------------------------------------------------- higher orders


def test_third_derivatives():
    x = leaf(0.5, 2.0)
    y = x.exp() * x**3
    first = grad(y.sum(), x, create_graph=True)[0]
    second = grad(first.sum(), x, create_graph=True)[0]
    third = grad(second.sum(), x, create_graph=True)[0]
    fourth = grad(third.sum(), x)[0]
    a = x.numpy()
    assert_close(first.numpy(), np.exp(a) * (a**3 + 3 * a**2), 1e-14)
    assert_close(second.numpy(), np.exp(a) * (a**3 + 6 * a**2 + 6 * a), 1e-14)
    assert_close(third.numpy(), np.exp(a) * (a**3 + 9 * a**2 + 18 * a + 6), 1e-14)
    assert_close(fourth.numpy(), np.exp(a) * (a**3 + 12 * a**2 + 36 * a + 24), 1e-14)


def expression(x, w):
    """Ops of every family, smooth."""
    h = nn.functional.linear(x, w).tanh()
    h = tg.cat([h, x[:, ::-1] * h[:, :1]], 1)
    h = h.softmax(1).log() + h.logsumexp(1, keepdim=True)
    return (h[[0, 1, 1]] / (1.0 + h.square().mean())).permute(1, 0).sum(1)


@given(st.integers(0, 2**32 - 1))
def test_third_derivatives_along_random_directions(seed):
    """d/dt of the second derivative, by differences, for an expression of many ops."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=(2, 3)), rng.normal(size=(3, 3))]
    u, v, d = ([rng.normal(size=a.shape) for a in arrays] for _ in range(3))

    def derivative(numbers, order, create=False):
        inputs = [tg.tensor(a, requires_grad=True) for a in numbers]
        total = expression(*inputs).sum()
        for direction in (u, v)[: order - 1]:
            found = grad(total, inputs, create_graph=True)
            total = sum(
                (g * tg.tensor(a)).sum() for g, a in zip(found, direction, strict=True)
            )
        return [g.numpy() for g in grad(total, inputs)]

    for order in (1, 2, 3):
        along = derivative(arrays, order)
        actual = sum((g * a).sum() for g, a in zip(along, d, strict=True))

        def lower(*numbers):
            if order == 1:
                return expression(*[tg.tensor(a) for a in numbers]).sum().item()
            found = derivative(numbers, order - 1)
            return sum(
                (g * a).sum() for g, a in zip(found, (u, v)[order - 2], strict=True)
            )

        assert_close(actual, difference(lower, arrays, d), 1e-7)


def test_third_derivatives_of_a_scan():
    rng = np.random.default_rng(3)
    rnn = nn.RNN(2, 2).double()
    x = tg.tensor(rng.normal(size=(3, 1, 2)), requires_grad=True)
    w = rnn.weight_hh_l0
    (first,) = grad(rnn(x)[0].sum(), w, create_graph=True)
    (second,) = grad((first * first).sum(), w, create_graph=True)
    third = grad((second * second).sum(), w)[0].numpy()

    def lower(array):
        with tg.no_grad():
            w.copy_(tg.tensor(array))
        (first,) = grad(rnn(x)[0].sum(), w, create_graph=True)
        (second,) = grad((first * first).sum(), w)
        return (second.numpy() ** 2).sum()

    base, direction = w.numpy().copy(), rng.normal(size=(2, 2))
    assert_close(
        (third * direction).sum(), difference(lower, [base], [direction], 1e-3), 1e-8
    )


def test_a_second_gradient_with_respect_to_the_cotangent():
    x, u = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (g,) = grad(x**3, x, u, create_graph=True)
    assert grad(g.sum(), u, retain_graph=True)[0].tolist() == [3, 12]
    assert grad(g.sum(), x)[0].tolist() == [18, 48]


def test_shared_weights_through_fused_ops_twice():
    """Their gradients meet at one leaf, while the walk is recorded."""
    w, x = (
        tg.randn(3, 3, dtype="float64", requires_grad=True),
        tg.randn(2, 3, dtype="float64"),
    )

    def value(w):
        return nn.functional.linear(nn.functional.linear(x, w), w).tanh().sum()

    def slope(array):
        w = tg.tensor(array, requires_grad=True)
        return (grad(value(w), w)[0].numpy() ** 2).sum()

    (g,) = grad(value(w), w, create_graph=True)
    (gg,) = grad((g * g).sum(), w)
    direction = np.random.default_rng(0).normal(size=(3, 3))
    assert_close(
        (gg.numpy() * direction).sum(),
        difference(slope, [w.numpy()], [direction], 1e-3),
        1e-8,
    )


def test_a_gradient_of_a_linear_function_needs_no_second():
    x = leaf(1.0, 2.0)
    (g,) = grad((x * 3.0).sum(), x, create_graph=True)
    assert g.tolist() == [3, 3]
    assert not g.requires_grad or grad(g.sum(), x, allow_unused=True) == (None,)


def test_an_output_that_is_a_leaf_is_not_asked_for():
    """Its gradient is known, and nobody's: its hooks do not run."""
    x, y, seen = leaf(1.0), leaf(2.0), []
    y.register_hook(lambda g: seen.append("y"))
    x.register_hook(lambda g: seen.append("x"))
    assert [g.tolist() for g in grad([x, y], x)] == [[1]]
    assert seen == ["x"]


def test_one_cotangent_is_not_for_several_outputs():
    x = tg.ones(2, requires_grad=True)
    with pytest.raises(GraphError, match="grad: got 1 grad_outputs, expected 2"):
        tg.autograd.grad([x * 2.0, x * 3.0], x, tg.ones(2))
    with pytest.raises(DTypeError, match="grad: gradient is int"):
        tg.autograd.grad(x * 2.0, x, 3)
