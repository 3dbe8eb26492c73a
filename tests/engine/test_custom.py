"""Forwards that users write: what may share memory, and what gradcheck reports."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autograd import FusedOp, op
from tinygrad_rnn.errors import GraphError


def _own(forward, *pullbacks, **options):
    declared = op(**options)(forward) if options else op(forward)
    declared.vjp(*pullbacks)
    return declared


def _handed_on(xp, x, /):
    return x


def _second(xp, x, y, /):
    return y


def _half(xp, x, /):
    return x[:1]


def _turned(xp, x, /):
    return xp.permute_dims(x, (1, 0))


def _last(xp, /, *xs):
    return xs[-1][...]


def _view_of_the_second(xp, x, y, /):
    return y[...]


# An op, its arguments, and which of these it shows.
SHARING = {
    "the argument": (_own(_handed_on, lambda g: g), 1, 0),
    "the second argument": (_own(_second, lambda g: g * 0.0, lambda g: g), 2, 1),
    "a part": (
        _own(_half, lambda g, x_shape, xp: xp.add_at(g, x_shape, slice(0, 1))),
        1,
        0,
    ),
    "another order": (_own(_turned, lambda g, xp: xp.permute_dims(g, (1, 0))), 1, 0),
    "one of several": (
        _own(_last, lambda g, xs_shapes: [g * 0.0, g][-len(xs_shapes) :]),
        2,
        1,
    ),
    "a view of the second": (
        _own(_view_of_the_second, lambda g: g * 0.0, lambda g: g, view=True),
        2,
        1,
    ),
}


def _called(own, args):
    return own(args) if own.signature.variadic else own(*args)


@pytest.mark.parametrize("name", SHARING)
@pytest.mark.parametrize("changed", ["argument", "result"])
def test_a_result_that_shows_an_argument_is_a_copy(name, changed):
    """A later change of one is none of the other's: the gradient stays exact."""
    own, count, shown = SHARING[name]
    leaves = [tg.ones(2, 2, requires_grad=True) for _ in range(count)]
    args = [x * 3.0 for x in leaves]
    z = args[shown] ** 2  # saves what is shown
    w = _called(own, args)
    assert not np.shares_memory(w.numpy(), args[shown].numpy())
    if changed == "result":
        w.mul_(5.0)
        z.sum().backward()
        assert leaves[shown].grad.tolist() == [[18, 18]] * 2
    else:
        squared = w**2
        with tg.no_grad():
            args[shown].zero_()
        squared.sum().backward()
        assert leaves[shown].grad.abs().max().item() == 18


@pytest.mark.parametrize("name", SHARING)
def test_gradcheck_tells_of_a_result_that_shows_an_argument(name):
    own, count, _ = SHARING[name]
    args = [tg.rand(2, 2, dtype=tg.float64, requires_grad=True) for _ in range(count)]

    def fn(*args):
        return _called(own, list(args))

    for inside in (fn, lambda *args: fn(*[x * 2.0 for x in args])):
        with pytest.raises(
            GraphError, match=rf"{own.name}: the result shows the memory of arg"
        ):
            tg.autograd.gradcheck(inside, args)
        assert not tg.autograd.gradcheck(inside, args, raise_exception=False)


def test_a_view_that_says_so_is_one():
    half = _own(
        _half, lambda g, x_shape, xp: xp.add_at(g, x_shape, slice(0, 1)), view=True
    )
    x = tg.rand(2, 2, dtype=tg.float64, requires_grad=True)
    assert np.shares_memory(half(x).numpy(), x.numpy())
    assert tg.autograd.gradcheck(half, x)


def _writes(xp, x, /):
    x *= 1.5
    return x * 2.0


def _writes_where_nobody_looks(xp, x, y, /):
    y[...] = 0.0
    return x * 2.0


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("between", [False, True])
def test_gradcheck_tells_of_a_forward_that_writes_into_its_argument(fused, between):
    one = _own(_writes, lambda g: g * 2.0)
    two = _own(_writes_where_nobody_looks, lambda g: g * 2.0, None)
    if fused:

        def _one(x, /):
            return x * 2.0

        def _two(x, y, /):
            return x * 2.0

        def back(xp, grads, needs, inputs, *_):
            return (grads[0] * 2.0, None)[: len(inputs)]

        one = FusedOp(_one, lambda xp, x: ((_writes(xp, x),), None), back)
        two = FusedOp(
            _two, lambda xp, x, y: ((_writes_where_nobody_looks(xp, x, y),), None), back
        )
    scale = 2.0 if between else None
    args = [tg.rand(2, dtype=tg.float64) + 1.0 for _ in range(2)]
    args[0].requires_grad_()

    def enter(x):
        return x * scale if between else x

    for own, count, what in ((one, 1, "x"), (two, 2, "y")):

        def fn(*args):
            return own(*map(enter, args))

        with pytest.raises(
            GraphError, match=f"the forward writes into argument {what}"
        ):
            tg.autograd.gradcheck(fn, args[:count])


def test_gradcheck_tells_of_a_function_that_changes_its_input():
    def fn(x, y):
        y.array[...] += 1.0
        return x * 2.0

    x, y = tg.rand(2, dtype=tg.float64, requires_grad=True), tg.rand(2)
    with pytest.raises(GraphError, match="gradcheck: fn changes input 1 in place"):
        tg.autograd.gradcheck(fn, [x, y])


def test_gradcheck_tells_of_a_backward_that_writes_into_its_cotangent():
    """Linear, and equal to the differences that are weighed with what it made of the
    weights.
    """

    def twice(xp, x, /):
        return x * 2.0

    def pullback(g):
        g *= 2.0
        return g

    own = _own(twice, pullback)
    x = tg.rand(2, dtype=tg.float64, requires_grad=True)
    with pytest.raises(
        GraphError, match="the backward writes into the gradient of output 0"
    ):
        tg.autograd.gradcheck(own, x)


FUSED = {
    "the argument": lambda x: ((x, x * 2.0), None),
    "a view": lambda x: ((x[...], x * 2.0), None),
    "one array twice": lambda x: ((y := x * 1.0, y), None),
    "a view of another output": lambda x: ((y := x * 1.0, y[...]), None),
}


@pytest.mark.parametrize("name", FUSED)
def test_outputs_of_a_fused_op_share_memory_with_nothing(name):
    def _pair(x, /):
        return x * 1.0, x * 1.0

    def backward(xp, grads, *_):
        return (sum(g for g in grads if g is not None),)

    fused = FusedOp(_pair, lambda xp, x: FUSED[name](x), backward)
    leaf = tg.ones(2, requires_grad=True)
    x = leaf * 3.0
    saved = x**2
    one, two = fused(x)
    squared = two**2
    arrays = [t.numpy() for t in (x, one, two)]
    for i, a in enumerate(arrays):
        assert not any(np.shares_memory(a, b) for b in arrays[:i])
    one.zero_()
    (saved.sum() + squared.sum() * 0.0).backward()
    assert leaf.grad.tolist() == [18, 18]
    if "argument" in name or name == "a view":
        x = tg.ones(2, dtype=tg.float64, requires_grad=True)
        with pytest.raises(
            GraphError, match="pair: the result shows the memory of argument x"
        ):
            tg.autograd.gradcheck(fused, x)


@pytest.mark.parametrize(
    ("forward", "got"),
    [
        (lambda xp, x: (x * 2.0, x), "float32 ndarray of shape"),
        (lambda xp, x: x * 2.0, "float32 ndarray of shape"),
        (lambda xp, x: (x * 2.0,), "tuple"),
        (lambda xp, x: (x * 2.0, x, x), "tuple"),
    ],
)
def test_outputs_that_are_no_tuple_are_refused(forward, got):
    """An array would be taken apart, row by row."""

    def twice(x, /):
        return x * 2.0

    with pytest.raises(tg.Error, match=rf"twice: the forward gave outputs as {got}"):
        FusedOp(twice, forward)(tg.ones(1, 3))


def _twice(xp, x, /):
    return x * 2.0


def test_a_pullback_that_uses_what_is_no_op():
    double = _own(_twice, lambda g, xp: 2.0 * xp.expand_dims(g, axis=0)[0])
    x = tg.ones(2, requires_grad=True)
    double(x).sum().backward()
    with pytest.raises(tg.Error, match=r"xp.expand_dims: got a name that is no op"):
        double(x).sum().backward(create_graph=True)


def test_a_pullback_that_gives_a_number_of_numpy():
    double = _own(_twice, lambda g: np.float32(2.0))
    with pytest.raises(tg.Error, match=r"is float32 scalar of shape \(\), expected"):
        double(tg.ones(2, requires_grad=True)).sum().backward()
