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

import errno
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from .errors import CheckpointError, DTypeError, MissingFile, check_type

if sys.platform != "win32":
    import fcntl

JSON: TypeAlias = Any  # None, bool, int, float, str, or lists and dicts with string keys of these
Path: TypeAlias = str | os.PathLike[str]

_LINE = re.compile(r"tinygrad_rnn/(\d+) sha256:([0-9a-f]{64})\n")
_DTYPES = {
    "BOOL": "?", "U8": "u1", "U64": "<u8", "I32": "<i4", "I64": "<i8", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_SUPPORTED = ", ".join(dtype.name for dtype in _CODES)
_NODES = "a dict, list, tuple, None, bool, int, float, str or ndarray (of a NumPy scalar, .item())"
_DEPTH = 100  # of a tree: far above any real state, far below Python's recursion limit
_WAYS_OUT = {
    errno.ENOENT: "; check the name, and that the folder exists",
    errno.EACCES: "; check the permissions of the file and of its folder",
    errno.ENOSPC: "; free some space on that disk",
}


def save_file(path: Path, arrays: Mapping[str, np.ndarray], header: Mapping[str, JSON]) -> None:
    """Writes arrays and a JSON header to one safetensors file: whole, or the old file stays.

    Raises `DTypeError` for what the format cannot hold, `CheckpointError` for what the disk
    refuses.
    """
    from safetensors.numpy import save

    with _explained("save", path) as shown:
        tensors = {name: _writable(name, array) for name, array in arrays.items()}
        metadata = {"tinygrad_rnn": _document(tensors, header)}
        target = os.path.realpath(shown)  # a link stays a link: what it points to is replaced
        mode = _mode(shown, target)
        _sweep(target)
        with _temporary(target, mode) as file:
            if mode is not None:
                os.chmod(file.name, mode)  # what the umask took away
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
        with suppress(OSError), ExitStack() as stack:
            folder = os.open(os.path.dirname(target), os.O_RDONLY)
            stack.callback(os.close, folder)
            os.fsync(folder)


def load_file(path: Path) -> tuple[dict[str, np.ndarray], dict[str, JSON]]:
    """The arrays and the header of a safetensors file that passes every check.

    The arrays are writable, and each has its memory to itself. No code runs, and the memory it
    takes is about twice the tensors, besides the metadata as Python objects. Raises
    `CheckpointError`: what is wrong with which file.
    """
    # A FIFO would wait for its writer.
    opener = lambda path, flags: os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    with _explained("load", path) as shown, open(shown, "rb", opener=opener) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        if (start := file.read(8))[:4] == b"PK\3\4":
            way = "load it there, and hand over the state_dict: model.load_state_dict(state_dict)"
            raise ValueError(f"it is a zip archive, as torch.save writes: {way}")
        length = int.from_bytes(start, "little")
        # The wrong file may be a huge one; safetensors has this limit for headers, too.
        if length > min(status.st_size - 8, 100_000_000):
            raise ValueError(f"it is cut short or no safetensors file: a header of {length} bytes")
        file.seek(0)
        return _parse(file.read())


def flatten(tree: Any, convert: Callable[[Any], Any] = lambda part: part, name: str = "flatten",
            ) -> tuple[JSON, dict[str, np.ndarray]]:  # fmt: skip
    """A tree as JSON, and its arrays by name; `unflatten` makes the same tree of them, bit for bit.

    ``convert`` sees every part of the tree first, and may put something else in its place. Raises
    `DTypeError` with the path to what a tree cannot hold; ``name`` is who asks.

    >>> flatten({"step": 3, "betas": (0.9, 0.99), "m": [np.zeros(1)]})
    ({'step': 3, 'betas': {'$tuple': [0.9, 0.99]}, 'm': [{'$array': 'm/0'}]}, {'m/0': array([0.])})
    """
    arrays: dict[str, np.ndarray] = {}

    def encode(value: Any, *path: str) -> JSON:
        value = convert(value)
        kind = type(value)  # exactly: a subclass would come back as something else
        if value is None or kind in (bool, str):
            return value
        if kind is int:
            return value if abs(value) < 2**53 else {"$int": hex(value)}
        if kind is float:
            return value if np.isfinite(value) else {"$float": np.array(value, ">f8").data.hex()}
        if kind is np.ndarray:
            place = "/".join(key.replace("~", "~0").replace("/", "~1") for key in path)
            arrays[place] = value
            return {"$array": place}
        place = f"{name}: {repr('/'.join(path)) if path else 'the tree'}"
        if kind not in (dict, list, tuple):
            came = f"{kind.__module__}.{kind.__qualname__}"
            raise DTypeError(f"{place} is a {came}, expected exactly {_NODES}")
        if len(path) == _DEPTH:
            raise DTypeError(f"{place} lies {_DEPTH} deep; does it contain itself?")
        if kind is not dict:
            items = [encode(item, *path, str(index)) for index, item in enumerate(value)]
            return items if kind is list else {"$tuple": items}
        if odd := [key for key in value if type(key) is not str]:
            raise DTypeError(f"{place} has the key {odd[0]!r}, expected a str")
        return {"$" * (k[:1] == "$") + k: encode(item, *path, k) for k, item in value.items()}

    return encode(tree), arrays


def unflatten(json_tree: JSON, arrays: Mapping[str, Any]) -> Any:
    """The tree that `flatten` took apart; `CheckpointError` where `flatten` cannot have done so."""

    def decode(value: JSON, *path: str) -> Any:
        place = f"unflatten: {repr('/'.join(path)) if path else 'the tree'}"
        if len(path) > _DEPTH:
            raise CheckpointError(f"{place} lies more than {_DEPTH} deep")
        if isinstance(value, list):
            return [decode(item, *path, str(index)) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if not any(re.match(r"\$(?!\$)", key) for key in value):
            return {k.removeprefix("$"): decode(item, *path, k) for k, item in value.items()}
        match list(value.items()):
            case [("$array", str(name))] if name in arrays:
                return arrays[name]
            case [("$tuple", list(items))]:
                return tuple(decode(items, *path))
            case [("$int", str(digits))] if re.fullmatch("-?0x[0-9a-f]+", digits):
                return int(digits, 16)
            case [("$float", str(bits))] if re.fullmatch("[0-9a-f]{16}", bits):
                return np.frombuffer(bytes.fromhex(bits), ">f8").item()
        keys = f"{list(value)!r:.80}"
        raise CheckpointError(f"{place} has the keys {keys}: not by flatten, or without its array")

    return decode(json_tree)


def _writable(name: str, array: np.ndarray) -> np.ndarray:
    """The array as it will lie in the file: safetensors would write any memory as it is."""
    if type(array) is not np.ndarray or array.dtype.newbyteorder("<") not in _CODES:
        came = f"it is a {type(array).__name__} of {getattr(array, 'dtype', 'no dtype')}"
        raise DTypeError(f"cannot save {name!r}: {came}, expected a numpy.ndarray of {_SUPPORTED}")
    # Not ascontiguousarray: that makes 0-d arrays 1-d.
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _document(tensors: Mapping[str, np.ndarray], header: Mapping[str, JSON]) -> str:
    """The metadata: the line, and the JSON behind it."""
    digests = {n: _digest(a.reshape(-1).data, _CODES[a.dtype], a.shape) for n, a in tensors.items()}
    try:
        text = json.dumps({"header": dict(header), "sha256": digests}, allow_nan=False)
        if json.loads(text)["header"] != header:
            raise TypeError("it holds a tuple, or a key that is not a str")
    except (TypeError, ValueError, RecursionError) as error:
        raise DTypeError(f"save_file: the header is not JSON ({error}); flatten it") from None
    return f"tinygrad_rnn/1 sha256:{_digest(text.encode())}\n{text}"


def _parse(raw: bytes) -> tuple[dict[str, np.ndarray], dict[str, JSON]]:
    from safetensors import deserialize

    tensors = dict(deserialize(raw))  # type: ignore[no-untyped-call]
    described = _json(raw[8 : 8 + int.from_bytes(raw[:8], "little")].decode())
    del raw
    metadata = described.pop("__metadata__", None) or {}
    # Under any key: a damaged key must not make the file pass for another tool's.
    ours = "tinygrad_rnn" in metadata or any(_LINE.match(text) for text in metadata.values())
    digests, header = _check(metadata.get("tinygrad_rnn", "")) if ours else (described, {})
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
    line = _LINE.match(text)
    if line and line[1] != "1":
        raise ValueError(f"its format is version {line[1]:.20}, not 1; update tinygrad_rnn")
    if line and line[2] == _digest(text[line.end() :].encode()):
        match _json(text[line.end() :]):
            case {"header": dict(header), "sha256": dict(digests)}:
                return digests, header
    raise ValueError("its metadata is damaged: the SHA-256 differs")


def _json(text: str) -> Any:
    def unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
        if len(result := dict(pairs)) < len(pairs):
            raise ValueError("its JSON has a key twice in one object")
        return result

    return json.loads(text, object_pairs_hook=unique, parse_constant=int)  # int refuses NaN


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
    """A new file beside the target, locked, so that no `_sweep` takes it; in the end it is gone."""
    folder, name = os.path.split(target)
    opener = lambda path, flags: os.open(path, flags, 0o666 if mode is None else mode)
    while True:
        path = os.path.join(folder, f".{name}.{os.urandom(8).hex()}.tmp")
        try:
            with open(path, "x+b", opener=opener) as file:
                if sys.platform != "win32":
                    with suppress(OSError):  # where nothing can be locked, nothing is swept
                        fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink:  # else it was swept before it was locked
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
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails likewise
                    os.unlink(entry.path)


@contextmanager
def _explained(attempt: str, path: Path) -> Iterator[str]:
    """The path as text; what goes wrong with it becomes a `CheckpointError` that names it."""
    from safetensors import SafetensorError

    check_type(f"cannot {attempt}", (str, bytes, os.PathLike), "a str or a pathlib.Path", path=path)
    shown = os.fsdecode(path)
    try:
        yield shown
    except (OSError, ValueError, OverflowError, RecursionError, MemoryError, SafetensorError) as e:
        way_out = _WAYS_OUT.get(getattr(e, "errno", 0), "")
        reason = str(e) or "it does not fit into memory"  # MemoryError says nothing itself
        kind = MissingFile if isinstance(e, FileNotFoundError) else CheckpointError
        raise kind(f"cannot {attempt} {shown!r}: {reason}{way_out}") from e
