"""How many threads BLAS takes: one for what is small.

OpenBLAS shares even small work among threads (a dot product of 10,000 numbers, a matrix product of 0.3
million multiplications), and its threads wait for each other in a busy loop. That gains little, and
where another process wants the same cores it costs milliseconds each time: a training step took ten
times as long. So kernels run on one thread, but for their large products. Where NumPy brings no
OpenBLAS of its own nothing is changed.
"""

import ctypes
from functools import cache
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import numpy as np

LARGE = 1 << 25  # multiplications from which on a product is shared: some 0.5 ms on one core


@cache
def _openblas() -> tuple[Any, Any] | None:
    """OpenBLAS's functions that read and set the number of threads, of the copy in NumPy's wheel."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for file in folder.glob("*openblas*"):
            try:
                library = ctypes.CDLL(str(file))
            except OSError:
                continue
            for suffix in ("64_", ""):
                for prefix in ("scipy_", ""):
                    name = f"{prefix}openblas_{{}}_num_threads{suffix}"
                    if hasattr(library, name.format("set")):
                        get = getattr(library, name.format("get"))
                        return get, getattr(library, name.format("set"))
    return None


_lock = Lock()
_inside = 0  # how many contexts are open, in all Python threads
_allowed = 1  # how many threads there were outside of them


class threads_for:
    """A context in which BLAS takes one thread, or all if the work is of many multiplications."""

    __slots__ = ("_before", "_large")

    def __init__(self, multiplications: int) -> None:
        self._large = multiplications >= LARGE

    def __enter__(self) -> None:
        global _inside, _allowed
        if (functions := _openblas()) is None:
            return
        get, set_ = functions
        with _lock:
            self._before = get()
            if not _inside:
                _allowed = self._before
            _inside += 1
            wanted = _allowed if self._large else 1
            if wanted != self._before:
                set_(wanted)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        global _inside
        if (functions := _openblas()) is None:
            return
        get, set_ = functions
        with _lock:
            _inside -= 1
            wanted = self._before if _inside else _allowed
            if wanted != get():
                set_(wanted)
