"""One safetensors file for arrays and JSON, written so that a crash never costs the old one.

**The file** is plain safetensors: whatever reads those reads the tensors. Its metadata has one
entry, ``tinygrad_rnn``: the line ``tinygrad_rnn/1 sha256:...``, where 1 is the version of the
format, with the SHA-256 of everything behind that line; then one JSON object::

    {"header": {...},                what the caller handed over
     "sha256": {"name": "...", ...}} of each tensor: over the line ``F32 [2, 3]`` (its dtype in the
                                     words of safetensors, its shape) and its bytes in the file

The same arrays and header always give the same file. A safetensors file of another tool loads
too, after the checks that safetensors makes; its header is ``{}``.

**A tree** of dicts with string keys, lists, tuples, None, bool, int, float, str and arrays becomes
JSON and named arrays by `flatten`. JSON stands for itself; for what it has no words, there is an
object with one key that starts with a dollar sign:

* ``{"$array": "model/0/weight"}``: an array, by its name: the keys and indices that lead to it,
  joined by slashes; inside a key ``~`` is ``~0`` and ``/`` is ``~1``, as in RFC 6901
* ``{"$tuple": [0.9, 0.999]}``: a tuple
* ``{"$int": "0x20000000000000"}``: an int from 2**53 on, which many readers of JSON would round
* ``{"$float": "7ff0000000000000"}``: inf, -inf or a nan, as the 64 bits of IEEE 754

A key of the user's own that starts with a dollar sign gets a second one in front.
"""

import contextlib
import errno
import math
import os
import re
import stat
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from .errors import CheckpointError, DTypeError

if sys.platform != "win32":
    import fcntl

JSON: TypeAlias = Any  # None, bool, int, float, str, or lists and dicts with string keys of these
Array: TypeAlias = np.ndarray[Any, Any]
Path: TypeAlias = str | os.PathLike[str]

_KEY = "tinygrad_rnn"
_LINE = re.compile(r"tinygrad_rnn/(\d+) sha256:([0-9a-f]{64})\n")
_DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "U64": "<u8",
    "I32": "<i4",
    "I64": "<i8",
    "F32": "<f4",
    "F64": "<f8",
}
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_SUPPORTED = ", ".join(dtype.name for dtype in _CODES)
_LONGEST_HEADER = 100_000_000  # in safetensors, too
_DEPTH = 100  # of a tree: far above any real state, far below Python's recursion limit
_WAYS_OUT = {
    errno.ENOENT: "; check the name, and that the folder exists",
    errno.EACCES: "; check the permissions of the file and of its folder",
    errno.ENOSPC: "; free some space on that disk",
}


def save_file(path: Path, arrays: Mapping[str, Array], header: Mapping[str, JSON]) -> None:
    """Writes arrays and a JSON header to one safetensors file: whole, or the old file stays.

    Raises `DTypeError` for what the format cannot hold, `CheckpointError` for what the disk
    refuses.
    """
    from safetensors.numpy import save

    shown = _text(path)
    tensors = {name: _writable(name, array) for name, array in arrays.items()}
    metadata = {_KEY: _document(tensors, header)}
    with _explained(f"cannot save {shown!r}"):
        target = os.path.realpath(shown)  # a link stays a link: what it points to is replaced
        mode = _mode(shown, target)
        _sweep(target)
        with _temporary(target, mode) as file:
            # Not by save_file of safetensors: that renames a file of its own, with mode 0600 and
            # without a lock, over whatever the target is, be it a device.
            file.write(save(tensors, metadata))
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            _parse(file.read())
            if sys.platform == "win32":
                file.close()  # what is open cannot be renamed there
            os.replace(file.name, target)
        # From here on a power cut leaves the new file or the old one, on file systems that cannot
        # flush a folder too: nothing to report.
        with contextlib.suppress(OSError):
            folder = os.open(os.path.dirname(target), os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def load_file(path: Path) -> tuple[dict[str, Array], dict[str, JSON]]:
    """The arrays and the header of a safetensors file that passes every check.

    The arrays are writable, and each has its memory to itself. No code runs, and the memory it
    takes is about twice the tensors, besides the metadata as Python objects. Raises
    `CheckpointError`: what is wrong with which file.
    """
    shown = _text(path)
    with _explained(f"cannot load {shown!r}"), open(shown, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        length = int.from_bytes(file.read(8), "little")
        if length > min(status.st_size - 8, _LONGEST_HEADER):  # the wrong file may be a huge one
            raise ValueError(
                f"it is cut short or no safetensors file: {length} is no length of a header in "
                f"{status.st_size} bytes"
            )
        file.seek(0)
        return _parse(file.read())


def flatten(tree: Any) -> tuple[JSON, dict[str, Array]]:
    """A tree as JSON, and its arrays by name; `unflatten` makes the same tree of them, bit for bit.

    Raises `DTypeError` with the path to what a tree cannot hold.

    >>> flatten({"step": 3, "betas": (0.9, 0.99), "m": [np.zeros(1)]})
    ({'step': 3, 'betas': {'$tuple': [0.9, 0.99]}, 'm': [{'$array': 'm/0'}]}, {'m/0': array([0.])})
    """
    arrays: dict[str, Array] = {}
    return _encode(tree, (), arrays), arrays


def unflatten(json_tree: JSON, arrays: Mapping[str, Array]) -> Any:
    """The tree that `flatten` took apart; `CheckpointError` where `flatten` cannot have done so."""
    return _decode(json_tree, (), arrays)


def _encode(value: Any, path: tuple[str, ...], arrays: dict[str, Array]) -> JSON:
    kind = type(value)  # exactly: a subclass would come back as something else
    if value is None or kind in (bool, str):
        return value
    if kind is int:
        return value if abs(value) < 2**53 else {"$int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": struct.pack(">d", value).hex()}
    if kind is np.ndarray:
        name = "/".join(key.replace("~", "~0").replace("/", "~1") for key in path)
        arrays[name] = value
        return {"$array": name}
    place = f"flatten: {_place(path)}"
    if kind not in (dict, list, tuple):
        raise DTypeError(
            f"{place} is a {kind.__module__}.{kind.__qualname__}, expected exactly a dict, list, "
            "tuple, None, bool, int, float, str or numpy.ndarray (of a NumPy scalar, its .item())"
        )
    if len(path) == _DEPTH:
        raise DTypeError(f"{place} lies {_DEPTH} deep; does it contain itself?")
    if kind is not dict:
        items = [_encode(item, (*path, str(index)), arrays) for index, item in enumerate(value)]
        return items if kind is list else {"$tuple": items}
    result = {}
    for key, item in value.items():
        if type(key) is not str:
            raise DTypeError(f"{place} has the key {key!r}, expected a str")
        result["$" + key if key.startswith("$") else key] = _encode(item, (*path, key), arrays)
    return result


def _decode(value: JSON, path: tuple[str, ...], arrays: Mapping[str, Array]) -> Any:
    place = f"unflatten: {_place(path)}"
    if len(path) > _DEPTH:
        raise CheckpointError(f"{place} lies more than {_DEPTH} deep")
    if isinstance(value, list):
        return [_decode(item, (*path, str(index)), arrays) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if not any(re.match(r"\$(?!\$)", key) for key in value):
        plain = {key.removeprefix("$"): item for key, item in value.items()}
        return {key: _decode(item, (*path, key), arrays) for key, item in plain.items()}
    match list(value.items()):
        case [("$array", str(name))] if name in arrays:
            return arrays[name]
        case [("$tuple", list(items))]:
            return tuple(_decode(items, path, arrays))
        case [("$int", str(digits))] if re.fullmatch("-?0x[0-9a-f]+", digits):
            return int(digits, 16)
        case [("$float", str(bits))] if re.fullmatch("[0-9a-f]{16}", bits):
            return struct.unpack(">d", bytes.fromhex(bits))[0]
    raise CheckpointError(
        f"{place} has the keys {list(value)!r:.80}: no work of flatten, or its array is missing"
    )


def _place(path: tuple[str, ...]) -> str:
    return repr("/".join(path)) if path else "the tree"


def _text(path: Path) -> str:
    try:
        return os.fsdecode(path)
    except TypeError as error:
        raise DTypeError(f"path: {error}") from None


def _writable(name: str, array: Array) -> Array:
    """The array as it will lie in the file: safetensors would write any memory as it is."""
    if type(array) is not np.ndarray or array.dtype.newbyteorder("<") not in _CODES:
        kind = f"{type(array).__name__} of {getattr(array, 'dtype', 'no dtype')}"
        raise DTypeError(
            f"save_file: tensor {name!r} is a {kind}, expected a numpy.ndarray of {_SUPPORTED}"
        )
    # Not ascontiguousarray: that makes 0-d arrays 1-d.
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _document(tensors: Mapping[str, Array], header: Mapping[str, JSON]) -> str:
    import json

    digests = {
        name: _digest(array.reshape(-1).view(np.uint8).data, _CODES[array.dtype], array.shape)
        for name, array in tensors.items()
    }
    try:
        text = json.dumps({"header": dict(header), "sha256": digests}, allow_nan=False)
        if json.loads(text)["header"] != header:
            raise TypeError("it holds a tuple, or a key that is not a str")
    except (TypeError, ValueError, RecursionError) as error:
        raise DTypeError(
            f"save_file: the header is not JSON ({error}); flatten makes it so"
        ) from None
    return f"{_KEY}/1 sha256:{_digest(text.encode())}\n{text}"


def _parse(raw: bytes) -> tuple[dict[str, Array], dict[str, JSON]]:
    from safetensors import deserialize

    tensors = dict(deserialize(raw))  # type: ignore[no-untyped-call]
    described = _json(raw[8 : 8 + int.from_bytes(raw[:8], "little")].decode())
    del raw
    metadata = described.pop("__metadata__", None) or {}
    # Under any key: a damaged key must not make the file pass for another tool's.
    ours = _KEY in metadata or any(_LINE.match(text) for text in metadata.values())
    digests, header = _check(metadata.get(_KEY, "")) if ours else (described, {})
    if odd := digests.keys() ^ tensors.keys():
        raise ValueError(f"its tensors are not those it was written with: {sorted(odd)!r:.200}")
    arrays = {}
    for name, digest in digests.items():
        code, shape, data = (tensors[name][key] for key in ("dtype", "shape", "data"))
        tensor = f"its tensor {name!r:.80}"
        if code not in _DTYPES:
            raise ValueError(f"{tensor} is {code}; convert it to one of {_SUPPORTED}")
        if ours and digest != _digest(data, code, shape):
            raise ValueError(f"{tensor} is damaged: the SHA-256 differs")
        flat = np.frombuffer(data, _DTYPES[code])
        if code == "BOOL" and flat.view(np.uint8).max(initial=0) > 1:
            raise ValueError(f"{tensor} is BOOL with bytes other than 0 and 1")
        arrays[name] = flat.reshape(shape).astype(flat.dtype.newbyteorder("="))
    return arrays, header


def _check(text: str) -> tuple[dict[str, str], dict[str, JSON]]:
    """The digests and the header in the metadata that `_document` wrote."""
    if line := _LINE.match(text):
        version, digest, document = line[1], line[2], text[line.end() :]
        if version != "1":
            raise ValueError(
                f"its format has version {version:.20}, expected 1; update tinygrad_rnn"
            )
        if digest == _digest(document.encode()):
            match _json(document):
                case {"header": dict(header), "sha256": dict(digests)}:
                    return digests, header
    raise ValueError("its metadata is damaged: the SHA-256 differs")


def _json(text: str) -> Any:
    import json

    def unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
        if len(result := dict(pairs)) < len(pairs):
            raise ValueError("its JSON has a key twice in one object")
        return result

    def refuse(constant: str) -> None:
        raise ValueError(f"its JSON has {constant}, which is not JSON")

    return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)


def _digest(data: bytes | memoryview, code: str = "", shape: Sequence[int] = ()) -> str:
    import hashlib

    digest = hashlib.sha256(f"{code} {list(shape)}\n".encode() if code else b"")
    digest.update(data)
    return digest.hexdigest()


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a FIFO would wait for its writer


def _mode(shown: str, target: str) -> int | None:
    """The permissions of the file to replace, None where there is none yet."""
    if os.path.isdir(target) or not os.path.basename(shown):
        raise ValueError("it is a folder; add the name of a file")
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise ValueError("it is not a regular file; choose another name")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only")
    return mode & 0o777


@contextlib.contextmanager
def _temporary(target: str, mode: int | None) -> Iterator[BinaryIO]:
    """A new file beside the target, gone after an error; locked, so that no `_sweep` takes it."""

    def create(path: str, flags: int) -> int:
        return os.open(path, flags, 0o666 if mode is None else mode)

    folder, name = os.path.split(target)
    while True:
        path = os.path.join(folder, f".{name}.{os.urandom(8).hex()}.tmp")
        with open(path, "x+b", opener=create) as file:
            if sys.platform != "win32":
                with contextlib.suppress(OSError):  # where nothing can be locked, nothing is swept
                    fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink == 0:  # swept before it was locked
                    continue
            try:
                if mode is not None:
                    os.chmod(path, mode)  # what the umask took away
                yield file
                return
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(path)
                raise


def _sweep(target: str) -> None:
    """Removes what killed processes left of their temporary files for this target."""
    folder, name = os.path.split(target)
    left_over = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{16}}\.tmp")
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if left_over.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    if sys.platform == "win32":
                        os.unlink(entry.path)  # fails there while its writer has it open
                    else:
                        with open(entry.path, "r+b") as file:
                            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails likewise
                            os.unlink(entry.path)


@contextlib.contextmanager
def _explained(attempt: str) -> Iterator[None]:
    from safetensors import SafetensorError

    failures = (OSError, ValueError, OverflowError, RecursionError, MemoryError, SafetensorError)
    try:
        yield
    except failures as error:
        way_out = _WAYS_OUT.get(getattr(error, "errno", 0), "")
        reason = str(error) or "it does not fit into memory"  # MemoryError says nothing itself
        raise CheckpointError(f"{attempt}: {reason}{way_out}") from error
