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
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from contextvars import ContextVar, copy_context
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..types import Function

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

# Multiplications that are worth a thread: about 10 microseconds of work.
MIN_WORK = 1 << 19


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
    """Split rows into slices for threads, given the work between two waits.

    Each slice has at least 16 rows, and work that is worth a thread. There is only one
    if BLAS would use one thread, or if this runs within a slice already.
    """
    threads = _outer_threads if _open_contexts else _get()
    if _in_slice.get():
        threads = 1
    count = max(min(threads, rows // 16, multiplications // MIN_WORK), 1)
    ends = [rows * i // count for i in range(count + 1)]
    return [slice(*pair) for pair in itertools.pairwise(ends)]


def _run_slice(function: Function, part: object) -> Any:
    """Call a function so that nothing within it is split again."""
    _in_slice.set(True)
    return function(part)


def run_each(function: Function, parts: Iterable[object]) -> list[Any]:
    """Return the results of a function for each part, each computed on a thread."""
    global _pool
    # Each runs in a copy of the context, which holds NumPy's errstate.
    first, *others = [
        partial(copy_context().run, _run_slice, function, part) for part in parts
    ]
    futures: list[Any] = []
    with _one_thread:  # not one_thread(): another Python thread may leave that context
        try:
            # If the interpreter is about to end, or no thread can be started, this
            # thread does the rest.
            with suppress(RuntimeError):
                if others and _pool is None:
                    from concurrent.futures import ThreadPoolExecutor

                    _pool = ThreadPoolExecutor(64)
                for other in others:
                    futures.append(_pool.submit(other))
            found = [run() for run in (first, *others[len(futures) :])]
            found[1:1] = [futures[i].result() for i in range(len(futures))]
        finally:
            # Wait for all threads, and keep no failed future: its error refers to this
            # frame, and so to itself.
            while futures:
                futures.pop().exception()
    return found


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
        x[part].dot(y, out[part])

    run_each(multiply_rows, split_rows(len(x), multiplications))
    return out
