"""Values as JSON and named arrays, and back: what :mod:`serialization` writes to files.

A *tree* consists of dicts, lists, tuples, None, bool, int, float, str, bytes, NumPy
scalars, NumPy arrays and Tensors. :func:`flatten` turns it into JSON and named arrays,
:func:`unflatten` makes the same tree of them. What JSON has stands for itself. For
everything else there is an object with a single key that starts with a dollar sign:

* ``{"$array": "model/0/weight"}``: an array, by its name. That is the path to it: keys
  and indices, joined by slashes. In a key, ``~`` becomes ``~0`` and ``/`` becomes
  ``~1``, as in RFC 6901. A key that is not a str appears as its text, followed by
  tildes if that text is taken.
* ``{"$tensor": name}``: a Tensor. ``{"$leaf": name}``: one that requires grad. Two
  Tensors of the same name share their memory.
* ``{"$same": "a/0"}``: the array, Tensor, list or dict of that path once more.
* ``{"$tuple": [0.9, 0.999]}``: a tuple.
* ``{"$dict": [[0, "a"], [null, "b"]]}``: a dict whose keys are not all str, as pairs.
* ``{"$ordered": {...}}``: an OrderedDict, as the dict inside.
* ``{"$scalar": ["float32", "0000003f"]}``: a NumPy scalar: its dtype, and its bytes,
  little-endian.
* ``{"$bytes": "68656c6c6f"}``: bytes.
* ``{"$int": "0x20000000000000"}``: an int of 2**53 or more, which many readers of JSON
  would round.
* ``{"$float": "7ff0000000000000"}``: inf, -inf or nan, as the 64 bits of IEEE 754.

A user's own key that starts with a dollar sign gets a second one in front of it.
"""

import math
import struct
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, NoReturn

import numpy as np

from .backend import Backend, backend_of, find
from .engine.node import wrap
from .errors import CheckpointError, DTypeError, Error
from .serialization import DTYPES, JSON
from .tensor import Tensor
from .types import Array

_MAX_DEPTH = 100  # far above real states, far below Python's recursion limit
_SIMPLE = (NoneType, bool, int, float, str, bytes)
_SCALARS = (*(np.dtype(dtype).name for dtype in DTYPES.values()), "float16")


def flatten(
    tree: object, name: str = "flatten", root: str = "the tree"
) -> tuple[JSON, dict[str, np.ndarray]]:
    """Return a tree as JSON, and its arrays by name.

    Every value comes back from :func:`unflatten` bit for bit. An array, Tensor, list or
    dict that the tree holds twice comes back as one object. Arrays and Tensors that are
    the same view of the same memory come back sharing it. A dict of any class but
    OrderedDict comes back as a dict.

    Args:
        tree: The values.
        name: What messages begin with: the public function.
        root: The name of the tree in messages.

    Raises:
        DTypeError: No file can hold a value or a key; the message has the path to it.

    Example:
        >>> json, arrays = flatten({"betas": (0.9, 0.99), "m": [np.zeros(1)]})
        >>> json
        {'betas': {'$tuple': [0.9, 0.99]}, 'm': [{'$array': 'm/0'}]}
        >>> arrays
        {'m/0': array([0.])}
    """
    writer = _Writer(name, root)
    return writer.convert(tree), writer.arrays


class _Walk:
    """A walk through a tree, and the path to where it is."""

    def __init__(self, error: type[Error], name: str, root: str) -> None:
        self.error, self.name, self.root = error, name, root
        self.path: list[str] = []  # the escaped keys, and the indices

    def convert(self, value: Any) -> Any:
        """Return what becomes of the value at the path."""
        raise NotImplementedError

    def convert_part(self, part: str, value: object) -> Any:
        """Return what becomes of a part of the value at the path."""
        self.path.append(part)
        if len(self.path) > _MAX_DEPTH:
            self.fail(f"lies more than {_MAX_DEPTH} deep; does it contain itself?")
        converted = self.convert(value)
        self.path.pop()
        return converted

    def convert_items(self, values: Iterable[object]) -> list[Any]:
        """Return what becomes of the items of a list or tuple at the path."""
        return [self.convert_part(str(i), value) for i, value in enumerate(values)]

    def fail(self, wrong: str) -> NoReturn:
        """Raise because of the value at the path."""
        place = repr("/".join(self.path)) if self.path else self.root
        raise self.error(f"{self.name}: {place} {wrong}")


class _Writer(_Walk):
    """The state of a call of :func:`flatten`, which converts values to JSON."""

    def __init__(self, name: str, root: str) -> None:
        super().__init__(DTypeError, name, root)
        self.arrays: dict[str, np.ndarray] = {}
        self.names: dict[object, str] = {}  # of the arrays, by their memory
        # The path of each object by its id, which the object itself keeps from reuse.
        self.seen: dict[int, tuple[str, object]] = {}

    def convert(self, value: Any) -> JSON:
        if isinstance(value, np.generic) and value.dtype.name not in _SCALARS:
            expected = f"expected one of {', '.join(_SCALARS)}"
            self.fail(f"is a NumPy scalar of {value.dtype}, {expected}")
        kind = type(value)  # exactly: a subclass would come back as something else
        if kind in _SIMPLE or isinstance(value, np.generic):
            return _encode(value)
        if kind is tuple:
            return {"$tuple": self.convert_items(value)}
        if id(value) in self.seen:
            return {"$same": self.seen[id(value)][0]}
        node = self._convert_object(value)
        self.seen[id(value)] = "/".join(self.path), value
        return node

    def _convert_object(self, value: object) -> JSON:
        """Return the JSON of a value that the tree may hold in two places."""
        if isinstance(value, Tensor):
            kind = "$leaf" if value.requires_grad and value.is_leaf else "$tensor"
            return {kind: self._name_of(value.array)}
        if type(value) is np.ndarray:
            return {"$array": self._name_of(value)}
        if type(value) is list:
            return self.convert_items(value)
        if isinstance(value, OrderedDict):
            return {"$ordered": self._convert_dict(value)}
        if isinstance(value, dict):
            return self._convert_dict(value)
        came = f"{type(value).__module__}.{type(value).__qualname__}"
        self.fail(
            f"is a {came}, expected exactly a dict, list, tuple, None, bool, int, "
            "float, str, bytes, NumPy scalar, ndarray or Tensor" + _way_out(value)
        )

    def _convert_dict(self, values: dict[object, object]) -> JSON:
        pairs = []
        for (key, item), part in zip(values.items(), _parts_of(values), strict=True):
            if not _is_key(key):
                expected = "expected a str, int, float, bool or None"
                self.fail(f"has the key {key!r:.80}, {expected}")
            key_node = self.convert_part(str(key), key)
            pairs.append([key_node, self.convert_part(part, item)])
        if any(type(key) is not str for key in values):
            return {"$dict": pairs}
        return {"$" + key if key.startswith("$") else key: node for key, node in pairs}

    def _name_of(self, array: Array) -> str:
        """Return the name of an array; its values are stored if its memory is new."""
        key = _view_of(array)
        if key not in self.names:
            name = "/".join(self.path)
            if name == "__metadata__":  # safetensors keeps this name for itself
                name += "~"  # which no other path has
            self.names[key] = name
            self.arrays[name] = backend_of(array).to_host(array)
        return self.names[key]


def _view_of(array: Array) -> object:
    """Return a key that two arrays share if they are the same view of one memory."""
    for kind in ("__array_interface__", "__cuda_array_interface__"):
        view = getattr(array, kind, None)
        if view is not None:
            return view["data"][0], view["shape"], view["strides"], view["typestr"]
    return id(array)


def _way_out(value: object) -> str:
    """Say what to save instead, if that is known."""
    is_class = isinstance(value, type)
    for method in ("state_dict", "get_state"):
        if not is_class and callable(getattr(value, method, None)):
            return f"; save its .{method}()"
    if isinstance(value, tuple):
        return "; tuple(...) makes one, without its names"
    if isinstance(value, str):
        return "; str(...) makes one"
    return "; code is never saved" if callable(value) else ""


def _is_key(key: object) -> bool:
    """Return whether files hold this key of a dict."""
    is_simple = type(key) in _SIMPLE and not isinstance(key, bytes)
    return is_simple or isinstance(key, np.generic)


def _parts_of(keys: Iterable[object]) -> list[str]:
    """Return the keys of a dict as parts of a path, no two of them alike."""
    keys = list(keys)
    taken = {_escape(key) for key in keys if type(key) is str}
    parts = []
    for key in keys:
        part = _escape(str(key))
        if type(key) is not str:
            while part in taken:
                part += "~"
            taken.add(part)
        parts.append(part)
    return parts


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


# ---------------------------------------------------------------- simple values


def _encode(value: object) -> JSON:
    """Return the JSON of a simple value, which has no parts."""
    if type(value) is int and abs(value) >= 2**53:
        return {"$int": hex(value)}
    if type(value) is float and not math.isfinite(value):
        return {"$float": struct.pack(">d", value).hex()}
    if type(value) is bytes:
        return {"$bytes": value.hex()}
    if isinstance(value, np.generic):
        little_endian = value.astype(value.dtype.newbyteorder("<"))
        return {"$scalar": [value.dtype.name, little_endian.tobytes().hex()]}
    return value


def _decode(node: JSON) -> object:
    """Return the simple value that :func:`_encode` made this JSON of.

    Raises:
        ValueError: There is no such value.
    """
    value: object
    match node:
        case {"$int": str(digits)}:
            value = int(digits, 16)
        case {"$float": str(digits)} if len(digits) == 16:
            (value,) = struct.unpack(">d", bytes.fromhex(digits))
        case {"$bytes": str(digits)}:
            value = bytes.fromhex(digits)
        case {"$scalar": [str(name), str(digits)]} if name in _SCALARS:
            stored = np.dtype(name).newbyteorder("<")
            value = np.frombuffer(bytes.fromhex(digits), stored).astype(name)[0]
        case _:
            value = node
    if _encode(value) != node or isinstance(value, dict | list):
        raise ValueError("no value is written like this")
    return value


# ---------------------------------------------------------------- from JSON to values


def unflatten(
    json_tree: JSON,
    arrays: Mapping[str, np.ndarray],
    backend: Backend | None = None,
    name: str = "unflatten",
) -> Any:
    """Return the tree that :func:`flatten` turned into JSON and arrays.

    Args:
        json_tree: The JSON.
        arrays: The arrays by name.
        backend: What the Tensors are made on; the CPU if None.
        name: What messages begin with.

    Raises:
        CheckpointError: ``flatten`` cannot have written this.
    """
    return _Reader(arrays, backend or find("cpu"), name).convert(json_tree)


class _Reader(_Walk):
    """The state of a call of :func:`unflatten`, which converts JSON to values."""

    def __init__(
        self, arrays: Mapping[str, np.ndarray], backend: Backend, name: str
    ) -> None:
        super().__init__(CheckpointError, name, "the tree")
        self.arrays, self.backend = arrays, backend
        self.tensors: dict[str, Tensor] = {}  # the first of each array
        self.made: dict[str, object] = {}  # the values so far, by their path

    def convert(self, node: JSON) -> object:
        value: object
        match node:
            case list():
                value = self.convert_items(node)
            case dict() if _is_dict(node):
                value = self._convert_dict(node)
            case dict():
                value = self._convert_kind(node)
            case _:
                return node
        self.made["/".join(self.path)] = value
        return value

    def _convert_dict(self, node: dict[str, JSON]) -> dict[object, object]:
        """Return the dict of a JSON object, or of the pairs of a ``$dict``."""
        if "$dict" in node:
            pairs = node["$dict"]
        else:
            pairs = [[key.removeprefix("$"), item] for key, item in node.items()]
        keys = [self._key_of(pair) for pair in pairs]
        if len(set(keys)) < len(keys):
            self.fail("has a key twice")
        return {
            key: self.convert_part(part, item)
            for key, (_, item), part in zip(keys, pairs, _parts_of(keys), strict=True)
        }

    def _key_of(self, pair: JSON) -> object:
        """Return the key of a pair of JSON: a key and a value."""
        match pair:
            case [node, _] if _is_key(key := self._convert_simple(node)):
                return key
        self.fail(f"has {pair!r:.80}, which is not a key and a value")

    def _convert_kind(self, node: dict[str, JSON]) -> object:
        """Return the value of a JSON object with a key of ours."""
        match list(node.items()):
            case [("$array", str(name))] if name in self.arrays:
                return self.arrays[name]
            case [("$tensor", str(name))] if name in self.arrays:
                return self._tensor_of(name)
            case [("$leaf", str(name))] if self._is_float(name):
                return self._tensor_of(name).requires_grad_()
            case [("$same", str(path))] if path in self.made:
                return self.made[path]
            case [("$tuple", list(items))]:
                return tuple(self.convert_items(items))
            case [("$ordered", dict(inner))] if _is_dict(inner):
                return OrderedDict(self._convert_dict(inner))
        return self._convert_simple(node)

    def _tensor_of(self, name: str) -> Tensor:
        """Return a Tensor of an array; all Tensors of one array share their memory."""
        if name in self.tensors:
            return self.tensors[name].detach()
        tensor = wrap(self.backend.from_host(self.arrays[name]))
        self.tensors[name] = tensor
        return tensor

    def _is_float(self, name: str) -> bool:
        return name in self.arrays and self.arrays[name].dtype.kind == "f"

    def _convert_simple(self, node: JSON) -> object:
        try:
            return _decode(node)
        except ValueError:
            self.fail(f"has {node!r:.80}: not by flatten, or without its array")


def _is_dict(node: dict[str, JSON]) -> bool:
    """Return whether a JSON object is a dict's: it has no key of ours but ``$dict``."""
    if list(node) == ["$dict"]:
        return isinstance(node["$dict"], list)
    return not any(key.startswith("$") and key[1:2] != "$" for key in node)
