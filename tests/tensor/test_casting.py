"""Tensors in another dtype, and new tensors like one."""

import numpy as np
import pytest
from calls import DTYPES, check_wrong_call, same
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DTypeError, OptionError

f4 = np.float32
f8 = np.float64
i4 = np.int32
i8 = np.int64


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


WRONG = {
    "to what": (lambda x: x.to(memory_format=1), DTypeError, "to: got memory_format"),
    "to nowhere": (lambda x: x.to("cuda:7"), OptionError, "device: got 'cuda:7'"),
    "to no dtype": (
        lambda x: x.to("complex64"),
        DTypeError,
        "to: got the dtype 'complex64'",
    ),
}


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


def test_new_tensors_are_like_the_one_that_is_asked(device):
    x = tg.ones(2, dtype="float64", device=device, requires_grad=True)
    for made, value in [
        (x.new_zeros(3, 1), 0),
        (x.new_ones((3, 1)), 1),
        (x.new_full((3, 1), 7), 7),
    ]:
        assert (made.shape, made.dtype, made.device) == ((3, 1), x.dtype, x.device)
        assert made.cpu().tolist() == [[value]] * 3
        assert made.is_leaf
        assert not made.requires_grad
    other = x.new_zeros(2, dtype=tg.long, device="cpu")
    assert (other.dtype, other.device) == ("int64", "cpu")


def test_new_takes_sizes_or_data():
    weight = tg.ones(2, dtype="float64", requires_grad=True)
    for made, value in [
        (weight.new(1, 2), [[0.0, 0.0]]),
        (weight.new(tg.zeros(1, 2).size()), [[0.0, 0.0]]),
        (weight.new(), []),
        (weight.new([3, 4]), [3.0, 4.0]),
        (weight.new(np.array([5], "f")), [5.0]),
        (weight.new(tg.tensor([6])), [6.0]),
        (weight.new_empty(2), [0.0, 0.0]),
    ]:
        assert (made.tolist(), made.dtype, made.requires_grad) == (
            value,
            "float64",
            False,
        )


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
