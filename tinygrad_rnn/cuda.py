"""GPUs, of which CuPy tells: as torch.cuda."""

from typing import Any

from .backend import find
from .errors import OptionError


def device_count() -> int:
    """How many GPUs there are; 0 if CuPy, or a driver for it, is missing too."""
    try:
        return int(find("cuda").device_count())
    except OptionError:
        return 0


def is_available() -> bool:
    """Whether there is a GPU that can be used."""
    return device_count() > 0


def synchronize(device: Any = "cuda") -> None:
    """Wait until all work on a GPU is done: before a clock is read."""
    find(f"cuda:{device}" if isinstance(device, int) else device).synchronize()
