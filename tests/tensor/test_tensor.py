"""Tensors as a user meets them: made, shown, indexed, combined with numbers and with
NumPy.
"""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import Draw, real

import tinygrad_rnn as tg
from tinygrad_rnn.errors import (
    DimError,
    DTypeError,
    GraphError,
    IdError,
    OptionError,
    ShapeError,
)

# ---------------------------------------------------------------- creation


def same(tensor, array):
    """Equal in shape, dtype and every value."""
    assert type(tensor) is tg.Tensor
    assert tensor.dtype == array.dtype
    np.testing.assert_array_equal(tensor.numpy(), array, strict=True)


f4, f8, i4, i8 = np.float32, np.float64, np.int32, np.int64

CREATED = {
    "a float": (lambda: tg.tensor(1.5), np.array(1.5, f4)),
    "an int": (lambda: tg.tensor(3), np.array(3, i8)),
    "a bool": (lambda: tg.tensor(True), np.array(True)),
    "a list of floats": (lambda: tg.tensor([1.0, 2]), np.array([1, 2], f4)),
    "a list of ints": (
        lambda: tg.tensor([[1, 2], [3, 4]]),
        np.array([[1, 2], [3, 4]], i8),
    ),
    "nothing": (lambda: tg.tensor([]), np.array([], f4)),
    "a float64 array": (lambda: tg.tensor(np.ones(2)), np.ones(2)),
    "an int32 array": (lambda: tg.tensor(np.ones(2, i4)), np.ones(2, i4)),
    "a float64 scalar of NumPy": (lambda: tg.tensor(np.float64(1.0)), np.array(1.0)),
    "a tensor": (lambda: tg.tensor(tg.ones(2, dtype=f8)), np.ones(2)),
    "tensors in a list": (
        lambda: tg.tensor([tg.tensor(1.0), 2.0]),
        np.array([1, 2], f4),
    ),
    "a dtype": (lambda: tg.tensor([1, 2], dtype=tg.float64), np.array([1.0, 2.0])),
    "a dtype by name": (lambda: tg.tensor([1.7], dtype="int32"), np.array([1], i4)),
    "big-endian": (lambda: tg.tensor(np.ones(2, ">f8")), np.ones(2)),
    "FloatTensor": (lambda: tg.FloatTensor([1, 2]), np.array([1, 2], f4)),
    "DoubleTensor": (lambda: tg.DoubleTensor(np.ones(2, f4)), np.ones(2)),
    "IntTensor": (lambda: tg.IntTensor([[1, 2]]), np.array([[1, 2]], np.int32)),
    "LongTensor": (lambda: tg.LongTensor(tg.ones(2)), np.ones(2, np.int64)),
    "BoolTensor": (lambda: tg.BoolTensor([0, 2]), np.array([False, True])),
    "zeros": (lambda: tg.zeros(2, 3), np.zeros((2, 3), f4)),
    "zeros of a tuple": (
        lambda: tg.zeros((2, 3), dtype=tg.int64),
        np.zeros((2, 3), i8),
    ),
    "zeros of no dims": (lambda: tg.zeros(()), np.zeros((), f4)),
    "ones": (lambda: tg.ones(0, 2), np.ones((0, 2), f4)),
    "full": (lambda: tg.full((2,), 7), np.full(2, 7, i8)),
    "full of floats": (lambda: tg.full((2,), 0.5), np.full(2, 0.5, f4)),
    "zeros_like": (lambda: tg.zeros_like(tg.ones(2, dtype=f8)), np.zeros(2)),
    "ones_like": (lambda: tg.ones_like(tg.tensor([1, 2])), np.ones(2, i8)),
    "full_like": (lambda: tg.full_like(tg.zeros(2), 3), np.full(2, 3, f4)),
    "arange": (lambda: tg.arange(3), np.arange(3)),
    "arange of floats": (lambda: tg.arange(0.0, 1.0, 0.25), np.arange(0, 1, 0.25, f4)),
    "arange backwards": (lambda: tg.arange(3, 0, -1), np.arange(3, 0, -1)),
    "linspace": (lambda: tg.linspace(0, 1, 5), np.linspace(0, 1, 5, dtype=f4)),
    "eye": (lambda: tg.eye(2, 3), np.eye(2, 3, dtype=f4)),
}


@pytest.mark.parametrize("name", CREATED)
def test_created(name):
    make, array = CREATED[name]
    same(make(), array)


def test_tensor_copies_and_the_others_share():
    array = np.zeros(2)
    copied, shared, same_memory = (
        tg.tensor(array),
        tg.as_tensor(array),
        tg.from_numpy(array),
    )
    array[0] = 1.0
    assert copied.tolist() == [0, 0]
    assert shared.tolist() == same_memory.tolist() == [1, 0]
    assert tg.as_tensor(shared) is shared
    assert tg.as_tensor(shared, dtype=f4).dtype == f4
    assert tg.tensor(shared).tolist() == [1, 0]


def test_a_copy_of_what_records_has_no_history_and_says_so():
    x = tg.ones(2, requires_grad=True)
    for make in (tg.tensor, tg.ones(1).new_tensor):
        for one in (x, x * 2.0):
            with pytest.warns(
                UserWarning, match=r"no history; use x\.clone\(\)"
            ) as caught:
                copied = make(one)
            assert caught[0].filename == __file__
            assert not copied.requires_grad
            assert copied.tolist() == one.tolist()
            with tg.no_grad():
                assert make(one).tolist() == one.tolist()
        assert make(x.detach()).tolist() == [1, 1]


def test_empty_has_a_shape_and_a_dtype():
    assert tg.empty(2, 3, dtype=f8).shape == (2, 3)


def test_requires_grad_in_every_maker():
    for make in (tg.zeros, tg.ones, tg.empty, tg.rand, tg.randn):
        assert make(2, requires_grad=True).requires_grad
        assert make(2, requires_grad=True).is_leaf
    with pytest.raises(DTypeError, match="int64"):
        tg.zeros(2, dtype=i8, requires_grad=True)


def test_the_default_dtype():
    assert tg.get_default_dtype() == f4
    tg.set_default_dtype(tg.float64)
    try:
        for make in (
            lambda: tg.tensor(1.0),
            lambda: tg.zeros(1),
            lambda: tg.randn(1),
            lambda: tg.eye(1),
        ):
            assert make().dtype == f8
        assert tg.tensor([1]).dtype == i8
    finally:
        tg.set_default_dtype(tg.float32)
    with pytest.raises(
        DTypeError, match="set_default_dtype: .*expected float32 or float64"
    ):
        tg.set_default_dtype(tg.int64)


def test_random_numbers_follow_the_seed():
    makers = {
        "rand": lambda **k: tg.rand(3, 2, **k),
        "randn": lambda **k: tg.randn((3, 2), **k),
        "randint": lambda **k: tg.randint(2, 9, (3, 2), **k),
        "randperm": lambda **k: tg.randperm(6, **k),
        "multinomial": lambda **k: tg.multinomial(tg.ones(6), 3, **k),
    }
    for make in makers.values():
        tg.manual_seed(5)
        one, other = make(), make()
        tg.manual_seed(5)
        again = make()
        same(again, one.numpy())
        assert one.tolist() != other.tolist()
        same(make(generator=tg.Generator().manual_seed(5)), one.numpy())
    assert tg.rand(4, dtype=f8).dtype == f8
    assert ((0 <= tg.rand(100).numpy()) & (tg.rand(100).numpy() < 1)).all()
    assert sorted(tg.randperm(6).tolist()) == list(range(6))
    assert set(tg.randint(3, (100,)).tolist()) == {0, 1, 2}
    state = tg.manual_seed(1).get_state()
    first = tg.randn(3)
    tg.random.default_generator.set_state(state)
    same(tg.randn(3), first.numpy())


# ---------------------------------------------------------------- dtypes

DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "float32",
    "float64",
]
OPERATORS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
    "&": lambda x, y: x & y,
    "|": lambda x, y: x | y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}
values = st.lists(st.integers(1, 5), min_size=2, max_size=2)


@pytest.mark.parametrize("symbol", OPERATORS)
@given(st.sampled_from(DTYPES), st.sampled_from(DTYPES), values, values)
def test_promotion_is_numpys(symbol, one, other, x, y):
    """Of two tensors, of a tensor and an array, whichever comes first."""
    function = OPERATORS[symbol]
    x, y = np.array(x).astype(one), np.array(y).astype(other)
    try:
        expected = function(x, y)
    except TypeError:
        with pytest.raises(DTypeError):
            function(tg.tensor(x), tg.tensor(y))
        return
    for a, b in ((tg.tensor(x), tg.tensor(y)), (tg.tensor(x), y), (x, tg.tensor(y))):
        same(function(a, b), expected)


@pytest.mark.parametrize("symbol", OPERATORS)
@given(st.sampled_from(DTYPES), values, st.data())
def test_python_and_numpy_scalars_are_weak(symbol, dtype, x, data):
    """NEP 50's rule for Python's numbers; NumPy's scalars are treated as these."""
    function = OPERATORS[symbol]
    x = np.array(x).astype(dtype)
    number = data.draw(st.sampled_from([True, 2, 1.5]))
    kinds = {
        bool: [np.bool_],
        int: [np.int64, np.int8],
        float: [np.float64, np.float32],
    }
    for scalar in (number, *[kind(number) for kind in kinds[type(number)]]):
        for swap in (False, True):
            try:
                expected = function(number, x) if swap else function(x, number)
            except TypeError:
                with pytest.raises(DTypeError):
                    function(scalar, tg.tensor(x)) if swap else function(
                        tg.tensor(x), scalar
                    )
                continue
            found = (
                function(scalar, tg.tensor(x))
                if swap
                else function(tg.tensor(x), scalar)
            )
            same(found, np.asarray(expected))


@given(st.sampled_from(DTYPES), st.sampled_from([-1, 0, 1, 2, 0.5, 2.0, True]), values)
def test_powers_promote_as_numpys(dtype, exponent, x):
    x = np.array(x).astype(dtype)
    for function in (lambda a, b: a**b, lambda a, b: b**a):
        try:
            expected = function(x, exponent)
        except (TypeError, ValueError, OverflowError):
            with pytest.raises(tg.Error):
                function(tg.tensor(x), exponent)
            continue
        same(function(tg.tensor(x), exponent), expected)


def test_nothing_turns_float64_unasked():
    x = tg.ones(2)
    mask = x > 0
    for out in (
        x * np.float64(2.0),
        np.float64(2.0) * x,
        2.0**x,
        x**2.5,
        x / 3,
        x.mean(),
        x.var(),
        x.std(),
        x.sum(),
        tg.where(mask, 1.0, 0.0),
        tg.where(mask, x, 0.0),
        x.masked_fill(mask, 1.5),
        x.clamp(0.0, 1.0),
        x.softmax(0),
        x.logsumexp(0),
        tg.stack([x, x]),
        x + mask,
        x * tg.tensor([1, 2], dtype="int8"),
        x.maximum(np.float64(0.5)),
        x.remainder(2.0),
        x.sigmoid(),
        tg.cat([x, x]),
        1.0 - x,
    ):
        assert out.dtype == f4
    assert tg.where(mask, 1, 0).dtype == i8
    assert tg.where(mask, 1, 0.5).dtype == f4
    assert tg.where(mask, True, False).dtype == bool


def test_conversions():
    x = tg.tensor([0.0, 1.7, -1.7])
    for name, dtype in {
        "float": f4,
        "double": f8,
        "long": i8,
        "int": i4,
        "bool": np.bool_,
    }.items():
        same(getattr(x, name)(), x.numpy().astype(dtype))
        same(x.to(dtype), x.numpy().astype(dtype))
        same(x.to(dtype=dtype), x.numpy().astype(dtype))
    assert (
        x.to("cpu") is x.float() is x.to(tg.zeros(1)) is x.cpu() is x.to("cpu", f4) is x
    )
    assert x.to(tg.zeros(1, dtype=f8)).dtype == f8
    w = tg.ones(2, requires_grad=True)
    w.double().sum().backward()
    assert w.grad.dtype == f4
    assert w.double().float().requires_grad
    for plain in (w.long(), w.int(), w.bool()):
        assert not plain.requires_grad


# ---------------------------------------------------------------- indexing


@given(st.data())
def test_reading_by_index_is_numpys(data):
    d = Draw(data.draw)
    shape = d.shape()
    array, index = d.array(shape, real), d.index(shape)
    expected = np.asarray(array[index])
    same(tg.from_numpy(array)[index], expected)
    same(tg.from_numpy(array)[with_tensors(d, index)], expected)


def with_tensors(d, index):
    """The same index with Tensors or lists for its arrays, and Tensors for its ints."""
    if isinstance(index, tuple):
        return tuple(with_tensors(d, part) for part in index)
    if isinstance(index, np.ndarray):
        return (
            tg.tensor(index)
            if d.chance() or not index.size * index.ndim
            else index.tolist()
        )
    return tg.tensor(index) if isinstance(index, int) and d.chance() else index


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


@given(st.data())
def test_assigning_by_index_is_numpys(data):
    d = Draw(data.draw)
    shape = d.shape()
    array, index = np.array(d.array(shape, real)), d.index(shape)
    value = d.array(d.narrowed(np.shape(array[index])), real)
    for recorded in (False, True):
        expected, x = array.copy(), tg.tensor(array)
        expected[index] = value
        w = tg.tensor(value, requires_grad=recorded)
        x[with_tensors(d, index)] = w
        same(x, expected)
        assert x.requires_grad == recorded
        x = tg.tensor(array)
        x[index] = value.tolist() if value.size else value
        same(x, expected)


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


# ---------------------------------------------------------------- shapes


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


@given(st.data())
def test_matmul_is_numpys(data):
    d = Draw(data.draw)
    inner = d.integer(1, 3)
    one = d.array((*d.shape(max_dims=1), inner), real)
    other = d.array((inner, *d.shape(max_dims=1)), real)
    if d.chance():
        one = d.array((2, 2, inner), real)
    expected = np.asarray(one @ other)
    x, y = tg.from_numpy(one), tg.from_numpy(other)
    for found in (x @ y, x.matmul(y), tg.matmul(x, y), x @ other, one @ y):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13, atol=1e-13)
        assert found.shape == expected.shape


# ---------------------------------------------------------------- reductions beyond the rows


@given(st.data())
def test_variance_and_deviation_are_numpys(data):
    d = Draw(data.draw)
    shape = tuple(n or 2 for n in d.shape())
    array = d.array(shape, real)
    dim, correction = d.axis(len(shape)), d.one_of(0, 1, 0.5)
    count = array.size // max(np.sum(array, axis=dim).size, 1)
    if count - correction <= 0:
        return
    x = tg.from_numpy(array)
    for keep in (False, True):
        want = np.asarray(np.var(array, axis=dim, ddof=correction, keepdims=keep))
        np.testing.assert_allclose(
            x.var(dim, correction, keep).numpy(), want, rtol=1e-12, atol=1e-14
        )
        np.testing.assert_allclose(
            x.std(dim, correction, keep).numpy(), np.sqrt(want), rtol=1e-12, atol=1e-14
        )


@given(st.data())
def test_extremes_of_a_dim_come_with_their_places(data):
    d = Draw(data.draw)
    shape = tuple(n or 2 for n in d.shape(min_dims=1))
    array = d.array(shape, lambda rng, shape: rng.integers(0, 3, shape) * 1.0)
    dim = d.integer(-len(shape), len(shape) - 1)
    x = tg.from_numpy(array)
    for name, pick in {"max": np.argmax, "min": np.argmin}.items():
        for keep in (False, True):
            values, indices = getattr(x, name)(dim, keep)
            same(indices, np.asarray(pick(array, dim, keepdims=keep)))
            same(values, np.asarray(getattr(np, name)(array, dim, keepdims=keep)))
            assert getattr(x, name)(dim, keep).values.tolist() == values.tolist()
        same(getattr(x, name)(), np.asarray(getattr(np, name)(array)))


def test_sums_of_integers_and_bools_are_int64():
    assert tg.tensor([True, True]).sum().dtype == i8
    assert tg.tensor([100, 100], dtype="int8").sum().item() == 200
    assert tg.tensor([1, 2]).sum(dtype=f8).dtype == f8


# ---------------------------------------------------------------- operators and NumPy


def test_reflected_operators():
    x = tg.tensor([2.0, 4.0])
    array = np.array([2.0, 4.0], f4)
    for symbol, function in OPERATORS.items():
        if symbol in "&|":
            continue
        for other in (
            3.0,
            3,
            np.float32(3),
            np.array([3.0, 5.0], f4),
            np.array(3.0, f4),
        ):
            same(
                function(other, x),
                np.asarray(function(other if np.ndim(other) else 3.0, array)).astype(
                    function(array, array).dtype
                ),
            )
    same(3.0**x, 3.0**array)
    same(array**x, array**array)
    mask = tg.tensor([True, False])
    same(True & mask, np.array([True, False]))
    same(False | mask, np.array([True, False]))
    same(~mask, np.array([False, True]))
    same(-x, -array)
    same(abs(-x), array)
    assert +x is x


def test_an_array_and_a_tensor_make_a_tensor():
    x, array = tg.ones(2, requires_grad=True), np.array([2.0, 3.0], f4)
    for out in (
        array * x,
        x * array,
        array + x,
        array @ x,
        array / x,
        array - x,
        array**x,
        array % x,
    ):
        assert type(out) is tg.Tensor
        assert out.requires_grad
    for out in (array == x, array < x):
        assert type(out) is tg.Tensor
    array += np.asarray(x.detach())
    assert array.tolist() == [3, 4]


def test_numpy_takes_a_tensor_for_an_array():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.shares_memory(np.asarray(x), x.numpy())
    assert np.asarray(x, dtype=f8).dtype == f8
    assert not np.shares_memory(np.array(x), x.numpy())
    assert not np.shares_memory(np.asarray(x, copy=True), x.numpy())
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, dtype=f8, copy=False)
    assert np.sort(x).tolist() == x.tolist()
    assert np.concatenate([x, x]).shape == (4, 2)
    np.testing.assert_array_equal(x, x.numpy())


# ---------------------------------------------------------------- Python's protocols


def test_copies():
    x = tg.ones(2, requires_grad=True)
    (x * 3.0).sum().backward()
    for again in (copy.deepcopy(x), copy.copy(x)):
        assert again is not x
        assert again.requires_grad
        assert again.grad.tolist() == [3, 3]
        assert not np.shares_memory(again.numpy(), x.numpy())
        assert not np.shares_memory(again.grad.numpy(), x.grad.numpy())
    # What is in grad fits no more: it is copied as it is
    x.data = np.ones((3, 1), np.float32)
    assert copy.deepcopy(x).grad.shape == x.grad.shape != x.shape
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1]
    with pytest.raises(
        GraphError, match=r"deepcopy: only leaves.*detach\(\)\.clone\(\)"
    ):
        copy.deepcopy(x * 2.0)
    with pytest.raises(GraphError, match="only leaves"):
        copy.copy(x * 2.0)


def test_detach_shares_and_clone_copies():
    x = tg.ones(2, requires_grad=True)
    assert np.shares_memory(x.detach().numpy(), x.numpy())
    assert not x.detach().requires_grad
    y = x.clone()
    assert y.requires_grad
    assert not np.shares_memory(y.numpy(), x.numpy())
    t = tg.arange(6).reshape(2, 3)
    assert t.contiguous() is t
    assert t.T.contiguous().numpy().flags.c_contiguous


def test_numbers():
    x = tg.tensor(2.5)
    assert float(x) == 2.5
    assert int(x) == 2
    assert x.item() == 2.5
    assert isinstance(x.item(), float)
    assert bool(x)
    assert not tg.tensor([[0]])
    assert isinstance(tg.tensor(3).item(), int)
    assert tg.tensor([[7]]).item() == 7
    assert tg.tensor([1.5, 2.5]).tolist() == [1.5, 2.5]
    assert tg.tensor(1.5).tolist() == 1.5
    assert f"{x:.2f}" == "2.50"
    assert f"{x}" == repr(x)
    assert round(float(x)) == 2


def test_nothing_is_equal_to_none():
    x = tg.ones(2)
    assert (x == None, None == x, x != None, None != x) == (False, False, True, True)  # noqa: E711
    assert None not in [x]
    assert x not in [None]


NOT_COMPARED = ["a", b"a", {}, {1}, [1.0, 1.0], (1, 1), range(2), object(), np.float32]


@pytest.mark.parametrize("other", NOT_COMPARED, ids=repr)
def test_nothing_is_equal_to_what_is_no_number(other):
    x = tg.ones(2)
    assert ((x == other), (other == x)) == (False, False)
    assert ((x != other), (other != x)) == (True, True)
    assert other not in [x]
    assert x not in [other]


@pytest.mark.parametrize(
    "other", [1, True, np.float32(1), np.ones(2), tg.ones(2)], ids=repr
)
def test_numbers_arrays_and_tensors_are_compared_element_by_element(other):
    x = tg.tensor([1.0, 2.0])
    assert (x == other).tolist() == (other == x).tolist() == [True, False]
    assert (x != other).tolist() == (other != x).tolist() == [False, True]


def test_hashing_is_by_identity():
    x, y = tg.ones(1), tg.ones(1)
    assert len({x, y, x}) == 2
    assert {x: 1}[x] == 1


def test_equality_is_elementwise():
    x = tg.ones(2)
    assert (x == x).tolist() == [True, True]
    assert (x != 1.0).tolist() == [False, False]


REPRESENTATIONS = {
    "tensor([1., 2.], dtype=float32)": lambda: tg.tensor([1.0, 2.0]),
    "tensor(3, dtype=int64)": lambda: tg.tensor(3),
    "tensor([], dtype=float32)": lambda: tg.zeros(0),
    "tensor([1.], dtype=float64, requires_grad=True)": lambda: tg.ones(
        1, dtype=f8, requires_grad=True
    ),
    "tensor([2.], dtype=float32, grad_fn=<multiply>)": lambda: (
        tg.ones(1, requires_grad=True) * 2.0
    ),
    "tensor([[1, 2],\n        [3, 4]], dtype=int64)": lambda: tg.tensor(
        [[1, 2], [3, 4]]
    ),
    "tensor([ True, False], dtype=bool)": lambda: tg.tensor([True, False]),
}


@pytest.mark.parametrize("text", REPRESENTATIONS)
def test_repr(text):
    assert repr(REPRESENTATIONS[text]()) == text


def test_repr_of_many_elements_is_short():
    assert len(repr(tg.zeros(1000, 1000))) < 1000


def test_attributes():
    x = tg.ones(2, 3, requires_grad=True)
    assert (x.shape, x.ndim, x.dtype, x.device) == ((2, 3), 2, f4, "cpu")
    assert (x.size(), x.size(1), x.size(-1), x.dim(), x.numel()) == ((2, 3), 3, 3, 2, 6)
    assert x.is_leaf
    assert x.grad_fn is None
    y = x * 2.0
    assert not y.is_leaf
    assert repr(y.grad_fn) == "<multiply>"
    assert x.device.type == "cpu"
    assert x.device.index is None
    assert x.numpy() is x.array
    with pytest.raises(AttributeError):
        x.shape = (3, 2)
    with pytest.raises(AttributeError):
        x.colour = "red"


def test_allclose():
    x = tg.tensor([1.0, float("inf")])
    assert tg.allclose(x, x)
    assert not tg.allclose(x, x + 1.0)
    assert tg.allclose(tg.ones(2), tg.ones(2) + 1e-7)
    assert tg.is_tensor(x)
    assert not tg.is_tensor(1.0)


# ---------------------------------------------------------------- wrong calls

WRONG = {
    "ragged": (
        lambda x: tg.tensor([[1], [2, 3]]),
        ShapeError,
        "tensor: the data is ragged",
    ),
    "text": (
        lambda x: tg.tensor("abc"),
        DTypeError,
        "tensor: the data is of <U3, expected numbers",
    ),
    "objects": (
        lambda x: tg.tensor([None]),
        DTypeError,
        "tensor: the data is of object",
    ),
    "complex": (
        lambda x: tg.tensor([1j]),
        DTypeError,
        "tensor: the data is of complex128",
    ),
    "float16": (
        lambda x: tg.tensor([1.0], dtype="float16"),
        DTypeError,
        "expected float32, float64",
    ),
    "an unknown dtype": (
        lambda x: tg.zeros(2, dtype="real"),
        DTypeError,
        "got the dtype 'real'",
    ),
    "an unknown device": (
        lambda x: tg.zeros(2, device="tpu"),
        OptionError,
        "device: got 'tpu', expected",
    ),
    "a list for an array": (
        lambda x: tg.from_numpy([1.0]),
        DTypeError,
        "from_numpy: array is list",
    ),
    "matmul of what no op takes": (
        lambda x: x @ np.ma.zeros(3),
        DTypeError,
        "matmul: other is float64 MaskedArray",
    ),
    "a negative size": (
        lambda x: tg.zeros(-1),
        ShapeError,
        r"zeros: got the shape \(-1,\)",
    ),
    "a float size": (
        lambda x: tg.zeros(1.5),
        DTypeError,
        "zeros: got .*expected integers",
    ),
    "arange by 0": (
        lambda x: tg.arange(0, 3, 0),
        OptionError,
        "arange: .*but step is 0",
    ),
    "linspace of -1": (
        lambda x: tg.linspace(0, 1, -1),
        OptionError,
        "linspace: steps is -1",
    ),
    "rand of ints": (
        lambda x: tg.rand(2, dtype=i8),
        DTypeError,
        "rand: got the dtype int64",
    ),
    "an empty range": (
        lambda x: tg.randint(3, 3, (2,)),
        OptionError,
        "randint: from 3 to 3",
    ),
    "a seed of text": (
        lambda x: tg.manual_seed("a"),
        DTypeError,
        "manual_seed: seed is 'a'",
    ),
    "a negative seed": (
        lambda x: tg.manual_seed(-1),
        OptionError,
        "manual_seed: seed is -1",
    ),
    "a generator of NumPy": (
        lambda x: tg.rand(2, generator=np.random.default_rng()),
        DTypeError,
        "generator is Generator",
    ),
    "a state of the wrong size": (
        lambda x: tg.Generator().set_state(tg.arange(3)),
        DTypeError,
        "set_state: expected the int64",
    ),
    "negative weights": (
        lambda x: tg.multinomial(tg.tensor([-1.0, 1.0]), 1),
        OptionError,
        "not negative",
    ),
    "NaN weights": (
        lambda x: tg.multinomial(tg.tensor([np.nan, 1.0]), 1),
        OptionError,
        "must be finite",
    ),
    "too few weights": (
        lambda x: tg.multinomial(tg.tensor([0.0, 1.0]), 2),
        OptionError,
        "1 weights are above",
    ),
    "no weights at all": (
        lambda x: tg.multinomial(tg.zeros(0), 1),
        OptionError,
        "0 weights",
    ),
    "no weights": (
        lambda x: tg.multinomial(tg.zeros(2), 1),
        OptionError,
        "0 weights are above 0",
    ),
    "weights that are ints": (
        lambda x: tg.multinomial(tg.tensor([1, 2]), 1),
        ShapeError,
        "input is int64",
    ),
    "item of many": (
        lambda x: x.item(),
        ShapeError,
        r"item: got shape \(2, 3\), .*tolist\(\)",
    ),
    "float of many": (lambda x: float(x), ShapeError, "item: got shape"),
    "int of many": (lambda x: int(x), ShapeError, "item: got shape"),
    "bool of many": (
        lambda x: bool(x),
        ShapeError,
        r"bool: .*neither true nor false.*any\(\)",
    ),
    "bool of none": (lambda x: bool(tg.zeros(0)), ShapeError, "bool: "),
    "if": (lambda x: 1 if x > 0 else 2, ShapeError, "bool: "),
    "chained comparison": (lambda x: 0 < x < 1, ShapeError, "bool: "),
    "len of 0-d": (
        lambda x: len(tg.tensor(1.0)),
        DTypeError,
        "len: a 0-d tensor has no length",
    ),
    "iterating 0-d": (lambda x: list(tg.tensor(1.0)), DTypeError, "0-d"),
    "a float as an index": (
        lambda x: [1, 2][tg.tensor(1.0)],
        DTypeError,
        "index: got a float32",
    ),
    "a vector as an index": (
        lambda x: [1, 2][tg.tensor([1, 0])],
        DTypeError,
        "index: got a int64",
    ),
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
    "reshape to floats": (
        lambda x: x.reshape(2.0, 3.0),
        DTypeError,
        "reshape: .*expected integers",
    ),
    "a dim too large": (
        lambda x: x.sum(2),
        DimError,
        r"sum: dim 2 .*\(2, 3\), expected one from -2 to 1",
    ),
    "a dim too small": (lambda x: x.mean(-3), DimError, "mean: dim -3"),
    "a dim twice": (lambda x: x.sum((0, -2)), DimError, "sum: dim .*names a dim twice"),
    "a dim of text": (
        lambda x: x.sum("a"),
        DTypeError,
        "sum: dim is 'a', expected an integer",
    ),
    "a dim of floats": (lambda x: x.softmax(1.0), DTypeError, "softmax: dim is 1.0"),
    "size": (lambda x: x.size(5), DimError, "size: dim 5"),
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
        r"expand: .*does not expand to \(3,\)",
    ),
    "expand by -1 in front": (lambda x: x.expand(-1, 2, 3), ShapeError, "expand: "),
    "broadcast_to": (lambda x: x.broadcast_to(2, 4), ShapeError, "broadcast_to: "),
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
    "index_select": (
        lambda x: x.index_select(0, tg.tensor([2])),
        IdError,
        "index 2 is out of bounds",
    ),
    "cat of nothing": (lambda x: tg.cat([]), OptionError, "cat: got no tensors"),
    "cat of shapes": (
        lambda x: tg.cat([x, tg.zeros(2, 4)]),
        ShapeError,
        r"cat: tensor 1 has shape \(2, 4\), expected \(\*, 3\)",
    ),
    "cat of ranks": (
        lambda x: tg.cat([x, x[0]]),
        ShapeError,
        r"cat: tensor 1 has shape \(3,\), expected \(\*, 3\)",
    ),
    "cat of a dim": (lambda x: tg.cat([x, x], 2), DimError, "cat: dim 2"),
    "stack of shapes": (
        lambda x: tg.stack([x, x.T]),
        ShapeError,
        "stack: tensor 1 has shape",
    ),
    "stack of nothing": (
        lambda x: tg.stack([]),
        OptionError,
        "(cat|stack): got no tensors",
    ),
    "matmul": (
        lambda x: x @ x,
        ShapeError,
        r"matmul: the shapes \(2, 3\) and \(2, 3\) do not fit",
    ),
    "matmul of a list": (
        lambda x: x @ ([tg.ones((), requires_grad=True)] * 3),
        DTypeError,
        "matmul: other is list, expected a Tensor",
    ),
    "matmul of 0-d": (lambda x: x @ tg.tensor(1.0), ShapeError, "matmul: the shapes"),
    "mean of ints": (
        lambda x: tg.arange(3).mean(),
        DTypeError,
        r"mean: got a int64.*\.float\(\)",
    ),
    "clamp to nothing": (
        lambda x: x.clamp(),
        OptionError,
        "clamp: min and max are both None",
    ),
    "to what": (lambda x: x.to(memory_format=1), DTypeError, "to: got memory_format"),
    "to nowhere": (lambda x: x.to("cuda:7"), OptionError, "device: got 'cuda:7'"),
    "to no dtype": (
        lambda x: x.to("complex64"),
        DTypeError,
        "to: got the dtype 'complex64'",
    ),
    "negative powers of ints": (
        lambda x: tg.arange(3) ** -1,
        OptionError,
        "power: .*negative integer",
    ),
    "ints that ask for gradients": (
        lambda x: tg.arange(3).requires_grad_(),
        DTypeError,
        "expected floats",
    ),
    "a number too large": (
        lambda x: tg.ones(2, dtype="uint8") + 300,
        OptionError,
        "add: .*300 out of bounds",
    ),
    "adding text": (lambda x: x + "a", DTypeError, "add: "),
    "or of floats": (lambda x: x | x, DTypeError, "bitwise_or: "),
    "not of floats": (lambda x: ~x, DTypeError, "bitwise_invert: "),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    """The error is of this package, is the built-in one that a caller expects, and says
    what came.
    """
    call, kind, words = WRONG[name]
    x = tg.arange(6).float().reshape(2, 3)
    with pytest.raises(kind, match=words) as caught:
        call(x)
    assert isinstance(caught.value, tg.Error)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (x.version.count, x.version.recorded_count) == (0, 0)


def test_pickling_is_not_offered_silently_broken():
    """If a tensor can be pickled it comes back the same."""
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    try:
        again = pickle.loads(pickle.dumps(x))
    except (TypeError, AttributeError, pickle.PicklingError):
        return
    assert again.tolist() == [1, 2]
    assert again.requires_grad


@pytest.mark.parametrize("join", [tg.cat, tg.stack])
def test_joining_takes_a_list_of_tensors(join):
    x = tg.ones(2)
    with pytest.raises(
        TypeError, match=r"expected the tensors in a list: \w+\(\[a, b\], dim\)"
    ):
        join(x, x)
    with pytest.raises(TypeError, match="number 1 is list, expected a Tensor"):
        join([x, [1.0]])
    with pytest.raises(ValueError, match="got no tensors"):
        join([])


def test_leaves_and_views_can_be_pickled():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x.grad = tg.ones(2, 2)
    for view in (x.detach()[0], x.detach().T, x.detach()[:, 1]):
        again = pickle.loads(pickle.dumps(view))
        assert again.tolist() == view.tolist()
        assert (again.source, again.view_version) == (None, None)
    again = pickle.loads(pickle.dumps(x))
    assert (again.tolist(), again.grad.tolist()) == (x.tolist(), x.grad.tolist())
    assert again.requires_grad
    assert pickle.loads(pickle.dumps(tg.nn.Parameter(x.detach()))).name == "parameter"
    with pytest.raises(GraphError, match=r"pickle: .*detach\(\)"):
        pickle.dumps(x * 2.0)


# ---------------------------------------------------------------- PyTorch's constructors and types

TYPES = {
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "BoolTensor": "bool",
}


@pytest.mark.parametrize("name", ["Tensor", *TYPES])
def test_constructors_copy_into_their_dtype(name):
    make, dtype = getattr(tg, name), TYPES.get(name, "float32")
    for array in (
        np.ones(3),
        np.ones((2, 3), "i4"),
        np.ones(2, "f4"),
        np.ones((0, 2), bool),
    ):
        for x in (make(array), make(tg.tensor(array)), make(array.tolist())):
            assert (x.dtype, x.requires_grad, x.device) == (dtype, False, "cpu")
            assert type(x) is tg.Tensor
            assert x.tolist() == array.astype(dtype).tolist()
        assert make(array).shape == array.shape
        assert not np.shares_memory(make(array).numpy(), array)
    assert make(range(3)).tolist() == np.arange(3).astype(dtype).tolist()
    assert make([True, False]).tolist() == [1, 0]
    assert (make().shape, make().dtype) == ((0,), dtype)


def test_the_constructor_of_tensors_makes_the_default_dtype():
    tg.set_default_dtype(f8)
    try:
        assert tg.Tensor([1, 2]).dtype == f8
        assert tg.FloatTensor([1, 2]).dtype == f4
    finally:
        tg.set_default_dtype(f4)


@pytest.mark.parametrize(
    "sizes", [(2, 3), (4,), (2.0,), (np.int64(2),), (True,), ([1.0], [2.0])]
)
@pytest.mark.parametrize("name", ["Tensor", *TYPES])
def test_constructors_take_no_sizes_and_no_number(name, sizes):
    with pytest.raises(
        DTypeError,
        match=rf"^{name}: got \(.*tg\.empty\(2, 3(, dtype=tg\.\w+)?\) for sizes",
    ):
        getattr(tg, name)(*sizes)


@given(st.sampled_from(DTYPES), st.sampled_from(DTYPES))
def test_types_by_name_and_by_tensor(one, two):
    x, y = tg.ones(2, 3, dtype=one), tg.zeros(1, dtype=two)
    for converted in (x.type(y.type()), x.type(two), x.type_as(y), x.to(y)):
        assert converted.dtype == two
        assert converted.tolist() == np.ones((2, 3), two).tolist()
    assert x.type(x.type()) is x
    assert x.new_tensor([1, 0]).dtype == one
    assert x.new_tensor([1, 0]).tolist() == np.array([1, 0], one).tolist()
    assert x.new_tensor([1, 0], dtype=two).dtype == two
    assert x.to_device("cpu") is x


def test_types_by_constructor_and_their_gradient():
    x = tg.ones(2, requires_grad=True)
    assert (x.type(), x.long().type()) == ("torch.FloatTensor", "torch.LongTensor")
    assert (x * 2.0).type(tg.LongTensor).tolist() == [2, 2]
    x.type(tg.DoubleTensor).type_as(x).to_device("cpu").sum().backward()
    assert x.grad.tolist() == [1, 1]
    made = x.new_tensor([3.0], requires_grad=True)
    assert made.requires_grad
    assert made.is_leaf


def test_a_gradient_is_deleted():
    x = tg.ones(2, requires_grad=True)
    x.sum().backward()
    del x.grad
    assert x.grad is None
    del x.grad  # as in PyTorch: nothing is there, and nothing is wrong
    (x * 3.0).sum().backward()
    assert x.grad.tolist() == [3, 3]


@pytest.mark.parametrize("spec", [".3f", "10", ">20", "d"])
@pytest.mark.parametrize("shape", [(1,), (3,), (1, 1), (0,)])
def test_a_format_of_several_elements_says_what_to_write(shape, spec):
    with pytest.raises(
        TypeError, match=r"^format: '.*' of a tensor of shape .*\.item\(\).*tolist"
    ):
        format(tg.ones(*shape), spec)
    assert f"{tg.ones(*shape)}" == repr(tg.ones(*shape))


def test_a_format_of_one_element_is_that_of_its_number():
    loss = tg.tensor(2.0, requires_grad=True) * 1.25
    assert f"{loss:.3f} {loss:>6.1f} {tg.tensor(3):03d} {tg.tensor(True)!s:.6}" == (
        "2.500    2.5 003 tensor"
    )
    with pytest.raises(ValueError, match="format code"):
        f"{loss:d}"


# ---------------------------------------------------------------- dtypes are the very objects

DTYPES = (
    "float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()
)
DTYPES_MADE = {
    "tensor": lambda d: tg.tensor([1, 0], dtype=d),
    "tensor by a name": lambda d: tg.tensor([1, 0], dtype=str(d)),
    "zeros": lambda d: tg.zeros(2, dtype=d),
    "full": lambda d: tg.full((2,), 1, dtype=d),
    "eye": lambda d: tg.eye(2, dtype=d),
    "arange": lambda d: tg.arange(2, dtype=d),
    "to": lambda d: tg.ones(2).to(d),
    "new_zeros": lambda d: tg.ones(2, dtype=d).new_zeros(2),
    "from_numpy": lambda d: tg.from_numpy(np.ones(2, d)),
    "from_numpy in a given order": lambda d: tg.from_numpy(
        np.ones(2, d.newbyteorder("="))
    ),
    "as_tensor of the other order": lambda d: tg.as_tensor(
        np.ones(2, d.newbyteorder("S"))
    ),
    "tensor in the other order": lambda d: tg.tensor([1], dtype=d.newbyteorder("S")),
    "from_dlpack": lambda d: tg.from_dlpack(np.ones(2, d)),
    "cat": lambda d: tg.cat([tg.ones(1, dtype=d)] * 2),
    "deepcopy": lambda d: copy.deepcopy(tg.ones(2, dtype=d)),
}


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("way", DTYPES_MADE)
def test_a_dtype_is_the_very_object(way, name):
    dtype = getattr(tg, name)
    assert DTYPES_MADE[way](dtype).dtype is dtype


def test_a_conversion_gives_the_very_dtype():
    x = tg.tensor([1], dtype="uint8")
    assert x.long().dtype is tg.int64
    assert x.int().dtype is tg.int32
    assert x.float().dtype is tg.float32
    assert x.double().dtype is tg.float64
    assert x.bool().dtype is tg.bool
    assert tg.rand(2).argmax().dtype is tg.int64
    assert tg.get_default_dtype() is tg.float32


def test_layers_and_their_gradients_are_of_the_very_dtype():
    for dtype in (tg.float32, tg.float64):
        lstm = tg.nn.LSTM(2, 2).to(dtype)
        output, _ = lstm(tg.zeros(3, 2, dtype=dtype))
        output.sum().backward()
        tensors = [output, *lstm.parameters(), *(p.grad for p in lstm.parameters())]
        assert all(t.dtype is dtype for t in tensors)


def test_an_array_of_an_equal_dtype_is_shared():
    array = np.ones(2, np.dtype("int64").newbyteorder("="))
    tg.from_numpy(array)[0] = 7
    assert array.tolist() == [7, 1]


# ---------------------------------------------------------------- NumPy's errors in our words

BOOLS, FLOATS = tg.tensor([True, False]), tg.ones(4, 6)
NO_BITS = "expected bool or integers"
IN_OUR_WORDS = {
    "a view with -1": (lambda: FLOATS.view(3, -1, 2, 5), "into shape (3,-1,2,5)"),
    "a reshape to -1": (lambda: FLOATS.reshape(5, -1), "into shape (5,-1)"),
    "a difference of bools": (lambda: BOOLS - BOOLS, "use a != b"),
    "in place": (lambda: BOOLS.sub_(BOOLS), "use a != b"),
    "a negative of bools": (lambda: -BOOLS, "use ~a"),
    "~": (lambda: ~FLOATS, NO_BITS),
    "&": (lambda: FLOATS & 1, NO_BITS),
    "| of floats": (lambda: FLOATS | FLOATS, NO_BITS),
    "a number before &": (lambda: 1.5 & BOOLS, NO_BITS),
}


@pytest.mark.parametrize("what", IN_OUR_WORDS)
def test_an_error_of_numpy_is_told_in_our_words(what):
    call, words = IN_OUR_WORDS[what]
    with pytest.raises((DTypeError, ShapeError)) as caught:
        call()
    assert words in str(caught.value)
    assert "numpy" not in str(caught.value)
    assert "ufunc" not in str(caught.value)
