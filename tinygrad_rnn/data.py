"""Data for the examples and for a first model of your own: text as ids, and sine waves.

Legend: T tokens (characters, bytes or words) or time, B batch (streams), V distinct
    tokens.
"""

import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from opcode import opmap
from pathlib import Path
from types import FrameType
from typing import Any
from zlib import crc32

import numpy as np

from . import errors
from .convert import get_default_dtype, on_host
from .engine.node import wrap
from .random import Generator, host
from .tensor import Tensor

__all__ = ["TextStreams", "Vocabulary", "read_text", "sine_waves"]

Text = str | os.PathLike[str]  # a str is the text itself, a path is where it stands


def read_text(path: Text, encoding: str = "utf-8") -> str:
    """The text of a file as it stands there, line ends too, without a byte-order mark.

    Args:
        path: Where the file is.
        encoding: How its bytes stand for characters, by one of Python's names.

    Raises:
        MissingFile: It is not there; a FileNotFoundError.
        OptionError: It cannot be read, is empty, or is not of this encoding: at which
            byte; or there is no such encoding.
    """
    errors.check_type(
        "read_text", str | os.PathLike, "a str or a pathlib.Path", path=path
    )
    errors.check_type("read_text", str, "the name of an encoding", encoding=encoding)
    raw = _bytes_of(path)
    try:
        text = raw.decode(encoding)
    except LookupError:
        known = "expected one that Python knows, such as 'utf-8', 'utf-16' or 'latin-1'"
        raise errors.OptionError(
            f"read_text: encoding is {encoding!r}, {known}"
        ) from None
    except UnicodeError as error:
        wrong = f"{str(path)!r} is not {encoding.upper()}: {_wrong_byte(error)}"
        way_out = f"pass its encoding=, such as {_guessed(raw)!r}"
        raise errors.OptionError(f"read_text: {wrong}; {way_out}") from None
    text = text.removeprefix("\ufeff")
    if not text:
        raise errors.OptionError(f"read_text: {str(path)!r} is empty")
    return text


def _bytes_of(path: Text) -> bytes:
    """The bytes of a file."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        kind = (
            errors.MissingFile
            if isinstance(error, FileNotFoundError)
            else errors.OptionError
        )
        raise kind(f"read_text: cannot read {str(path)!r}: {error.strerror}") from None


def _wrong_byte(error: UnicodeError) -> str:
    if not isinstance(error, UnicodeDecodeError):
        return str(error)
    return f"byte {error.object[error.start]:#04x} at offset {error.start} ({error.reason})"


def _guessed(raw: bytes) -> str:
    """An encoding to try, by the mark that files of UTF-16 begin with."""
    return "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"


def _text_of(name: str, given: Any, kind: type = str) -> Any:
    """What a user's ``text_or_file`` stands for: a str, bytes, or a list of words.

    ``kind`` is the type of a vocabulary's tokens, which says how a file is read.
    """
    if isinstance(given, os.PathLike):
        if kind is tuple:
            way_out = "of a file of words, pass tg.data.read_text(path).split()"
            raise errors.DTypeError(f"{name}: text_or_file is a path; {way_out}")
        return read_text(given) if kind is str else _bytes_of(given)
    if isinstance(given, str):
        _warn_of_a_path(name, given)
    text = (
        given if isinstance(given, str | bytes | bytearray) else _words_of(name, given)
    )
    if not text:
        raise errors.OptionError(f"{name}: the text is empty")
    return text


def _words_of(name: str, given: Any) -> list[str]:
    """The words of an iterable of str; those of a set, which has no order, are sorted."""
    if not isinstance(given, Iterable) or isinstance(
        given, str | bytes | Tensor | Mapping
    ):
        expected = "a str, bytes, or words in a list, as text.split() gives"
        raise errors.DTypeError(
            f"{name}: text is {errors.described(given)}, expected {expected}"
        )
    words = list(given)
    if not all(isinstance(word, str) for word in words):
        place = [isinstance(word, str) for word in words].index(False)
        errors.check_type(name, str, "a str", **{f"word {place}": words[place]})
    words = [str(word) for word in words]  # not NumPy's str
    return sorted(words) if isinstance(given, set | frozenset) else words


def _warn_of_a_path(name: str, text: str) -> None:
    """Warn of a str that was probably meant as the path of a file."""
    if len(text) > 255 or not os.path.isfile(text):
        return
    wrong = f"{text!r} is taken as the text itself, but a file of that name is there"
    way_out = f"to read it, pass pathlib.Path({text!r})"
    warnings.warn(f"{name}: {wrong}; {way_out}", stacklevel=4)


def _ids_of(name: str, given: Any) -> np.ndarray:
    """Ids that a user has made: (N,), an id alone as (1,)."""
    ids = np.asarray(on_host(given, name))
    if ids.dtype.kind not in "iu":
        raise errors.DTypeError(f"{name}: ids are {ids.dtype}, expected integers")
    if ids.ndim > 1:
        way_out = "of time-major windows (T, B), a column is a text: ids[:, 0]"
        raise errors.ShapeError(
            f"{name}: ids have shape {ids.shape}, expected (N,); {way_out}"
        )
    return ids.reshape(-1)


def _check_range(name: str, ids: np.ndarray, count: int, places: Any) -> None:
    """Raise if ids are not in [0, count); ``places`` are their positions in the text."""
    if (wrong := (ids < 0) | (ids >= count)).any():
        at = places[wrong].min()
        found = f"the id {ids[places == at][0]} at {at}"
        raise errors.IdError(f"{name}: {found} is not in [0, {count})")


class Vocabulary:
    """The distinct tokens of a text: the id of a token is its place among them.

    ``len(vocabulary)`` is V, ``vocabulary.tokens`` are all tokens in order, and
    ``Vocabulary(vocabulary.tokens)`` is the same vocabulary again.

    Args:
        text_or_file: Says what the tokens are.

            * a str, or a ``pathlib.Path`` to a UTF-8 file: its characters, sorted; they
            are also
              ``vocabulary.characters``, a str
            * bytes: its bytes, sorted; ``bytes(range(256))`` has them all
            * an iterable of words: the words, each where it comes first; those of a
            set, sorted

    Raises:
        OptionError: The text is empty.

    >>> vocabulary = Vocabulary("hello world")
    >>> vocabulary.characters, len(vocabulary), "h" in vocabulary
    (' dehlorw', 8, True)
    >>> vocabulary.encode("hold")
    tensor([3, 5, 4, 1], dtype=int64)
    >>> vocabulary.decode([3, 5, 4, 1])
    'hold'
    >>> words = Vocabulary("the cat and the dog".split())
    >>> words.tokens
    ('the', 'cat', 'and', 'dog')
    >>> words.decode(words.encode(["the", "dog"]))
    ['the', 'dog']
    """

    def __init__(self, text_or_file: Text | bytes | Iterable[str]) -> None:
        text = _text_of("Vocabulary", text_or_file)
        self.tokens: str | bytes | tuple[str, ...]
        if isinstance(text, str):
            self.tokens = self.characters = "".join(sorted(set(text)))
        elif isinstance(text, list):
            self.tokens = tuple(dict.fromkeys(text))
        else:
            self.tokens = bytes(sorted(set(text)))
        self._ids: dict[Any, int] = {token: i for i, token in enumerate(self.tokens)}

    @property
    def unit(self) -> str:
        """What its tokens are: ``characters``, ``bytes`` or ``words``."""
        return {str: "characters", bytes: "bytes"}.get(type(self.tokens), "words")

    def __len__(self) -> int:
        return len(self.tokens)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tokens)

    def __contains__(self, token: Any) -> bool:
        return isinstance(token, str | int) and token in self._ids

    def __repr__(self) -> str:
        if self.unit == "words" and len(self) > 20:
            return f"Vocabulary({len(self)} words)"
        return f"Vocabulary({self.tokens!r})"

    def encode(self, text: Any) -> Tensor:
        """The ids of a text: int64 (T,).

        Args:
            text: A str; bytes, or words in a list, where those are the tokens.

        Raises:
            OptionError: A token is not here; the message has its position.
        """
        return wrap(self.narrow_ids(text).astype(np.int64))

    def narrow_ids(self, text: Any) -> np.ndarray:
        """The ids in the narrowest unsigned dtype, one byte each up to 255 tokens:
        (T,).
        """
        text = self._checked(text)
        try:
            ids = map(self._ids.__getitem__, text)
            return np.fromiter(ids, np.min_scalar_type(len(self)), len(text))
        except KeyError as error:
            place = text.index(error.args[0])
            around = text[max(place - 10, 0) : place + 10]
            wrong = f"{error.args[0]!r} at position {place} (in {around!r})"
            known = f"one of the {len(self)} {self.unit} of this vocabulary"
            raise errors.OptionError(
                f"Vocabulary.encode: {wrong} is not {known}"
            ) from None

    def _checked(self, text: Any) -> Any:
        """The text, if it is of this vocabulary's kind."""
        name = "Vocabulary.encode"
        if self.unit == "characters":
            errors.check_type(name, str, "a str", text=text)
            return text
        if self.unit == "bytes":
            errors.check_type(
                name, bytes | bytearray, "bytes: text.encode()", text=text
            )
            return bytes(text)
        return _words_of(name, text)

    def decode(self, ids: Any) -> Any:
        """The text of ids (T,), a tensor, an array or a list, or of one id.

        Returns:
            A str; bytes, or a list of words, where those are the tokens.

        Raises:
            IdError: An id is not in [0, V).
        """
        array = _ids_of("Vocabulary.decode", ids)
        _check_range("Vocabulary.decode", array, len(self), np.arange(len(array)))
        tokens: Any = map(self.tokens.__getitem__, array.tolist())
        if self.unit == "characters":
            return "".join(tokens)
        return bytes(tokens) if self.unit == "bytes" else list(tokens)


class _Parts(tuple[Any, ...]):
    """A tuple that says what it has where a statement unpacks it into another number of
    names.
    """

    __slots__ = ()
    meant: str  # how to unpack it, said by a subclass

    def __iter__(self) -> Iterator[Any]:
        names = _names_filled_by(sys._getframe(1))
        if names is not None and names != len(self):
            raise errors.OptionError(
                f"TextStreams: {names} names for {len(self)} parts: {self.meant}"
            )
        return super().__iter__()


def _names_filled_by(frame: FrameType) -> int | None:
    """How many names the statement that runs in a frame unpacks into; None if it does
    not unpack.

    Python has nobody to ask but the statement's own instruction: UNPACK_SEQUENCE and
    the count.
    """
    code, at = frame.f_code.co_code, frame.f_lasti
    return code[at + 1] if code[at] == opmap.get("UNPACK_SEQUENCE") else None


class _Window(_Parts):
    __slots__ = ()
    meant = (
        "iterating gives pairs, `for x, y in streams`, from the first window of a pass to the last; "
        "`x, y, first = streams.next_batch()` goes round and round, and says where a pass begins"
    )


class _Batch(_Parts):
    __slots__ = ()
    meant = (
        "`x, y, first = streams.next_batch()` also says where a pass begins, and the hidden state "
        "anew; `for x, y in streams` is one pass"
    )


class TextStreams:
    """A text cut into B contiguous streams, read window by window: for truncated
    backpropagation.

    Windows are pairs ``(x, y)`` of ids, time-major, int64 (T, B): y is x one token
    further. A column of the next window goes on where that column of this one ends, so
    a hidden state carries over from window to window. The first ``len(streams) * T * B
    + 1`` tokens are used, which leaves out less than one window at the end.

    ``for x, y in streams`` is one pass from the first window to the last.
    ``next_batch()`` goes round and round, and where it stands is in ``state_dict()``.

    Args:
        text_or_file: A str is the text itself, a ``pathlib.Path`` a UTF-8 file (read as
            bytes for a vocabulary of bytes); bytes or words where those are the tokens.
            Or ids (N,), an integer array, so that a ``numpy.memmap`` serves what is
            larger than memory: these are looked at when a window is drawn, which raises
            IdError for an id not in [0, V).
        vocabulary: The Vocabulary. Of ids, anything whose ``len()`` is V, as a
            tokenizer.
        batch_size: B, how many streams.
        seq_len: T, how many tokens of each in a window.

    Raises:
        OptionError: The text is shorter than one window, the vocabulary does not cover
            it, or it cannot be read.

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
        text_or_file: Text | Any,
        vocabulary: Vocabulary | Any,
        batch_size: int,
        seq_len: int,
    ) -> None:
        has_ids = isinstance(text_or_file, Tensor | np.ndarray)
        if not has_ids or not hasattr(type(vocabulary), "__len__"):
            expected = "a tg.data.Vocabulary; of ids, anything that has a len()"
            errors.check_type(
                "TextStreams", Vocabulary, expected, vocabulary=vocabulary
            )
        errors.check_integers("TextStreams", batch_size=batch_size, seq_len=seq_len)
        self.vocabulary = vocabulary
        self.batch_size, self.seq_len = int(batch_size), int(seq_len)
        if has_ids:
            self.ids = _ids_of("TextStreams", text_or_file)
        else:
            text = _text_of("TextStreams", text_or_file, type(vocabulary.tokens))
            self.ids = vocabulary.narrow_ids(text)
        path = isinstance(text_or_file, str) and "\n" not in text_or_file
        hint = "; if it names a file, pass it as a pathlib.Path" if path else ""
        self._drawn = 0  # windows that next_batch has given, over all passes
        self._check_length("the text", len(self.ids), hint)

    @property
    def _unit(self) -> str:
        return getattr(self.vocabulary, "unit", "tokens")

    def _check_length(self, part: str, count: int, hint: str = "") -> None:
        least = self.batch_size * self.seq_len + 1
        if count < least:
            cut = (
                f"{self.batch_size} streams of seq_len={self.seq_len}, and 1 to predict"
            )
            way_out = f"take a longer text, or a smaller batch_size or seq_len{hint}"
            wrong = f"{part} has {count} {self._unit}, expected at least {least}: {cut}"
            raise errors.OptionError(f"TextStreams: {wrong}; {way_out}")

    def __len__(self) -> int:
        """The number of windows in one pass."""
        return (len(self.ids) - 1) // (self.batch_size * self.seq_len)

    def __repr__(self) -> str:
        cut = (
            f"batch_size={self.batch_size}, seq_len={self.seq_len}: {len(self)} windows"
        )
        return f"TextStreams({len(self.ids)} {self._unit}, {cut})"

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return map(self._window, range(len(self)))

    def _window(self, number: int) -> tuple[Tensor, Tensor]:
        first = np.arange(self.batch_size) * len(self) + number  # in windows
        places = (
            first * self.seq_len + np.arange(self.seq_len + 1)[:, None]
        )  # (T + 1, B)
        ids = self.ids[places]  # of a memory-mapped file only this is read
        _check_range("TextStreams", ids, len(self.vocabulary), places)
        return _Window(
            (wrap(ids[:-1].astype(np.int64)), wrap(ids[1:].astype(np.int64)))
        )

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
        return _Batch((*window, number == 0))

    def split(self, val_fraction: float) -> tuple["TextStreams", "TextStreams"]:
        """The text in two, to train on and to validate on: its tail of that share is
        the second.

        Raises OptionError if either is shorter than one window.
        """
        errors.check_numbers("TextStreams.split", 0.0, 1.0, val_fraction=val_fraction)
        cut = len(self.ids) - round(len(self.ids) * val_fraction)
        parts = {"training": self.ids[:cut], "validation": self.ids[cut:]}
        for part, ids in parts.items():
            self._check_length(
                f"with val_fraction={val_fraction} the {part} part", len(ids)
            )
        settings = self.vocabulary, self.batch_size, self.seq_len
        train, val = (TextStreams(ids, *settings) for ids in parts.values())
        return train, val

    # ------------------------------------------------------------ saving and loading

    def state_dict(self) -> dict[str, int]:
        """Where ``next_batch`` stands, and what tells that it is this text in these
        streams.
        """
        cut = {
            "drawn": self._drawn,
            "batch_size": self.batch_size,
            "seq_len": self.seq_len,
        }
        return {**cut, "characters": len(self.ids), "crc32": self._crc32}

    @property
    def _crc32(self) -> int:
        # Not a cached_property: Python 3.11's has a lock, which a forked child may find
        # taken.
        if "_checksum" not in vars(self):
            self._checksum = crc32(np.ascontiguousarray(self.ids).data)
        return self._checksum

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where a ``state_dict`` stands.

        Raises CheckpointError, and changes nothing, if it is of another text or other
        streams.
        """
        name = "TextStreams.load_state_dict"
        errors.check_type(
            name, Mapping, "what state_dict() gave", state_dict=state_dict
        )
        own, given = self.state_dict(), dict(state_dict)
        if (
            given.keys() != own.keys()
            or type(given["drawn"]) is not int
            or given["drawn"] < 0
        ):
            raise errors.CheckpointError(
                f"{name}: {given!r:.100} is no state of TextStreams"
            )
        own["drawn"] = given["drawn"]
        if wrong := [
            f"{k} is {given[k]} there, {v} here"
            for k, v in own.items()
            if given[k] != v
        ]:
            other = f"of another text or other streams: {'; '.join(wrong)}"
            raise errors.CheckpointError(f"{name}: {other}; {self._way_out(given)}")
        self._drawn = given["drawn"]

    def _way_out(self, given: Mapping[str, Any]) -> str:
        """What to do about a state that is not of these streams."""
        text = "characters", "crc32"
        if any(given[key] != self.state_dict()[key] for key in text):
            moved = "pass the text that it was saved with, wherever that is now"
            return f"{moved}; to go on with another text, leave this call out: that begins anew"
        cut = ", ".join(f"{key}={given[key]!r}" for key in ("batch_size", "seq_len"))
        return f"make the streams with {cut}, or leave this call out to begin the text anew"


def sine_waves(
    num_sequences: int = 1000,
    sequence_length: int = 20,
    generator: Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Pieces of sine waves X (N, L, 1), and of each the next point y (N,), in the
    default dtype.

    Each piece is sin over L + 1 evenly spaced points of [s, s + 2 pi f], the last of
    which is y, with a start s uniform in [0, 4 pi) and a frequency f uniform in [0.5,
    2).

    >>> X, y = sine_waves(100, 10)
    >>> X.shape, y.shape
    ((100, 10, 1), (100,))
    """
    counts = {"num_sequences": num_sequences, "sequence_length": sequence_length}
    errors.check_integers("sine_waves", **counts)
    start, frequency = (
        host("sine_waves", generator)
        .uniform((0, 0.5), (4 * np.pi, 2), (num_sequences, 2))
        .T
    )
    angles = (
        start + 2 * np.pi * frequency * np.linspace(0, 1, sequence_length + 1)[:, None]
    )
    waves = np.sin(angles.T).astype(get_default_dtype())
    return wrap(waves[:, :-1, None].copy()), wrap(waves[:, -1].copy())
