"""The range of integers that were sent to a device."""

import gc

import numpy as np
import pytest
from backend.gpus import fake_gpus
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import tinygrad_rnn as tg
from tinygrad_rnn.backend import ranges
from tinygrad_rnn.backend.ranges import (
    find_range,
    forget_range,
    keep_range,
    known_range,
)


@pytest.fixture
def gpus():
    with fake_gpus() as cupy:
        yield cupy


def test_a_range_is_that_of_an_array_and_its_views():
    x = np.arange(6)
    assert known_range(x) is None
    keep_range(x, 0, 5)
    assert known_range(x) == known_range(x[2:]) == known_range(x[2:][1:].T) == (0, 5)
    assert known_range(x.copy()) is None
    forget_range(x[3:])
    assert known_range(x) is None


dtypes = st.sampled_from("i1 i2 i4 i8 u1 u2 u4 u8 >i4".split())
shapes = arrays_of.array_shapes(min_dims=0, max_dims=2)


@given(dtypes.flatmap(lambda dtype: arrays_of.arrays(dtype, shapes)), st.booleans())
def test_finding_a_range(x, transposed):
    x = x.T[..., ::-1] if transposed and x.ndim else x
    low, high = find_range(x)
    assert high == x.max()
    assert low == (x.min() if x.min() < 0 else 0)


def test_it_goes_with_the_array():
    x = np.arange(6)
    key = id(x)
    keep_range(x, 0, 5)
    assert key in ranges._ranges
    del x
    gc.collect()
    assert key not in ranges._ranges


CHANGES = {
    "add_": lambda x: x.add_(1),
    "assignment": lambda x: x.__setitem__(0, 9),
    "of a view": lambda x: x[1:].fill_(3),
    "copy_": lambda x: x.copy_(x + 1),
    "at ids": lambda x: x.__setitem__(tg.tensor([1]), 5),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_in_place_ends_it(gpus, change):
    x = tg.tensor([1, 4, 2]).cuda()
    assert known_range(x.array) == known_range(x.reshape(3, 1)[1].array) == (0, 4)
    change(x)
    assert known_range(x.array) is None


def test_loading_a_state_ends_it(gpus):
    module = tg.nn.Module()
    module.register_buffer("ids", tg.tensor([1, 4, 2]).cuda())
    module.load_state_dict({"ids": tg.tensor([7, 7, 7])})
    assert known_range(module.ids.array) is None
    assert module.ids.tolist() == [7, 7, 7]


def test_integers_alone_have_one(gpus):
    for x in (tg.ones(2), tg.ones(0, dtype=tg.int64), tg.ones(2) > 0):
        assert known_range(x.cuda().array) is None
    assert known_range(tg.tensor([3, -1], device="cuda:1").array) == (-1, 3)
