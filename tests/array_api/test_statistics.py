"""The array API's reductions, cumulative sums and differences."""

import numpy as np
import pytest
from calls import check_form, check_slope, check_wrong_call
from hypothesis import given
from hypothesis import strategies as st
from oracle import assert_close
from strategies import Draw, signed

import tinygrad_rnn as tg

xp = tg.array_api

FORMS = {
    "sum of bytes": lambda xp, u: xp.sum(u),
    "sum in a dtype": lambda xp, i: xp.sum(i, axis=0, dtype=xp.int16, keepdims=True),
    "sum of ints": lambda xp, i: xp.sum(i, axis=(0, 1)),
    "prod of dims": lambda xp, a: xp.prod(a, axis=(0, 1), keepdims=True),
    "prod of bytes": lambda xp, u: xp.prod(u),
    "prod in a dtype": lambda xp, i: xp.prod(i, axis=-1, dtype=xp.float64),
    "mean": lambda xp, a: xp.mean(a, axis=(1,), keepdims=True),
    "var": lambda xp, a: xp.var(a, axis=1, correction=1.0),
    "std": lambda xp, a: xp.std(a, correction=0.0, keepdims=True),
    "max": lambda xp, a: xp.max(a, axis=0, keepdims=True),
    "all": lambda xp, b: xp.all(b, axis=(0,)),
    "any": lambda xp, b: xp.any(b, keepdims=True),
    "count_nonzero": lambda xp, i: xp.count_nonzero(i, axis=1),
    "diff": lambda xp, a: xp.diff(a, axis=1, n=2),
    "diff with more": lambda xp, v: xp.diff(v, prepend=v[:1], append=v[-2:]),
    "diff of bools": lambda xp, b: xp.diff(b, axis=0),
    "cumulative_sum of bytes": lambda xp, u: xp.cumulative_sum(u, include_initial=True),
    "cumulative_sum of a dim": lambda xp, a: xp.cumulative_sum(
        a, axis=0, dtype=xp.float32
    ),
    "cumulative_sum of ints": lambda xp, i: xp.cumulative_sum(
        i[0, ...], include_initial=True
    ),
}


REDUCTIONS = ["sum", "prod", "mean", "max", "min", "var", "std", "all", "any", "flip"]


@pytest.mark.parametrize("name", REDUCTIONS)
@given(data=st.data())
def test_along_no_dims_nothing_is_reduced(name, data):
    d = Draw(data.draw)
    array = d.array(d.shape(), signed)
    x, settings = tg.tensor(array, requires_grad=True), {"axis": ()}
    if name != "flip":
        settings["keepdims"] = d.one_of(False, True)
    out = getattr(xp, name)(x, **settings)
    wanted = {"var": array * 0, "std": array * 0, "all": array != 0, "any": array != 0}
    np.testing.assert_array_equal(out.detach().numpy(), wanted.get(name, array))
    if out.requires_grad:
        out.sum().backward()
        assert_close(
            x.grad.numpy(), np.full(array.shape, 0.0 if name in ("var", "std") else 1.0)
        )


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "var"])
def test_methods_keep_what_pytorch_makes_of_no_dims(name):
    """``dim=()`` is all of them there."""
    assert getattr(tg.ones(2, 3), name)(dim=()).shape == ()


DIFFERENTIABLE = {
    "prod": lambda xp, x: xp.prod(x, axis=(0, -1)),
    "cumulative_sum": lambda xp, x: xp.cumulative_sum(x, axis=1, include_initial=True),
    "cumulative_prod": lambda xp, x: xp.cumulative_prod(
        x, axis=0, include_initial=True
    ),
    "diff": lambda xp, x: xp.diff(x, axis=0, prepend=x[:1], n=2),
}


WRONG = {
    "cumulative_sum": (
        lambda x: xp.cumulative_sum(x),
        ValueError,
        "cumulative_sum: axis is None, but x has 2 dims",
    ),
    "diff": (
        lambda x: xp.diff(x, n=-1),
        ValueError,
        "diff: n is -1, expected at least 0",
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
