"""utils.checkpoint: the gradients of every order as without it, for less memory."""

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
from tinygrad_rnn.random import default_generator
from tinygrad_rnn.utils.checkpoint import checkpoint, checkpoint_sequence


def leaf(*shape, seed=0):
    values = np.random.default_rng(seed).uniform(0.3, 1.5, shape)
    return tg.tensor(values, requires_grad=True)


def plain(function, *args, **kwargs):
    return function(*args, **kwargs)


def derivatives(total, inputs, order):
    """The value, its gradients, and those of the sum of their squares, and so on."""
    results = [total]
    for _ in range(order):
        grads = grad(total, inputs, create_graph=True, materialize_grads=True)
        results += grads
        total = sum((g * g).sum() for g in grads)
        if not total.requires_grad:
            break
    return [result.detach().numpy() for result in results]


def assert_equal(build, inputs, order=2):
    """``build(run)`` has the same derivatives with and without checkpoints."""
    found = []
    for run in (plain, checkpoint):
        tg.manual_seed(1)
        found.append(derivatives(build(run), inputs, order))
    for i, (expected, got) in enumerate(zip(*found, strict=True)):
        # A first derivative is made by the same steps, but for the order of sums.
        assert_close(got, expected, 1e-15 if i <= len(inputs) else 1e-12)


# ---------------------------------------------------------------- what it is used on


def recorded_before(run, x, w):
    """Tensors with a history, as arguments and not, one made of the other."""
    a = x * w
    b = a.exp()
    return (run(lambda b: a * b.tanh() + b, b) * a).sum() + b.sum()


def nested_arguments(run, x, w):
    def function(pair, options, factor=1.0, *, more):
        (a, b), name = pair, options["name"]
        rest = [a * b, (more["z"].exp(), name, None)]
        return {"sum": a + b * factor, "rest": rest}, 3.0

    out, number = run(function, (x, w), {"name": "n"}, 2.0, more={"z": x})
    one, (two, name, none) = out["rest"]
    assert (number, name, none) == (3.0, "n", None)
    return (out["sum"] * one * two).sum()


def outputs_that_are_not_new(run, x, w):
    """An argument, one output twice, a view of an argument."""

    def function(x):
        y = x * 2.0
        return x, y, y, x.T, x.detach()

    outputs = run(function, x * w)[:4]
    return sum((out * out * (k + 1.0)).sum() for k, out in enumerate(outputs))


def nested_calls(run, x, w):
    def inner(x):
        return run(lambda x: (x * w).tanh(), x) * w

    return run(lambda x: run(inner, x) + inner(x), x).sum()


def a_chain(run, x, w):
    for _ in range(20):
        x = run(lambda h: (h * w).tanh() + h * 0.5, x)
    return x.sum()


def assignment(run, x, w):
    def function(x):
        y = tg.zeros(3, dtype="float64")
        for i in range(3):
            y[i] = x[: i + 1].exp().sum()
        y *= w
        return y

    return run(function, x).sum()


def a_gradient_inside(run, x, w):
    def penalty(x):
        (g,) = grad((x * w).tanh().sum(), x, create_graph=True)
        return (g * g).sum()

    return run(penalty, x)


def one_of_several_outputs(which):
    return lambda run, x, w: run(lambda x: (x.exp(), x * w, x.tanh()), x)[which].sum()


PROGRAMS = {
    "an expression": lambda run, x, w: run(
        lambda x, w: (x * w.tanh()).sum() ** 2, x, w
    ),
    "recorded before": recorded_before,
    "nested arguments": nested_arguments,
    "outputs that are not new": outputs_that_are_not_new,
    "nested calls": nested_calls,
    "a chain": a_chain,
    "assignment": assignment,
    "a gradient inside": a_gradient_inside,
    "first output": one_of_several_outputs(0),
    "last output": one_of_several_outputs(2),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_derivatives_are_those_of_the_plain_call(name):
    x, w = leaf(3), leaf(3, seed=1)
    assert_equal(lambda run: PROGRAMS[name](run, x, w), [x, w], order=3)


def test_against_difference_quotients():
    def function(x, y):
        return checkpoint(lambda x, y: x * y.exp(), x, y)

    inputs = leaf(3), leaf(2, 3, seed=1)
    assert gradcheck(function, inputs) and gradgradcheck(function, inputs)


def test_parameters_that_are_no_arguments():
    rnn, x = nn.LSTM(2, 3).double(), leaf(4, 2, 2)
    inputs = [x, *rnn.parameters()]
    assert_equal(lambda run: run(lambda x: rnn(x)[0].square().sum(), x), inputs)
    # No argument needs a gradient.
    checkpoint(lambda x: rnn(x)[0].sum(), x.detach()).backward()
    assert all(p.grad is not None for p in rnn.parameters()) and x.grad is None


def test_what_is_not_new_is_the_very_same():
    h = leaf(2, 3) * 1.0
    node = h.node
    a, b, c, d = checkpoint(lambda h: (h, h.exp(), h.detach(), 3), h)
    assert a is h and h.node is node and not c.requires_grad and d == 3
    a, b = checkpoint(lambda h: [h * 2.0] * 2, h)
    assert a is b


def test_a_long_chain_is_linear_work():
    def run(count):
        x, h = leaf(1), tg.ones(1, dtype="float64")
        for _ in range(count):
            h = checkpoint(lambda h: h * 0.5 + x, h)
        h.sum().backward()

    assert_linear(run, 50)


def test_wanted_gradients_alone():
    x, y, seen = leaf(3), leaf(3, seed=1), []

    @tg.autograd.op
    def product(xp, x, y, /):
        return x * y

    product.vjp(
        lambda g, y: seen.append("x") or g * y, lambda g, x: seen.append("y") or g * x
    )
    out = checkpoint(lambda x, y: product(x, y).sum(), x, y)
    assert grad(out, y, retain_graph=True)[0].tolist() == x.tolist()
    assert grad(out, x)[0].tolist() == y.tolist()
    assert seen == ["y", "x"]


def test_recording_is_on_where_the_call_was_recorded():
    x = leaf(3)
    with tg.no_grad():
        assert not checkpoint(lambda x: x * 2.0, x).requires_grad
        with tg.enable_grad():
            y = checkpoint(lambda x: (x * x).sum(), x)
        y.backward()
    assert x.grad.tolist() == (2 * x.numpy()).tolist()


def test_hooks_run_once_and_see_the_whole_gradient():
    x, seen = leaf(3), []
    w, a = tg.ones(3, dtype="float64", requires_grad=True), x * 1.0
    for name, tensor in (("x", x), ("w", w), ("a", a)):
        tensor.register_hook(lambda g, name=name: seen.append((name, g.tolist())))

    def function(a):
        inner = a * w
        inner.register_hook(lambda g: seen.append(("inner", g.tolist())))
        return inner * 2.0

    (checkpoint(function, a) + a * 3.0).sum().backward()
    assert [name for name, _ in seen[:1]] == ["inner"]
    five, two = [5.0] * 3, [2.0] * 3
    expected = {"a": five, "inner": two, "w": (2.0 * x.numpy()).tolist(), "x": five}
    assert sorted(seen) == sorted(expected.items())


# ---------------------------------------------------------------- random numbers


@pytest.mark.parametrize("times", [1, 2])
def test_dropout_draws_the_same(times):
    x, seen = leaf(50), []

    def function(x):
        for _ in range(times):
            x = F.dropout(x, 0.5, True)
            seen.append(x.tolist())
        return x.sum()

    tg.manual_seed(5)
    out = checkpoint(function, x)
    after = tg.rand(3).tolist()
    state = default_generator.get_state().tolist()
    out.backward()
    assert default_generator.get_state().tolist() == state
    assert seen[:times] == seen[times:]
    assert (x.grad.numpy() != 0).tolist() == (np.array(seen[-1]) != 0).tolist()
    tg.manual_seed(5)
    function(x)
    assert tg.rand(3).tolist() == after


def test_random_numbers_may_be_left_alone():
    seen = []

    def function(x):
        seen.append(tg.rand(1).item())
        return x * 2.0

    checkpoint(function, leaf(3), preserve_rng_state=False).sum().backward()
    assert seen[0] != seen[1]


def test_a_random_state_survives_an_error():
    calls = []

    def function(x):
        calls.append(tg.rand(1))
        if len(calls) > 1:
            raise KeyError
        return x * 2.0

    out = checkpoint(function, leaf(3))
    after = default_generator.get_state().tolist()
    with pytest.raises(KeyError):
        out.sum().backward()
    assert default_generator.get_state().tolist() == after


# ---------------------------------------------------------------- memory


def test_nothing_is_kept_but_the_results():
    arrays = []

    def function(x):
        y = x.exp()
        arrays.append(weakref.ref(y.array))
        return (y * y).sum()

    gc.collect()
    gc.disable()
    try:
        out = checkpoint(function, leaf(1000))
        node = weakref.ref(out.node)
        out.backward(retain_graph=True)
        out.backward()
        assert [array() for array in arrays] == [None] * 3
        del out
        assert node() is None
    finally:
        gc.enable()


def test_walked_twice():
    h = checkpoint(lambda x: x.exp(), leaf(3))
    out = h.sum()
    out.backward()
    for again in (out, checkpoint(lambda h: h * 2.0, h).sum()):
        with pytest.raises(GraphError, match="already walked"):
            again.backward()


# ---------------------------------------------------------------- what is noticed


@pytest.mark.parametrize("which", range(4))
def test_arguments_and_parameters_that_change_are_noticed(which):
    """A bias too, which an op alone would not need."""
    x, w, c, b = leaf(3), leaf(3, seed=1), tg.ones(3, dtype="float64"), leaf(3, seed=2)
    args = [x * 1.0, w, c]
    out = checkpoint(lambda x, w, c: (x * w + c + b).tanh() * c, *args).sum()
    with tg.no_grad():
        [*args, b][which].add_(1.0)
    with pytest.raises(GraphError, match="checkpoint .*changed in place"):
        out.backward()


@pytest.mark.parametrize("record", [True, False])
def test_what_it_uses_from_outside_and_changes_is_noticed(record):
    x = leaf(3)
    for c in (x * 1.0, tg.ones(3, dtype="float64")):
        out = checkpoint(lambda x: (x * c).tanh().sum(), x)
        with tg.set_grad_enabled(record):
            c.add_(x.detach())
        with pytest.raises(GraphError, match="did something else|changed in place"):
            out.backward()


W, V = leaf(3), leaf(3)
CHANGING = {
    "other ops": lambda x, first: x.exp() if first else x.exp() * 2.0,
    "another tensor": lambda x, first: x * (W if first else V),
    "another shape": lambda x, first: x[: 3 if first else 2] * 1.0,
    "fewer outputs": lambda x, first: (x * 2.0, x * 3.0) if first else x * 2.0,
}


@pytest.mark.parametrize("name", CHANGING)
def test_a_function_that_does_something_else_is_noticed(name):
    x, calls = leaf(3), []

    def function(x):
        calls.append(1)
        return CHANGING[name](x, len(calls) == 1)

    out = checkpoint(function, x)
    out = out if isinstance(out, tg.Tensor) else out[0]
    with pytest.raises(GraphError, match="checkpoint: the function did something else"):
        out.sum().backward()
    assert x.grad is None


def test_another_result_is_noticed():
    """Of values that no node watches, and of numbers of another generator."""
    w, m, generator = tg.ones(3, requires_grad=True), tg.ones(3), tg.Generator()
    long = tg.ones(64) * w[0]
    first, second = checkpoint(lambda x: (x * 2.0, (x + m).tanh()), w)
    outs = [
        checkpoint(lambda x: (x + m).tanh(), w),
        first + second,
        checkpoint(lambda x: F.dropout(x, 0.5, generator=generator), long),
    ]
    m[0] = math.nan
    for out in outs:
        with pytest.raises(GraphError, match="did something else"):
            out.sum().backward()


def test_results_that_are_nan_or_that_the_user_changed_are_no_other_ones():
    w = tg.ones(3, requires_grad=True)
    checkpoint(lambda x: x * tg.tensor(math.nan), w).sum().backward()
    result = checkpoint(lambda x: x * 2.0, w)
    with tg.no_grad():
        result.mul_(3.0)
    w.grad = None
    result.sum().backward()
    assert w.grad.tolist() == [2.0] * 3


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
    """The gradients of the whole; bit for bit those of the same chunks kept."""
    tg.manual_seed(seed)
    rnn, head = CELLS[name](3, 2, num_layers=layers).double(), nn.Linear(2, 3).double()
    ids = tg.randint(3, (steps + 1, 2))
    x, y = ids[:-1], ids[1:]
    inputs, first = [*rnn.parameters(), *head.parameters()], None
    if dense:
        x = F.one_hot(x, 3).double().requires_grad_()
        inputs.append(x)
    if carried:
        parts = [
            tg.randn(layers, 2, 2, dtype="float64", requires_grad=True) for _ in "hc"
        ]
        first = tuple(parts) if name == "LSTM" else parts[0]
        inputs += parts if name == "LSTM" else parts[:1]

    def loss(x, y, state):
        output, state = rnn(x, state)
        logits = head(output).flatten(0, 1)
        return F.cross_entropy(logits, y.flatten(), reduction="sum"), state

    def kept():
        size, losses, state = chunk or math.ceil(math.sqrt(steps)), [], first
        for x_part, y_part in zip(x.split(size), y.split(size), strict=True):
            part, state = loss(x_part, y_part, state)
            losses.append(part)
        return losses, state

    found = []
    for losses, last in (
        ([loss(x, y, first)[0]], loss(x, y, first)[1]),
        kept(),
        checkpoint_sequence(loss, x, y, state=first, chunk=chunk),
    ):
        last = last if isinstance(last, tuple) else (last,)
        total = sum(losses) + sum(part.square().sum() for part in last)
        found.append([g.numpy() for g in (total, *grad(total, inputs))])
    for whole, kept, recomputed in zip(*found, strict=True):
        assert_close(kept, whole, 1e-13)
        np.testing.assert_array_equal(recomputed, kept)


def test_dropout_between_layers_in_chunks():
    rnn, x = nn.GRU(2, 3, num_layers=2, dropout=0.5).double(), leaf(9, 2, 2)

    def build(run):
        total, state = 0.0, None
        for part in x.split(3):
            output, state = run(rnn, part, state)
            total = total + output.square().sum()
        return total

    assert_equal(build, [x, *rnn.parameters()], order=1)


def test_second_derivatives_through_time():
    rnn, x = nn.RNN(2, 2).double(), leaf(9, 1, 2)
    inputs = [x, *rnn.parameters()]
    outputs, _ = checkpoint_sequence(rnn, x)
    whole = derivatives(rnn(x)[0].square().sum(), inputs, 2)
    parts = derivatives(sum(out.square().sum() for out in outputs), inputs, 2)
    for one, two in zip(whole, parts, strict=True):
        assert_close(two, one, 1e-12)


def test_a_layer_is_a_step():
    rnn, x = nn.LSTM(2, 3, batch_first=True).double(), leaf(4, 10, 2)
    outputs, state = checkpoint_sequence(rnn, x, chunk=3, dim=1)
    assert [out.shape[1] for out in outputs] == [3, 3, 3, 1]
    output, expected = rnn(x)
    assert_close(tg.cat(outputs, 1).detach().numpy(), output.detach().numpy(), 1e-13)
    for one, two in zip(state, expected, strict=True):
        assert_close(one.detach().numpy(), two.detach().numpy(), 1e-13)


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


def test_a_sequence_may_be_cut_along_any_dim():
    seen = []

    def step(chunk, state):
        seen.append(chunk.shape)
        return chunk.sum(), (state or 0) + chunk.shape[-1]

    _, count = checkpoint_sequence(step, tg.randn(3, 7), dim=-1, chunk=3)
    assert (count, seen) == (7, [(3, 3), (3, 3), (3, 1)])


def peak(steps, recompute):
    """Bytes at the most in a step of training over so many steps."""
    tg.manual_seed(0)
    rnn, head = nn.RNN(5, 16), nn.Linear(16, 5)
    text = tg.randint(5, (steps + 1, 2))

    def loss(x, y, state=None):
        output, state = rnn(x, state)
        logits = head(output).flatten(0, 1)
        return F.cross_entropy(logits, y.flatten(), reduction="sum"), state

    tg.backend.pool.clear()
    tracemalloc.start()
    try:
        if recompute:
            sum(checkpoint_sequence(loss, text[:-1], text[1:])[0]).backward()
        else:
            loss(text[:-1], text[1:])[0].backward()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_grows_as_the_root_of_the_length():
    peak(400, True)  # what is made once
    small, large = peak(400, True), peak(6400, True)
    assert large < 5.5 * small  # 4 times, and not 16 times
    assert peak(6400, False) > 8 * large


PAIR = tg.ones(3, 2)
WRONG = [
    ((), {}, ShapeError, "got sequences of nothing"),
    ((tg.ones(0, 2),), {}, ShapeError, r"\(0, 2\).*at least one"),
    (
        (PAIR, tg.ones(2, 3)),
        {},
        ShapeError,
        r"\(3, 2\), \(2, 3\), expected the same .*dim 0",
    ),
    ((tg.tensor(1.0),), {}, ShapeError, r"got sequences of \(\)"),
    (([1.0],), {}, DTypeError, "sequence 0 is list"),
    ((PAIR,), {"chunk": 0}, OptionError, "chunk is 0"),
    ((PAIR,), {"chunk": 0.5}, TypeError, "chunk is 0.5"),
    ((PAIR,), {"dim": "x"}, DTypeError, "dim is 'x'"),
    ((PAIR,), {"dim": 2}, DimError, "dim 2"),
]


@pytest.mark.parametrize(("sequences", "options", "error", "words"), WRONG)
def test_wrong_sequences(sequences, options, error, words):
    with pytest.raises(error, match=f"checkpoint_sequence: .*{words}"):
        checkpoint_sequence(lambda *args: pytest.fail("called"), *sequences, **options)


def test_a_step_that_gives_no_pair():
    words = r"step gave float32 of shape \(2,\), expected \(output,"
    with pytest.raises(DTypeError, match=words):
        checkpoint_sequence(lambda chunk, state: tg.ones(2), PAIR)


def test_on_every_device(device):
    x = tg.tensor([1.0, math.nan, -0.0], device=device, requires_grad=True)
    checkpoint(lambda x: x.tanh(), x).sum().backward()
    assert x.grad.cpu()[0].item() == pytest.approx(1.0 - math.tanh(1.0) ** 2)
    ones = tg.ones(9, 2, device=device)
    losses, _ = checkpoint_sequence(lambda x, state: (x.sum(), state), ones)
    assert [loss.item() for loss in losses] == [6.0, 6.0, 6.0]
