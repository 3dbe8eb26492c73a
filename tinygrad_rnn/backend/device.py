"""``tg.device``: the name of a device."""

from typing import Self

from ..errors import OptionError
from ..types import DeviceLike
from . import current_index, libraries


class device(str):
    """The device of a tensor: a string, with the attributes of torch.device.

    Args:
        type: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, or a device.
        index: The number of a GPU, if ``type`` has none.

    Raises:
        OptionError: There is no such kind of device.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.device("cpu") == "cpu", tg.zeros(2).device.type
        (True, 'cpu')
    """

    def __new__(cls, type: DeviceLike, index: int | None = None) -> Self:
        """Raise OptionError for an unknown name; ``"cuda"`` is the current GPU."""
        name = str(type) if index is None else f"{type}:{index}"
        kind, _, number = name.partition(":")
        numbered = kind == "cuda" or hasattr(libraries.get(kind), "device_of")
        valid_number = not number or (numbered and number.isdecimal())
        if kind not in libraries or not valid_number:
            raise OptionError(
                f"tg.device: got {name!r}, expected 'cpu', 'cuda' or 'cuda:N'"
            )
        if numbered:
            name = f"{kind}:{int(number) if number else current_index(kind)}"
        return super().__new__(cls, name)

    @property
    def index(self) -> int | None:  # type: ignore[override]
        """The number of the GPU, None for the CPU."""
        return int(self.partition(":")[2]) if ":" in self else None

    @property
    def type(self) -> str:
        """``cpu`` or ``cuda``."""
        return str(self).partition(":")[0]

    def __repr__(self) -> str:
        return f"device({str(self)!r})"
