"""How many threads BLAS takes: one for what is small.

OpenBLAS shares even small work among threads (a dot product of 10,000 numbers, a matrix product of 0.3
million multiplications), and its threads wait for each other in a busy loop. That gains little, and
where another process wants the same cores it costs milliseconds each time: a training step took ten
times as long. So kernels run on one thread, but for their large products. Where NumPy brings no
OpenBLAS of its own nothing is changed.
"""

import ctypes
from contextlib import suppress
from functools import cache
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

LARGE = 1 << 25  # multiplications from which on a product is shared: some 0.5 ms on one core


@cache
def _openblas() -> tuple[Any, Any] | None:
    """OpenBLAS's functions that read and set the number of threads, of the copy in NumPy's wheel."""
    root = Path(np.__file__).parent
    folders = (root.parent / "numpy.libs", root / ".dylibs")
    files = [file for folder in folders for file in folder.glob("*openblas*")]
    for file, prefix, suffix in product(files, ("scipy_", ""), ("64_", "")):
        with suppress(OSError, AttributeError):
            library, name = ctypes.CDLL(str(file)), f"{prefix}openblas_%s_num_threads{suffix}"
            return getattr(library, name % "get"), getattr(library, name % "set")
    return None


# How many contexts are open, in all Python threads, and how many threads there were outside of them.
_lock, _inside, _allowed = Lock(), 0, 1


class threads_for:
    """A context in which BLAS takes one thread, or all if the work is of many multiplications."""

    __slots__ = ("_before", "_large")

    def __init__(self, multiplications: int) -> None:
        self._large = multiplications >= LARGE

    def __enter__(self) -> None:
        global _inside, _allowed
        if functions := _openblas():
            get, set_ = functions
            with _lock:
                self._before = get()
                if not _inside:
                    _allowed = self._before
                _inside += 1
                if self._before != (wanted := _allowed if self._large else 1):
                    set_(wanted)

    def __exit__(self, *error: object) -> None:
        global _inside
        if functions := _openblas():
            get, set_ = functions
            with _lock:
                _inside -= 1
                if get() != (wanted := self._before if _inside else _allowed):
                    set_(wanted)
