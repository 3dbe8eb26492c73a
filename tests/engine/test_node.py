"""Nodes and values: what they point to, and what follows a change in place."""

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.node import Node
from tinygrad_rnn.errors import GraphError


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


def test_under_no_grad_nothing_is_recorded():
    x = leaf(1.0)
    with tg.no_grad():
        y = (x * 2.0).sum()
    assert y.is_leaf
    assert not y.requires_grad
    with pytest.raises(GraphError, match=r"made under no_grad\(\)"):
        y.backward()


def test_nodes_point_to_parents_and_never_to_outputs():
    x = leaf(1.0)
    y = (x * 2.0).exp()
    stack, seen = [y.node], []
    while stack:
        node = stack.pop()
        seen.append(node)
        assert all(isinstance(p, Node) or p is x for p in node.parents)
        stack += [p for p in node.parents if isinstance(p, Node)]
    assert all(a.number > b.number for a, b in zip(seen, seen[1:], strict=False))
    assert repr(y.node) == "<exp>"


def test_retain_grad_follows_a_change_in_place():
    x = leaf(1.0, 2.0)
    y = x * 2.0
    y.retain_grad()
    y.mul_(3.0)
    (y * 5.0).sum().backward()
    assert y.grad.tolist() == [5, 5]
    assert x.grad.tolist() == [30, 30]
    y = x * 2.0
    view = y[0]
    view.retain_grad()
    view *= 3.0
    (view * 5.0).backward()
    assert view.grad.item() == 5.0
