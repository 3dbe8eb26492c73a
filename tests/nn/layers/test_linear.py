"""Linear: against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import normal, seeds, sizes

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError


@given(
    lead=st.lists(st.integers(0, 3), max_size=3),
    inputs=sizes,
    outputs=sizes,
    bias=st.booleans(),
    seed=seeds,
)
def test_linear(lead, inputs, outputs, bias, seed):
    layer = nn.Linear(inputs, outputs, bias).double()
    x = tg.tensor(normal(seed, *lead, inputs), requires_grad=True)
    out = layer(x)
    weight = layer.weight.numpy()
    expected = np.einsum("...i,oi->...o", x.numpy(), weight)
    expected = expected + (layer.bias.numpy() if bias else 0)
    assert out.shape == (*lead, outputs)
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-12, atol=1e-13)
    u = normal(seed + 1, *lead, outputs)
    out.backward(tg.tensor(u))
    np.testing.assert_allclose(x.grad.numpy(), u @ weight, rtol=1e-12, atol=1e-13)
    expected = np.einsum(
        "ni,no->oi", x.numpy().reshape(-1, inputs), u.reshape(-1, outputs)
    )
    np.testing.assert_allclose(
        layer.weight.grad.numpy(), expected, rtol=1e-12, atol=1e-13
    )
    if bias:
        summed = u.sum(axis=tuple(range(len(lead))))
        np.testing.assert_allclose(
            layer.bias.grad.numpy(), summed, rtol=1e-12, atol=1e-13
        )


def test_linear_starts_within_its_bound():
    layer = nn.Linear(100, 400)
    for parameter in layer.parameters():
        values = parameter.numpy()
        assert np.abs(values).max() <= 0.1
        assert abs(values.std() - 0.1 / np.sqrt(3)) < 0.005


def test_float64_does_not_slip_into_a_float32_layer():
    layer = nn.Linear(3, 2)
    before = layer.weight.numpy().copy()
    with pytest.raises(
        DTypeError, match=r"input is float64, expected float32.*\.float\(\)"
    ):
        layer(tg.ones(2, 3, dtype=tg.float64))
    with pytest.raises(
        DTypeError, match=r"input is float32, expected float64.*\.double\(\)"
    ):
        layer.double()(tg.ones(2, 3))
    np.testing.assert_array_equal(layer.weight.numpy(), before)
