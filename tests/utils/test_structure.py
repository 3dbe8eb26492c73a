"""utils.detach: a state of any structure loses its history, and keeps its memory."""

from collections import namedtuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.utils import detach


def test_detach():
    x = tg.ones(3, requires_grad=True)
    h = x * 2.0
    state = ((h, h * 2.0), [h], {"h": h, "n": None}, None)
    (a, b), (c,), d, none = detach(state)
    assert isinstance(detach(state)[1], list)
    for one in (a, b, c, d["h"]):
        assert one.is_leaf
        assert not one.requires_grad
    assert np.shares_memory(a.numpy(), h.numpy())
    assert d["n"] is none is None
    assert detach(h).tolist() == h.tolist()
    assert detach(None) is None
    assert h.requires_grad
    for wrong in (3.0, np.ones(2), [h, "h"]):
        with pytest.raises(TypeError, match="detach: state is .*expected a Tensor"):
            detach(wrong)


def test_detach_of_a_named_tuple():
    State = namedtuple("State", "h c")
    found = tg.utils.detach(State(tg.ones(1, requires_grad=True) * 2.0, None))
    assert type(found) is State
    assert found.h.is_leaf
