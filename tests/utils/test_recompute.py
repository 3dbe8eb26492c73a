"""utils.checkpoint: the same gradients as without it, of every order, for less memory."""

import gc
import math
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import assert_close
from work import assert_linear

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.autograd import grad, gradcheck, gradgradcheck
from tinygrad_rnn.errors import (
    DimError,
    DTypeError,
    GraphError,
    OptionError,
    ShapeError,
)
from tinygrad_rnn.utils.checkpoint import checkpoint, checkpoint_sequence

ways = pytest.mark.parametrize(
    "run",
    [lambda f, *args, **kw: f(*args, **kw), checkpoint],
    ids=["plain", "checkpoint"],
)


def leaf(*shape, seed=0):
    values = np.random.default_rng(seed).uniform(0.3, 1.5, shape)
    return tg.tensor(values, requires_grad=True)


def both(build, inputs, order=2):
    """The values and derivatives of ``build(run)``, plain and checkpointed, as lists of
    arrays.
    """
    found = []
    for run in (lambda f, *args, **kwargs: f(*args, **kwargs), checkpoint):
        tg.manual_seed(1)
        total = build(run)
        results = [total]
        for _ in range(order):
            grads = grad(total, inputs, create_graph=True, allow_unused=True)
            grads = [
                tg.zeros_like(x) if g is None else g
                for x, g in zip(inputs, grads, strict=True)
            ]
            results += grads
            total = sum((g * g).sum() for g in grads)
            if not total.requires_grad:
                break
        found.append([r.detach().numpy() for r in results])
    return found


def assert_equal(build, inputs, order=2):
    plain, again = both(build, inputs, order)
    for i, (one, two) in enumerate(zip(plain, again, strict=True)):
        # a first derivative is made by the same steps, but for sums
        if i <= len(inputs):
            assert_close(two, one, 1e-15, what=f"result {i}")
        assert_close(two, one, 1e-12, what=f"result {i}")


# ---------------------------------------------------------------- what it may be used on


def test_an_expression():
    x, y = leaf(3), leaf(2, 3, seed=1)
    assert_equal(
        lambda run: run(lambda x, y: (x * y.tanh()).sum() ** 2, x, y), [x, y], order=3
    )
    assert gradcheck(lambda x, y: checkpoint(lambda x, y: x * y.exp(), x, y), (x, y))
    assert gradgradcheck(
        lambda x, y: checkpoint(lambda x, y: x * y.exp(), x, y), (x, y)
    )


def test_parameters_that_are_no_arguments():
    rnn, x = nn.LSTM(2, 3).double(), leaf(4, 2, 2)
    parameters = list(rnn.parameters())
    assert_equal(
        lambda run: run(lambda x: rnn(x)[0].square().sum(), x), [x, *parameters]
    )
    checkpoint(
        lambda x: rnn(x)[0].sum(), x.detach()
    ).backward()  # no argument needs a gradient
    assert all(p.grad is not None for p in parameters)
    assert x.grad is None


def test_what_was_recorded_before():
    """Tensors from outside that have a history, used as arguments or not, one made of
    the other.
    """
    x, w = leaf(3), leaf(3, seed=1)

    def build(run):
        a = x * w
        b = a.exp()
        return (run(lambda b: a * b.tanh() + b, b) * a).sum() + b.sum()

    assert_equal(build, [x, w])


def test_nested_arguments_and_outputs():
    x, y, z = leaf(3), leaf(3, seed=1), leaf(3, seed=2)

    def function(pair, options, factor=1.0, *, more):
        (a, b), name = pair, options["name"]
        return {
            "sum": a + b * factor,
            "rest": [a * b, (more["z"].exp(), name, None)],
        }, 3.0

    def build(run):
        out, number = run(function, (x, y), {"name": "n"}, 2.0, more={"z": z})
        one, (two, name, none) = out["rest"]
        assert (number, name, none) == (3.0, "n", None)
        return (out["sum"] * one * two).sum()

    assert_equal(build, [x, y, z])


def test_several_outputs_of_which_one_is_used():
    x = leaf(3)
    for which in range(3):
        assert_equal(
            lambda run: run(lambda x: (x.exp(), x * x, x.tanh()), x)[which].sum(), [x]
        )
    a, b = checkpoint(lambda x: (x.exp(), x * x), x)
    a.sum().backward(retain_graph=True)
    b.sum().backward()
    np.testing.assert_allclose(x.grad, np.exp(x.numpy()) + 2 * x.numpy(), rtol=1e-15)


def test_outputs_that_are_not_new():
    """An argument that is handed back, twice the same, a view of it, one without a
    gradient.
    """

    def function(x):
        y = x * 2.0
        return x, y, y, x.T, x.detach()

    x = leaf(2, 3)
    h = x * 1.0
    node = h.node
    assert checkpoint(function, h)[0] is h
    assert h.node is node
    a, b, c, d, e = checkpoint(function, x)
    assert a is x
    assert b is c
    assert not e.requires_grad
    assert_equal(
        lambda run: sum(
            (t * t * (k + 1.0)).sum() for k, t in enumerate(run(function, x)[:4])
        ),
        [x],
    )
    assert checkpoint(lambda: 3) == 3


def test_nested_calls():
    x, w = leaf(3), leaf(3, seed=1)

    def build(run):
        inner = lambda x: run(lambda x: (x * w).tanh(), x) * w
        return run(lambda x: run(inner, x) + inner(x), x).sum()

    assert_equal(build, [x, w], order=3)


def test_in_a_chain():
    x, w = leaf(3), leaf(3, seed=1)

    def build(run):
        h = x
        for _ in range(20):
            h = run(lambda h: (h * w).tanh() + h * 0.5, h)
        return h.sum()

    assert_equal(build, [x, w])


def test_a_long_chain_is_linear_work():
    """Each looks at its own part of the graph alone."""

    def run(count):
        x, h = leaf(1), tg.ones(1, dtype="float64")
        for _ in range(count):
            h = checkpoint(lambda h: h * 0.5 + x, h)
        h.sum().backward()

    assert_linear(run, 50)


def test_wanted_gradients_alone():
    """Of several arguments, each may be asked for, while the others get nothing."""
    x, y, seen = leaf(3), leaf(3, seed=1), []

    @tg.autograd.op
    def product(xp, x, y, /):
        return x * y

    product.vjp(
        lambda g, y: seen.append("x") or g * y, lambda g, x: seen.append("y") or g * x
    )
    out = checkpoint(lambda x, y: product(x, y).sum(), x, y)
    assert grad(out, y, retain_graph=True)[0].tolist() == x.tolist()
    assert seen == ["y"]
    assert grad(out, x)[0].tolist() == y.tolist()
    assert seen == ["y", "x"]


def test_assignment_inside():
    x = leaf(3)

    def function(x):
        y = tg.zeros(3, dtype="float64")
        for i in range(3):
            y[i] = x[: i + 1].exp().sum()
        y *= x
        return y

    assert_equal(lambda run: run(function, x).sum(), [x])


def test_under_no_grad_it_is_a_call():
    x = leaf(3)
    with tg.no_grad():
        assert not checkpoint(lambda x: x * 2.0, x).requires_grad
    with tg.no_grad():
        with tg.enable_grad():
            y = checkpoint(lambda x: (x * x).sum(), x)
        y.backward()
    assert x.grad.tolist() == (2 * x.numpy()).tolist()


def test_gradients_are_recorded_inside_of_the_function():
    """A penalty on a gradient, inside of what is checkpointed."""
    x, w = leaf(3), leaf(3, seed=1)

    def penalty(x):
        (g,) = grad((x * w).tanh().sum(), x, create_graph=True)
        return (g * g).sum()

    assert_equal(lambda run: run(penalty, x), [x, w])


# ---------------------------------------------------------------- hooks


def test_hooks_run_once():
    x, w, seen = leaf(3), leaf(3, seed=1), []
    a = x * 1.0
    x.register_hook(lambda g: seen.append("x"))
    w.register_hook(lambda g: seen.append("w"))
    a.register_hook(lambda g: seen.append("a"))

    def function(a):
        inner = a * w
        inner.register_hook(lambda g: seen.append("inner"))
        return inner.exp()

    out = checkpoint(function, a)
    out.register_hook(lambda g: seen.append("out"))
    out.sum().backward()
    assert sorted(seen) == ["a", "inner", "out", "w", "x"]
    assert seen[:2] == ["out", "inner"]


def test_a_hook_on_what_comes_in_sees_the_whole_gradient():
    x = leaf(3)
    a, seen = x * 1.0, []
    a.register_hook(lambda g: seen.append(g.tolist()))
    (checkpoint(lambda a: a * 2.0, a) + a * 3.0).sum().backward()
    assert seen == [[5, 5, 5]]


# ---------------------------------------------------------------- random numbers


@pytest.mark.parametrize("times", [1, 2])
def test_dropout_draws_the_same(times):
    x = leaf(50)
    seen = []

    def function(x):
        y = x
        for _ in range(times):
            y = F.dropout(y, 0.5, True)
            seen.append(y.tolist())
        return y.sum()

    tg.manual_seed(5)
    out = checkpoint(function, x)
    after = tg.rand(3).tolist()
    state = tg.random.default_generator.get_state().tolist()
    out.backward()
    # Nothing was drawn from it
    assert tg.random.default_generator.get_state().tolist() == state
    assert seen[:times] == seen[times:]
    assert (x.grad.numpy() != 0).tolist() == (np.array(seen[-1]) != 0).tolist()
    tg.manual_seed(5)
    function(x)
    assert tg.rand(3).tolist() == after


def test_random_numbers_may_be_left_alone():
    tg.manual_seed(5)
    seen = []
    out = checkpoint(
        lambda x: (seen.append(tg.rand(1).item()), x * 2.0)[1],
        leaf(3),
        preserve_rng_state=False,
    )
    out.sum().backward()
    assert seen[0] != seen[1]


def test_a_random_state_survives_an_error():
    state = tg.random.default_generator.get_state().tolist()
    calls = []

    def function(x):
        calls.append(1)
        tg.rand(1)
        if len(calls) > 1:
            raise KeyError
        return x * 2.0

    out = checkpoint(function, leaf(3))
    after = tg.random.default_generator.get_state().tolist()
    with pytest.raises(KeyError):
        out.sum().backward()
    assert tg.random.default_generator.get_state().tolist() == after != state


# ---------------------------------------------------------------- memory


def test_nothing_is_kept_but_the_results():
    x, arrays = leaf(1000), []

    def function(x):
        y = x.exp()
        arrays.append(weakref.ref(y.array))
        return (y * y).sum()

    gc.collect()
    gc.disable()
    try:
        out = checkpoint(function, x)
        assert arrays[0]() is None
        node = weakref.ref(out.node)
        out.backward(retain_graph=True)
        assert arrays[1]() is None
        out.backward()
        assert arrays[2]() is None
        del out
        assert node() is None
    finally:
        gc.enable()


def test_walked_twice():
    x = leaf(3)
    out = checkpoint(lambda x: x.exp(), x).sum()
    out.backward()
    with pytest.raises(GraphError, match="already walked"):
        out.backward()
    h = checkpoint(lambda x: x.exp(), x)
    h.sum().backward()
    out = checkpoint(lambda h: h * 2.0, h)
    with pytest.raises(GraphError, match="already walked"):
        out.sum().backward()


# ---------------------------------------------------------------- what is noticed


def changed(change, function=lambda x, w, c: (x * w + c).tanh() * c):
    """A change in place between the call and its gradient."""
    x, w, c = leaf(3), leaf(3, seed=1), tg.ones(3, dtype="float64")
    h = x * 1.0
    out = checkpoint(function, h, w, c).sum()
    with tg.no_grad():
        change(h, w, c)
    out.backward()


@pytest.mark.parametrize("which", range(3))
def test_arguments_that_change_are_noticed(which):
    with pytest.raises(GraphError, match="checkpoint .*changed in place"):
        changed(lambda *args: args[which].add_(1.0))


def test_a_parameter_that_changes_is_noticed():
    """A bias too, which an op alone would not need."""
    x, b = leaf(3), leaf(3, seed=1)
    out = checkpoint(lambda x: (x + b).tanh().sum(), x)
    with tg.no_grad():
        b.add_(1.0)
    with pytest.raises(GraphError, match="checkpoint .*changed in place"):
        out.backward()


@pytest.mark.parametrize("record", [True, False])
def test_what_it_uses_from_outside_and_changes_is_noticed(record):
    x = leaf(3)
    for make in (lambda: x * 1.0, lambda: tg.ones(3, dtype="float64")):
        c = make()
        out = checkpoint(lambda x: (x * c).tanh().sum(), x)
        with tg.set_grad_enabled(record):
            c.add_(x.detach())
        with pytest.raises(
            GraphError,
            match="checkpoint: the function did something else|changed in place",
        ):
            out.backward()


def test_a_function_that_does_something_else_is_noticed():
    x, calls = leaf(3), []

    def counts(x):
        calls.append(1)
        return x.exp() if len(calls) % 2 else x.exp() * 2.0

    def other(x):
        calls.append(1)
        return x * (w if len(calls) % 2 else v)

    def narrower(x):
        calls.append(1)
        return x[: 4 - len(calls)] * 1.0

    def fewer(x):
        calls.append(1)
        return (x * 2.0, x * 3.0) if len(calls) % 2 else x * 2.0

    w, v = leaf(3), leaf(3)
    for function in (counts, other, narrower, fewer):
        calls.clear()
        out = checkpoint(function, x)
        out = out if isinstance(out, tg.Tensor) else out[0]
        with pytest.raises(
            GraphError, match="checkpoint: the function did something else"
        ):
            out.sum().backward()
        assert x.grad is None


# ---------------------------------------------------------------- through time

CELLS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


@pytest.mark.parametrize("name", CELLS)
@given(
    steps=st.integers(1, 12),
    chunk=st.one_of(st.none(), st.integers(1, 14)),
    layers=st.integers(1, 2),
    dense=st.booleans(),
    carried=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_sequence_in_chunks(name, steps, chunk, layers, dense, carried, seed):
    """Exactly the gradients of the whole, and those of the same chunks kept, bit for
    bit.
    """
    tg.manual_seed(seed)
    rnn, head = CELLS[name](3, 2, num_layers=layers).double(), nn.Linear(2, 3).double()
    ids = tg.randint(3, (steps + 1, 2))
    x = F.one_hot(ids[:-1], 3).double().requires_grad_() if dense else ids[:-1]
    state = [tg.randn(layers, 2, 2, dtype="float64", requires_grad=True) for _ in "hc"]
    if not carried:
        state = first = None
    else:
        first = tuple(state) if name == "LSTM" else state[0]
        state = state if name == "LSTM" else state[:1]

    def loss(x, y, state):
        output, state = rnn(x, state)
        logits = head(output).flatten(0, 1)
        return F.cross_entropy(logits, y.flatten(), reduction="sum"), state

    def whole():
        total, last = loss(x, ids[1:], first)
        return total, last

    def kept():
        size, total, last = chunk or int(np.ceil(np.sqrt(steps))), [], first
        for i in range(0, steps, size):
            part, last = loss(x[i : i + size], ids[1:][i : i + size], last)
            total.append(part)
        return sum(total), last

    def recomputed():
        losses, last = checkpoint_sequence(loss, x, ids[1:], state=first, chunk=chunk)
        return sum(losses), last

    inputs = [
        *rnn.parameters(),
        *head.parameters(),
        *([x] if dense else []),
        *(state or []),
    ]
    found = []
    for run in (whole, kept, recomputed):
        total, last = run()
        end = sum(
            part.square().sum()
            for part in (last if isinstance(last, tuple) else (last,))
        )
        found.append([g.numpy() for g in (total, end, *grad(total + end, inputs))])
    for one, two, three in zip(*found, strict=True):
        assert_close(two, one, 1e-13)
        assert_close(three, one, 1e-13)
        np.testing.assert_array_equal(three, two)


def test_dropout_between_layers_in_chunks():
    tg.manual_seed(0)
    rnn, x = nn.GRU(2, 3, num_layers=2, dropout=0.5).double(), leaf(9, 2, 2)
    found = []
    for run in (lambda f, *args: f(*args), checkpoint):
        tg.manual_seed(3)
        total, state = 0.0, None
        for part in x.split(3):
            output, state = run(rnn, part, state)
            total = total + output.square().sum()
        found.append([g.numpy() for g in grad(total, [x, *rnn.parameters()])])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_layer_is_a_step():
    rnn, x = nn.LSTM(2, 3, batch_first=True), tg.randn(4, 10, 2)
    outputs, (h, c) = checkpoint_sequence(rnn, x, chunk=3, dim=1)
    assert [out.shape[1] for out in outputs] == [3, 3, 3, 1]
    output, (h_n, c_n) = rnn(x)
    np.testing.assert_allclose(
        tg.cat(outputs, 1).detach(), output.detach(), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(h.detach(), h_n.detach(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(c.detach(), c_n.detach(), rtol=1e-5, atol=1e-6)


def test_a_cell_and_an_array_make_a_step():
    cell, x = nn.GRUCell(2, 3).double(), np.random.default_rng(0).normal(size=(10, 2))

    def step(x, h):
        for row in x:
            h = cell(tg.tensor(row), h)
        return h.sum(), h

    outputs, h = checkpoint_sequence(step, x)
    assert len(outputs) == 3
    assert_close(h.detach().numpy(), step(x, None)[1].detach().numpy(), 1e-15)
    outputs[-1].backward()
    assert cell.weight_hh.grad is not None


def test_second_derivatives_through_time():
    tg.manual_seed(0)
    rnn, x = nn.RNN(2, 2).double(), leaf(9, 1, 2)
    inputs = [x, *rnn.parameters()]
    found = []
    for run in (
        lambda: rnn(x)[0].square().sum(),
        lambda: sum(o.square().sum() for o in checkpoint_sequence(rnn, x)[0]),
    ):
        grads = grad(run(), inputs, create_graph=True)
        total = sum((g * g).sum() for g in grads)
        found.append([g.numpy() for g in grad(total, inputs)])
    for one, two in zip(*found, strict=True):
        assert_close(two, one, 1e-12)


def peak(steps, recompute):
    """Bytes at the most in a step of training over so many steps."""
    tg.manual_seed(0)
    rnn, head = nn.RNN(5, 16), nn.Linear(16, 5)
    text = tg.randint(5, (steps + 1, 2))

    def loss(x, y, state=None):
        output, state = rnn(x, state)
        return F.cross_entropy(
            head(output).flatten(0, 1), y.flatten(), reduction="sum"
        ), state

    def run():
        if recompute:
            sum(checkpoint_sequence(loss, text[:-1], text[1:])[0]).backward()
        else:
            loss(text[:-1], text[1:])[0].backward()

    tg.backend.pool.clear()
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_grows_as_the_root_of_the_length():
    peak(400, True)  # what is made once
    small, large = peak(400, True), peak(6400, True)
    assert large < 5.5 * small  # 4 times, and not 16 times
    assert peak(6400, False) > 8 * large


REFUSED = {
    "no sequences": (lambda f: checkpoint_sequence(f), "got sequences of nothing"),
    "no steps": (
        lambda f: checkpoint_sequence(f, tg.ones(0, 2)),
        r"\(0, 2\).*at least one",
    ),
    "two lengths": (
        lambda f: checkpoint_sequence(f, tg.ones(3, 2), tg.ones(2, 3)),
        r"\(3, 2\), \(2, 3\), expected the same number of steps in all of them along dim 0",
    ),
    "chunks of none": (
        lambda f: checkpoint_sequence(f, tg.ones(3), chunk=0),
        "chunk is 0",
    ),
    "chunks of a half": (
        lambda f: checkpoint_sequence(f, tg.ones(3), chunk=0.5),
        "chunk is 0.5",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, words = REFUSED[name]
    with pytest.raises(
        (ShapeError, OptionError, TypeError), match=f"checkpoint_sequence: .*{words}"
    ):
        call(lambda *args: pytest.fail("was called"))


def test_a_sequence_may_be_cut_along_any_dim():
    x = tg.randn(3, 7)
    seen = []

    def step(chunk, state):
        seen.append(chunk.shape)
        return chunk.sum(), (state or 0) + chunk.shape[-1]

    _, count = checkpoint_sequence(step, x, dim=-1, chunk=3)
    assert (count, seen) == (7, [(3, 3), (3, 3), (3, 1)])
    for wrong, kind, words in [
        ({"dim": "x"}, DTypeError, "checkpoint_sequence: dim is 'x'"),
        ({"dim": 2}, DimError, "checkpoint_sequence: dim 2"),
    ]:
        with pytest.raises(kind, match=words):
            checkpoint_sequence(step, x, **wrong)
    with pytest.raises(DTypeError, match="checkpoint_sequence: sequence 0 is list"):
        checkpoint_sequence(step, [1.0])
    with pytest.raises(ShapeError, match=r"checkpoint_sequence: got sequences of \(\)"):
        checkpoint_sequence(step, tg.tensor(1.0))
    with pytest.raises(
        DTypeError, match=r"step gave float32 of shape \(2,\), expected \(output,"
    ):
        checkpoint_sequence(lambda chunk, state: tg.ones(2), x)


def test_on_every_device(device):
    x = tg.tensor([1.0, math.nan, -0.0], device=device, requires_grad=True)
    checkpoint(lambda x: x.tanh(), x).sum().backward()
    assert x.grad.cpu()[0].item() == pytest.approx(1.0 - math.tanh(1.0) ** 2)
    losses, _ = checkpoint_sequence(
        lambda x, state: (x.sum(), state), tg.ones(9, 2, device=device)
    )
    assert [loss.item() for loss in losses] == [6.0, 6.0, 6.0]


def test_another_result_is_noticed():
    """Of values that no node of it watches, and of random numbers of another generator."""
    w = tg.ones(3, requires_grad=True)
    m, generator = tg.ones(3), tg.Generator()
    loss = checkpoint(lambda x: (x + m).tanh(), w).sum()
    m.mul_(5.0)
    with pytest.raises(GraphError, match="did something else"):
        loss.backward()
    loss = checkpoint(
        lambda x: F.dropout(x, 0.5, generator=generator), tg.ones(64) * w[0]
    ).sum()
    with pytest.raises(GraphError, match="did something else"):
        loss.backward()
    m = tg.ones(3)
    loss = checkpoint(lambda x: x + m, w).sum()
    m[0] = math.nan
    with pytest.raises(GraphError, match="did something else"):
        loss.backward()
    m = tg.ones(3)
    one, two = checkpoint(lambda x: (x * 2.0, (x + m).tanh()), w)
    m.mul_(5.0)
    with pytest.raises(GraphError, match="did something else"):
        (one + two).sum().backward()
    result = checkpoint(lambda x: x * tg.tensor(math.nan), w)
    result.sum().backward()  # NaN is the same again
    result = checkpoint(lambda x: x * 2.0, w)
    with tg.no_grad():
        result.mul_(3.0)  # by the user: nobody looks
    w.grad = None
    result.sum().backward()
    assert w.grad.tolist() == [2.0] * 3
