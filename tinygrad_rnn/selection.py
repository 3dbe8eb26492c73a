"""Elements by mask, by order and by index: PyTorch's functions for it, as methods.

Composites over the table of ops and over `methods`; `functions` lists them at the top
level. What depends on values alone (places, counts, distinct values) has no gradient.
"""

from typing import Any, Self

import numpy as np

from . import errors, ops
from .backend import backend_of, backends
from .backend.standard import numpy_dtype
from .engine.node import Value
from .errors import ShapeError, check_dim
from .errors.boundary import named
from .methods import Bool, Int, Methods, mask_of

Place = tuple[Any, ...]


def _as_vector(x: Any) -> Any:
    """A 0-d tensor as one of one element; others as they are."""
    return x if x.ndim else x.reshape(1)


def _as_ranked(like: Any, x: Any) -> Any:
    """A result of one element as a 0-d tensor, if that is what it was made from."""
    return x if like.ndim else x.reshape(())


def _copied(index: Any) -> Any:
    """A copy of an index's array: the graph keeps it, and the user may change the
    original.
    """
    array = index.array if isinstance(index, Value) else index
    return backend_of(array).array(array)


def _check_integers_in(name: str, **tensors: Any) -> None:
    """Raise unless these are tensors, or arrays, of integers."""
    errors.check_type(name, (Value, *backends), "a Tensor of integers", **tensors)
    for what, x in tensors.items():
        if numpy_dtype(x.dtype).kind not in "iu":
            got = errors.described(x)
            raise errors.DTypeError(
                f"{name}: {what} is {got}, expected integers; use .long()"
            )


def _check_source(name: str, src: Any, target: Any) -> Any:
    """What is written: a number, or a tensor of the target's dtype, with at least one
    dim.
    """
    if not isinstance(src, Methods):
        errors.check_type(
            name, int | float | np.generic, "a Tensor or a number", src=src
        )
        return src
    if src.dtype != target.dtype:
        got = f"src is {src.dtype}, expected {target.dtype}"
        raise errors.DTypeError(f"{name}: {got}, as the input; use src.to(input.dtype)")
    return _as_vector(src)


def _is_within(sizes: Any, limits: Any) -> bool:
    """Whether a shape has no size above its limit, and as many dims."""
    pairs = zip(sizes, limits, strict=False)
    return len(sizes) == len(limits) and all(size <= limit for size, limit in pairs)


class Selection(Methods):
    """The part of Tensor that chooses elements, or writes to chosen places of a copy."""

    __slots__ = ()

    # ------------------------------------------------------------ by mask

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
    def nonzero(self, as_tuple: Bool = False) -> Any:
        """The places of the elements that are not 0, in order.

        Returns:
            ``(N, ndim)`` int64, a row for each; with ``as_tuple`` a vector for each dim
            instead, which indexes the tensor: ``x[x.nonzero(as_tuple=True)]``.
        """
        errors.check_type("nonzero", bool, "True or False", as_tuple=as_tuple)
        if not as_tuple:
            return ops.nonzero(self)
        return ops.nonzero(_as_vector(self)).unbind(1)

    # ------------------------------------------------------------ by order and value

    @named
    def median(self, dim: Int | None = None, keepdim: Bool = False) -> Any:
        """The element in the middle, the lower one of two; a NaN if there is one.

        Returns:
            The median of all elements (equal ones share its gradient), or along a dim
            ``(values, indices)``.
        """
        if dim is None:
            return ops.median(self)
        dim, x = check_dim("median", dim, self.shape), _as_vector(self)
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
        sorted: Bool = True,
        return_inverse: Bool = False,
        return_counts: Bool = False,
        dim: Int | None = None,
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
    def bincount(self, weights: Any = None, minlength: Int = 0) -> Self:
        """How often each integer from 0 on occurs in a vector, or the sums of its
        ``weights``.

        No gradient. Without weights int64; with weights float64, or float32 of float32.
        """
        _check_integers_in("bincount", input=self)
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

    @named
    def cumprod(self, dim: Int, dtype: Any = None) -> Self:
        """The products of the first 1, 2, ... elements along a dim.

        By doubling (Hillis and Steele, 1986), so gradients are exact where an element
        is 0.
        """
        whole = dtype is None and self.dtype.kind in "biu"
        x: Any = self._as("int64" if whole else dtype)
        dim, step = check_dim("cumprod", dim, self.shape), 1
        size = x.size(dim)
        while step < size:  # then an element is the product of the last 2 * step
            longer = x.narrow(dim, step, size - step) * x.narrow(dim, 0, size - step)
            x = ops.concat([x.narrow(dim, 0, step), longer], axis=dim)
            step *= 2
        return x.clone() if x is self else x

    # ------------------------------------------------------------ by index

    @named
    def diag(self, diagonal: Int = 0) -> Self:
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
    def index_fill(self, dim: Int, index: Any, value: Any) -> Self:
        """A copy with ``value``, a number or a 0-d tensor, in the slices of a dim that
        are named.
        """
        dim = check_dim("index_fill", dim, self.shape)
        _check_integers_in("index_fill", index=index)
        if index.ndim > 1 or getattr(value, "ndim", 0):
            got = f"{errors.described(index)} and value is {errors.described(value)}"
            raise ShapeError(
                f"index_fill: index is {got}, expected a vector and a number"
            )
        place = (slice(None),) * dim + (_copied(_as_vector(index)),)
        return _as_ranked(self, ops.put(_as_vector(self), value, place))

    @named
    def scatter(self, dim: Int, index: Any, src: Any = None, value: Any = None) -> Self:
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
    def scatter_add(self, dim: Int, index: Any, src: Any) -> Self:
        """A copy with ``out[index[i][j]][j] += src[i][j]`` for dim 0, and so on.

        >>> from tinygrad_rnn import tensor, zeros
        >>> zeros(3).scatter_add(0, tensor([0, 2, 0]), tensor([1.0, 2.0, 3.0])).tolist()
        [4.0, 0.0, 2.0]
        """
        errors.check_type("scatter_add", Value, "a Tensor", src=src)
        x, place, values = self._places("scatter_add", dim, index, src)
        return _as_ranked(self, x + ops.add_at(values, x.shape, place))

    def _places(
        self, name: str, dim: Int, index: Any, src: Any
    ) -> tuple[Any, Place, Any]:
        """This tensor, the index for `put` and the values, each with at least one dim."""
        dim = check_dim(name, dim, self.shape)
        _check_integers_in(name, index=index)
        x, index, src = (
            _as_vector(self),
            _as_vector(index),
            _check_source(name, src, self),
        )
        if 0 in index.shape:  # PyTorch takes an empty index of any shape
            index = index.reshape((0,) * x.ndim)
        limits: list[Any] = [(*x.shape[:dim], np.inf, *x.shape[dim + 1 :])]
        limits += [src.shape] if isinstance(src, Methods) else []
        if not all(_is_within(index.shape, most) for most in limits):
            got = f"index {tuple(index.shape)}, src {getattr(src, 'shape', 'a number')}"
            rule = (
                f"an index no larger than src, nor than input in dims other than {dim}"
            )
            raise ShapeError(
                f"{name}: input has shape {self.shape}, {got}; expected {rule}"
            )
        if isinstance(src, Methods):
            src = ops.getitem(src, tuple(map(slice, index.shape)))
        grid = np.ogrid[tuple(map(slice, index.shape))]
        return x, (*grid[:dim], _copied(index), *grid[dim + 1 :]), src
