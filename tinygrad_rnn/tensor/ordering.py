"""Elements in order: sorted, ranked and counted."""

from typing import Self

import numpy as np

from .. import ops
from ..backend import backends
from ..convert import on_host
from ..engine import seam
from ..engine.node import Value
from ..errors import (
    OptionError,
    ShapeError,
    check_dim,
    check_integers,
    check_type,
    describe,
)
from ..errors.boundary import name_errors
from ..types import Operand
from .arguments import Sorted, as_vector, check_integer_tensor
from .reductions import Reductions


class Ordering(Reductions):
    """Elements in order: sorted, ranked and counted."""

    __slots__ = ()

    @name_errors
    def argsort(
        self, dim: int = -1, descending: bool = False, stable: bool = False
    ) -> Self:
        """Return the indices that sort the elements along a dim, like :meth:`sort`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([3.0, 1.0, 2.0]).argsort().tolist()
            [1, 2, 0]
        """
        return ops.argsort(self, dim, descending)

    @name_errors
    def sort(
        self, dim: int = -1, descending: bool = False, stable: bool = False
    ) -> Sorted:
        """Sort the elements along a dim, and return their indices too.

        Args:
            dim: the dim to sort along.
            descending: the largest first.
            stable: whether equal elements keep their order; they always do.

        Returns:
            The tuple ``(values, indices)``, each of the shape of the tensor.

        Example:
            >>> import tinygrad_rnn as tg
            >>> values, indices = tg.tensor([3.0, 1.0, 2.0]).sort()
            >>> values.tolist(), indices.tolist()
            ([1.0, 2.0, 3.0], [1, 2, 0])
        """
        return self._take_with_indices(self.argsort(dim, descending), dim, True)

    @name_errors
    def topk(
        self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
    ) -> Sorted:
        """Return the k largest elements along a dim, and their indices.

        Args:
            k: how many.
            dim: the dim to choose along; its size becomes k.
            largest: False takes the smallest ones.
            sorted: the result is always in order.

        Returns:
            The tuple ``(values, indices)``.

        Raises:
            OptionError: k is larger than the dim.

        Example:
            >>> import tinygrad_rnn as tg
            >>> values, indices = tg.tensor([3.0, 1.0, 2.0]).topk(2)
            >>> values.tolist(), indices.tolist()
            ([3.0, 2.0], [0, 2])
        """
        check_integers("topk", 0, k=k)
        indices = self.argsort(dim, largest)
        size = self.size(dim) if self.ndim else 1
        if k > size:
            raise OptionError(f"topk: k is {k}, expected at most {size}, the dim's")
        if self.ndim:
            indices = indices.narrow(dim, 0, k)
        return self._take_with_indices(indices, dim, True)

    @name_errors
    def median(self, dim: int | None = None, keepdim: bool = False) -> Operand:
        """Return the median, the lower of two middle elements; NaN if any is NaN.

        Args:
            dim: None takes all elements.
            keepdim: leave the dim in the results, with size 1.

        Returns:
            The median of all elements (equal ones share its gradient), or along a dim
            ``(values, indices)``.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([4.0, 1.0, 3.0, 2.0]).median().item()
            2.0
        """
        if dim is None:
            return ops.median(self)
        dim = check_dim("median", dim, self.shape)
        x = as_vector(self)
        size = x.size(dim)
        if not size:
            raise ShapeError(
                f"median: nothing along dim {dim} of a tensor of shape {self.shape}"
            )
        middle = x.argsort(dim).narrow(dim, (size - 1) // 2, 1)
        is_nan = x.isnan()
        first_nan = is_nan.to("int64").argmax(dim, True)
        indices = ops.where(is_nan.any(dim, True), first_nan, middle)
        return x._take_with_indices(indices, dim, keepdim and self.ndim > 0)

    @name_errors
    def unique(
        self,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: int | None = None,
    ) -> Operand:
        """Return the distinct elements, or distinct slices along a dim; no gradient.

        Args:
            sorted: the result is always in order.
            return_inverse: also return where each element is in the result, in the
                input's shape.
            return_counts: also return how often each one occurs.
            dim: None compares elements, a dim its slices.

        Returns:
            The values, or a tuple ``(values[, inverse][, counts])``.

        Example:
            >>> import tinygrad_rnn as tg
            >>> values, counts = tg.tensor([2, 1, 2]).unique(return_counts=True)
            >>> values.tolist(), counts.tolist()
            ([1, 2], [1, 2])
        """
        axis = None if dim is None else check_dim("unique", dim, self.shape)
        seam.read_values(
            "unique(), whose result has no fixed shape,", "call it outside"
        )
        values, inverse, counts = np.unique(
            on_host(self), False, True, True, axis, equal_nan=False
        )
        found = [values]
        if return_inverse:  # whose shape differs between versions of NumPy
            found.append(inverse.reshape(self.shape if axis is None else -1))
        if return_counts:
            found.append(counts)
        tensors = tuple([self._from_host(array) for array in found])
        return tensors if len(tensors) > 1 else tensors[0]

    @name_errors
    def bincount(self, weights: Operand = None, minlength: int = 0) -> Self:
        """Count how often each integer from 0 on occurs in a vector; no gradient.

        Args:
            weights: a tensor of the same shape, whose elements are added up instead.
            minlength: the least length of the result.

        Returns:
            Counts, int64; or sums, float32 of float32 weights, else float64.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([0, 2, 2]).bincount().tolist()
            [1, 0, 2]
        """
        check_integer_tensor("input", self)
        check_integers("bincount", 0, minlength=minlength)
        seam.read_values(
            "bincount(), whose result has no fixed shape,", "call it outside"
        )
        values = on_host(self)
        if values.ndim != 1 or (values.size and values.min() < 0):
            raise ShapeError(
                f"bincount: input is {describe(self)}, smallest "
                f"{values.min(initial=0)}, expected a vector of integers >= 0"
            )
        if weights is None:
            return self._from_host(np.bincount(values, minlength=minlength))
        check_type("bincount", (Value, *backends), "a Tensor", weights=weights)
        if weights.shape != self.shape:
            raise ShapeError(
                f"bincount: weights has shape {tuple(weights.shape)}, expected "
                f"{self.shape}, as the input"
            )
        amounts = on_host(weights)
        sums = np.bincount(values, amounts, minlength)
        is_single = amounts.dtype == np.float32
        return self._from_host(sums.astype("f4" if is_single else "f8"))
