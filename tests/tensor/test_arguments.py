"""What methods do with their arguments: sizes, masks, integer tensors."""

import numpy as np
import pytest
from calls import check_wrong_call

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DTypeError

WRONG = {
    "reshape to floats": (
        lambda x: x.reshape(2.0, 3.0),
        DTypeError,
        "reshape: .*expected integers",
    ),
    "masked_select": (
        lambda x: x.masked_select(tg.tensor([1, 0, 1])),
        TypeError,
        "masked_select: mask is int64 of shape .3,., expected bool",
    ),
    "bincount of floats": (
        lambda x: x.bincount(),
        TypeError,
        "bincount: input is float32 .*, expected integers; use .long()",
    ),
    "index_fill": (
        lambda x: x.index_fill(0, tg.ones(1), 0.0),
        TypeError,
        "index_fill: index is float32 of shape .1,., expected integers",
    ),
    "an array of sizes": (
        lambda x: x.reshape(np.array([3, 2])),
        tg.Error,
        "reshape: got",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
