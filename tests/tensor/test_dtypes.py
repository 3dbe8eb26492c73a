"""The dtypes of tensors, by PyTorch's names."""

import tinygrad_rnn as tg


def test_dtypes_under_their_other_names():
    assert (tg.float, tg.double, tg.int, tg.long) == (
        "float32",
        "float64",
        "int32",
        "int64",
    )
    assert tg.zeros(2, dtype=tg.long).dtype == tg.int64
