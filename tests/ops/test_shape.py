"""Ops of shape: views, and the parts of a gradient that each argument gets."""

from itertools import permutations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import ops

VIEWS = {
    "reshape": lambda x: ops.reshape(x, (3, 2)),
    "permute_dims": lambda x: ops.permute_dims(x, (1, 0)),
    "broadcast_to": lambda x: ops.broadcast_to(x, (4, 2, 3)),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_shows_its_arguments_memory(name):
    x = tg.arange(6.0).reshape(2, 3)
    out = VIEWS[name](x)
    assert np.shares_memory(out.array, x.array)
    assert out.version is x.version
    assert not np.shares_memory(ops.flip(x).array, x.array)


@pytest.mark.parametrize("axes", [*permutations((0, 1, -1))])
def test_a_permutations_gradient_is_permuted_back(axes):
    x = tg.arange(24.0).reshape(2, 3, 4).requires_grad_()
    out = ops.permute_dims(x, axes)
    out.backward(out.detach())
    assert x.grad.tolist() == x.tolist()


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("join", [ops.concat, ops.stack])
def test_each_of_several_arrays_gets_its_part_of_the_gradient(join, axis):
    xs = [tg.randn(2, 3, requires_grad=True) for _ in range(3)]
    out = join(xs, axis=axis)
    out.backward(out.detach())
    for x in xs:
        assert x.grad.tolist() == x.tolist()
