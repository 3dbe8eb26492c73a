"""Elements chosen by mask and by index, or written to a copy."""

from collections.abc import Sequence
from math import inf
from typing import Any, Self

import numpy as np

from .. import ops
from ..backend import backends
from ..convert import array_of, index_of
from ..engine import seam
from ..engine.node import Value
from ..errors import (
    DTypeError,
    ShapeError,
    check_dim,
    check_integers,
    check_type,
    describe,
)
from ..errors.boundary import name_errors
from ..types import Index, Operand, Shape
from .arguments import as_vector, check_integer_tensor, check_mask
from .base import TensorBase
from .shapes import Shapes


def _replace(items: Sequence[Any], i: int, item: object) -> tuple[Any, ...]:
    """Return the items of a sequence, the i-th of them replaced."""
    return (*items[:i], item, *items[i + 1 :])


def _index_along(dim: int, index: Operand) -> Index:
    """Return the index that takes the elements at ``index`` along a dim."""
    grid = [seam.constant(part) for part in np.ogrid[tuple(map(slice, index.shape))]]
    return _replace(grid, dim, index)


def _fits_into(sizes: Shape, limits: tuple[float, ...]) -> bool:
    """Return whether a shape has a size for each limit, none of them above it."""
    pairs = zip(sizes, limits, strict=False)
    return len(sizes) == len(limits) and all(size <= limit for size, limit in pairs)


class Selection(Shapes):
    """Elements chosen by mask and by index, or written to a copy."""

    __slots__ = ()

    def _with_rank_of_self(self, x: Operand) -> Self:
        """Return a result of :func:`as_vector` with as many dims as this tensor."""
        return x if self.ndim else x.reshape(())

    # ------------------------------------------------------------ by mask

    @name_errors
    def masked_select(self, mask: Operand) -> Self:
        """Return the elements where ``mask`` is true as a vector; the shapes broadcast.

        Example:
            >>> from tinygrad_rnn import tensor
            >>> tensor([1, 2, 3]).masked_select(tensor([True, False, True])).tolist()
            [1, 3]
        """
        check_mask("masked_select", "mask", mask)
        shape = np.broadcast_shapes(self.shape, mask.shape)
        return self.broadcast_to(shape)[ops.broadcast_to(mask, shape)]

    @name_errors
    def nonzero(self, as_tuple: bool = False) -> Operand:
        """Return the indices of the elements that are not 0, in order.

        Returns:
            ``(N, ndim)`` int64, a row for each; with ``as_tuple`` a vector for each dim
            instead, which indexes the tensor: ``x[x.nonzero(as_tuple=True)]``.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([[0, 7], [8, 0]])
            >>> x.nonzero().tolist(), x[x.nonzero(as_tuple=True)].tolist()
            ([[0, 1], [1, 0]], [7, 8])
        """
        check_type("nonzero", bool, "True or False", as_tuple=as_tuple)
        what = "nonzero(), whose result has no fixed shape,"
        seam.read_values(what, "call it outside, or choose by tg.where")
        if as_tuple:
            return ops.nonzero(as_vector(self)).unbind(1)
        return ops.nonzero(self)

    # ------------------------------------------------------------ by index

    @name_errors
    def index_select(self, dim: int, index: Operand) -> Self:
        """Return the slices along a dim at the given indices, a vector or one.

        Args:
            dim: The dim to select from.
            index: A vector of integers; one may occur several times.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1, 2], [3, 4]]).index_select(0, tg.tensor([1, 1])).tolist()
            [[3, 4], [3, 4]]
        """
        kinds = (Value, *backends, list)
        check_type("index_select", kinds, "a Tensor", index=index)
        index = as_vector(array_of(index, "index_select"))
        if index.ndim > 1:
            raise ShapeError(f"index_select: index has {index.ndim} dims, expected 1")
        dim = check_dim("index_select", dim, self.shape)
        if not self.ndim and len(index) != 1:
            raise ShapeError(
                f"index_select: {len(index)} of a 0-d tensor, which has 1 element"
            )
        x = as_vector(self)
        return self._with_rank_of_self(x[(*(slice(None),) * dim, index)])

    @name_errors
    def gather(self, dim: int, index: Operand) -> Self:
        """Return the elements at ``index`` along a dim, in the shape of ``index``.

        ``out[i][j] = x[index[i][j]][j]`` for dim 0, ``x[i][index[i][j]]`` for dim 1.

        Args:
            dim: The dim that ``index`` counts along.
            index: Integers, of as many dims as the input.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([[1, 2], [3, 4]])
            >>> x.gather(1, tg.tensor([[1], [0]])).tolist()
            [[2], [3]]
        """
        dim = check_dim("gather", dim, self.shape)
        check_type("gather", (Value, *backends), "a Tensor of indices", index=index)
        if max(index.ndim, 1) != max(self.ndim, 1):
            raise ShapeError(
                f"gather: index has shape {index.shape}, expected {self.ndim} dims"
            )
        return as_vector(self)[_index_along(dim, index)]

    @name_errors
    def take_along_dim(self, indices: Operand, dim: int | None = None) -> Self:
        """Return the same as :meth:`gather`; the shapes broadcast in the other dims.

        Without ``dim``, the indices are those of the flattened tensor.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([[3, 1, 2]])
            >>> x.take_along_dim(x.argsort(1), 1).tolist()
            [[1, 2, 3]]
        """
        check_type("take_along_dim", (Value, *backends), "a Tensor", indices=indices)
        if dim is None:
            return self.flatten().gather(0, indices.reshape(-1))
        dim = check_dim("take_along_dim", dim, self.shape)
        sizes, wanted = self.shape, tuple(indices.shape)
        if len(wanted) != self.ndim:
            raise ShapeError(
                f"take_along_dim: indices has shape {wanted}, expected {self.ndim} "
                "dims, as the input"
            )
        others, wanted_others = _replace(sizes, dim, 1), _replace(wanted, dim, 1)
        if others == wanted_others:
            return self.gather(dim, indices)
        try:
            common = np.broadcast_shapes(others, wanted_others)
        except ValueError:
            raise ShapeError(
                f"take_along_dim: the shapes {sizes} and {wanted} do not broadcast"
            ) from None
        x = self.expand(_replace(common, dim, sizes[dim]))
        shape = _replace(common, dim, wanted[dim])
        return x.gather(dim, ops.broadcast_to(indices, shape))

    @name_errors
    def diag(self, diagonal: int = 0) -> Self:
        """Return the diagonal of a matrix, or a matrix with a vector on its diagonal.

        Args:
            diagonal: counts from the main one: above it is positive, below it negative.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1, 2], [3, 4]]).diag().tolist()
            [1, 4]
            >>> tg.tensor([1, 2]).diag().tolist()
            [[1, 0], [0, 2]]
        """
        check_integers("diag", -inf, diagonal=diagonal)
        if self.ndim not in (1, 2):
            raise ShapeError(
                f"diag: got the shape {self.shape}, expected a vector or a matrix"
            )
        down, right = max(-diagonal, 0), max(diagonal, 0)
        if self.ndim == 1:
            (size,) = self.shape
            along, side = np.arange(size), size + down + right
            places = seam.constant(along + down), seam.constant(along + right)
            return ops.add_at(self, (side, side), places)
        rows, columns = self.shape
        along = np.arange(max(min(rows - down, columns - right), 0))
        return self[seam.constant(along + down), seam.constant(along + right)]

    # ------------------------------------------------------------ written to a copy

    @name_errors
    def index_fill(self, dim: int, index: Operand, value: Operand) -> Self:
        """Return a copy with one value in the slices of a dim at ``index``.

        Args:
            dim: the dim that ``index`` counts along.
            index: a vector of integers.
            value: a number, or a 0-d tensor, which gets a gradient.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2, 3]).index_fill(0, tg.tensor([0, 2]), 9).tolist()
            [9, 2, 9]
        """
        dim = check_dim("index_fill", dim, self.shape)
        check_integer_tensor("index", index)
        if index.ndim > 1 or getattr(value, "ndim", 0):
            raise ShapeError(
                f"index_fill: index is {describe(index)} and value is "
                f"{describe(value)}, expected a vector and a number"
            )
        slices = (*(slice(None),) * dim, as_vector(index))
        array_index = index_of("index_fill", slices, copy=True)
        return self._with_rank_of_self(ops.put(as_vector(self), value, array_index))

    @name_errors
    def scatter(
        self, dim: int, index: Operand, src: Operand = None, value: Operand = None
    ) -> Self:
        """Return a copy with ``out[index[i][j]][j] = src[i][j]`` for dim 0, and so on.

        Where an index occurs twice the last element stays, and has the gradient.

        Args:
            dim: the dim that ``index`` counts along.
            index: integers, of no more elements than ``src`` in any dim.
            src: a tensor of the same dtype, or a number.
            value: a number, in place of ``src``.

        Raises:
            ShapeError: ``index`` is larger than ``src``, or than the input in another
                dim.

        Example:
            >>> from tinygrad_rnn import tensor, zeros
            >>> zeros(3).scatter(0, tensor([2]), 5.0).tolist()
            [0.0, 0.0, 5.0]
        """
        given = value if src is None else src
        x, index, values = self._scatter_arguments(dim, index, given)
        return self._with_rank_of_self(ops.put(x, values, index))

    @name_errors
    def scatter_add(self, dim: int, index: Operand, src: Operand) -> Self:
        """Return a copy with ``out[index[i][j]][j] += src[i][j]`` for dim 0, and so on.

        The arguments are those of :meth:`scatter`. Where an index occurs twice both
        elements are added.

        Example:
            >>> from tinygrad_rnn import tensor, zeros
            >>> index, src = tensor([0, 2, 0]), tensor([1.0, 2.0, 3.0])
            >>> zeros(3).scatter_add(0, index, src).tolist()
            [4.0, 0.0, 2.0]
        """
        check_type("scatter_add", Value, "a Tensor", src=src)
        x, index, values = self._scatter_arguments(dim, index, src)
        return self._with_rank_of_self(x + ops.add_at(values, x.shape, index))

    def _scatter_arguments(
        self, dim: int, index: Operand, src: Operand
    ) -> tuple[Operand, Index, Operand]:
        """Return this tensor, where to write and what; each has at least one dim."""
        dim = check_dim("scatter", dim, self.shape)
        check_integer_tensor("index", index)
        self._check_source(src)
        x, index = as_vector(self), as_vector(index)
        if 0 in index.shape:  # PyTorch takes an empty index of any shape
            index = index.reshape((0,) * x.ndim)
        fits = _fits_into(index.shape, _replace(x.shape, dim, inf))
        if isinstance(src, Value):
            src = as_vector(src)
            fits = fits and _fits_into(index.shape, src.shape)
        if not fits:
            raise ShapeError(
                f"scatter: input has shape {self.shape}, index {tuple(index.shape)}, "
                f"src {getattr(src, 'shape', 'a number')}; expected an index no larger "
                f"than src, nor than input in dims other than {dim}"
            )
        if isinstance(src, Value):
            src = ops.getitem(src, tuple(map(slice, index.shape)))
        return x, index_of("scatter", _index_along(dim, index), copy=True), src

    def _check_source(self, src: Operand) -> None:
        """Require a number, or a tensor of this one's dtype."""
        if not isinstance(src, TensorBase):
            kinds = int | float | np.generic
            check_type("scatter", kinds, "a Tensor or a number", src=src)
        elif src.dtype != self.dtype:
            raise DTypeError(
                f"scatter: src is {src.dtype}, expected {self.dtype}, as the input; "
                "use src.to(input.dtype)"
            )
