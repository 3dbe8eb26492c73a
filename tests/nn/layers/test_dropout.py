"""Dropout: what stays, its gradient, and its ends."""

import numpy as np
import pytest
from nn.draws import normal

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean(p):
    layer = nn.Dropout(p)
    x = tg.ones(200, 500, requires_grad=True)
    out = layer(x)
    kept = out.detach().numpy() != 0
    assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / kept.size)
    np.testing.assert_array_equal(out.detach().numpy(), kept * np.float32(1 / (1 - p)))
    columns = kept.mean(0), kept.mean(1)  # every row and every column alike
    assert max(np.abs(c - (1 - p)).max() for c in columns) < 0.2
    assert not (kept[1:] == kept[:-1]).all(1).any()


def test_the_gradient_of_dropout_is_its_mask():
    x = tg.tensor(normal(0, 30, 40), requires_grad=True)
    out = nn.Dropout(0.3)(x)
    mask = out.detach().numpy() / x.numpy()
    u = normal(1, 30, 40)
    out.backward(tg.tensor(u))
    np.testing.assert_array_equal(x.grad.numpy() == 0, mask == 0)
    np.testing.assert_allclose(x.grad.numpy(), u * mask, rtol=1e-12)


def test_dropout_at_the_ends_and_in_eval():
    x = tg.tensor(normal(0, 4, 5))
    for same in (
        nn.Dropout(0.0)(x),
        nn.Dropout(0.7).eval()(x),
        F.dropout(x, 0.7, training=False),
    ):
        np.testing.assert_array_equal(same.numpy(), x.numpy())
    nothing = nn.Dropout(1.0)(x)
    assert nothing.dtype == x.dtype
    assert not nothing.numpy().any()
