"""Clipping and Adam in C, for lists of arrays; kernels/numpy/optimizer.py says more."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from ..numpy import optimizer as reference
from . import _c

Arrays = Sequence[np.ndarray]
all_below, all_contiguous, clip = _c.all_below, _c.all_contiguous, _c.clip


def squares(arrays: Arrays) -> float:
    """Return the sum of the squares of all elements, each array's in its dtype."""
    return _c.squares(arrays)


def scale(arrays: Arrays, factor: float) -> None:
    """Multiply all arrays by ``factor``, in place and in one call."""
    if not _c.scale(arrays, factor):  # one is not contiguous
        reference.scale(arrays, factor)


def prepare_adam_step(
    decoupled: bool,
    params: Arrays,
    grads: Arrays,
    slots: Mapping[str, Arrays],
    step: int,
    options: Mapping[str, Any],
) -> Callable[[], None]:
    """Return a call of the kernel alone, which no signal can interrupt."""
    lr, beta1, beta2 = options["lr"], options["beta1"], options["beta2"]
    weight_decay = options["weight_decay"]
    root = sqrt(1 - beta2**step)
    if not _c.all_contiguous(grads):
        grads = [np.require(grad, requirements=("C", "A")) for grad in grads]
    return partial(
        _c.adam_step,
        params,
        grads,
        slots["exp_avg"],
        slots["exp_avg_sq"],
        slots["max_exp_avg_sq"] if options["amsgrad"] else None,
        decoupled,
        1 - beta1,
        beta2,
        1 - beta2,
        options["eps"] * root,
        lr * root / (1 - beta1**step),
        1 - lr * weight_decay if decoupled else weight_decay,
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
    slots = {"exp_avg": exp_avgs, "exp_avg_sq": exp_avg_sqs}
    if max_exp_avg_sqs is not None:
        slots["max_exp_avg_sq"] = max_exp_avg_sqs
    options = {
        "lr": lr,
        "beta1": beta1,
        "beta2": beta2,
        "eps": eps,
        "weight_decay": weight_decay,
        "amsgrad": max_exp_avg_sqs is not None,
    }
    make_step = prepare_adam_step(decoupled, params, grads, slots, step, options)
    make_step()
