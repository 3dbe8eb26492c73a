"""Short names for moves and conversions: they are calls of ``to``."""

import numpy as np
import pytest

from tinygrad_rnn.tensor.moving import Movable


class Recorder(Movable):
    """Its ``to`` returns what it is given."""

    def to(self, *args):
        return args


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (None, "cuda"),
        (0, "cuda:0"),
        (2, "cuda:2"),
        ("cuda:1", "cuda:1"),
        ("cuda", "cuda"),
    ],
)
def test_cuda_takes_a_number_or_a_name(given, name):
    assert Recorder().cuda(given) == (name,)


def test_short_calls_of_to():
    assert Recorder().cpu() == ("cpu",)
    assert Recorder().float() == (np.float32,)
    assert Recorder().double() == (np.float64,)
