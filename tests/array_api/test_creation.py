"""The array API's functions that make tensors."""

import numpy as np
import pytest
from calls import check_form, check_slope, check_wrong_call
from hypothesis import given
from hypothesis import strategies as st
from strategies import Draw

import tinygrad_rnn as tg

xp = tg.array_api


def test_what_is_made_takes_the_standards_keywords():
    xp = tg.ones(1).__array_namespace__()
    assert xp.arange(1, stop=3).tolist() == [1, 2]
    assert xp.linspace(0.0, 1.0, num=3).tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("copy", [True, None, False])
@pytest.mark.parametrize("dtype", [None, "float64"])
def test_asarray_keeps_the_history(copy, dtype):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    for one in (x, x * 1.0):
        if copy is False and dtype:
            with pytest.raises(
                ValueError, match="asarray: copy=False, but .*float32 of shape"
            ):
                tg.array_api.asarray(one, dtype=dtype, copy=copy)
            continue
        x.grad = None
        made = tg.array_api.asarray(one, dtype=dtype, copy=copy)
        assert np.shares_memory(made.numpy(), one.numpy()) == (not copy and not dtype)
        (x * made).sum().backward()
        assert x.grad.tolist() == [2, 4]


@pytest.mark.parametrize("copy", [True, None, False])
def test_asarray_of_an_array_copies_as_it_is_told(copy):
    array = np.array([1.0, 2.0])
    made = tg.array_api.asarray(array, copy=copy)
    assert np.shares_memory(made.numpy(), array) == (not copy)
    for one, how in (([1.0], {}), (array, {"dtype": "float32"}), (np.ma.ones(2), {})):
        if copy is False and not isinstance(one, np.ma.MaskedArray):
            with pytest.raises(ValueError, match="copy=False"):
                tg.array_api.asarray(one, copy=copy, **how)
        elif copy:
            assert not np.shares_memory(
                tg.array_api.asarray(one, copy=True, **how).numpy(), np.asarray(one)
            )


COPIES = [
    lambda xp, x: xp.astype(x, xp.float64, copy=True),
    lambda xp, x: xp.astype(x, x.dtype, copy=True),
    lambda xp, x: xp.astype(x, x.dtype, copy=False),
    lambda xp, x: xp.asarray(x, device="cpu"),
    lambda xp, x: xp.broadcast_to(x, (2, 2)),
    lambda xp, x: xp.stack([xp.asarray(x, copy=True), x]),
    lambda xp, x: xp.concat([x, xp.asarray(x, copy=True)]),
    lambda xp, x: x.to_device("cpu"),
]


@pytest.mark.parametrize("function", COPIES)
def test_what_the_namespace_copies_keeps_the_history(function):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    made = function(tg.array_api, x)
    (made.sum() * x.sum()).backward()
    times = made.numel() // 2
    assert x.grad.tolist() == [6 * times, 6 * times]


FORMS = {
    "zeros(shape=)": lambda xp: xp.zeros(shape=(2, 3), dtype=xp.int16),
    "zeros(int)": lambda xp: xp.zeros(3, dtype=xp.float64),
    "ones": lambda xp: xp.ones((2,), dtype=xp.uint32),
    "empty": lambda xp: xp.zeros_like(xp.empty((2, 0), dtype=xp.int8)),
    "full": lambda xp: xp.full(shape=(2,), fill_value=3, dtype=xp.int64),
    "full of a bool": lambda xp: xp.full((2,), True),
    "full_like": lambda xp, a: xp.full_like(a, fill_value=2, dtype=xp.float64),
    "zeros_like": lambda xp, a: xp.zeros_like(a, dtype=xp.int64),
    "ones_like": lambda xp, a: xp.ones_like(a),
    "eye": lambda xp: xp.eye(3, 4, k=1, dtype=xp.float64),
    "eye far below": lambda xp: xp.eye(2, 3, k=-(10**9), dtype=xp.float64),
    "eye far above": lambda xp: xp.eye(2, 3, k=10**9, dtype=xp.float64),
    "eye below": lambda xp: xp.eye(2, k=-1, dtype=xp.float64),
    "arange": lambda xp: xp.arange(2, 9, 3, dtype=xp.int64),
    "arange backwards": lambda xp: xp.arange(5, 3, dtype=xp.int64),
    "arange up with a negative step": lambda xp: xp.arange(0, 3, -1, dtype=xp.int64),
    "arange down": lambda xp: xp.arange(5, step=2, stop=1, dtype=xp.int64),
    "arange backwards of floats": lambda xp: xp.arange(-1.0, step=2, dtype=xp.float64),
    "arange of a float": lambda xp: xp.arange(2.5, dtype=xp.float64),
    "linspace": lambda xp: xp.linspace(0, 1, num=5, dtype=xp.float64),
    "linspace without its end": lambda xp: xp.linspace(
        0, 1, 5, endpoint=False, dtype=xp.float64
    ),
    "meshgrid": lambda xp, v: xp.meshgrid(v, v[:2], v[:1]),
    "meshgrid ij": lambda xp, v: xp.meshgrid(v, v[:2], v[:1], indexing="ij"),
    "meshgrid of one": lambda xp, v: xp.meshgrid(v),
    "tril": lambda xp, a: xp.tril(a, k=1),
    "triu": lambda xp, a: xp.triu(a, k=-1),
}


DIFFERENTIABLE = {
    "meshgrid": lambda xp, x: (
        xp.meshgrid(x[0], x[:, 0])[0] * xp.meshgrid(x[0], x[:, 0])[1]
    ),
    "asarray": lambda xp, x: xp.asarray(x) * xp.astype(x, xp.float64),
    "linspace": lambda xp, x: x * xp.linspace(0, 1, x.shape[1], dtype=xp.float64),
}


WRONG = {
    "meshgrid": (
        lambda x: xp.meshgrid(x[0], indexing="yx"),
        ValueError,
        "meshgrid: indexing is",
    ),
    "meshgrid of arrays": (
        lambda x: xp.meshgrid([1.0]),
        TypeError,
        "meshgrid: number 0 is list",
    ),
    "eye": (
        lambda x: xp.eye(2, k=0.5),
        TypeError,
        "eye: k is 0.5, expected an integer",
    ),
    "arange": (
        lambda x: xp.arange(0, 3, 0),
        ValueError,
        "arange: from 0 to 3, but step is 0",
    ),
}


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
