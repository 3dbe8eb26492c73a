"""The same elements in another shape or order."""

import math
from typing import Any, Self

import numpy as np

from .. import errors, ops
from ..engine.node import Value
from ..errors import ShapeError, check_axis, check_dim
from ..errors.boundary import named
from .arguments import Dim, several, sizes_of
from .elementwise import Elementwise
from .indexing import Indexing


class Shapes(Elementwise, Indexing):
    """The same elements in another shape or order."""

    __slots__ = ()

    @property
    def T(self) -> Self:
        "The dims in reverse order."
        return self.permute(*range(self.ndim)[::-1])

    @property
    def mT(self) -> Self:
        "The last two dims exchanged."
        return self.transpose(-1, -2)

    @named
    def reshape(self, *sizes: Any, shape: Any = None) -> Self:
        """The same elements in another shape; one size may be -1."""
        sizes = sizes_of("reshape", sizes, shape)
        if min(sizes, default=0) < -1:
            raise ShapeError(f"reshape: got the sizes {sizes}, expected none below -1")
        return ops.reshape(self, sizes)

    @named
    def view(self, *shape: Any) -> Self:
        "As :meth:`reshape`."
        return self.reshape(*shape)

    @named
    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """The dims from ``start_dim`` to ``end_dim`` as one."""
        first, last = (
            check_dim("flatten", d, self.shape) for d in (start_dim, end_dim)
        )
        if first > last:
            raise errors.DimError(
                f"flatten: start_dim {start_dim} comes after end_dim {end_dim}"
            )
        joined = math.prod(self.shape[first : last + 1])
        return self.reshape(*self.shape[:first], joined, *self.shape[last + 1 :])

    @named
    def squeeze(self, dim: Dim = None) -> Self:
        """Without its dims of size 1, or without those named, if they are of size 1."""
        dims = range(self.ndim) if dim is None else several(dim)
        chosen = [check_dim("squeeze", d, self.shape) for d in dims]
        return self.reshape(
            [n for i, n in enumerate(self.shape) if n != 1 or i not in chosen]
        )

    @named
    def unsqueeze(self, dim: int) -> Self:
        """With a new dim of size 1 at ``dim``."""
        dim = check_dim("unsqueeze", dim, (*self.shape, 1))
        return self.reshape(*self.shape[:dim], 1, *self.shape[dim:])

    @named
    def permute(self, *order: Any, dims: Any = None) -> Self:
        """The dims in another order."""
        axes = check_axis("permute", sizes_of("permute", order, dims), self.shape)
        return ops.permute_dims(self, axes or ())

    @named
    def transpose(self, dim0: int, dim1: int) -> Self:
        """Two dims exchanged."""
        one, two = (check_dim("transpose", d, self.shape) for d in (dim0, dim1))
        axes = list(range(self.ndim))
        if axes:
            axes[one], axes[two] = two, one
        return ops.permute_dims(self, tuple(axes))

    @named
    def t(self) -> Self:
        """The dims of a matrix exchanged; a vector, a number as they are."""
        if self.ndim > 2:
            raise ShapeError(
                f"t: got the shape {self.shape}, expected at most 2 dims; use mT"
            )
        return self.T

    @named
    def movedim(self, source: Any, destination: Any) -> Self:
        """Dims moved to other places, the rest in order."""
        both = several(source), several(destination)
        taken, placed = (check_axis("movedim", dims, self.shape) or () for dims in both)
        if len(taken) != len(placed):
            raise errors.DimError(
                f"movedim: {source!r} cannot be moved to {destination!r}"
            )
        order = [i for i in range(self.ndim) if i not in taken]
        for place, axis in sorted(zip(placed, taken, strict=True)):
            order.insert(place, axis)
        return self.permute(order)

    def broadcast_to(self, *shape: Any) -> Self:
        """Repeated, without a copy, to a larger shape."""
        return ops.broadcast_to(self, sizes_of("broadcast_to", shape))

    @named
    def view_as(self, other: Any) -> Self:
        """The same elements in the shape of another tensor."""
        errors.check_type("view_as", Value, "a Tensor", other=other)
        return self.reshape(other.shape)

    @named
    def expand_as(self, other: Any) -> Self:
        """Repeated, without a copy, to the shape of another tensor."""
        errors.check_type("expand_as", Value, "a Tensor", other=other)
        return self.expand(other.shape)

    @named
    def expand(self, *sizes: Any) -> Self:
        """As :meth:`broadcast_to`; -1 keeps a size."""
        wanted = sizes_of("expand", sizes)
        lead = len(wanted) - self.ndim
        if lead < 0 or -1 in wanted[:lead]:
            raise ShapeError(
                f"expand: the shape {self.shape} does not expand to {wanted}"
            )
        kept = [
            o if n == -1 else n for o, n in zip(self.shape, wanted[lead:], strict=True)
        ]
        return ops.broadcast_to(self, (*wanted[:lead], *kept))

    @named
    def tile(self, *times: Any, dims: Any = None) -> Self:
        """Repeated along each dim, so many times."""
        repeats = sizes_of("tile", times, dims)
        x = self.reshape((1,) * (len(repeats) - self.ndim) + self.shape)
        for dim, n in enumerate(repeats, x.ndim - len(repeats)):
            errors.check_integers("tile", 0, dims=n)
            x = ops.concat([x] * n, axis=dim) if n else x.narrow(dim, 0, 0)
        return x

    @named
    def repeat(self, *repeats: Any) -> Self:
        """As :meth:`tile`, with a number for each dim at least."""
        times = sizes_of("repeat", repeats)
        if len(times) < self.ndim:
            raise ShapeError(
                f"repeat: got {len(times)} sizes, expected {self.ndim} at least"
            )
        return self.tile(times)

    @named
    def roll(self, shifts: Any, dims: Any = None) -> Self:
        """Moved along dims, around the end; without dims, in the order of the elements."""
        if dims is None:
            return self.flatten().roll(shifts, 0).reshape(self.shape)
        steps, places, x = several(shifts), several(dims), self
        if len(steps) != len(places):
            raise errors.DimError(
                f"roll: got {len(steps)} shifts for {len(places)} dims"
            )
        for shift, dim in zip(steps, places, strict=True):
            size = x.size(dim)
            cut = -shift % max(size, 1)
            x = ops.concat(
                [x.narrow(dim, cut, size - cut), x.narrow(dim, 0, cut)], axis=dim
            )
        return x

    @named
    def flip(self, *axes: Any, dims: Any = None) -> Self:
        """In reverse order along dims."""
        if not axes and dims is None:
            raise errors.DTypeError(
                "flip: got no dims, expected them as in flip(0) or flip((0, 1))"
            )
        return (
            ops.flip(self, axes)
            if (axes := sizes_of("flip", axes, dims))
            else self.clone()
        )

    @named
    def tril(self, diagonal: int = 0) -> Self:
        """0 above a diagonal of the last two dims."""
        return ops.where(self._below("tril", diagonal), self, ops.zeros_like(self))

    @named
    def triu(self, diagonal: int = 0) -> Self:
        """0 below a diagonal of the last two dims."""
        return ops.where(self._below("triu", diagonal - 1), ops.zeros_like(self), self)

    def _below(self, name: str, diagonal: int) -> Any:
        if self.ndim < 2:
            raise ShapeError(
                f"{name}: got the shape {self.shape}, expected at least 2 dims"
            )
        return self._from_host(
            np.tri(self.shape[-2], self.shape[-1], diagonal, np.bool_)
        )
