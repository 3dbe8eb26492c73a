"""Text as users give it: files, characters, bytes and words."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from .. import errors
from ..engine.warned import warn_user
from ..tensor import Tensor

FilePath: TypeAlias = str | os.PathLike[str]
Text: TypeAlias = str | bytes | bytearray | list[str]  # characters, bytes or words


def read_text(path: FilePath, encoding: str = "utf-8") -> str:
    """Read the text of a file, line ends included, without a byte-order mark.

    Args:
        path: Where the file is.
        encoding: Python's name of the file's encoding.

    Raises:
        MissingFile: The file does not exist; this is also a FileNotFoundError.
        OptionError: The file is empty or cannot be read, Python does not know the
            encoding, or the file has another one: the message has the first wrong byte.

    Example:
        >>> from pathlib import Path
        >>> from tinygrad_rnn.data import read_text
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "text.txt")
        ...     _ = path.write_text("grün", encoding="latin-1")
        ...     read_text(path, encoding="latin-1")
        'grün'
    """
    expected = "a str or a pathlib.Path"
    errors.check_type("read_text", str | os.PathLike, expected, path=path)
    errors.check_type("read_text", str, "the name of an encoding", encoding=encoding)
    raw = read_bytes(path)
    try:
        text = raw.decode(encoding)
    except LookupError:
        raise unknown_encoding("read_text", encoding) from None
    except UnicodeError as error:
        raise wrong_encoding(
            "read_text", path, encoding, error, raw[:2], len(raw)
        ) from None
    text = text.removeprefix("\ufeff")
    if not text:
        raise errors.OptionError(f"read_text: {str(path)!r} is empty")
    return text


def read_bytes(path: FilePath) -> bytes:
    """Read a file, with an error of ours if that fails."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise unreadable("read_text", path, error) from None


def unreadable(function: str, path: FilePath, error: OSError) -> errors.OptionError:
    """Return the error of a public function that cannot read a file."""
    is_missing = isinstance(error, FileNotFoundError)
    kind = errors.MissingFile if is_missing else errors.OptionError
    return kind(f"{function}: cannot read {str(path)!r}: {error.strerror}")


def unknown_encoding(function: str, encoding: str) -> errors.OptionError:
    """Return the error of a public function for an encoding that Python lacks."""
    return errors.OptionError(
        f"{function}: encoding is {encoding!r}, expected one that Python knows, "
        "such as 'utf-8', 'utf-16' or 'latin-1'"
    )


def wrong_encoding(
    function: str,
    path: FilePath,
    encoding: str,
    error: UnicodeError,
    head: bytes,
    end: int,
) -> errors.OptionError:
    """Return the error of a public function for a file that has another encoding.

    Args:
        function: The public function.
        path: The file.
        encoding: The encoding that it does not have.
        error: What the decoder raised. Its object is the last part of what was read.
        head: The first two bytes of the file.
        end: How many bytes of the file had been read.
    """
    wrong, likely = str(error), "utf-16-le"  # UTF-16 without a byte-order mark
    if isinstance(error, UnicodeDecodeError):
        offset = end - len(error.object) + error.start
        byte = error.object[error.start]
        wrong = f"byte {byte:#04x} at offset {offset} ({error.reason})"
        has_utf16_mark = head in (b"\xff\xfe", b"\xfe\xff")
        likely = "utf-16" if has_utf16_mark else "latin-1"
    return errors.OptionError(
        f"{function}: {str(path)!r} is not {encoding.upper()}: {wrong}; pass its "
        f"encoding=, such as {likely!r}"
    )


def text_of(function: str, given: object, kind: type = str) -> Text:
    """Return the text that a user's ``text_or_file`` stands for.

    Args:
        function: The public function, for messages.
        given: The text itself, or a path to it.
        kind: The type of the vocabulary's tokens, which decides how a file is read.
    """
    if isinstance(given, os.PathLike):
        if kind is tuple:
            raise errors.DTypeError(
                f"{function}: text_or_file is a path; of a file of words, pass "
                "tg.data.read_text(path).split()"
            )
        return read_text(given) if kind is str else read_bytes(given)
    if isinstance(given, str | bytes | bytearray):
        text: Text = given
    else:
        text = words_of(function, given)
    if not text:
        raise errors.OptionError(f"{function}: the text is empty")
    if isinstance(given, str):
        _warn_of_file_name(function, given)
    return text


def words_of(function: str, given: object) -> list[str]:
    """Return the words of an iterable of str; a set, which has no order, is sorted."""
    no_words = str | bytes | Tensor | Mapping
    if not isinstance(given, Iterable) or isinstance(given, no_words):
        raise errors.DTypeError(
            f"{function}: text is {errors.describe(given)}, expected a str, bytes, or "
            "words in a list, as text.split() gives"
        )
    words = list(given)
    for i, word in enumerate(words):
        if not isinstance(word, str):
            errors.check_type(function, str, "a str", **{f"word {i}": word})
    words = [str(word) for word in words]  # str_ of NumPy becomes str
    return sorted(words) if isinstance(given, set | frozenset) else words


def _warn_of_file_name(function: str, text: str) -> None:
    """Warn of a text that is the name of a file, and was probably meant as a path."""
    if len(text) <= 255 and os.path.isfile(text):
        warn_user(
            f"{function}: {text!r} is taken as the text itself, but a file of that "
            f"name exists; to read it, pass pathlib.Path({text!r})"
        )
