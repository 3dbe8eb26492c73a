"""The array API's sums of products."""

import pytest
from calls import check_form, check_slope, check_wrong_call
from hypothesis import given
from hypothesis import strategies as st
from strategies import Draw

import tinygrad_rnn as tg

xp = tg.array_api

FORMS = {
    "matmul": lambda xp, a: xp.matmul(a, xp.matrix_transpose(a)),
    "tensordot": lambda xp, a: xp.tensordot(a, a, axes=((0, 1), (0, 1))),
    "tensordot of one": lambda xp, a: xp.tensordot(a, a.T, axes=1),
    "tensordot of none": lambda xp, v: xp.tensordot(v, v, axes=0),
    "vecdot": lambda xp, a: xp.vecdot(a, a[:1], axis=-1),
    "vecdot of bytes": lambda xp, u: xp.vecdot(u, u),
}


DIFFERENTIABLE = {"tensordot": lambda xp, x: xp.tensordot(x, x, axes=((0,), (0,)))}


WRONG = {
    "tensordot": (
        lambda x: xp.tensordot(x, x, axes=((2,), (0,))),
        IndexError,
        "tensordot: dim 2",
    ),
    "vecdot": (
        lambda x: xp.vecdot(x, x[:, :1]),
        ValueError,
        r"vecdot: the shapes \(2, 3\) and \(2, 1\) differ along dim -1",
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
