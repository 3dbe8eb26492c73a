"""Matrix products."""

import numpy as np
import pytest
from calls import check_wrong_call
from hypothesis import given
from hypothesis import strategies as st
from strategies import Draw, real

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DTypeError, ShapeError


@given(st.data())
def test_matmul_is_numpys(data):
    d = Draw(data.draw)
    inner = d.integer(1, 3)
    one = d.array((*d.shape(max_dims=1), inner), real)
    other = d.array((inner, *d.shape(max_dims=1)), real)
    if d.chance():
        one = d.array((2, 2, inner), real)
    expected = np.asarray(one @ other)
    x, y = tg.from_numpy(one), tg.from_numpy(other)
    for found in (x @ y, x.matmul(y), tg.matmul(x, y), x @ other, one @ y):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13, atol=1e-13)
        assert found.shape == expected.shape


WRONG = {
    "matmul of what no op takes": (
        lambda x: x @ np.ma.zeros(3),
        DTypeError,
        "matmul: other is float64 MaskedArray",
    ),
    "matmul": (
        lambda x: x @ x,
        ShapeError,
        r"matmul: the shapes \(2, 3\) and \(2, 3\) do not fit",
    ),
    "matmul of a list": (
        lambda x: x @ ([tg.ones((), requires_grad=True)] * 3),
        DTypeError,
        "matmul: other is list, expected a Tensor",
    ),
    "matmul of 0-d": (lambda x: x @ tg.tensor(1.0), ShapeError, "matmul: the shapes"),
    "mm": (lambda x: x.mm(x[0]), ValueError, r"mm: got the shapes \(2, 3\) and \(3,\)"),
    "bmm": (
        lambda x: x.reshape(2, 1, 3).bmm(tg.ones(1, 3, 1)),
        ValueError,
        "bmm: got the shapes",
    ),
    "mv of a list": (
        lambda x: x.mv([1, 2, 3]),
        TypeError,
        "mv: other is list, expected a Tensor",
    ),
    "outer": (lambda x: x.outer(x), ValueError, "outer: got the shapes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
