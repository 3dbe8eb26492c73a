"""Names of constants, and conditions on values of Python."""

import math

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.names import Constants, conditions
from tinygrad_rnn.engine.reads import is_same


def test_literals_stand_for_themselves():
    constants = Constants()
    for value in (None, True, 3, 2.5, "a", ..., (1, "b"), slice(1, None), float):
        text = constants.name(value)
        assert eval(text, {}) == value, text
    assert constants.values == {}


def test_other_values_have_names_that_nothing_else_has():
    constants, values = Constants(), [[1], [1], tg.tanh, math.inf, {}, {}, math.nan]
    names = [constants.name(value) for value in values]
    assert len({*names}) == len(values)
    assert all(constants.values[n] is v for n, v in zip(names, values, strict=True))
    assert [constants.name(value) for value in values] == names
    taken = Constants()
    for wanted in ("args", "v3", "lambda", "wrap", "print", "_", "_1", "__", "a.b"):
        assert taken.name(object(), wanted) != wanted
        assert taken.name(object(), wanted).isidentifier()


VALUES = [0, 0.0, -0.0, 1, 1.0, True, False, math.nan, "1", b"1", None, (1,), {1: 2}]
VALUES += [[1], [1.0], {1}, np.float32(1), np.float64(0), np.array([1]), np.ones(1)]


@pytest.mark.parametrize("place", range(len(VALUES)))
def test_conditions_hold_of_equal_values_alone(place):
    constants, value = Constants(), VALUES[place]
    same = " and ".join(conditions("x", value, constants))
    for other in VALUES:
        space = {**constants.values, "is_same": is_same, "x": other}
        assert bool(eval(same, space)) is (other is value), (same, other)
