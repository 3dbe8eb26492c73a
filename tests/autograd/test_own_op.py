"""A user declares an op as the package declares its own, and is told at once what is wrong."""

import re

import numpy as np
import pytest
from oracle import assert_close, complex_step, difference, gradients

import tinygrad_rnn as tg
from tinygrad_rnn import errors
from tinygrad_rnn.autograd import FusedOp, grad, op
from tinygrad_rnn.engine.op import table
from tinygrad_rnn.errors import DTypeError, GraphError


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

    value = lambda x: x / (1 + np.exp(-2.0 * x))
    call = lambda x: swish(x, beta=2.0)
    x, u = np.array([-1.0, 0.5, 2.0]), np.array([1.0, -2.0, 0.5])
    (found,) = gradients(call, [x], [0], [u])
    assert_close(found, complex_step(value, [x], [0], [u])[0], 1e-14)
    (first,) = grad(call(t := tg.tensor(x, requires_grad=True)), t, tg.tensor(u), create_graph=True)
    slope = lambda x: gradients(call, [x], [0], [u])[0].sum()
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
        call(example) if name != "a misspelt name" else example.vjp(lambda g, z: g, None)


def test_a_forward_whose_arrays_are_not_positional_is_refused():
    """``/`` is what tells arrays from settings."""
    with pytest.raises(DTypeError, match=r"example: .*before a slash"):

        @op
        def example(xp, x):
            return x


# ---------------------------------------------------------------- fused


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
    value = lambda x, y: np.sqrt(x * x + y * y) * used[0] + (x - y) * used[1]

    def call(x, y):
        out, difference = hypot(x, y)
        if not used[1]:
            return out * used[0]
        return difference * used[1] if not used[0] else out * used[0] + difference * used[1]

    u = np.array([1.0, -2.0])
    wanted = complex_step(value, [a, b], [0, 1], [u])
    for create in (False, True):
        for found, exact in zip(gradients(call, [a, b], [0, 1], [u], create), wanted, strict=True):
            assert_close(found, exact, 1e-14)
    x, y = leaf(3.0, 1.0), leaf(4.0, 2.0)
    first = grad(call(x, y).sum(), x, create_graph=True)[0]
    slope = lambda a: gradients(call, [a, b], [0], [np.ones(2)])[0].sum()
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
        return ((0.0 if g is None else g * outputs[0]) + (0.0 if h is None else h * outputs[1]),)

    fused = FusedOp(_twice_exp, forward, backward, reads_outputs=True)
    x = leaf(1.0)
    one, two = fused(x)
    assert_close(grad((one + two).sum(), x)[0].numpy(), 3 * np.exp([1.0]), 1e-15)
    one, two = fused(x)
    with tg.no_grad():
        two.zero_()
    with pytest.raises(GraphError, match="twice_exp .*changed in place"):
        one.sum().backward()


def test_an_optional_array():
    def _affine(x, b=None, /, scale=1.0):
        return x * scale if b is None else x * scale + b

    def forward(xp, x, b, scale):
        return (x * scale if b is None else x * scale + b,), None

    def backward(xp, grads, needs, inputs, outputs, workspace, scale):
        return grads[0] * scale if needs[0] else None, grads[0] * 1.0 if needs[1] else None

    affine = FusedOp(_affine, forward, backward)
    x, b = leaf(2.0), leaf(3.0)
    assert affine(x).tolist() == [2]
    assert affine(x, b, 5.0).tolist() == [13]
    assert affine(x, None, scale=4.0).tolist() == [8]
    for call in (lambda: affine(x, scale=5.0), lambda: affine(x, None, 5.0)):
        for create in (False, True):
            assert grad(call().sum(), x, create_graph=create)[0].tolist() == [5]
    for create in (False, True):
        found = grad(affine(x, b, 5.0).sum(), [x, b], create_graph=create)
        assert [g.tolist() for g in found] == [[5], [1]]
    with pytest.raises(DTypeError, match="affine: missing .*'x'; the arguments are x, b"):
        affine()


def test_errors_of_ones_own_are_not_touched():
    """What the array library raises is said again in terms of the op; ours says it already."""

    @op
    def refuses(xp, x, /, how):
        raise how("no")

    for how, kind, words in (
        (DTypeError, DTypeError, r"no"),
        (KeyError, KeyError, r"'no'"),
        (TypeError, DTypeError, r"refuses: no \(got float64 of shape \(1,\)\)"),
        (ValueError, ValueError, r"refuses: no .*"),
    ):
        with pytest.raises(kind) as error:
            refuses(leaf(1.0), how)
        assert re.fullmatch(words, str(error.value))


def test_an_op_that_hands_its_argument_on_makes_a_copy():
    @tg.autograd.op
    def handed_on(xp, x, /):
        return x

    handed_on.vjp(lambda g: g)
    x = tg.ones(2, requires_grad=True)
    y = x * 3.0
    z = y**2
    w = handed_on(y)
    w += 1.0
    z.sum().backward()
    assert x.grad.tolist() == [18, 18]


# ---------------------------------------------------------------- a backward that fails


def _raise(error):
    raise error


FAILS = {
    "another shape": (
        lambda g, k, xp: xp.concat((g, g[:1]), axis=0),
        errors.ShapeError,
        r"scale: the gradient of argument x is float32{} of shape \(3, 3\), expected {} of shape \(2, 3\)$",
    ),
    "the same size in another shape": (
        lambda g, k: (g * k).T,
        errors.ShapeError,
        r"scale: the gradient of argument x is float32{} of shape \(3, 2\), expected {} of shape \(2, 3\)$",
    ),
    "too few elements": (
        lambda g, k: g[0],
        errors.ShapeError,
        r"scale: the gradient of argument x is float32{} of shape \(3,\), expected {} of shape \(2, 3\)$",
    ),
    "no array": (
        lambda g, k: 2.0,
        errors.ShapeError,
        r"scale: the gradient of argument x is float, expected {} of shape \(2, 3\)$",
    ),
    "an error of the library": (lambda g, k: _raise(ValueError("no")), ValueError, "no"),
    "an error of its own": (lambda g, k: _raise(KeyError("no")), KeyError, "no"),
    "memory": (lambda g, k: _raise(MemoryError("no")), MemoryError, "no"),
}


@pytest.mark.parametrize("name", FAILS)
@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_a_pullback_that_fails_is_named(name, create, fused):
    """The op, and the argument; nothing was added to a gradient."""
    pullback, kind, words = FAILS[name]
    if fused and create:
        return  # then its backward does not run

    @op
    def scale(xp, x, k, /):
        return x * k

    scale.vjp(pullback, lambda g, x: g * x)
    if fused:

        def back(xp, grads, needs, inputs, outputs, workspace):
            x, k = inputs
            first = pullback(grads[0], k, xp) if name == "another shape" else pullback(grads[0], k)
            return first, grads[0] * x

        def _scale(x, k, /):
            return x * k

        scale = FusedOp(_scale, lambda xp, x, k: ((x * k,), None), back)
    x, k = (tg.ones(2, 3, requires_grad=True) for _ in range(2))
    forms = ("a Tensor",) if "is float," in words else ("", "a Tensor")
    if not create:
        forms = ("an array",) if "is float," in words else (" ndarray", "an array")
    with pytest.raises(kind, match=words.format(*forms)) as caught:
        scale(x, k).sum().backward(create_graph=create)
    told = [str(caught.value), *getattr(caught.value, "__notes__", ())]
    assert any("scale" in line for line in told)
    assert x.grad is None
    assert k.grad is None


def test_a_backward_that_gives_too_few_gradients_is_named():
    def _scale(x, k, /):
        return x * k

    backward = lambda xp, grads, needs, inputs, *_: (grads[0] * inputs[1],)
    fused = FusedOp(_scale, lambda xp, x, k: ((x * k,), None), backward)
    with pytest.raises(tg.Error, match="scale: 1 gradients, expected those of x, k"):
        fused(leaf(1.0), leaf(2.0)).sum().backward()


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


def test_gradients_of_one_memory_are_told_apart():
    """A backward may hand its cotangent on, twice: no leaf holds what another one holds."""

    def total(x, y, /):
        return x + y

    backward = lambda xp, grads, *_: (grads[0], grads[0])
    fused = FusedOp(total, lambda xp, x, y: ((x + y,), None), backward)
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    for _ in range(2):
        (fused(x, y) * 3.0).sum().backward()
    assert x.grad.tolist() == y.grad.tolist() == [6.0, 6.0]


def test_a_pullback_without_a_return_is_told():
    @op
    def triple(xp, x, /):
        return 3 * x

    def forgotten(g):
        g * 3

    triple.vjp(forgotten)
    x = leaf(1.0)
    with pytest.raises(
        tg.Error, match="triple: the gradient of argument x is NoneType, expected an"
    ):
        triple(x).sum().backward()


@pytest.mark.parametrize("out", [None, [1.0], (1.0,), 1.0, "1"])
def test_a_forward_that_gives_no_array_is_told(out):
    @op
    def odd(xp, x, /):
        return out

    kind = type(out).__name__
    with pytest.raises(tg.Error, match=f"odd: the forward gave {kind}, expected an array"):
        odd(tg.ones(2))
