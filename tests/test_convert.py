"""What users give, as arrays and dtypes."""

import copy

import numpy as np
import pytest
from calls import check_wrong_call

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DTypeError, ShapeError

f4 = np.float32
f8 = np.float64
i8 = np.int64


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
}


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


def test_an_array_of_an_equal_dtype_is_shared():
    array = np.ones(2, np.dtype("int64").newbyteorder("="))
    tg.from_numpy(array)[0] = 7
    assert array.tolist() == [7, 1]


LOSING = {
    "np.asarray": lambda w: np.asarray(w * 2.0),
    "np.asarray of a leaf": np.asarray,
    "np.array": lambda w: np.array(w * 2.0, dtype="float64"),
    "np.concatenate": lambda w: np.concatenate([w, w]),
    "np.stack": lambda w: np.stack([w.detach(), w * 2.0]),
    "np.array of a list": lambda w: np.array([w.sum(), 1.0]),
    "np.sort": lambda w: np.sort(w),
    "np.from_dlpack": lambda w: np.from_dlpack(w * 2.0),
    "tg.from_dlpack": lambda w: tg.from_dlpack(w),
    "tg.tensor of a list": lambda w: tg.tensor([w * 2.0, w * 3.0]),
    "tg.tensor of numbers": lambda w: tg.tensor([[1.0, w.sum()], [0.0, 2.0]]),
    "tg.as_tensor of a list": lambda w: tg.as_tensor((w[0], w[1])),
    "tg.Tensor": lambda w: tg.Tensor([w, w]),
    "tg.FloatTensor": lambda w: tg.FloatTensor(w),
    "new_tensor of a list": lambda w: w.new_tensor([w]),
    "asarray of a list": lambda w: tg.array_api.asarray([w]),
    "an array's rows": lambda w: np.zeros((2, 2)).__setitem__(0, w),
}


@pytest.mark.parametrize("name", LOSING)
def test_a_conversion_that_would_lose_a_gradient_raises_while_recording(name):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(
        tg.errors.ExportError, match=r"requires grad.*tg\.stack.*x\.detach\(\)"
    ):
        LOSING[name](w)
    with tg.no_grad():
        LOSING[name](w)
    LOSING[name](w.detach())


def test_the_error_is_what_callers_of_the_protocols_expect():
    error = tg.errors.ExportError
    assert issubclass(error, RuntimeError)  # as PyTorch's, of __array__
    assert issubclass(error, BufferError)  # the standard's, of __dlpack__
    # Which others take for "no array at all"
    assert not issubclass(error, TypeError | ValueError)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
