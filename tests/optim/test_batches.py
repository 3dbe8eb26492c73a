"""What an optimizer remembers of parameters that step together."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import OptionError
from tinygrad_rnn.optim.batches import (
    NOTHING,
    Memory,
    key_of,
    kind_of,
    last_memory,
    parts_of,
    slot_of,
)


def remembered(*sizes, step=3):
    """Parameters, and their common memory of a moment that counts up."""
    params = [tg.zeros(size) for size in sizes]
    parts = parts_of(sizes)
    moments = {"moment": np.arange(sum(sizes), dtype=np.float32)}
    kinds = [kind_of(param.array) for param in params]
    owned = dict(zip(params, parts, strict=True))
    kinds = dict(zip(params, kinds, strict=True))
    return params, Memory(step, moments, owned, kinds)


def test_parts_lie_end_to_end():
    assert parts_of((2, 0, 3)) == [slice(0, 2), slice(2, 2), slice(2, 5)]


def test_a_slot_is_a_parameters_part_or_zeros():
    (one, two), memory = remembered(2, 3)
    memories = {one: memory, two: memory}
    assert slot_of(memories, "moment", two).tolist() == [2.0, 3.0, 4.0]
    assert slot_of(memories, "other", two).tolist() == [0.0, 0.0, 0.0]
    assert slot_of({}, "moment", one).tolist() == [0.0, 0.0]


def test_only_the_same_parameters_in_the_same_order_have_their_memory_whole():
    (one, two), memory = remembered(2, 3)
    memories = {one: memory, two: memory}
    assert last_memory(memories, [one, two]) is memory
    for others in ([two, one], [one], [one, two, tg.zeros(1)]):
        assert last_memory(memories, others) is NOTHING
    _, newer = remembered(2, 3)
    assert last_memory(memories | {two: newer}, [one, two]) is NOTHING


def test_the_key_counts_steps_and_raises_for_what_does_not_fit():
    (one,), memory = remembered(2)
    grad = np.ones(2, np.float32)
    assert key_of("SGD", NOTHING, one, grad, []) == (1, "cpu", np.float32)
    assert key_of("SGD", memory, one, grad, ["moment"])[0] == 4
    assert key_of("SGD", memory, one, grad, ["switched on"])[0] == 1
    with pytest.raises(OptionError, match=r"SGD.step: a gradient is float64 of shape"):
        key_of("SGD", memory, one, grad.astype(np.float64), [])
