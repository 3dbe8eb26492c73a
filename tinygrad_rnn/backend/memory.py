"""What is done where the memory of a device runs out."""

from collections.abc import Callable
from typing import Any

from ..errors import OutOfMemoryError

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def in_units(size: float) -> str:
    """Return a number of bytes in the unit that people would choose: ``1.5 GiB``."""
    power = 0
    while size >= 1024 and power + 1 < len(_UNITS):
        size /= 1024
        power += 1
    digits = ".3g" if size < 1000 else ".0f"
    return f"{size:{digits}} {_UNITS[power]}"


def retrying(library: Any, allocate: Callable[[int], Any]) -> Callable[[int], Any]:
    """Return a function that allocates memory and, if none is left, tries once more.

    In between it frees what the library keeps for reuse. If that was not enough, it
    raises OutOfMemoryError.

    Args:
        library: What has ``free``, ``current_device``, ``memory_info`` and
            ``memory_allocated``.
        allocate: It takes a number of bytes, and raises MemoryError.
    """

    def allocate_or_free(size: int) -> Any:
        try:
            return allocate(size)
        except MemoryError:
            pass  # it holds arrays by its frames, so go on without it
        library.free()
        try:
            return allocate(size)
        except MemoryError:
            pass
        raise OutOfMemoryError(_message(library, size))

    return allocate_or_free


def _message(library: Any, asked: int) -> str:
    free, total = library.memory_info()
    return (
        f"out of memory on cuda:{library.current_device()}: {in_units(asked)} were "
        f"asked for, but {in_units(free)} of {in_units(total)} are free, and the "
        f"arrays of this program take {in_units(library.memory_allocated())}; use "
        "smaller batches or shorter windows, or tg.utils.checkpoint, which recomputes "
        "values instead of keeping them, or drop tensors and call "
        "tg.cuda.empty_cache()"
    )
