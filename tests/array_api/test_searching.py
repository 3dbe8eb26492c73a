"""The array API's order, search and distinct elements."""

import pytest
from calls import check_form, check_slope, check_wrong_call
from hypothesis import given
from hypothesis import strategies as st
from strategies import Draw

import tinygrad_rnn as tg

xp = tg.array_api

FORMS = {
    "argmax": lambda xp, a: xp.argmax(a, axis=1, keepdims=True),
    "argmin": lambda xp, a: xp.argmin(a),
    "sort": lambda xp, a: xp.sort(a, axis=0),
    "argsort": lambda xp, i: xp.argsort(i, axis=1, stable=True),
    "nonzero": lambda xp, b: xp.nonzero(b),
    "searchsorted": lambda xp, v: xp.searchsorted(xp.sort(v), v + 0.5, side="right"),
    "searchsorted by a sorter": lambda xp, v: xp.searchsorted(
        v, v, sorter=xp.argsort(v)
    ),
    "unique_all": lambda xp, i: tuple(xp.unique_all(i)),
    "unique_all of nothing": lambda xp, i: tuple(xp.unique_all(i[:0, ...])),
    "unique_counts": lambda xp, i: tuple(xp.unique_counts(i)),
    "unique_inverse": lambda xp, i: tuple(xp.unique_inverse(i)),
    "unique_values": lambda xp, i: xp.sort(xp.unique_values(i)),
    "take": lambda xp, v: xp.take(v, xp.asarray([2, 0])),
    "take of a dim": lambda xp, a: xp.take(a, xp.asarray([2, 0]), axis=1),
    "take_along_axis": lambda xp, a: xp.take_along_axis(
        a, xp.argsort(a, axis=0), axis=0
    ),
}


DIFFERENTIABLE = {
    "take_along_axis": lambda xp, x: xp.take_along_axis(
        x, xp.argsort(x, axis=1), axis=1
    )
}


WRONG = {
    "take": (lambda x: xp.take(x, tg.tensor([0])), ValueError, "take: axis is None"),
    "nonzero": (lambda x: xp.nonzero(x[0, 0]), ValueError, "nonzero: got a 0-d tensor"),
    "searchsorted": (
        lambda x: xp.searchsorted(x[0], x[0], side="middle"),
        ValueError,
        "searchsorted: side is 'middle'",
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
