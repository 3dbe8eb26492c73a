"""Threads for large products and layers, in place of the threads of BLAS.

OpenBLAS shares even small work among its threads (a dot product of 10,000 numbers, a
matrix product of 0.3 million multiplications), and they wait for each other in a busy
loop. That gains little, and where another program needs the same cores, it costs
milliseconds each time: a training step took ten times as long. A thread that still
waits after one product also delays the next one. So BLAS is limited to one thread, and
large work is split here into slices, each on a thread that sleeps when idle. There are
as many threads as BLAS would use. Where NumPy does not come with its own OpenBLAS,
everything is left to the BLAS that is there.
"""

import ctypes
import itertools
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import ContextVar, copy_context
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..types import Function

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

# What a slice of a product has at least: multiplications worth a thread, about 100
# microseconds of work, and rows enough for the time that BLAS takes to prepare.
MIN_WORK = 1 << 22
MIN_ROWS = 128
MAX_SLICES = 4


def _openblas() -> tuple[Function, Function]:
    """Return the functions of NumPy's OpenBLAS that get and set its thread count."""
    root = Path(np.__file__).parent
    folders = (root.parent / "numpy.libs", root / ".dylibs")
    files = [file for folder in folders for file in folder.glob("*openblas*")]
    for file, prefix, suffix in itertools.product(files, ("scipy_", ""), ("64_", "")):
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(file))
            name = f"{prefix}openblas_%s_num_threads{suffix}"
            return getattr(library, name % "get"), getattr(library, name % "set")
    return lambda: 1, lambda count: None  # another BLAS, which is left as it is


_get, _set = _openblas()
_lock = Lock()
_open_contexts = 0  # of one_thread(), in all Python threads
_outer_threads = 1  # what BLAS uses outside of them
_in_slice = ContextVar("_in_slice", default=False)
_no_context = nullcontext()
_pool: Any = None  # a ThreadPoolExecutor, made when first used


class _OneThread:
    """A context in which BLAS uses one thread."""

    def __enter__(self) -> None:
        global _open_contexts, _outer_threads
        with _lock:
            if not _open_contexts:
                _outer_threads = _get()  # the user may have changed it
                _set(1)
            _open_contexts += 1

    def __exit__(self, *error: object) -> None:
        global _open_contexts
        with _lock:
            _open_contexts -= 1
            if not _open_contexts:
                _set(_outer_threads)


_one_thread = _OneThread()


def one_thread() -> AbstractContextManager[None]:
    """Return a context in which BLAS uses one thread."""
    return _no_context if _open_contexts or _get() == 1 else _one_thread


def split_rows(rows: int, multiplications: int) -> list[slice]:
    """Split rows into slices for threads, given the work of all of them.

    A slice has enough rows and work to be worth a thread. How many there are depends on
    the shape alone, so results are the same bits with any number of threads.
    """
    count = min(MAX_SLICES, rows // MIN_ROWS, multiplications // MIN_WORK)
    ends = [rows * i // max(count, 1) for i in range(max(count, 1) + 1)]
    return [slice(*pair) for pair in itertools.pairwise(ends)]


def thread_count() -> int:
    """Return how many threads slices may run on: as many as BLAS would use."""
    if _in_slice.get():
        return 1
    return _outer_threads if _open_contexts else _get()


def run_each(function: Function, parts: Sequence[object]) -> list[Any]:
    """Return the results of a function for each part, in order, computed on threads."""
    workers = min(thread_count(), len(parts))
    if workers < 2:
        with one_thread():
            return [function(part) for part in parts]
    results: list[Any] = [None] * len(parts)
    queue = iter(range(len(parts)))  # whose next() no two threads share

    def work() -> None:
        _in_slice.set(True)  # nothing within is split again
        for i in queue:
            results[i] = function(parts[i])

    # Each runs in a copy of the context, which holds NumPy's errstate.
    runs = [partial(copy_context().run, work) for _ in range(workers)]
    with _one_thread:  # not one_thread(): another Python thread may leave that context
        _run_on_threads(runs)
    return results


def _run_on_threads(runs: Sequence[Function]) -> None:
    """Call functions, the first on this thread, and wait for all of them."""
    global _pool
    first, *others = runs
    futures: list[Any] = []
    try:
        # If the interpreter is about to end, or no thread can be started, this thread
        # does everything.
        with suppress(RuntimeError):
            if _pool is None:
                from concurrent.futures import ThreadPoolExecutor

                _pool = ThreadPoolExecutor(64)
            for other in others:
                futures.append(_pool.submit(other))
        first()
        for future in futures:
            future.result()
    finally:
        # Wait for all threads, and keep no failed future: its error refers to this
        # frame, and so to itself.
        while futures:
            futures.pop().exception()


def _reset_after_fork() -> None:
    """Forget the threads and their open contexts, which a child process lacks."""
    global _pool, _open_contexts, _lock
    if _open_contexts:
        _set(_outer_threads)
    _pool = None
    _open_contexts = 0
    _lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def product(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write the product of two matrices to ``out``, and return it."""
    multiplications = x.size * y.shape[1]
    if multiplications < 2 * MIN_WORK:
        with one_thread():
            return x.dot(y, out)

    def multiply_rows(part: slice) -> None:
        np.matmul(x[part], y, out[part])  # of a part of x.T, dot makes a slow copy

    run_each(multiply_rows, split_rows(len(x), multiplications))
    return out
