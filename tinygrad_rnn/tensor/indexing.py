"""Reading parts of a tensor: by brackets, slices and pieces along a dim."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Self

from .. import errors, ops
from ..convert import index_of
from ..errors import DTypeError, ShapeError, check_dim
from ..errors.boundary import named
from .base import TensorBase


class Indexing(TensorBase):
    """Parts of a tensor: what stands between brackets, and slices along a dim."""

    __slots__ = ()

    @named
    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Self, ...]:
        """Pieces of a size, the last one perhaps smaller, or of the sizes given."""
        total = self.size(dim)
        if isinstance(split_size, int):
            errors.check_integers("split", split_size=split_size)
            sizes = [
                min(split_size, total - i) for i in range(0, max(total, 1), split_size)
            ]
        elif sum(sizes := list(split_size)) != total or min(sizes, default=0) < 0:
            raise ShapeError(f"split: the sizes {sizes} do not add up to {total}")
        ends = itertools.accumulate(sizes)
        return tuple(
            [self.narrow(dim, end - n, n) for end, n in zip(ends, sizes, strict=True)]
        )

    @named
    def chunk(self, chunks: int, dim: int = 0) -> tuple[Self, ...]:
        """At most ``chunks`` pieces of equal size, the last one perhaps smaller."""
        errors.check_integers("chunk", chunks=chunks)
        return self.split(max(-(-self.size(dim) // chunks), 1), dim)

    @named
    def unbind(self, dim: int = 0) -> tuple[Self, ...]:
        """The slices along a dim, without that dim."""
        return tuple([self.select(dim, i) for i in range(self.size(dim))])

    @named
    def narrow(self, dim: int, start: int, length: int) -> Self:
        """``length`` slices of a dim, from ``start`` on."""
        dim, size = check_dim("narrow", dim, self.shape), self.size(dim)
        if not 0 <= start <= start + length <= size:
            raise errors.IdError(
                f"narrow: {start} to {start + length} of a dim of size {size}"
            )
        return self[(slice(None),) * dim + (slice(start, start + length),)]

    @named
    def select(self, dim: int, index: int) -> Self:
        """One slice of a dim, without that dim."""
        return self[(slice(None),) * check_dim("select", dim, self.shape) + (index,)]

    def __len__(self) -> int:
        if not self.ndim:
            raise DTypeError(
                "len: a 0-d tensor has no length, and nothing to iterate over"
            )
        return self.shape[0]

    def __iter__(self) -> Iterator[Self]:
        return (
            self[i] for i in range(len(self))
        )  # lazily: a change makes later views anew

    def __getitem__(self, index: Any) -> Self:
        place = index_of("getitem", index, self.needs_grad)
        out: Self = ops.getitem(self, place)
        if out.source is not None:
            out.source = (out.source[0], place, out.source[2])
        return out
