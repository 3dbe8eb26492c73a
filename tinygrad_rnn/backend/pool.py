"""Memory for NumPy's large temporaries: a block comes back when the last view of it is
gone.

A fresh large array costs a page fault for every 4 KiB, and the C library returns it to
the system as soon as it dies: a third of a small training step. So blocks are kept.
What tells that a block is free is an array between it and its users, the lease: NumPy
lets a view skip to the array at the bottom only past arrays of the view's own type, so
every view holds the lease, however it was made, and when the lease dies nobody can see
the block any more.
"""

import math
from typing import Any

import numpy as np

SMALL = (
    16 << 10
)  # bytes; below, a few page faults cost less than the pool's own microsecond
KEPT = 64 << 20  # bytes that may always be kept while nobody uses them
ALIGNMENT = 64  # bytes; a cache line, and the widest vector register


class _Block(np.ndarray):
    """Raw bytes."""

    __slots__ = ()


class _Pool:
    """The free blocks by size, shared by all threads.

    Without a lock, as a lease may die anywhere, even in the midst of these lines:
    appending to a list and popping from it are atomic, and a block lost between two
    threads is merely freed.
    """

    def __init__(self) -> None:
        self.used = 0  # bytes that somebody holds
        self.clear()

    def clear(self) -> None:
        self.free: dict[int, list[_Block]] = {}
        self.held = 0
        self.peak = self.used

    def take(self, size: int) -> Any:
        try:
            block = self.free[size].pop()
            self.held -= size
        except (KeyError, IndexError):
            block = _allocate(size)
        self.used += size
        self.peak = max(self.peak, self.used)
        return block

    def give(self, block: _Block) -> None:
        size = block.size
        self.used -= size
        # A step's blocks, of all sizes, come to less than twice what it has in use at
        # its peak.
        if self.held + size > max(
            KEPT, 2 * self.peak
        ):  # most of it of shapes in use no more
            self.clear()
        self.held += size
        self.free.setdefault(size, []).append(block)


_pool = _Pool()
clear = _pool.clear  # gives the free blocks back to the system


class _Lease(np.ndarray):
    """What every view of a block holds."""

    __slots__ = ()

    # Bound early: when the interpreter shuts down, the module's names may be gone
    # before an array.
    def __del__(self, give: Any = _pool.give, kind: type = _Block) -> None:
        if type(self.base) is kind:  # not so in a view or a copy of a lease
            give(self.base)


def _allocate(size: int) -> Any:
    try:
        memory: Any = np.empty(size + ALIGNMENT, np.uint8).view(_Block)
    except MemoryError:
        clear()
        memory = np.empty(size + ALIGNMENT, np.uint8).view(_Block)
    start = -memory.__array_interface__["data"][0] % ALIGNMENT
    return memory[start : start + size]


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised C-contiguous array, as ``np.empty``, of memory that was used
    before.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    # Rounded up to eighths of a power of two, so that lengths that vary a little share
    # blocks; what is never touched costs no memory.
    shift = size.bit_length() - 4
    size = (((size - 1) >> shift) + 1) << shift
    return _Lease(shape, dtype, _pool.take(size)).view(np.ndarray)
