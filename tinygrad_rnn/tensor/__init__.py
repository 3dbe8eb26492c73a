"""Tensor: an array, its gradient and its place in the graph.

One class, put together from families of methods, each in a file under its name. A
family names as its bases the families that it builds on.
"""

from typing import TYPE_CHECKING, Any

from ..convert import constructed, get_default_dtype
from ..engine.node import Value
from ..errors import left_out
from .autograd import Handle, cotangent, targets_of, tensors_of
from .in_place import InPlace
from .ordering import Ordering
from .products import Products

__all__ = ["Handle", "Tensor", "cotangent", "targets_of", "tensors_of"]


class Tensor(InPlace, Ordering, Products):
    """An array with a gradient. Made by :func:`tinygrad_rnn.tensor` and its kin.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.], dtype=float32)
    """

    __slots__ = ()

    def __init__(self, *data: Any) -> None:
        """A copy of numbers in a list, an array or a Tensor, in the default dtype."""
        self._hold(constructed("Tensor", data, get_default_dtype()))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise left_out.error("tg.Tensor", name, lambda: dir(type(self)))


Value.kind = Tensor
