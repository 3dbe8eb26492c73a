"""Data for the examples and for a first model of one's own: text as ids, and sine waves.

Legend: T characters or time, B batch (streams), V distinct characters.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from . import errors
from .creation import get_default_dtype
from .engine.node import wrap
from .random import Generator, host
from .tensor import Tensor, on_host

__all__ = ["TextStreams", "Vocabulary", "read_text", "sine_waves"]

Text = str | os.PathLike[str]  # a str is the text itself, a path is where it stands


def read_text(file: Text) -> str:
    """The text of a UTF-8 file as it stands there, line ends too.

    Raises MissingFile, a FileNotFoundError, for one that is not there, OptionError for one that
    cannot be read, is empty, or is not UTF-8: at which byte.
    """
    shown = repr(str(file))
    try:
        text = Path(file).read_bytes().decode()
    except OSError as error:
        kind = errors.MissingFile if isinstance(error, FileNotFoundError) else errors.OptionError
        raise kind(f"read_text: cannot read {shown}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        byte = f"byte {error.object[error.start]:#04x} at offset {error.start} ({error.reason})"
        wrong = f"{shown} is not UTF-8: {byte}; convert the file, or pass the text as a str"
        raise errors.OptionError(f"read_text: {wrong}") from None
    if not text:
        raise errors.OptionError(f"read_text: {shown} is empty")
    return text


def _text_of(name: str, given: Any) -> str:
    """The text that a user's ``text_or_file`` stands for."""
    if isinstance(given, os.PathLike):
        return read_text(given)
    expected = "a str, which is the text itself, or a pathlib.Path to a UTF-8 file"
    errors.check_type(name, str, expected, text_or_file=given)
    if not given:
        raise errors.OptionError(f"{name}: the text is empty")
    return given


def _ids_of(name: str, given: Any) -> np.ndarray:
    """Ids that a user has made: (N,), an id alone as (1,)."""
    ids = np.asarray(on_host(given, name))
    if ids.dtype.kind not in "iu":
        raise errors.DTypeError(f"{name}: ids are {ids.dtype}, expected integers")
    if ids.ndim > 1:
        way_out = "of time-major windows (T, B), a column is a text: ids[:, 0]"
        raise errors.ShapeError(f"{name}: ids have shape {ids.shape}, expected (N,); {way_out}")
    return ids.reshape(-1)


def _check_range(name: str, ids: np.ndarray, count: int, places: Any) -> None:
    """Refuse ids that are not in [0, count); ``places`` are where they stand in the text."""
    if (wrong := (ids < 0) | (ids >= count)).any():
        at = places[wrong].min()
        found = f"the id {ids[places == at][0]} at {at}"
        raise errors.IdError(f"{name}: {found} is not in [0, {count})")


class Vocabulary:
    """The distinct characters of a text in order: the id of a character is its place among them.

    From a text or from a ``pathlib.Path`` to a UTF-8 file. ``len(vocabulary)`` is V,
    ``vocabulary.characters`` is a str of them all, and ``Vocabulary(characters)`` is the same
    vocabulary again. Raises OptionError for an empty text.

    >>> vocabulary = Vocabulary("hello world")
    >>> vocabulary.characters, len(vocabulary), "h" in vocabulary
    (' dehlorw', 8, True)
    >>> vocabulary.encode("hold")
    tensor([3, 5, 4, 1], dtype=int64)
    >>> vocabulary.decode([3, 5, 4, 1])
    'hold'
    """

    def __init__(self, text_or_file: Text) -> None:
        self.characters = "".join(sorted(set(_text_of("Vocabulary", text_or_file))))
        self._ids = {character: i for i, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def __iter__(self) -> Iterator[str]:
        return iter(self.characters)

    def __repr__(self) -> str:
        return f"Vocabulary({self.characters!r})"

    def encode(self, text: str) -> Tensor:
        """The ids of a text: int64 (T,).

        Raises OptionError, which names the character and its position, for one that is not here.
        """
        errors.check_type("Vocabulary.encode", str, "a str", text=text)
        return wrap(self.narrow_ids(text).astype(np.int64))

    def narrow_ids(self, text: str) -> np.ndarray:
        """The ids in the narrowest unsigned dtype, one byte each up to 255 characters: (T,)."""
        try:
            ids = map(self._ids.__getitem__, text)
            return np.fromiter(ids, np.min_scalar_type(len(self)), len(text))
        except KeyError as error:
            place = text.index(error.args[0])
            around = f"at position {place} (in {text[max(place - 10, 0) : place + 10]!r})"
            wrong = f"{text[place]!r} {around} is not one of the {len(self)} characters"
            raise errors.OptionError(f"Vocabulary.encode: {wrong} of this vocabulary") from None

    def decode(self, ids: Any) -> str:
        """The text of ids (T,), a tensor, an array or a list, or of one id.

        Raises IdError for an id that is not in [0, V).
        """
        array = _ids_of("Vocabulary.decode", ids)
        _check_range("Vocabulary.decode", array, len(self), np.arange(len(array)))
        return "".join(map(self.characters.__getitem__, array.tolist()))


class TextStreams:
    """A text cut into B contiguous streams, read window by window: for truncated backpropagation.

    Windows are pairs ``(x, y)`` of ids, time-major, int64 (T, B): y is x one character further.
    A column of the next window goes on where that column of this one ends, so a hidden state
    carries over from window to window. The first ``len(streams) * T * B + 1`` characters are used,
    which leaves out less than one window at the end.

    * text_or_file: a str is the text itself, a ``pathlib.Path`` a UTF-8 file; or ids (N,), an
      integer array, so that a ``numpy.memmap`` serves what is larger than memory: these are looked
      at when a window is drawn, which raises IdError for an id that is not in [0, V)
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

    def __init__(self, text_or_file: Text | Any, vocabulary: Vocabulary, batch_size: int,
                 seq_len: int) -> None:  # fmt: skip
        errors.check_type("TextStreams", Vocabulary, "a tg.data.Vocabulary", vocabulary=vocabulary)
        errors.check_integers("TextStreams", batch_size=batch_size, seq_len=seq_len)
        self.vocabulary = vocabulary
        self.batch_size, self.seq_len = int(batch_size), int(seq_len)
        if isinstance(text_or_file, Tensor | np.ndarray):
            self.ids = _ids_of("TextStreams", text_or_file)
        else:
            self.ids = vocabulary.narrow_ids(_text_of("TextStreams", text_or_file))
        path = isinstance(text_or_file, str) and "\n" not in text_or_file
        hint = "; if it names a file, pass it as a pathlib.Path" if path else ""
        self._drawn = 0  # windows that next_batch has given, over all passes
        self._check_length("the text", len(self.ids), hint)

    def _check_length(self, part: str, count: int, hint: str = "") -> None:
        least = self.batch_size * self.seq_len + 1
        if count < least:
            cut = f"{self.batch_size} streams of seq_len={self.seq_len}, and 1 to predict"
            way_out = f"take a longer text, or a smaller batch_size or seq_len{hint}"
            wrong = f"{part} has {count} characters, expected at least {least}: {cut}"
            raise errors.OptionError(f"TextStreams: {wrong}; {way_out}")

    def __len__(self) -> int:
        """The number of windows in one pass."""
        return (len(self.ids) - 1) // (self.batch_size * self.seq_len)

    def __repr__(self) -> str:
        cut = f"batch_size={self.batch_size}, seq_len={self.seq_len}: {len(self)} windows"
        return f"TextStreams({len(self.ids)} characters, {cut})"

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return map(self._window, range(len(self)))

    def _window(self, number: int) -> tuple[Tensor, Tensor]:
        first = np.arange(self.batch_size) * len(self) + number  # in windows
        places = first * self.seq_len + np.arange(self.seq_len + 1)[:, None]  # (T + 1, B)
        ids = self.ids[places]  # of a memory-mapped file only this is read
        _check_range("TextStreams", ids, len(self.vocabulary), places)
        return wrap(ids[:-1].astype(np.int64)), wrap(ids[1:].astype(np.int64))

    def next_batch(self) -> tuple[Tensor, Tensor, bool]:
        """The next window ``(x, y)``, and whether it is the first of a pass.

        At the first window nothing is to be carried over: the text begins anew.

        >>> streams = TextStreams("hello world", Vocabulary("hello world"), 2, 5)
        >>> x, y, first = streams.next_batch()
        >>> x.shape, y.shape, first
        ((5, 2), (5, 2), True)
        """
        number = self._drawn % len(self)
        window = self._window(number)
        self._drawn += 1
        return *window, number == 0

    def split(self, val_fraction: float) -> tuple["TextStreams", "TextStreams"]:
        """The text in two, to train on and to validate on: its tail of that share is the second.

        Raises OptionError if either is shorter than one window.
        """
        errors.check_numbers("TextStreams.split", 0.0, 1.0, val_fraction=val_fraction)
        cut = len(self.ids) - round(len(self.ids) * val_fraction)
        parts = {"training": self.ids[:cut], "validation": self.ids[cut:]}
        for part, ids in parts.items():
            self._check_length(f"with val_fraction={val_fraction} the {part} part", len(ids))
        settings = self.vocabulary, self.batch_size, self.seq_len
        train, val = (TextStreams(ids, *settings) for ids in parts.values())
        return train, val

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, int]:
        """Where ``next_batch`` stands, and what tells that it is this text in these streams."""
        cut = {"drawn": self._drawn, "batch_size": self.batch_size, "seq_len": self.seq_len}
        return {**cut, "characters": len(self.ids), "crc32": self._crc32}

    @property
    def _crc32(self) -> int:
        # Not a cached_property: Python 3.11's has a lock, which a forked child may find taken.
        if "_checksum" not in vars(self):
            self._checksum = crc32(np.ascontiguousarray(self.ids).data)
        return self._checksum

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where a ``state_dict`` stands.

        Raises CheckpointError, and changes nothing, if it is of another text or other streams.
        """
        name = "TextStreams.load_state_dict"
        errors.check_type(name, Mapping, "what state_dict() gave", state_dict=state_dict)
        own, given = self.state_dict(), dict(state_dict)
        if given.keys() != own.keys() or type(given["drawn"]) is not int or given["drawn"] < 0:
            raise errors.CheckpointError(f"{name}: {given!r:.100} is no state of TextStreams")
        own["drawn"] = given["drawn"]
        if wrong := [f"{k} is {given[k]} there, {v} here" for k, v in own.items() if given[k] != v]:
            other = f"of another text or other streams: {'; '.join(wrong)}"
            raise errors.CheckpointError(f"{name}: {other}")
        self._drawn = given["drawn"]


def sine_waves(num_sequences: int = 1000, sequence_length: int = 20,
               generator: Generator | None = None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Pieces of sine waves X (N, L, 1), and of each the next point y (N,), in the default dtype.

    Each piece is sin over L + 1 evenly spaced points of [s, s + 2 pi f], the last of which is y,
    with a start s uniform in [0, 4 pi) and a frequency f uniform in [0.5, 2).

    >>> X, y = sine_waves(100, 10)
    >>> X.shape, y.shape
    ((100, 10, 1), (100,))
    """
    counts = {"num_sequences": num_sequences, "sequence_length": sequence_length}
    errors.check_integers("sine_waves", **counts)
    start, frequency = (
        host("sine_waves", generator).uniform((0, 0.5), (4 * np.pi, 2), (num_sequences, 2)).T
    )
    angles = start + 2 * np.pi * frequency * np.linspace(0, 1, sequence_length + 1)[:, None]
    waves = np.sin(angles.T).astype(get_default_dtype())
    return wrap(waves[:, :-1, None].copy()), wrap(waves[:, -1].copy())
