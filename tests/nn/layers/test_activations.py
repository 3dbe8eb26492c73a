"""Activations as modules: against NumPy."""

import numpy as np
import pytest
from nn.draws import normal

import tinygrad_rnn as tg
from tinygrad_rnn import nn


@pytest.mark.parametrize(
    ("layer", "reference"),
    [
        (nn.Tanh, np.tanh),
        (nn.ReLU, lambda x: np.maximum(x, 0)),
        (nn.Sigmoid, lambda x: 1 / (1 + np.exp(-x))),
        (nn.Identity, lambda x: x),
        (nn.SiLU, lambda x: x / (1 + np.exp(-x))),
        (nn.LogSigmoid, lambda x: -np.log1p(np.exp(-x))),
        (nn.LeakyReLU, lambda x: np.where(x > 0, x, 0.01 * x)),
        (nn.ELU, lambda x: np.where(x > 0, x, np.expm1(x))),
        (nn.Softplus, lambda x: np.log1p(np.exp(x))),
    ],
)
def test_activations(layer, reference):
    x = normal(0, 3, 4)
    np.testing.assert_allclose(layer()(tg.tensor(x)).numpy(), reference(x), rtol=1e-14)
    assert list(layer().state_dict()) == []
