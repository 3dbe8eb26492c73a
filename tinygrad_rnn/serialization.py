"""Safetensors files of arrays and JSON, written so that a crash keeps the old file.

Each file is a plain safetensors file, whose tensors any such tool can read. One entry
of its metadata, ``tinygrad_rnn``, holds a line and a JSON object. The line is
``tinygrad_rnn/2 sha256:...``: the version of the format, and the SHA-256 of the JSON
that follows::

    {"header": {...},                 what the caller passed
     "sha256": {"name": "...", ...}}  of each tensor

The digest of a tensor covers a line such as ``F32 [2, 3]``, with its shape and with its
dtype as safetensors names it, and its bytes in the file. The same arrays and header
always make the same file. In version 1 trees had fewer kinds of nodes, and every array
was a Tensor's; such files still load.

Safetensors files of other tools load as well, after the checks of safetensors itself;
their header is ``{}``. float16 and bfloat16 tensors become float32, which holds all of
their values.
"""

import errno
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, Any, BinaryIO, TypeAlias

import numpy as np

from .errors import CheckpointError, DTypeError, Error, MissingFile, describe, file_name

if sys.platform != "win32":
    import fcntl

JSON: TypeAlias = Any  # None, bool, int, float, str; lists, and dicts of str keys
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
Contents: TypeAlias = tuple[dict[str, np.ndarray], dict[str, JSON]]

_LINE = re.compile(r"tinygrad_rnn/(\d+) sha256:([0-9a-f]{64})\n")
DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F32": "<f4",
    "F64": "<f8",
}
_CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}
_SUPPORTED = ", ".join(dtype.name for dtype in _CODES)
_MOST_ITEMS = 2**63  # of a vector; no file has more
_SPARE = 128  # bytes behind the header of a file of blocks, for one that is longer
_MAX_HEADER = 100_000_000  # bytes; the limit of safetensors itself
_WAYS_OUT = {
    errno.ENOENT: "; check the name, and that the folder exists",
    errno.EACCES: "; check the permissions of the file and of its folder",
    errno.ENOSPC: "; free some space on that disk",
}
_BY_TORCH = "read it by torch.load(path), then model.load_state_dict(state_dict)"
# What the first bytes of files of other kinds are, and what to do with these files.
_OTHER_KINDS = {
    rb"\x93NUMPY": "an array of NumPy, as numpy.save writes; "
    "load it by numpy.load(path)",
    rb"\x89HDF": "an HDF5 file, as Keras writes; read it by h5py",
    rb"\x80[\x02-\x05]": "a pickle, as torch.save once wrote, which may run any code "
    f"when it is loaded; if you trust it, {_BY_TORCH}",
    rb"PK\x03\x04.{26}[^\0]*\.npy": "an archive of NumPy, as numpy.savez writes; "
    "use model.load_state_dict(dict(numpy.load(path)))",
    rb"PK\x03\x04": f"a zip archive, as torch.save writes; {_BY_TORCH}",
}


def save_file(
    path: FileLike, arrays: Mapping[str, np.ndarray], header: Mapping[str, JSON]
) -> None:
    """Write arrays and a JSON header to a safetensors file.

    Args:
        path: A path, where the new file takes the old one's place once it is complete;
            or a file that is open for writing bytes.
        arrays: The arrays by name.
        header: Any JSON object.

    Raises:
        DTypeError: The format cannot hold an array or the header.
        CheckpointError: The file cannot be written; the old one at this path stays.
    """
    from safetensors.numpy import save

    with _translate_errors("save", path, "write") as shown:
        tensors = {name: _prepare(name, array) for name, array in arrays.items()}
        metadata = {"tinygrad_rnn": _make_metadata(tensors, header)}
        # save_file of safetensors would rename a file of its own, with mode 0600 and
        # without a lock, over whatever the target is, be it a device.
        pack = partial(save, tensors, metadata)
        if hasattr(path, "write"):
            _write_into(path, pack())
        else:
            _replace(shown, pack)


def _write_into(file: Any, content: bytes) -> None:
    """Check the content, and write it to a file that the caller has opened."""
    _parse(content)
    rest = memoryview(content)
    while rest.nbytes:
        written = file.write(rest)  # an unbuffered file may take a part
        rest = rest[len(rest) if written is None else written :]
    if hasattr(file, "flush"):
        file.flush()


def _replace(shown: str, pack: Callable[[], bytes]) -> None:
    """Replace the file of this name by one with the packed content."""
    with _replacing(shown) as file:
        file.write(pack())
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        _parse(file.read())


@contextmanager
def _replacing(shown: str) -> Iterator[BinaryIO]:
    """Yield a new file, which takes the place of the file of this name at the end."""
    target = os.path.realpath(shown)  # a link stays; the file that it names is replaced
    mode = _permissions(shown, target)
    _sweep(target)
    with _open_temporary(target, mode) as file:
        if mode is not None:
            os.chmod(file.name, mode)  # gives back what the umask took away
        yield file
        if sys.platform == "win32":
            file.close()  # an open file cannot be renamed there
        os.replace(file.name, target)
    # From here on a power cut leaves the new file or the old one. Some file systems
    # cannot flush a folder, which is not an error.
    with suppress(OSError):
        folder = os.open(os.path.dirname(target), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def save_blocks(
    path: FileLike,
    name: str,
    dtype: np.dtype,
    blocks: Iterable[np.ndarray],
    header: Mapping[str, JSON],
) -> None:
    """Write a vector that comes in blocks, and need not fit into memory.

    :func:`load_file` reads the file too, if its vector fits into memory.

    Args:
        path: A path, where the new file takes the old one's place once it is complete.
        name: The name of the vector in the file.
        dtype: Its dtype.
        blocks: The parts of the vector, one after the other. What they raise is
            passed on, and the old file stays.
        header: Any JSON object.

    Raises:
        DTypeError: The format cannot hold the header.
        CheckpointError: The file cannot be written; the old one at this path stays.
    """
    with _translate_errors("save", path, "write") as shown, _replacing(shown) as file:
        # The header comes first, and is longest for the longest vector.
        most = _start_of_blocks(name, dtype, _MOST_ITEMS, "0" * 64, header)
        start = len(most) + _SPARE
        file.seek(start)
        for block in blocks:
            file.write(_prepare(name, block.astype(dtype, copy=False)).data)
        size = file.tell() - start
        file.seek(start)
        digest = _digest(
            iter(partial(file.read, 2**20), b""),
            _CODES[dtype],
            [size // dtype.itemsize],
        )
        text = _start_of_blocks(name, dtype, size // dtype.itemsize, digest, header)
        file.seek(0)
        file.write(_pad_start(text, start))
        file.flush()
        os.fsync(file.fileno())


def replace_header(path: FileLike, name: str, header: Mapping[str, JSON]) -> None:
    """Replace the header of a file that :func:`save_blocks` wrote, where it stands.

    The vector is not read. A file that a power cut leaves half-written is damaged. If
    there is no room for the header, the old one stays.

    Raises:
        CheckpointError: The file cannot be written, is damaged or of another kind.
    """
    with _translate_errors("save", path, "write") as shown:
        with _open_regular(shown) as file:
            start, dtype, count, digests, _ = _read_start(file, name)
        text = _start_of_blocks(name, dtype, count, digests[name], header)
        if len(text) <= start:
            with open(shown, "r+b") as file:
                file.write(_pad_start(text, start))


def check_writable(path: FileLike) -> None:
    """Raise CheckpointError if no file can be written at this path.

    Call it before the work of which the file is to keep the result.
    """
    with _translate_errors("save", path, "write") as shown:
        target = os.path.realpath(shown)
        with _open_temporary(target, _permissions(shown, target)):
            pass


def _start_of_blocks(
    name: str, dtype: np.dtype, count: int, digest: str, header: Mapping[str, JSON]
) -> bytes:
    """Return what comes before the vector of a file of blocks."""
    import json

    entry = {
        "dtype": _CODES[dtype],
        "shape": [count],
        "data_offsets": [0, count * dtype.itemsize],
    }
    metadata = {"tinygrad_rnn": _metadata_of({name: digest}, header)}
    text = json.dumps({"__metadata__": metadata, name: entry}).encode()
    return len(text).to_bytes(8, "little") + text.ljust(-len(text) % 8 + len(text))


def _pad_start(text: bytes, start: int) -> bytes:
    """Return what comes before a vector, with spaces up to where that starts."""
    return (start - 8).to_bytes(8, "little") + text[8:].ljust(start - 8)


def map_blocks(path: FileLike, name: str) -> tuple[np.ndarray, dict[str, JSON]]:
    """Open a vector that :func:`save_blocks` wrote, without reading it.

    Returns:
        The vector, memory-mapped and read-only, and the header. The vector is as long
        as the file says; its SHA-256 is not compared, as that would read all of it.

    Raises:
        CheckpointError: The file cannot be read, is damaged or of another kind.
    """
    with _translate_errors("load", path, "read") as shown, _open_regular(shown) as file:
        start, dtype, count, _, header = _read_start(file, name)
        return np.memmap(file, dtype, "r", start, (count,)), header


def _read_start(
    file: BinaryIO, name: str
) -> tuple[int, np.dtype, int, dict[str, str], dict[str, JSON]]:
    """Read what comes before the vector of a file of blocks.

    Returns:
        Where the vector starts, its dtype and length, its digest, and the header.
    """
    length = int.from_bytes(file.read(8), "little")
    match _read_json(file.read(length).decode()):
        case {"__metadata__": {"tinygrad_rnn": str(metadata)}, **entries}:
            digests, header = _read_metadata(metadata)
        case _:
            raise ValueError("it is not a file of this package")
    match entries.get(name):
        case {"dtype": str(code), "shape": [int(count)]} if code in DTYPES:
            dtype = np.dtype(DTYPES[code])
        case _:
            raise ValueError(f"it has no vector {name!r}")
    size = 8 + length + count * dtype.itemsize
    if len(entries) > 1 or size != os.fstat(file.fileno()).st_size:
        raise ValueError("it is cut short, or has more than its header says")
    return 8 + length, dtype, count, digests, header


def load_file(path: FileLike) -> Contents:
    """Read the arrays and the header of a safetensors file, and check all of it.

    No code runs. Loading takes about twice the memory of the tensors, besides the
    metadata as Python objects.

    Args:
        path: A path, or a file that is open for reading bytes, which is read to its
            end.

    Returns:
        Writable arrays by name, no two of which share memory, and the header.

    Raises:
        CheckpointError: The file cannot be read, is damaged or of another kind.
    """
    with _translate_errors("load", path, "read") as shown:
        if hasattr(path, "read"):
            return _parse(_read_from(path))
        with _open_regular(shown) as file:
            return _parse(file.read())


@contextmanager
def _open_regular(shown: str) -> Iterator[BinaryIO]:
    """Open a file for reading; raise if it cannot be a whole safetensors file."""
    with open(shown, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        _check_start(file.read(100), status.st_size)  # before all of it is read
        file.seek(0)
        yield file


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; do not wait for the writer if it is a FIFO."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read_from(file: Any) -> bytes:
    """Read the rest of a file that the caller has opened."""
    content = bytes(file.read())
    if not content:
        raise ValueError(
            "nothing is left to read in it; file.seek(0) goes back to its start"
        )
    _check_start(content[:100], len(content))
    return content


def _check_start(start: bytes, size: int) -> None:
    """Raise if a file that starts like this cannot be a whole safetensors file."""
    length = int.from_bytes(start[:8], "little")
    if length <= min(size - 8, _MAX_HEADER):
        return
    for pattern, kind in _OTHER_KINDS.items():
        if re.match(pattern, start, re.DOTALL):
            raise ValueError(f"it is {kind}")
    if not size:
        raise ValueError("it is empty")
    text = start.decode("utf-8", "replace")[:-1]  # the last letter may be cut
    if all(letter.isprintable() or letter in "\t\r\n" for letter in text):
        raise ValueError("it looks like text, not like a safetensors file")
    raise ValueError(
        f"it is cut short or not a safetensors file: a header of {length} bytes"
    )


def _prepare(name: str, array: np.ndarray) -> np.ndarray:
    """Return the array in the byte order and layout of the file, or raise."""
    if type(array) is not np.ndarray or array.dtype.newbyteorder("<") not in _CODES:
        dtype = getattr(array, "dtype", "no dtype")
        raise DTypeError(
            f"cannot save {name!r}: it is a {type(array).__name__} of {dtype}, "
            f"expected a numpy.ndarray of {_SUPPORTED}"
        )
    # Not ascontiguousarray, which makes 0-d arrays 1-d.
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _make_metadata(
    tensors: Mapping[str, np.ndarray], header: Mapping[str, JSON]
) -> str:
    """Return our entry of the metadata: the line, and the JSON behind it."""
    digests = {
        name: _digest([array.reshape(-1).data], _CODES[array.dtype], array.shape)
        for name, array in tensors.items()
    }
    return _metadata_of(digests, header)


def _metadata_of(digests: Mapping[str, str], header: Mapping[str, JSON]) -> str:
    """Return our entry of the metadata, of the digests of the tensors and a header."""
    import json  # here, so that the package imports fast

    try:
        text = json.dumps({"header": dict(header), "sha256": digests}, allow_nan=False)
        if json.loads(text)["header"] != header:
            raise TypeError("it holds a tuple, or a key that is not a str")
    except (TypeError, ValueError, RecursionError) as error:
        raise DTypeError(
            f"save_file: the header is not JSON ({error}); flatten it"
        ) from None
    return f"tinygrad_rnn/2 sha256:{_digest([text.encode()])}\n{text}"


def _parse(raw: bytes) -> Contents:
    """Return the contents of a file; raise ValueError if anything in it is wrong."""
    from safetensors import deserialize

    tensors = dict(deserialize(raw))  # type: ignore[no-untyped-call]
    entries = _read_json(raw[8 : 8 + int.from_bytes(raw[:8], "little")].decode())
    del raw
    metadata = entries.pop("__metadata__", None) or {}
    # Under any key: a damaged key must not make the file pass for another tool's.
    ours = "tinygrad_rnn" in metadata or any(map(_LINE.match, metadata.values()))
    digests: dict[str, JSON] = entries
    header: dict[str, JSON] = {}
    if ours:
        digests, header = _read_metadata(metadata.get("tinygrad_rnn", ""))
    if odd := digests.keys() ^ tensors.keys():
        raise ValueError(
            f"its tensors are not those it was written with: {sorted(odd)!r:.200}"
        )
    arrays = {}
    for name, digest in digests.items():
        entry = tensors.pop(name)  # its memory is free before the next array is made
        code, shape, data = entry["dtype"], entry["shape"], entry["data"]
        if ours and digest != _digest([data], code, shape):
            raise ValueError(f"its tensor {name!r:.80} is damaged: the SHA-256 differs")
        arrays[name] = _array_of(name, code, shape, data)
    return arrays, header


def _array_of(name: str, code: str, shape: Sequence[int], data: bytes) -> np.ndarray:
    """Return a tensor of the file as an array that owns its memory."""
    if code == "F16":
        return np.frombuffer(data, "<f2").reshape(shape).astype(np.float32)
    if code == "BF16":  # the upper half of a float32
        halves = np.frombuffer(data, "<u2").reshape(shape)
        return (halves.astype(np.uint32) << 16).view(np.float32)
    tensor = f"its tensor {name!r:.80}"
    if code not in DTYPES:
        raise ValueError(f"{tensor} is {code}; convert it to one of {_SUPPORTED}")
    flat = np.frombuffer(data, DTYPES[code])
    if code == "BOOL" and flat.view(np.uint8).max(initial=0) > 1:
        raise ValueError(f"{tensor} is BOOL with bytes other than 0 and 1")
    # The very dtype object that NumPy's name stands for, such as np.dtype("f4").
    return flat.reshape(shape).astype(np.dtype(flat.dtype.str[1:]))


def _read_metadata(text: str) -> tuple[dict[str, str], dict[str, JSON]]:
    """Return the digests and the header of metadata; raise if it is damaged."""
    line = _LINE.match(text)
    if line and line[1] not in ("1", "2"):
        raise ValueError(
            f"its format is version {line[1]:.20}; this package reads 1 and 2: "
            "update tinygrad_rnn"
        )
    if line and line[2] == _digest([text[line.end() :].encode()]):
        match _read_json(text[line.end() :]):
            case {"header": dict(header), "sha256": dict(digests)}:
                return digests, _upgrade(header) if line[1] == "1" else header
    raise ValueError("its metadata is damaged: the SHA-256 differs")


def _upgrade(node: JSON) -> JSON:
    """Return a node of version 1, where every array was a Tensor's, as version 2."""
    if isinstance(node, list):
        return [_upgrade(item) for item in node]
    if not isinstance(node, dict):
        return node
    if list(node) == ["$array"]:
        return {"$tensor": node["$array"]}
    return {key: _upgrade(item) for key, item in node.items()}


def _read_json(text: str) -> Any:
    """Read JSON; raise ValueError for NaN, Infinity and keys that occur twice."""
    import json

    # int() raises for the names of constants.
    return json.loads(text, object_pairs_hook=_dict_of_unique, parse_constant=int)


def _dict_of_unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("its JSON has a key twice in one object")
    return result


def _digest(blocks: Iterable[Any], code: str = "", shape: Sequence[int] = ()) -> str:
    """Return the SHA-256 of a text, or of a tensor with its dtype and shape."""
    import hashlib  # here, so that the package imports fast

    digest = hashlib.sha256(f"{code} {list(shape)}\n".encode() if code else b"")
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _permissions(shown: str, target: str) -> int | None:
    """Return the permissions of the file to replace; None if there is none yet."""
    if os.path.isdir(target) or not os.path.basename(shown):
        raise ValueError("it is a folder; add the name of a file")
    if not os.path.lexists(target):
        return None
    mode = os.stat(target).st_mode
    if not stat.S_ISREG(mode):
        raise ValueError("it is not a regular file; choose another name")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only")
    return mode & 0o777


@contextmanager
def _open_temporary(target: str, mode: int | None) -> Iterator[BinaryIO]:
    """Open a new file beside the target, and delete it at the end if it is still there.

    It is locked, so that no other process sweeps it.
    """
    folder, name = os.path.split(target)

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags, 0o666 if mode is None else mode)

    while True:
        path = os.path.join(folder, f".{name}.{os.urandom(8).hex()}.tmp")
        try:
            with open(path, "x+b", opener=opener) as file:
                if sys.platform != "win32":
                    # Where nothing can be locked, nothing is swept.
                    with suppress(OSError):
                        fcntl.flock(file, fcntl.LOCK_EX)
                was_swept = os.fstat(file.fileno()).st_nlink == 0  # before the lock
                if not was_swept:
                    yield file
                    return
        finally:
            with suppress(OSError):  # it has been renamed if all went well
                os.unlink(path)


def _sweep(target: str) -> None:
    """Delete the temporary files that killed processes left beside the target."""
    folder, name = os.path.split(target)
    left_over = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}\.tmp")
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if left_over.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError), open(entry.path, "r+b") as file:
                    # A file that somebody is writing cannot be locked, or deleted.
                    if sys.platform == "win32":
                        file.close()
                    else:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(entry.path)


@contextmanager
def _translate_errors(attempt: str, path: FileLike, method: str) -> Iterator[str]:
    """Yield the path as text; turn errors into a CheckpointError that names it.

    An open file has to have this ``method``.
    """
    from safetensors import SafetensorError

    shown = _check_path(attempt, path, method)
    errors = OSError, ValueError, OverflowError, RecursionError, MemoryError
    try:
        yield shown
    except Error:  # ours, such as those of a text that is encoded on the way
        raise
    except (*errors, SafetensorError) as error:
        # A MemoryError has no text; an OSError's would name a temporary file.
        reason = str(error) or "it does not fit into memory"
        if isinstance(error, OSError) and error.errno and error.strerror:
            reason = f"[Errno {error.errno}] {error.strerror}"
        reason += _WAYS_OUT.get(getattr(error, "errno", 0), "")
        is_missing = isinstance(error, FileNotFoundError)
        kind = MissingFile if is_missing else CheckpointError
        raise kind(f"cannot {attempt} {shown!r}: {reason}") from error


def _check_path(attempt: str, path: object, method: str) -> str:
    """Return how messages name a path or an open file; raise if it is neither."""
    if isinstance(path, io.TextIOBase):
        raise DTypeError(
            f"cannot {attempt}: path is a file of text, expected one of bytes; open it "
            f"by open(path, '{method[0]}b')"
        )
    if not isinstance(path, str | bytes | os.PathLike) and not hasattr(path, method):
        raise DTypeError(
            f"cannot {attempt}: path is {describe(path)}, expected a str, a "
            f"pathlib.Path, or a file with {method}()"
        )
    return file_name(path)
