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
from tinygrad_rnn import errors, nn
from tinygrad_rnn.autograd import grad
from tinygrad_rnn.random import default_generator
from tinygrad_rnn.utils.checkpoint import checkpoint, checkpoint_sequence


def leaf(*shape, seed=0):
    values = np.random.default_rng(seed).uniform(0.3, 1.5, shape)
    return tg.tensor(values, requires_grad=True)


def derivatives(total, inputs, order=2):
    """The value, its gradients, and those of the sum of their squares, and so on."""
    results = [total]
    for _ in range(order):
        grads = grad(total, inputs, create_graph=True, materialize_grads=True)
        results += grads
        total = sum((g * g).sum() for g in grads)
        if not total.requires_grad:
            break
    return [result.detach().numpy() for result in results]


def assert_equal(found, expected, inputs):
    """The same derivatives: the first are made by the same steps, but for the order."""
    for i, (one, two) in enumerate(zip(found, expected, strict=True)):
        assert_close(one, two, 1e-15 if i <= len(inputs) else 1e-12)


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


def dropout(run, x, w):
    return run(lambda: F.dropout(F.dropout(x * w, 0.2), 0.3)).sum()


def first_output(run, x, w):
    return run(lambda x: (x.exp(), x * w), x)[0].sum()


def last_output(run, x, w):
    return run(lambda x: (x.exp(), x * w), x)[1].sum()


PROGRAMS = [recorded_before, nested_arguments, outputs_that_are_not_new, nested_calls]
PROGRAMS += [a_chain, assignment, a_gradient_inside, dropout, first_output, last_output]


@pytest.mark.parametrize("program", PROGRAMS)
def test_derivatives_are_those_of_the_plain_call(program):
    x, w = inputs = leaf(3), leaf(3, seed=1)
    found = []
    for run in (checkpoint, lambda f, *args, **options: f(*args, **options)):
        tg.manual_seed(1)
        found.append(derivatives(program(run, x, w), inputs, order=3))
    assert_equal(*found, inputs)


def test_parameters_that_are_no_arguments():
    rnn, x = nn.LSTM(2, 3).double(), leaf(4, 2, 2)
    inputs = [x, *rnn.parameters()]
    found = checkpoint(lambda x: rnn(x)[0].square().sum(), x)
    expected = derivatives(rnn(x)[0].square().sum(), inputs)
    assert_equal(derivatives(found, inputs), expected, inputs)
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
    x, w, seen = leaf(3), leaf(3, seed=1), []
    a = x * 1.0

    def watch(name, tensor):
        tensor.register_hook(lambda g: seen.append((name, g.tolist())))
        return tensor

    for name, tensor in (("x", x), ("w", w), ("a", a)):
        watch(name, tensor)
    out = checkpoint(lambda a: watch("inner", a * w) * 2.0, a)
    (out + a * 3.0).sum().backward()
    assert seen[0] == ("inner", [2.0] * 3)
    of_x = (2.0 * w + 3.0).tolist()
    expected = {"a": of_x, "inner": [2.0] * 3, "w": (2.0 * x).tolist(), "x": of_x}
    assert sorted(seen) == sorted(expected.items())


# ---------------------------------------------------------------- random numbers


def test_random_numbers_are_drawn_again():
    x, seen = leaf(50), []

    def function(x):
        for _ in range(2):
            x = F.dropout(x, 0.5, True)
            seen.append(x.tolist())
        return x.sum()

    out = checkpoint(function, x)
    after = tg.rand(3).tolist()
    state = default_generator.get_state().tolist()
    out.backward()
    assert default_generator.get_state().tolist() == state
    assert seen[:2] == seen[2:]
    assert (x.grad.numpy() != 0).tolist() == (np.array(seen[-1]) != 0).tolist()
    tg.manual_seed(0)
    function(x)
    assert tg.rand(3).tolist() == after


def test_random_numbers_may_be_left_alone_and_survive_an_error():
    drawn = []

    def function(x):
        drawn.append(tg.rand(1).item())
        if len(drawn) > 3:
            raise KeyError
        return x * 2.0

    checkpoint(function, leaf(3), preserve_rng_state=False).sum().backward()
    assert drawn[0] != drawn[1]
    out = checkpoint(function, leaf(3))
    tg.rand(1)
    state = default_generator.get_state().tolist()
    with pytest.raises(KeyError):
        out.sum().backward()
    assert default_generator.get_state().tolist() == state


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
        with pytest.raises(errors.GraphError, match="already walked"):
            again.backward()


# ---------------------------------------------------------------- what is noticed

IN_PLACE = "checkpoint .*changed in place"
OTHERWISE = "checkpoint: the function did something else"


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("which", range(6))
def test_what_it_used_and_what_changes_is_noticed(which, recorded):
    """A bias too, which an op alone would not need; arguments, and what is none."""
    x, w, b = leaf(3), leaf(3, seed=1), leaf(3, seed=2)
    one = tg.ones(3, dtype="float64")
    used = [x * 1.0, w, one, b, x * 2.0, one.clone()]
    d, e = used[4:]
    out = checkpoint(lambda x, w, c: (x * w + c + b).tanh() * c * (d * e), *used[:3])
    with tg.set_grad_enabled(recorded and not used[which].is_leaf):
        used[which].add_(1.0)
    with pytest.raises(errors.GraphError, match=f"{IN_PLACE}|{OTHERWISE}"):
        out.sum().backward()


V, W, GENERATOR = leaf(64), leaf(64), tg.Generator()
CHANGING = {
    "other ops": lambda x, first: x.exp() if first else x.exp() * 2.0,
    "another tensor": lambda x, first: x * (W if first else V),
    "another shape": lambda x, first: x[: 3 if first else 2] * 1.0,
    "fewer outputs": lambda x, first: (x * 2.0, x * 3.0) if first else x * 2.0,
    "other values": lambda x, first: (x + (1.0 if first else math.nan)).tanh(),
    "another second value": lambda x, first: (x * 2.0, x * (2.0 if first else 3.0)),
    "another generator": lambda x, first: F.dropout(x, 0.5, generator=GENERATOR),
}


@pytest.mark.parametrize("name", CHANGING)
def test_a_function_that_does_something_else_is_noticed(name):
    x, calls = leaf(64), []

    def function(x):
        calls.append(1)
        return CHANGING[name](x, len(calls) == 1)

    out = checkpoint(function, x)
    out = out if isinstance(out, tg.Tensor) else sum(out)
    with pytest.raises(errors.GraphError, match=OTHERWISE):
        out.sum().backward()
    assert x.grad is None


def test_results_that_are_nan_or_that_the_user_changed_are_no_other_ones():
    w = leaf(3)
    checkpoint(lambda x: x * math.nan, w).sum().backward()
    w.grad = None
    result = checkpoint(lambda x: x * 2.0, w)
    with tg.no_grad():
        result.mul_(3.0)
    result.sum().backward()
    assert w.grad.tolist() == [2.0] * 3


# ---------------------------------------------------------------- through time


def make_loss(rnn, head):
    def loss(x, y, state=None):
        output, state = rnn(x, state)
        logits = head(output).flatten(0, 1)
        return F.cross_entropy(logits, y.flatten(), reduction="sum"), state

    return loss


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
@given(
    steps=st.integers(1, 8),
    chunk=st.none() | st.integers(1, 9),
    layers=st.integers(1, 2),
    dense=st.booleans(),
    carried=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_sequence_in_chunks(kind, steps, chunk, layers, dense, carried, seed):
    """The gradients of the whole; bit for bit those of the same chunks kept."""
    tg.manual_seed(seed)
    rnn, head = kind(3, 2, num_layers=layers).double(), nn.Linear(2, 3).double()
    loss, ids = make_loss(rnn, head), tg.randint(3, (steps + 1, 2))
    x, y = ids[:-1], ids[1:]
    inputs, first = [*rnn.parameters(), *head.parameters()], None
    if dense:
        x = F.one_hot(x, 3).double().requires_grad_()
        inputs.append(x)
    if carried:
        h, c = leaf(layers, 2, 2), leaf(layers, 2, 2, seed=1)
        first = (h, c) if kind is nn.LSTM else h
        inputs += first if kind is nn.LSTM else [h]
    size, kept, state = chunk or math.ceil(math.sqrt(steps)), [], first
    for parts in zip(x.split(size), y.split(size), strict=True):
        part, state = loss(*parts, state)
        kept.append(part)
    found = []
    for losses, last in (
        ([loss(x, y, first)[0]], loss(x, y, first)[1]),
        (kept, state),
        checkpoint_sequence(loss, x, y, state=first, chunk=chunk),
    ):
        last = last if isinstance(last, tuple) else (last,)
        total = sum(losses) + sum(part.square().sum() for part in last)
        found.append(derivatives(total, inputs, 1))
    for whole, kept, recomputed in zip(*found, strict=True):
        assert_close(kept, whole, 1e-13)
        np.testing.assert_array_equal(recomputed, kept)


def test_a_layer_is_a_step():
    """Here with dim=1, and with second derivatives."""
    rnn, x = nn.LSTM(2, 3, batch_first=True).double(), leaf(4, 10, 2)
    inputs = [x, *rnn.parameters()]
    outputs, state = checkpoint_sequence(rnn, x, chunk=3, dim=1)
    assert [out.shape[1] for out in outputs] == [3, 3, 3, 1]
    output, expected = rnn(x)
    for one, two in zip((tg.cat(outputs, 1), *state), (output, *expected), strict=True):
        assert_close(one.detach().numpy(), two.detach().numpy(), 1e-13)
    parts = derivatives(sum(out.square().sum() for out in outputs), inputs)
    for one, two in zip(parts, derivatives(output.square().sum(), inputs), strict=True):
        assert_close(one, two, 1e-12)


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


def peak(steps, recompute):
    """Bytes at the most in a step of training over so many steps."""
    tg.manual_seed(0)
    loss = make_loss(nn.RNN(5, 16), nn.Linear(16, 5))
    text = tg.randint(5, (steps + 1, 2))
    run = checkpoint_sequence if recompute else lambda loss, x, y: ([loss(x, y)[0]], 0)
    tg.backend.pool.clear()
    tracemalloc.start()
    try:
        sum(run(loss, text[:-1], text[1:])[0]).backward()
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
    ([], {}, errors.ShapeError, "got sequences of nothing"),
    ([tg.ones(0, 2)], {}, errors.ShapeError, r"\(0, 2\).*at least one"),
    ([PAIR, tg.ones(2, 3)], {}, errors.ShapeError, r"\(3, 2\), \(2, 3\), .*dim 0"),
    ([tg.tensor(1.0)], {}, errors.ShapeError, r"got sequences of \(\)"),
    ([[1.0]], {}, errors.DTypeError, "sequence 0 is list"),
    ([PAIR], {"chunk": 0}, errors.OptionError, "chunk is 0"),
    ([PAIR], {"chunk": 0.5}, errors.DTypeError, "chunk is 0.5"),
    ([PAIR], {"dim": "x"}, errors.DTypeError, "dim is 'x'"),
    ([PAIR], {"dim": 2}, errors.DimError, "dim 2"),
    (
        [PAIR],
        {"chunk": 3},
        errors.DTypeError,
        r"step gave .*\(2,\), expected \(output,",
    ),
]


@pytest.mark.parametrize(("sequences", "options", "error", "words"), WRONG)
def test_wrong_sequences(sequences, options, error, words):
    with pytest.raises(error, match=f"checkpoint_sequence: .*{words}"):
        checkpoint_sequence(lambda *args: tg.ones(2), *sequences, **options)


def test_on_every_device(device):
    x = tg.tensor([1.0, math.nan, -0.0], device=device, requires_grad=True)
    checkpoint(lambda x: x.tanh(), x).sum().backward()
    assert x.grad.cpu()[0].item() == pytest.approx(1.0 - math.tanh(1.0) ** 2)

    def step(x, count):
        return x.sum(), (count or 0) + x.shape[-1]

    losses, steps = checkpoint_sequence(step, tg.ones(2, 9, device=device), dim=-1)
    assert [loss.item() for loss in losses] == [6.0, 6.0, 6.0] and steps == 9
