"""A user declares an op as the package declares its own, and is told at once what is
wrong.
"""

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
    (first,) = grad(
        call(t := tg.tensor(x, requires_grad=True)), t, tg.tensor(u), create_graph=True
    )
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
        call(example) if name != "a misspelt name" else example.vjp(
            lambda g, z: g, None
        )


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


def test_an_optional_array():
    def _affine(x, b=None, /, scale=1.0):
        return x * scale if b is None else x * scale + b

    def forward(xp, x, b, scale):
        return (x * scale if b is None else x * scale + b,), None

    def backward(xp, grads, needs, inputs, outputs, workspace, scale):
        return grads[0] * scale if needs[0] else None, grads[0] * 1.0 if needs[
            1
        ] else None

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
    with pytest.raises(
        DTypeError, match="affine: missing .*'x'; the arguments are x, b"
    ):
        affine()


def test_errors_of_ones_own_are_not_touched():
    """They keep their kind and their words; a note says which op it was."""

    class Own(ValueError):
        pass

    @op
    def refuses(xp, x, /, how, words="no"):
        raise how(words)

    def _fused(x, /, how, words="no"):
        return x * 1.0

    def forward(xp, x, how, words):
        raise how(words)

    for call in (refuses, FusedOp(_fused, forward)):
        for how in (
            DTypeError,
            KeyError,
            TypeError,
            ValueError,
            IndexError,
            OverflowError,
            Own,
        ):
            with pytest.raises(how) as error:
                call(leaf(1.0), how)
            assert type(error.value) is how
            assert error.value.args == ("no",)
            name = refuses.name if call is refuses else "fused"
            note = (
                f"It was raised by the forward of {name} (got float64 of shape (1,))."
            )
            wanted = [] if how is DTypeError else [note]
            assert getattr(error.value, "__notes__", []) == wanted
        with pytest.raises(Own):
            call(leaf(1.0), Own, words="shapes that do not fit")


@pytest.mark.parametrize("fused", [False, True])
def test_errors_of_the_library_about_shapes_are_said_in_terms_of_the_op(fused):
    def product(xp, x, y, /):
        return x * y + xp.matmul(x, y)

    def _product(x, y, /):
        return x * y + x.matmul(y)

    call = (
        FusedOp(_product, lambda xp, x, y: ((product(xp, x, y),), None))
        if fused
        else op(product)
    )
    with pytest.raises(
        tg.errors.ShapeError, match=r"product: the shapes \(2, 3\) and \(4, 5\)"
    ):
        call(tg.ones(2, 3), tg.ones(4, 5))
    with pytest.raises(
        tg.errors.ShapeError, match="product: .*aligned.*got float32 of shape"
    ):
        call(tg.ones(2, 3), tg.ones(2, 3))


@pytest.mark.parametrize(
    "call",
    [
        lambda: tg.tensor([2]) ** -1,
        lambda: tg.tensor([2, 3]) ** tg.tensor([-1, 2]),
        lambda: 2 ** tg.tensor([-1]),
        lambda: tg.tensor([2]).pow(-2),
    ],
)
def test_integers_to_a_negative_power_are_no_matter_of_shapes(call):
    with pytest.raises(
        tg.errors.OptionError, match=r"pow.*negative integer powers.*\.float\(\)"
    ):
        call()


# ---------------------------------------------------------------- memory that is shared


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
    fn = lambda *args: _called(own, list(args))
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

        back = lambda xp, grads, needs, inputs, *_: (grads[0] * 2.0, None)[
            : len(inputs)
        ]
        one = FusedOp(_one, lambda xp, x: ((_writes(xp, x),), None), back)
        two = FusedOp(
            _two, lambda xp, x, y: ((_writes_where_nobody_looks(xp, x, y),), None), back
        )
    scale = 2.0 if between else None
    args = [tg.rand(2, dtype=tg.float64) + 1.0 for _ in range(2)]
    args[0].requires_grad_()
    enter = lambda x: x * scale if between else x
    for own, count, what in ((one, 1, "x"), (two, 2, "y")):
        fn = lambda *args: own(*map(enter, args))
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

    backward = lambda xp, grads, *_: (sum(g for g in grads if g is not None),)
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
    "an error of the library": (
        lambda g, k: _raise(ValueError("no")),
        ValueError,
        "no",
    ),
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
            first = (
                pullback(grads[0], k, xp)
                if name == "another shape"
                else pullback(grads[0], k)
            )
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
    """A backward may hand its cotangent on, twice: no leaf holds what another one
    holds.
    """

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
    with pytest.raises(
        tg.Error, match=f"odd: the forward gave {kind}, expected an array"
    ):
        odd(tg.ones(2))
