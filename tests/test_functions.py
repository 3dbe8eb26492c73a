"""The functions of the package that are methods of Tensor too."""

import numpy as np
import pytest
from methods_table import CASES

import tinygrad_rnn as tg
from tinygrad_rnn import functions
from tinygrad_rnn.errors import DTypeError

METHODS = [
    name
    for name, function in vars(functions).items()
    if getattr(function, "__wrapped__", 0) is getattr(tg.Tensor, name, None)
]


@pytest.mark.parametrize("name", METHODS)
def test_an_argument_that_a_function_does_not_have(name):
    with pytest.raises(DTypeError, match=f"^{name}: .*nope="):
        getattr(tg, name)(tg.ones(2), nope=1)


@pytest.mark.parametrize("name", CASES)
def test_every_function_is_a_method_too(name):
    assert name == "einsum" or getattr(tg.Tensor, name) is getattr(tg, name).__wrapped__


def test_functions_take_input_by_name():
    x = tg.tensor([[1.0, 2.0]])
    assert tg.softmax(input=x, dim=1).tolist() == x.softmax(1).tolist()
    assert tg.sum(input=x, dim=1).tolist() == [3]
    assert tg.nn.functional.relu(input=x).tolist() == x.tolist()


@pytest.mark.parametrize(
    "name", ["max", "sort", "std", "unbind", "flatten", "norm", "topk", "split"]
)
def test_functions_take_arrays(name):
    array, more = np.arange(6.0).reshape(2, 3), [1] * (name in ("topk", "split"))
    found, wanted = (getattr(tg, name)(x, *more) for x in (array, tg.tensor(array)))
    for one, two in zip(
        *[x if isinstance(x, tuple) else [x] for x in (found, wanted)], strict=True
    ):
        assert isinstance(one, tg.Tensor)
        assert one.equal(two)


def test_functions_take_an_array_by_name():
    assert tg.max(input=np.ones((2, 2)), dim=1).values.tolist() == [1.0, 1.0]
