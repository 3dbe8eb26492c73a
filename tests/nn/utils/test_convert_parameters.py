"""Parameters as one vector, and sequences of different length in one tensor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import GraphError
from tinygrad_rnn.nn.utils import parameters_to_vector, vector_to_parameters
from tinygrad_rnn.nn.utils.rnn import pad_sequence


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


@given(
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    rest=st.lists(st.integers(1, 3), max_size=2),
    batch_first=st.booleans(),
    side=st.sampled_from(["right", "left"]),
)
def test_pad_sequence(lengths, rest, batch_first, side):
    given_ = [
        tg.tensor(np.full((n, *rest), i + 1.0), requires_grad=True)
        for i, n in enumerate(lengths)
    ]
    out = pad_sequence((x for x in given_), batch_first, -1.0, side)
    steps = max(lengths)
    assert out.shape == (
        (len(lengths), steps) if batch_first else (steps, len(lengths))
    ) + tuple(rest)
    for i, n in enumerate(lengths):
        column = out[i] if batch_first else out[:, i]
        inside = slice(0, n) if side == "right" else slice(steps - n, steps)
        values = np.full((steps, *rest), -1.0)
        values[inside] = i + 1
        np.testing.assert_array_equal(column.detach().numpy(), values)
    out.sum().backward()
    assert all((x.grad.numpy() == 1).all() for x in given_)


def test_padded_sequences_go_with_lengths():
    rnn = nn.GRU(2, 3)
    sequences = [tg.randn(n, 2) for n in (4, 2, 3)]
    _, h_n = rnn(pad_sequence(sequences), lengths=[len(x) for x in sequences])
    for i, x in enumerate(sequences):
        np.testing.assert_allclose(
            h_n[:, i].detach().numpy(), rnn(x)[1].detach().numpy(), atol=1e-6
        )


def test_a_parameter_that_cannot_be_written_changes_none():
    first, second = tg.ones(2), tg.tensor(np.float32(1.0)).expand(2)
    with pytest.raises(
        GraphError, match="vector_to_parameters: a parameter: .*read-only"
    ):
        nn.utils.vector_to_parameters(tg.zeros(4), [first, second])
    assert first.tolist() == [1.0, 1.0]
