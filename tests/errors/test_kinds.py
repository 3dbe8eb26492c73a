"""The classes of errors."""

import pickle

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import LeftOut


def test_the_error_can_be_copied_and_pickled():
    with pytest.raises(LeftOut) as caught:
        _ = tg.vmap
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, AttributeError)
    assert str(again) == str(caught.value)
