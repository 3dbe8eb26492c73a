"""What a backend need not have, on the stand-in: reading, writing and adding by index
as NumPy does.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import assert_close
from strategies import Draw, real

from tinygrad_rnn.backend import find, numpy, standard

pytest.importorskip("array_api_strict")


@pytest.fixture(scope="module")
def xp():
    return find("strict")


def moved(xp, index):
    """An index with its arrays on the device."""
    if isinstance(index, tuple):
        return tuple(moved(xp, part) for part in index)
    return xp.from_host(index) if isinstance(index, np.ndarray) else index


@given(data=st.data())
def test_any_index(xp, data):
    """With the arrays on the device or on the host."""
    d = Draw(data.draw)
    shape = d.shape()
    index = d.index(shape)
    x = np.array(d.array(shape, real))
    there, place = xp.from_host(x), moved(xp, index) if d.chance() else index
    named = x[index]
    values = np.asarray(real(d.rng, named.shape))
    assert_close(xp.to_host(xp.getitem(there, place)), named, 0)
    found = xp.to_host(xp.put(there, xp.from_host(values), place))
    assert_close(found, numpy.put(x, values, index), 0)
    found = xp.to_host(xp.scatter(xp.from_host(values), shape, place))
    assert_close(found, numpy.scatter(values, shape, index), 1e-13)
    xp.assign(there, place, 2.5)
    x[index] = 2.5
    assert_close(xp.to_host(there), x, 0)


@given(
    count=st.integers(0, 70),
    rows=st.integers(1, 4),
    width=st.integers(0, 2),
    seed=st.integers(),
)
def test_many_of_few_rows(xp, count, rows, width, seed):
    """Sums of many values for one place, in the same order each time; the last one
    stays.
    """
    rng = np.random.default_rng(abs(seed))
    ids = rng.integers(-rows, rows, count).astype(
        rng.choice(["int8", "int32", "int64"])
    )
    values = rng.standard_normal((count, width))
    shape, there = (rows, width), xp.from_host(values)
    sums = xp.to_host(xp.scatter(there, shape, xp.from_host(ids)))
    assert_close(sums, numpy.scatter(values, shape, ids), 1e-13)
    again = xp.scatter(there, shape, (xp.from_host(ids),))
    assert xp.to_host(again).tobytes() == sums.tobytes()
    zeros = xp.zeros(shape, there.dtype)
    assert_close(
        xp.to_host(xp.put(zeros, there, xp.from_host(ids))), last(values, shape, ids), 0
    )
    won = xp.to_host(xp.is_last_assigned(zeros, xp.from_host(ids)))
    assert won.sum() == len(set(ids % rows)) * width
    assert_close(
        np.where(won, values, 0).sum(0), last(values, shape, ids).sum(0), 1e-13
    )


def last(values, shape, ids):
    out = np.zeros(shape)
    for place, value in zip(ids, values, strict=True):
        out[place] = value
    return out


@pytest.mark.parametrize("ids", [[3], [-4], [0, 1, 2, 99]])
def test_ids_out_of_range_are_refused_before_anything_is_done(xp, ids):
    x, ids = xp.zeros((3, 2), xp.float32), xp.from_host(np.array(ids))
    calls = (
        lambda: xp.getitem(x, ids),
        lambda: xp.put(x, 1.0, ids),
        lambda: xp.assign(x, ids, 1.0),
        lambda: xp.scatter(xp.zeros((*ids.shape, 2), xp.float32), (3, 2), ids),
    )
    for call in calls:
        with pytest.raises(
            IndexError, match=r"index (3|-4|99) is out of bounds for axis 0 with"
        ):
            call()
    assert not xp.to_host(x).any()


def test_ids_stay_on_the_device(xp, monkeypatch):
    """The usual gather and scatter cost no transfer, but for the check that they are in
    range.
    """
    x, ids = xp.zeros((5, 2), xp.float32), xp.from_host(np.array([1, 4, 1]))
    for name in ("to_host", "from_host"):
        monkeypatch.setattr(xp, name, None)
    assert xp.getitem(x, ids).shape == (3, 2)
    assert xp.scatter(x[:3, :], (5, 2), ids).shape == (5, 2)
    assert xp.put(x, x[:3, :], ids).shape == (5, 2)


def test_a_part_is_added_where_it_belongs(xp):
    total = xp.zeros((4, 2), xp.float64)
    ones = xp.ones_like(total)
    for index in (1, (slice(2, 9), 0), (..., 1), (None, slice(None))):
        part = xp.add_at(xp.getitem(ones, index), (4, 2), index)
        assert type(part) is standard.Part
        part.add_to(total)
        assert_close(
            xp.to_host(part.whole()),
            numpy.scatter(np.ones(part.values.shape), (4, 2), index),
        )
    assert xp.to_host(total).tolist() == [[1, 2], [2, 3], [2, 2], [2, 2]]


def test_the_names_of_other_libraries_dtypes():
    class Theirs:
        def __init__(self, text):
            self.text = text

        def __str__(self):
            return self.text

    assert standard.numpy_dtype(np.dtype("f4")) == np.float32
    assert standard.numpy_dtype(Theirs("torch.int64")) == np.int64
    assert standard.numpy_dtype(Theirs("bool")) == np.bool_


@given(data=st.data())
def test_numbers_of_whole_arrays(xp, data):
    """As NumPy's own file has them, which has a faster way for each."""
    d = Draw(data.draw)
    x, y = (
        np.array(d.array((data.draw(st.integers(1, 4)), 3), real)) for _ in range(2)
    )
    there, other = xp.from_host(x), xp.from_host(y)
    assert_close(np.asarray(xp.to_host(xp.sum_over_rows(there))), x.sum(0), 1e-13)
    assert_close(numpy.sum_over_rows(x), x.sum(0), 1e-13)
    assert_close(xp.squares([there, other]), (x**2).sum() + (y**2).sum(), 1e-13)
    for largest, array in ((xp.largest, there), (numpy.largest, x.T)):
        assert largest(array) == x.max()
        assert type(largest(array)) is float
    x[-1, 1] = np.nan
    assert np.isnan(xp.largest(xp.from_host(x)))
    assert np.isnan(numpy.largest(x))
