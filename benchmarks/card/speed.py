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
    contenders, difference = start(work)
    left = max(0.0, end - time.monotonic())
    times = rounds(contenders, left, least=3)
    mine = np.array(times[OURS])
    return {
        "sizes": vars(work),
        "ms": {name: float(np.median(found)) for name, found in times.items()},
        "ratio": {
            name: float(np.median(np.array(found) / mine))
            for name, found in times.items()
            if name != OURS
        },
        "rounds": len(mine),
        **difference,
    }


def start(work):
    """Return contenders that have made their first step, and how much they differ.

    The difference is that of the loss and the gradients, or the scores, in parts of
    PyTorch's largest number, without TF32.
    """
    found = {
        OURS: ours.build(work, arrays(work), "compiled", "cuda"),
        NOT_COMPILED: ours.build(work, arrays(work), "", "cuda"),
    }
    values = found[OURS][1]()
    difference = {}
    torch = find_torch()
    if not isinstance(torch, str):
        import pytorch

        for name in (TORCH, TF32):
            found[name] = pytorch.build(work, arrays(work), "", "cuda")
        allow_tf32(False)
        theirs = found[TORCH][1]()
        difference["difference"] = max(
            float(np.abs(values[key] - theirs[key]).max() / np.abs(theirs[key]).max())
            for key in values
        )
    return {name: Here(name, step) for name, (step, _) in found.items()}, difference


def allow_tf32(flag):
    torch = find_torch()
    if not isinstance(torch, str):
        torch.backends.cuda.matmul.allow_tf32 = flag
        torch.backends.cudnn.allow_tf32 = flag


class Here:
    """A contender as turns.rounds asks it, in this process: all use the same GPU."""

    def __init__(self, name, step):
        self.name, self.step = name, step

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
