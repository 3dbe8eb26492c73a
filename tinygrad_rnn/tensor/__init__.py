"""Tensor: an array, its gradient and its place in the graph.

One class, put together from families of methods, each in a file under its name. A
family names as its bases the families that it builds on:

==================  ================================================================
`base`              shape, dtype, device
`elementwise`       functions of each element, and the operators
`indexing`          what brackets read, pieces along a dim
`shapes`            another shape or order, repetition
`selection`         elements chosen by mask and by index, or written to a copy
`autograd`          gradient, graph, the walk back
`moving`            `cpu`, `cuda`, `float`, `double`, which modules have too
`casting`           another dtype or device, new tensors of the same
`reductions`        sums, extremes, norms
`ordering`          sorted, ranked, counted
`products`          matrix products
`in_place`          changes of a tensor's own memory
`conversion`        as numbers, lists, arrays, text; copies of leaves
`html`              what notebooks show
==================  ================================================================
"""

from typing import TYPE_CHECKING

from ..convert import array_for_constructor, get_default_dtype
from ..errors import left_out
from ..types import Data
from .autograd import Handle, cotangent, targets_of, tensors_of
from .conversion import Conversion
from .in_place import InPlace
from .ordering import Ordering
from .products import Products

__all__ = ["Handle", "Tensor", "cotangent", "targets_of", "tensors_of"]


class Tensor(InPlace, Ordering, Products, Conversion, wraps_results=True):
    """An array with a gradient; :func:`tinygrad_rnn.tensor` makes one.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.], dtype=float32)
    """

    __slots__ = ()

    def __init__(self, *data: Data) -> None:
        """Copy numbers in a list, an array or a Tensor, in the default dtype."""
        self._init_leaf(array_for_constructor("Tensor", data, get_default_dtype()))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            raise left_out.error("tg.Tensor", name, lambda: dir(type(self)))
