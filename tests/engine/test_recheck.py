"""tg.compile(check=N): a replay and a plain run from the same state."""

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import GraphError


def test_a_checked_run_has_the_bits_of_a_plain_one():
    runs = []
    for wrap in (lambda step: step, lambda step: tg.compile(step, check=2)):
        tg.manual_seed(0)
        layer, drop = nn.Linear(3, 1), nn.Dropout(0.5)
        optimizer = optim.Adam(layer.parameters())

        @wrap
        def step(x):
            optimizer.zero_grad()
            loss = drop(layer(x)).square().sum()
            loss.backward()
            optimizer.step()
            return loss

        losses = [step(tg.randn(4, 3)).item() for _ in range(9)]
        runs.append((losses, layer.weight.tolist(), layer.bias.tolist()))
    assert runs[0] == runs[1]
    assert step.cache_info().hits == 7


def test_a_replay_that_differs_raises():
    hidden = {"scale": [1.0] * 1000}  # too large to be compared at each call
    compiled = tg.compile(lambda x: x * hidden["scale"][0], check=2)
    for _ in range(3):
        compiled(tg.ones(2))
    hidden["scale"][0] = 2.0
    with pytest.raises(GraphError, match="computed result 0 otherwise"):
        compiled(tg.ones(2))
