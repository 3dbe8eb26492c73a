"""A text as parallel streams of windows. Legend: T time, B batch (streams), N characters."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from zlib import crc32

import numpy as np

from ..engine.node import wrap
from ..errors import CheckpointError, DTypeError, OptionError, ShapeError
from ..nn.layers import positive
from ..tensor import Tensor
from .vocabulary import Text, Vocabulary, text_of


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
        if not isinstance(vocabulary, Vocabulary):
            raise DTypeError(
                f"TextStreams: vocabulary is {type(vocabulary).__name__}, "
                "expected a tg.data.Vocabulary"
            )
        positive("TextStreams", batch_size=batch_size, seq_len=seq_len)
        self.vocabulary = vocabulary
        self.batch_size = int(batch_size)
        self.seq_len = int(seq_len)
        self.ids = _ids(text_or_file, vocabulary)
        if not len(self):
            path = isinstance(text_or_file, str) and "\n" not in text_or_file
            hint = "; if it names a file, pass it as a pathlib.Path" if path else ""
            raise OptionError(self._too_short("TextStreams: the text", len(self.ids)) + hint)
        self._drawn = 0  # windows that next_batch has given, over all passes

    def _too_short(self, what: str, characters: int) -> str:
        return (
            f"{what} has {characters} characters, expected at least "
            f"{self.batch_size * self.seq_len + 1}: batch_size={self.batch_size} streams of "
            f"seq_len={self.seq_len}, and 1 to predict; take a longer text, or a smaller "
            "batch_size or seq_len"
        )

    def __len__(self) -> int:
        """The number of windows in one pass."""
        return (len(self.ids) - 1) // (self.batch_size * self.seq_len)

    def __repr__(self) -> str:
        return (
            f"TextStreams({len(self.ids)} characters, batch_size={self.batch_size}, "
            f"seq_len={self.seq_len}: {len(self)} windows)"
        )

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
            raise OptionError(
                f"TextStreams.split: val_fraction is {val_fraction!r}, expected between 0 and 1"
            )
        cut = len(self.ids) - round(len(self.ids) * val_fraction)
        parts = {"training": self.ids[:cut], "validation": self.ids[cut:]}
        for name, ids in parts.items():
            if len(ids) <= self.batch_size * self.seq_len:
                what = f"TextStreams.split: with val_fraction={val_fraction} the {name} part"
                raise OptionError(self._too_short(what, len(ids)))
        train, val = (
            TextStreams(ids, self.vocabulary, self.batch_size, self.seq_len)
            for ids in parts.values()
        )
        return train, val

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, int]:
        """Where ``next_batch`` stands, and what tells that it is this text in these streams."""
        return {
            "drawn": self._drawn,
            "batch_size": self.batch_size,
            "seq_len": self.seq_len,
            "characters": len(self.ids),
            "crc32": self._crc32,
        }

    @cached_property
    def _crc32(self) -> int:
        return crc32(np.ascontiguousarray(self.ids).data)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where a ``state_dict`` stands.

        Raises CheckpointError, and changes nothing, if it is of another text or other streams.
        """
        own, given = self.state_dict(), dict(state_dict)
        if given.keys() != own.keys() or type(given["drawn"]) is not int or given["drawn"] < 0:
            raise CheckpointError(
                f"TextStreams.load_state_dict: {given!r:.100} is no state of TextStreams"
            )
        wrong = [
            f"{key} is {given[key]}, expected {value}"
            for key, value in own.items()
            if key != "drawn" and given[key] != value
        ]
        if wrong:
            raise CheckpointError(
                f"TextStreams.load_state_dict: it is of another text or of other streams: "
                f"{'; '.join(wrong)}"
            )
        self._drawn = given["drawn"]


def _ids(given: Any, vocabulary: Vocabulary) -> np.ndarray:
    """The ids of a text, of a file, or those that the user has made already: (N,)."""
    array = given.cpu().numpy() if isinstance(given, Tensor) else given
    if not isinstance(array, np.ndarray):
        return vocabulary.narrow_ids(text_of("TextStreams", given))
    if array.ndim != 1:
        raise ShapeError(f"TextStreams: ids have shape {array.shape}, expected (N,)")
    if array.dtype.kind not in "iu":
        raise DTypeError(f"TextStreams: ids are {array.dtype}, expected integers")
    return array
