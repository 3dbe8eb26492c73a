"""Trees as JSON and arrays: all comes back bit for bit, or is an error."""

import json
import math
import re
import struct
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_rnn.errors import CheckpointError, DTypeError
from tinygrad_rnn.serialization import load_file, save_file
from tinygrad_rnn.tree import flatten, unflatten

DTYPES = ["float32", "float64", "bool"]
DTYPES += [f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)]


def same(a, b):
    """Equal in type, order, shape, dtype and in every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return same(list(a), list(b)) and all(map(same, a.values(), b.values()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return (a.shape, a.dtype, a.tobytes()) == (b.shape, b.dtype, b.tobytes())
    if isinstance(a, np.generic):
        return (a.dtype, a.tobytes()) == (b.dtype, b.tobytes())
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    return bool(a == b)


shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
arrays = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, shapes))
# Surrogates among them
numbers = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
any_float = st.integers(0, 2**64 - 1).map(
    lambda bits: struct.unpack("d", struct.pack("Q", bits))[0]
)
KEYS = "$ $$ $array $$array $tuple $int $float a/b a~1b ~ / 0".split()  # noqa: SIM905
keys = st.text(max_size=5) | st.sampled_from(["", *KEYS])
scalars = st.sampled_from([*DTYPES, "float16"]).flatmap(
    lambda dtype: hnp.arrays(dtype, ()).map(lambda a: a[()])
)
any_keys = keys | st.none() | st.booleans() | st.integers(-3, 3) | any_float | scalars
any_keys |= st.sampled_from(["0", "0~", "1", "None", "True", "nan", 2**70])
trees = st.recursive(
    numbers
    | st.floats()
    | any_float
    | arrays
    | st.integers(-(2**80), 2**80)
    | scalars
    | st.binary(),
    lambda inner: (
        st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(any_keys, inner, max_size=4)
        | st.dictionaries(any_keys, inner, max_size=4).map(OrderedDict)
        | st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
    ),
    max_leaves=20,
)


@given(trees)
@settings(max_examples=300, deadline=None)
def test_a_tree_comes_back_bit_for_bit(tree):
    json_tree, leaves = flatten(tree)
    json_tree = json.loads(json.dumps(json_tree, allow_nan=False))
    assert same(unflatten(json_tree, leaves), tree)


def test_a_tree_comes_back_from_a_file(tmp_path):
    tree = {
        "model": {
            "rnn.weight_hh_l0": np.eye(3, dtype=np.float32),
            "a/b": [np.array(-0.0)],
        },
        "a": {"b": np.array(1)},
        "optimizer": {
            "betas": (0.9, 0.999),
            "lr": 5e-324,
            "best": math.inf,
            "state": {"0": None},
        },
        "random": {
            "state": 2**128 - 159,
            "bits": 10**5000,
            "low": -(2**53),
            "high": 2**53 - 1,
        },
        "$array": "no array",
    }
    json_tree, leaves = flatten(tree)
    assert list(leaves) == ["model/rnn.weight_hh_l0", "model/a~1b/0", "a/b"]
    save_file(tmp_path / "tree", leaves, {"tree": json_tree})
    got, header = load_file(tmp_path / "tree")
    assert same(unflatten(header["tree"], got), tree)


def test_no_two_arrays_get_one_name():
    alike = ["a/b", "a~1b", "a~b", "a~0b", "a", "~", "/", ""]
    tree = {key: {key: np.array(i), "b": np.array(-i)} for i, key in enumerate(alike)}
    assert len(flatten(tree)[1]) == 2 * len(alike)
    assert len(flatten({key: np.zeros(1) for key in alike[:4]})[1]) == 4
    keys = [0, "0", "0~", "0~0", None, "None", True, "True", 1.5, np.float32(0.1), 0.1]
    keys += [math.nan]
    tree = {key: np.array(i) for i, key in enumerate([*keys, float("nan")])}
    json_tree, leaves = flatten(tree)
    assert len(leaves) == len(tree) == 13
    assert list(leaves)[:3] == ["0~", "0", "0~0"]
    assert same(unflatten(json_tree, leaves), tree)


def test_a_tree_that_is_one_leaf():
    assert flatten(np.zeros(2))[0] == {"$array": ""}
    assert flatten(()) == ({"$tuple": []}, {})
    assert flatten(2**53) == ({"$int": "0x20000000000000"}, {})
    assert flatten(math.inf) == ({"$float": "7ff0000000000000"}, {})
    assert flatten({"$int": 1}) == ({"$$int": 1}, {})


Pair = namedtuple("Pair", "a b")
cycle = []
cycle.append(cycle)


NOT_HELD = {
    r"'a/1' is a NumPy scalar of complex64, expected .*float64": {
        "a": [0, np.complex64(1)]
    },
    r"'a/1' is a NumPy scalar of datetime64": {"a": [0, np.datetime64(1, "s")]},
    r"'a/b' is a builtins.complex": {"a": {"b": 1j}},
    r"'0/b' is a builtins.complex": {0: {"b": 1j}},
    r"'a' is a builtins.bytearray": {"a": bytearray()},
    r"'a' is a .*Pair, expected .*; tuple\(\.\.\.\) makes one": {"a": Pair(1, 2)},
    r"'a' is a builtins.builtin_function.*code is never saved": {"a": len},
    r"'a' has the key \(1, 2\), expected a str, int, float, bool or None": {
        "a": {(1, 2): 2}
    },
    r"the tree has the key b'a'": {b"a": 2},
    r"'a' is a NumPy scalar of <U1": {np.str_("a"): 2},
    r"'a' is a builtins.set": {"a": {1}},
    r"'a' is a numpy.*MaskedArray": {"a": np.ma.masked_array([1])},
    r".* lies more than 100 deep; does it contain itself": cycle,
    r"the tree is a builtins.type": object,
}


@pytest.mark.parametrize("words", NOT_HELD)
def test_what_a_tree_cannot_hold_is_named_by_its_path(words):
    with pytest.raises(DTypeError, match=f"flatten: {words}"):
        flatten(NOT_HELD[words])


def deep(levels):
    tree = 1
    for _ in range(levels):
        tree = [tree]
    return tree


def test_the_deepest_tree_survives_a_file(tmp_path):
    tree = np.zeros(1)
    for level in range(49):
        tree = (OrderedDict({level: tree}),)
    json_tree, leaves = flatten(tree)
    save_file(tmp_path / "deep", leaves, {"tree": json_tree})
    got, header = load_file(tmp_path / "deep")
    assert same(unflatten(header["tree"], got), tree)


NOT_BY_FLATTEN = """
{"$array": "b"}  {"$array": 1}  {"$array": "a", "$tuple": []}  {"$array": "a", "b": 1}
{"b": 1, "$array": "a"}  {"$tuple": {"0": 1}}  {"$tuple": null}  {"$tensor": "b"}
{"$tensor": ["a"]}  {"$leaf": "b"}  {"$leaf": "ids"}  {"$": 1}  {"$other": 1}
{"$int": "12"}  {"$int": "0xg"}  {"$int": 5}  {"$int": " 0x1_0"}  {"$int": "0x5"}
{"$float": "inf"}  {"$float": "7ff000000000000"}  {"$float": "7FF0000000000000"}
{"$float": 1.5}  {"$float": "3ff0000000000000"}
{"$same": "b"}  {"$same": ""}  {"$same": "x/0"}  {"$same": "x/1"}  {"$same": 0}
{"$dict": {}}  {"$dict": [1]}  {"$dict": [[1]]}  {"$dict": [[1, 2, 3]]}
{"$dict": [[1, 2], [1, 3]]}  {"$dict": [[1, 2], [true, 3]]}  {"$dict": [[[], 2]]}
{"$dict": [[{}, 2]]}  {"$dict": [[{"$tuple": []}, 2]]}
{"$dict": [[{"$array": "a"}, 2]]}
{"$dict": [[{"$float": "x"}, 2]]}  {"$dict": [[{"$bytes": "00"}, 2]]}
{"$ordered": []}  {"$ordered": {"$ordered": {}}}  {"$ordered": {"$array": "a"}}
{"$ordered": {"$tuple": []}}  {"$ordered": {"$dict": null}}
{"$bytes": "0"}  {"$bytes": "0G"}  {"$bytes": "AA"}  {"$bytes": 0}
{"$scalar": []}  {"$scalar": ["float32"]}  {"$scalar": ["float32", "00"]}
{"$scalar": ["float32", "0000003G"]}  {"$scalar": ["float32", 0]}
{"$scalar": ["complex64", "0000000000000000"]}  {"$scalar": ["object", "00"]}
{"$scalar": ["bool", "02"]}
"""
JSON_TREES = [json.loads(text) for text in re.split("  |\n", NOT_BY_FLATTEN.strip())]


@pytest.mark.parametrize("tree", [*JSON_TREES, deep(101), deep(900)])
def test_json_that_flatten_did_not_write(tree):
    for outer, place in ((tree, "unflatten: "), ({"x": [tree]}, "unflatten: 'x/0")):
        with pytest.raises(CheckpointError, match=place):
            unflatten(outer, {"a": np.zeros(1), "ids": np.zeros(1, np.int64)})
