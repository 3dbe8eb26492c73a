"""How many kernels a training step launches, and how long Python takes for that."""

import statistics
import time
from functools import partial

from works import Work

import tinygrad_rnn as tg

from .facts import find_torch
from .speed import CELLS, MOST, SIZES, start


def items(size):
    cells = CELLS[:1] if size == "tiny" else CELLS
    works = [Work("train", "ids", cell, *SIZES[size][0]) for cell in cells]
    return {str(work): partial(measure, work, MOST[size]) for work in works}


def measure(work, most, seconds):
    """Return for each contender the launches of a step, and its ms: those until the
    call returns, and those until the GPU is done.
    """
    contenders, more = start(work)
    seconds, found = min(seconds, most) / len(contenders) / 2, {}
    for name, contender in contenders.items():
        contender.ask("turn", 5)  # warms up, and sets TF32
        host, whole = time_steps(contender.step, seconds)
        found[name] = {"host_ms": host, "ms": whole, **count_launches(contender.step)}
    return {"contenders": found, **more}


def time_steps(step, seconds, least=5):
    """Return the medians of the ms until a step returns, and until it is done."""
    end, host, whole = time.monotonic() + seconds, [], []
    while len(host) < least or time.monotonic() < end:
        tg.cuda.synchronize()
        begin = time.perf_counter()
        step()
        host.append((time.perf_counter() - begin) * 1e3)
        tg.cuda.synchronize()
        whole.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(host), statistics.median(whole)


def count_launches(step):
    """Return how many kernels and copies of memory the GPU sees in a step.

    PyTorch's profiler sees what CuPy launches, too.
    """
    torch = find_torch()
    if isinstance(torch, str):
        return {"launches": None, "left_out": f"launches are not counted: {torch}"}
    both = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[both.CPU, both.CUDA]) as seen:
        step()
        tg.cuda.synchronize()
    cuda = torch.autograd.DeviceType.CUDA
    events = [event for event in seen.events() if event.device_type == cuda]
    if not events:
        return {"launches": None, "left_out": "PyTorch's profiler saw no launches"}
    names = [event.name for event in events]
    copies = [name for name in names if name.startswith("Mem")]
    return {
        "launches": len(names) - len(copies),
        "copies": len(copies),
        "gpu_ms": sum(event.time_range.elapsed_us() for event in events) / 1e3,
    }
