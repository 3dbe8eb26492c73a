"""CuPy: the devices ``cuda``, ``cuda:0`` and so on; imported at their first use.

What is neither here nor among the kernels is built from CuPy's functions, in
`standard.py`, with a launch for each.
"""

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

namespace = cupy
Array = cupy.ndarray
from_host = cupy.asarray
to_host = cupy.asnumpy
device_count = cupy.cuda.runtime.getDeviceCount
current_device = cupy.cuda.runtime.getDevice
context = cupy.cuda.Device  # Device(number), a context with that current device


def set_device(index: int) -> None:
    """Make a device the current one of this thread."""
    cupy.cuda.Device(index).use()


def device_of(x: cupy.ndarray) -> int:
    """Return the number of the device that an array is on."""
    return x.device.id


def argsort(x: cupy.ndarray, axis: int = -1, stable: bool = True) -> cupy.ndarray:
    """Return the order of a sort, which is always stable in CuPy."""
    return cupy.argsort(x, axis)


def synchronize() -> None:
    """Wait until all work of the current device is done."""
    cupy.cuda.Device().synchronize()


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
    """Return the free blocks of all devices to the driver."""
    for index in range(device_count()):
        with context(index):
            cupy.get_default_memory_pool().free_all_blocks()
