"""Short names for moves to a device and conversions to a float dtype."""

from typing import Self

import numpy as np

from ..types import DeviceLike, Setting


class Movable:
    """What has a method ``to``, and these short calls of it."""

    __slots__ = ()

    def to(self, *args: Setting, **kwargs: Setting) -> Self:
        """Move to a device, or convert to a dtype."""
        raise NotImplementedError

    def cpu(self) -> Self:
        """Move to the CPU, as ``to("cpu")``.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.ones(2).cpu().device
            device('cpu')
        """
        return self.to("cpu")

    def cuda(self, device: DeviceLike = None) -> Self:
        """Move to a GPU: the current one, or that of a number or a name.

        Example:
            >>> import tinygrad_rnn as tg
            >>> if tg.cuda.is_available():
            ...     x = tg.ones(2).cuda()
        """
        if device is None:
            return self.to("cuda")
        return self.to(device if isinstance(device, str) else f"cuda:{device}")

    def float(self) -> Self:
        """Convert to float32; the integers of a module stay.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2]).float()
            tensor([1., 2.], dtype=float32)
        """
        return self.to(np.float32)

    def double(self) -> Self:
        """Convert to float64; the integers of a module stay.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1.0, 2.0]).double()
            tensor([1., 2.], dtype=float64)
        """
        return self.to(np.float64)
