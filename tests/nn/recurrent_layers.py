"""Recurrent layers that tests draw, run and compare."""

import numpy as np
import pytest
from hypothesis import strategies as st
from nn.draws import flags, normal, sizes
from strategies import plain_ids

import tinygrad_rnn as tg
from tinygrad_rnn import nn

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
every_kind = pytest.mark.parametrize("kind", GATES)


@st.composite
def options(draw, kind, **fixed):
    """A layer's kind and arguments."""
    found = {
        "kind": kind,
        "input_size": draw(sizes),
        "hidden_size": draw(sizes),
        "num_layers": draw(st.integers(1, 3)),
        "bias": draw(flags),
        "batch_first": draw(flags),
        "bidirectional": draw(flags),
    }
    if kind == "RNN":
        found["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    if kind == "LSTM":
        found["proj_size"] = draw(st.integers(0, found["hidden_size"] - 1))
    return found | fixed


def build(kind, **arguments):
    return getattr(nn, kind)(**arguments)


def layer_of(options, seed):
    """A float64 layer with weights of size 1, far from linear."""
    layer = build(**options).double()
    layer.load_state_dict(
        {
            name: normal(seed + i, *v.shape)
            for i, (name, v) in enumerate(layer.state_dict().items())
        }
    )
    return layer


def start(layer, batch, seed):
    """The parts of a state; ``batch`` is the dims after the first one."""
    rows = layer.num_layers * (1 + layer.bidirectional)
    wide = getattr(layer, "proj_size", 0) or layer.hidden_size
    parts = (wide, layer.hidden_size)[: 1 + isinstance(layer, nn.LSTM)]
    return [tg.tensor(normal(seed + i, rows, *batch, n)) for i, n in enumerate(parts)]


def ids_for(layer, rng, steps, batch):
    """Ids (T, B), which the layer takes in its own layout."""
    if layer.batch_first:
        return plain_ids(rng, layer.input_size, (batch, steps)).T
    return plain_ids(rng, layer.input_size, (steps, batch))


def run(layer, x, state=(), lengths=None):
    """The output and the parts of the last state, as one tuple."""
    given = tuple(state) if len(state) > 1 else state[0] if len(state) else None
    out, last = layer(x, given, lengths)
    assert isinstance(last, tuple) == isinstance(layer, nn.LSTM)
    return (out, *last) if isinstance(last, tuple) else (out, last)


def width(layer):
    return (getattr(layer, "proj_size", 0) or layer.hidden_size) * (
        1 + layer.bidirectional
    )


def close(found, expected, tolerance=1e-11):
    np.testing.assert_allclose(
        array(found), array(expected), rtol=tolerance, atol=tolerance
    )


def all_close(found, expected, tolerance=1e-11):
    for a, b in zip(found, expected, strict=True):
        close(a, b, tolerance)


def all_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array(a), array(b))


def array(x):
    return x.detach().numpy() if isinstance(x, tg.Tensor) else np.asarray(x)


def weigh(results, seed):
    """One number that depends on everything in the results; None is left out."""
    total = tg.tensor(0.0, dtype=tg.float64)
    for i, result in enumerate(results):
        if result is not None:
            total = total + (result * tg.tensor(normal(seed + i, *result.shape))).sum()
    return total


def slopes(results, leaves, seed, order=2):
    """First gradients, twice (the second time recorded), and second gradients."""
    total = weigh(results, seed)
    if not total.requires_grad:  # all sequences are empty
        return [None] * len(leaves) * (1 if order == 1 else 3)
    first = tg.autograd.grad(total, leaves, retain_graph=True, allow_unused=True)
    if order == 1:
        return first
    again = tg.autograd.grad(total, leaves, create_graph=True, allow_unused=True)
    bent = weigh([None if g is None else g * g for g in again], seed + 50)
    if not bent.requires_grad:
        return [*first, *again, *[None] * len(leaves)]
    return [*first, *again, *tg.autograd.grad(bent, leaves, allow_unused=True)]


def same_slopes(found, expected):
    for a, b in zip(found, expected, strict=True):
        close(0.0 if a is None else a, 0.0 if b is None else b, 1e-9)
