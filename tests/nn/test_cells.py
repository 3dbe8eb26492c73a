"""Cells: against their equations in NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import flags, normal, seeds, sizes
from nn.recurrent_layers import all_close, build, close
from strategies import plain_ids

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def apart(z, count):
    """The parts of the last dim, one after the other."""
    size = z.shape[-1] // count
    return [z[..., k * size : (k + 1) * size] for k in range(count)]


@given(
    inputs=sizes,
    hidden=sizes,
    bias=flags,
    nonlinearity=st.sampled_from(["tanh", "relu"]),
    lead=st.sampled_from([(), (1,), (3,)]),
    hx=flags,
    ids=flags,
    seed=seeds,
)
def test_rnn_cell_is_its_equation(
    inputs, hidden, bias, nonlinearity, lead, hx, ids, seed
):
    cell = nn.RNNCell(inputs, hidden, bias, nonlinearity).double()
    places = plain_ids(np.random.default_rng(seed), inputs, lead)
    x = np.eye(inputs)[places] if ids else normal(seed, *lead, inputs)
    h = normal(seed + 1, *lead, hidden) if hx else np.zeros((*lead, hidden))
    leaves = [tg.tensor(h, requires_grad=True)] if hx else []
    out = cell(tg.tensor(places if ids else x), *leaves)
    w_ih, w_hh, *b = [p.numpy() for p in cell.parameters()]
    z = x @ w_ih.T + h @ w_hh.T + sum(b)
    close(out, np.tanh(z) if nonlinearity == "tanh" else np.maximum(z, 0))
    u = normal(seed, *lead, hidden)
    out.backward(tg.tensor(u))
    g = u * (1 - np.tanh(z) ** 2 if nonlinearity == "tanh" else z > 0)
    rows = g.reshape(-1, hidden)
    close(cell.weight_ih.grad, rows.T @ x.reshape(-1, inputs))
    close(cell.weight_hh.grad, rows.T @ h.reshape(-1, hidden))
    if bias:
        close(cell.bias_ih.grad, rows.sum(0))
        close(cell.bias_hh.grad, rows.sum(0))
    if hx:
        close(leaves[0].grad, g @ w_hh)


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell"])
@given(
    inputs=sizes,
    hidden=sizes,
    bias=flags,
    lead=st.sampled_from([(), (1,), (3,)]),
    hx=flags,
    ids=flags,
    seed=seeds,
)
def test_gated_cells_are_their_equations(
    kind, inputs, hidden, bias, lead, hx, ids, seed
):
    """Gradients are tested with the layers, which are made of cells."""
    cell = getattr(nn, kind)(inputs, hidden, bias).double()
    places = plain_ids(np.random.default_rng(seed), inputs, lead)
    x = np.eye(inputs)[places] if ids else normal(seed, *lead, inputs)
    h, c = (
        normal(seed + k, *lead, hidden) if hx else np.zeros((*lead, hidden))
        for k in (1, 2)
    )
    w_ih, w_hh, *b = [p.numpy() for p in cell.parameters()]
    b_ih, b_hh = b or (0, 0)
    z, r = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
    given_x = tg.tensor(places if ids else x)
    if kind == "LSTMCell":
        state = (tg.tensor(h), tg.tensor(c)) if hx else None
        i, f, g, o = apart(z + r, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        all_close(cell(given_x, state), (sigmoid(o) * np.tanh(c), c))
    else:
        (z_r, z_u, z_n), (r_r, r_u, r_n) = apart(z, 3), apart(r, 3)
        u, n = sigmoid(z_u + r_u), np.tanh(z_n + sigmoid(z_r + r_r) * r_n)
        close(cell(given_x, tg.tensor(h) if hx else None), (1 - u) * n + u * h)


@pytest.mark.parametrize("name", ["bias_ih", "bias_hh"])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_one_bias_alone_is_as_if_the_other_were_0(cell, name):
    """PyTorch raises for a cell with one bias."""
    x = tg.randn(3, 2, 4)
    found = []
    for missing in (True, False):
        tg.manual_seed(1)
        layer, single = getattr(nn, cell)(4, 5), getattr(nn, f"{cell}Cell")(4, 5)
        for module, suffix in ((layer, "_l0"), (single, "")):
            if missing:
                setattr(module, name + suffix, None)
            else:
                getattr(module, name + suffix).detach().zero_()
        output = layer(x)[0]
        of_cell = single(x[0])
        of_cell = of_cell[0] if isinstance(of_cell, tuple) else of_cell
        (output.sum() + of_cell.sum()).backward()
        other = {"bias_ih": "bias_hh", "bias_hh": "bias_ih"}[name]
        grads = [getattr(layer, f"{other}_l0").grad, getattr(single, other).grad]
        found.append([output, of_cell, *grads])
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_one_hot_integers_without_a_batch_raise_in_a_cell(kind):
    cell = build(kind, input_size=3, hidden_size=2).double()
    with pytest.raises(
        DTypeError, match=rf"nn\.{kind}: .* input.double\(\) are features"
    ):
        cell(F.one_hot(tg.tensor(2), 3))
