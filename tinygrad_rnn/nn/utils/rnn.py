"""Sequences of different length, in one tensor. torch.nn.utils.rnn's names.

The recurrent layers take ``lengths``; a packed sequence is a cover of that, for
programs that have one.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from ...creation import as_tensor, full
from ...errors import (
    OptionError,
    ShapeError,
    check_choice,
    check_integers,
    check_numbers,
    check_type,
    left_out,
)
from ...errors.tensor_checks import (
    check_lengths,
    check_options,
    check_tensor_list,
    check_tensors,
)
from ...functions import cat, stack
from ...tensor import Tensor

__all__ = [
    "PackedSequence",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None


class PackedSequence(_Packed):
    """Sequences of different length without padding, step by step, as PyTorch has them.

    Made by :func:`pack_padded_sequence` and :func:`pack_sequence`; recurrent layers
    take it and give it back. To map its elements, write
    ``packed._replace(data=function(packed.data))``.

    Attributes:
        data: the elements of all sequences (N, ...), those of the first step first.
        batch_sizes: how many sequences have a first, a second, ... step; on the CPU.
        sorted_indices: which sequences of the batch these are, the longest first; None
            if the batch has that order.
        unsorted_indices: the places of the batch's sequences in that order, or None.
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

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """The data in another dtype or on another device, where the indices follow it."""
        data = self.data.to(*args, **kwargs)
        indices = [
            index if index is None else index.to(data.device) for index in self[2:]
        ]
        return type(self)(data, self.batch_sizes, *indices)

    def cpu(self) -> Self:
        """All on the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Self:
        """All on a GPU: the first one, or that of a number or a name."""
        return self.to(device if isinstance(device, str) else f"cuda:{device or 0}")

    def float(self) -> Self:
        """The data as float32."""
        return self.to(np.float32)

    def double(self) -> Self:
        """The data as float64."""
        return self.to(np.float64)


class _Layout:
    """Where the elements of a packed sequence stand in a padded batch.

    Attributes:
        sizes: how many sequences have each step.
        lengths: of the sequences, in the order of the batch.
        order: the sequences of the batch, the longest first.
        ranks: where each sequence of the batch stands in that order.
    """

    def __init__(self, lengths: np.ndarray, order: np.ndarray) -> None:
        self.lengths, self.order = lengths, order
        self.ranks = order.argsort()
        steps = np.arange(lengths.max(initial=0))
        self.sizes = (lengths > steps[:, None]).sum(1)

    def rows(self, steps: int, batch_first: bool) -> np.ndarray:
        """The rows of a padded batch of so many steps, (T*B,) or (B*T,), that make up
        the data.
        """
        times = np.repeat(np.arange(len(self.sizes)), self.sizes)
        ranks = np.arange(len(times)) - np.repeat(self._starts(), self.sizes)
        places = self.order[ranks]
        if batch_first:
            return places * steps + times
        return times * len(self.lengths) + places

    def elements(self, steps: int) -> np.ndarray:
        """The elements of the data that make up a padded batch (T, B); N where there is
        none.
        """
        index = np.full((steps, len(self.lengths)), self.sizes.sum())
        own = self._starts()[:, None] + self.ranks
        inside = np.arange(len(own))[:, None] < self.lengths
        np.copyto(index[: len(own)], own, where=inside)
        return index

    def _starts(self) -> np.ndarray:
        return np.asarray(self.sizes.cumsum() - self.sizes)


def _layout_of(name: str, packed: PackedSequence) -> _Layout:
    """Where the elements of a packed sequence stand, once its parts are seen to fit
    each other.
    """
    check_type(
        name,
        PackedSequence,
        "a PackedSequence, as pack_sequence gives",
        sequence=packed,
    )
    sizes = packed.batch_sizes.cpu().numpy()
    if not _never_grow(sizes) or packed.data.shape[:1] != (sizes.sum(),):
        got = f"batch_sizes are {sizes.tolist()} for data of shape {packed.data.shape}"
        expected = "expected integers that do not grow, from 1 on, of the sum N for data (N, ...)"
        raise ShapeError(f"{name}: {got}, {expected}")
    count = int(sizes[0]) if sizes.size else 0
    order = np.arange(count)
    if packed.sorted_indices is not None:
        order = packed.sorted_indices.cpu().numpy()
    if not np.array_equal(np.sort(order), np.arange(max(count, len(order)))):
        got = f"sorted_indices are {order.tolist()}"
        raise ShapeError(
            f"{name}: {got}, expected those of at least {count} sequences, each once"
        )
    lengths = np.empty(len(order), np.int64)
    lengths[order] = (sizes[:, None] > np.arange(len(order))).sum(0)
    return _Layout(lengths, order)


def _never_grow(sizes: np.ndarray) -> bool:
    """Whether these are counts of the sequences that have a first step, a second, and
    so on.
    """
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu":
        return False
    return bool((sizes[1:] <= sizes[:-1]).all() and sizes.min(initial=1) >= 1)


def pack_padded_sequence(
    input: Tensor,
    lengths: Iterable[int] | Tensor,
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Take the padding out of a batch of sequences, as PyTorch does.

    Recurrent layers need no packing: ``rnn(input, lengths=lengths)`` does the same.

    Args:
        input: a padded batch (T, B, ...), or (B, T, ...) with ``batch_first``.
        lengths: B integers from 0 to T.
        batch_first: whether the batch is the first dim.
        enforce_sorted: whether the lengths must not grow; False takes them in any
            order.

    Raises:
        OptionError: a length above T, or one that is above the one before it.

    >>> import tinygrad_rnn as tg
    >>> padded = tg.tensor([[1, 2, 0], [3, 4, 5]])
    >>> packed = pack_padded_sequence(padded, [2, 3], batch_first=True, enforce_sorted=False)
    >>> packed.data.tolist(), packed.batch_sizes.tolist()
    ([3, 1, 4, 2, 5], [2, 2, 1])
    """
    return _pack("pack_padded_sequence", input, lengths, batch_first, enforce_sorted)


def _pack(
    name: str, input: Tensor, lengths: Any, batch_first: bool, enforce_sorted: bool
) -> PackedSequence:
    """A padded batch, packed; ``name`` is the function that was called."""
    check_options(name, enforce_sorted=enforce_sorted)
    given = _check_padded(name, batch_first, lengths, input=input)
    grows = np.flatnonzero(given[1:] > given[:-1])
    if enforce_sorted and grows.size:
        first = grows[0]
        got = f"lengths has {given[first]} before {given[first + 1]}"
        raise OptionError(
            f"{name}: {got}; enforce_sorted=False takes them in any order"
        )
    layout = _Layout(given, np.argsort(-given, kind="stable"))
    data = _packed(input, batch_first, layout)
    packed = PackedSequence(data, as_tensor(layout.sizes))
    if enforce_sorted and given.min(initial=1):
        return packed
    # Only the indices count the sequences of length 0.
    indices = [
        as_tensor(index, device=input.device) for index in (layout.order, layout.ranks)
    ]
    return packed._replace(sorted_indices=indices[0], unsorted_indices=indices[1])


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Undo :func:`pack_padded_sequence`: a padded batch, and the lengths of its
    sequences.

    Args:
        sequence: what was packed.
        batch_first: whether the batch is to be the first dim.
        padding_value: what stands past the end of a sequence.
        total_length: T, which is that of the longest sequence otherwise.

    Returns:
        The batch (T, B, ...), or (B, T, ...), and B lengths on the CPU, in the order
        that the sequences had.
    """
    name = "pad_packed_sequence"
    layout = _layout_of(name, sequence)
    check_options(name, batch_first=batch_first)
    check_numbers(name, padding_value=padding_value)
    steps = len(layout.sizes)
    if total_length is not None:
        check_integers(name, 0, total_length=total_length)
        if total_length < steps:
            got = f"total_length is {total_length}"
            raise OptionError(
                f"{name}: {got}, expected at least {steps}, the longest length"
            )
        steps = total_length
    data, elements = sequence.data, layout.elements(steps)
    padding = full((1, *data.shape[1:]), padding_value, data.dtype, data.device)
    padded = _taken(cat([data, padding]), elements.T if batch_first else elements)
    return padded, as_tensor(layout.lengths)


def repacked(
    sequence: PackedSequence, padded: Tensor, batch_first: bool
) -> PackedSequence:
    """A padded batch, packed as ``sequence`` is."""
    layout = _layout_of("repacked", sequence)
    return sequence._replace(data=_packed(padded, batch_first, layout))


def _check_padded(
    name: str, batch_first: bool, lengths: Any, **padded: Tensor
) -> np.ndarray:
    """Check a padded batch, given by its argument's name, and return its lengths."""
    check_tensors(name, **padded)
    check_options(name, batch_first=batch_first)
    ((what, batch),) = padded.items()
    if batch.ndim < 2:
        got = f"{what} has shape {batch.shape}"
        raise ShapeError(
            f"{name}: {got}, expected (T, B, ...), or (B, T, ...) with batch_first"
        )
    return check_lengths(name, lengths, *_sizes(batch, batch_first))


def _sizes(padded: Tensor, batch_first: bool) -> tuple[int, int]:
    """T and B."""
    first, second = padded.shape[:2]
    return (second, first) if batch_first else (first, second)


def _packed(padded: Tensor, batch_first: bool, layout: _Layout) -> Tensor:
    """The elements of a padded batch in their order in a packed sequence."""
    steps, batch = _sizes(padded, batch_first)
    flat = padded.reshape(steps * batch, *padded.shape[2:])
    return _taken(flat, layout.rows(steps, batch_first))


def _taken(x: Tensor, rows: np.ndarray) -> Tensor:
    return x[as_tensor(np.ascontiguousarray(rows), device=x.device)]


def pack_sequence(
    sequences: Iterable[Tensor], enforce_sorted: bool = True
) -> PackedSequence:
    """Pack sequences (T_i, ...), as :func:`pack_padded_sequence` packs a padded batch
    of them.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import nn
    >>> packed = pack_sequence([tg.randn(2, 3), tg.randn(4, 3)], enforce_sorted=False)
    >>> output, h_n = nn.GRU(3, 5)(packed)
    >>> [tuple(x.shape) for x in unpack_sequence(output)], h_n.shape
    ([(2, 5), (4, 5)], (1, 2, 5))
    """
    given = _sequences("pack_sequence", sequences)
    lengths = [len(x) for x in given]
    return _pack("pack_sequence", pad_sequence(given), lengths, False, enforce_sorted)


def _sequences(name: str, given: Any) -> list[Tensor]:
    """Sequences as a list of one at least."""
    sequences = check_tensor_list(name, given)
    if not sequences:
        raise OptionError(f"{name}: got no sequences, expected at least one")
    return sequences


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of :func:`pack_sequence`, in the order that they had there."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences))


def unpad_sequence(
    padded_sequences: Tensor, lengths: Iterable[int] | Tensor, batch_first: bool = False
) -> list[Tensor]:
    """Cut the sequences of a padded batch (T, B, ...), or (B, T, ...), at their ends."""
    given = {"padded_sequences": padded_sequences}
    ends = _check_padded("unpad_sequence", batch_first, lengths, **given).tolist()
    by_sequence = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [by_sequence[b, :end] for b, end in enumerate(ends)]


def pad_sequence(
    sequences: Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (T_i, ...) filled up to the longest: (T, B, ...), or (B, T, ...) if
    batch_first.
    """
    check_choice("pad_sequence", ("right", "left"), padding_side=padding_side)
    given = _sequences("pad_sequence", sequences)
    shapes = [x.shape for x in given]
    if () in shapes or len({shape[1:] for shape in shapes}) > 1:
        raise ShapeError(
            f"pad_sequence: got the shapes {shapes}, expected the same but for T"
        )
    steps = max([shape[0] for shape in shapes], default=0)
    padded = []
    for x in given:
        rest = full((steps - len(x), *x.shape[1:]), padding_value, x.dtype, x.device)
        padded.append(cat([x, rest] if padding_side == "right" else [rest, x]))
    return stack(padded, 0 if batch_first else 1)


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.nn.utils.rnn", globals())
