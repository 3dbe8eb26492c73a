"""Sine waves to forecast."""

import numpy as np

from .. import errors
from ..convert import get_default_dtype
from ..engine.node import wrap
from ..random import Generator, numpy_generator
from ..tensor import Tensor


def sine_waves(
    num_sequences: int = 1000,
    sequence_length: int = 20,
    generator: Generator | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Draw pieces of sine waves, and the point that follows each of them.

    A piece is :math:`\sin` at L + 1 evenly spaced points of :math:`[s, s + 2 \pi f]`,
    with a start :math:`s` uniform in :math:`[0, 4 \pi)` and a frequency :math:`f`
    uniform in :math:`[0.5, 2)`. The first L points are in X, the last one is in y.

    Args:
        num_sequences: N, the number of pieces.
        sequence_length: L, the number of points in X.
        generator: Draws the starts and frequencies; the default generator if None.

    Returns:
        X and y, of the default dtype.

    Shape:
        X: (N, L, 1). y: (N,).

    Raises:
        OptionError: A number is not positive.

    Example:
        >>> from tinygrad_rnn.data import sine_waves
        >>> X, y = sine_waves(100, 10)
        >>> X.shape, y.shape
        ((100, 10, 1), (100,))
    """
    name = "sine_waves"
    errors.check_integers(name, num_sequences=num_sequences)
    errors.check_integers(name, sequence_length=sequence_length)
    source = numpy_generator(name, generator)
    low, high = (0, 0.5), (4 * np.pi, 2)  # of the starts, and of the frequencies
    start, frequency = source.uniform(low, high, (num_sequences, 2)).T
    turns = np.linspace(0, 1, sequence_length + 1)[:, None]  # (L + 1, 1)
    angles = start + 2 * np.pi * frequency * turns  # (L + 1, N)
    waves = np.sin(angles.T).astype(get_default_dtype())
    return wrap(waves[:, :-1, None].copy()), wrap(waves[:, -1].copy())
