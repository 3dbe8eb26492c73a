"""Clipping and Adam, in place, for lists of arrays.

The arrays of a call have one dtype and any sizes. A C or CUDA twin handles the list in
one call or launch. NumPy needs a dozen calls for each array, so the optimizer passes
one flat vector of all parameters.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import repeat
from math import sqrt
from operator import imul

import numpy as np

from ...backend.pool import empty

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Array = np.ndarray
Arrays = Sequence[np.ndarray]
# Elements; longer arrays are updated in pieces that stay in cache.
CHUNK = 1 << 17


def squares(arrays: Arrays) -> float:
    """Return the sum of the squares of all elements, each array's in its dtype."""
    flat = [array.reshape(-1) for array in arrays]
    return sum([vector.dot(vector).item() for vector in flat], 0.0)


def scale(arrays: Arrays, factor: float) -> None:
    """Multiply all arrays by ``factor``, in place.

    This is one call of a function written in C, so Ctrl-C comes before or after all
    arrays are scaled (see engine/commit.py).
    """
    deque(map(imul, arrays, repeat(factor)), 0)


def adam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    max_exp_avg_sqs: Arrays | None,
    *,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Take one step of Adam, or of AdamW if ``decoupled``, in place.

    Both bias corrections are part of the scalars: Kingma and Ba, arXiv:1412.6980, end
    of section 2.

    Args:
        params, grads, exp_avgs, exp_avg_sqs: lists of C-contiguous arrays, whose i-th
            entries belong together. Gradients are only read.
        max_exp_avg_sqs: the largest second moments so far, for amsgrad, or None.
        step: the number of this step, from 1.
    """
    root = sqrt(1 - beta2**step)
    constants = (1 - beta1, beta2, 1 - beta2, eps * root, lr * root / (1 - beta1**step))
    dtype = params[0].dtype
    new, keep_sq, new_sq, floor, rate = [np.array(c, dtype) for c in constants]
    decay = np.array(1 - lr * weight_decay if decoupled else weight_decay, dtype)
    longest = min(CHUNK, max([param.size for param in params]))
    adds_to_grads = bool(weight_decay) and not decoupled
    scratch = empty((longest,), dtype)
    decayed = empty((longest if adds_to_grads else 0,), dtype)
    state = [params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs or exp_avg_sqs]
    for p, g, m, v, v_max in _pieces(state):
        a = scratch[: p.size]
        if adds_to_grads:
            b = decayed[: p.size]
            np.multiply(p, decay, b)
            g = np.add(b, g, b)
        elif weight_decay:
            p *= decay
        np.subtract(g, m, a)
        a *= new
        m += a
        np.multiply(g, g, a)
        a *= new_sq
        v *= keep_sq
        v += a
        if max_exp_avg_sqs is not None:
            v = np.maximum(v_max, v, out=v_max)
        np.sqrt(v, a)
        a += floor
        np.divide(m, a, a)
        a *= rate
        p -= a


def _pieces(lists: Sequence[Arrays]) -> Iterator[list[Array]]:
    """Yield the same piece, flat and at most CHUNK long, of one array of each list."""
    for arrays in zip(*lists, strict=True):
        flat = [array.reshape(-1) for array in arrays]
        for start in range(0, flat[0].size, CHUNK):
            yield [array[start : start + CHUNK] for array in flat]
