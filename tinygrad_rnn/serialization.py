"""One safetensors file for arrays and JSON, written so that a crash never costs the old
one.

**The file** is plain safetensors: whatever reads those reads the tensors. Its metadata
has one entry, ``tinygrad_rnn``: the line ``tinygrad_rnn/2 sha256:...``, where 2 is the
version of the format, with the SHA-256 of everything behind that line; then one JSON
object::

    {"header": {...},                what the caller handed over
     "sha256": {"name": "...", ...}} of each tensor: over the line ``F32 [2, 3]`` (its dtype in the
                                     words of safetensors, its shape) and its bytes in
                                     the file

The same arrays and header always give the same file. Version 1 had fewer kinds of nodes
in its trees, and every array was a Tensor's; such files load.

A safetensors file of another tool loads too, after the checks that safetensors makes;
its header is ``{}``. Its float16 and bfloat16 tensors become float32, which holds all
their values.
"""

import errno
import hashlib
import io
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from .errors import CheckpointError, DTypeError, MissingFile, described, file_name
from .tree import JSON

if sys.platform != "win32":
    import fcntl

Path: TypeAlias = (
    str | os.PathLike[str] | Any
)  # or an open file: what has read(), or write()

_LINE = re.compile(r"tinygrad_rnn/(\d+) sha256:([0-9a-f]{64})\n")
_DTYPES = {
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
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_SUPPORTED = ", ".join(dtype.name for dtype in _CODES)
_HALVES = {
    "F16": "<f2",
    "BF16": "<u2",
}  # read, not written; bfloat16 as the bits that it is
_LIMIT = 100_000_000  # bytes of a header: safetensors' own limit
_WAYS_OUT = {
    errno.ENOENT: "; check the name, and that the folder exists",
    errno.EACCES: "; check the permissions of the file and of its folder",
    errno.ENOSPC: "; free some space on that disk",
}


def save_file(
    path: Path, arrays: Mapping[str, np.ndarray], header: Mapping[str, JSON]
) -> None:
    """Write arrays and a JSON header to one safetensors file: whole, or the old file
    stays.

    Args:
        path: A path, or a file that is open for writing bytes: then what it held is not
            kept.
        arrays: The arrays by name.
        header: What else the file has to hold.

    Raises:
        DTypeError: The format cannot hold an array, or the header.
        CheckpointError: The file cannot be written.
    """
    from safetensors.numpy import save

    with _explained("save", path, "write") as shown:
        tensors = {name: _writable(name, array) for name, array in arrays.items()}
        metadata = {"tinygrad_rnn": _document(tensors, header)}
        # Not by save_file of safetensors: that renames a file of its own, with mode
        # 0600 and without a lock, over whatever the target is, be it a device.
        pack = partial(save, tensors, metadata)
        if hasattr(path, "write"):
            _write_into(path, pack())
        else:
            _replace(shown, pack)


def _write_into(file: Any, content: bytes) -> None:
    """Write to a file that somebody else has opened, once the content is checked."""
    _parse(content)
    rest = memoryview(content)
    while rest.nbytes:
        written = file.write(rest)  # an unbuffered file may take a part
        rest = rest[len(rest) if written is None else written :]
    if hasattr(file, "flush"):
        file.flush()


def _replace(shown: str, pack: Callable[[], bytes]) -> None:
    """Put a file with this content in the place of the old one, when it is complete."""
    target = os.path.realpath(
        shown
    )  # a link stays a link: what it points to is replaced
    mode = _mode(shown, target)
    _sweep(target)
    with _temporary(target, mode) as file:
        if mode is not None:
            os.chmod(file.name, mode)  # what the umask took away
        file.write(pack())
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        _parse(file.read())
        if sys.platform == "win32":
            file.close()  # what is open cannot be renamed there
        os.replace(file.name, target)
    # From here on a power cut leaves the new file or the old one, on file systems that
    # cannot flush a folder too: nothing to report.
    with suppress(OSError), ExitStack() as stack:
        folder = os.open(os.path.dirname(target), os.O_RDONLY)
        stack.callback(os.close, folder)
        os.fsync(folder)


def load_file(path: Path) -> tuple[dict[str, np.ndarray], dict[str, JSON]]:
    """The arrays and the header of a safetensors file that passes every check.

    The arrays are writable, and each has its memory to itself. No code runs, and the
    memory it takes is about twice the tensors, besides the metadata as Python objects.

    Args:
        path: A path, or a file that is open for reading bytes, which is read to its
            end.

    Raises:
        CheckpointError: What is wrong with which file.
    """
    with _explained("load", path, "read") as shown:
        if hasattr(path, "read"):
            return _parse(_read_from(path))
        # A FIFO would wait for its writer.
        opener = lambda path, flags: os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
        with open(shown, "rb", opener=opener) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is not a regular file")
            _check_start(
                file.read(100), status.st_size
            )  # the wrong file may be a huge one
            file.seek(0)
            return _parse(file.read())


def _read_from(file: Any) -> bytes:
    """What is left of a file that somebody else has opened."""
    content = bytes(file.read())
    if not content:
        raise ValueError(
            "nothing is left to read in it; file.seek(0) goes back to its start"
        )
    _check_start(content[:100], len(content))
    return content


def _check_start(start: bytes, size: int) -> None:
    """Raise ValueError for the first bytes of a file of another kind, or of one cut
    short.
    """
    length = int.from_bytes(start[:8], "little")
    if length <= min(size - 8, _LIMIT):
        return
    if start[:4] == b"PK\3\4":
        name = start[30 : 30 + int.from_bytes(start[26:28], "little")]
        raise ValueError(_zip_of(name.decode("utf-8", "replace")))
    for signature, kind in _SIGNATURES.items():
        if re.match(signature, start):
            raise ValueError(f"it is {kind}")
    if not size:
        raise ValueError("it is empty")
    if _is_text(start):
        raise ValueError("it looks like text, not like a safetensors file")
    raise ValueError(
        f"it is cut short or not a safetensors file: a header of {length} bytes"
    )


def _is_text(start: bytes) -> bool:
    """Whether the first bytes of a file can be printed."""
    text = start.decode("utf-8", "replace")[:-1]  # the last letter may be cut
    return all(letter.isprintable() or letter in "\t\r\n" for letter in text)


def _zip_of(name: str) -> str:
    """What a zip archive is whose first part has this name, and what to do with it."""
    if name.endswith(".npy"):
        way = "use model.load_state_dict(dict(numpy.load(path)))"
        return f"it is an archive of NumPy, as numpy.savez writes; {way}"
    way = "read it by torch.load(path), then model.load_state_dict(state_dict)"
    return f"it is a zip archive, as torch.save writes; {way}"


_SIGNATURES = {
    rb"\x93NUMPY": "an array of NumPy, as numpy.save writes; load it by numpy.load(path)",
    rb"\x89HDF": "an HDF5 file, as Keras writes; read it by h5py",
    rb"\x80[\x02-\x05]": "a pickle, as torch.save once wrote, which may run any code when it is loaded; if "
    "you trust it, read it by torch.load(path), then model.load_state_dict(state_dict)",
}


def _writable(name: str, array: np.ndarray) -> np.ndarray:
    """The array as it will lie in the file: safetensors would write any memory as it
    is.
    """
    if type(array) is not np.ndarray or array.dtype.newbyteorder("<") not in _CODES:
        came = (
            f"it is a {type(array).__name__} of {getattr(array, 'dtype', 'no dtype')}"
        )
        raise DTypeError(
            f"cannot save {name!r}: {came}, expected a numpy.ndarray of {_SUPPORTED}"
        )
    # Not ascontiguousarray: that makes 0-d arrays 1-d.
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _document(tensors: Mapping[str, np.ndarray], header: Mapping[str, JSON]) -> str:
    """The metadata: the line, and the JSON behind it."""
    digests = {
        n: _digest(a.reshape(-1).data, _CODES[a.dtype], a.shape)
        for n, a in tensors.items()
    }
    try:
        text = json.dumps({"header": dict(header), "sha256": digests}, allow_nan=False)
        if json.loads(text)["header"] != header:
            raise TypeError("it holds a tuple, or a key that is not a str")
    except (TypeError, ValueError, RecursionError) as error:
        raise DTypeError(
            f"save_file: the header is not JSON ({error}); flatten it"
        ) from None
    return f"tinygrad_rnn/2 sha256:{_digest(text.encode())}\n{text}"


def _parse(raw: bytes) -> tuple[dict[str, np.ndarray], dict[str, JSON]]:
    from safetensors import deserialize

    tensors = dict(deserialize(raw))  # type: ignore[no-untyped-call]
    described = _json(raw[8 : 8 + int.from_bytes(raw[:8], "little")].decode())
    del raw
    metadata = described.pop("__metadata__", None) or {}
    # Under any key: a damaged key must not make the file pass for another tool's.
    ours = "tinygrad_rnn" in metadata or any(
        _LINE.match(text) for text in metadata.values()
    )
    digests, header = (
        _check(metadata.get("tinygrad_rnn", "")) if ours else (described, {})
    )
    if odd := digests.keys() ^ tensors.keys():
        raise ValueError(
            f"its tensors are not those it was written with: {sorted(odd)!r:.200}"
        )
    arrays = {}
    for name, digest in digests.items():
        entry = tensors.pop(
            name
        )  # so that its memory is free when the next one is made
        code, shape, data = (entry[key] for key in ("dtype", "shape", "data"))
        if ours and digest != _digest(data, code, shape):
            raise ValueError(f"its tensor {name!r:.80} is damaged: the SHA-256 differs")
        arrays[name] = _array_of(name, code, shape, data)
    return arrays, header


def _array_of(name: str, code: str, shape: Sequence[int], data: Any) -> np.ndarray:
    """A tensor of the file as an array that owns its memory."""
    tensor = f"its tensor {name!r:.80}"
    if code in _HALVES:
        return _widened(code, np.frombuffer(data, _HALVES[code])).reshape(shape)
    if code not in _DTYPES:
        raise ValueError(f"{tensor} is {code}; convert it to one of {_SUPPORTED}")
    flat = np.frombuffer(data, _DTYPES[code])
    if code == "BOOL" and flat.view(np.uint8).max(initial=0) > 1:
        raise ValueError(f"{tensor} is BOOL with bytes other than 0 and 1")
    native = np.dtype(
        flat.dtype.str[1:]
    )  # the very object that NumPy's name of it gives
    return flat.reshape(shape).astype(native)


def _widened(code: str, halves: np.ndarray) -> np.ndarray:
    """float16, or bfloat16, as the float32 of the same value; a bfloat16 is its upper
    half.
    """
    if code == "F16":
        return halves.astype(np.float32)
    return (halves.astype(np.uint32) << 16).view(np.float32)


def _check(text: str) -> tuple[dict[str, str], dict[str, JSON]]:
    """The digests and the header in the metadata that `_document` wrote."""
    line = _LINE.match(text)
    if line and line[1] not in ("1", "2"):
        known = f"version {line[1]:.20}; this package reads 1 and 2"
        raise ValueError(f"its format is {known}: update tinygrad_rnn")
    if line and line[2] == _digest(text[line.end() :].encode()):
        match _json(text[line.end() :]):
            case {"header": dict(header), "sha256": dict(digests)}:
                return digests, _upgraded(header) if line[1] == "1" else header
    raise ValueError("its metadata is damaged: the SHA-256 differs")


def _upgraded(node: JSON) -> JSON:
    """A node of version 1, where an array was always a Tensor's."""
    if isinstance(node, list):
        return [_upgraded(item) for item in node]
    if not isinstance(node, dict):
        return node
    if list(node) == ["$array"]:
        return {"$tensor": node["$array"]}
    return {key: _upgraded(item) for key, item in node.items()}


def _json(text: str) -> Any:
    def unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
        if len(result := dict(pairs)) < len(pairs):
            raise ValueError("its JSON has a key twice in one object")
        return result

    return json.loads(
        text, object_pairs_hook=unique, parse_constant=int
    )  # int refuses NaN


def _digest(data: Any, code: str = "", shape: Sequence[int] = ()) -> str:
    digest = hashlib.sha256(f"{code} {list(shape)}\n".encode() if code else b"")
    digest.update(data)
    return digest.hexdigest()


def _mode(shown: str, target: str) -> int | None:
    """The permissions of the file to replace, None where there is none yet."""
    if os.path.isdir(target) or not os.path.basename(shown):
        raise ValueError("it is a folder; add the name of a file")
    if not os.path.lexists(target):
        return None
    if not stat.S_ISREG(mode := os.stat(target).st_mode):
        raise ValueError("it is not a regular file; choose another name")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only")
    return mode & 0o777


@contextmanager
def _temporary(target: str, mode: int | None) -> Iterator[BinaryIO]:
    """A new file beside the target, locked, so that no `_sweep` takes it; in the end it
    is gone.
    """
    folder, name = os.path.split(target)
    opener = lambda path, flags: os.open(path, flags, 0o666 if mode is None else mode)
    while True:
        path = os.path.join(folder, f".{name}.{os.urandom(8).hex()}.tmp")
        try:
            with open(path, "x+b", opener=opener) as file:
                if sys.platform != "win32":
                    with suppress(
                        OSError
                    ):  # where nothing can be locked, nothing is swept
                        fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(
                    file.fileno()
                ).st_nlink:  # else it was swept before it was locked
                    yield file
                    return
        finally:
            with suppress(OSError):  # it has been renamed if all went well
                os.unlink(path)


def _sweep(target: str) -> None:
    """Removes what killed processes left of their temporary files for this target."""
    folder, name = os.path.split(target)
    left_over = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}\.tmp")
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if left_over.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError), open(entry.path, "r+b") as file:
                    if sys.platform == "win32":
                        file.close()  # there unlink fails while the writer has it open
                    else:
                        fcntl.flock(
                            file, fcntl.LOCK_EX | fcntl.LOCK_NB
                        )  # fails likewise
                    os.unlink(entry.path)


@contextmanager
def _explained(attempt: str, path: Path, method: str) -> Iterator[str]:
    """The path as text; what goes wrong with it becomes a `CheckpointError` that names
    it.

    ``method`` is what a file has that somebody else has opened for this.
    """
    from safetensors import SafetensorError

    shown = _shown(attempt, path, method)
    try:
        yield shown
    except (
        OSError,
        ValueError,
        OverflowError,
        RecursionError,
        MemoryError,
        SafetensorError,
    ) as e:
        way_out = _WAYS_OUT.get(getattr(e, "errno", 0), "")
        reason = (
            str(e) or "it does not fit into memory"
        )  # MemoryError says nothing itself
        if isinstance(e, OSError) and e.errno and e.strerror:
            reason = f"[Errno {e.errno}] {e.strerror}"  # without the name of a temporary file
        kind = MissingFile if isinstance(e, FileNotFoundError) else CheckpointError
        raise kind(f"cannot {attempt} {shown!r}: {reason}{way_out}") from e


def _shown(attempt: str, path: Path, method: str) -> str:
    """How messages name a path or an open file; raises DTypeError for anything else."""
    if isinstance(path, str | bytes | os.PathLike):
        return file_name(path)
    if isinstance(path, io.TextIOBase):
        way = f"open it by open(path, {method[0] + 'b'!r})"
        raise DTypeError(
            f"cannot {attempt}: path is a file of text, expected one of bytes; {way}"
        )
    if not hasattr(path, method):
        expected = f"a str, a pathlib.Path, or a file with {method}()"
        raise DTypeError(
            f"cannot {attempt}: path is {described(path)}, expected {expected}"
        )
    return file_name(path)
