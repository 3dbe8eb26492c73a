"""What the tests of utils.data share."""

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.utils.data import TensorDataset


def rows(count, device="cpu"):
    return TensorDataset(
        tg.arange(count, device=device),
        tg.arange(2.0 * count, device=device).reshape(count, 2),
    )


def same_tensor(a, b):
    """Equal in shape, dtype and every value."""
    if not isinstance(b, tg.Tensor) or (a.shape, a.dtype) != (b.shape, b.dtype):
        return False
    return np.array_equal(a.numpy(), b.numpy())


def same(a, b, same_tensor=same_tensor):
    """Equal in structure, and in tensors by the function given."""
    if isinstance(a, tg.Tensor):
        return same_tensor(a, b)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(
            same(a[key], b[key], same_tensor) for key in a
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(
            same(one, two, same_tensor) for one, two in zip(a, b, strict=True)
        )
    return a == b
