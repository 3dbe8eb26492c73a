"""The array API's functions of elements."""

import pytest
from calls import check_form, check_slope
from hypothesis import given
from hypothesis import strategies as st
from strategies import Draw

FORMS = {
    "positive": lambda xp, a: xp.positive(a),
    "conj": lambda xp, a: xp.conj(a),
    "astype": lambda xp, a: xp.astype(a, xp.int16),
    "astype without a copy": lambda xp, a: xp.astype(a, xp.float64, copy=False),
    "clip": lambda xp, a: xp.clip(a, min=-1.0, max=2.0),
    "clip below": lambda xp, a: xp.clip(a, None, 0.5),
    "clip by tensors": lambda xp, a: xp.clip(a, a - 1.0, xp.ones_like(a)),
    "where of numbers": lambda xp, b: xp.where(b, 1, 2),
    "where of one number": lambda xp, a: xp.where(a > 0, a, 0.0),
    "logical_xor": lambda xp, b: xp.logical_xor(b, b[:1]),
    "pow": lambda xp, a: xp.pow(a, 2),
    "a number first": lambda xp, a: xp.subtract(1.0, a),
}


DIFFERENTIABLE = {
    "clip by tensors": lambda xp, x: xp.clip(x, x * 0.0 - 0.3, x * 0.0 + 0.9)
}


@pytest.mark.parametrize("name", FORMS)
def test_a_call_gives_what_numpy_gives(name):
    check_form(FORMS[name])


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@given(data=st.data())
def test_what_is_differentiable_has_the_right_slope(name, data):
    check_slope(DIFFERENTIABLE[name], Draw(data.draw))
