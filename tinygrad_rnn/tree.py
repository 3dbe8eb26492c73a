"""Values as JSON and named arrays, and back: what `serialization` writes to a file.

**A tree** of dicts, lists, tuples, None, bool, int, float, str, bytes, NumPy's scalars
and arrays, and Tensors becomes JSON and named arrays by `flatten`. JSON stands for
itself; for what it has no words, there is an object with one key that starts with a
dollar sign:

* ``{"$array": "model/0/weight"}``: an array, by its name: the keys and indices that
lead to it,
  joined by slashes; inside a key ``~`` is ``~0`` and ``/`` is ``~1``, as in RFC 6901. A
  key that is not a str has its text there, and tildes behind it where that text is
  taken
* ``{"$tensor": name}``: a Tensor; ``{"$leaf": name}``: one that requires grad. Two of
one name
  share their memory
* ``{"$same": "a/0"}``: once more the array, Tensor, list or dict that was at that place
before
* ``{"$tuple": [0.9, 0.999]}``: a tuple
* ``{"$dict": [[0, "a"], [null, "b"]]}``: a dict with keys that are not all str: pairs
in its order
* ``{"$ordered": {...}}``: an OrderedDict, of the dict inside
* ``{"$scalar": ["float32", "0000003f"]}``: a NumPy scalar: its dtype, its bytes from
the lowest on
* ``{"$bytes": "68656c6c6f"}``: bytes
* ``{"$int": "0x20000000000000"}``: an int from 2**53 on, which many readers of JSON
would round
* ``{"$float": "7ff0000000000000"}``: inf, -inf or a nan, as the 64 bits of IEEE 754

A key of the user's own that starts with a dollar sign gets a second one in front.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .errors import CheckpointError, DTypeError

JSON: TypeAlias = (
    Any  # None, bool, int, float, str, or lists and dicts with string keys of these
)
Path: TypeAlias = tuple[str, ...]  # the parts of a place: keys, escaped, and indices

_DEPTH = 100  # of a tree: far above any real state, far below Python's recursion limit
_NODES = "a dict, list, tuple, None, bool, int, float, str, bytes, NumPy scalar, ndarray or Tensor"
_KEYS = "a str, int, float, bool or None"
_SCALARS = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
)


class Held(NamedTuple):
    """What is saved of a Tensor."""

    memory: Any  # its own array: two Tensors of the same memory are written once
    array: np.ndarray  # the same values on the host
    needs_grad: bool


def flatten(
    tree: Any,
    held_by: Callable[[Any], Held | None] = lambda value: None,
    name: str = "flatten",
    root: str = "the tree",
) -> tuple[JSON, dict[str, np.ndarray]]:
    """A tree as JSON, and its arrays by name; `unflatten` makes the same tree of them,
    bit for bit.

    An array, Tensor, list or dict that the tree holds twice comes back as one; arrays
    and Tensors that are the same memory, seen in the same way, come back sharing it. A
    dict of another class than OrderedDict comes back as a plain one.

    Args:
        tree: The values.
        held_by: What there is to save of a Tensor, None of anything else.
        name: Who asks, for messages.
        root: What messages call the whole tree.

    Raises:
        DTypeError: A value, or a key, that no file can hold, with the path to it.

    >>> flatten({"step": 3, "betas": (0.9, 0.99), "m": [np.zeros(1)]})
    ({'step': 3, 'betas': {'$tuple': [0.9, 0.99]}, 'm': [{'$array': 'm/0'}]}, {'m/0': array([0.])})
    """
    writer = _Writer(held_by, name, root)
    return writer.node_of(tree, ()), writer.arrays


class _Writer:
    """What `flatten` has made so far."""

    def __init__(
        self, held_by: Callable[[Any], Held | None], name: str, root: str
    ) -> None:
        self.held_by, self.name, self.root = held_by, name, root
        self.arrays: dict[str, np.ndarray] = {}
        self.seen: dict[
            int, tuple[str, Any]
        ] = {}  # places of objects, by id; and the objects
        self.names: dict[Any, str] = {}  # of arrays, by their memory

    def node_of(self, value: Any, path: Path) -> JSON:
        kind = type(value)  # exactly: a subclass would come back as something else
        if value is None or kind in (bool, str):
            return value
        if kind is int:
            return value if abs(value) < 2**53 else {"$int": hex(value)}
        if kind is float:
            return (
                value
                if np.isfinite(value)
                else {"$float": np.array(value, ">f8").data.hex()}
            )
        if kind is bytes:
            return {"$bytes": value.hex()}
        if isinstance(value, np.generic):
            return self._scalar(value, path)
        if kind is tuple:
            return {"$tuple": self._list(value, path)}
        if id(value) in self.seen:
            return {"$same": self.seen[id(value)][0]}
        node = self._node_of_object(value, path)
        self.seen[id(value)] = "/".join(path), value
        return node

    def _node_of_object(self, value: Any, path: Path) -> JSON:
        held = self.held_by(value)
        if held is not None:
            kind = "$leaf" if held.needs_grad else "$tensor"
            return {kind: self._name_of(held.memory, held.array, path)}
        if type(value) is np.ndarray:
            return {"$array": self._name_of(value, value, path)}
        if type(value) is list:
            return self._list(value, path)
        if isinstance(value, OrderedDict):
            return {"$ordered": self._dict(value, path)}
        if isinstance(value, dict):
            return self._dict(value, path)
        came = f"{type(value).__module__}.{type(value).__qualname__}"
        expected = f"expected exactly {_NODES}{_way_out(value)}"
        raise DTypeError(f"{self._place(path)} is a {came}, {expected}")

    def _place(self, path: Path) -> str:
        return f"{self.name}: {repr('/'.join(path)) if path else self.root}"

    def _check_depth(self, path: Path) -> None:
        if len(path) == _DEPTH:
            raise DTypeError(
                f"{self._place(path)} lies {_DEPTH} deep; does it contain itself?"
            )

    def _list(self, values: Iterable[Any], path: Path) -> list[JSON]:
        self._check_depth(path)
        return [
            self.node_of(item, (*path, str(index))) for index, item in enumerate(values)
        ]

    def _dict(self, values: dict[Any, Any], path: Path) -> JSON:
        self._check_depth(path)
        parts = _parts_of(values)
        places = zip(values.items(), parts, strict=True)
        if all(type(key) is str for key in values):
            return {
                "$" * key.startswith("$") + key: self.node_of(item, (*path, part))
                for (key, item), part in places
            }
        pairs = []
        for (key, item), part in places:
            pairs.append([self._key(key, path), self.node_of(item, (*path, part))])
        return {"$dict": pairs}

    def _key(self, key: Any, path: Path) -> JSON:
        plain = key is None or type(key) in (bool, int, float, str)
        if not plain and not isinstance(key, np.generic):
            raise DTypeError(
                f"{self._place(path)} has the key {key!r:.80}, expected {_KEYS}"
            )
        return self.node_of(key, (*path, str(key)))

    def _scalar(self, value: np.generic, path: Path) -> JSON:
        name = value.dtype.name
        if name not in _SCALARS:
            came = f"a NumPy scalar of {value.dtype}"
            raise DTypeError(
                f"{self._place(path)} is {came}, expected one of {', '.join(_SCALARS)}"
            )
        return {
            "$scalar": [
                name,
                value.astype(value.dtype.newbyteorder("<")).tobytes().hex(),
            ]
        }

    def _name_of(self, memory: Any, array: np.ndarray, path: Path) -> str:
        """The name of an array in the file, whose values are stored if its memory is
        new.
        """
        key = _key_of(memory)
        if key not in self.names:
            place = "/".join(path)
            # safetensors keeps this name for itself; no other place has a tilde there.
            self.names[key] = "__metadata__~" if place == "__metadata__" else place
            self.arrays[self.names[key]] = array
        return self.names[key]


def _key_of(array: Any) -> Any:
    """What is equal for two arrays that are the same memory, seen in the same way."""
    for kind in ("__array_interface__", "__cuda_array_interface__"):
        view = getattr(array, kind, None)
        if view is not None:
            return view["data"][0], view["shape"], view["strides"], view["typestr"]
    return id(array)


def _way_out(value: Any) -> str:
    """What to save instead, where that is known."""
    if isinstance(value, type):
        return "; code is never saved"
    if callable(getattr(value, "state_dict", None)):
        return "; save its .state_dict()"
    if callable(getattr(value, "get_state", None)):
        return "; save its .get_state()"
    if isinstance(value, tuple):
        return "; tuple(...) makes one, without its names"
    if isinstance(value, str):
        return "; str(...) makes one"
    if callable(value):
        return "; code is never saved"
    return ""


def _parts_of(keys: Iterable[Any]) -> list[str]:
    """The keys of a dict as parts of a path, no two of them alike."""
    keys = list(keys)
    taken = {_escaped(key) for key in keys if type(key) is str}
    parts = []
    for key in keys:
        part = _escaped(str(key))
        if type(key) is not str:
            while part in taken:
                part += "~"
            taken.add(part)
        parts.append(part)
    return parts


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


# ---------------------------------------------------------------- the way back


def unflatten(
    json_tree: JSON,
    arrays: Mapping[str, Any],
    tensor_of: Callable[[str, bool], Any] | None = None,
) -> Any:
    """The tree that `flatten` took apart.

    Args:
        json_tree: The JSON.
        arrays: The arrays by name.
        tensor_of: Makes the Tensor of a name, which requires grad or does not; by
            default the array stands in its place.

    Raises:
        CheckpointError: `flatten` cannot have written this.
    """
    return _Reader(arrays, tensor_of).value_of(json_tree, ())


class _Reader:
    """What `unflatten` has made so far."""

    def __init__(self, arrays: Mapping[str, Any], tensor_of: Any) -> None:
        self.arrays = arrays
        self.tensor_of = tensor_of or (lambda name, needs_grad: arrays[name])
        self.made: dict[str, Any] = {}  # what can be had again, by its place

    def value_of(self, node: JSON, path: Path) -> Any:
        if len(path) > _DEPTH:
            raise CheckpointError(f"{_shown(path)} lies more than {_DEPTH} deep")
        if not isinstance(node, dict | list):
            return node
        value = (
            self._list(node, path)
            if isinstance(node, list)
            else self._of_dict(node, path)
        )
        self.made["/".join(path)] = value
        return value

    def _list(self, nodes: list[JSON], path: Path) -> list[Any]:
        return [
            self.value_of(item, (*path, str(index))) for index, item in enumerate(nodes)
        ]

    def _of_dict(self, node: dict[str, JSON], path: Path) -> Any:
        if any(re.match(r"\$(?!\$)", key) for key in node):
            return self._of_kind(node, path)
        keys = [key.removeprefix("$") for key in node]
        return self._dict(zip(keys, node.values(), strict=True), keys, path)

    def _dict(
        self, items: Iterable[Any], keys: list[Any], path: Path
    ) -> dict[Any, Any]:
        places = zip(items, _parts_of(keys), strict=True)
        return {key: self.value_of(item, (*path, part)) for (key, item), part in places}

    def _of_kind(self, node: dict[str, JSON], path: Path) -> Any:
        """The value of an object with a key of ours."""
        match list(node.items()):
            case [("$array", str(name))] if name in self.arrays:
                return self.arrays[name]
            case [("$tensor", str(name))] if name in self.arrays:
                return self.tensor_of(name, False)
            case [("$leaf", str(name))] if name in self.arrays and _is_float(
                self.arrays[name]
            ):
                return self.tensor_of(name, True)
            case [("$same", str(place))] if place in self.made:
                return self.made[place]
            case [("$tuple", list(items))]:
                return tuple(self._list(items, path))
            case [("$dict", list(pairs))]:
                keys = self._keys(pairs, path)
                return self._dict(
                    [(k, p[1]) for k, p in zip(keys, pairs, strict=True)], keys, path
                )
            case [("$ordered", dict(inner))] if "$ordered" not in inner:
                value = self._of_dict(inner, path)
                if type(value) is dict:
                    return OrderedDict(value)
            case [("$scalar", [str(name), str(digits)])] if name in _SCALARS:
                if (value := _scalar_of(name, digits)) is not None:
                    return value
            case [("$bytes", str(digits))] if re.fullmatch("([0-9a-f]{2})*", digits):
                return bytes.fromhex(digits)
            case [("$int", str(digits))] if re.fullmatch("-?0x[0-9a-f]+", digits):
                return int(digits, 16)
            case [("$float", str(bits))] if re.fullmatch("[0-9a-f]{16}", bits):
                return np.frombuffer(bytes.fromhex(bits), ">f8").item()
        found = f"{list(node)!r:.80}"
        why = f"has the keys {found}: not by flatten, or without its array"
        raise CheckpointError(f"{_shown(path)} {why}")

    def _keys(self, pairs: list[JSON], path: Path) -> list[Any]:
        """The keys of a dict, from its pairs."""
        keys: list[Any] = []
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2:
                raise CheckpointError(f"{_shown(path)} has a part that is not a pair")
            key = self._of_dict(pair[0], path) if isinstance(pair[0], dict) else pair[0]
            if not isinstance(key, str | int | float | np.generic | None):
                raise CheckpointError(f"{_shown(path)} has a key that is not {_KEYS}")
            keys.append(key)
        if len(set(keys)) < len(keys):
            raise CheckpointError(f"{_shown(path)} has a key twice")
        return keys


def _shown(path: Path) -> str:
    return f"unflatten: {repr('/'.join(path)) if path else 'the tree'}"


def _is_float(array: Any) -> bool:
    return array.dtype.kind == "f"


def _scalar_of(name: str, digits: str) -> np.generic | None:
    """The NumPy scalar of these bytes; None if no scalar of this dtype has them."""
    dtype = np.dtype(name)
    right = re.fullmatch("[0-9a-f]+", digits) and len(digits) == 2 * dtype.itemsize
    if not right or (name == "bool" and digits not in ("00", "01")):
        return None
    raw = np.frombuffer(bytes.fromhex(digits), dtype.newbyteorder("<"))
    scalar: np.generic = raw.astype(dtype)[0]
    return scalar
