"""The same elements in another shape or order, and repeated."""

import numpy as np
import pytest
from calls import check_wrong_call, same
from hypothesis import given
from hypothesis import strategies as st
from strategies import Draw, real

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DimError, ShapeError


@given(st.data())
def test_reshape_is_numpys(data):
    d = Draw(data.draw)
    array = d.array(d.shape(), real)
    x = tg.from_numpy(array)
    sizes = list(d.permuted(array.shape))
    known = int(np.prod(sizes)) if sizes else 1
    if sizes and known:
        sizes[d.integer(0, len(sizes) - 1)] = -1
    for call in (x.reshape, x.view):
        same(call(*sizes), array.reshape(sizes))
        same(call(tuple(sizes)), array.reshape(sizes))
    same(x.flatten(), array.flatten())
    same(x.reshape(-1) if array.size else x.reshape(0), array.reshape(-1))


@given(st.data())
def test_moving_dims_is_numpys(data):
    d = Draw(data.draw)
    array = d.array(d.shape(min_dims=1), real)
    x, n = tg.from_numpy(array), array.ndim
    i, j = d.integer(-n, n - 1), d.integer(-n, n - 1)
    axes = d.permuted(range(n))
    same(x.transpose(i, j), array.swapaxes(i, j))
    same(x.permute(axes), array.transpose(axes))
    same(x.permute(*axes), array.transpose(axes))
    same(x.T, array.T)
    same(x.movedim(i, j), np.moveaxis(array, i, j))
    same(x.movedim(tuple(range(n)), axes), np.moveaxis(array, range(n), axes))
    same(x.flip(i), np.flip(array, i))
    same(x.flip(*range(n)), np.flip(array))
    same(x.unsqueeze(i), np.expand_dims(array, i))
    same(x.unsqueeze(n), array[..., None])
    same(x.squeeze(), array.squeeze())
    same(x.squeeze(i), array.squeeze(i) if array.shape[i] == 1 else array)
    if n > 1:
        same(x.mT, np.swapaxes(array, -1, -2))
        first, last = sorted((i % n, j % n))
        joined = (
            *array.shape[:first],
            int(np.prod(array.shape[first : last + 1])),
            *array.shape[last + 1 :],
        )
        same(x.flatten(first, last), array.reshape(joined))


@given(st.data())
def test_expanding_is_numpys(data):
    d = Draw(data.draw)
    full = d.shape()
    array = d.array(d.narrowed(full), real)
    x = tg.from_numpy(array)
    same(x.broadcast_to(full), np.broadcast_to(array, full))
    same(x.expand(*full), np.broadcast_to(array, full))
    lead = len(full) - array.ndim
    kept = (
        *full[:lead],
        *[-1 if a == b else b for a, b in zip(array.shape, full[lead:], strict=True)],
    )
    same(x.expand(kept), np.broadcast_to(array, full))


WRONG = {
    "reshape": (
        lambda x: x.reshape(4),
        ShapeError,
        r"reshape: .*size 6 into shape \(4,\).*\(2, 3\)",
    ),
    "reshape with two -1": (lambda x: x.reshape(-1, -1), ShapeError, "reshape: "),
    "reshape with -2": (lambda x: x.reshape(-2, 3), ShapeError, "reshape: "),
    "reshape of nothing": (
        lambda x: tg.zeros(0, 2).reshape(0, -1),
        ShapeError,
        "reshape: ",
    ),
    "transpose": (lambda x: x.transpose(0, 2), DimError, "transpose: dim 2"),
    "permute": (
        lambda x: x.permute(0, 0),
        DimError,
        r"permute: dim \(0, 0\) names a dim twice",
    ),
    "permute too few": (
        lambda x: x.permute(0),
        ShapeError,
        r"permute: axes don.t match",
    ),
    "movedim": (lambda x: x.movedim((0, 1), (0,)), DimError, "movedim: "),
    "flatten": (
        lambda x: x.flatten(1, 0),
        DimError,
        "flatten: start_dim 1 comes after end_dim 0",
    ),
    "flip": (lambda x: x.flip(2), DimError, "flip: dim 2"),
    "unsqueeze": (lambda x: x.unsqueeze(3), DimError, "unsqueeze: dim 3"),
    "squeeze": (lambda x: x.squeeze(2), DimError, "squeeze: dim 2"),
    "expand": (lambda x: x.expand(4, 3), ShapeError, r"(expand|broadcast_to): "),
    "expand to fewer": (
        lambda x: x.expand(3),
        ShapeError,
        r"expand: .*cannot be expanded to \(3,\)",
    ),
    "expand by -1 in front": (lambda x: x.expand(-1, 2, 3), ShapeError, "expand: "),
    "broadcast_to": (lambda x: x.broadcast_to(2, 4), ShapeError, "broadcast_to: "),
    "roll of 0-d": (lambda x: x[0, 0].roll(1, 0), tg.Error, "roll: dim 0 of a tensor"),
    "roll": (lambda x: x.roll((1, 2), 0), ValueError, "roll: got 2 shifts for 1 dims"),
    "tril": (lambda x: x[0].tril(), ValueError, r"tril: got the shape \(3,\)"),
    "tile": (lambda x: x.tile(-1), ValueError, "tile: dims is -1, expected at least 0"),
}


@given(data=st.data())
def test_repeat_is_tile_of_all_dims(data):
    d = Draw(data.draw)
    shape = d.shape()
    x, times = (
        tg.tensor(d.array(shape, real)),
        [d.integer(0, 2) for _ in range(len(shape) + 1)],
    )
    np.testing.assert_array_equal(x.repeat(*times).numpy(), np.tile(x.numpy(), times))
    np.testing.assert_array_equal(
        x.repeat(times[1:]).numpy(), np.tile(x.numpy(), times[1:])
    )
    with pytest.raises(ShapeError, match="repeat: got 0 sizes, expected 2"):
        tg.ones(2, 2).repeat()


def test_t():
    x = tg.ones(2, 3, requires_grad=True)
    assert (x.t().shape, tg.ones(3).t().shape, tg.tensor(1.0).t().shape) == (
        (3, 2),
        (3,),
        (),
    )
    (x.t() * tg.arange(6.0).reshape(3, 2)).sum().backward()
    assert x.grad.tolist() == [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
    with pytest.raises(ShapeError, match=r"t: got the shape \(1, 1, 1\)"):
        tg.ones(1, 1, 1).t()


def test_view_as_and_expand_as_take_the_shape_of_another():
    x = tg.arange(3.0).requires_grad_()
    like = tg.zeros(2, 3, dtype=tg.int64)
    assert x.expand_as(like).tolist() == [[0.0, 1.0, 2.0]] * 2
    assert x.expand_as(like).dtype == "float32"
    x.expand_as(like).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
    assert like.view_as(tg.zeros(3, 2)).shape == (3, 2)
    with pytest.raises(ShapeError, match=r"view_as"):
        like.view_as(x)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
