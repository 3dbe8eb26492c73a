"""Parameters that share memory."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import OptionError

SHARED = {
    "one array twice": lambda w: (nn.Parameter(w), nn.Parameter(w)),
    "one tensor twice": lambda w: [nn.Parameter(t) for t in [tg.from_numpy(w)] * 2],
    "a part of the other": lambda w: (nn.Parameter(w), nn.Parameter(w[1:3])),
    "rows in common": lambda w: (nn.Parameter(w[:3]), nn.Parameter(w[2:])),
    "the other way round": lambda w: (nn.Parameter(w), nn.Parameter(w[::-1, ::-1])),
    "a row and a column": lambda w: (nn.Parameter(w[1]), nn.Parameter(w[:, 2])),
    "an element": lambda w: (nn.Parameter(w[2, 3, ...]), nn.Parameter(w.T)),
    "a tensor and its detached self": lambda w: (
        tg.from_numpy(w).requires_grad_(),
        tg.from_numpy(w).detach().requires_grad_(),
    ),
}


APART = {
    "neighbours": lambda w: [nn.Parameter(row) for row in w],
    "every other column": lambda w: (nn.Parameter(w[:, ::2]), nn.Parameter(w[:, 1::2])),
    "columns": lambda w: [nn.Parameter(w[:, i]) for i in range(6)],
    "nothing": lambda w: (
        nn.Parameter(w),
        nn.Parameter(w[:0]),
        nn.Parameter(w[:, 3:3]),
    ),
}


@pytest.mark.parametrize("how", SHARED)
@pytest.mark.parametrize("together", [True, False])
def test_two_parameters_in_one_memory_are_an_error(how, together):
    """Of two updates one would be lost; among many others, in one group or in two."""
    others = [nn.Parameter(np.zeros(3)) for _ in range(20)]
    pair = SHARED[how](np.zeros((4, 6)))
    words = (
        r"optim.SGD: parameter 20 \(\w+, shape .*\) and parameter 21 \(.* "
        r"share memory; clone\(\)"
    )
    if together:
        with pytest.raises(OptionError, match=words):
            optim.SGD([*others, *pair])
        return
    with pytest.raises(OptionError, match=words):
        optim.SGD([{"params": [*others, pair[0]]}, {"params": pair[1]}])
    optimizer = optim.SGD([*others, pair[0]])
    with pytest.raises(OptionError, match=words):
        optimizer.add_param_group({"params": pair[1]})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_parameters_that_come_to_share_memory_are_an_error_in_the_next_step(kind):
    one, two = nn.Parameter(np.zeros(3)), nn.Parameter(np.zeros(3))
    optimizer = kind([one, two], lr=1.0)
    for step in range(2):
        for param in (one, two):
            param.grad = tg.ones_like(param)
        if step:
            two.data = one.data
            with pytest.raises(
                OptionError, match="parameter 0 .* parameter 1 .* share memory"
            ):
                optimizer.step()
        else:
            optimizer.step()
    np.testing.assert_allclose(one.numpy(), -1.0, rtol=1e-6)
    two.data = one.data.clone()
    optimizer.step()
    np.testing.assert_allclose([one.numpy(), two.numpy()], -2.0, rtol=1e-6)


@pytest.mark.parametrize("how", APART)
def test_parameters_apart_in_one_memory_are_trained(how):
    params = APART[how](np.zeros((4, 6)))
    optimizer = optim.SGD(params, lr=1.0)
    for place, param in enumerate(params):
        param.grad = tg.full_like(param, place + 1.0)
    optimizer.step()
    for place, param in enumerate(params):
        assert (param.numpy() == -place - 1.0).all()


@given(data=st.data())
def test_what_shares_memory_is_found(data):
    """As NumPy says of each pair, for random windows of a buffer."""
    buffer = np.zeros(60)
    arrays = []
    for _ in range(data.draw(st.integers(2, 6))):
        start, length = data.draw(st.integers(0, 59)), data.draw(st.integers(1, 9))
        arrays.append(
            buffer[start : start + length][:: data.draw(st.sampled_from([1, 2, 3, -1]))]
        )
    pairs = [(a, b) for i, a in enumerate(arrays) for b in arrays[:i]]
    shared = any(np.shares_memory(a, b) for a, b in pairs)
    params = [nn.Parameter(array) for array in arrays]
    with (
        pytest.raises(OptionError, match="share memory")
        if shared
        else contextlib.nullcontext()
    ):
        optim.Adam(params)
