"""Indices of any width, repeated positions, and masks without dims."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
)
@given(data=st.data())
def test_ids_of_any_width(dtype, data):
    """Rows named by narrow integers, of a table that is longer than these can count."""
    ids = data.draw(st.lists(st.integers(0, 127), max_size=6))
    weight = tg.ones(300, 2, dtype="float64", requires_grad=True)
    weight[tg.tensor(ids, dtype=dtype)].sum().backward()
    assert weight.grad.tolist() == [[float(ids.count(i))] * 2 for i in range(300)]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
@pytest.mark.parametrize("recorded", [False, True])
def test_one_element_is_assigned_one_value_of_any_shape(shape, recorded):
    x, w = tg.zeros(3), tg.full(shape, 2.0, requires_grad=recorded)
    x[1] = w
    assert x.tolist() == [0, 2, 0]
    if recorded:
        x.sum().backward()
        assert w.grad.shape == shape
        assert w.grad.item() == 1


def test_assigning_to_repeated_places_keeps_the_last_and_its_gradient():
    x = tg.ones(3, requires_grad=True)
    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x.clone()
    y[tg.tensor([0, 2, 0])] = w
    assert y.tolist() == [3, 1, 2]
    y.sum().backward()
    assert w.grad.tolist() == [0, 1, 1]
    assert x.grad.tolist() == [0, 1, 0]


def test_reading_repeated_places_adds_their_gradients():
    x = tg.ones(3, requires_grad=True)
    (x[[0, 2, 0]] * tg.tensor([1.0, 2.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [5, 0, 2]


def test_a_place_named_from_either_end_is_one_place():
    x = tg.ones(3, 2, requires_grad=True)
    (
        x[tg.tensor([2, -1, 0, -3])] * tg.tensor([[1.0], [2.0], [4.0], [8.0]])
    ).sum().backward()
    assert x.grad.tolist() == [[12, 12], [0, 0], [3, 3]]


def test_a_bool_is_a_mask_of_no_dims(device):
    x = tg.tensor([1.0, 2.0], device=device, requires_grad=True)
    (x[True] * 5 + x[..., None, True].sum() + x * 3 + x[False].sum()).sum().backward()
    assert x.grad.tolist() == [10, 10]
