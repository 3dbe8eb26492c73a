"""Elements chosen by mask and by index, or written to chosen places of a copy."""

from typing import Any, Self

import numpy as np

from .. import errors, ops
from ..backend import backend_of, backends
from ..engine.node import Value
from ..errors import ShapeError, check_dim
from ..errors.boundary import named
from .arguments import as_vector, check_integers_in, mask_of
from .base import is_tensor
from .shapes import Shapes

Place = tuple[Any, ...]


def _as_ranked(like: Any, x: Any) -> Any:
    """A result of one element as a 0-d tensor, if that is what it was made from."""
    return x if like.ndim else x.reshape(())


def _copied(index: Any) -> Any:
    """A copy of an index's array: the graph keeps it, and the user may change the
    original.
    """
    array = index.array if isinstance(index, Value) else index
    return backend_of(array).array(array)


def _check_source(name: str, src: Any, target: Any) -> Any:
    """What is written: a number, or a tensor of the target's dtype, with at least one
    dim.
    """
    if not is_tensor(src):
        errors.check_type(
            name, int | float | np.generic, "a Tensor or a number", src=src
        )
        return src
    if src.dtype != target.dtype:
        got = f"src is {src.dtype}, expected {target.dtype}"
        raise errors.DTypeError(f"{name}: {got}, as the input; use src.to(input.dtype)")
    return as_vector(src)


def _is_within(sizes: Any, limits: Any) -> bool:
    """Whether a shape has no size above its limit, and as many dims."""
    pairs = zip(sizes, limits, strict=False)
    return len(sizes) == len(limits) and all(size <= limit for size, limit in pairs)


class Selection(Shapes):
    """Elements chosen by mask and by index, or written to chosen places of a copy."""

    __slots__ = ()

    @named
    def index_select(self, dim: int, index: Any) -> Self:
        """The slices of a dim that a 1-d (or 0-d) integer tensor names."""
        errors.check_type(
            "index_select", (Value, *backends, list), "a Tensor", index=index
        )
        if getattr(index, "ndim", 1) > 1:
            raise ShapeError(f"index_select: index has {index.ndim} dims, expected 1")
        dim = check_dim("index_select", dim, self.shape)
        index = index if isinstance(index, list) or index.ndim else index.reshape(1)
        if self.ndim:
            return self[(slice(None),) * dim + (index,)]
        if len(index) != 1:
            raise ShapeError(
                f"index_select: {len(index)} of a 0-d tensor, which has 1 element"
            )
        return self.reshape(1)[index].reshape(())

    @named
    def take_along_dim(self, indices: Any, dim: int | None = None) -> Self:
        """Elements named by their place along one dim; in the other dims the two are
        broadcast.
        """
        errors.check_type(
            "take_along_dim", (Value, *backends), "a Tensor", indices=indices
        )
        if dim is None:
            return self.flatten().gather(0, indices.reshape(-1))
        dim = check_dim("take_along_dim", dim, self.shape)
        if indices.ndim != self.ndim:
            got = f"{tuple(indices.shape)}, expected {self.ndim} dims, as the input"
            raise ShapeError(f"take_along_dim: indices has shape {got}")
        one, two = ((*x.shape[:dim], *x.shape[dim + 1 :]) for x in (self, indices))
        if one == two:
            return self.gather(dim, indices)
        try:
            common = np.broadcast_shapes(one, two)
        except ValueError:
            got = f"{self.shape} and {tuple(indices.shape)}"
            raise ShapeError(
                f"take_along_dim: the shapes {got} do not broadcast"
            ) from None
        sizes = [(*common[:dim], x.shape[dim], *common[dim:]) for x in (self, indices)]
        return self.expand(sizes[0]).gather(dim, ops.broadcast_to(indices, sizes[1]))

    @named
    def gather(self, dim: int, index: Any) -> Self:
        """``out[i][j] = x[index[i][j]][j]`` for dim 0, and so on; in the shape of
        ``index``.
        """
        dim = check_dim("gather", dim, self.shape)
        errors.check_type(
            "gather", (Value, *backends), "a Tensor of indices", index=index
        )
        if max(index.ndim, 1) != max(self.ndim, 1):
            raise ShapeError(
                f"gather: index has shape {index.shape}, expected {self.ndim} dims"
            )
        x = self if self.ndim else self.reshape(1)
        grid = list(np.ogrid[tuple(map(slice, index.shape))])
        return x[(*grid[:dim], index, *grid[dim + 1 :])]

    @named
    def masked_select(self, mask: Any) -> Self:
        """The elements where ``mask`` is true, as a vector; the two are broadcast
        together.

        >>> from tinygrad_rnn import tensor
        >>> tensor([1, 2, 3]).masked_select(tensor([True, False, True])).tolist()
        [1, 3]
        """
        shape = np.broadcast_shapes(
            self.shape, mask_of("masked_select", "mask", mask).shape
        )
        return self.broadcast_to(shape)[ops.broadcast_to(mask, shape)]

    @named
    def nonzero(self, as_tuple: bool = False) -> Any:
        """The places of the elements that are not 0, in order.

        Returns:
            ``(N, ndim)`` int64, a row for each; with ``as_tuple`` a vector for each dim
            instead, which indexes the tensor: ``x[x.nonzero(as_tuple=True)]``.
        """
        errors.check_type("nonzero", bool, "True or False", as_tuple=as_tuple)
        if not as_tuple:
            return ops.nonzero(self)
        return ops.nonzero(as_vector(self)).unbind(1)

    @named
    def diag(self, diagonal: int = 0) -> Self:
        """The diagonal of a matrix, or a matrix with a vector on its diagonal.

        ``diagonal`` counts from the main one: above it is positive, below it negative.
        """
        errors.check_integers("diag", -np.inf, diagonal=diagonal)
        if self.ndim not in (1, 2):
            got = f"{self.shape}, expected a vector or a matrix"
            raise ShapeError(f"diag: got the shape {got}")
        down, right = max(-diagonal, 0), max(diagonal, 0)
        if self.ndim == 1:
            along, side = np.arange(self.shape[0]), self.shape[0] + down + right
            return ops.add_at(self, (side, side), (along + down, along + right))
        rows, columns = self.shape
        along = np.arange(max(min(rows - down, columns - right), 0))
        return self[along + down, along + right]

    @named
    def index_fill(self, dim: int, index: Any, value: Any) -> Self:
        """A copy with ``value``, a number or a 0-d tensor, in the slices of a dim that
        are named.
        """
        dim = check_dim("index_fill", dim, self.shape)
        check_integers_in("index_fill", index=index)
        if index.ndim > 1 or getattr(value, "ndim", 0):
            got = f"{errors.described(index)} and value is {errors.described(value)}"
            raise ShapeError(
                f"index_fill: index is {got}, expected a vector and a number"
            )
        place = (slice(None),) * dim + (_copied(as_vector(index)),)
        return _as_ranked(self, ops.put(as_vector(self), value, place))

    @named
    def scatter(self, dim: int, index: Any, src: Any = None, value: Any = None) -> Self:
        """A copy with ``out[index[i][j]][j] = src[i][j]`` for dim 0, and so on.

        Args:
            dim: the dim that ``index`` counts along.
            index: integers, of no more elements than ``src`` in any dim.
            src: a tensor of the same dtype, or a number (or give it as ``value``).

        Where ``index`` names a place twice the last element stays, and has the
        gradient.
        """
        given = value if src is None else src
        x, place, values = self._places("scatter", dim, index, given)
        return _as_ranked(self, ops.put(x, values, place))

    @named
    def scatter_add(self, dim: int, index: Any, src: Any) -> Self:
        """A copy with ``out[index[i][j]][j] += src[i][j]`` for dim 0, and so on.

        >>> from tinygrad_rnn import tensor, zeros
        >>> zeros(3).scatter_add(0, tensor([0, 2, 0]), tensor([1.0, 2.0, 3.0])).tolist()
        [4.0, 0.0, 2.0]
        """
        errors.check_type("scatter_add", Value, "a Tensor", src=src)
        x, place, values = self._places("scatter_add", dim, index, src)
        return _as_ranked(self, x + ops.add_at(values, x.shape, place))

    def _places(
        self, name: str, dim: int, index: Any, src: Any
    ) -> tuple[Any, Place, Any]:
        """This tensor, the index for `put` and the values, each with at least one dim."""
        dim = check_dim(name, dim, self.shape)
        check_integers_in(name, index=index)
        x, index, src = (
            as_vector(self),
            as_vector(index),
            _check_source(name, src, self),
        )
        if 0 in index.shape:  # PyTorch takes an empty index of any shape
            index = index.reshape((0,) * x.ndim)
        limits: list[Any] = [(*x.shape[:dim], np.inf, *x.shape[dim + 1 :])]
        limits += [src.shape] if is_tensor(src) else []
        if not all(_is_within(index.shape, most) for most in limits):
            got = f"index {tuple(index.shape)}, src {getattr(src, 'shape', 'a number')}"
            rule = (
                f"an index no larger than src, nor than input in dims other than {dim}"
            )
            raise ShapeError(
                f"{name}: input has shape {self.shape}, {got}; expected {rule}"
            )
        if is_tensor(src):
            src = ops.getitem(src, tuple(map(slice, index.shape)))
        grid = np.ogrid[tuple(map(slice, index.shape))]
        return x, (*grid[:dim], _copied(index), *grid[dim + 1 :]), src
