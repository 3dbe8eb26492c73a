"""Memory for NumPy's large temporaries: a block is reused when its last view is gone.

A new large array costs a page fault for every 4 KiB, and the C library returns its
memory to the system as soon as the array dies. That was a third of a small training
step, so blocks are kept.

Between a block and its users stands another array, the lease. The base of a view skips
an array only if the two have the same type. So every view, however it was made, holds
the lease, and when the lease dies, no view of the block is left.
"""

import math

import numpy as np

from ..types import DType, Function, Shape

SMALL = 16 << 10  # bytes; below, page faults cost less than the pool
MIN_FREE = 64 << 20  # bytes of free blocks that are always kept
ALIGNMENT = 64  # bytes; a cache line, and the widest vector register


class _Block(np.ndarray):
    """Raw bytes."""

    __slots__ = ()


class _Pool:
    """The free blocks by size, shared by all threads.

    There is no lock, since a lease may die anywhere, even between these lines.
    Appending to a list and popping from it are atomic, and a block that gets lost in a
    race is merely freed.
    """

    def __init__(self) -> None:
        self.used = 0  # bytes in blocks with users
        self.clear()

    def clear(self) -> None:
        """Return the free blocks to the system."""
        self.free: dict[int, list[_Block]] = {}
        self.held = 0  # bytes in free blocks
        self.peak = self.used

    def take(self, size: int) -> _Block:
        """Return a block of this size, a free one if there is any."""
        try:
            block = self.free[size].pop()
            self.held -= size
        except (KeyError, IndexError):
            block = _allocate(size)
        self.used += size
        self.peak = max(self.peak, self.used)
        return block

    def give(self, block: _Block) -> None:
        """Add a block that has no users any more to the free ones."""
        size = block.size
        self.used -= size
        # All blocks of a training step take less than twice its peak use. Beyond that,
        # there are blocks of shapes that are no longer in use.
        if self.held + size > max(MIN_FREE, 2 * self.peak):
            self.clear()
        self.held += size
        self.free.setdefault(size, []).append(block)


_pool = _Pool()
clear = _pool.clear


class _Lease(np.ndarray):
    """The array that every view of a block holds."""

    __slots__ = ()

    # As defaults, these names outlive the module when the interpreter shuts down.
    def __del__(self, give: Function = _pool.give, kind: type = _Block) -> None:
        if type(self.base) is kind:  # it is not in a view or a copy of a lease
            give(self.base)


def _allocate(size: int) -> _Block:
    """Allocate an aligned block; free the others first if memory runs out."""
    try:
        memory = np.empty(size + ALIGNMENT, np.uint8).view(_Block)
    except MemoryError:
        clear()
        memory = np.empty(size + ALIGNMENT, np.uint8).view(_Block)
    start = -memory.__array_interface__["data"][0] % ALIGNMENT
    return memory[start : start + size]  # type: ignore[return-value]


def empty(shape: Shape, dtype: DType) -> np.ndarray:
    """Return an uninitialized C-contiguous array, like np.empty, in recycled memory."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    # Round up to eighths of a power of two, so that sequences of about the same length
    # share blocks. Pages that are never touched cost no memory.
    shift = size.bit_length() - 4
    size = (((size - 1) >> shift) + 1) << shift
    return _Lease(shape, dtype, _pool.take(size)).view(np.ndarray)
