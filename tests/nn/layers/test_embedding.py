"""Embedding: against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import normal, seeds, sizes

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import IdError

# ---------------------------------------------------------------- Embedding


@given(
    rows=sizes,
    features=sizes,
    padding=st.none() | st.integers(-4, 3),
    lead=st.lists(st.integers(0, 4), max_size=3),
    dtype=st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]),
    seed=seeds,
)
def test_embedding(rows, features, padding, lead, dtype, seed):
    if padding is not None:
        padding = max(-rows, min(rows - 1, padding))
    layer = nn.Embedding(rows, features, padding).double()
    weight = layer.weight.numpy()
    if padding is not None:
        assert not weight[padding].any()
    weight[...] = normal(seed, rows, features)
    ids = np.random.default_rng(seed).integers(0, rows, lead)
    out = layer(tg.tensor(ids.astype(dtype)))
    np.testing.assert_array_equal(out.detach().numpy(), weight[ids])
    u = normal(seed + 1, *lead, features)
    out.backward(tg.tensor(u))
    expected = np.zeros_like(weight)
    np.add.at(expected, ids, u)
    if padding is not None:
        expected[padding] = 0
    np.testing.assert_allclose(
        layer.weight.grad.numpy(), expected, rtol=1e-12, atol=1e-13
    )


def test_many_rows_and_narrow_ids():
    """A row number beyond the ids' own dtype does not wrap around."""
    layer = nn.Embedding(300, 2)
    layer(tg.tensor(np.array([0, 127, 5, 127], np.int8))).sum().backward()
    expected = np.zeros((300, 2), np.float32)
    expected[[0, 5]], expected[127] = 1, 2
    np.testing.assert_array_equal(layer.weight.grad.numpy(), expected)


@pytest.mark.parametrize("wrong", [-1, 4])
def test_embedding_names_the_wrong_id(wrong):
    with pytest.raises(
        IdError, match=rf"embedding: input has {wrong} at \(1, 0\), .*\[0, 4\)"
    ):
        nn.Embedding(4, 2)(tg.tensor([[0, 3], [wrong, 1]]))


# ---------------------------------------------------------------- your own table


def test_an_embedding_of_a_table():
    table = tg.randn(4, 3)
    tg.manual_seed(1)
    before = tg.random.default_generator.get_state().tolist()
    frozen = nn.Embedding.from_pretrained(table)
    trained = nn.Embedding.from_pretrained(table, freeze=False, padding_idx=-1)
    assert tg.random.default_generator.get_state().tolist() == before
    assert not frozen.weight.requires_grad and trained.weight.requires_grad
    assert frozen(tg.tensor([2, 0])).tolist() == table[tg.tensor([2, 0])].tolist()
    # The row is not set to 0
    assert trained(tg.tensor([3])).tolist() == table[3:].tolist()
    trained(tg.tensor([3, 1])).sum().backward()
    assert trained.weight.grad.tolist() == [[0.0] * 3, [1.0] * 3, [0.0] * 3, [0.0] * 3]
    assert (
        isinstance(frozen, nn.Embedding)
        and repr(trained) == "Embedding(4, 3, padding_idx=3)"
    )
    assert list(frozen.state_dict()) == ["weight"] and not table.requires_grad
    doubles = nn.Embedding.from_pretrained(table.double())
    assert doubles.weight.dtype == tg.float64
