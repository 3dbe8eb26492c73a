"""Clipping and Adam in C, for lists of arrays; kernels/numpy/optimizer.py says more."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import sqrt

import numpy as np

from ...backend.numpy import is_contiguous
from ..numpy import optimizer as reference
from . import _c

Arrays = Sequence[np.ndarray]
clip, all_below = _c.clip, _c.all_below


def squares(arrays: Arrays) -> float:
    """Return the sum of the squares of all elements, each array's in its dtype."""
    return _c.squares(arrays)


def scale(arrays: Arrays, factor: float) -> None:
    """Multiply all arrays by ``factor``, in place and in one call."""
    if not _c.scale(arrays, factor):  # one is not contiguous
        reference.scale(arrays, factor)


def prepare_adam_step(
    params: Arrays,
    grads: Arrays,
    slots: Mapping[str, Arrays],
    step: int,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    decoupled: bool,
) -> Callable[[], None]:
    """Return a call of the kernel alone, which no signal can interrupt."""
    root = sqrt(1 - beta2**step)
    rate = lr * root / (1 - beta1**step)
    decay = 1 - lr * weight_decay if decoupled else weight_decay
    return partial(
        _c.adam_step,
        params,
        [grad if is_contiguous(grad) else grad.copy() for grad in grads],
        slots["exp_avg"],
        slots["exp_avg_sq"],
        slots["max_exp_avg_sq"] if amsgrad else None,
        decoupled,
        1 - beta1,
        beta2,
        1 - beta2,
        eps * root,
        rate,
        decay,
    )


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
    """Take one step of Adam, or of AdamW if ``decoupled``, in place and in one call."""
    root = sqrt(1 - beta2**step)
    rate = lr * root / (1 - beta1**step)
    decay = 1 - lr * weight_decay if decoupled else weight_decay
    numbers = (1 - beta1, beta2, 1 - beta2, eps * root, rate, decay)
    slots = (params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs)
    _c.adam_step(*slots, decoupled, *numbers)
