"""Threads of our own for what is large, as those of BLAS get in each other's way.

OpenBLAS shares even small work among its threads (a dot product of 10,000 numbers, a
matrix product of 0.3 million multiplications), and these wait for each other in a busy
loop. That gains little, and where another program wants the same cores it costs
milliseconds each time: a training step took ten times as long. A thread that still
waits for the last product also delays the next ones of ours. So BLAS is held to one
thread, and what is large is split here, each slice on a thread that sleeps while it has
nothing to do. There are as many as BLAS would take. Where NumPy does not bring its own
OpenBLAS, all is left to the BLAS that there is.
"""

import ctypes
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import ContextVar, copy_context
from functools import partial
from itertools import pairwise
from itertools import product as pairs
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

P = TypeVar("P")
R = TypeVar("R")
Getter = Callable[[], int]
Setter = Callable[[int], object]

# Multiplications for which a thread is worth its cost: about 10 microseconds of work.
MIN_WORK = 1 << 19


def _openblas() -> tuple[Getter, Setter]:
    """The functions of NumPy's own OpenBLAS that read and set the number of threads."""
    root = Path(np.__file__).parent
    folders = (root.parent / "numpy.libs", root / ".dylibs")
    files = [file for folder in folders for file in folder.glob("*openblas*")]
    for file, prefix, suffix in pairs(files, ("scipy_", ""), ("64_", "")):
        with suppress(OSError, AttributeError):
            library = ctypes.CDLL(str(file))
            name = f"{prefix}openblas_%s_num_threads{suffix}"
            return getattr(library, name % "get"), getattr(library, name % "set")
    return lambda: 1, lambda count: None  # another BLAS, which is left alone


_get, _set = _openblas()
_lock = Lock()
_open_contexts = 0  # of one_thread(), in all Python threads
_outer_threads = 1  # how many BLAS took outside of them
_sliced = ContextVar("_sliced", default=False)  # whether this is part of a slice
_no_context = nullcontext()
_pool: Any = None  # a ThreadPoolExecutor, made when first used


class _OneThread:
    """A context in which BLAS takes one thread."""

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
    """A context in which BLAS takes one thread."""
    return _no_context if _open_contexts or _get() == 1 else _one_thread


def split_rows(rows: int, multiplications: int) -> list[slice]:
    """Split rows into slices for threads, given the work between two waits.

    Each has 16 rows at least, and work worth a thread: otherwise the threads get in
    each other's way. There is one slice if BLAS would take one thread, or if this is
    part of a slice already.
    """
    threads = _outer_threads if _open_contexts else _get()
    if _sliced.get():
        threads = 1
    count = max(min(threads, rows // 16, multiplications // MIN_WORK), 1)
    ends = [rows * i // count for i in range(count + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


def _run_slice(function: Callable[[P], R], part: P) -> R:
    _sliced.set(True)
    return function(part)


def run_each(function: Callable[[P], R], parts: Iterable[P]) -> list[R]:
    """The results of a function for each part, computed on a thread each."""
    global _pool
    # Each in a context of its own, which holds NumPy's errstate.
    first, *others = [
        partial(copy_context().run, _run_slice, function, part) for part in parts
    ]
    futures: list[Any] = []
    with _one_thread:  # not one_thread(): another Python thread may leave that context
        try:
            # The interpreter may be about to end, or no thread to be had: the rest is
            # done here then.
            with suppress(RuntimeError):
                if others and _pool is None:
                    from concurrent.futures import ThreadPoolExecutor

                    _pool = ThreadPoolExecutor(64)
                for other in others:
                    futures.append(_pool.submit(other))
            found = [run() for run in (first, *others[len(futures) :])]
            found[1:1] = [futures[i].result() for i in range(len(futures))]
        finally:
            # Wait until nobody works any more, and keep no failed future: by this frame
            # its error would hold itself.
            while futures:
                futures.pop().exception()
    return found


def _reset_after_fork() -> None:
    """A child process has none of the threads, nor the contexts that they had open."""
    global _pool, _open_contexts, _lock
    if _open_contexts:
        _set(_outer_threads)
    _pool, _open_contexts, _lock = None, 0, Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def product(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The product of two matrices, written to ``out``."""
    multiplications = x.size * y.shape[1]
    if multiplications < 2 * MIN_WORK:
        with one_thread():
            return x.dot(y, out)

    def multiply_rows(part: slice) -> None:
        x[part].dot(y, out[part])

    run_each(multiply_rows, split_rows(len(x), multiplications))
    return out
