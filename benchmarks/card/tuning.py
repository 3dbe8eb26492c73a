"""The plans of a scan that fit, from the best to the worst, and which is chosen."""

import statistics
import time
from functools import partial
from itertools import product
from unittest.mock import patch

import cupy
import numpy as np

from tinygrad_rnn.kernels import cupy as twins
from tinygrad_rnn.kernels.cupy import plan, scan
from tinygrad_rnn.kernels.cupy.launch import current_card

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
SIZES = {  # hidden, batch, time
    "full": [(128, 32, 256), (256, 64, 256), (512, 64, 128), (1024, 128, 64)],
    "tiny": [(6, 4, 5)],
}
BEST = 6  # plans to report
TURN = 0.01  # seconds of one measurement
LOOPS = {"forward": scan.loop_forward, "backward": scan.loop_backward}


def items(size):
    cells = ["RNN"] if size == "tiny" else GATES
    cases = [
        (cell, *sizes, direction)
        for sizes, cell, direction in product(SIZES[size], cells, LOOPS)
    ]
    return {name_of(*case): partial(tune, *case) for case in cases}


def name_of(cell, hidden, batch, steps, direction):
    return f"{cell} H {hidden}, B {batch}, T {steps}, {direction}"


def tune(cell, hidden, batch, steps, direction, seconds):
    """Return the best plans; those with the lowest estimates are tried first.

    Times are microseconds of a step of the scan, ``rank`` is the place of a plan by its
    estimate, from 1 on.
    """
    end = time.monotonic() + seconds
    layer = plan.Layer(GATES[cell], steps, batch, hidden, 4, direction == "backward")
    card = current_card()
    chosen = plan.find_plan(layer, card)
    plans = sorted(plan.plans(layer, card), key=partial(plan.estimate, layer))
    args = run_layer(cell, hidden, batch, steps)[direction]
    loop = measure(partial(LOOPS[direction], *args), steps)
    tried = []
    for rank, layout in enumerate(plans, 1):
        if tried and time.monotonic() > end:
            break
        taken = measure(partial(launch, direction, layout, *args), steps)
        tried.append({"rank": rank, "us": taken, **layout._asdict()})
    return {
        "chosen": chosen and chosen._asdict(),
        "chosen_us": tried[0]["us"] if chosen else loop,
        "loop_us": loop,
        "best": sorted(tried, key=lambda plan: plan["us"])[:BEST],
        "tried": len(tried),
        "fit": len(plans),
    }


def run_layer(cell, hidden, batch, steps):
    """Run a layer by loops; return their arguments by direction, as a launch's too."""
    rows, kind = GATES[cell] * hidden, cell.lower()
    states = 2 if cell == "LSTM" else 1
    shapes = [(rows, 4), (rows, hidden), (rows,), (rows,)]
    rng = np.random.default_rng(0)

    def draw(*shape):
        numbers = rng.uniform(-1, 1, shape) * hidden**-0.5
        return cupy.asarray(numbers.astype(np.float32))

    inputs = [draw(steps, batch, 4), *[None] * states, *[draw(*s) for s in shapes]]
    inputs += [None] * (cell == "LSTM")  # W_hr
    needs = tuple(x is not None for x in inputs)
    grads = [draw(steps, batch, hidden), *[None] * states]
    recorded = {}

    def loop(direction, *args):
        recorded[direction] = args
        LOOPS[direction](*args)

    with (
        patch.object(plan, "find_plan", lambda layer, card: None),
        patch.object(scan, "loop_forward", partial(loop, "forward")),
        patch.object(scan, "loop_backward", partial(loop, "backward")),
    ):
        outputs, kept = getattr(twins, f"{kind}_forward")(*inputs)
        getattr(twins, f"{kind}_backward")(grads, needs, inputs, outputs, kept)
    return recorded


def launch(direction, layout, cell, arrays, reverse):
    name = f"scan_{direction}"
    scan.launch_scan(name, cell, layout, arrays, arrays.states, reverse)


def measure(run, steps):
    """Return the microseconds of a step: the median of some times by the GPU's clock.

    The calls of one measurement queue up behind each other, so that the GPU never waits
    for Python, unless a call takes Python longer.
    """
    time_calls(run, 2)  # compiles, and fills the caches
    count = max(1, min(100, round(TURN / max(time_calls(run, 1), 1e-6))))
    return statistics.median(time_calls(run, count) for _ in range(5)) / steps * 1e6


def time_calls(run, count):
    """Return the seconds of a call by the GPU's clock."""
    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    begin.record()
    for _ in range(count):
        run()
    end.record()
    end.synchronize()
    return cupy.cuda.get_elapsed_time(begin, end) / 1e3 / count
