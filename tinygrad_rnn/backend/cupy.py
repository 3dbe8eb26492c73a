"""CuPy: the devices ``cuda``, ``cuda:0`` and so on; imported at their first use.

What is neither here nor among the kernels is built from CuPy's functions, in
`standard.py`, with a launch for each.
"""

import sys

import numpy as np

from ..types import Index, Operand
from . import backend_of, pending, ranges, standard

try:
    import cupy

    cupy.zeros(1)  # importing works without a driver too, allocating does not
except Exception as error:
    failed = f"CuPy {cupy.__version__}" if "cupy" in globals() else "importing CuPy"
    raise ImportError(
        "a GPU needs CuPy, and a driver that is new enough for it, but "
        f"{failed} failed: {error}; for a driver of CUDA 12 pip install "
        "'cupy-cuda12x[ctk]', the extra tinygrad_rnn[cuda12x], for one of CUDA 13 "
        "'cupy-cuda13x[ctk]', the extra [cuda13x]"
    ) from None

from .memory import retrying

namespace = cupy
Array = cupy.ndarray
device_count = cupy.cuda.runtime.getDeviceCount
current_device = cupy.cuda.runtime.getDevice
context = cupy.cuda.Device  # Device(number), a context with that current device


def set_device(index: int) -> None:
    """Make a device the current one of this thread."""
    cupy.cuda.Device(index).use()


def device_of(x: cupy.ndarray) -> int:
    """Return the number of the device that an array is on."""
    return x.device.id


def from_host(x: np.ndarray) -> cupy.ndarray:
    """Return an array on the current device; of integers the range is kept."""
    made = cupy.asarray(x)
    if x.dtype.kind in "iu" and x.size:
        ranges.keep_range(made, *ranges.find_range(x))
    return made


def from_cuda_array_interface(x: object) -> cupy.ndarray:
    """Return an array that shares the memory of an object with that attribute."""
    pointer, _ = x.__cuda_array_interface__["data"]  # type: ignore[attr-defined]
    index = current_device()
    if pointer:  # not so where there are no elements
        index = cupy.cuda.runtime.pointerGetAttributes(pointer).device
    with context(index):  # on another device CuPy would make a copy
        return cupy.asarray(x)


def to_host(x: cupy.ndarray) -> np.ndarray:
    """Return NumPy's array; raise if the device has found an error before."""
    pending.look(x.device.id, cupy.asnumpy)
    return cupy.asnumpy(x)


def assign(x: cupy.ndarray, index: Index, values: Operand) -> None:
    """Assign ``x[index] = values``; the last value of a position stays."""
    ranges.forget_range(x)
    standard.assign(backend_of(x), x, index, values)


def argsort(x: cupy.ndarray, axis: int = -1, stable: bool = True) -> cupy.ndarray:
    """Return the order of a sort, which is always stable in CuPy."""
    return cupy.argsort(x, axis)


def synchronize() -> None:
    """Wait until all work of the current device is done; raise what it has found."""
    device = cupy.cuda.Device()
    device.synchronize()
    pending.look(device.id, cupy.asnumpy)


def device_name() -> str:
    """Return the name of the current device, as its maker gave it."""
    name: bytes = cupy.cuda.runtime.getDeviceProperties(current_device())["name"]
    return name.decode()


# Of the current device, in bytes
memory_info = cupy.cuda.runtime.memGetInfo  # free, and in all


def memory_allocated() -> int:
    """Return how much memory arrays have."""
    return int(cupy.get_default_memory_pool().used_bytes())


def memory_reserved() -> int:
    """Return how much memory CuPy holds, for arrays and for reuse."""
    return int(cupy.get_default_memory_pool().total_bytes())


def free() -> None:
    """Return the free blocks of all devices in use to the driver.

    The others are left alone: to be the current one costs a device some hundred MB.
    """
    for index in sorted(_in_use):
        with context(index):
            cupy.get_default_memory_pool().free_all_blocks()


_allocate = cupy.cuda.get_allocator()
_in_use = {current_device()}  # devices on which there has been memory


def _allocate_and_note(size: int) -> cupy.cuda.MemoryPointer:
    memory = _allocate(size)
    _in_use.add(memory.device_id)
    return memory


# All of CuPy's arrays get their memory there.
cupy.cuda.set_allocator(retrying(sys.modules[__name__], _allocate_and_note))
