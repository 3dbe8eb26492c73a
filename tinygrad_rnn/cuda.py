"""GPUs, as CuPy reports them; the names are those of torch.cuda.

Example:
    >>> import tinygrad_rnn as tg
    >>> device = "cuda" if tg.cuda.is_available() else "cpu"
    >>> model = tg.nn.Linear(3, 2).to(device)
"""

from typing import TYPE_CHECKING

from .backend import find
from .errors import OptionError, left_out


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


def synchronize(device: str | int | None = None) -> None:
    """Wait until all work on a GPU is done.

    Args:
        device: ``"cuda:1"``, or its number; by default the first GPU.

    Raises:
        OptionError: for the CPU, and if there is no such GPU.

    Example:
        >>> import tinygrad_rnn as tg
        >>> if tg.cuda.is_available():
        ...     tg.cuda.synchronize()
    """
    name = device if isinstance(device, str) else f"cuda:{device or 0}"
    if name.partition(":")[0] != "cuda":
        raise OptionError(
            f"cuda.synchronize: device is {name!r}, expected 'cuda' or 'cuda:N'"
        )
    find(name).synchronize()


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.cuda", globals())
