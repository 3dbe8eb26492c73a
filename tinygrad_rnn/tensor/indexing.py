"""Parts of a tensor: what brackets read, and pieces along a dim."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Self

from .. import ops
from ..backend.standard import numpy_dtype
from ..convert import index_of
from ..engine import seam
from ..errors import DTypeError, IdError, ShapeError, check_dim, check_integers
from ..errors.boundary import name_errors
from ..types import Index
from .base import TensorBase


def _has_mask(index: Index) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    dtypes = [part.dtype for part in parts if hasattr(part, "dtype")]
    return any(numpy_dtype(dtype).kind == "b" for dtype in dtypes)


class Indexing(TensorBase):
    """Parts of a tensor: what brackets read, and pieces along a dim."""

    __slots__ = ()

    def __getitem__(self, index: Index) -> Self:
        """Return what brackets read: integers, slices, None, masks, arrays of indices.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([[1, 2, 3], [4, 5, 6]])
            >>> x[0, -1].item(), x[:, 1].tolist(), x[x > 4].tolist()
            (3, [2, 5], [5, 6])
        """
        array_index = index_of("getitem", index, self.needs_grad)
        if seam.recorder is not None and _has_mask(array_index):
            what = "a mask as an index, whose result has no fixed shape,"
            way = "multiply by the mask, choose by tg.where, or do it outside"
            seam.read_values(what, way)
        out: Self = ops.getitem(self, array_index)
        if out.source is not None:  # a view remembers which part it is
            base, _, array = out.source
            out.source = base, array_index, array
        return out

    def __len__(self) -> int:
        """Return the size of the first dim.

        Example:
            >>> import tinygrad_rnn as tg
            >>> len(tg.zeros(2, 3))
            2
        """
        if not self.ndim:
            raise DTypeError(
                "len: a 0-d tensor has no length, and nothing to iterate over"
            )
        return self.shape[0]

    def __iter__(self) -> Iterator[Self]:
        """Return an iterator over the slices of the first dim.

        Example:
            >>> import tinygrad_rnn as tg
            >>> [row.tolist() for row in tg.tensor([[1, 2], [3, 4]])]
            [[1, 2], [3, 4]]
        """
        # A generator, so that a change in place is seen by the parts read after it.
        return (self[i] for i in range(len(self)))

    @name_errors
    def select(self, dim: int, index: int) -> Self:
        """Return one slice of a dim, without that dim.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1, 2], [3, 4]]).select(1, 0).tolist()
            [1, 3]
        """
        before = (slice(None),) * check_dim("select", dim, self.shape)
        return self[(*before, index)]

    @name_errors
    def narrow(self, dim: int, start: int, length: int) -> Self:
        """Return ``length`` slices of a dim, from ``start`` on.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.arange(5).narrow(0, 1, 3).tolist()
            [1, 2, 3]
        """
        before = (slice(None),) * check_dim("narrow", dim, self.shape)
        size = self.size(dim)
        if not 0 <= start <= start + length <= size:
            raise IdError(
                f"narrow: {start} to {start + length} of a dim of size {size}"
            )
        return self[(*before, slice(start, start + length))]

    @name_errors
    def unbind(self, dim: int = 0) -> tuple[Self, ...]:
        """Return the slices along a dim, without that dim.

        Example:
            >>> import tinygrad_rnn as tg
            >>> [row.tolist() for row in tg.tensor([[1, 2], [3, 4]]).unbind()]
            [[1, 2], [3, 4]]
        """
        return tuple([self.select(dim, i) for i in range(self.size(dim))])

    @name_errors
    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Self, ...]:
        """Cut a tensor into pieces along a dim.

        Args:
            split_size: the size of each piece, of which the last may be smaller; or a
                list of the sizes.
            dim: the dim that is cut.

        Example:
            >>> import tinygrad_rnn as tg
            >>> [piece.tolist() for piece in tg.arange(5).split(2)]
            [[0, 1], [2, 3], [4]]
        """
        total = self.size(dim)
        if isinstance(split_size, int):
            check_integers("split", split_size=split_size)
            starts = range(0, max(total, 1), split_size)
            sizes = [min(split_size, total - start) for start in starts]
        else:
            sizes = list(split_size)
            if sum(sizes) != total or min(sizes, default=0) < 0:
                raise ShapeError(f"split: the sizes {sizes} do not add up to {total}")
        ends = itertools.accumulate(sizes)
        pieces = zip(ends, sizes, strict=True)
        return tuple([self.narrow(dim, end - size, size) for end, size in pieces])

    @name_errors
    def chunk(self, chunks: int, dim: int = 0) -> tuple[Self, ...]:
        """Cut into at most ``chunks`` pieces of one size, the last perhaps smaller.

        Example:
            >>> import tinygrad_rnn as tg
            >>> [piece.tolist() for piece in tg.arange(5).chunk(2)]
            [[0, 1, 2], [3, 4]]
        """
        check_integers("chunk", chunks=chunks)
        size = -(-self.size(dim) // chunks)  # rounded up
        return self.split(max(size, 1), dim)
