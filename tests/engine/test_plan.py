"""What an op saves for its pullbacks, and what they may ask for."""

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autograd import grad, op
from tinygrad_rnn.errors import DTypeError, GraphError


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


def test_a_pullback_may_ask_for_everything_there_is():
    seen = []

    @op
    def blend(xp, x, y, /, a, *, b=2.0):
        return x * a + y * b

    def first(g, x, y, out, a, b, x_shape, y_shape, xp):
        seen.append((x.tolist(), y.tolist(), out.tolist(), a, b, x_shape, y_shape))
        return g * a

    blend.vjp(first, lambda g, b: g * b)
    x, y = leaf(1.0), leaf(3.0)
    blend(x, y, 5.0).sum().backward()
    assert seen == [([1], [3], [11], 5.0, 2.0, (1,), (1,))]
    assert x.grad.tolist() == [5]
    assert y.grad.tolist() == [2]


def test_a_variadic_op():
    @op
    def total(xp, /, *xs, scale=1.0):
        out = xs[0] * scale
        for x in xs[1:]:
            out = out + x * x
        return out

    total.vjp(lambda g, xs, scale: [g * scale, *[g * (x * 2.0) for x in xs[1:]]])
    x, y, z = leaf(1.0, 2.0), leaf(3.0), tg.ones(2, dtype="float64")
    out = total([x, y, z, y], scale=3.0)
    assert out.tolist() == [22, 25]
    u = tg.tensor([1.0, 10.0], dtype="float64")
    gx, gy = grad(out, [x, y], u, create_graph=True)
    assert gx.tolist() == [3, 30]
    assert gy.tolist() == [132]
    assert grad(gy.sum(), y)[0].tolist() == [44]
    assert grad(total([z, y]), y, u)[0].tolist() == [66]
    assert grad(total([y, z]).sum(), y)[0].tolist() == [2]
    with tg.no_grad():
        out = total([x, y])
        y.add_(1.0)
    assert total([z, x.detach()]).requires_grad is False
    out = total([x, y])
    with tg.no_grad():
        y.add_(1.0)
    with pytest.raises(GraphError, match="total .*changed in place"):
        out.sum().backward()


@pytest.mark.parametrize("count", [1, 3])
def test_a_variadic_op_has_one_gradient_for_each_argument(count):
    @op
    def first(xp, /, *xs):
        return xs[0] * 1.0

    first.vjp(lambda g: [g] * count)
    out = first([leaf(1.0), leaf(2.0)])
    message = f"first: {count} gradients, expected one for each of 2 arguments"
    with pytest.raises(DTypeError, match=message):
        out.sum().backward()


def test_a_view_of_ones_own_shares_its_counter():
    @op(view=True)
    def top(xp, x, /):
        return x[:1]

    top.vjp(lambda g, x_shape, xp: xp.add_at(g, x_shape, slice(0, 1)))
    x = leaf(1.0, 2.0)
    y = x * 1.0
    squared = top(y) * top(y)
    with tg.no_grad():
        y.mul_(2.0)
    with pytest.raises(GraphError, match="changed in place"):
        squared.sum().backward()
    (top(x * 3.0) * 2.0).sum().backward()
    assert x.grad.tolist() == [6, 0]
