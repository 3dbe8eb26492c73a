"""What the tests of utils.data share."""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.utils.data import TensorDataset


def rows(count, device="cpu"):
    return TensorDataset(
        tg.arange(count, device=device),
        tg.arange(2.0 * count, device=device).reshape(count, 2),
    )


def same(a, b):
    """Equal in structure, dtype and every value."""
    if isinstance(a, tg.Tensor):
        same_kind = isinstance(b, tg.Tensor) and (a.shape, a.dtype) == (
            b.shape,
            b.dtype,
        )
        return same_kind and np.array_equal(a.numpy(), b.numpy())
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b
