"""Parameters: the names that messages use."""

import copy

from nn.models import Tied

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def test_messages_can_name_a_parameter():
    tied = Tied()
    assert tied.rnn.weight_hh_l0.name == "weight_hh_l0"
    assert tied.head.weight.name == "weight"


def test_a_copied_parameter_keeps_its_name():
    layer = nn.Linear(2, 2)
    copied = copy.deepcopy(layer.weight)
    assert copied.name == "weight"
    layer.weight = copied
    assert next(layer.parameters()) is copied


def test_a_parameter_before_super_init_is_kept():
    """Where PyTorch raises: there is no registry that comes with __init__."""

    class Early(nn.Module):
        def __init__(self):
            self.gain = nn.Parameter(tg.ones(2))
            self.inner = nn.Linear(2, 2)
            self.register_buffer("count", tg.zeros(1))
            super().__init__()

    early = Early()
    assert list(early.state_dict()) == ["gain", "count", "inner.weight", "inner.bias"]


def test_a_subclass_may_have_an_equality_of_its_own():
    """Gradients and steps go by identity: none is given to an equal parameter."""

    class ByValue(nn.Parameter):
        def __eq__(self, other):
            return self.tolist() == other.tolist()

        def __hash__(self):
            return 7

    class Unhashable(nn.Parameter):
        def __eq__(self, other):
            return super().__eq__(other)

    for kind in (ByValue, Unhashable):
        one, two = kind(tg.ones(2)), kind(tg.ones(2))
        (one * 3.0 + two * 5.0).sum().backward()
        assert (one.grad.tolist(), two.grad.tolist()) == ([3, 3], [5, 5])
        loss = (one * 3.0 + two * 5.0).sum()
        found = tg.autograd.grad(loss, [one, two])
        assert [g.tolist() for g in found] == [[3, 3], [5, 5]]
        tg.optim.SGD([one, two], lr=1.0).step()
        assert (one.tolist(), two.tolist()) == ([-2, -2], [-4, -4])
