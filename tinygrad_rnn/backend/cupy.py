"""CuPy: the devices ``cuda``, ``cuda:0``, ``cuda:1`` and so on; imported when one is
first asked for.

Loops of plain launches: what stands neither here nor among the kernels is what
`standard.py` makes of CuPy's own functions.
"""

try:
    import cupy

    cupy.zeros(1)  # importing works without a driver too, allocating does not
except Exception as error:
    failed = f"CuPy {cupy.__version__}" if "cupy" in globals() else "importing CuPy"
    raise ImportError(
        f"a GPU needs CuPy, and a driver that is new enough for it, but {failed} failed: {error}; "
        "for a driver of CUDA 12 pip install 'cupy-cuda12x[ctk]', the extra tinygrad_rnn[cuda12x], "
        "for one of CUDA 13 'cupy-cuda13x[ctk]', the extra [cuda13x]"
    ) from None

namespace, Array = cupy, cupy.ndarray
from_host, to_host = cupy.asarray, cupy.asnumpy
device_count = cupy.cuda.runtime.getDeviceCount
context = cupy.cuda.Device  # of a number: inside, that device is the current one
argsort = lambda x, axis=-1, stable=True: cupy.argsort(x, axis)  # always a stable one
device_of = lambda x: x.device.id
synchronize = lambda: cupy.cuda.Device().synchronize()  # waits until all work is done


def free() -> None:
    """Give the free blocks of all devices back to the driver."""
    for index in range(device_count()):
        with context(index):
            cupy.get_default_memory_pool().free_all_blocks()
