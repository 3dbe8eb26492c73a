"""autograd.functional: against derivatives by hand and by differences; PyTorch's in the
parity tests.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import assert_close

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.autograd import grad
from tinygrad_rnn.autograd.functional import hessian, hvp, jacobian, jvp, vjp
from tinygrad_rnn.errors import DTypeError, GraphError, ShapeError

SHAPES = st.sampled_from([(), (1,), (3,), (2, 3), (2, 1, 2), (0,), (2, 0)])


def draw(rng, *shape, requires_grad=False):
    return tg.tensor(rng.uniform(-1.5, 1.5, shape), requires_grad=requires_grad)


def function(weights):
    """Of any number of inputs of any shape: two outputs, (2, 2) and (), that mix
    everything.
    """

    def call(*xs):
        total = sum(
            (
                (x * w).sum().tanh() + (x**3 * w).sum()
                for x, w in zip(xs, weights, strict=True)
            ),
            0.0,
        )
        return tg.stack([total, total.exp(), total * total, total.sin()]).reshape(
            2, 2
        ), total**2

    return call


@given(st.lists(SHAPES, min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_the_products_agree_with_the_jacobian(shapes, seed):
    rng = np.random.default_rng(seed)
    xs, vs, ws = (tuple(draw(rng, *shape) for shape in shapes) for _ in range(3))
    us = (draw(rng, 2, 2), draw(rng))
    call = function(ws)
    rows = jacobian(call, xs)
    assert [[part.shape for part in row] for row in rows] == [
        [out.shape + x.shape for x in xs] for out in us
    ]
    flat = [
        [
            part.numpy().reshape(u.numel(), x.numel())
            for part, x in zip(row, xs, strict=True)
        ]
        for row, u in zip(rows, us, strict=True)
    ]
    matrix = np.block([[*row] for row in flat])
    u, v = (np.concatenate([t.numpy().ravel() for t in ts]) for ts in (us, vs))

    outputs, pulled = vjp(call, xs, us)
    assert all(np.array_equal(a, b) for a, b in zip(outputs, call(*xs), strict=True))
    assert_close(np.concatenate([g.numpy().ravel() for g in pulled]), u @ matrix, 1e-12)
    outputs, pushed = jvp(call, xs, vs)
    assert all(np.array_equal(a, b) for a, b in zip(outputs, call(*xs), strict=True))
    assert_close(np.concatenate([g.numpy().ravel() for g in pushed]), matrix @ v, 1e-12)
    assert not any(t.requires_grad for t in (*outputs, *pulled, *pushed))

    eps = 1e-6
    moved = [
        call(*(x + v * s for x, v in zip(xs, vs, strict=True))) for s in (eps, -eps)
    ]
    slope = np.concatenate(
        [(a - b).numpy().ravel() / (2 * eps) for a, b in zip(*moved, strict=True)]
    )
    assert_close(matrix @ v, slope, 1e-7)


@given(st.lists(SHAPES, min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_the_hessian(shapes, seed):
    rng = np.random.default_rng(seed)
    xs, vs, ws = (tuple(draw(rng, *shape) for shape in shapes) for _ in range(3))

    def call(*xs):
        return function(ws)(*xs)[1]

    blocks = hessian(call, xs)
    matrix = np.block(
        [
            [
                part.numpy().reshape(a.numel(), b.numel())
                for part, b in zip(row, xs, strict=True)
            ]
            for row, a in zip(blocks, xs, strict=True)
        ]
    )
    assert_close(matrix, matrix.T, 1e-12)
    v = np.concatenate([t.numpy().ravel() for t in vs])
    value, products = hvp(call, xs, vs)
    assert value.item() == call(*xs).item()
    assert_close(
        np.concatenate([g.numpy().ravel() for g in products]), matrix @ v, 1e-12
    )
    eps = 1e-6
    ends = [
        vjp(call, tuple(x + v * s for x, v in zip(xs, vs, strict=True)))[1]
        for s in (eps, -eps)
    ]
    slope = np.concatenate(
        [(a - b).numpy().ravel() / (2 * eps) for a, b in zip(*ends, strict=True)]
    )
    assert_close(matrix @ v, slope, 1e-6)


# ---------------------------------------------------------------- nesting


def test_single_inputs_and_outputs_are_not_wrapped():
    x = tg.tensor([1.0, 2.0], dtype="float64")
    y, g = vjp(lambda x: x**2, x, tg.ones_like(x))
    assert (y.tolist(), g.tolist()) == ([1, 4], [2, 4])
    y, t = jvp(lambda x: x**2, x, tg.ones_like(x))
    assert (y.tolist(), t.tolist()) == ([1, 4], [2, 4])
    assert jacobian(lambda x: x**2, x).tolist() == [[2, 0], [0, 4]]
    assert hessian(lambda x: (x**3).sum(), x).tolist() == [[6, 0], [0, 12]]
    assert hvp(lambda x: (x**3).sum(), x, x)[1].tolist() == [6, 24]
    (one,) = jacobian(lambda x: (x**2,), x)
    assert one.tolist() == [[2, 0], [0, 4]]
    ((one,),) = jacobian(lambda x: [x**2], [x])
    assert one.tolist() == [[2, 0], [0, 4]]


def test_vectors_may_be_left_out_for_a_single_number():
    x = tg.tensor([2.0], dtype="float64")
    assert vjp(lambda x: x**3, x)[1].tolist() == [12]
    assert jvp(lambda x: x**3, x)[1].tolist() == [12]
    assert hvp(lambda x: x**3, x)[1].tolist() == [12]


def test_what_does_not_matter_gives_zeros():
    x, y = tg.ones(2, dtype="float64"), tg.ones(3)

    def call(x, y):
        return x * 2.0, y.detach().sum(), tg.zeros(2)

    rows = jacobian(call, (x, y))
    assert [[part.shape for part in row] for row in rows] == [
        [(2, 2), (2, 3)],
        [(2,), (3,)],
        [(2, 2), (2, 3)],
    ]
    assert not rows[0][1].any()
    assert not rows[1][0].any()
    assert rows[0][1].dtype == "float32"
    assert [g.tolist() for g in vjp(lambda x, y: x.sum(), (x, y))[1]] == [
        [1, 1],
        [0, 0, 0],
    ]
    assert hvp(lambda x, y: x.sum(), (x, y), (x, y))[1][0].tolist() == [0, 0]
    assert jvp(lambda x, y: y.detach() * 1.0, (x, y), (x, y))[1].tolist() == [0, 0, 0]
    assert not hessian(lambda x: x.sum(), x).any()


# ---------------------------------------------------------------- further derivatives


def test_create_graph():
    """Each result is differentiated once more, by the inputs and by the vector."""
    rng = np.random.default_rng(0)
    x, v = draw(rng, 3, requires_grad=True), draw(rng, 3, requires_grad=True)

    def call(x):
        return (x**4).sum()

    a, b = x.numpy(), v.numpy()
    cases = {
        "vjp": (
            lambda: vjp(lambda x: x**4, x, v, create_graph=True)[1],
            12 * a**2 * b,
            4 * a**3,
        ),
        "jvp": (
            lambda: jvp(lambda x: x**4, x, v, create_graph=True)[1],
            12 * a**2 * b,
            4 * a**3,
        ),
        "hvp": (lambda: hvp(call, x, v, create_graph=True)[1], 24 * a * b, 12 * a**2),
        "jacobian": (
            lambda: jacobian(lambda x: x**4, x, True).sum(1) * v,
            12 * a**2 * b,
            4 * a**3,
        ),
        "hessian": (lambda: hessian(call, x, True).sum(1) * v, 24 * a * b, 12 * a**2),
    }
    for name, (run, by_x, by_v) in cases.items():
        found = grad(run().sum(), [x, v])
        assert_close(found[0].numpy(), by_x, 1e-12, what=name)
        assert_close(found[1].numpy(), by_v, 1e-12, what=name)
        assert x.grad is None
    y, _ = vjp(call, x, create_graph=True)
    assert_close(grad(y, x)[0].numpy(), 4 * a**3, 1e-12)


def test_inputs_keep_their_history_to_themselves():
    x = tg.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    y = x * 3.0
    z, g = vjp(lambda y: y**2, y, tg.ones_like(y))
    assert z.is_leaf
    assert not g.requires_grad
    y.sum().backward()  # its graph is as it was
    assert x.grad.tolist() == [3, 3]


def test_inside_no_grad():
    x = tg.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    with tg.no_grad():
        assert jacobian(lambda x: x**2, x).tolist() == [[2, 0], [0, 4]]
        assert jvp(lambda x: x**2, x, x)[1].tolist() == [2, 8]
        g = hvp(lambda x: (x**3).sum(), x, tg.ones_like(x), create_graph=True)[1]
        assert not tg.is_grad_enabled()
    assert grad(g.sum(), x)[0].tolist() == [6, 6]


@pytest.mark.parametrize("cell", [nn.RNN, nn.LSTM, nn.GRU])
def test_through_a_layer(cell):
    """A Hessian-vector product through time, as the slope of the gradient along the
    vector.
    """
    tg.manual_seed(0)
    rnn, x = cell(2, 3).double(), tg.randn(4, 2, 2, dtype="float64")
    w = rnn.weight_hh_l0
    base, v = w.detach().clone(), tg.randn(*w.shape, dtype="float64")

    def loss(w_hh):
        rnn.__dict__["weight_hh_l0"] = (
            w_hh  # one that has a history, which is no parameter
        )
        return rnn(x)[0].square().sum()

    product = hvp(loss, base, v)[1].numpy()
    ends = [vjp(loss, base + v * s)[1].numpy() for s in (1e-5, -1e-5)]
    assert_close(product, (ends[0] - ends[1]) / 2e-5, 1e-8)
    tangent = jvp(lambda w: loss(w), base, v)[1].item()
    values = [loss(base + v * s).item() for s in (1e-5, -1e-5)]
    assert_close(tangent, (values[0] - values[1]) / 2e-5, 1e-8)


# ---------------------------------------------------------------- strict, and errors

X = tg.tensor([1.0, 2.0], dtype="float64")
Y = tg.tensor([3.0], dtype="float64")
STRICT = {
    "vjp, an input": (
        lambda s: vjp(lambda x, y: x.sum(), (X, Y), strict=s),
        "vjp: .*input 1",
    ),
    "vjp, an output": (
        lambda s: vjp(lambda x: (x.sum(), X.sum()), X, (Y[0], Y[0]), strict=s),
        "vjp: .*output 1",
    ),
    "vjp, linear": (
        lambda s: vjp(
            lambda x: x.sum() * 2.0, X.detach().requires_grad_(), None, True, s
        ),
        "vjp: .*input 0",
    ),
    "jvp, an input": (
        lambda s: jvp(lambda x, y: x, (X, Y), (X, Y), strict=s),
        "jvp: .*input 1",
    ),
    "jvp, an output": (
        lambda s: jvp(lambda x: (x, X), X, X, strict=s),
        "jvp: .*output 1",
    ),
    "hvp, linear": (lambda s: hvp(lambda x: x.sum(), X, X, strict=s), "hvp: .*input 0"),
    "jacobian": (
        lambda s: jacobian(lambda x, y: x, (X, Y), strict=s),
        "jacobian: .*input 1",
    ),
    "hessian": (
        lambda s: hessian(lambda x: x.sum(), X, strict=s),
        "hessian: .*input 0",
    ),
    "hessian, apart": (
        lambda s: hessian(lambda x, y: (x**2).sum() + (y**3).sum(), (X, Y), strict=s),
        "jacobian: .*input 1",
    ),
}


@pytest.mark.parametrize("name", STRICT)
def test_strict(name):
    call, words = STRICT[name]
    call(False)
    with pytest.raises(GraphError, match=words):
        call(True)


REFUSED = {
    "an array": (
        lambda: vjp(lambda x: x, np.ones(2)),
        DTypeError,
        "vjp: inputs is float64 ndarray of shape",
    ),
    "a number among inputs": (
        lambda: jacobian(lambda x, y: x, (X, 2.0)),
        DTypeError,
        r"jacobian: inputs\[1\] is float, expected a Tensor",
    ),
    "no inputs": (lambda: jvp(lambda: X, ()), GraphError, "jvp: got no inputs"),
    "integers": (
        lambda: hvp(lambda x: x.sum(), tg.arange(2)),
        DTypeError,
        "expected floats",
    ),
    "an output that is none": (
        lambda: hessian(lambda x: 3.0, X),
        DTypeError,
        "hessian: the output is float, expected a Tensor",
    ),
    "no vector": (
        lambda: vjp(lambda x: x, X),
        ShapeError,
        r"vjp: the output .*, or a v of",
    ),
    "too few vectors": (
        lambda: jvp(lambda x, y: x, (X, Y), X),
        ShapeError,
        r"jvp: v .*\[\(2,\)\], expected \[\(2,\), \(1,\)\]",
    ),
    "a vector's shape": (
        lambda: hvp(lambda x: x.sum(), X, Y),
        ShapeError,
        r"hvp: v .*\[\(1,\)\], expected \[\(2,\)\]",
    ),
    "a vector that is a list": (
        lambda: vjp(lambda x: x, X, [1.0, 2.0]),
        DTypeError,
        r"v\[0\] is",
    ),
    "hessian of several": (lambda: hessian(lambda x: x, X), ShapeError, "hessian: "),
    "hvp of several": (
        lambda: hvp(lambda x: (x.sum(), x.sum()), X, X),
        ShapeError,
        "hvp: ",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()
