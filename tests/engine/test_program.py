"""Programs: which lines they keep, when they may run, how two of them differ."""

import numpy as np

from tinygrad_rnn.engine.program import Line, _keep_used, kind_of, same_attributes


def line(target, code, reads=(), has_effect=False):
    writes = [target] if target else []
    return Line(target, code, set(reads), writes, has_effect, False, "a line")


def test_unused_lines_go_and_variables_end_with_their_last_use():
    lines = [
        line("v1", "f(v0)", ["v0"]),
        line("v2", "f(v1)", ["v1"]),
        line("v3", "unused(v1)", ["v1"]),
        line("", "check(v0)", ["v0"], has_effect=True),
        line("v4", "draw(v0)", ["v0"], has_effect=True),
    ]
    kept, body = _keep_used(lines, {"v2"})
    assert [x.code for x in kept] == ["f(v0)", "f(v1)", "check(v0)", "draw(v0)"]
    assert body == [
        "v1 = f(v0)",
        "v2 = f(v1)",
        "del v1",
        "check(v0)",
        "draw(v0)",
        "del v0",
    ]


def test_arrays_are_alike_in_type_shape_and_dtype():
    one = kind_of(np.ones(2))
    assert one == kind_of(np.zeros(2))
    assert one != kind_of(np.zeros(3))
    assert one != kind_of(np.zeros(2, np.float32))


def test_attributes_are_compared_numbers_by_value():
    class Thing:
        pass

    thing = Thing()
    thing.rate, thing.parts = 1e-3, []
    before = dict(vars(thing))
    thing.rate = float("1e-3")
    assert same_attributes(thing, before)
    thing.parts = []
    assert not same_attributes(thing, before)
