"""Parameters as one vector, and back."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import GraphError
from tinygrad_rnn.nn.utils import parameters_to_vector, vector_to_parameters


def test_there_and_back():
    one, two = nn.RNN(2, 3), nn.RNN(2, 3)
    vector = parameters_to_vector(one.parameters())
    assert vector.shape == (one.num_parameters(),)
    vector_to_parameters(vector.detach(), two.parameters())
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
        assert (
            b.is_leaf and b.requires_grad and not np.shares_memory(a.numpy(), b.numpy())
        )


def test_gradients_flow_through_the_vector():
    layer = nn.Linear(2, 3)
    (parameters_to_vector(layer.parameters()) * tg.arange(9.0)).sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy(), np.arange(6).reshape(3, 2))
    np.testing.assert_array_equal(layer.bias.grad.numpy(), [6, 7, 8])


def test_a_vector_loaded_after_the_forward_pass_is_noticed():
    layer = nn.Linear(2, 2)
    out = layer(tg.ones(1, 2, requires_grad=True)).sum()
    vector_to_parameters(tg.zeros(6), layer.parameters())
    with pytest.raises(RuntimeError, match="changed in place"):
        out.backward()


def test_a_parameter_that_cannot_be_written_changes_none():
    first, second = tg.ones(2), tg.tensor(np.float32(1.0)).expand(2)
    with pytest.raises(
        GraphError, match="vector_to_parameters: a parameter: .*read-only"
    ):
        nn.utils.vector_to_parameters(tg.zeros(4), [first, second])
    assert first.tolist() == [1.0, 1.0]
