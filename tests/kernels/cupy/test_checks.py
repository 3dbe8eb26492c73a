"""Checks that the host does not wait for, on the emulator of CUDA."""

import numpy as np
import pytest
from backend import fake_cupy
from hypothesis import given
from hypothesis import strategies as st
from kernels.cupy.emulator import ORDERS, needs_compiler
from kernels.cupy.twins import import_twins, on_device

from tinygrad_rnn.backend import pending
from tinygrad_rnn.backend.pending import Check
from tinygrad_rnn.backend.ranges import keep_range

checks = import_twins().checks
pytestmark = needs_compiler


class Found(Exception):
    """What a check has found: its name, a place and a value."""


def explain(place, value, name):
    found = Found(name)
    found.what = name, place, value
    return found


WRONG, NONE = Check(explain, ("wrong",)), Check(explain, ("none",))


def look():
    """Return what the device has found."""
    try:
        pending.look(0, fake_cupy.asnumpy)
    except Found as found:
        return found.what
    return None


def expected(ids, count, ignore, weight, needs_one):
    """What NumPy finds."""
    counts = np.ones(ids.shape, bool) if ignore is None else ids != ignore
    wrong = counts & ((ids < 0) | (ids >= count))
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        return "wrong", place, int(ids[place])
    if weight is not None:
        counts &= weight[np.where(counts, ids, 0)] != 0
    return ("none", 0, 0) if needs_one and not counts.any() else None


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([None, -100, 0, 3]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["int64", "int32", "uint8"]),
    st.sampled_from([*ORDERS]),
)
def test_what_is_found(seed, ignore, weighted, needs_one, dtype, order):
    needs_one = needs_one and ignore is not None
    rng = np.random.default_rng(seed)
    count, size = int(rng.integers(1, 9)), int(rng.integers(1, 400))
    low, high = [(0, count), (0, 1), (0, count + 2), (-3, count)][rng.integers(4)]
    ids = rng.integers(low, high, size)
    if ignore is not None:
        ids[rng.random(size) < rng.choice([0.0, 0.5, 1.0])] = ignore
    ids = ids.astype(dtype)
    weight = rng.integers(0, 2, count).astype(np.float32) if weighted else None
    want = expected(ids.astype(np.int64), count, ignore, weight, needs_one)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_cupy, "order", order)
        on_gpu = on_device(np.stack([ids, ids], 1))[:, 0]  # with gaps
        others = {"ignore": ignore, "weight": on_device(weight)}
        others["if_none"] = NONE if needs_one else None
        assert checks.check_ids(on_gpu, count, WRONG, **others)
    assert look() == want
    assert look() is None


def test_the_first_error_stays_until_it_is_raised():
    for ids in ([0, 7], [8, 0], [1]):
        assert checks.check_ids(on_device(np.array(ids)), 3, WRONG)
    assert look() == ("wrong", 1, 7)
    assert checks.check_ids(on_device(np.array([8, 0])), 3, WRONG)
    assert look() == ("wrong", 0, 8)


def test_what_the_host_knows():
    """Nothing is launched for it."""
    fake_cupy.launched.clear()
    ids = on_device(np.array([0, 2]))
    assert not checks.all_below(ids, 3)
    assert checks.all_below(ids[:0], 0)
    keep_range(ids, 0, 2)
    assert checks.all_below(ids, 3) and checks.all_below(ids[1:], 3)
    assert not checks.all_below(ids, 2)
    assert not checks.check_ids(ids, 2, WRONG)
    assert not checks.check_ids(ids, 2, WRONG, ignore=-100)
    assert fake_cupy.launched == []
    assert checks.check_ids(ids, 2, WRONG, ignore=2)  # all 2 may be ignored
    assert look() is None
    keep_range(ids, -5, 2)
    assert not checks.check_ids(ids, 3, WRONG, ignore=-4)
    assert not checks.all_below(ids, 3)
    assert checks.check_ids(ids[:1], 3, WRONG)  # what is wrong may be the other part
    assert look() is None
