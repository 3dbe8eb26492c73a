"""The functions of the package that are methods of Tensor too."""

import pytest

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
