"""How many threads BLAS takes for the small products of a scan: one.

OpenBLAS shares a product among threads from some 0.3 million multiplications on, and its threads wait for
each other in a busy loop. In a scan, whose steps depend on one another, that gains little for small
products, and where another process wants the same cores it costs milliseconds a step. So scans of
small products ask for one thread. Where NumPy brings no OpenBLAS of its own nothing is changed.
"""

import ctypes
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

SMALL = 1 << 23  # multiplications; below, a product takes less than some 0.2 ms on one core


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


class scanning:
    """A context in which BLAS takes one thread, if each product is of few multiplications."""

    __slots__ = ("_before",)

    def __init__(self, multiplications: int) -> None:
        self._before = 0 if multiplications > SMALL else 1

    def __enter__(self) -> None:
        functions = _openblas() if self._before else None
        self._before = functions[0]() if functions else 0
        if functions and self._before > 1:
            functions[1](1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        functions = _openblas() if self._before > 1 else None
        if functions:
            functions[1](self._before)
