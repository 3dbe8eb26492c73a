"""Texts that are larger than memory: encoded once, into a file of ids.

The file is a safetensors file, which :func:`~tinygrad_rnn.serialization.save_blocks`
writes. Its vector ``ids`` has the narrowest unsigned dtype, and its header has::

    {"encoded": {"count": 65,             the number of different ids
                 "unit": "characters",    or bytes, words, tokens
                 "tokens": [10, 32, ...], code points, bytes, words; else null
                 "of_text": true,         whether these are the tokens of the text
                 "encoding": "utf-8",     null for bytes
                 "sha256": "...",         of the file of the text
                 "status": [...]}}        what os.stat said of it, null if too young
"""

import codecs
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from .. import errors
from ..serialization import check_writable, map_blocks, replace_header, save_blocks
from .text import FilePath, unknown_encoding, unreadable, wrong_encoding
from .vocabulary import Vocabulary, check_ids, ids_of

Block: TypeAlias = str | bytes

_BLOCK = 2**17  # bytes of the text that are read at once; larger ones are slower
_CODES = 0x110000  # the number of code points
_YOUNG = 2_000_000_000  # ns; the coarsest clock of a file system ticks every 2 s


def encode_file(
    path: FilePath,
    out: FilePath,
    vocabulary: Any = None,
    encoding: str = "utf-8",
    bytes: bool = False,
) -> Any:
    """Encode a text of any size to a file of ids, which ``TextStreams`` maps.

    The text is read twice, block by block. With tqdm installed, a bar on the
    terminal shows how far it is. A file that already holds the ids of this text, by
    this vocabulary, stays: a second call returns at once if the system reports that
    the text has not been touched. If it has been, or was younger than two seconds when
    it was read, which is too young to tell, the text is read once more.

    Args:
        path: The text. A byte-order mark is left out, line ends are kept as they are.
        out: The file to write. It is complete when it takes the place of an older one.
            It is a safetensors file, whose vector ``ids`` is of the smallest unsigned
            integers that hold them.
        vocabulary: What the ids mean.

            * None for the characters of the text, sorted, as ``Vocabulary(path)`` has
              them.
            * A Vocabulary of characters, of bytes, or of words. Words are what
              ``text.split()`` gives.
            * A tokenizer of your own, with ``encode(text)``, ``decode(ids)`` and
              ``len()``. It is called with parts of about 100,000 characters, which end
              after a line break; after a space if there is no line break, and anywhere
              if there is no space.
        encoding: Python's name of the file's encoding.
        bytes: The ids are the bytes of the file, in a vocabulary of all 256.

    Returns:
        The vocabulary.

    Raises:
        MissingFile: The text does not exist; this is also a FileNotFoundError.
        OptionError: The text is empty, cannot be read, has another encoding (the
            message has the offset of the first wrong byte) or a token that the
            vocabulary lacks; or ``out`` is the text itself.
        IdError: A tokenizer gave an id that is not below its ``len()``.
        CheckpointError: The file cannot be written; the old one at this path stays.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from tinygrad_rnn.data import TextStreams, encode_file
        >>> folder = TemporaryDirectory()
        >>> text, ids = Path(folder.name, "text.txt"), Path(folder.name, "text.ids")
        >>> _ = text.write_text("the cat sat on the mat")
        >>> vocabulary = encode_file(text, ids)
        >>> TextStreams(ids, vocabulary, batch_size=2, seq_len=5)
        TextStreams(22 characters, batch_size=2, seq_len=5: 2 windows)
        >>> folder.cleanup()
    """
    source = _check_source(path, out, encoding, bytes)
    vocabulary = _check_vocabulary(vocabulary, bytes)
    if getattr(vocabulary, "unit", None) == "bytes":
        source.encoding = None
    found = _read_header(out, source, vocabulary)
    if found is None:
        check_writable(out)  # before the text is read
    elif found["status"] is not None and found["status"] == source.status:
        return vocabulary or _vocabulary_of(found)
    with source.progress():
        codes = source.scan(with_codes=vocabulary is None)
        if found and found["sha256"] == source.sha256:
            _keep_status(out, found, source)
            return vocabulary or _vocabulary_of(found)
        return _write(out, source, vocabulary, codes)


# ---------------------------------------------------------------- arguments


def _check_source(path: object, out: object, encoding: object, binary: object) -> Any:
    """Return the text to encode; raise if the arguments cannot be right."""
    name, expected = "encode_file", "a str or a pathlib.Path"
    errors.check_type(name, str | os.PathLike, expected, path=path, out=out)
    errors.check_type(name, str, "the name of an encoding", encoding=encoding)
    errors.check_type(name, bool, "True or False", bytes=binary)
    assert isinstance(path, str | os.PathLike) and isinstance(out, str | os.PathLike)
    assert isinstance(encoding, str)
    try:
        "a".encode(encoding)  # unlike codecs.lookup, for encodings of text alone
    except UnicodeError:
        pass
    except (LookupError, ValueError):
        raise unknown_encoding(name, encoding) from None
    try:
        status = os.stat(path)
        is_same = os.path.exists(out) and os.path.samefile(path, out)
    except OSError as error:
        raise unreadable(name, path, error) from None
    if not stat.S_ISREG(status.st_mode):
        raise errors.OptionError(
            f"{name}: {str(path)!r} is not a regular file, which can be read twice; "
            "write its contents to a file first"
        )
    if is_same:
        raise errors.OptionError(
            f"{name}: out is the text itself, {str(path)!r}; choose another name for "
            "the file of ids"
        )
    codec = None if binary else codecs.lookup(encoding).name
    return _Source(path, codec, status.st_size, _status_of(status))


def _status_of(found: os.stat_result) -> list[int] | None:
    """Return what would change with a file; None if that is not certain yet.

    The times of a file change with it, but no sooner than their clock ticks.
    """
    times = found.st_mtime_ns, found.st_ctime_ns
    if max(times) > time.time_ns() - _YOUNG:
        return None
    return [found.st_size, *times, found.st_ino, found.st_dev]


def _check_vocabulary(given: Any, binary: bool) -> Any:
    """Return the vocabulary that arguments ask for; None for that of the text."""
    if given is None and not binary:
        return None
    if given is None:
        return Vocabulary(b"".join(code.to_bytes() for code in range(256)))
    unit = getattr(given, "unit", "tokens")
    if binary and unit != "bytes":
        raise errors.OptionError(
            f"encode_file: bytes=True with a vocabulary of {unit}, expected one of "
            "bytes, or None for all 256; leave bytes out to encode the text"
        )
    if not hasattr(type(given), "__len__") or not hasattr(given, "encode"):
        raise errors.DTypeError(
            f"encode_file: vocabulary is {errors.describe(given)}, expected a "
            "tg.data.Vocabulary, an object with encode(text) and len(), or None"
        )
    if isinstance(given, str | np.ndarray) or not len(given):
        raise errors.DTypeError(
            f"encode_file: vocabulary is {errors.describe(given)}, expected a "
            "tg.data.Vocabulary, such as tg.data.Vocabulary(characters)"
        )
    return given


# ---------------------------------------------------------------- the text


@dataclass
class _Source:
    """A text that is read in blocks, to encode it."""

    path: FilePath
    encoding: str | None  # None for bytes
    size: int
    status: list[int] | None  # what would change with the text; None if not certain
    sha256: str = ""
    moved_on: Callable[[int], object] = field(default=lambda size: None)

    @contextmanager
    def progress(self) -> Iterator[None]:
        """Show a bar on the terminal, if tqdm is installed."""
        try:
            from tqdm.auto import tqdm
        except ImportError:
            yield
            return
        title = f"encode {os.path.basename(self.path)}"
        with tqdm(
            total=2 * self.size,  # it is read twice
            desc=title,
            unit="B",
            unit_scale=True,
            leave=False,
            disable=None,  # where there is no terminal
        ) as bar:
            self.moved_on = bar.update
            yield

    def header(self) -> dict[str, Any]:
        """Return what the header of a file of ids has about its text."""
        return {"encoding": self.encoding, "sha256": self.sha256, "status": self.status}

    def scan(self, with_codes: bool) -> list[int]:
        """Read the text for its SHA-256, and return its code points if asked to."""
        if not with_codes:
            for _ in self._read():
                pass
            return []
        seen = np.zeros(_CODES, bool)
        for text in self._texts():
            codes = _codes_of(text)
            if not seen.take(codes).all():  # a look-up is faster than an assignment
                seen[codes] = True
        if not seen.any():
            raise self._empty("characters")
        return list(np.flatnonzero(seen).tolist())

    def ids(self, vocabulary: Any) -> Iterator[np.ndarray]:
        """Yield the ids of the text, block by block.

        Raises:
            OptionError: It is not the text that ``scan`` read.
        """
        sha256, self.sha256 = self.sha256, ""
        if not isinstance(vocabulary, Vocabulary):
            blocks = _ids_of_tokenizer(_pieces(self._texts()), vocabulary)
        elif vocabulary.unit == "words":
            blocks = _ids_of_words(self._texts(), vocabulary)
        else:
            blocks = _look_up(self._texts(), vocabulary)
        count = 0
        try:
            for block in blocks:
                count += len(block)
                yield block
        except errors.OptionError as error:
            if not str(error).startswith("Vocabulary.encode"):
                raise
            raise errors.OptionError(
                f"encode_file: {str(self.path)!r}: {error}; leave vocabulary out to "
                "make it of the whole text"
            ) from None
        if not count:
            raise self._empty(getattr(vocabulary, "unit", "tokens"))
        if self.sha256 != sha256:
            raise errors.OptionError(
                f"encode_file: {str(self.path)!r} changed while it was read; encode it "
                "again when nobody writes to it"
            )

    def _empty(self, unit: str) -> errors.OptionError:
        name = f"encode_file: {str(self.path)!r}"
        return errors.OptionError(f"{name} is empty: it has no {unit}")

    def _read(self) -> Iterator[bytes]:
        """Yield the blocks of the file; keep the SHA-256 of what was read."""
        import hashlib  # here, so that the package imports fast

        digest = hashlib.sha256()
        try:
            with open(self.path, "rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
                    yield block
                    self.moved_on(len(block))
        except OSError as error:
            raise unreadable("encode_file", self.path, error) from None
        self.sha256 = digest.hexdigest()

    def _texts(self) -> Iterator[Block]:
        """Yield the text in blocks, without a byte-order mark; or the bytes."""
        if self.encoding is None:
            yield from self._read()
            return
        decoder = codecs.getincrementaldecoder(self.encoding)()
        head, end, is_first = b"", 0, True
        try:
            for block in self._read():
                head, end = head or block[:2], end + len(block)
                text = decoder.decode(block)
                if text:
                    yield text.removeprefix("\ufeff") if is_first else text
                    is_first = False
            yield decoder.decode(b"", final=True)
        except UnicodeError as error:
            raise wrong_encoding(
                "encode_file", self.path, self.encoding, error, head, end
            ) from None


def _codes_of(text: Block) -> np.ndarray:
    """Return the code points of a text, or bytes as they are."""
    if isinstance(text, bytes):
        return np.frombuffer(text, np.uint8)
    # Some encodings have halves of surrogate pairs, which are characters in Python.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _look_up(texts: Iterable[Block], vocabulary: Vocabulary) -> Iterator[np.ndarray]:
    """Yield the ids of characters, or of bytes, by a table of all code points."""
    count, start = len(vocabulary), 0
    table = np.full(_CODES, count, np.min_scalar_type(count))  # count: not there
    assert isinstance(vocabulary.tokens, str | bytes)
    table[_codes_of(vocabulary.tokens)] = np.arange(count)
    for text in texts:
        ids = table.take(_codes_of(text))
        if ids.max(initial=0) == count:
            vocabulary.narrow_ids(text, start)  # raises, with the token's position
        yield ids
        start += len(ids)


def _ids_of_words(
    texts: Iterable[Block], vocabulary: Vocabulary
) -> Iterator[np.ndarray]:
    """Yield the ids of words, which blocks of the text may cut."""
    rest, start = "", 0
    for text in texts:
        assert isinstance(text, str)
        words = (rest + text).split()
        # The last word may go on in the next block.
        ends = not text or text[-1].isspace()
        rest = "" if ends or not words else words.pop()
        yield vocabulary.narrow_ids(words, start)
        start += len(words)
    yield vocabulary.narrow_ids(rest.split(), start)


def _pieces(texts: Iterable[Block]) -> Iterator[str]:
    """Yield a text in pieces that end after a line break, or else after a space."""
    rest = ""
    for text in texts:
        assert isinstance(text, str)
        rest += text
        cut = rest.rfind("\n") + 1 or rest.rfind(" ") + 1 or len(rest)
        if cut:
            yield rest[:cut]
        rest = rest[cut:]
    if rest:
        yield rest


def _ids_of_tokenizer(pieces: Iterable[str], tokenizer: Any) -> Iterator[np.ndarray]:
    """Yield the ids of a tokenizer that a user has passed."""
    start = 0
    for piece in pieces:
        ids = ids_of("encode_file: vocabulary.encode", tokenizer.encode(piece))
        positions = np.arange(start, start + len(ids))
        check_ids("encode_file: vocabulary.encode", ids, len(tokenizer), positions)
        yield ids
        start += len(ids)


# ---------------------------------------------------------------- the file of ids


def _describe(vocabulary: Any) -> dict[str, Any]:
    """Return what the header of a file of ids has about its vocabulary."""
    unit, tokens = "tokens", None
    if isinstance(vocabulary, Vocabulary):
        unit, given = vocabulary.unit, vocabulary.tokens
        tokens = list(map(ord, given)) if isinstance(given, str) else list(given)
    return {"count": len(vocabulary), "unit": unit, "tokens": tokens}


def _vocabulary_of(header: dict[str, Any]) -> Vocabulary:
    """Return the vocabulary in the header of a file of ids."""
    tokens = header["tokens"]
    if header["unit"] == "words":
        return Vocabulary(tokens)
    if header["unit"] == "bytes":
        return Vocabulary(bytes(tokens))
    return Vocabulary("".join(map(chr, tokens)))


def _write(out: FilePath, source: _Source, vocabulary: Any, codes: list[int]) -> Any:
    """Write the ids of a text, and return their vocabulary.

    If that is None, it is made of the code points, which are those of the text.
    """
    header = {"of_text": vocabulary is None, **source.header()}
    if vocabulary is None:
        vocabulary = Vocabulary("".join(map(chr, codes)))
    header |= _describe(vocabulary)
    dtype = np.min_scalar_type(len(vocabulary) - 1)
    save_blocks(out, "ids", dtype, source.ids(vocabulary), {"encoded": header})
    return vocabulary


def _keep_status(out: FilePath, found: dict[str, Any], source: _Source) -> None:
    """Note in a file of ids that its text is the same, so that it is not read again.

    Where the file cannot be written, the text is read the next time too.
    """
    if source.status is not None:
        header = {**found, "status": source.status}
        with suppress(errors.CheckpointError):
            replace_header(out, "ids", {"encoded": header})


def _read_header(
    out: FilePath, source: _Source, vocabulary: Any
) -> dict[str, Any] | None:
    """Return the header of a file of ids; None if ids of the text would be others."""
    try:
        _, header = map_blocks(out, "ids")
    except errors.CheckpointError:
        return None
    found = header.get("encoded")
    is_good = isinstance(found, dict) and _is_of(found, source, vocabulary)
    return found if is_good else None


def _is_of(header: dict[str, Any], source: _Source, vocabulary: Any) -> bool:
    """Return whether ids of the same bytes would be the same."""
    if header["encoding"] != source.encoding:
        return False
    if vocabulary is None:
        return bool(header["of_text"])
    own = _describe(vocabulary)
    is_known = own["tokens"] is not None  # those of a tokenizer are its own affair
    return is_known and all(header[name] == own[name] for name in own)


def open_encoded(
    function: str, path: FilePath, vocabulary: Any
) -> tuple[np.ndarray, Any] | None:
    """Return the ids of a file that :func:`encode_file` wrote, and their vocabulary.

    Args:
        function: The public function, for messages.
        path: A file.
        vocabulary: The vocabulary of the ids; None for the one in the file.

    Returns:
        None if the file is of another kind.

    Raises:
        CheckpointError: The file is damaged.
        OptionError: The ids are of another vocabulary.
    """
    start = b""
    if os.path.isfile(path):  # nothing of a pipe may be lost
        with suppress(OSError), open(path, "rb") as file:
            start = file.read(60)
    if not start[8:].startswith(b'{"__metadata__": {"tinygrad_rnn": '):
        return None
    ids, header = map_blocks(path, "ids")
    found = header["encoded"]
    if vocabulary is None and found["tokens"] is not None:
        return ids, _vocabulary_of(found)
    wrong = f"{function}: the ids in {str(path)!r} are of a vocabulary of "
    wrong += f"{found['count']} {found['unit']}, got {errors.describe(vocabulary)}"
    if vocabulary is None:
        raise errors.OptionError(f"{wrong}; pass the tokenizer that made them")
    own, is_same = _describe(vocabulary), len(vocabulary) == found["count"]
    if own["tokens"] is not None and found["tokens"] is not None:
        is_same = all(own[name] == found[name] for name in own)
    if not is_same:
        raise errors.OptionError(
            f"{wrong} of {len(vocabulary)}; pass what encode_file returned, or None "
            "for the vocabulary in the file"
        )
    return ids, vocabulary
