"""Memory for NumPy's large temporaries: a block is reused when its last view is gone.

A fresh large array costs a page fault for every 4 KiB, and the C library returns it to
the system as soon as it dies: a third of a small training step. So blocks are kept.

An array between a block and its users, the lease, tells when the block is free. NumPy
lets a view refer past an array to that one's base only if both have the same type, so
every view, however it was made, holds the lease; when the lease dies, nobody can see
the block any more.
"""

import math

import numpy as np

from ..types import DType, Function, Shape

SMALL = 16 << 10  # bytes; for less, a few page faults cost less than the pool
KEPT = 64 << 20  # bytes that may always be kept while nobody uses them
ALIGNMENT = 64  # bytes; a cache line, and the widest vector register


class _Block(np.ndarray):
    """Raw bytes."""

    __slots__ = ()


class _Pool:
    """The free blocks by size, shared by all threads.

    There is no lock, as a lease may die anywhere, even in the midst of these lines:
    appending to a list and popping from it are atomic, and a block that two threads
    lose is merely freed.
    """

    def __init__(self) -> None:
        self.used = 0  # bytes that somebody holds
        self.clear()

    def clear(self) -> None:
        """Give the free blocks back to the system."""
        self.free: dict[int, list[_Block]] = {}
        self.held = 0  # bytes in them
        self.peak = self.used

    def take(self, size: int) -> _Block:
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
        # A step's blocks, of all sizes, come to less than twice what it uses at its
        # peak; more than that is of shapes that are no longer in use.
        if self.held + size > max(KEPT, 2 * self.peak):
            self.clear()
        self.held += size
        self.free.setdefault(size, []).append(block)


_pool = _Pool()
clear = _pool.clear


class _Lease(np.ndarray):
    """What every view of a block holds."""

    __slots__ = ()

    # Defaults are bound early: when the interpreter shuts down, the module's names may
    # be gone before an array.
    def __del__(self, give: Function = _pool.give, kind: type = _Block) -> None:
        if type(self.base) is kind:  # not so in a view or a copy of a lease
            give(self.base)


def _allocate(size: int) -> _Block:
    try:
        memory = np.empty(size + ALIGNMENT, np.uint8).view(_Block)
    except MemoryError:
        clear()
        memory = np.empty(size + ALIGNMENT, np.uint8).view(_Block)
    start = -memory.__array_interface__["data"][0] % ALIGNMENT
    return memory[start : start + size]  # type: ignore[return-value]


def empty(shape: Shape, dtype: DType) -> np.ndarray:
    """An uninitialised C-contiguous array, as ``np.empty``, of recycled memory."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    # Rounded up to eighths of a power of two, so that sequences whose length varies a
    # little share blocks; what is never touched costs no memory.
    shift = size.bit_length() - 4
    size = (((size - 1) >> shift) + 1) << shift
    return _Lease(shape, dtype, _pool.take(size)).view(np.ndarray)
