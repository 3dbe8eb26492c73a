"""Changes that are made as one, whatever comes in between."""

import sys
from functools import partial
from operator import setitem

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.commit import commit, prepare_writes


def instructions(count):
    """How many instructions Python runs to commit so many changes."""
    seen, array = 0, np.zeros(count)

    def follow(frame, event, arg):
        nonlocal seen
        # Not what a collection of garbage runs, which may come at any allocation.
        if frame.f_code.co_filename != commit.__code__.co_filename:
            return None
        frame.f_trace_opcodes = True
        seen += event == "opcode"
        return follow

    changes = [partial(setitem, array, place, 1.0) for place in range(count)]
    before = sys.gettrace()
    sys.settrace(follow)
    try:
        commit(changes)
    finally:
        sys.settrace(before)
    assert array.all()
    return seen


def test_one_instruction_makes_all_changes():
    """However many they are: so no interrupt, nor a second one, can come between two of
    them.
    """
    assert instructions(1) == instructions(100) > 0


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_half_done_is_done_to_the_end(place):
    """Where a change is made by Python code, which an interrupt can stop."""
    made, stops = [], [place]

    def change(number):
        if number in stops:
            stops.remove(number)
            raise KeyboardInterrupt
        made.append(number)

    with pytest.raises(KeyboardInterrupt):
        commit([partial(change, number) for number in range(3)])
    assert made == [*range(place), 0, 1, 2]


def test_a_change_of_a_tensor_is_counted():
    x = tg.zeros(2, 3)
    version = x.version.count
    commit(prepare_writes([(x, np.ones((2, 3), np.float32))]))
    assert x.version.count > version
    assert x.sum().item() == 6.0
