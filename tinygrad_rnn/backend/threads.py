"""How many threads BLAS takes: one for what is small.

OpenBLAS shares even small work among threads (a dot product of 10,000 numbers, a matrix product of 0.3
million multiplications), and its threads wait for each other in a busy loop. That gains little, and
where another process wants the same cores it costs milliseconds each time: a training step took ten
times as long. So kernels run on one thread, but for their large products. Where NumPy brings no
OpenBLAS of its own nothing is changed.
"""

import ctypes
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

LARGE = 1 << 25  # multiplications from which on a product is shared: some 0.5 ms on one core


def _openblas() -> tuple[Any, Any]:
    """What reads and sets the number of threads: OpenBLAS's functions, of the copy in NumPy's wheel."""
    root = Path(np.__file__).parent
    folders = (root.parent / "numpy.libs", root / ".dylibs")
    files = [file for folder in folders for file in folder.glob("*openblas*")]
    for file, prefix, suffix in product(files, ("scipy_", ""), ("64_", "")):
        with suppress(OSError, AttributeError):
            library, name = ctypes.CDLL(str(file)), f"{prefix}openblas_%s_num_threads{suffix}"
            return getattr(library, name % "get"), getattr(library, name % "set")
    return lambda: 1, lambda count: None  # another BLAS: then nothing will be changed


_get, _set = _openblas()
# How many contexts are open, in all Python threads, how many threads there were outside of them, and
# how many there are now.
_lock, _inside, _allowed, _now = Lock(), 0, 1, 1


_nothing = nullcontext()


def threads_for(multiplications: int) -> AbstractContextManager[None]:
    """A context in which BLAS takes one thread, or all if the work is of many multiplications."""
    now, most = (_now, _allowed) if _inside else ((found := _get()), found)
    wanted = most if multiplications >= LARGE else 1
    return _nothing if wanted == now else _Context(wanted)


class _Context:
    __slots__ = ("before", "wanted")

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted

    def __enter__(self) -> None:
        global _inside, _allowed, _now
        with _lock:
            if not _inside:  # the user may have changed it since
                _allowed = _now = _get()
            _inside += 1
            self.before = _now
            _switch(self.wanted)

    def __exit__(self, *error: object) -> None:
        global _inside
        with _lock:
            _inside -= 1
            _switch(self.before if _inside else _allowed)


def _switch(wanted: int) -> None:
    global _now
    if wanted != _now:
        _set(wanted)
        _now = wanted
