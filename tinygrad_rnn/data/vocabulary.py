"""The tokens of a text, and their ids."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .. import errors
from ..convert import on_host
from ..engine.node import wrap
from ..tensor import Tensor
from ..types import Array
from .text import FilePath, Text, text_of, words_of


class Vocabulary:
    """The distinct tokens of a text; the id of a token is its index among them.

    ``len(vocabulary)`` is the number of tokens, ``vocabulary.tokens`` holds them in
    order, and ``Vocabulary(vocabulary.tokens)`` makes the same vocabulary again.

    Args:
        text_or_file: The text, whose type says what the tokens are.

            * A str, or a ``pathlib.Path`` to a UTF-8 file: its characters, sorted.
              ``vocabulary.characters`` is their str.
            * bytes: its bytes, sorted. ``bytes(range(256))`` has all of them.
            * An iterable of words: the words, in the order in which they first come.
              Those of a set are sorted.

    Raises:
        OptionError: The text is empty, or its file cannot be read.
        DTypeError: The text is of another type.

    Example:
        >>> from tinygrad_rnn.data import Vocabulary
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

    def __init__(self, text_or_file: FilePath | bytes | Iterable[str]) -> None:
        text = text_of("Vocabulary", text_or_file)
        self.tokens: str | bytes | tuple[str, ...]
        if isinstance(text, str):
            self.tokens = self.characters = "".join(sorted(set(text)))
        elif isinstance(text, list):
            self.tokens = tuple(dict.fromkeys(text))
        else:
            self.tokens = bytes(sorted(set(text)))
        self._ids = {token: number for number, token in enumerate(self.tokens)}

    @property
    def unit(self) -> str:
        """What the tokens are: ``characters``, ``bytes`` or ``words``."""
        return {str: "characters", bytes: "bytes"}.get(type(self.tokens), "words")

    def __len__(self) -> int:
        """Return the number of tokens.

        Example:
            >>> from tinygrad_rnn.data import Vocabulary
            >>> len(Vocabulary("hello world"))
            8
        """
        return len(self.tokens)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tokens)

    def __contains__(self, token: object) -> bool:
        return isinstance(token, str | int) and token in self._ids

    def __repr__(self) -> str:
        if self.unit == "words" and len(self) > 20:
            return f"Vocabulary({len(self)} words)"
        return f"Vocabulary({self.tokens!r})"

    def encode(self, text: str | bytes | Iterable[str]) -> Tensor:
        """Return the ids of a text.

        Args:
            text: A str; bytes, or words in a list, for a vocabulary of those.

        Returns:
            int64 (T,).

        Raises:
            OptionError: The text has a token that the vocabulary lacks; the message has
                its position.
            DTypeError: The text is not of the vocabulary's kind.

        Example:
            >>> from tinygrad_rnn.data import Vocabulary
            >>> Vocabulary("abc").encode("cab").tolist()
            [2, 0, 1]
        """
        return wrap(self.narrow_ids(text).astype(np.int64))

    def narrow_ids(self, text: object, start: int = 0) -> np.ndarray:
        """Return ids (T,) of the narrowest unsigned dtype that has all of them.

        Messages count positions from ``start``.
        """
        checked = self._check_kind(text)
        try:
            ids = map(self._ids.__getitem__, checked)
            return np.fromiter(ids, np.min_scalar_type(len(self)), len(checked))
        except KeyError as error:
            token = error.args[0]
            position = checked.index(token)
            around = checked[max(position - 10, 0) : position + 10]
            raise errors.OptionError(
                f"Vocabulary.encode: {token!r} at position {start + position} "
                f"(in {around!r}) is not one of the {len(self)} {self.unit} of this "
                "vocabulary"
            ) from None

    def _check_kind(self, text: object) -> Text:
        """Return a text of this vocabulary's kind; raise if it is of another kind."""
        name = "Vocabulary.encode"
        if self.unit == "words":
            return words_of(name, text)
        if self.unit == "bytes":
            expected = "bytes: text.encode()"
            errors.check_type(name, bytes | bytearray, expected, text=text)
            return bytes(text)  # type: ignore[call-overload]
        errors.check_type(name, str, "a str", text=text)
        return text  # type: ignore[return-value]

    def decode(self, ids: Array | list[int] | int) -> Any:
        """Return the text of ids.

        Args:
            ids: (T,), a Tensor, an array or a list; or a single id.

        Returns:
            A str; bytes, or a list of words, for a vocabulary of those.

        Raises:
            IdError: An id is not in the vocabulary.
            DTypeError: The ids are not integers.
            ShapeError: The ids have more than one dim.

        Example:
            >>> from tinygrad_rnn.data import Vocabulary
            >>> Vocabulary("abc").decode([2, 0, 1])
            'cab'
        """
        array = ids_of("Vocabulary.decode", ids)
        check_ids("Vocabulary.decode", array, len(self), np.arange(len(array)))
        tokens: Any = map(self.tokens.__getitem__, array.tolist())
        if self.unit == "characters":
            return "".join(tokens)
        return bytes(tokens) if self.unit == "bytes" else list(tokens)


def ids_of(function: str, given: object) -> np.ndarray:
    """Return a user's ids as an array (N,); a single id becomes (1,)."""
    ids = np.asarray(on_host(given, function))
    if ids.dtype.kind not in "iu":
        raise errors.DTypeError(f"{function}: ids are {ids.dtype}, expected integers")
    if ids.ndim > 1:
        raise errors.ShapeError(
            f"{function}: ids have shape {ids.shape}, expected (N,); of time-major "
            "windows (T, B), a column is a text: ids[:, 0]"
        )
    return ids.reshape(-1)


def check_ids(
    function: str, ids: np.ndarray, count: int, positions: np.ndarray
) -> None:
    """Raise if ids are not in [0, count); ``positions`` are theirs in the text."""
    wrong = (ids < 0) | (ids >= count)
    if wrong.any():
        first = positions[wrong].min()
        raise errors.IdError(
            f"{function}: the id {ids[positions == first][0]} at {first} is not in "
            f"[0, {count})"
        )
