"""Training steps, forward and sampling, in turns with PyTorch on cuDNN."""

import time
from functools import partial

import numpy as np
import ours
from turns import rounds
from works import Work, arrays

import tinygrad_rnn as tg

from .facts import find_torch

CELLS = ("RNN", "LSTM", "GRU")
SIZES = {  # vocabulary, hidden, batch, time
    "full": [
        (65, 128, 32, 50),
        (65, 256, 64, 64),
        (65, 512, 64, 128),
        (65, 1024, 128, 128),
    ],
    "tiny": [(5, 6, 4, 5)],
}
MOST = {"full": 10.0, "tiny": 0.1}  # seconds of a row
# Ours, and PyTorch with matrix products in TF32, of 10 bits of mantissa, off and on
OURS, NOT_COMPILED = "ours", "not compiled"
TORCH, TF32 = "PyTorch", "PyTorch, TF32"


def items(size):
    """The most important rows come first, as the last ones may not fit."""
    cells = CELLS[:1] if size == "tiny" else CELLS
    kinds = [("train", "ids"), ("train", "lengths"), ("forward", "ids")]
    kinds += [("sample", "ids"), ("forward", "lengths")]
    works = [
        Work(kind, task, cell, *(sizes if kind != "sample" else (*sizes[:2], 1, 1)))
        for kind, task in kinds
        for cell in cells
        for sizes in SIZES[size]
    ]
    return {str(work): partial(measure, work, MOST[size]) for work in works}


def measure(work, most, seconds):
    """Return medians in ms, and how many times as long the others take as ours."""
    end = time.monotonic() + min(seconds, most)
    contenders, more = start(work)
    times = rounds(contenders, max(0.0, end - time.monotonic()), least=3)
    first, *others = times  # the first is ours, unless it failed
    return {
        "sizes": vars(work),
        "ms": {name: float(np.median(found)) for name, found in times.items()},
        "ratio": {
            name: float(np.median(np.divide(times[name], times[first])))
            for name in others
        },
        "rounds": len(times[first]),
        **more,
    }


def start(work):
    """Return contenders, and what else there is to report: errors, and the difference.

    The difference is that of our loss and gradients, or scores, from PyTorch's without
    TF32, in parts of the largest number.
    """
    make = {
        OURS: partial(ours.build, work, how="compiled"),
        NOT_COMPILED: partial(ours.build, work),
    }
    if not isinstance(find_torch(), str):
        import pytorch

        make |= dict.fromkeys((TORCH, TF32), partial(pytorch.build, work))
    contenders, values, errors = {}, {}, {}
    for name, build in make.items():
        try:
            step, first_values = build(arrays(work), device="cuda")
            contender = Here(name, step)
            values[name] = first_values()
            contender.ask("turn", 2)
        except Exception as error:  # the others can be measured all the same
            errors[name] = f"{type(error).__name__}: {error}"
        else:
            contenders[name] = contender
    if not contenders.keys() & {OURS, NOT_COMPILED}:
        raise RuntimeError(f"ours failed: {errors}")
    more = {"right": False, "errors": errors} if errors else {}
    if TORCH in values and NOT_COMPILED in values:
        more["difference"] = difference(values[NOT_COMPILED], values[TORCH])
    return contenders, more


def difference(ours, theirs):
    return max(
        float(np.abs(ours[name] - theirs[name]).max() / np.abs(theirs[name]).max())
        for name in theirs
    )


def allow_tf32(flag):
    torch = find_torch()
    if not isinstance(torch, str):
        torch.backends.cuda.matmul.allow_tf32 = flag
        torch.backends.cudnn.allow_tf32 = flag


class Here:
    """A contender as turns.rounds asks it, in this process: all use the same GPU."""

    def __init__(self, name, step):
        self.name, self.step = name, step
        allow_tf32(name == TF32)

    def ask(self, request, count):
        """Return the seconds that a step takes, a mean over ``count`` of them."""
        allow_tf32(self.name == TF32)
        if count > 1:
            self.step()
        tg.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(count):
            self.step()
        tg.cuda.synchronize()
        return (time.perf_counter() - begin) / count
