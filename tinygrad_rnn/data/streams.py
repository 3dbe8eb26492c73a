"""A text cut into windows that a recurrent network reads one after the other."""

import mmap
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sized
from copy import copy
from functools import partial
from opcode import opmap
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from .. import errors
from ..engine.node import wrap
from ..tensor import Tensor
from ..types import Array
from .encoded import open_encoded
from .text import FilePath, Text, text_of, unreadable
from .vocabulary import Vocabulary, check_ids, ids_of


class Window(NamedTuple):
    """A window of every stream: ids (T, B), where y is x one token further."""

    x: Tensor
    y: Tensor

    def __iter__(self) -> Iterator[Any]:
        return _unpack(
            self,
            "`for x, y in streams`; `x, y, first = streams.next_batch()` starts over "
            "at the end, and first says where a pass begins",
        )


class Batch(NamedTuple):
    """What :meth:`TextStreams.next_batch` gives: a window, and if it begins a pass."""

    x: Tensor
    y: Tensor
    first: bool

    def __iter__(self) -> Iterator[Any]:
        return _unpack(
            self,
            "`x, y, first = streams.next_batch()`; `for x, y in streams` is one pass",
        )


def _unpack(parts: tuple[object, ...], right: str) -> Iterator[Any]:
    """Return an iterator over the parts; raise if they do not fit a statement's names.

    Python's own message cannot say what the parts are. If a statement unpacks them, its
    instruction is UNPACK_SEQUENCE with the number of its names; nothing else tells.
    """
    frame = sys._getframe(2)  # of the statement that iterates
    code, at = frame.f_code.co_code, frame.f_lasti
    if code[at] == opmap.get("UNPACK_SEQUENCE") and code[at + 1] != len(parts):
        raise errors.OptionError(
            f"TextStreams: the number of names is {code[at + 1]}, expected "
            f"{len(parts)}: {right}"
        )
    return tuple.__iter__(parts)


class TextStreams:
    """A text cut into B contiguous streams, for truncated backpropagation through time.

    Every stream is read window by window. A window is a pair ``(x, y)`` of ids, where y
    is x one token further. Each column continues the same column of the window before,
    so the hidden state carries over from window to window. The first
    ``len(streams) * T * B + 1`` tokens of the text are used; what is left over at the
    end is shorter than a window.

    ``for x, y in streams`` is one pass, from the first window to the last.
    ``x, y, first = streams.next_batch()`` starts over at the end; ``first`` says that a
    pass begins, where the hidden state starts again. ``state_dict()`` has its position.

    Args:
        text_or_file: The text, in one of these forms.

            * A str is the text itself, a ``pathlib.Path`` a UTF-8 file (read as bytes
              for a vocabulary of bytes).
            * bytes, or a list of words, for a vocabulary of those.
            * Integer ids (N,) in an array or a Tensor. A ``numpy.memmap`` holds texts
              that are larger than memory: only the windows are read from it, and an id
              that is out of range raises IdError when its window is drawn.
            * A ``pathlib.Path`` to a file of ids that :func:`encode_file` wrote, which
              is memory-mapped.
        vocabulary: The Vocabulary of the text, or a tokenizer with ``encode(text)``,
            ``decode(ids)`` and ``len()``. For ids, any object whose ``len()`` is the
            number of different ids. For a file of ids, None takes the vocabulary that
            is in the file.
        batch_size: B, the number of streams.
        seq_len: T, the number of tokens of a stream in a window.

    Shape:
        x and y: int64 (T, B).

    Raises:
        OptionError: The text is shorter than one window, has a token that the
            vocabulary lacks, or cannot be read.
        DTypeError: An argument is of the wrong type.

    Example:
        >>> from tinygrad_rnn.data import TextStreams, Vocabulary
        >>> text = "the cat sat on the mat, the cat sat on the hat"
        >>> vocabulary = Vocabulary(text)
        >>> streams = TextStreams(text, vocabulary, batch_size=3, seq_len=5)
        >>> for x, y in streams:
        ...     print([vocabulary.decode(column) for column in x.T])
        ['the c', 'the m', 't sat']
        ['at sa', 'at, t', ' on t']
        ['t on ', 'he ca', 'he ha']
    """

    def __init__(
        self,
        text_or_file: FilePath | Text | Array,
        vocabulary: Vocabulary | Sized | None,
        batch_size: int,
        seq_len: int,
    ) -> None:
        errors.check_integers("TextStreams", batch_size=batch_size, seq_len=seq_len)
        self.batch_size, self.seq_len = int(batch_size), int(seq_len)
        # How many streams the text is cut into, and the first of them that is read
        # here: all of them are, unless this is a shard.
        self._total, self._start = self.batch_size, 0
        self.vocabulary: Any
        self.ids, self.vocabulary = _ids_and_vocabulary(text_or_file, vocabulary)
        # The ids of a text have one checksum, whatever dtype a file of them has.
        has_ids = isinstance(text_or_file, Tensor | np.ndarray)
        self._dtype = (
            self.ids.dtype if has_ids else np.min_scalar_type(len(self.vocabulary))
        )
        self._drawn = 0  # windows that next_batch has given, over all passes
        may_be_path = isinstance(text_or_file, str) and "\n" not in text_or_file
        hint = "; if it names a file, pass it as a pathlib.Path" if may_be_path else ""
        self._check_length("the text", len(self.ids), hint)

    @property
    def _unit(self) -> str:
        return getattr(self.vocabulary, "unit", "tokens")

    def _check_length(self, part: str, count: int, hint: str = "") -> None:
        """Raise if a part of the text is shorter than one window."""
        least = self._total * self.seq_len + 1
        if count < least:
            raise errors.OptionError(
                f"TextStreams: {part} has {count} {self._unit}, expected at least "
                f"{least}: {self._total} streams of seq_len={self.seq_len}, and 1 "
                "to predict; take a longer text, or a smaller batch_size or "
                f"seq_len{hint}"
            )

    def __len__(self) -> int:
        """Return the number of windows in one pass.

        Example:
            >>> from tinygrad_rnn.data import TextStreams, Vocabulary
            >>> len(TextStreams("hello world", Vocabulary("hello world"), 1, 5))
            2
        """
        return (len(self.ids) - 1) // (self._total * self.seq_len)

    def __repr__(self) -> str:
        streams = f"batch_size={self.batch_size}, seq_len={self.seq_len}"
        text = f"{len(self.ids)} {self._unit}"
        if self.batch_size < self._total:
            end = self._start + self.batch_size
            text += f", streams {self._start} to {end - 1} of {self._total}"
        return f"TextStreams({text}, {streams}: {len(self)} windows)"

    def __iter__(self) -> Iterator[Window]:
        """Return an iterator over the windows ``(x, y)`` of one pass.

        Example:
            >>> from tinygrad_rnn.data import TextStreams, Vocabulary
            >>> streams = TextStreams("hello world", Vocabulary("hello world"), 1, 5)
            >>> [streams.vocabulary.decode(x[:, 0]) for x, y in streams]
            ['hello', ' worl']
        """
        return map(self._window, range(len(self)))

    def _window(self, number: int) -> Window:
        """Return the window of this number, counted from the start of a pass."""
        streams = self._start + np.arange(self.batch_size)
        first = streams * len(self) + number  # in windows
        steps = np.arange(self.seq_len + 1)[:, None]
        positions = first * self.seq_len + steps  # (T + 1, B)
        ids = self.ids[positions]  # of a memory-mapped file only this is read
        check_ids("TextStreams", ids, len(self.vocabulary), positions)
        x, y = wrap(ids[:-1].astype(np.int64)), wrap(ids[1:].astype(np.int64))
        return Window(x, y)

    def next_batch(self) -> Batch:
        """Return the next window, and whether it is the first of a pass.

        At the first window the text starts over, so no hidden state carries over to it.

        Returns:
            ``(x, y, first)``.

        Raises:
            IdError: The window has an id that is out of range.

        Example:
            >>> from tinygrad_rnn.data import TextStreams, Vocabulary
            >>> streams = TextStreams("hello world", Vocabulary("hello world"), 2, 5)
            >>> x, y, first = streams.next_batch()
            >>> x.shape, y.shape, first
            ((5, 2), (5, 2), True)
        """
        number = self._drawn % len(self)
        window = self._window(number)
        self._drawn += 1
        return Batch(*window, first=number == 0)

    def split(self, val_fraction: float) -> tuple["TextStreams", "TextStreams"]:
        """Cut the text in two: one part to train on, its tail to validate on.

        Args:
            val_fraction: The share of the tail, between 0 and 1.

        Returns:
            The streams of the two parts, with the same B and T.

        Raises:
            OptionError: One of the parts is shorter than one window.

        Example:
            >>> from tinygrad_rnn.data import TextStreams, Vocabulary
            >>> text = "hello world " * 10
            >>> train, val = TextStreams(text, Vocabulary(text), 1, 6).split(0.25)
            >>> len(train), len(val)
            (14, 4)
        """
        errors.check_numbers("TextStreams.split", 0.0, 1.0, val_fraction=val_fraction)
        cut = len(self.ids) - round(len(self.ids) * val_fraction)
        parts = {"training": self.ids[:cut], "validation": self.ids[cut:]}
        for part, ids in parts.items():
            name = f"with val_fraction={val_fraction} the {part} part"
            self._check_length(name, len(ids))
        train, val = (self._with_ids(ids) for ids in parts.values())
        return train, val

    def _with_ids(self, ids: np.ndarray) -> "TextStreams":
        """Return streams like these, at the start of other ids."""
        streams = copy(self)
        streams.ids, streams._drawn = ids, 0
        vars(streams).pop("_checksum", None)
        return streams

    def shard(self, rank: int, world_size: int) -> "TextStreams":
        """Return the part of the streams that one of several processes reads.

        The windows of all ranks, side by side, are those of the whole. A
        ``state_dict()`` is that of the whole, too, so a run may go on with another
        number of processes.

        Args:
            rank: The number of this process, from 0.
            world_size: How many processes there are; ``batch_size`` is a multiple.

        Returns:
            Streams with ``batch_size / world_size`` columns, at the same position.

        Raises:
            OptionError: The streams cannot be shared out equally, or there is no such
                rank.

        Example:
            >>> from tinygrad_rnn.data import TextStreams, Vocabulary
            >>> text = "the cat sat on the mat"
            >>> streams = TextStreams(text, Vocabulary(text), batch_size=4, seq_len=5)
            >>> for rank in range(2):
            ...     x, y, first = streams.shard(rank, world_size=2).next_batch()
            ...     print([streams.vocabulary.decode(column) for column in x.T])
            ['the c', 'at sa']
            ['t on ', 'the m']
        """
        name = "TextStreams.shard"
        errors.check_integers(name, 0, rank=rank)
        errors.check_integers(name, world_size=world_size)
        if rank >= world_size:
            expected = f"a number below world_size={world_size}"
            raise errors.OptionError(f"{name}: rank is {rank}, expected {expected}")
        if self.batch_size % world_size:
            raise errors.OptionError(
                f"{name}: world_size is {world_size}, expected a divisor of "
                f"batch_size={self.batch_size}, so that every process has equally many "
                "streams"
            )
        part = copy(self)
        part.batch_size = self.batch_size // int(world_size)
        part._start = self._start + int(rank) * part.batch_size
        return part

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, int]:
        """Return the position of ``next_batch``, and what identifies the text.

        Example:
            >>> from tinygrad_rnn.data import TextStreams, Vocabulary
            >>> streams = TextStreams("hello world", Vocabulary("hello world"), 1, 5)
            >>> _ = streams.next_batch()
            >>> streams.state_dict()["drawn"]
            1
        """
        return {
            "drawn": self._drawn,
            "batch_size": self._total,
            "seq_len": self.seq_len,
            "characters": len(self.ids),
            "crc32": self._crc32,
        }

    @property
    def _crc32(self) -> int:
        # Not a cached_property: in Python 3.11 that has a lock, which a forked child
        # may find taken.
        if "_checksum" not in vars(self):
            self._checksum, release = 0, _releaser(self.ids)
            for start in range(0, len(self.ids), 2**20):
                block = self.ids[start : start + 2**20].astype(self._dtype, order="C")
                self._checksum = crc32(block.data, self._checksum)
                release()
        return self._checksum

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from the position of a ``state_dict``.

        Args:
            state_dict: What ``state_dict()`` returned.

        Raises:
            CheckpointError: It belongs to another text or to other streams; nothing is
                changed then.

        Example:
            >>> from tinygrad_rnn.data import TextStreams, Vocabulary
            >>> streams = TextStreams("hello world", Vocabulary("hello world"), 1, 5)
            >>> start = streams.state_dict()
            >>> x, y, first = streams.next_batch()
            >>> streams.load_state_dict(start)
            >>> streams.next_batch().x.equal(x)
            True
        """
        name = "TextStreams.load_state_dict"
        expected = "what state_dict() gave"
        errors.check_type(name, Mapping, expected, state_dict=state_dict)
        own, given = self.state_dict(), dict(state_dict)
        drawn = given.get("drawn")
        if given.keys() != own.keys() or type(drawn) is not int or drawn < 0:
            raise errors.CheckpointError(
                f"{name}: {given!r:.100} is not a state of TextStreams"
            )
        differences = [
            f"{key} is {given[key]} there, {value} here"
            for key, value in own.items()
            if key != "drawn" and given[key] != value
        ]
        if differences:
            raise errors.CheckpointError(
                f"{name}: of another text or other streams: {'; '.join(differences)}; "
                f"{_way_out(own, given)}"
            )
        self._drawn = drawn


def _releaser(ids: np.ndarray) -> Callable[[], object]:
    """Return a function that gives back the memory of what was read of a mapped file.

    The system would take it back as well, but counts it as used until then. Of arrays
    in memory, and of maps that may have been written to, nothing is given back.
    """
    array: Any = ids
    while isinstance(array, np.ndarray):
        is_read_only = getattr(array, "mode", "") == "r"
        array = array.base
        if is_read_only and hasattr(array, "madvise"):
            return partial(array.madvise, mmap.MADV_DONTNEED)
    return lambda: None


def _ids_and_vocabulary(given: Any, vocabulary: Any) -> tuple[np.ndarray, Any]:
    """Return the ids of what a user passes as text_or_file, and their vocabulary."""
    name, has_ids = "TextStreams", isinstance(given, Tensor | np.ndarray)
    if isinstance(given, os.PathLike):
        encoded = open_encoded(name, given, vocabulary)
        if encoded:
            return encoded
        if vocabulary is None:
            raise _text_without_vocabulary(given)
    if isinstance(vocabulary, Vocabulary) and not has_ids:
        text = text_of(name, given, type(vocabulary.tokens))
        return vocabulary.narrow_ids(text), vocabulary
    is_sized = hasattr(type(vocabulary), "__len__")
    if not is_sized or not (has_ids or hasattr(vocabulary, "decode")):
        expected = (
            "a tg.data.Vocabulary, or a tokenizer with encode(text), decode(ids) and "
            "len(); of ids, anything that has a len()"
        )
        errors.check_type(name, Vocabulary, expected, vocabulary=vocabulary)
    if has_ids:
        return ids_of(name, given), vocabulary
    ids = ids_of(f"{name}: vocabulary.encode", vocabulary.encode(text_of(name, given)))
    return ids, vocabulary


def _text_without_vocabulary(path: FilePath) -> errors.Error:
    """Return the error for None as the vocabulary of a file that has no ids."""
    try:
        os.stat(path)
    except OSError as error:
        return unreadable("TextStreams", path, error)
    path = str(path)
    return errors.DTypeError(
        f"TextStreams: vocabulary is None, which is for a file of ids, and {path!r} is "
        f"not one; write one by tg.data.encode_file({path!r}, 'text.ids') and pass "
        "Path('text.ids'), or pass a vocabulary to read the text into memory"
    )


def _way_out(own: Mapping[str, int], given: Mapping[str, Any]) -> str:
    """Say what to do about a state that belongs to another text or other streams."""
    if any(given[key] != own[key] for key in ("characters", "crc32")):
        return (
            "pass the text that it was saved with, wherever that is now; to go on with "
            "another text, leave this call out, which starts again"
        )
    sizes = ", ".join(f"{key}={given[key]!r}" for key in ("batch_size", "seq_len"))
    return f"make the streams with {sizes}, or leave this call out to start again"
