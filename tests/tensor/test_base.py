"""Shape, dtype and device of a tensor."""

import numpy as np
import pytest
from calls import check_wrong_call

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DimError

f4 = np.float32


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


WRONG = {
    "size": (lambda x: x.size(5), DimError, "size: dim 5"),
    "size of 0-d": (
        lambda x: x.sum().size(-1),
        DimError,
        "size: dim -1 of a tensor of",
    ),
}


def test_is_cuda():
    assert not tg.ones(1).is_cuda


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
