"""Sequences of different length in one tensor, under torch.nn.utils.rnn's names.

The recurrent layers take ``lengths``; a packed sequence is a thin cover of that, for
programs that use one. Legend: T time, B batch, N elements of all sequences together.

Example:
    >>> from tinygrad_rnn import nn, tensor
    >>> sequences = [tensor([1, 2]), tensor([3])]
    >>> nn.utils.rnn.pad_sequence(sequences, batch_first=True).tolist()
    [[1, 2], [3, 0]]
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from ...creation import as_tensor, full
from ...engine import seam
from ...errors import (
    DTypeError,
    OptionError,
    ShapeError,
    check_choice,
    check_fits,
    check_integers,
    check_numbers,
    check_type,
    left_out,
)
from ...errors.boundary import name_errors
from ...errors.tensor_checks import (
    check_lengths,
    check_options,
    check_tensor_list,
    check_tensors,
)
from ...functions import cat
from ...tensor import Tensor
from ...tensor.moving import Movable
from ...types import Setting

__all__ = [
    "PackedSequence",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

Lengths = Iterable[int] | Tensor


class _PackedFields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None


class PackedSequence(Movable, _PackedFields):
    """Sequences of different length without padding, like PyTorch's.

    :func:`pack_padded_sequence` and :func:`pack_sequence` make one; a recurrent layer
    takes it and returns its output as one. To map its elements, write
    ``packed._replace(data=function(packed.data))``.

    Attributes:
        data: The elements (N, ...), those of the first step of all sequences first.
        batch_sizes: How many sequences have a first step, a second, and so on; on the
            CPU.
        sorted_indices: The sequences of the batch from longest to shortest; None if
            they are in that order.
        unsorted_indices: The inverse of that permutation, or None.

    Example:
        >>> from tinygrad_rnn import nn, tensor
        >>> packed = nn.utils.rnn.pack_sequence([tensor([1, 2, 3]), tensor([4])])
        >>> packed.data.tolist(), packed.batch_sizes.tolist()
        ([1, 4, 2, 3], [2, 1, 1])
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        check_tensors("PackedSequence", data=data, batch_sizes=batch_sizes)
        if sorted_indices is not None and unsorted_indices is None:
            check_tensors("PackedSequence", sorted_indices=sorted_indices)
            unsorted_indices = sorted_indices.argsort()
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Setting, **kwargs: Setting) -> Self:
        """Move data and indices to a device, or convert the data to a dtype.

        The arguments are those of :meth:`tinygrad_rnn.Tensor.to`.

        Example:
            >>> from tinygrad_rnn import float64, nn, ones
            >>> packed = nn.utils.rnn.pack_sequence([ones(3), ones(1)])
            >>> packed.to(float64).data.dtype
            dtype('float64')
        """
        data, indices = self.data.to(*args, **kwargs), self[2:]
        moved = [index if index is None else index.to(data.device) for index in indices]
        return type(self)(data, self.batch_sizes, *moved)


@dataclass(frozen=True)
class _Layout:
    """Where the elements of a packed sequence are in a padded batch.

    Attributes:
        lengths: Those of the sequences, in the order of the batch.
        order: The sequences of the batch, the longest first.
    """

    lengths: np.ndarray
    order: np.ndarray

    def has_step(self) -> np.ndarray:
        """Return whether a sequence has a step: (T, B), the longest sequence first."""
        steps = np.arange(self.lengths.max(initial=0))
        return steps[:, None] < self.lengths[self.order]

    def rows(self, steps: int, batch_first: bool) -> np.ndarray:
        """Return the row of each element of the data in a padded batch (T*B, ...)."""
        times, ranks = np.nonzero(self.has_step())
        sequences = self.order[ranks]
        if batch_first:
            return sequences * steps + times
        return times * len(self.lengths) + sequences

    def pack(self, padded: Tensor, batch_first: bool) -> Tensor:
        """Return the elements of a padded batch in the order of a packed sequence."""
        steps, _ = _steps_and_batch(padded, batch_first)
        return padded.flatten(0, 1)[self.rows(steps, batch_first)]


def _pad(data: Tensor, rows: np.ndarray, sizes: list[int], value: float) -> Tensor:
    """Return a padded batch (*sizes, ...) that has the data in some of its rows."""
    features, count = data.shape[1:], math.prod(sizes)
    padded = full((count, *features), value, data.dtype, data.device)
    padded[rows] = data
    padded = padded.reshape(*sizes, *features)
    # Nobody else holds what this is a view of, so it may change in place.
    padded.view_version = padded.source = None
    return padded


def _layout_of(name: str, packed: PackedSequence) -> _Layout:
    """Return the layout of a packed sequence; raise if its parts do not fit."""
    expected = "a PackedSequence, as pack_sequence gives"
    check_type(name, PackedSequence, expected, sequence=packed)
    sizes = packed.batch_sizes.cpu().numpy()
    if not _is_non_increasing(sizes) or packed.data.shape[:1] != (sizes.sum(),):
        got = f"batch_sizes are {sizes.tolist()} for data of shape {packed.data.shape}"
        expected = "integers from 1 on that never grow, of the sum N for data (N, ...)"
        raise ShapeError(f"{name}: {got}, expected {expected}")
    count = int(sizes[0]) if sizes.size else 0
    order = np.arange(count)
    if packed.sorted_indices is not None:
        order = packed.sorted_indices.cpu().numpy()
    if not np.array_equal(np.sort(order), np.arange(max(count, len(order)))):
        got = f"sorted_indices are {order.tolist()}"
        expected = f"those of at least {count} sequences, each once"
        raise ShapeError(f"{name}: {got}, expected {expected}")
    lengths = np.empty(len(order), np.int64)
    lengths[order] = (sizes[:, None] > np.arange(len(order))).sum(0)
    return _Layout(lengths, order)


def _is_non_increasing(sizes: np.ndarray) -> bool:
    """Return whether these can be the numbers of sequences that have each step."""
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu":
        return False
    return bool((sizes[1:] <= sizes[:-1]).all() and sizes.min(initial=1) >= 1)


def pack_padded_sequence(
    input: Tensor,
    lengths: Lengths,
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Remove the padding from a batch of sequences.

    Recurrent layers need no packing: ``rnn(input, lengths=lengths)`` does the same.

    Args:
        input: A padded batch (T, B, ...), or (B, T, ...) with ``batch_first``.
        lengths: B integers from 0 to T.
        batch_first: Whether the batch is the first dim.
        enforce_sorted: Require lengths from longest to shortest; False takes any order.

    Raises:
        OptionError: A length is above T, or above the one before it.

    Example:
        >>> from tinygrad_rnn import nn, tensor
        >>> padded = tensor([[1, 2, 0], [3, 4, 5]])
        >>> packed = nn.utils.rnn.pack_padded_sequence(
        ...     padded, [2, 3], batch_first=True, enforce_sorted=False
        ... )
        >>> packed.data.tolist(), packed.batch_sizes.tolist()
        ([3, 1, 4, 2, 5], [2, 2, 1])
    """
    name = "pack_padded_sequence"
    check_options(name, enforce_sorted=enforce_sorted)
    seam.refuse(f"{name}()", "pad the batch, and give the layer lengths=")
    ends = _check_padded(name, "input", input, batch_first, lengths)
    grows = np.flatnonzero(ends[1:] > ends[:-1])
    if enforce_sorted and grows.size:
        i = grows[0]
        got = f"lengths has {ends[i]} before {ends[i + 1]}"
        raise OptionError(f"{name}: {got}; enforce_sorted=False takes any order")
    layout = _Layout(ends, np.argsort(-ends, kind="stable"))
    batch_sizes = as_tensor(layout.has_step().sum(1))
    data = layout.pack(input, batch_first)
    if enforce_sorted and ends.min(initial=1):
        return PackedSequence(data, batch_sizes)
    # Sequences of length 0 are counted by the indices alone.
    order = as_tensor(layout.order, device=input.device)
    return PackedSequence(data, batch_sizes, order)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Pad a packed sequence: the inverse of :func:`pack_padded_sequence`.

    Args:
        sequence: What was packed.
        batch_first: Make the batch the first dim.
        padding_value: The elements past the end of a sequence.
        total_length: T; None takes the length of the longest sequence.

    Returns:
        The batch (T, B, ...), or (B, T, ...), and B lengths on the CPU, in the order
        that the sequences had before they were packed.

    Example:
        >>> from tinygrad_rnn import nn, tensor
        >>> packed = nn.utils.rnn.pack_sequence([tensor([1, 2, 3]), tensor([4])])
        >>> padded, lengths = nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
        >>> padded.tolist(), lengths.tolist()
        ([[1, 2, 3], [4, 0, 0]], [3, 1])
    """
    name = "pad_packed_sequence"
    layout = _layout_of(name, sequence)
    check_options(name, batch_first=batch_first)
    check_numbers(name, padding_value=padding_value)
    data, steps = sequence.data, len(sequence.batch_sizes)
    check_fits(name, data.dtype, padding_value=padding_value)
    if total_length is not None:
        check_integers(name, 0, total_length=total_length)
        if total_length < steps:
            got = f"total_length is {total_length}"
            expected = f"at least {steps}, the longest length"
            raise OptionError(f"{name}: {got}, expected {expected}")
        steps = total_length
    batch, rows = len(layout.lengths), layout.rows(steps, batch_first)
    sizes = [batch, steps] if batch_first else [steps, batch]
    return _pad(data, rows, sizes, padding_value), as_tensor(layout.lengths)


def repack(
    sequence: PackedSequence, padded: Tensor, batch_first: bool
) -> PackedSequence:
    """Pack a padded batch in the way that ``sequence`` is packed."""
    layout = _layout_of("repack", sequence)
    return sequence._replace(data=layout.pack(padded, batch_first))


def _check_padded(
    name: str, what: str, padded: Tensor, batch_first: bool, lengths: Lengths
) -> np.ndarray:
    """Check a padded batch, the argument ``what``, and return its lengths."""
    check_tensors(name, **{what: padded})
    check_options(name, batch_first=batch_first)
    if padded.ndim < 2:
        got = f"{what} has shape {padded.shape}"
        expected = "(T, B, ...), or (B, T, ...) with batch_first"
        raise ShapeError(f"{name}: {got}, expected {expected}")
    return check_lengths(name, lengths, *_steps_and_batch(padded, batch_first))


def _steps_and_batch(padded: Tensor, batch_first: bool) -> tuple[int, int]:
    """Return T and B."""
    first, second = padded.shape[:2]
    return (second, first) if batch_first else (first, second)


def _list_sequences(name: str, sequences: Iterable[Tensor]) -> list[Tensor]:
    """Return sequences as a list; one Tensor is a batch of them, as in PyTorch."""
    rows = [*sequences] if isinstance(sequences, Tensor) else sequences
    return check_tensor_list(name, rows)


@name_errors
def pack_sequence(
    sequences: Iterable[Tensor], enforce_sorted: bool = True
) -> PackedSequence:
    """Pack sequences of different length.

    Args:
        sequences: Tensors (T_i, ...), equal in all dims but the first.
        enforce_sorted: Require the longest first; False takes any order.

    Raises:
        OptionError: A sequence is longer than the one before it.

    Example:
        >>> from tinygrad_rnn import nn, randn
        >>> sequences = [randn(2, 3), randn(4, 3)]
        >>> packed = nn.utils.rnn.pack_sequence(sequences, enforce_sorted=False)
        >>> output, h_n = nn.GRU(3, 5)(packed)
        >>> [x.shape for x in nn.utils.rnn.unpack_sequence(output)], h_n.shape
        ([(2, 5), (4, 5)], (1, 2, 5))
    """
    way = "pad_sequence() makes a batch, and the layer takes lengths="
    seam.refuse("pack_sequence()", way)
    given = _list_sequences("pack_sequence", sequences)
    lengths = [len(x) for x in given]
    return pack_padded_sequence(pad_sequence(given), lengths, False, enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences of :func:`pack_sequence`, in their order there.

    Example:
        >>> from tinygrad_rnn import nn, tensor
        >>> packed = nn.utils.rnn.pack_sequence([tensor([1, 2, 3]), tensor([4])])
        >>> [x.tolist() for x in nn.utils.rnn.unpack_sequence(packed)]
        [[1, 2, 3], [4]]
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences))


def unpad_sequence(
    padded_sequences: Tensor, lengths: Lengths, batch_first: bool = False
) -> list[Tensor]:
    """Cut the sequences of a padded batch at their ends: undo :func:`pad_sequence`.

    Args:
        padded_sequences: A batch (T, B, ...), or (B, T, ...) with ``batch_first``.
        lengths: B integers from 0 to T.
        batch_first: Whether the batch is the first dim.

    Returns:
        B Tensors (T_i, ...), which are views.

    Example:
        >>> import tinygrad_rnn as tg
        >>> padded = tg.tensor([[1, 2, 3], [4, 0, 0]])
        >>> parts = tg.nn.utils.rnn.unpad_sequence(padded, [3, 1], batch_first=True)
        >>> [part.tolist() for part in parts]
        [[1, 2, 3], [4]]
    """
    name, padded = "unpad_sequence", padded_sequences
    ends = _check_padded(name, "padded_sequences", padded, batch_first, lengths)
    by_sequence = padded if batch_first else padded.transpose(0, 1)
    return [by_sequence[b, :end] for b, end in enumerate(ends.tolist())]


def pad_sequence(
    sequences: Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Pad sequences of different length to a batch.

    Args:
        sequences: B Tensors (T_i, ...), equal in all dims but the first.
        batch_first: Make the batch the first dim.
        padding_value: The elements added to the shorter sequences.
        padding_side: ``"right"`` adds them at the end, ``"left"`` at the beginning.

    Returns:
        A batch (T, B, ...), or (B, T, ...) with ``batch_first``; T is the longest T_i.

    Example:
        >>> import tinygrad_rnn as tg
        >>> sequences = [tg.tensor([1, 2, 3]), tg.tensor([4])]
        >>> tg.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        tensor([[1, 2, 3],
                [4, 0, 0]], dtype=int64)
    """
    check_choice("pad_sequence", ("right", "left"), padding_side=padding_side)
    given = _list_sequences("pad_sequence", sequences)
    if not given:
        raise OptionError("pad_sequence: got no sequences, expected at least one")
    shapes = [x.shape for x in given]
    if () in shapes or len({shape[1:] for shape in shapes}) > 1:
        expected = "the same but for T"
        raise ShapeError(f"pad_sequence: got the shapes {shapes}, expected {expected}")
    dtypes = sorted({str(x.dtype) for x in given})
    if len(dtypes) > 1:
        got = f"got sequences of {' and '.join(dtypes)}, expected one dtype"
        way = "an empty tensor needs dtype= to have the dtype of the others"
        raise DTypeError(f"pad_sequence: {got}; {way}")
    check_fits("pad_sequence", given[0].dtype, padding_value=padding_value)
    lengths = np.array([shape[0] for shape in shapes])
    batch, steps = len(lengths), int(lengths.max())
    # The number of each element's sequence, its step, and its row in the batch.
    numbers = np.repeat(np.arange(batch), lengths)
    first = lengths.cumsum() - lengths
    times = np.arange(lengths.sum()) - first[numbers]
    if padding_side == "left":
        times += (steps - lengths)[numbers]
    rows = numbers * steps + times if batch_first else times * batch + numbers
    sizes = [batch, steps] if batch_first else [steps, batch]
    return _pad(cat(given), seam.constant(rows), sizes, padding_value)


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.nn.utils.rnn", globals())
