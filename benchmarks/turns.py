"""Contenders that take turns, each in its own process.

A library reads the number of its threads when it is loaded, and its idle threads may
wait in a busy loop. In one process with others, it would be measured with their
settings and share its cores with their threads. So each contender has a child process,
driven by a pipe, and the operating system stops all but the one whose turn it is. One
thread means one core: a child is restricted to it.
"""

import importlib
import multiprocessing
import os
import signal
import time
from pathlib import Path

TURN = 0.02  # seconds


class Absent(Exception):
    """A contender that is not installed."""


class Contender:
    """A child process that builds works and runs their steps on request."""

    def __init__(self, module: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fresh interpreter
        self.pipe, other = context.Pipe()
        self.process = context.Process(
            target=serve, args=(other, module, threads), daemon=True
        )
        self.process.start()
        other.close()
        try:
            self.version = self.answer()
        except BaseException:  # it did not start: leave nothing behind
            self.close()
            raise
        self.signal("SIGSTOP")

    def answer(self):
        try:
            found = self.pipe.recv()
        except EOFError:
            raise RuntimeError(
                f"the child ended, exit code {self.process.exitcode}"
            ) from None
        if isinstance(found, Exception):
            raise found
        return found

    def ask(self, *request):
        """Wake the child, let it answer, and stop it again."""
        self.signal("SIGCONT")
        self.pipe.send(request)
        try:
            return self.answer()
        finally:
            self.signal("SIGSTOP")

    def signal(self, name: str) -> None:
        if hasattr(signal, name) and self.process.is_alive():  # Windows has neither
            os.kill(self.process.pid, getattr(signal, name))

    def close(self) -> None:
        self.process.kill()
        self.process.join()


def serve(pipe, module: str, threads: int) -> None:
    """The child's loop."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        # Libraries read these when they are loaded.
        os.environ[variable] = str(threads)
    if hasattr(os, "sched_setaffinity"):  # the only way to restrict JAX to one core
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    module, *options = module.split()
    if "numpy" in options:  # read when the package is loaded
        os.environ["TINYGRAD_RNN_KERNELS"] = "numpy"
    try:
        contender = importlib.import_module(module)
        pipe.send(contender.VERSION)
    except ImportError as error:
        return pipe.send(Absent(str(error)))
    from works import arrays

    step = None
    while True:
        request, *args = pipe.recv()
        try:
            if request == "build":
                (work,) = args
                step = None
                step, values = contender.build(work, arrays(work), *options)
                pipe.send(values())
            elif request == "turn":
                pipe.send(turn(step, *args))
            elif request == "memory":
                pipe.send(memory(contender, *args, *options))
        except Exception as error:
            pipe.send(error)


def finish(result) -> None:
    """Wait for what a step has only started, as JAX does."""
    for part in result if isinstance(result, tuple) else (result,):
        if hasattr(part, "block_until_ready"):
            part.block_until_ready()


def turn(step, count: int) -> float:
    """The seconds that a step takes: a mean over ``count`` of them."""
    for _ in range((count + 3) // 5):  # these fill the caches again
        finish(step())
    start = time.perf_counter()
    for _ in range(count):
        result = step()
    finish(result)
    return (time.perf_counter() - start) / count


def find_count(contender: Contender) -> int:
    """How many steps a turn has; the first few compile, or capture what they do."""
    singles = [contender.ask("turn", 1) for _ in range(3)]
    if singles[-1] < TURN:
        singles += [contender.ask("turn", 1) for _ in range(7)]
    return max(1, round(TURN / min(singles)))


def rounds(contenders: dict[str, Contender], seconds: float, least: int = 5):
    """The milliseconds that a step takes, by contender and by round.

    In each round every contender has one turn.
    """
    times = {name: [] for name in contenders}
    counts = {}
    for name, contender in contenders.items():
        counts[name] = find_count(contender)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(next(iter(times.values()))) < least:
        for name, contender in contenders.items():
            times[name].append(contender.ask("turn", counts[name]) * 1e3)
    return times


def peak() -> float:
    """The most memory this process has had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, getrusage begins with the parent's peak
        lines = status.read_text().splitlines()
        (line,) = [line for line in lines if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1e3
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def memory(contender, work, *options) -> float:
    """MB at the peak of a few training steps, beyond the peak of the imports."""
    from works import arrays

    before = peak()
    step, _ = contender.build(work, arrays(work), *options)
    for _ in range(5):
        finish(step())
    return peak() - before
