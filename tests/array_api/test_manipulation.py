"""The array API's functions that rearrange elements."""

import numpy as np
import pytest
from calls import check_form, check_slope, check_wrong_call
from hypothesis import given
from hypothesis import strategies as st
from strategies import Draw

import tinygrad_rnn as tg

xp = tg.array_api

FORMS = {
    "broadcast_arrays": lambda xp, a: list(xp.broadcast_arrays(a, a[:1], a[:, :1])),
    "broadcast_to": lambda xp, a: xp.broadcast_to(a[:1], shape=(4, 3)),
    "concat": lambda xp, a: xp.concat((a, a), axis=-1),
    "concat, flattened": lambda xp, a: xp.concat([a, a[0]], axis=None),
    "stack": lambda xp, a: xp.stack([a, a], axis=-1),
    "expand_dims": lambda xp, a: xp.expand_dims(a, axis=1),
    "squeeze": lambda xp, a: xp.squeeze(a[:1, None], axis=(0, 1)),
    "flip": lambda xp, a: xp.flip(a),
    "moveaxis": lambda xp, a: xp.moveaxis(a[None], (0, 1), (-1, 0)),
    "permute_dims": lambda xp, a: xp.permute_dims(a, axes=(1, 0)),
    "reshape": lambda xp, a: xp.reshape(a, shape=(3, -1), copy=True),
    "roll": lambda xp, a: xp.roll(a, 1, axis=(0, 1)),
    "roll of all": lambda xp, a: xp.roll(a, shift=2),
    "tile": lambda xp, a: xp.tile(a, (2, 1, 2)),
    "repeat": lambda xp, a: xp.repeat(a, 2),
    "repeat of a dim": lambda xp, a: xp.repeat(a, xp.asarray([1, 0, 2]), axis=1),
}


DIFFERENTIABLE = {
    "repeat": lambda xp, x: xp.repeat(x, 3, axis=1),
    "unstack": lambda xp, x: xp.stack([row * i for i, row in enumerate(xp.unstack(x))]),
}


WRONG = {
    "squeeze": (
        lambda x: xp.squeeze(x, 0),
        ValueError,
        r"squeeze: dim 0 of .* \(2, 3\) is not 1",
    ),
    "unstack": (lambda x: xp.unstack(x[0, 0]), ValueError, "unstack: got a 0-d tensor"),
    "reshape": (
        lambda x: xp.reshape(x.T, (6,), copy=False),
        ValueError,
        r"reshape: to \(6,\) it is a copy, but copy=False",
    ),
    "broadcast_arrays": (
        lambda x: xp.broadcast_arrays(x, x.T),
        ValueError,
        r"broadcast_arrays: the shapes \(2, 3\) and \(3, 2\) do not broadcast",
    ),
}


def test_where_a_copy_is_made():
    x = tg.ones(2, 3)

    def shares(y):
        return np.shares_memory(x.numpy(), y.numpy())

    assert shares(xp.reshape(x, (6,), copy=False))
    assert not shares(xp.reshape(x, (6,), copy=True))
    assert shares(xp.astype(x, tg.float32, copy=False))
    assert not shares(xp.astype(x, tg.float32))
    assert shares(xp.from_dlpack(x))
    assert not shares(xp.from_dlpack(x, device="cpu", copy=True))


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])


@pytest.mark.parametrize("name", FORMS)
def test_a_call_gives_what_numpy_gives(name):
    check_form(FORMS[name])


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@given(data=st.data())
def test_what_is_differentiable_has_the_right_slope(name, data):
    check_slope(DIFFERENTIABLE[name], Draw(data.draw))
