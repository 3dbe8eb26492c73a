"""The same elements in another shape or order, and repeated."""

import math
from typing import Self

import numpy as np

from .. import ops
from ..engine import seam
from ..engine.node import Value
from ..errors import (
    DimError,
    DTypeError,
    ShapeError,
    check_axis,
    check_dim,
    check_integers,
    check_type,
)
from ..errors.boundary import name_errors
from ..types import Dims, Operand
from .arguments import dims_of, sizes_of
from .elementwise import Elementwise
from .indexing import Indexing


class Shapes(Elementwise, Indexing):
    """The same elements in another shape or order, and repeated."""

    __slots__ = ()

    # ------------------------------------------------------------ another shape

    @name_errors
    def reshape(self, *sizes: object, shape: object = None) -> Self:
        """Return the same elements in another shape; one size may be -1.

        The sizes stand one by one, in one sequence, or in ``shape``. The result shares
        the memory where the elements' order allows it.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.arange(6).reshape(2, -1).tolist()
            [[0, 1, 2], [3, 4, 5]]
        """
        wanted = sizes_of(sizes, shape)
        if min(wanted, default=0) < -1:
            raise ShapeError(f"reshape: got the sizes {wanted}, expected none below -1")
        return ops.reshape(self, wanted)

    @name_errors
    def view(self, *shape: object) -> Self:
        """Return the same as :meth:`reshape`."""
        return self.reshape(*shape)

    @name_errors
    def view_as(self, other: Operand) -> Self:
        """Return the same elements in the shape of another tensor.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.arange(4).view_as(tg.zeros(2, 2)).shape
            (2, 2)
        """
        check_type("view_as", Value, "a Tensor", other=other)
        return self.reshape(other.shape)

    @name_errors
    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """Join the dims from ``start_dim`` to ``end_dim``.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3, 4).flatten(1).shape
            (2, 12)
        """
        first = check_dim("flatten", start_dim, self.shape)
        last = check_dim("flatten", end_dim, self.shape)
        if first > last:
            raise DimError(
                f"flatten: start_dim {start_dim} comes after end_dim {end_dim}"
            )
        joined = math.prod(self.shape[first : last + 1])
        return self.reshape(*self.shape[:first], joined, *self.shape[last + 1 :])

    @name_errors
    def squeeze(self, dim: Dims = None) -> Self:
        """Remove the dims of size 1; with ``dim``, only those that it names.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(1, 2, 1).squeeze().shape, tg.zeros(1, 2, 1).squeeze(0).shape
            ((2,), (2, 1))
        """
        dims = range(self.ndim) if dim is None else dims_of(dim)
        chosen = [check_dim("squeeze", d, self.shape) for d in dims]
        sizes = enumerate(self.shape)
        return self.reshape([n for i, n in sizes if n != 1 or i not in chosen])

    @name_errors
    def unsqueeze(self, dim: int) -> Self:
        """Add a dim of size 1 at ``dim``.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3).unsqueeze(1).shape
            (2, 1, 3)
        """
        dim = check_dim("unsqueeze", dim, self.shape, new_dims=1)
        return self.reshape(*self.shape[:dim], 1, *self.shape[dim:])

    # ------------------------------------------------------------ another order

    @property
    def T(self) -> Self:
        """The dims in reverse order.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3).T.shape
            (3, 2)
        """
        return self.permute(*range(self.ndim)[::-1])

    @property
    def mT(self) -> Self:
        """The last two dims exchanged.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(5, 2, 3).mT.shape
            (5, 3, 2)
        """
        return self.transpose(-1, -2)

    @name_errors
    def permute(self, *order: object, dims: object = None) -> Self:
        """Put the dims in another order.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3, 4).permute(2, 0, 1).shape
            (4, 2, 3)
        """
        axes = check_axis("permute", sizes_of(order, dims), self.shape)
        return ops.permute_dims(self, axes or ())

    @name_errors
    def transpose(self, dim0: int, dim1: int) -> Self:
        """Exchange two dims.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3, 4).transpose(0, 2).shape
            (4, 3, 2)
        """
        one = check_dim("transpose", dim0, self.shape)
        two = check_dim("transpose", dim1, self.shape)
        axes = list(range(self.ndim))
        if axes:
            axes[one], axes[two] = two, one
        return ops.permute_dims(self, tuple(axes))

    @name_errors
    def t(self) -> Self:
        """Exchange the dims of a matrix; return a vector or a number as it is.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1, 2], [3, 4]]).t().tolist()
            [[1, 3], [2, 4]]
        """
        if self.ndim > 2:
            raise ShapeError(
                f"t: got the shape {self.shape}, expected at most 2 dims; use mT"
            )
        return self.T

    @name_errors
    def movedim(self, source: Dims, destination: Dims) -> Self:
        """Move dims to other positions; the others keep their order.

        Args:
            source: A dim, or several.
            destination: Where each of them is in the result.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.zeros(2, 3, 4).movedim(0, -1).shape
            (3, 4, 2)
        """
        sources = check_axis("movedim", dims_of(source), self.shape) or ()
        targets = check_axis("movedim", dims_of(destination), self.shape) or ()
        if len(sources) != len(targets):
            raise DimError(f"movedim: {source!r} cannot be moved to {destination!r}")
        order = [i for i in range(self.ndim) if i not in sources]
        for target, dim in sorted(zip(targets, sources, strict=True)):
            order.insert(target, dim)
        return self.permute(order)

    @name_errors
    def flip(self, *axes: object, dims: object = None) -> Self:
        """Reverse the order of the elements along dims.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1, 2], [3, 4]]).flip(1).tolist()
            [[2, 1], [4, 3]]
        """
        if not axes and dims is None:
            raise DTypeError(
                "flip: got no dims, expected them as in flip(0) or flip((0, 1))"
            )
        reversed_dims = sizes_of(axes, dims)
        return ops.flip(self, reversed_dims) if reversed_dims else self.clone()

    @name_errors
    def roll(self, shifts: Dims, dims: Dims = None) -> Self:
        """Move the elements along dims; what leaves at the end comes in at the start.

        Args:
            shifts: how far, one for each dim; backwards where negative.
            dims: None moves them in the order of all elements.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.arange(4).roll(1).tolist()
            [3, 0, 1, 2]
        """
        if dims is None:
            return self.flatten().roll(shifts, 0).reshape(self.shape)
        shifts, dims = dims_of(shifts), dims_of(dims)
        if len(shifts) != len(dims):
            raise DimError(f"roll: got {len(shifts)} shifts for {len(dims)} dims")
        x = self
        for shift, dim in zip(shifts, dims, strict=True):
            size = x.size(dim)
            cut = -shift % max(size, 1)
            halves = [x.narrow(dim, cut, size - cut), x.narrow(dim, 0, cut)]
            x = ops.concat(halves, axis=dim)
        return x

    # ------------------------------------------------------------ repeated

    @name_errors
    def broadcast_to(self, *shape: object) -> Self:
        """Repeat to a larger shape, without a copy.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1], [2]]).broadcast_to((2, 3)).tolist()
            [[1, 1, 1], [2, 2, 2]]
        """
        return ops.broadcast_to(self, sizes_of(shape))

    @name_errors
    def expand(self, *sizes: object) -> Self:
        """Do the same as :meth:`broadcast_to`; -1 keeps a size.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1], [2]]).expand(-1, 3).tolist()
            [[1, 1, 1], [2, 2, 2]]
        """
        wanted = sizes_of(sizes)
        new = len(wanted) - self.ndim
        if new < 0 or -1 in wanted[:new]:
            raise ShapeError(f"expand: {self.shape} cannot be expanded to {wanted}")
        pairs = zip(self.shape, wanted[new:], strict=True)
        sizes_of_old = [old if size == -1 else size for old, size in pairs]
        return ops.broadcast_to(self, (*wanted[:new], *sizes_of_old))

    @name_errors
    def expand_as(self, other: Operand) -> Self:
        """Repeat to the shape of another tensor, without a copy.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1], [2]]).expand_as(tg.zeros(2, 3)).tolist()
            [[1, 1, 1], [2, 2, 2]]
        """
        check_type("expand_as", Value, "a Tensor", other=other)
        return self.expand(other.shape)

    @name_errors
    def tile(self, *times: object, dims: object = None) -> Self:
        """Repeat the tensor along each dim as many times as ``dims`` says.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2]).tile(2, 2).tolist()
            [[1, 2, 1, 2], [1, 2, 1, 2]]
        """
        repeats = sizes_of(times, dims)
        new = len(repeats) - self.ndim
        x = self.reshape((1,) * new + self.shape)
        for dim, count in enumerate(repeats, x.ndim - len(repeats)):
            check_integers("tile", 0, dims=count)
            x = ops.concat([x] * count, axis=dim) if count else x.narrow(dim, 0, 0)
        return x

    @name_errors
    def repeat(self, *repeats: object) -> Self:
        """Do the same as :meth:`tile`, with a number for each dim at least."""
        times = sizes_of(repeats)
        if len(times) < self.ndim:
            raise ShapeError(
                f"repeat: got {len(times)} sizes, expected {self.ndim} at least"
            )
        return self.tile(times)

    # ------------------------------------------------------------ triangles

    @name_errors
    def tril(self, diagonal: int = 0) -> Self:
        """Return the lower triangle of the last two dims: 0 above a diagonal.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.ones(3, 3).tril().tolist()
            [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
        """
        return ops.where(self._lower_triangle(diagonal), self, ops.zeros_like(self))

    @name_errors
    def triu(self, diagonal: int = 0) -> Self:
        """Return the upper triangle of the last two dims: 0 below a diagonal.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.ones(3, 3).triu(1).tolist()
            [[0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
        """
        is_below = self._lower_triangle(diagonal - 1)
        return ops.where(is_below, ops.zeros_like(self), self)

    def _lower_triangle(self, diagonal: int) -> Operand:
        """Return a mask of the last two dims: true on and below a diagonal."""
        if self.ndim < 2:
            raise ShapeError(
                f"tril: got the shape {self.shape}, expected at least 2 dims"
            )
        rows, columns = self.shape[-2:]
        mask = np.tri(rows, columns, diagonal, np.bool_)
        return self._from_host(seam.constant(mask))
