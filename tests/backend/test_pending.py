"""Errors that a device has found: a NumPy array stands for its memory."""

import numpy as np
import pytest

from tinygrad_rnn.backend import pending
from tinygrad_rnn.backend.pending import LATE, Check, ErrorRecord


def explain(place, value, *facts):
    return ValueError((place, value, *facts))


def looks_of(record):
    """Look once, and return what was raised, and how often memory was read."""
    reads = []

    def to_host(memory):
        reads.append(memory)
        return memory.copy()

    try:
        record.look(to_host)
    except ValueError as error:
        return str(error), len(reads)
    return None, len(reads)


def test_an_error_is_raised_once_with_the_facts_of_its_check():
    record = ErrorRecord(np.zeros(3, np.int64))
    one, other = Check(explain, ("one",)), Check(explain, ("other", (2, 3)))
    assert [record.number_of(check) for check in (one, other, one)] == [1, 2, 1]
    record.memory[:] = 2, 5, 9
    assert looks_of(record) == (f"{LATE}: (5, 9, 'other', (2, 3))", 1)
    assert not record.memory.any()
    record.number_of(one)
    assert looks_of(record) == (None, 1)


def test_nothing_is_read_before_a_check_has_run():
    record = ErrorRecord(np.zeros(3, np.int64))
    assert looks_of(record) == (None, 0)
    record.number_of(Check(explain, ()))
    assert looks_of(record) == (None, 1)
    assert looks_of(record) == (None, 0)


def test_checks_of_many_shapes_are_not_kept_for_ever(monkeypatch):
    """They are forgotten at a look that finds nothing, when none can fail any more."""
    monkeypatch.setattr(pending, "MOST", 5)
    record = ErrorRecord(np.zeros(3, np.int64))
    for steps in range(100):
        number = record.number_of(Check(explain, (steps,)))
        assert number <= 9
        if steps % 4 == 3:
            assert looks_of(record) == (None, 1)
    numbers = [record.number_of(Check(explain, (name,))) for name in "abcdefgh"]
    record.memory[0] = numbers[6]
    assert looks_of(record) == (f"{LATE}: (0, 0, 'g')", 1)


def test_each_device_has_a_record_of_its_own(monkeypatch):
    found, clean = [ErrorRecord(np.zeros(3, np.int64)) for _ in range(2)]
    monkeypatch.setattr(pending, "records", {0: clean, 1: found})
    for record in (found, clean):
        record.number_of(Check(explain, ()))
    found.memory[0] = 1
    pending.look(0, np.copy)
    pending.look(2, np.copy)
    with pytest.raises(ValueError, match=r"0, 0"):
        pending.look(1, np.copy)
