"""The base class of what carries bytes: it takes NumPy's arrays, and does nothing."""

import numpy as np
import pytest

from tinygrad_rnn.distributed.communicator import Communicator, ReduceOp


def test_the_base_class_carries_nothing():
    bare, x = Communicator(), np.zeros(3)
    assert bare.takes(x)
    assert not bare.takes([0.0])
    for call in (
        lambda: bare.all_reduce(x, ReduceOp.SUM),
        lambda: bare.broadcast(x, 0),
        lambda: bare.all_gather_object(x),
        bare.barrier,
        bare.abort,
    ):
        with pytest.raises(NotImplementedError):
            call()
