"""Functions that make tensors: from data, of a shape, at random."""

import pickle

import numpy as np
import pytest
from calls import check_wrong_call, same

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DTypeError, OptionError, ShapeError

f4 = np.float32
f8 = np.float64
i4 = np.int32
i8 = np.int64

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


WRONG = {
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
}


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
    assert pickle.loads(pickle.dumps(make)) is make


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


def test_randn_like_draws_what_randn_draws(device):
    x = tg.zeros(2, 3, dtype="float64", device=device)
    found = tg.randn_like(
        x, generator=tg.Generator().manual_seed(3), requires_grad=True
    )
    wanted = tg.randn(2, 3, dtype="float64", generator=tg.Generator().manual_seed(3))
    assert found.cpu().tolist() == wanted.tolist()
    assert (found.device, found.requires_grad) == (x.device, True)
    assert tg.randn_like(x, dtype="float32").dtype == "float32"


def test_what_comes_by_dlpack_shares_memory():
    array = np.array([1.0, 2.0])
    shared = tg.from_dlpack(array)
    shared[1] = 7.0
    assert array.tolist() == [1, 7]
    array.flags.writeable = False
    with pytest.raises(tg.errors.GraphError, match=r"read-only.*clone\(\)"):
        tg.from_dlpack(array)[0] = 1.0
    with pytest.raises(BufferError):
        tg.from_dlpack(np.ones(2, ">f8"))


def test_what_comes_by_dlpack_from_a_tensor_counts_its_changes():
    x = tg.tensor([1.0, 2.0])
    y = (tg.ones(2, requires_grad=True) * x).sum()
    tg.from_dlpack(x).add_(1.0)
    with pytest.raises(tg.errors.GraphError, match="changed in place"):
        y.backward()


def test_what_has_no_dlpack():
    with pytest.raises(
        TypeError, match="from_dlpack: got list, which has no __dlpack__"
    ):
        tg.from_dlpack([1.0])
    with pytest.raises(TypeError, match="from_dlpack: got the dtype"):
        tg.from_dlpack(np.zeros(2, np.complex64))


@pytest.mark.parametrize(
    "fill",
    [
        pytest.param(lambda value: tg.full((2,), value), id="full"),
        pytest.param(lambda value: tg.full_like(tg.ones(2), value), id="full_like"),
        pytest.param(lambda value: tg.ones(2).new_full((2,), value), id="new_full"),
        pytest.param(lambda value: tg.array_api.full((2,), value), id="array API"),
    ],
)
def test_a_value_to_fill_with_that_requires_grad(fill):
    value = tg.tensor(3.0, requires_grad=True)
    with pytest.raises(tg.errors.ExportError, match="full.*requires grad"):
        fill(value)
    assert fill(value.detach()).tolist() == [3.0, 3.0]
    with tg.no_grad():
        assert fill(value).tolist() == [3.0, 3.0]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
