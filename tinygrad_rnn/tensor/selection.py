"""Elements chosen by mask and by index, or written to chosen places of a copy."""

from math import inf
from typing import NamedTuple, Self

import numpy as np

from .. import ops
from ..backend import backend_of, backends
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
from ..types import Array, Index, Operand, Shape
from .arguments import as_vector, check_integer_tensors, check_mask
from .base import TensorBase
from .shapes import Shapes


class _Write(NamedTuple):
    """What ``scatter`` writes: into which tensor, where, and which values."""

    target: Operand
    index: Index
    values: Operand


def _copy_of_index(index: Operand) -> Array:
    """A copy of an index's array: the graph keeps it, and the user may change his."""
    array = index.array if isinstance(index, Value) else index
    return backend_of(array).array(array)


def _fits_into(sizes: Shape, limits: tuple[float, ...]) -> bool:
    """Whether a shape has as many dims as there are limits, and no size above its."""
    pairs = zip(sizes, limits, strict=False)
    return len(sizes) == len(limits) and all(size <= limit for size, limit in pairs)


class Selection(Shapes):
    """Elements chosen by mask and by index, or written to chosen places of a copy."""

    __slots__ = ()

    def _with_rank_of_self(self, x: Operand) -> Self:
        """A result of :func:`as_vector` with as many dims as this tensor."""
        return x if self.ndim else x.reshape(())

    # ------------------------------------------------------------ by mask

    @name_errors
    def masked_select(self, mask: Operand) -> Self:
        """The elements where ``mask`` is true, as a vector; the shapes broadcast.

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
        """The places of the elements that are not 0, in order.

        Returns:
            ``(N, ndim)`` int64, a row for each; with ``as_tuple`` a vector for each dim
            instead, which indexes the tensor: ``x[x.nonzero(as_tuple=True)]``.
        """
        check_type("nonzero", bool, "True or False", as_tuple=as_tuple)
        if as_tuple:
            return ops.nonzero(as_vector(self)).unbind(1)
        return ops.nonzero(self)

    # ------------------------------------------------------------ by index

    @name_errors
    def index_select(self, dim: int, index: Operand) -> Self:
        """The slices along a dim at the given indices: a vector of them, or one."""
        kinds = (Value, *backends, list)
        check_type("index_select", kinds, "a Tensor", index=index)
        if getattr(index, "ndim", 1) > 1:
            raise ShapeError(f"index_select: index has {index.ndim} dims, expected 1")
        dim = check_dim("index_select", dim, self.shape)
        if not isinstance(index, list):
            index = as_vector(index)
        if not self.ndim and len(index) != 1:
            of = "of a 0-d tensor, which has 1 element"
            raise ShapeError(f"index_select: {len(index)} {of}")
        x = as_vector(self)
        return self._with_rank_of_self(x[(*(slice(None),) * dim, index)])

    @name_errors
    def gather(self, dim: int, index: Operand) -> Self:
        """The elements at ``index`` along a dim, in the shape of ``index``.

        ``out[i][j] = x[index[i][j]][j]`` for dim 0, ``x[i][index[i][j]]`` for dim 1.
        """
        dim = check_dim("gather", dim, self.shape)
        check_type("gather", (Value, *backends), "a Tensor of indices", index=index)
        if max(index.ndim, 1) != max(self.ndim, 1):
            got = f"index has shape {index.shape}"
            raise ShapeError(f"gather: {got}, expected {self.ndim} dims")
        x = as_vector(self)
        grid = list(np.ogrid[tuple(map(slice, index.shape))])
        return x[(*grid[:dim], index, *grid[dim + 1 :])]

    @name_errors
    def take_along_dim(self, indices: Operand, dim: int | None = None) -> Self:
        """As :meth:`gather`, where the shapes broadcast in the other dims.

        Without ``dim``, places in the flattened tensor.
        """
        check_type("take_along_dim", (Value, *backends), "a Tensor", indices=indices)
        if dim is None:
            return self.flatten().gather(0, indices.reshape(-1))
        dim = check_dim("take_along_dim", dim, self.shape)
        sizes, wanted = self.shape, tuple(indices.shape)
        if len(wanted) != self.ndim:
            got = f"{wanted}, expected {self.ndim} dims, as the input"
            raise ShapeError(f"take_along_dim: indices has shape {got}")
        others = (*sizes[:dim], *sizes[dim + 1 :])
        wanted_others = (*wanted[:dim], *wanted[dim + 1 :])
        if others == wanted_others:
            return self.gather(dim, indices)
        try:
            common = np.broadcast_shapes(others, wanted_others)
        except ValueError:
            got = f"the shapes {sizes} and {wanted} do not broadcast"
            raise ShapeError(f"take_along_dim: {got}") from None
        x = self.expand((*common[:dim], *sizes[dim : dim + 1], *common[dim:]))
        shape = (*common[:dim], *wanted[dim : dim + 1], *common[dim:])
        return x.gather(dim, ops.broadcast_to(indices, shape))

    @name_errors
    def diag(self, diagonal: int = 0) -> Self:
        """The diagonal of a matrix, or a matrix with a vector on its diagonal.

        Args:
            diagonal: counts from the main one: above it is positive, below it negative.
        """
        check_integers("diag", -inf, diagonal=diagonal)
        if self.ndim not in (1, 2):
            got = f"got the shape {self.shape}"
            raise ShapeError(f"diag: {got}, expected a vector or a matrix")
        down, right = max(-diagonal, 0), max(diagonal, 0)
        if self.ndim == 1:
            (size,) = self.shape
            along, side = np.arange(size), size + down + right
            return ops.add_at(self, (side, side), (along + down, along + right))
        rows, columns = self.shape
        along = np.arange(max(min(rows - down, columns - right), 0))
        return self[along + down, along + right]

    # ------------------------------------------------------------ written to a copy

    @name_errors
    def index_fill(self, dim: int, index: Operand, value: Operand) -> Self:
        """A copy with one value in the slices of a dim that are named.

        Args:
            dim: the dim that ``index`` counts along.
            index: a vector of integers.
            value: a number, or a 0-d tensor, which gets a gradient.
        """
        dim = check_dim("index_fill", dim, self.shape)
        check_integer_tensors("index_fill", index=index)
        if index.ndim > 1 or getattr(value, "ndim", 0):
            got = f"index is {describe(index)} and value is {describe(value)}"
            raise ShapeError(f"index_fill: {got}, expected a vector and a number")
        place = (*(slice(None),) * dim, _copy_of_index(as_vector(index)))
        return self._with_rank_of_self(ops.put(as_vector(self), value, place))

    @name_errors
    def scatter(
        self, dim: int, index: Operand, src: Operand = None, value: Operand = None
    ) -> Self:
        """A copy with ``out[index[i][j]][j] = src[i][j]`` for dim 0, and so on.

        Where ``index`` names a place twice the last element stays, and has the
        gradient.

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
        write = self._scatter_arguments("scatter", dim, index, given)
        return self._with_rank_of_self(ops.put(write.target, write.values, write.index))

    @name_errors
    def scatter_add(self, dim: int, index: Operand, src: Operand) -> Self:
        """A copy with ``out[index[i][j]][j] += src[i][j]`` for dim 0, and so on.

        The arguments are those of :meth:`scatter`. Where ``index`` names a place twice
        both elements are added.

        Example:
            >>> from tinygrad_rnn import tensor, zeros
            >>> index, src = tensor([0, 2, 0]), tensor([1.0, 2.0, 3.0])
            >>> zeros(3).scatter_add(0, index, src).tolist()
            [4.0, 0.0, 2.0]
        """
        check_type("scatter_add", Value, "a Tensor", src=src)
        x, place, values = self._scatter_arguments("scatter_add", dim, index, src)
        return self._with_rank_of_self(x + ops.add_at(values, x.shape, place))

    def _scatter_arguments(
        self, name: str, dim: int, index: Operand, src: Operand
    ) -> _Write:
        """What is written, and where; tensors have at least one dim."""
        dim = check_dim(name, dim, self.shape)
        check_integer_tensors(name, index=index)
        src = self._check_source(name, src)
        x, index = as_vector(self), as_vector(index)
        if 0 in index.shape:  # PyTorch takes an empty index of any shape
            index = index.reshape((0,) * x.ndim)
        fits = _fits_into(index.shape, (*x.shape[:dim], inf, *x.shape[dim + 1 :]))
        if isinstance(src, Value):
            src = as_vector(src)
            fits = fits and _fits_into(index.shape, src.shape)
        if not fits:
            sizes = getattr(src, "shape", "a number")
            got = (
                f"input has shape {self.shape}, index {tuple(index.shape)}, src {sizes}"
            )
            largest = f"no larger than src, nor than input in dims other than {dim}"
            raise ShapeError(f"{name}: {got}; expected an index {largest}")
        if isinstance(src, Value):
            src = ops.getitem(src, tuple(map(slice, index.shape)))
        grid = np.ogrid[tuple(map(slice, index.shape))]
        place = (*grid[:dim], _copy_of_index(index), *grid[dim + 1 :])
        return _Write(x, place, src)

    def _check_source(self, name: str, src: Operand) -> Operand:
        """What is written: a number, or a tensor of this one's dtype."""
        if not isinstance(src, TensorBase):
            kinds = int | float | np.generic
            check_type(name, kinds, "a Tensor or a number", src=src)
        elif src.dtype != self.dtype:
            got = f"src is {src.dtype}, expected {self.dtype}"
            raise DTypeError(f"{name}: {got}, as the input; use src.to(input.dtype)")
        return src
