"""Parameter: a tensor that a module trains."""

from typing import Self

from ..backend import backends
from ..errors import DTypeError, describe
from ..tensor import Tensor
from ..types import Array

UNNAMED = "parameter"  # the name of a parameter that no module has registered yet


class Parameter(Tensor):
    """A tensor that a module trains, like torch.nn.Parameter.

    Assigning one to an attribute of a module registers it: ``parameters()``,
    ``state_dict()`` and ``to()`` find it there.

    Args:
        data: A Tensor or an array, whose memory the parameter shares.
        requires_grad: False freezes it.

    Raises:
        DTypeError: ``data`` is neither, or holds integers and requires a gradient.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn import nn
        >>> layer = nn.Module()
        >>> layer.gain = nn.Parameter(tg.ones(3))
        >>> [(name, p.requires_grad) for name, p in layer.named_parameters()]
        [('gain', True)]
    """

    __slots__ = ("name",)
    name: str  # the attribute under which it was registered first: messages use it

    def __init__(self, data: Tensor | Array, requires_grad: bool = True) -> None:
        array, version = data, None
        if isinstance(data, Tensor):
            array, version = data.array, data.version
        if type(array) not in backends:
            got = f"got {describe(data)}, expected a Tensor"
            raise DTypeError(f"Parameter: {got}; tg.tensor() makes one")
        self._init_leaf(array, version)
        if requires_grad:
            self.requires_grad_()
        self.name = UNNAMED

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        out = super().__deepcopy__(memo)
        out.name = self.name
        return out

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
