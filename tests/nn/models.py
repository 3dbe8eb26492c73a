"""Models that tests of modules share, and their values."""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Tied(nn.Module):
    """Embeddings and head share their weight; a buffer counts."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.rnn = nn.RNN(3, 3)
        self.head = nn.Linear(3, 5)
        self.head.weight = self.embedding.weight
        self.register_buffer("scale", tg.ones(2))

    def forward(self, ids):
        return self.head(self.rnn(self.embedding(ids))[0])


class Nest(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
        self.gain = nn.Parameter(np.ones(3, np.float32))
        self.second = nn.Sequential(
            nn.Sequential(nn.Linear(3, 1, bias=False)), self.first
        )


def values(module):
    return {name: value.numpy().copy() for name, value in module.state_dict().items()}


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
