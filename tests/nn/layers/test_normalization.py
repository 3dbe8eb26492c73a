"""LayerNorm: against NumPy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import normal, seeds

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn


@given(
    lead=st.lists(st.integers(0, 3), max_size=2),
    last=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    affine=st.booleans(),
    bias=st.booleans(),
    seed=seeds,
)
def test_layer_norm(lead, last, affine, bias, seed):
    layer = nn.LayerNorm(last, 0.1, affine, bias).double()
    assert [p.shape for p in layer.parameters()] == [tuple(last)] * affine * (1 + bias)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x = normal(seed, *lead, *last)
    axes = tuple(range(-len(last), 0))
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(
        x.var(axes, keepdims=True) + 0.1
    )
    if affine:
        expected = expected * layer.weight.numpy() + (layer.bias.numpy() if bias else 0)
    np.testing.assert_allclose(
        layer(tg.tensor(x)).detach().numpy(), expected, rtol=1e-11, atol=1e-12
    )


def test_layer_norm_starts_as_the_plain_one_and_says_so():
    layer = nn.LayerNorm((2, 3))
    assert (layer.weight.numpy() == 1).all() and not layer.bias.numpy().any()
    assert (
        repr(layer)
        == "LayerNorm(normalized_shape=(2, 3), eps=1e-05, elementwise_affine=True)"
    )
    x = tg.randn(4, 2, 3)
    np.testing.assert_array_equal(
        layer(x).detach().numpy(), F.layer_norm(x, (2, 3)).numpy()
    )
    assert nn.LayerNorm(3).normalized_shape == (3,)
