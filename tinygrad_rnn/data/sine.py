"""Sine waves, to predict the next point of."""

import math

import numpy as np

from ..creation import get_default_dtype
from ..engine.node import wrap
from ..errors import check_integers
from ..random import Generator, host
from ..tensor import Tensor


def sine_waves(
    num_sequences: int = 1000, sequence_length: int = 20, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Pieces of sine waves X (N, L, 1), and of each the next point y (N,), in the default dtype.

    Each piece is sin over L + 1 evenly spaced points of [s, s + 2 pi f], the last of which is y,
    with a start s uniform in [0, 4 pi) and a frequency f uniform in [0.5, 2).

    >>> X, y = sine_waves(100, 10)
    >>> X.shape, y.shape
    ((100, 10, 1), (100,))
    """
    check_integers("sine_waves", num_sequences=num_sequences, sequence_length=sequence_length)
    start, frequency = host(generator).uniform((0, 0.5), (4 * math.pi, 2), (num_sequences, 2)).T
    shares = np.linspace(0, 1, sequence_length + 1)
    waves = np.sin(start[:, None] + 2 * math.pi * frequency[:, None] * shares)
    waves = waves.astype(get_default_dtype())
    return wrap(waves[:, :-1, None].copy()), wrap(waves[:, -1].copy())
