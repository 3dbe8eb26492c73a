"""Modules that call one function."""

import inspect

import numpy as np
import pytest
from nn.draws import normal

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def test_modules_of_functions_hold_their_options():
    x = tg.tensor(normal(0, 2, 3, 4))
    for layer, expected in (
        (nn.Softmax(1), x.softmax(1)),
        (nn.LogSoftmax(dim=-1), x.log_softmax(-1)),
        (nn.Flatten(), x.flatten(1)),
        (nn.Flatten(0, 1), x.flatten(0, 1)),
    ):
        np.testing.assert_array_equal(layer(x).numpy(), expected.numpy())
    assert repr(nn.Softmax(1)) == "Softmax(dim=1)"
    assert repr(nn.Flatten()) == "Flatten(start_dim=1, end_dim=-1)"
    assert repr(nn.Tanh()) == "Tanh()"
    dropout = nn.Dropout(0.5)
    dropout.p = 0.0  # an option is an attribute
    np.testing.assert_array_equal(dropout(x).numpy(), x.numpy())


@pytest.mark.parametrize("layer", [nn.Tanh, nn.LogSigmoid, nn.Sigmoid])
def test_what_has_no_options_takes_none(layer):
    assert not inspect.signature(layer).parameters
    with pytest.raises(TypeError, match="inplace"):
        layer(inplace=True)


def test_a_subclass_calls_the_function_of_its_class():
    class Sum(nn.MSELoss):
        def __init__(self):
            super().__init__("sum")

    assert Sum()(tg.ones(3), tg.zeros(3)).item() == 3.0
