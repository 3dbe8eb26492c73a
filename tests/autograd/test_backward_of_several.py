"""autograd.backward, backward(inputs=), materialize_grads: PyTorch's ways to ask for
gradients.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.autograd import backward, grad
from tinygrad_rnn.errors import GraphError, OptionError, ShapeError


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


def lists(*tensors):
    return [None if x.grad is None else x.grad.tolist() for x in tensors]


# ---------------------------------------------------------------- several outputs


def test_the_gradients_of_several_outputs_are_added_in_one_walk():
    x, ran = leaf(1.0, 2.0), []
    y = x * 3.0
    y.register_hook(lambda g: ran.append(g.tolist()))
    assert (
        backward([(y * y).sum(), y, y.sum()], [None, tg.tensor([1.0, 10.0]), None])
        is None
    )
    assert ran == [[8, 23]]
    assert lists(x) == [[24, 69]]
    with pytest.raises(GraphError, match="already walked"):
        y.sum().backward()


def test_one_tensor_and_one_cotangent_need_no_list():
    x = leaf(1.0, 2.0)
    backward((x * 2.0).sum())
    backward(x * 2.0, tg.tensor([1.0, 10.0]))
    backward([x], grad_tensors=[tg.tensor([100.0, 100.0])])
    assert lists(x) == [[104, 122]]


def test_the_graph_is_kept_or_recorded_on_demand():
    x = leaf(1.0, 2.0)
    y = (x**3).sum()
    backward(y, retain_graph=True)
    backward([y], create_graph=True)
    assert lists(x) == [[6, 24]]
    (found,) = grad(x.grad.sum(), x)
    assert found.tolist() == [6, 12]


def test_nothing_is_added_where_one_of_several_is_wrong():
    x = leaf(1.0, 2.0)
    for tensors, cotangents, kind, words in (
        ([x.sum(), x * 1.0], None, GraphError, "backward: got an output of shape"),
        (
            [x.sum()],
            [None, None],
            GraphError,
            "backward: got 2 grad_tensors, expected 1",
        ),
        (
            [x.sum(), tg.ones(1)],
            None,
            GraphError,
            "backward: this tensor does not require grad",
        ),
        ([x.sum(), x * 1.0], [None, tg.ones(3)], ShapeError, "gradient has shape"),
        ([], None, GraphError, "backward: got no tensors"),
        (3.0, None, TypeError, "backward: tensors is float"),
    ):
        with pytest.raises(kind, match=words):
            backward(tensors, cotangents)
        assert x.grad is None


# ---------------------------------------------------------------- inputs=


@given(st.sets(st.integers(0, 3), min_size=1), st.booleans(), st.booleans())
def test_only_the_inputs_asked_for_get_a_gradient(asked, create, twice):
    """Leaves or not: what each gets is what `grad` gives, and the others' stay as they
    were.
    """
    a, b = leaf(1.0, 2.0), leaf(3.0, 5.0)
    c = a * b
    d = c + a
    every = [a, b, c, d]
    held = leaf(7.0, 7.0).detach()
    b.grad = held.clone()
    out = (c * d).sum()
    wanted = grad(out, every, retain_graph=True)
    inputs = [every[i] for i in sorted(asked)]
    out.backward(create_graph=create, inputs=inputs * 2 if twice else inputs)
    for i, (x, g) in enumerate(zip(every, wanted, strict=True)):
        before = held.numpy() if x is b else 0.0
        if i in asked:
            np.testing.assert_array_equal(x.grad.detach().numpy(), g.numpy() + before)
            assert x.grad.requires_grad is create
        else:
            left = x._grad  # as `grad` warns of a tensor that is no leaf
            assert (left is None) if x is not b else left.tolist() == [7, 7]


def test_an_input_that_plays_no_part_keeps_what_it_has():
    x, z = leaf(1.0), leaf(2.0)
    (x * 2.0).sum().backward(inputs=[x, z])
    backward((x * 2.0).sum(), inputs=z)
    assert lists(x, z) == [[2], None]


def test_what_lies_behind_the_inputs_is_not_freed():
    x = leaf(2.0)
    y = x * x
    (y * 3.0).sum().backward(inputs=y)
    assert lists(x, y) == [None, [3]]
    y.backward(y.grad)
    assert lists(x) == [[12]]


def test_a_gradient_that_is_retained_too_is_added_once():
    x = leaf(2.0)
    y = x * x
    y.retain_grad()
    (y * 3.0).sum().backward(inputs=[y, x])
    assert lists(x, y) == [[12], [3]]


def test_the_hooks_of_inputs_run_and_nothing_is_added_if_one_raises():
    x, y = leaf(2.0), leaf(3.0)
    x.register_hook(lambda g: g * 10.0)
    (x * y).sum().backward(inputs=x)
    assert lists(x, y) == [[30], None]
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (x * y).sum().backward(inputs=[x, y])
    assert lists(x, y) == [[30], None]


def test_inputs_that_cannot_be():
    x = leaf(1.0)
    for inputs, kind, words in (
        ([], GraphError, "backward: got no inputs, expected at least one Tensor"),
        ([x, tg.ones(1)], GraphError, "backward: input 1 does not require grad"),
        ([x, 3.0], TypeError, r"backward: inputs\[1\] is float, expected a Tensor"),
    ):
        for call in (
            lambda: x.sum().backward(inputs=inputs),
            lambda: backward(x, None, inputs=inputs),
        ):
            with pytest.raises(kind, match=words):
                call()
    assert x.grad is None


# ---------------------------------------------------------------- grad


def test_zeros_for_inputs_that_play_no_part():
    x, y = leaf(1.0, 2.0), tg.ones(3, requires_grad=True)
    for create in (False, True):
        first, second = grad(
            (x * x).sum(), [x, y], create_graph=create, materialize_grads=True
        )
        assert first.tolist() == [2, 4]
        assert (second.tolist(), second.dtype) == ([0, 0, 0], tg.float32)
        assert not second.requires_grad
    for unused in (None, True):
        found = grad(x.sum(), y, allow_unused=unused, materialize_grads=True)
        assert found[0].tolist() == [0, 0, 0]
    with pytest.raises(
        OptionError, match="grad: allow_unused is False with materialize_grads=Tr"
    ):
        grad(x.sum(), y, allow_unused=False, materialize_grads=True)
    with pytest.raises(GraphError, match="materialize_grads=True zeros"):
        grad(x.sum(), y, allow_unused=False)


@given(st.integers(1, 4), st.integers(1, 3))
def test_the_gradients_of_a_model_in_parts_are_those_of_the_whole(parts, layers):
    """Shards of its parameters one after the other; and cut at the state between two
    layers.
    """
    tg.manual_seed(parts)
    model = nn.Sequential(*[nn.Linear(3, 3).double() for _ in range(layers)])
    parameters = list(model.parameters())
    x = tg.randn(4, 3, dtype=tg.float64)
    whole = grad(model(x).tanh().sum(), parameters)
    loss, found = model(x).tanh().sum(), []
    for i in range(parts):
        if shard := parameters[i::parts]:
            found += zip(
                parameters[i::parts], grad(loss, shard, retain_graph=True), strict=True
            )
    found = {id(p): g for p, g in found}
    for p, g in zip(parameters, whole, strict=True):
        np.testing.assert_array_equal(found[id(p)].numpy(), g.numpy())
    middle = model[0](x)
    loss = nn.Sequential(*list(model)[1:])(middle).tanh().sum()
    later = parameters[2:]
    (upper, *rest) = grad(loss, [middle, *later])
    lower = grad(middle, parameters[:2], upper)
    for g, wanted in zip([*lower, *rest], whole, strict=True):
        np.testing.assert_allclose(g.numpy(), wanted.numpy(), rtol=1e-13, atol=1e-15)


# ---------------------------------------------------------------- without a graph


@pytest.mark.parametrize(
    "use",
    [
        lambda g, x: grad(g.sum(), x),
        lambda g, x: g.sum().backward(),
        lambda g, x: ((g.norm() - 1.0) ** 2).backward(),
        lambda g, x: backward([x.sum(), (g * g).sum()]),
    ],
)
def test_a_forgotten_create_graph_is_named(use):
    x = leaf(1.0, 2.0)
    (g,) = grad((x**3).sum(), x)
    with pytest.raises(GraphError, match="only if create_graph=True was given"):
        use(g, x)
    (x**3).sum().backward()
    with pytest.raises(GraphError, match="only if create_graph=True was given"):
        use(x.grad, x)


# ---------------------------------------------------------------- a walk that failed


def failing(times=1):
    """A hook that raises so many times."""
    left = [times]

    def hook(g):
        if left[0]:
            left[0] -= 1
            raise ValueError("the hook's")

    return hook


FAILURES = {
    "a hook of a leaf": lambda x, y: x.register_hook(failing()),
    "a hook in between": lambda x, y: y.register_hook(failing()),
    "a grad that does not fit": lambda x, y: setattr(x, "_grad", tg.ones(3)),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("ask", ["backward", "grad", "inputs"])
def test_a_second_backward_says_that_the_first_one_failed(name, ask):
    if ask != "backward" and name == "a grad that does not fit":
        return  # not looked at, or before the walk
    x = leaf(1.0, 2.0)
    y = x * x
    z = (y * y).sum()
    FAILURES[name](x, y)
    call = {
        "backward": z.backward,
        "grad": lambda: grad(z, x),
        "inputs": lambda: z.backward(inputs=x),
    }[ask]
    with pytest.raises(ValueError) as first:
        call()
    x._grad = None
    with pytest.raises(GraphError) as second:
        call()
    words = f"an earlier walk through this graph failed ({type(first.value).__name__}: "
    assert words in str(second.value)
    assert "retain_graph=True" in str(second.value)
    assert "hidden state" not in str(second.value)
    assert x.grad is None


def test_a_backward_that_failed_can_be_repeated_if_the_graph_is_retained():
    x = leaf(1.0, 2.0)
    x.register_hook(failing())
    y = (x * x).sum()
    with pytest.raises(ValueError, match="the hook's"):
        y.backward(retain_graph=True)
    y.backward()
    assert lists(x) == [[2, 4]]
    with pytest.raises(GraphError, match="already walked"):
        y.backward()


def test_an_interrupt_is_told_too():
    x = leaf(1.0)
    x.register_hook(lambda g: (_ for _ in ()).throw(KeyboardInterrupt))
    y = (x * x).sum()
    with pytest.raises(KeyboardInterrupt):
        y.backward()
    with pytest.raises(GraphError, match="failed .KeyboardInterrupt"):
        y.backward()
