"""GPUs, as CuPy reports them; the names are those of torch.cuda."""

from typing import TYPE_CHECKING

from .backend import find
from .errors import OptionError, left_out


def device_count() -> int:
    """Return the number of GPUs; 0 also if CuPy or a driver for it is missing."""
    try:
        return int(find("cuda").device_count())
    except OptionError:
        return 0


def is_available() -> bool:
    """Return whether there is a GPU that can be used."""
    return device_count() > 0


def synchronize(device: str | int | None = None) -> None:
    """Wait until all work on a GPU is done.

    Args:
        device: ``"cuda:1"``, or its number; by default the first GPU.

    Raises:
        OptionError: for the CPU, and if there is no such GPU.
    """
    name = device if isinstance(device, str) else f"cuda:{device or 0}"
    if name.partition(":")[0] != "cuda":
        raise OptionError(
            f"cuda.synchronize: device is {name!r}, expected 'cuda' or 'cuda:N'"
        )
    find(name).synchronize()


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.cuda", globals())
