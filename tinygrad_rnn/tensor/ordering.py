"""Elements in order: sorted, ranked and counted."""

from typing import Any, Self

import numpy as np

from .. import errors, ops
from ..backend import backend_of, backends
from ..backend.standard import numpy_dtype
from ..engine.node import Value
from ..errors import ShapeError, check_dim
from ..errors.boundary import named
from .arguments import Sorted, as_vector, check_integers_in
from .reductions import Reductions


class Ordering(Reductions):
    """Elements in order: sorted, ranked and counted."""

    __slots__ = ()

    @named
    def argsort(
        self, dim: int = -1, descending: bool = False, stable: bool = False
    ) -> Self:
        """The places of the elements in order; equal ones stay in the order that they
        have.
        """
        return ops.argsort(self, dim, descending)

    @named
    def sort(
        self, dim: int = -1, descending: bool = False, stable: bool = False
    ) -> Sorted:
        """``(values, indices)`` in order along a dim; always stable."""
        return self._chosen(self.argsort(dim, descending), dim, True)

    @named
    def topk(
        self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
    ) -> Sorted:
        """``(values, indices)`` of the k largest, or smallest, along a dim, in order."""
        errors.check_integers("topk", 0, k=k)
        places = self.argsort(dim, largest)
        if k > (size := self.size(dim)):
            raise errors.OptionError(
                f"topk: k is {k}, expected at most {size}, the dim's"
            )
        return self._chosen(
            places.narrow(dim, 0, k) if self.ndim else places, dim, True
        )

    @named
    def median(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The element in the middle, the lower one of two; a NaN if there is one.

        Returns:
            The median of all elements (equal ones share its gradient), or along a dim
            ``(values, indices)``.
        """
        if dim is None:
            return ops.median(self)
        dim, x = check_dim("median", dim, self.shape), as_vector(self)
        if not (size := x.size(dim)):
            raise ShapeError(
                f"median: nothing along dim {dim} of a tensor of shape {self.shape}"
            )
        middle = x.argsort(dim).narrow(dim, (size - 1) // 2, 1)
        unknown = x.isnan()
        first = unknown.to("int64").argmax(dim, True)
        indices = ops.where(unknown.any(dim, True), first, middle)
        return x._chosen(indices, dim, keepdim and self.ndim > 0)

    @named
    def unique(
        self,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: int | None = None,
    ) -> Any:
        """The distinct elements in order, or the distinct slices along a dim; no
        gradient.

        Args:
            sorted: the result is always sorted.
            return_inverse: also where each element stands in the result, in the input's
                shape.
            return_counts: also how often each one occurs.

        Returns:
            The values, or a tuple ``(values[, inverse][, counts])``.
        """
        axis = None if dim is None else check_dim("unique", dim, self.shape)
        array = backend_of(self.array).to_host(self.array)
        # The inverse has another shape in NumPy 2.0 than in later ones.
        values, inverse, counts = np.unique(
            array, False, True, True, axis, equal_nan=False
        )
        inverse = inverse.reshape(self.shape if axis is None else -1)
        parts = [values] + [inverse] * return_inverse + [counts] * return_counts
        found = tuple([self._from_host(part) for part in parts])
        return found if len(found) > 1 else found[0]

    @named
    def bincount(self, weights: Any = None, minlength: int = 0) -> Self:
        """How often each integer from 0 on occurs in a vector, or the sums of its
        ``weights``.

        No gradient. Without weights int64; with weights float64, or float32 of float32.
        """
        check_integers_in("bincount", input=self)
        errors.check_integers("bincount", 0, minlength=minlength)
        counted = backend_of(self.array).to_host(self.array)
        if counted.ndim != 1 or (counted.size and counted.min() < 0):
            got = f"{errors.described(self)}, smallest {counted.min(initial=0)}"
            raise ShapeError(
                f"bincount: input is {got}, expected a vector of integers >= 0"
            )
        if weights is None:
            return self._from_host(np.bincount(counted, minlength=minlength))
        errors.check_type("bincount", (Value, *backends), "a Tensor", weights=weights)
        if weights.shape != self.shape:
            got = f"{tuple(weights.shape)}, expected {self.shape}, as the input"
            raise ShapeError(f"bincount: weights has shape {got}")
        kind = "f4" if numpy_dtype(weights.dtype) == np.float32 else "f8"
        array = weights.array if isinstance(weights, Value) else weights
        amounts = backend_of(array).to_host(array)
        sums = np.bincount(counted, amounts, minlength)
        return self._from_host(sums.astype(kind))
