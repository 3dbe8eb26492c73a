"""GPUs, as CuPy reports them; the names are those of torch.cuda.

Wherever a device is named, ``"cuda"`` is the current one of the thread: the first one,
unless :func:`set_device` or :func:`device` say otherwise. ``"cuda:1"`` is always the
second one.

Example:
    >>> import tinygrad_rnn as tg
    >>> device = "cuda" if tg.cuda.is_available() else "cpu"
    >>> model = tg.nn.Linear(3, 2).to(device)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .backend import Backend, find, libraries
from .engine import seam
from .errors import OptionError, OutOfMemoryError, left_out
from .types import DeviceLike

__all__ = [
    "OutOfMemoryError",
    "current_device",
    "device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "is_available",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "set_device",
    "synchronize",
]


def device_count() -> int:
    """Return the number of GPUs; 0 also if CuPy or a driver for it is missing.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.cuda.device_count() >= 0
        True
    """
    try:
        return int(find("cuda").device_count())
    except OptionError:
        return 0


def is_available() -> bool:
    """Return whether there is a GPU that can be used.

    Example:
        >>> import tinygrad_rnn as tg
        >>> device = "cuda" if tg.cuda.is_available() else "cpu"
        >>> x = tg.zeros(2, device=device)
    """
    return device_count() > 0


def _find_gpu(name: str, device: DeviceLike | int) -> Backend:
    """Return the backend of a GPU, of the current one for None.

    ``name`` is the function that was given the device.
    """
    return find(_name_of_gpu(name, device))


def _name_of_gpu(name: str, device: DeviceLike | int) -> str:
    found = f"cuda:{device}" if isinstance(device, int) else str(device or "cuda")
    if found.partition(":")[0] != "cuda":
        raise OptionError(
            f"cuda.{name}: device is {found!r}, expected 'cuda', 'cuda:N' or a number"
        )
    return found


# ---------------------------------------------------------------- the current GPU


def current_device() -> int:
    """Return the number of the current GPU of this thread.

    Raises:
        OptionError: There is no GPU.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.cuda.is_available():
        ...     number = tg.cuda.current_device()
    """
    return int(find("cuda").index or 0)


def set_device(device: DeviceLike | int) -> None:
    """Make a GPU the current one of this thread: the one that ``"cuda"`` stands for.

    Tensors stay where they are.

    Args:
        device: Its number, or its name, such as ``"cuda:1"``.

    Raises:
        OptionError: There is no such GPU.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.cuda.is_available():
        ...     tg.cuda.set_device(tg.cuda.device_count() - 1)
        ...     x = tg.zeros(2, device="cuda")  # on the last one
        ...     tg.cuda.set_device(0)
    """
    gpu = _find_gpu("set_device", device)
    seam.refuse("cuda.set_device()", "do it outside")
    gpu.module.set_device(gpu.index)


@contextmanager
def device(device: DeviceLike | int) -> Iterator[None]:
    """Make a GPU the current one inside ``with``.

    Args:
        device: Its number, or its name, such as ``"cuda:1"``.

    Raises:
        OptionError: There is no such GPU.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.cuda.device_count() > 1:
        ...     with tg.cuda.device(1):
        ...         x = tg.zeros(2, device="cuda")  # on cuda:1
    """
    before = current_device()
    set_device(device)
    try:
        yield
    finally:
        set_device(before)


def synchronize(device: DeviceLike | int = None) -> None:
    """Wait until all work on a GPU is done, and raise what has gone wrong there.

    Args:
        device: Its number, or its name, such as ``"cuda:1"``; the current one if None.

    Raises:
        OptionError: The device is a CPU, or there is no such GPU.
        Error: The GPU has found an error, such as a wrong id, since the host last
            waited for it.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.cuda.is_available():
        ...     tg.cuda.synchronize()
    """
    seam.act(_find_gpu("synchronize", device).synchronize)


def get_device_name(device: DeviceLike | int = None) -> str:
    """Return the product name of a GPU.

    Args:
        device: Its number, or its name, such as ``"cuda:1"``; the current one if None.

    Raises:
        OptionError: The device is a CPU, or there is no such GPU.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.cuda.is_available():
        ...     print(tg.cuda.get_device_name())
    """
    return str(_find_gpu("get_device_name", device).device_name())


# ---------------------------------------------------------------- memory


def mem_get_info(device: DeviceLike | int = None) -> tuple[int, int]:
    """Return how much memory of a GPU is free, and how much it has, in bytes.

    Memory that is kept for reuse, by this program or another one, is not free.

    Args:
        device: Its number, or its name, such as ``"cuda:1"``; the current one if None.

    Raises:
        OptionError: The device is a CPU, or there is no such GPU.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.cuda.is_available():
        ...     free, total = tg.cuda.mem_get_info()
    """
    seam.read_values("cuda.mem_get_info()")
    free, total = _find_gpu("mem_get_info", device).memory_info()
    return int(free), int(total)


def memory_allocated(device: DeviceLike | int = None) -> int:
    """Return how many bytes of a GPU this program's arrays take; 0 without a GPU.

    Args:
        device: Its number, or its name, such as ``"cuda:1"``; the current one if None.

    Raises:
        OptionError: The device is a CPU, or there are GPUs but not this one.

    Example:
        >>> import tinygrad_rnn as tg
        >>> before = tg.cuda.memory_allocated()
    """
    return _read_size("memory_allocated", device)


def memory_reserved(device: DeviceLike | int = None) -> int:
    """Return how many bytes of a GPU CuPy holds; 0 without a GPU.

    That is what arrays take, and what is kept for reuse.

    Args:
        device: Its number, or its name, such as ``"cuda:1"``; the current one if None.

    Raises:
        OptionError: The device is a CPU, or there is no such GPU.

    Example:
        >>> import tinygrad_rnn as tg
        >>> kept = tg.cuda.memory_reserved() - tg.cuda.memory_allocated()
    """
    return _read_size("memory_reserved", device)


def _read_size(name: str, device: DeviceLike | int) -> int:
    """Return a number of bytes that a GPU's backend knows by this name."""
    seam.read_values(f"cuda.{name}()")
    gpu = _name_of_gpu(name, device)
    if libraries["cuda"] is None:  # nobody has asked for a GPU yet
        return 0
    return int(getattr(find(gpu), name)())


def empty_cache() -> None:
    """Return memory that is kept for reuse to the driver, on all GPUs in use.

    Other programs can use it then; this one has to ask the driver for it again, which
    takes longer. Tensors keep theirs. Without a GPU, nothing happens.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.cuda.empty_cache()
    """
    if libraries["cuda"] is not None:
        seam.act(libraries["cuda"].free)


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.cuda", globals())
