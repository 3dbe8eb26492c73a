"""The optimizer step, in place on flat vectors."""

from math import sqrt

import numpy as np

from ...backend.pool import empty

Array = np.ndarray
Maybe = np.ndarray | None
CHUNK = (
    1 << 17
)  # elements; of long vectors, pieces that stay in cache from pass to pass


def adam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Maybe,
    *,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    decoupled: bool,
) -> None:
    """One step of Adam, or AdamW if ``decoupled``, in place on flat arrays; ``step``
    counts from 1.

    Kingma and Ba, arXiv:1412.6980, section 2, with both bias corrections moved into the
    scalars.
    """
    root = sqrt(1 - beta2**step)
    constants = (1 - beta1, beta2, 1 - beta2, eps * root, lr * root / (1 - beta1**step))
    new, keep_sq, new_sq, floor, rate = (np.array(c, param.dtype) for c in constants)
    decay = np.array(1 - lr * weight_decay if decoupled else weight_decay, param.dtype)
    scratch = empty((2, min(CHUNK, param.size)), param.dtype)
    for start in range(0, param.size, CHUNK):
        part = slice(start, start + CHUNK)
        p, g, m, v = param[part], grad[part], exp_avg[part], exp_avg_sq[part]
        a, b = scratch[:, : p.size]
        if weight_decay and decoupled:
            np.multiply(p, decay, p)
        elif weight_decay:
            np.multiply(p, decay, b)
            g = np.add(b, g, b)
        np.subtract(g, m, a)
        np.multiply(a, new, a)
        np.add(m, a, m)
        np.multiply(g, g, a)
        np.multiply(a, new_sq, a)
        np.multiply(v, keep_sq, v)
        np.add(v, a, v)
        if amsgrad and max_exp_avg_sq is not None:
            v = np.maximum(max_exp_avg_sq[part], v, out=max_exp_avg_sq[part])
        np.sqrt(v, a)
        np.add(a, floor, a)
        np.divide(m, a, a)
        np.multiply(a, rate, a)
        np.subtract(p, a, p)
