"""What a function reads beside its arguments."""

import math
from types import SimpleNamespace

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.engine.reads import Reads, is_number, is_plain

SCALE = 2.0
loss = "a global of the name of an attribute"


def names(function):
    """What is read, by expression, with the kinds of owners."""
    found = Reads(function).new_items(lambda owner: type(owner).__name__)
    return {expression: value for expression, value, _ in found}


def test_globals_and_free_variables_are_found():
    free = 3

    def function(x):
        return x * SCALE + free + math.pi

    assert names(function) == {"dict['SCALE']": 2.0, "cell.cell_contents": 3}


def test_functions_that_are_called_are_followed():
    def inner(x):
        return x * SCALE

    def outer(x):
        return [inner(part) for part in x]

    found = names(outer)
    assert found["dict['SCALE']"] == 2.0
    assert found["cell.cell_contents"] is inner


def test_attributes_count_only_of_objects():
    settings = SimpleNamespace(rate=0.5, loss=1.0)

    def function(x):
        return x.loss * settings.rate

    found = names(function)
    assert "dict['loss']" not in found  # x.loss is another
    assert found["cell.cell_contents"] is settings


def test_attributes_of_users_objects():
    class Trainer:
        def __init__(self):
            self.rate, self.other = 0.5, 1.0

        def helper(self):
            return self.rate

        def step(self):
            return self.helper()

    assert names(Trainer().step) == {"Trainer.rate": 0.5}


def test_tensors_under_a_name_are_known():
    mask = tg.ones(2)
    assert id(mask) in Reads(lambda x: x * mask).tensors


def test_what_counts_by_value():
    assert is_number(np.float32(1.0)) and is_number(None) and not is_number([1])
    assert is_plain({"a": [1, (2.0, "b")]}) and not is_plain([object()])
    assert not is_plain([0] * 1000)
