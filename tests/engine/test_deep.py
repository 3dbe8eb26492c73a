"""Long graphs: no recursion anywhere, and work that grows as the graph does."""

import gc
import sys
import time
import weakref

import numpy as np
import pytest
from work import assert_linear

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.backend.standard import Part


def chain(length):
    """Seconds for the forward, the backward and the deletion of a chain of ops."""
    x = tg.tensor(1.0, requires_grad=True)
    start = time.perf_counter()
    y = x
    for _ in range(length // 2):
        y = (y * 1.0) + 0.0
    forward = time.perf_counter()
    # So that the deletion that follows is one of a whole chain
    y.backward(retain_graph=True)
    backward = time.perf_counter()
    del y
    deletion = time.perf_counter()
    assert x.grad.item() == 1
    return forward - start, backward - forward, deletion - backward


def unroll(steps):
    """Seconds for the forward and the backward of a cell, and for the deletion of its
    graph.
    """
    tg.manual_seed(0)
    cell = nn.RNNCell(2, 3)
    inputs = tg.randn(2)
    start = time.perf_counter()
    h = tg.zeros(3)
    for _ in range(steps):
        h = cell(inputs, h)
    forward = time.perf_counter()
    h.sum().backward(retain_graph=True)
    backward = time.perf_counter()
    del h
    deletion = time.perf_counter()
    assert all(np.isfinite(p.grad.numpy()).all() for p in cell.parameters())
    return forward - start, backward - forward, deletion - backward


def best(run, size, times=3):
    gc.collect()
    gc.disable()  # a collection walks over the whole graph, again and again as it grows
    try:
        return np.min([run(size) for _ in range(times)], axis=0)
    finally:
        gc.enable()


@pytest.mark.parametrize("run", [chain, unroll])
def test_work_is_linear(run):
    assert sys.getrecursionlimit() <= 1000
    assert_linear(run, 300)


@pytest.mark.slow
@pytest.mark.parametrize(("run", "size"), [(chain, 1_000_000), (unroll, 100_000)])
def test_the_full_length(run, size, capsys):
    assert sys.getrecursionlimit() <= 1000
    forward, backward, deletion = best(run, size, times=1)
    with capsys.disabled():
        print(
            f"\n{run.__name__} of {size}: "
            f"forward {forward:.2f} s, backward {backward:.2f} s, "
            f"deletion {deletion:.2f} s"
        )
    tenth = best(run, size // 10)
    assert forward < 20 * tenth[0]
    assert backward < 20 * tenth[1]
    assert deletion < 30 * tenth[2] + 0.1


def test_a_long_graph_is_freed_without_recursion_when_it_was_never_walked():
    y = tg.tensor(1.0, requires_grad=True) + 1.0
    oldest = weakref.ref(y.grad_fn)
    for _ in range(100_000):
        y = y + 1.0
    assert oldest() is not None
    del y
    assert oldest() is None


def test_a_long_graph_under_create_graph():
    x = tg.tensor(1.5, dtype="float64", requires_grad=True)
    y = x
    for _ in range(3000):
        y = y * 1.0
    (first,) = tg.autograd.grad(y * x, x, create_graph=True)
    (second,) = tg.autograd.grad(first, x)
    assert first.item() == 3.0
    assert second.item() == 2.0


def test_many_users_of_one_value():
    """A wide graph: every gradient is added to one sum, in place."""
    x = tg.ones(10, dtype="float64", requires_grad=True)
    y = x * 1.0
    total = tg.zeros((), dtype="float64")
    for i in range(3000):
        total = total + (y * float(i)).sum()
    total.backward()
    assert x.grad.tolist() == [sum(range(3000))] * 10


def test_many_paths_are_walked_once():
    """2^60 paths through 60 diamonds."""
    x = tg.tensor(1.0, dtype="float64", requires_grad=True)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60


def test_cat_of_many_pieces_is_linear_work():
    def run(count):
        pieces = [tg.ones(1, requires_grad=True) for _ in range(count)]
        tg.cat(pieces).sum().backward()
        assert pieces[-1].grad.item() == 1

    assert_linear(run, 100)


def test_the_slices_of_a_sequence_go_back_in_linear_work(monkeypatch):
    """Each slice's gradient is as large as the sequence, but is not written out."""
    written, whole = [], Part.whole
    monkeypatch.setattr(
        Part, "whole", lambda part: written.append(part.shape) or whole(part)
    )

    def run(steps):
        x = tg.ones(steps, 8, 4, requires_grad=True)
        sum((row * row).sum() for row in x).backward()
        np.testing.assert_array_equal(x.grad.numpy(), np.full(x.shape, 2.0, np.float32))

    run(500)
    assert written == [(500, 8, 4)]
    assert_linear(run, 100)
