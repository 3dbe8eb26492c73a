"""A text as parallel streams of windows. Legend: T time, B batch (streams), N characters."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np

from ..engine.node import wrap
from ..errors import CheckpointError, OptionError, check_integers, check_type
from ..tensor import Tensor
from .vocabulary import Text, Vocabulary, ids_of, text_of


class TextStreams:
    """A text cut into B contiguous streams, read window by window: for truncated backpropagation.

    Windows are pairs ``(x, y)`` of ids, time-major, int64 (T, B): y is x one character further.
    A column of the next window goes on where that column of this one ends, so a hidden state
    carries over from window to window. The first ``len(streams) * T * B + 1`` characters are used,
    which leaves out less than one window at the end.

    * text_or_file: a str is the text itself, a ``pathlib.Path`` a UTF-8 file; or ids (N,), an
      integer array, so that a ``numpy.memmap`` serves what is larger than memory
    * batch_size: B, how many streams; seq_len: T, how many characters of each in a window

    ``for x, y in streams`` is one pass from the first window to the last. ``next_batch()`` goes
    round and round, and where it stands is in ``state_dict()``.

    Raises OptionError for a text that is shorter than one window, that the vocabulary does not
    cover, or that cannot be read.

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
        self, text_or_file: Text | Any, vocabulary: Vocabulary, batch_size: int, seq_len: int
    ) -> None:
        check_type("TextStreams", Vocabulary, "a tg.data.Vocabulary", vocabulary=vocabulary)
        check_integers("TextStreams", batch_size=batch_size, seq_len=seq_len)
        self.vocabulary = vocabulary
        self.batch_size, self.seq_len = int(batch_size), int(seq_len)
        if isinstance(text_or_file, Tensor | np.ndarray):
            self.ids = ids_of("TextStreams", text_or_file)
        else:
            self.ids = vocabulary.narrow_ids(text_of("TextStreams", text_or_file))
        path = isinstance(text_or_file, str) and "\n" not in text_or_file
        hint = "; if it names a file, pass it as a pathlib.Path" if path else ""
        self._drawn = 0  # windows that next_batch has given, over all passes
        self._check_length("the text", len(self.ids), hint)

    def _check_length(self, part: str, count: int, hint: str = "") -> None:
        least = self.batch_size * self.seq_len + 1
        if count < least:
            raise OptionError(
                f"TextStreams: {part} has {count} characters, expected at least {least}: "
                f"{self.batch_size} streams of seq_len={self.seq_len}, and 1 to predict; take a "
                f"longer text, or a smaller batch_size or seq_len{hint}"
            )

    def __len__(self) -> int:
        """The number of windows in one pass."""
        return (len(self.ids) - 1) // (self.batch_size * self.seq_len)

    def __repr__(self) -> str:
        cut = f"batch_size={self.batch_size}, seq_len={self.seq_len}: {len(self)} windows"
        return f"TextStreams({len(self.ids)} characters, {cut})"

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(len(self)):
            yield self._window(number)

    def _window(self, number: int) -> tuple[Tensor, Tensor]:
        length = len(self) * self.seq_len  # of a stream
        first = number * self.seq_len
        # Views up to the last line: of a memory-mapped file only these windows are read.
        x, y = (
            self.ids[shift : shift + self.batch_size * length]
            .reshape(self.batch_size, length)[:, first : first + self.seq_len]
            .T.astype(np.int64, order="C")
            for shift in (0, 1)
        )
        return wrap(x), wrap(y)

    def next_batch(self) -> tuple[Tensor, Tensor, bool]:
        """The next window ``(x, y)``, and whether it is the first of a pass.

        At the first window nothing is to be carried over: the text begins anew.

        >>> streams = TextStreams("hello world", Vocabulary("hello world"), 2, 5)
        >>> x, y, first = streams.next_batch()
        >>> x.shape, y.shape, first
        ((5, 2), (5, 2), True)
        """
        number = self._drawn % len(self)
        self._drawn += 1
        return *self._window(number), number == 0

    def split(self, val_fraction: float) -> tuple["TextStreams", "TextStreams"]:
        """The text in two, to train on and to validate on: its tail of that share is the second.

        Raises OptionError if either is shorter than one window.
        """
        if not isinstance(val_fraction, int | float) or not 0.0 < val_fraction < 1.0:
            given = f"val_fraction is {val_fraction!r}"
            raise OptionError(f"TextStreams.split: {given}, expected a number between 0 and 1")
        cut = len(self.ids) - round(len(self.ids) * val_fraction)
        for part, count in ("training", cut), ("validation", len(self.ids) - cut):
            self._check_length(f"with val_fraction={val_fraction} the {part} part", count)
        train, val = (
            TextStreams(ids, self.vocabulary, self.batch_size, self.seq_len)
            for ids in (self.ids[:cut], self.ids[cut:])
        )
        return train, val

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, int]:
        """Where ``next_batch`` stands, and what tells that it is this text in these streams."""
        cut = {"batch_size": self.batch_size, "seq_len": self.seq_len}
        text = {"characters": len(self.ids), "crc32": self._crc32}
        return {"drawn": self._drawn, **cut, **text}

    @cached_property
    def _crc32(self) -> int:
        return crc32(np.ascontiguousarray(self.ids).data)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where a ``state_dict`` stands.

        Raises CheckpointError, and changes nothing, if it is of another text or other streams.
        """
        name = "TextStreams.load_state_dict"
        check_type(name, Mapping, "what state_dict() gave", state_dict=state_dict)
        own, given = self.state_dict(), dict(state_dict)
        if given.keys() != own.keys() or type(given["drawn"]) is not int or given["drawn"] < 0:
            raise CheckpointError(f"{name}: {given!r:.100} is no state of TextStreams")
        own["drawn"] = given["drawn"]
        if wrong := [f"{k} is {given[k]}, expected {v}" for k, v in own.items() if given[k] != v]:
            raise CheckpointError(f"{name}: of another text or other streams: {'; '.join(wrong)}")
        self._drawn = given["drawn"]
