"""sine_waves: they are sines, of the starts and frequencies that were promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.data import sine_waves


@given(st.integers(1, 50), st.integers(1, 40))
def test_shapes_and_values(count, length):
    X, y = sine_waves(count, length)
    assert X.shape == (count, length, 1)
    assert y.shape == (count,)
    assert X.dtype == y.dtype == tg.float32
    assert np.abs(X.numpy()).max() <= 1.0
    assert not np.shares_memory(X.numpy(), y.numpy())


def test_each_is_a_sine_of_a_frequency_in_range():
    length = 400
    X, y = sine_waves(500, length)
    waves = np.concatenate([X.numpy()[:, :, 0], y.numpy()[:, None]], axis=1).astype(
        float
    )
    # sin(t - d) + sin(t + d) = 2 cos(d) sin(t): one d for all points of a wave.
    middle = waves[:, 1:-1]
    cosine = ((waves[:, :-2] + waves[:, 2:]) * middle).sum(1) / (2 * middle**2).sum(1)
    assert (
        np.abs(waves[:, :-2] + waves[:, 2:] - 2 * cosine[:, None] * middle).max() < 1e-6
    )
    frequencies = np.arccos(cosine) * length / (2 * np.pi)
    assert 0.45 < frequencies.min() < 0.55
    assert 1.95 < frequencies.max() < 2.05
    assert abs(frequencies.mean() - 1.25) < 0.06
    assert abs(waves[:, 0].mean()) < 0.1  # starts are spread over whole turns


def test_the_generator_decides():
    def drawn(seed):
        X, y = sine_waves(5, 7, generator=tg.Generator().manual_seed(seed))
        return X.tolist(), y.tolist()

    assert drawn(1) == drawn(1) != drawn(2)
    tg.manual_seed(3)
    ours = sine_waves(5, 7)[1].tolist()
    tg.manual_seed(3)
    assert sine_waves(5, 7)[1].tolist() == ours
    assert sine_waves(5, 7)[1].tolist() != ours


def test_the_default_dtype():
    try:
        tg.set_default_dtype(tg.float64)
        X, y = sine_waves(2, 3)
    finally:
        tg.set_default_dtype(tg.float32)
    assert X.dtype == y.dtype == tg.float64


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((0, 5), ValueError, "num_sequences is 0"),
        ((5, 0), ValueError, "sequence_length is 0"),
        ((5, 2.5), TypeError, "sequence_length is 2.5"),
        ((5, 5, 42), TypeError, "generator"),
    ],
)
def test_waves_that_cannot_be(arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        sine_waves(*arguments)
    assert isinstance(caught.value, tg.Error)
