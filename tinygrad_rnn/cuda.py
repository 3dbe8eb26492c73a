"""GPUs, of which CuPy tells: as torch.cuda."""

from typing import TYPE_CHECKING, Any

from .backend import find
from .errors import OptionError, left_out


def device_count() -> int:
    """How many GPUs there are; 0 if CuPy, or a driver for it, is missing too."""
    try:
        return int(find("cuda").device_count())
    except OptionError:
        return 0


def is_available() -> bool:
    """Whether there is a GPU that can be used."""
    return device_count() > 0


def synchronize(device: Any = None) -> None:
    """Wait until all work on a GPU, the first one if none is named, is done."""
    named = device if isinstance(device, str) else f"cuda:{device or 0}"
    if named.partition(":")[0] != "cuda":
        raise OptionError(
            f"cuda.synchronize: device is {named!r}, expected 'cuda' or 'cuda:N'"
        )
    find(named).synchronize()


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.cuda", globals())
