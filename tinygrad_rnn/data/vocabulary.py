"""Characters as ids, and back. Legend: T characters, V distinct ones."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.node import wrap
from ..errors import DTypeError, IdError, OptionError, ShapeError, check_type
from ..tensor import Tensor, plain

Text = str | os.PathLike[str]  # a str is the text itself, a path is where it stands


def read_text(file: Text) -> str:
    """The text of a UTF-8 file as it stands there, line ends too.

    Raises OptionError for a file that cannot be read, is empty, or is not UTF-8: at which byte.
    """
    try:
        text = Path(file).read_bytes().decode()
    except OSError as error:
        raise OptionError(f"read_text: cannot read {str(file)!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        byte = f"byte {error.object[error.start]:#04x} at offset {error.start} ({error.reason})"
        way_out = "convert the file, or pass the text as a str"
        raise OptionError(f"read_text: {str(file)!r} is not UTF-8: {byte}; {way_out}") from None
    if not text:
        raise OptionError(f"read_text: {str(file)!r} is empty")
    return text


def text_of(name: str, given: Any) -> str:
    """The text that a user's ``text_or_file`` stands for."""
    if isinstance(given, os.PathLike):
        return read_text(given)
    expected = "a str, which is the text itself, or a pathlib.Path to a UTF-8 file"
    check_type(name, str, expected, text_or_file=given)
    if not given:
        raise OptionError(f"{name}: the text is empty")
    return given


def ids_of(name: str, given: Any) -> np.ndarray:
    """Ids that a user has made: (N,), an id alone as (1,)."""
    ids = np.asarray(given.cpu().numpy() if isinstance(given, Tensor) else plain(given))
    if ids.dtype.kind not in "iu":
        raise DTypeError(f"{name}: ids are {ids.dtype}, expected integers")
    if ids.ndim > 1:
        way_out = "of time-major windows (T, B), a column is a text: ids[:, 0]"
        raise ShapeError(f"{name}: ids have shape {ids.shape}, expected (N,); {way_out}")
    return ids.reshape(-1)


def _codes(text: str) -> np.ndarray:
    """The code points; a lone surrogate is a character as any other."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


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
        self.characters = "".join(sorted(set(text_of("Vocabulary", text_or_file))))
        self._sorted = _codes(self.characters)
        size, top = len(self.characters), int(self._sorted[-1])
        # From code point to id; size marks a stranger, and the last row stands for all above.
        self._table = np.full(top + 2, size, np.min_scalar_type(size))
        self._table[self._sorted] = np.arange(size)

    def __len__(self) -> int:
        return len(self.characters)

    def __iter__(self) -> Iterator[str]:
        return iter(self.characters)

    def __contains__(self, character: Any) -> bool:
        # A str of several characters may be part of `characters`, but it is no character.
        return isinstance(character, str) and len(character) == 1 and character in self.characters

    def __repr__(self) -> str:
        return f"Vocabulary({self.characters!r})"

    def encode(self, text: str) -> Tensor:
        """The ids of a text: int64 (T,).

        Raises OptionError, which names the character and its position, for one that is not here.
        """
        check_type("Vocabulary.encode", str, "a str", text=text)
        return wrap(self.narrow_ids(text).astype(np.int64))

    def narrow_ids(self, text: str) -> np.ndarray:
        """The ids in the narrowest unsigned dtype, one byte each up to 255 characters: (T,)."""
        codes = _codes(text)
        ids = self._table[np.minimum(codes, len(self._table) - 1)]
        unknown = ids == len(self)
        if unknown.any():
            place = int(unknown.argmax())
            around = f"at position {place} (in {text[max(place - 10, 0) : place + 10]!r})"
            raise OptionError(
                f"Vocabulary.encode: {text[place]!r} {around} is not one of the {len(self)} "
                "characters of this vocabulary"
            )
        return ids

    def decode(self, ids: Any) -> str:
        """The text of ids (T,), a tensor, an array or a list, or of one id.

        Raises IdError for an id that is not in [0, V).
        """
        array = ids_of("Vocabulary.decode", ids)
        wrong = np.flatnonzero((array < 0) | (array >= len(self)))
        if wrong.size:
            place = f"the id {array[wrong[0]]} at {wrong[0]}"
            raise IdError(f"Vocabulary.decode: {place} is not in [0, {len(self)})")
        return self._sorted[array].tobytes().decode("utf-32-le", "surrogatepass")
