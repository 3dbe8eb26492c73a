"""What the tests of optimizers share: parameters, gradients, and their comparison."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn

SHAPES = ((2, 3), (), (4,), (0, 2))


seeds = st.integers(0, 2**32)


flags = st.booleans()


decays = st.sampled_from([0.0, 0.1])


def parameters(seed=0, dtypes=("f8", "f8", "f8", "f8")):
    rng = np.random.default_rng(seed)
    return [
        nn.Parameter(np.asarray(rng.standard_normal(shape), dtype))
        for shape, dtype in zip(SHAPES, dtypes, strict=True)
    ]


def give_gradients(params, rng, missing=0.0):
    """The next gradients, the same ones for the same generator; at times none."""
    for parameter in params:
        values = np.asarray(rng.standard_normal(parameter.shape), parameter.dtype)
        parameter.grad = None if rng.random() < missing else tg.tensor(values)


def arrays(params):
    return [p.numpy().copy() for p in params]


def all_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def same_state(a, b):
    assert a["param_groups"] == b["param_groups"]
    assert list(a["state"]) == list(b["state"])
    for place, entry in a["state"].items():
        assert list(entry) == list(b["state"][place])
        for name, value in entry.items():
            np.testing.assert_array_equal(
                np.asarray(value), np.asarray(b["state"][place][name])
            )


def two_groups(kind, seed=0):
    params = parameters(seed)
    groups = [{"params": params[:2]}, {"params": params[2:], "lr": 0.5}]
    return params, kind(groups, lr=0.1)


def train(params, optimizer, rng, steps=3):
    for _ in range(steps):
        give_gradients(params, rng)
        optimizer.step()
