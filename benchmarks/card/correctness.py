"""Each mode of the scans against the kernels for NumPy in float64."""

import sys
import time
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from unittest.mock import patch

import cupy
import numpy as np

from tinygrad_rnn.kernels import cupy as twins
from tinygrad_rnn.kernels import numpy as reference
from tinygrad_rnn.kernels.cupy import plan
from tinygrad_rnn.kernels.cupy.launch import current_card

sys.path.insert(1, str(Path(__file__).parents[2] / "tests"))
from kernels.cases import KINDS, make

MODES = ("block", "cluster", "grid", "loop")  # by their numbers in plan.py
BOUNDS = {"float32": 2e-6, "float64": 1e-13}  # up to this many hidden units
UNITS = 256  # from where on the bounds grow in proportion, as rounding adds up
SIZES = {  # time, batch, features, hidden
    "full": [
        (9, 5, 5, 24),
        (9, 33, 7, 70),
        (12, 64, 65, 128),
        (6, 40, 16, 250),
        (4, 40, 16, 512),
        (3, 20, 16, 1024),
    ],
    "tiny": [(5, 3, 4, 9)],
}
PLANS = {"full": 3, "tiny": 1}  # of a mode and size
# In each mode, of each cell, in each type, but not all combinations
SOME = [
    ("rnn", "block", "float32"),
    ("lstm", "cluster", "float32"),
    ("gru", "grid", "float32"),
    ("gru", "loop", "float64"),
]


def items(size):
    cases = [(kind, m, dtype) for kind, dtype, m in product(KINDS, BOUNDS, MODES)]
    cases = SOME if size == "tiny" else cases
    return {" ".join(case): partial(compare, *case, size) for case in cases}


def compare(kind, mode, dtype, size, seconds):
    """Return the largest error of a mode, over outputs and gradients."""
    end, errors, right = time.monotonic() + seconds, [], True
    for number, sizes in product(range(PLANS[size]), SIZES[size]):
        if errors and time.monotonic() > end:
            break
        if has_plans(kind, mode, dtype, sizes):
            with planned(mode, number / PLANS[size]):
                errors.append(error_of(kind, sizes, number, dtype))
            right &= errors[-1] <= BOUNDS[dtype] * max(1, sizes[3] / UNITS)
    if not errors:
        return {"left_out": "no plan of this mode fits this GPU"}
    return {"right": right, "error": float(np.max(errors)), "cases": len(errors)}


def find_plans(layer, mode):
    found = plan.plans(layer, current_card())
    return [p for p in found if p.mode == MODES.index(mode)]


def has_plans(kind, mode, dtype, sizes):
    """Return whether there are plans of a mode, forward and backward."""
    (steps, batch, _, hidden), itemsize = sizes, np.dtype(dtype).itemsize
    return mode == "loop" or all(
        find_plans(
            plan.Layer(KINDS[kind][0], steps, batch, hidden, itemsize, backward), mode
        )
        for backward in (False, True)
    )


@contextmanager
def planned(mode, place):
    """Take the plan of this mode at a place between 0, the first, and 1, the end."""

    def find_plan(layer, card):
        if mode == "loop":
            return None
        found = find_plans(layer, mode)
        return found[int(place * len(found))]

    with patch.object(plan, "find_plan", find_plan):
        yield


@lru_cache(len(SIZES["full"]) * PLANS["full"])  # for all modes
def make_case(kind, sizes, number, dtype):
    """Return a random case of a type, with what the kernels for NumPy make of it."""
    rng = np.random.default_rng([number, *sizes])
    names = ("ids", "bias", "initial", "ends", "reverse", "relu")
    flags = {name: bool(rng.integers(2)) for name in names}
    case = make(kind, sizes, number, **flags, projected=False, cotangents="all")
    case.inputs, case.grads = (
        [x if x is None or x.dtype.kind != "f" else x.astype(dtype) for x in arrays]
        for arrays in (case.inputs, case.grads)
    )
    return case, run(reference, case, in_float64)


def in_float64(x):
    return x if x is None or x.dtype.kind != "f" else x.astype(np.float64)


def on_device(x):
    return x if x is None else cupy.asarray(x)


def error_of(kind, sizes, number, dtype):
    """Return the largest error, in parts of an array's largest number if above 1."""
    case, wanted = make_case(kind, sizes, number, dtype)
    errors = [
        np.abs(cupy.asnumpy(ours) - exact).max() / max(1, np.abs(exact).max())
        for ours, exact in zip(run(twins, case, on_device), wanted, strict=True)
        if exact is not None
    ]
    return float(np.max(errors))  # NaN stays


def run(kernels, case, put):
    """Return the outputs and the gradients of a case."""
    inputs, grads = [put(x) for x in case.inputs], [put(g) for g in case.grads]
    forward = getattr(kernels, f"{case.kind}_forward")
    outputs, kept = forward(*inputs, **case.settings)
    backward = getattr(kernels, f"{case.kind}_backward")
    found = backward(grads, case.needs, inputs, outputs, kept, **case.settings)
    return [*outputs, *found]
