"""Several threads for what is large, of our own: those of BLAS get into each other's
way.

OpenBLAS shares even small work among its threads (a dot product of 10,000 numbers, a
matrix product of 0.3 million multiplications), and these wait for each other in a busy
loop. That gains little, and where somebody else wants the same cores it costs
milliseconds each time: a training step took ten times as long; and a thread that still
waits for the last product holds up the next ones of ours. So BLAS is held to one
thread, and what is large is cut into slices here, each on a thread that sleeps while it
has nothing to do. There are as many as BLAS would take. Where NumPy brings no OpenBLAS
of its own, all is left to the BLAS that there is.
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
from typing import Any

import numpy as np

MIN_WORK = (
    1 << 19
)  # multiplications for which a thread is worth its while: some 10 microseconds


def _openblas() -> tuple[Any, Any]:
    """What reads and sets the number of threads: OpenBLAS's functions, of the copy in
    NumPy's wheel.
    """
    root = Path(np.__file__).parent
    folders = (root.parent / "numpy.libs", root / ".dylibs")
    files = [file for folder in folders for file in folder.glob("*openblas*")]
    for file, prefix, suffix in pairs(files, ("scipy_", ""), ("64_", "")):
        with suppress(OSError, AttributeError):
            library, name = (
                ctypes.CDLL(str(file)),
                f"{prefix}openblas_%s_num_threads{suffix}",
            )
            return getattr(library, name % "get"), getattr(library, name % "set")
    return lambda: 1, lambda count: None  # another BLAS: then nothing will be changed


_get, _set = _openblas()
# How many contexts are open, in all Python threads, and how many threads there were
# outside of them.
_lock, _inside, _most = Lock(), 0, 1
_sliced = ContextVar("_sliced", default=False)  # whether this is part of a slice
_nothing = nullcontext()
_pool: Any = None  # made when first used


class _OneThread:
    """A context in which BLAS takes one thread."""

    def __enter__(self) -> None:
        global _inside, _most
        with _lock:
            if not _inside:  # the user may have changed it since
                _most = _get()
                _set(1)
            _inside += 1

    def __exit__(self, *error: object) -> None:
        global _inside
        with _lock:
            _inside -= 1
            if not _inside:
                _set(_most)


_context = _OneThread()


def one_thread() -> AbstractContextManager[None]:
    """A context in which BLAS takes one thread."""
    return _nothing if _inside or _get() == 1 else _context


def split_rows(rows: int, multiplications: int) -> list[slice]:
    """The slices into which rows are cut if they take so many multiplications between
    two waits.

    Each has 16 rows, and work worth a thread: else the threads are in each other's way.
    One slice if there is one thread, or if this is part of a slice already.
    """
    most = 1 if _sliced.get() else _most if _inside else _get()
    count = max(min(most, rows // 16, multiplications // MIN_WORK), 1)
    ends = [rows * i // count for i in range(count + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


def _slice(function: Callable[[Any], Any], part: Any) -> Any:
    _sliced.set(True)
    return function(part)


def run_each(function: Callable[[Any], Any], parts: Iterable[Any]) -> list[Any]:
    """What a function makes of each part, on a thread each."""
    global _pool
    # In contexts of their own: NumPy's errstate is in there.
    first, *others = [
        partial(copy_context().run, _slice, function, part) for part in parts
    ]
    later: list[Any] = []
    with _context:  # of its own: another Python thread may leave that which it is in
        try:
            # The interpreter may be about to end, or no thread to be had: then all of
            # it is done here.
            with suppress(RuntimeError):
                if others and _pool is None:
                    from concurrent.futures import ThreadPoolExecutor

                    _pool = ThreadPoolExecutor(64)
                for other in others:
                    later.append(_pool.submit(other))
            found = [part() for part in (first, *others[len(later) :])]
            found[1:1] = [later[i].result() for i in range(len(later))]
        finally:
            # When this is left, nobody is at work any more, and what failed is not held
            # by its own error: by way of this frame, and of a future in it.
            while later:
                later.pop().exception()
    return found


def _forget() -> None:
    global _pool, _inside, _lock
    if _inside:  # in threads that the child does not have
        _set(_most)
    _pool, _inside, _lock = None, 0, Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        after_in_child=_forget
    )  # a child process has none of the threads


def product(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The product of two matrices, written to ``out``."""
    if x.size * y.shape[1] < 2 * MIN_WORK:
        with one_thread():
            return x.dot(y, out)
    run_each(
        lambda part: x[part].dot(y, out[part]), split_rows(len(x), x.size * y.shape[1])
    )
    return out
