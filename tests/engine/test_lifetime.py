"""Who keeps what alive: with the collector off, everything dies with its last user."""

import gc
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim


@pytest.fixture(autouse=True)
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Watched:
    """Weak references to tensors, to their nodes and to the nodes behind these."""

    def __init__(self, *tensors):
        self.references = []
        stack = [t for t in tensors if t.node is not None]
        self.references += [weakref.ref(t) for t in tensors]
        seen, stack = set(), [t.node for t in stack]
        while stack:
            node = stack.pop()
            if id(node) not in seen:
                seen.add(id(node))
                self.references.append(weakref.ref(node))
                stack += [p for p in node.parents if isinstance(p, type(node))]

    def alive(self):
        return [r() for r in self.references if r() is not None]


def network(x):
    """Ops of every kind: elementwise, views, indices, reductions, fused."""
    w = tg.full((3, 3), 0.1, requires_grad=True)
    h = nn.functional.linear(x, w)
    a = h.tanh() + h.exp()
    b = a.T.reshape(3, -1)[1:, ::2]
    c = tg.cat([b, b * 2.0])[[0, 1, 1]]
    d = c.clone()
    d[0] = b[0]
    rnn = nn.RNN(3, 2)
    output, _ = rnn(tg.stack([a, a]))
    return h, a, b, c, d, output, d.softmax(-1).max() + output.sum()


def test_everything_dies_with_its_last_user_before_backward():
    x = tg.ones(4, 3, requires_grad=True)
    kept = network(x)
    watched = Watched(*kept)
    assert len(watched.alive()) > 20
    del kept
    assert watched.alive() == []


def test_everything_dies_in_backward():
    x = tg.ones(4, 3, requires_grad=True)
    loss = network(x)[-1]
    watched = Watched(loss)
    loss.backward()
    # The graph behind it is gone, though it is held
    assert watched.alive() == [loss, loss.node]
    del loss
    assert watched.alive() == []


def test_everything_dies_after_a_walk_that_kept_it():
    x = tg.ones(4, 3, requires_grad=True)
    kept = network(x)
    watched = Watched(*kept)
    kept[-1].backward(retain_graph=True)
    (g,) = tg.autograd.grad(kept[-1], x, create_graph=True)
    assert len(watched.alive()) > 20
    of_gradient = Watched(g)
    del kept
    assert len(of_gradient.alive()) > 20
    del g
    assert watched.alive() == []
    assert of_gradient.alive() == []


@tg.autograd.op
def fails(xp, x, /):
    return x * 1


def _fail(g):
    raise ZeroDivisionError("in a pullback")


fails.vjp(_fail)


def test_everything_dies_after_an_exception_inside_backward():
    x = tg.ones(4, 3, requires_grad=True)
    kept = network(fails(x))
    watched = Watched(*kept)
    try:
        kept[-1].backward()
    except ZeroDivisionError:
        pass
    else:
        pytest.fail("the pullback did not run")
    del kept
    assert watched.alive() == []
    assert x.grad is None


def test_an_exception_in_a_forward_keeps_nothing():
    x = tg.ones(4, 3, requires_grad=True)
    y = x * 2.0
    watched = Watched(y)
    try:
        y @ tg.ones(5, 5)
    except ValueError:
        pass
    del y
    assert watched.alive() == []


def test_arrays_die_too():
    """Not only nodes: what they saved."""
    x = tg.ones(100, requires_grad=True)
    y = x.exp()
    array = weakref.ref(y.array)
    loss = (y * y).sum()
    del y
    assert array() is not None  # saved for the backward
    loss.backward()
    assert array() is None


def test_hooks_and_kept_gradients_die_with_their_tensor():
    x = tg.ones(3, requires_grad=True)
    y = x * 2.0
    y.retain_grad()
    y.register_hook(lambda g: g * 2)
    watched = Watched(y)
    y.sum().backward()
    assert y.grad.tolist() == [2, 2, 2]
    del y
    assert watched.alive() == []


def test_a_third_derivative_dies():
    x = tg.tensor(2.0, requires_grad=True)
    y = x**4
    (first,) = tg.autograd.grad(y, x, create_graph=True)
    (second,) = tg.autograd.grad(first, x, create_graph=True)
    (third,) = tg.autograd.grad(second, x, create_graph=True)
    assert third.item() == 48
    watched = Watched(y, first, second, third)
    del y, first, second, third
    assert watched.alive() == []


def test_no_grad_keeps_nothing():
    x = tg.ones(3, requires_grad=True)
    with tg.no_grad():
        y = x.exp()
        array = weakref.ref(y.array)
        z = y.sum()
        del y
        assert array() is None
    assert z.is_leaf


def train(model, optimizer, x, target, steps):
    h = None
    for _ in range(steps):
        output, h = model["rnn"](x, h)
        h = h.detach()
        loss = nn.functional.mse_loss(model["head"](output), target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(list(model["rnn"].parameters()), 1.0)
        optimizer.step()
    return loss.item()


def growth(steps):
    """Bytes that Python's and NumPy's allocators hold more after so many training
    steps.

    The collector is off; run here, it finds no cycle, but clears the free lists, which
    are no leak.
    """
    tg.manual_seed(0)
    model = {"rnn": nn.RNN(2, 4), "head": nn.Linear(4, 1)}
    parameters = [p for m in model.values() for p in m.parameters()]
    optimizer = optim.Adam(parameters, lr=1e-3)
    x, target = tg.randn(5, 3, 2), tg.randn(5, 3, 1)
    train(model, optimizer, x, target, 50)
    tracemalloc.start()
    try:
        train(model, optimizer, x, target, 10)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        train(model, optimizer, x, target, steps)
        assert gc.collect() == 0
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def test_memory_is_flat_over_training_steps():
    """The interpreter's free lists, which fill again now and then, are no leak: that
    shows each time.
    """
    assert any(growth(300) <= 16 << 10 for _ in range(3))


@pytest.mark.slow
def test_memory_is_flat_over_many_training_steps():
    assert growth(10_000) <= 64 << 10


def test_references_are_not_counted_up():
    """What is shared by all, such as None and the plans of ops, would not show in
    memory.
    """
    x = tg.ones(3, requires_grad=True)

    def step():
        (x * 2.0).tanh().sum().backward()
        x.grad = None

    step()
    before = [sys.getrefcount(o) for o in (x, x.array, tg.Tensor, tg.Tensor.tanh)]
    for _ in range(100):
        step()
    assert [
        sys.getrefcount(o) for o in (x, x.array, tg.Tensor, tg.Tensor.tanh)
    ] == before


def test_nothing_of_a_user_is_handed_out_again():
    """The pool of large blocks: a gradient that is still held keeps its numbers."""
    w = tg.ones(128, 128, requires_grad=True)
    held = []
    for i in range(5):
        x = tg.full((64, 128), float(i))
        nn.functional.linear(x, w).sum().backward()
        held.append(w.grad)
        w.grad = None
    for i, g in enumerate(held):
        assert (g.numpy() == 64.0 * i).all()
    for i, g in enumerate(held):
        for other in held[:i]:
            assert not np.shares_memory(g.numpy(), other.numpy())
