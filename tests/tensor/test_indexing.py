"""What brackets read, and pieces along a dim."""

import numpy as np
import pytest
from calls import check_wrong_call, same, with_tensors
from hypothesis import given
from hypothesis import strategies as st
from strategies import Draw, real

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DTypeError, IdError, OptionError, ShapeError


@given(st.data())
def test_reading_by_index_is_numpys(data):
    d = Draw(data.draw)
    shape = d.shape()
    array, index = d.array(shape, real), d.index(shape)
    expected = np.asarray(array[index])
    same(tg.from_numpy(array)[index], expected)
    same(tg.from_numpy(array)[with_tensors(d, index)], expected)


@pytest.mark.parametrize(
    "place", [lambda i: i, lambda i: (slice(0, 2), i), lambda i: (i, 1)]
)
@pytest.mark.parametrize("make", [np.array, tg.tensor])
def test_an_index_may_change_before_the_walk_back(place, make):
    index = make([0, 1])
    x, y, z = (tg.zeros(2, 3, requires_grad=True) for _ in range(3))
    read = x[place(index)]
    written = y * 1.0
    written[place(index)] = z[place(index)] * 2.0
    index[:] = 0
    (read.sum() + written.sum()).backward()
    expected = np.zeros((2, 3), np.float32)
    expected[place([0, 1])] = 1
    same(x.grad, expected)
    same(y.grad, 1 - expected)
    same(z.grad, 2 * expected)


def test_slices_are_views_and_arrays_are_copies():
    x = tg.arange(6).reshape(2, 3)
    x[0][1] = 10
    x[:, 2][0] = 20
    x[[0]][0, 0] = 99
    x[x > 100] = 0
    assert x.tolist() == [[0, 10, 20], [3, 4, 5]]


def test_iteration_unpacking_and_membership():
    x = tg.tensor([[1, 2], [3, 4]])
    assert [row.tolist() for row in x] == [[1, 2], [3, 4]]
    a, b = x
    assert a.tolist() == [1, 2]
    assert len(x) == 2
    assert 3 in x
    assert 7 not in x
    assert list(reversed(x[0]))[0].item() == 2
    assert list(range(10))[tg.tensor(2) : tg.tensor(4)] == [2, 3]
    assert "abc"[tg.tensor(1)] == "b"


@given(st.data())
def test_cutting_and_joining(data):
    d = Draw(data.draw)
    array = d.array(d.shape(min_dims=1), real)
    x, dim = tg.from_numpy(array), d.integer(-array.ndim, array.ndim - 1)
    size, step = array.shape[dim], d.integer(1, 4)
    pieces = x.split(step, dim)
    assert [p.shape[dim] for p in pieces] == [
        min(step, size - i) for i in range(0, max(size, 1), step)
    ]
    same(tg.cat(pieces, dim), array)
    same(tg.cat(x.chunk(step, dim), dim), array)
    chunk_size = max(-(-size // step), 1)
    sizes = [p.shape[dim] for p in x.chunk(step, dim)]
    assert sizes == [p.shape[dim] for p in x.split(chunk_size, dim)]
    cut = d.integer(0, size)
    one, other = x.split([cut, size - cut], dim)
    same(one, np.take(array, range(cut), dim))
    same(other, np.take(array, range(cut, size), dim))
    same(x.narrow(dim, cut, size - cut), np.take(array, range(cut, size), dim))
    slices = x.unbind(dim)
    assert len(slices) == size
    if size:
        same(tg.stack(slices, dim), array)
        same(x.select(dim, size - 1), array.take(size - 1, dim))
        picked = [0, size - 1, 0]
        same(x.index_select(dim, tg.tensor(picked)), array.take(picked, dim))
        order = np.argsort(array, dim)
        same(
            x.take_along_dim(tg.tensor(order), dim),
            np.take_along_axis(array, order, dim),
        )
    place = d.integer(-array.ndim - 1, array.ndim)
    same(tg.stack([x, x], place), np.stack([array, array], place))


WRONG = {
    "len of 0-d": (
        lambda x: len(tg.tensor(1.0)),
        DTypeError,
        "len: a 0-d tensor has no length",
    ),
    "iterating 0-d": (lambda x: list(tg.tensor(1.0)), DTypeError, "0-d"),
    "split by 0": (lambda x: x.split(0), OptionError, "split: split_size is 0"),
    "split sizes": (
        lambda x: x.split([1, 2]),
        ShapeError,
        r"split: the sizes \[1, 2\] do not add up to 2",
    ),
    "chunk by 0": (lambda x: x.chunk(0), OptionError, "chunk: chunks is 0"),
    "narrow": (
        lambda x: x.narrow(0, 1, 2),
        IdError,
        "narrow: 1 to 3 of a dim of size 2",
    ),
    "select": (lambda x: x.select(1, 3), IdError, "index 3 is out of bounds"),
    "narrow of 0-d": (
        lambda x: x[0, 0].narrow(0, 0, 1),
        tg.Error,
        r"narrow: dim 0 of a tensor of shape \(\), which",
    ),
    "split of 0-d": (lambda x: x[0, 0].split(1), tg.Error, "split: dim 0 of a tensor"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
