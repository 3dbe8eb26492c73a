"""Names of devices."""

from typing import Any, Self

from ..errors import OptionError
from . import libraries


class device(str):
    """Where a tensor lives, equal to its string: ``"cpu"``, ``"cuda:0"``; as
    torch.device.
    """

    def __new__(cls, type: Any, index: int | None = None) -> Self:
        """Refuses what is no device's name; ``"cuda"`` is the first GPU."""
        name = str(type) if index is None else f"{type}:{index}"
        kind, _, number = name.partition(":")
        numbered = kind == "cuda" or hasattr(libraries.get(kind), "device_of")
        if kind not in libraries or (number and not (numbered and number.isdecimal())):
            raise OptionError(
                f"device: got {name!r}, expected 'cpu', 'cuda' or 'cuda:N'"
            )
        return super().__new__(cls, f"{kind}:{int(number or 0)}" if numbered else name)

    @property
    def index(self) -> int | None:  # type: ignore[override]
        """The number of the GPU, None for the CPU."""
        return int(self.partition(":")[2]) if ":" in self else None

    @property
    def type(self) -> str:
        """``cpu`` or ``cuda``."""
        return self.partition(":")[0]

    def __repr__(self) -> str:
        return f"device({str(self)!r})"
