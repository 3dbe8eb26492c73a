"""Files: what goes in comes out bit for bit, a crash costs nothing, every damage is
seen.
"""

import errno
import gzip
import hashlib
import io
import json
import math
import os
import pickle
import re
import signal
import stat
import struct
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_rnn
from tinygrad_rnn import serialization
from tinygrad_rnn.errors import CheckpointError, DTypeError, Error
from tinygrad_rnn.serialization import load_file, save_file
from tinygrad_rnn.tree import flatten, unflatten

DTYPES = ["float32", "float64", "bool"]
DTYPES += [f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)]

OLD = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "on": np.array([True, False])}
NEW = {"w": np.full((40, 50), np.nan), "n": np.array(7, dtype=np.uint64)}


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


def file_of(header, data=b""):
    """A file in the layout of safetensors, whatever the header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.fixture
def target(tmp_path):
    """A file that holds OLD, alone in its folder."""
    path = tmp_path / "model.safetensors"
    save_file(path, OLD, {"step": 1})
    return path


# ---------------------------------------------------------------- round trips


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# Surrogates among them
numbers = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
headers = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        numbers | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=10,
    ),
)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
arrays = st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, shapes))
layouts: list[Callable[[Any], Any]] = [
    lambda a: a,
    lambda a: a.T,
    lambda a: np.asfortranarray(a) if a.ndim else a,
    lambda a: a[::-1] if a.ndim else a,
    lambda a: a[..., ::2] if a.ndim else a,
    lambda a: np.broadcast_to(a, (3, *a.shape)),
    lambda a: a.astype(a.dtype.newbyteorder(">")),
    # Not aligned
    lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1) if a.size else a,
]


@given(
    st.dictionaries(
        texts.filter(lambda name: name != "__metadata__"), arrays, max_size=4
    ),
    headers,
    st.sampled_from(layouts),
)
@settings(deadline=None)
def test_a_file_gives_back_what_went_in(folder, plain, header, layout):
    path = folder / "round.safetensors"
    given_ = {name: layout(array) for name, array in plain.items()}
    save_file(path, given_, header)
    got, got_header = load_file(path)
    assert same(
        got, {n: a.astype(a.dtype.newbyteorder("="), "C") for n, a in given_.items()}
    )
    assert same(got_header, header)
    for array in got.values():
        flags = array.flags
        assert (
            flags.writeable and flags.owndata and flags.aligned and flags.c_contiguous
        )
    assert os.listdir(folder) == [path.name]


def test_the_same_state_is_the_same_file_in_any_process(target):
    script = (
        "import sys, numpy as np\n"
        "from tinygrad_rnn.serialization import save_file\n"
        "w = np.arange(6, dtype=np.float32).reshape(2, 3)\n"
        "save_file(sys.argv[1], {'w': w, 'on': np.array([True, False])}, {'step': 1})\n"
    )
    for seed in "01":
        other = target.with_name(f"other{seed}")
        run_python(script, other, PYTHONHASHSEED=seed)
        assert other.read_bytes() == target.read_bytes()


def test_other_tools_can_open_it_and_check_it(target):
    with safetensors.safe_open(target, framework="np") as file:
        metadata = file.metadata()
        assert sorted(file.keys()) == ["on", "w"]
        assert same(file.get_tensor("w"), OLD["w"])
    line, document = metadata["tinygrad_rnn"].split("\n", 1)
    assert (
        line == "tinygrad_rnn/2 sha256:" + hashlib.sha256(document.encode()).hexdigest()
    )
    w = hashlib.sha256(b"F32 [2, 3]\n" + OLD["w"].tobytes()).hexdigest()
    on = hashlib.sha256(b"BOOL [2]\n\x01\x00").hexdigest()
    assert json.loads(document) == {"header": {"step": 1}, "sha256": {"w": w, "on": on}}


def test_files_of_other_tools_load(tmp_path):
    path = tmp_path / "theirs.safetensors"
    theirs = {"b": np.zeros((0, 3), np.int32), "a": np.array(2.5)}
    for metadata in (None, {}, {"format": "pt", "about": "tinygrad_rnn/1"}):
        safetensors.numpy.save_file(theirs, path, metadata)
        got, header = load_file(path)
        assert (
            same(dict(sorted(got.items())), dict(sorted(theirs.items())))
            and header == {}
        )
    path.write_bytes(file_of({"__metadata__": None}))
    assert load_file(path) == ({}, {})


@pytest.mark.parametrize(("code", "size"), [("F8_E4M3", 1), ("F8_E5M2", 1), ("C64", 8)])
def test_dtypes_of_other_tools_are_named(tmp_path, code, size):
    path = tmp_path / "theirs.safetensors"
    path.write_bytes(
        file_of({"rnn.weight": entry(code, [3], 0, 3 * size)}, bytes(3 * size))
    )
    words = rf"'rnn.weight' is {code}; convert .*float32"
    if code == "C64" and safetensors_version() < (0, 6):  # which does not know it
        words = "InvalidHeaderDeserialization"
    with pytest.raises(CheckpointError, match=words):
        load_file(path)


def safetensors_version():
    return tuple(int(part) for part in version("safetensors").split(".")[:2])


def halves_in(path, code):
    """All 65,536 halves of a kind, as they come out of a file."""
    every = np.arange(2**16, dtype="<u2")
    header = {"w": entry(code, [256, 256], 0, every.nbytes)}
    path.write_bytes(file_of(header, every.tobytes()))
    return load_file(path)[0]["w"]


def test_float16_is_widened(tmp_path):
    """By the definition of IEEE 754's binary16: sign, 5 bits of exponent, 10 of
    fraction.
    """
    got = halves_in(tmp_path / "halves", "F16")
    assert (got.shape, got.dtype) == ((256, 256), np.float32)
    for bits, value in enumerate(got.ravel().tolist()):
        sign, exponent, fraction = bits >> 15, bits >> 10 & 31, bits & 1023
        if exponent == 31 and fraction:
            assert math.isnan(value)
            continue
        size = (
            math.inf if exponent == 31 else math.ldexp(1024 + fraction, exponent - 25)
        )
        size = size if exponent else math.ldexp(fraction, -24)
        assert (
            value == math.copysign(size, -sign)
            and math.copysign(1, value) == 1 - 2 * sign
        )


def test_bfloat16_is_widened(tmp_path):
    """It is the upper half of a float32, to the bit."""
    got = halves_in(tmp_path / "halves", "BF16")
    assert (got.shape, got.dtype) == ((256, 256), np.float32)
    bits = got.view(np.uint32).ravel()
    assert np.array_equal(bits, np.arange(2**16, dtype=np.uint32) * 2**16)


def test_importing_the_package_does_not_import_safetensors():
    run_python(
        "import sys, tinygrad_rnn.serialization; assert 'safetensors' not in sys.modules"
    )


# ---------------------------------------------------------------- trees


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
cycle: list[Any] = []
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
    r".* lies 100 deep; does it contain itself": cycle,
    r"the tree is a builtins.type": object,
}


@pytest.mark.parametrize("words", NOT_HELD)
def test_what_a_tree_cannot_hold_is_named_by_its_path(words):
    with pytest.raises(DTypeError, match=f"flatten: {words}"):
        flatten(NOT_HELD[words])


def deep(levels):
    tree: Any = 1
    for _ in range(levels):
        tree = [tree]
    return tree


def test_the_deepest_tree_survives_a_file(tmp_path):
    tree: Any = np.zeros(1)
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
{"$dict": [[{}, 2]]}  {"$dict": [[{"$tuple": []}, 2]]}  {"$dict": [[{"$array": "a"}, 2]]}
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


# ---------------------------------------------------------------- saving, refused


NO_ARRAYS = [
    (np.ones(2, np.float16), "cannot save 'w': it is a ndarray of float16, .*float32"),
    (np.ones(2, np.complex64), "complex64"),
    (np.array(["a"]), "<U1"),
    (np.array([None]), "object"),
    (np.zeros(2, "f4,f4"), "'f0'"),
    (np.float32(1), "it is a float32 of float32, expected a numpy.ndarray"),
    (np.ma.masked_array([1.0]), "MaskedArray"),
    ([1.0], "cannot save 'w': it is a list of no dtype"),
]


@pytest.mark.parametrize(("bad", "words"), NO_ARRAYS)
def test_arrays_that_the_format_cannot_hold(target, bad, words):
    with pytest.raises(DTypeError, match=words):
        save_file(target, {"w": bad}, {})
    assert_untouched(target)


NOT_JSON = [math.nan, [-math.inf], (1, 2), {1: 2}, {1, 2}, np.zeros(2), b""]
NOT_JSON += [10**5000, cycle, deep(10**5)]


@pytest.mark.parametrize("bad", [{None: 1}, *({"a": value} for value in NOT_JSON)])
def test_headers_that_json_would_change(target, bad):
    with pytest.raises(
        DTypeError, match=r"save_file: the header is not JSON .*flatten"
    ):
        save_file(target, OLD, bad)
    assert_untouched(target)


def make_folder(path):
    path.mkdir()
    return path


def make_fifo(path):
    os.mkfifo(path)
    return path


def make_socket(path):
    os.mknod(path, stat.S_IFSOCK | 0o600)
    return path


def make_loop(path):
    path.symlink_to(path)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (make_folder, "it is a folder; add the name of a file"),
        (lambda path: f"{path}/", "it is a folder; add the name of a file"),
        (lambda path: "", "it is a folder; add the name of a file"),
        (make_fifo, "it is not a regular file; choose another name"),
        (make_socket, "it is not a regular file; choose another name"),
        (make_loop, "symbolic links"),
        (lambda path: path / "model", "check the name, and that the folder exists"),
        (lambda path: path.with_name("x" * 250), "File name too long"),
        (lambda path: f"{path}\0", "null"),
    ],
)
def test_targets_that_cannot_be_written(target, make, words):
    path = make(target.with_name("it"))
    before = sorted(os.listdir(target.parent))
    with pytest.raises(CheckpointError, match=words) as caught:
        save_file(path, NEW, {})
    assert str(caught.value).startswith(f"cannot save {os.fspath(path)!r}: ")
    assert sorted(os.listdir(target.parent)) == before
    assert_untouched(target)


def test_a_read_only_file_is_left_alone(target, monkeypatch):
    target.chmod(0o444)
    if os.access(target, os.W_OK):  # root may write to anything
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CheckpointError, match="read-only; check the permissions"):
        save_file(target, NEW, {})
    assert_untouched(target)


@pytest.mark.parametrize("path", [None, 3, 1.5, ["a"]])
def test_paths_that_are_no_paths(path):
    with pytest.raises(DTypeError, match="path is .*, expected a str"):
        save_file(path, OLD, {})
    with pytest.raises(DTypeError, match="path is .*, expected a str"):
        load_file(path)


@pytest.mark.parametrize("name", ["__metadata__", "\ud800"])
def test_names_that_safetensors_cannot_hold(target, name):
    with pytest.raises(CheckpointError, match="cannot save"):
        save_file(target, {name: np.zeros(3)}, {})
    assert_untouched(target)


# ---------------------------------------------------------------- saving, failing


def assert_untouched(target):
    got, header = load_file(target)
    assert same(got, OLD) and header == {"step": 1}
    assert not [name for name in os.listdir(target.parent) if name.endswith(".tmp")]


class FullDisk(io.BufferedRandom):
    """A file that takes half of what is written to it."""

    def write(self, data):
        super().write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt(*args):
    raise KeyboardInterrupt


def out_of_memory(*args):
    raise MemoryError


def open_full(path, mode, opener):
    return FullDisk(io.FileIO(path, mode.replace("b", ""), opener=opener))


FULL = (CheckpointError, "No space left on device; free some space")
FULL_MEMORY = (CheckpointError, "does not fit into memory")
FAILURES = [
    (os, "fsync", fail, *FULL),
    (os, "replace", fail, *FULL),
    (os, "chmod", fail, *FULL),
    (os, "open", fail, *FULL),
    (serialization, "open", open_full, *FULL),
    (os, "fsync", interrupt, KeyboardInterrupt, ""),
    (os, "replace", interrupt, KeyboardInterrupt, ""),
    (serialization, "_parse", out_of_memory, *FULL_MEMORY),
    (safetensors.numpy, "save", out_of_memory, *FULL_MEMORY),
    (safetensors.numpy, "save", lambda *args: b"", CheckpointError, "deserializing"),
]


@pytest.mark.parametrize(("module", "name", "failure", "error", "words"), FAILURES)
def test_a_failure_leaves_the_old_file_and_nothing_else(
    target, module, name, failure, error, words
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, failure, raising=False)
        with pytest.raises(error, match=words or None):
            save_file(target, NEW, {})
    assert_untouched(target)
    assert os.listdir(target.parent) == [target.name]


def test_a_real_limit_of_the_system_in_the_middle_of_a_write(target):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores SIGXFSZ
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(CheckpointError, match="File too large"):
            save_file(target, NEW, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_untouched(target)


def test_a_folder_that_cannot_be_flushed_is_no_failure(target, monkeypatch):
    fsync = os.fsync
    synced = []

    def files_only(descriptor):
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            synced.append("folder")
            raise OSError(errno.EINVAL, "no")
        synced.append(f"file of {status.st_size} bytes")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    small = {"w": np.ones(3)}  # smaller than the buffer of the file
    save_file(target, small, {})
    assert same(load_file(target)[0], small)
    assert synced == [f"file of {target.stat().st_size} bytes", "folder"]


def test_arrays_that_change_while_they_are_saved(target, monkeypatch):
    moving = np.zeros(10)
    save = safetensors.numpy.save

    def train_on(tensors, metadata):
        moving[3] += 1
        return save(tensors, metadata)

    monkeypatch.setattr(safetensors.numpy, "save", train_on)
    with pytest.raises(CheckpointError, match="'w' is damaged"):
        save_file(target, {"w": moving}, {})
    assert_untouched(target)


# ---------------------------------------------------------------- saving, beside other things


def test_permissions_stay_and_new_files_follow_the_umask(target):
    target.chmod(0o640)
    old = os.umask(0o027)
    try:
        save_file(target, NEW, {})
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        target.chmod(0o606)
        save_file(target, NEW, {})
        assert stat.S_IMODE(target.stat().st_mode) == 0o606
        save_file(target.with_name("new"), NEW, {})
        assert stat.S_IMODE(target.with_name("new").stat().st_mode) == 0o640
    finally:
        os.umask(old)


def test_a_link_stays_a_link(target):
    elsewhere = make_folder(target.parent / "elsewhere")
    for link, to in (("link", target), ("dangling", elsewhere / "new")):
        path = target.with_name(link)
        path.symlink_to(to)
        save_file(path, NEW, {"via": link})
        assert path.is_symlink() and load_file(to)[1] == {"via": link}
        assert same(load_file(path)[0], NEW)
    assert os.listdir(elsewhere) == ["new"]


def test_only_what_killed_processes_left_of_this_target_is_swept(target):
    stray = target.with_name(".model.safetensors.0123456789abcdef.tmp")
    stray.write_bytes(b"half")
    others = [
        ".model.0123456789abcdef.tmp",
        ".model.safetensors.2.0123456789abcdef.tmp",
        ".model.safetensors.0123456789abcde.tmp",
        ".model.safetensors.0123456789abcdef0.tmp",
        ".modelxsafetensors.0123456789abcdef.tmp",
        "model.safetensors.0123456789abcdef.tmp",
        ".model.safetensors.tmp",
    ]
    for name in others:
        target.with_name(name).write_bytes(b"mine")
    make_folder(target.with_name(".model.safetensors.aaaaaaaaaaaaaaaa.tmp"))
    make_fifo(target.with_name(".model.safetensors.bbbbbbbbbbbbbbbb.tmp"))
    target.with_name(".model.safetensors.cccccccccccccccc.tmp").symlink_to(others[0])
    save_file(target, NEW, {})
    assert not stray.exists()
    assert len(os.listdir(target.parent)) == len(others) + 4


def test_a_live_writer_is_not_swept(target, monkeypatch):
    fsync = os.fsync
    waiting, go_on = threading.Event(), threading.Event()

    def slow(descriptor):
        if threading.current_thread() is writer and not waiting.is_set():
            waiting.set()
            go_on.wait(60)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    writer = threading.Thread(
        target=save_file, args=(target, NEW, {"from": "the slow one"})
    )
    writer.start()
    assert waiting.wait(60)
    save_file(target, OLD, {"from": "the quick one"})
    assert load_file(target)[1] == {"from": "the quick one"}
    assert len(os.listdir(target.parent)) == 2
    go_on.set()
    writer.join(60)
    assert load_file(target)[1] == {"from": "the slow one"}
    assert os.listdir(target.parent) == [target.name]


def test_many_writers_of_one_file(target):
    failed = []

    def write(k):
        for _ in range(20):
            try:
                save_file(target, {"w": np.full(1000, k)}, {"k": k})
                arrays, header = load_file(target)
                assert (arrays["w"] == header["k"]).all()
            except (AssertionError, CheckpointError) as error:
                failed.append(error)

    writers = [threading.Thread(target=write, args=(k,)) for k in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failed
    assert os.listdir(target.parent) == [target.name]


def test_swept_between_creation_and_lock(target, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    flock = fcntl.flock
    swept: list[str] = []

    def late(file, how):
        if how == fcntl.LOCK_EX and len(swept) < 2:
            os.unlink(file.name)
            swept.append(file.name)
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    save_file(target, NEW, {})
    assert len(swept) == 2 and same(load_file(target)[0], NEW)
    assert os.listdir(target.parent) == [target.name]


def test_where_nothing_can_be_locked_nothing_is_swept(target, monkeypatch):
    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", fail)
    stray = target.with_name(".model.safetensors.0123456789abcdef.tmp")
    stray.write_bytes(b"perhaps alive")
    save_file(target, NEW, {})
    assert same(load_file(target)[0], NEW)
    assert stray.read_bytes() == b"perhaps alive"


def test_the_branches_of_windows(target, monkeypatch):
    replace = os.replace
    monkeypatch.setattr(serialization, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(
        os, "replace", lambda a, b: replace(a, b) if not open_here(a) else fail()
    )
    target.with_name(".model.safetensors.0123456789abcdef.tmp").write_bytes(b"half")
    save_file(target, NEW, {})
    assert same(load_file(target)[0], NEW)
    assert os.listdir(target.parent) == [target.name]


def open_here(path):
    links = Path("/proc/self/fd")
    return links.exists() and any(
        os.path.realpath(link) == path for link in links.iterdir()
    )


# ---------------------------------------------------------------- SIGKILL in a save


def run_python(script, *args, **variables):
    root = Path(tinygrad_rnn.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, args)],
        env={
            **os.environ,
            "PYTHONPATH": str(root),
            "OPENBLAS_NUM_THREADS": "1",
            **variables,
        },
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    ).stdout


KILLS = """
import os, random, signal, sys, time
import numpy as np
from tinygrad_rnn.serialization import load_file, save_file

target, kills = sys.argv[1], int(sys.argv[2])
folder = os.path.dirname(target)
chance = random.Random(0)
step = strays = 0

def save(k):
    save_file(target, {"w": np.full((100, 1000), float(k)), "k": np.array(k)}, {"k": k})

save(0)
for _ in range(kills):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        while True:
            step += 1
            os.write(write, b".")
            save(step)
    os.close(write)
    os.read(read, 1)
    time.sleep(chance.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    begun = step + 1 + len(os.read(read, 100_000))
    os.close(read)
    arrays, header = load_file(target)
    assert header["k"] in (begun - 1, begun), (header, begun)
    step = header["k"]
    assert arrays["k"] == step and arrays["w"].shape == (100, 1000)
    assert (arrays["w"] == step).all()
    left = set(os.listdir(folder)) - {os.path.basename(target)}
    assert len(left) <= 1, left
    strays += len(left)
save(step + 1)
assert os.listdir(folder) == [os.path.basename(target)]
print(strays)
"""

needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="needs os.fork and SIGKILL"
)


@needs_fork
@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_at_random_the_file_is_the_old_one_or_the_new_one(tmp_path, kills):
    strays = int(run_python(KILLS, tmp_path / "model.safetensors", kills))
    assert strays >= kills // 5  # or else the kills missed the saves


KILLED_AT = """
import os, signal, sys
import numpy as np
from tinygrad_rnn import serialization
from tinygrad_rnn.serialization import load_file, save_file

target = sys.argv[1]
die = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
replace, fsync = os.replace, os.fsync
calls = []

def replace_and_die(*args):
    replace(*args)
    die()

def sync_file_and_die_at_folder(descriptor):
    calls.append(descriptor)
    fsync(descriptor) if len(calls) == 1 else die()

points = [
    ("created", serialization.fcntl, "flock", die, 0),
    ("locked", serialization, "_parse", die, 0),
    ("written", os, "fsync", die, 0),
    ("read back", os, "replace", die, 0),
    ("renamed", os, "replace", replace_and_die, 1),
    ("folder", os, "fsync", sync_file_and_die_at_folder, 1),
]
for name, module, function, deadly, expected in points:
    save_file(target, {"w": np.arange(9)}, {"k": 0})
    assert os.listdir(os.path.dirname(target)) == [os.path.basename(target)]
    child = os.fork()
    if not child:
        setattr(module, function, deadly)
        save_file(target, {"w": np.ones(1000)}, {"k": 1})
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, name
    assert load_file(target)[1] == {"k": expected}, name
    assert len(os.listdir(os.path.dirname(target))) == 2 - expected, name
"""


@needs_fork
def test_killed_at_each_step_of_a_save(tmp_path):
    run_python(KILLED_AT, tmp_path / "model.safetensors")


# ---------------------------------------------------------------- hostile files


def entry(dtype, shape, *offsets, **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": list(offsets), **more}


def ours(document, tensors=None, data=b"", line=None):
    """A file with our metadata and a right digest of it."""
    text = document if isinstance(document, str) else json.dumps(document)
    if line is None:
        line = f"tinygrad_rnn/1 sha256:{hashlib.sha256(text.encode()).hexdigest()}\n"
    return file_of(
        {"__metadata__": {"tinygrad_rnn": line + text}, **(tensors or {})}, data
    )


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self):
        return os.mkdir, (f"{os.environ['PYTEST_BOMB']}",)


def pickles():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield pickle.dumps(Bomb(), protocol)
    archive = io.BytesIO()
    np.savez(archive, w=np.zeros(3))
    yield archive.getvalue()
    single = io.BytesIO()
    np.save(single, np.array([Bomb()], object), allow_pickle=True)
    yield single.getvalue()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:  # the layout of torch.save
        file.writestr("archive/data.pkl", pickle.dumps(Bomb()))
    yield archive.getvalue()
    yield gzip.compress(pickle.dumps(Bomb()), mtime=0)


def layouts_of_others():
    yield from (b"", b"\0", bytes(7), bytes(8), bytes(9), bytes(4096), b"\xff" * 4096)
    yield from (
        b"{}",
        b"\n",
        b"#!/bin/sh\nrm -rf /\n",
        b"<!DOCTYPE html><html>404</html>",
    )
    yield from (b"\x7fELF" + bytes(60), b"SQLite format 3\0" + bytes(84))
    yield b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 132735\n"
    tensor = b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}x'
    powers = [
        2**n - i
        for n, i in ((31, 0), (32, 0), (53, 0), (62, 0), (63, 1), (63, 0), (64, 1))
    ]
    for length in (0, 1, 3, 99, 100_000_001, *powers):
        yield struct.pack("<Q", length) + b"{}"
        yield struct.pack("<Q", length) + tensor


# One header a line; EMPTY is a tensor without elements.
HEADERS = rb"""

[]
null
1
"x"
{
}
{}}
{},
{'w': 1}
{"w":}
{"w":1}
{"w":null}
{"w":[]}
{"w":{}}
{"w":NaN}
{"\ud800":EMPTY}
{"__metadata__":[]}
{"__metadata__":"x"}
{"__metadata__":{"x":1}}
{"__metadata__":{"x":null}}
{"__metadata__":{"x":{"y":"z"}}}
{"__metadata__":{"x":"y","x":"y"}}
{"__metadata__":{},"__metadata__":{}}
{"a":{"dtype":"U8","shape":[1e400],"data_offsets":[0,0]}}
{"a":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}}
{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1,"x":2}}"""


def headers_of_others():
    empty = b'{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    deep_list = b"[" * 100_000 + b"]" * 100_000
    headers = [line.replace(b"EMPTY", empty) for line in HEADERS.split(b"\n")[1:]]
    headers += [b" ", b"{}\0", b"\0\0{}", b"\xef\xbb\xbf{}", b'{"\xff":1}']
    headers += [
        "{}".encode("utf-16"),
        "{}".encode("utf-32"),
        b'{"w\xc3":' + empty + b"}",
    ]
    headers += [b'{"__metadata__":' * 200 + b"{}" + b"}" * 200, b"[" * 100_000]
    headers += [b'{"a":' * 100_000, b'{"a":' + deep_list + b"}"]
    headers += [b'{"a":' + empty[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}}"]
    headers += [b'{"a":' + empty.replace(b"[0]", b"[1" + b"0" * 5000 + b"]") + b"}"]
    yield from map(file_of, headers)


# dtype, shape and data_offsets of a tensor in a file with 8 bytes of data.
ENTRIES = f"""
"F32" [2] [0,7]; "F32" [2] [0,9]; "F32" [2] [8,0]; "F32" [2] [-8,0]; "F32" [2] [0,{2**63}]
"F32" [2] [{2**64 - 8},{2**64 - 1}]; "F32" [2] [0,{2**64}]; "F32" [2] [0]; "F32" [2] []
"F32" [2] [0,8,8]; "F32" [2] [0.0,8.0]; "F32" [2] ["0","8"]; "F32" [2] [null,null]
"F32" [1] [0,8]; "F32" [3] [0,8]; "F32" [-2] [0,8]; "F32" [-1,-2] [0,8]; "F32" [2.0] [0,8]
"F32" ["2"] [0,8]; "F32" 2 [0,8]; "F32" null [0,8]; "F32" [[2]] [0,8]
"F32" [{2**40}] [0,8]; "F32" [{2**62}] [0,8]; "F32" [{2**62},4] [0,8]
"F32" [{2**32},{2**32}] [0,8]; "F32" [{2**63},2] [0,8]; "F32" [{2**64 + 2}] [0,8]
"f32" [2] [0,8]; "" [2] [0,8]; null [2] [0,8]; 4 [2] [0,8]; "object" [1] [0,8]
"O" [1] [0,8]; "<f4" [2] [0,8]; "F64" [2] [0,8]; "BF16" [8] [0,8]; "F16" [2] [0,8]
"I8" [4] [0,8]; "I16" [8] [0,8]; "U16" [8] [0,8]; "U32" [1] [0,8]; "C64" [1] [0,8]
"F8_E4M3" [8] [0,8]; "F8_E5M2" [8] [0,8]; "F4" [16] [0,8]; "F32" [2{",1" * 80}] [0,8]
"F32" [0,{2**62}] [0,0]; "F32" [{2**63 - 1},0] [0,0]; "F32" [0,{2**62},8] [0,0]
"F32" [{2**64 - 1},0] [0,0]; "F32" [0{",1" * 64}] [0,0]
"""


def tensors_of_others():
    for text in re.split("; |\n", ENTRIES.strip()):
        dtype, shape, offsets = map(json.loads, text.split(" "))
        data = bytes(0 if offsets == [0, 0] else 8)
        yield file_of({"w": entry(dtype, shape, *offsets)}, data)
    w = entry("F32", [2], 0, 8)
    for left_out in w:
        yield file_of({"w": {k: v for k, v in w.items() if k != left_out}}, bytes(8))
    for count in (7, 9, 0):
        yield file_of({"w": w}, bytes(count))
    yield file_of({}, b"trailing")
    yield file_of({"w": entry("F32", [2], 8, 16)}, bytes(16))  # a hole at the start
    for other, count in (
        (entry("U8", [1], 9, 10), 10),  # a hole between them
        (entry("U8", [4], 8, 12), 16),  # at the end
        (w, 8),  # two tensors in one place
        (entry("U8", [8], 4, 12), 12),  # overlapping
        (entry("U8", [2], 2, 4), 8),
    ):
        yield file_of({"w": w, "v": other}, bytes(count))
    twice = f'"w":{json.dumps(w)}'.encode()
    again = twice.replace(b"0, 8", b"8, 16")
    yield file_of(b"{" + twice + b"," + twice + b"}", bytes(8))
    yield file_of(b"{" + twice + b"," + again + b"}", bytes(16))
    for byte in (2, 3, 127, 128, 255):
        yield file_of({"w": entry("BOOL", [3], 0, 3)}, bytes([1, byte, 0]))


# Documents of our metadata, one a line; W is the digest of the tensor w, X of others.
DOCUMENTS = """

{
[]
null
3
{}
{"header": {}}
{"sha256": {"w": W}}
{"header": [], "sha256": {"w": W}}
{"header": null, "sha256": {"w": W}}
{"header": {}, "sha256": [W]}
{"header": {}, "sha256": {}}
{"header": {}, "sha256": {"v": W}}
{"header": {}, "sha256": {"w": W, "v": W}}
{"header": {}, "sha256": {"w": null}}
{"header": {}, "sha256": {"w": 0}}
{"header": {}, "sha256": {"w": [W]}}
{"header": {}, "sha256": {"w": X}}
{"header": {}, "sha256": {"w": Y}}
{"header": {"x": NaN}, "sha256": {"w": W}}
{"header": {"x": Infinity}, "sha256": {"w": W}}
{"header": {"x": [-Infinity]}, "sha256": {"w": W}}
{"header": {}, "header": {}, "sha256": {"w": W}}
{"header": {"a": 1, "a": 1}, "sha256": {"w": W}}
{"header": {}, "sha256": {"w": W, "w": W}}
{"header": {"a": LISTS}, "sha256": {"w": W}}
{"header": {"a": NINES}, "sha256": {"w": W}}
\ufeff{"header": {}, "sha256": {"w": W}}"""


def metadata_of_ours():
    tensors, data = {"w": entry("U8", [2], 0, 2)}, b"hi"
    w = hashlib.sha256(b"U8 [2]\nhi").hexdigest()
    right = {"header": {}, "sha256": {"w": w}}
    sha = f"sha256:{hashlib.sha256(json.dumps(right).encode()).hexdigest()}"
    versions = ("3", "0", "01", "9" * 5000, "-1", "")
    lines = ["", "\n", *(f"tinygrad_rnn/{version} {sha}\n" for version in versions)]
    wrong = (sha.upper(), sha[:-1], f"{sha[:-1]}g", f"md5:{sha[7:]}", f"{sha}\n")
    lines += [f"tinygrad_rnn/1 {digest}\n" for digest in wrong]
    lines += [f"tinygrad_rnn/1 {sha} ", f" tinygrad_rnn/1 {sha}\n"]
    for line in lines:
        yield ours(right, tensors, data, line)
    others = {
        "LISTS": "[" * 100_000 + "]" * 100_000,
        "NINES": "9" * 5000,
        "W": f'"{w}"',
    }
    for name, hashed in (("X", b"hi"), ("Y", b"U8 [1, 2]\nhi")):
        others[name] = f'"{hashlib.sha256(hashed).hexdigest()}"'
    for document in DOCUMENTS.split("\n")[1:]:
        for name, value in others.items():
            document = document.replace(name, value)
        yield ours(document, tensors, data)
    for digest in (w.upper(), w[:-1]):
        yield ours({"header": {}, "sha256": {"w": digest}}, tensors, data)
    yield ours(json.dumps(right) * 2, tensors, data)
    whole = ours(right, tensors, data)
    yield whole.replace(b'"tinygrad_rnn":', b'"tinygrad_rnm":')
    yield whole.replace(b'"__metadata__":', b'"__metadatb__":')
    yield whole.replace(b'"U8"', b'"I8"')
    yield whole.replace(b'"shape": [2]', b'"shape":[2,1]'.ljust(12))
    yield from (whole[:-2] + b"hI", whole[:-1], whole + b"!")


def truncations():
    digest = hashlib.sha256(b"U8 [60]\n" + bytes(60)).hexdigest()
    right = {"header": {}, "sha256": {"w": digest}}
    whole = ours(right, {"w": entry("U8", [60], 0, 60)}, bytes(60))
    yield from (whole[:length] for length in range(0, len(whole), 3))


FAMILIES = (
    layouts_of_others,
    headers_of_others,
    tensors_of_others,
    metadata_of_ours,
    truncations,
)
HOSTILE = {family.__name__: list(family()) for family in FAMILIES}
CONTENTS = [content for family in HOSTILE.values() for content in family]


def refused(path):
    with pytest.raises(CheckpointError) as caught:
        load_file(path)
    message = str(caught.value)
    assert message.startswith(f"cannot load {str(path)!r}: ")
    assert len(message) < 600 + len(str(path))
    return message


@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
def test_hostile_files_are_refused(tmp_path, content):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(content)
    header = int.from_bytes(content[:8], "little")
    refused(path)  # imports what loading imports, before memory is counted
    tracemalloc.start()
    try:
        refused(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Twice the file; where it is nearly all metadata, that is also text and Python
    # objects.
    assert peak < 2 * len(content) + 2 * min(header, len(content)) + 50_000


def test_a_download_that_stopped_early_is_said_to_be_cut_short(target):
    target.write_bytes(target.read_bytes()[:50])
    assert "it is cut short" in refused(target)


def test_there_are_300_different_hostile_files():
    assert len(set(CONTENTS)) >= 300


def test_pickles_are_refused_and_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_BOMB", str(tmp_path / "exploded"))
    for content in pickles():
        for hidden in (
            content,
            struct.pack("<Q", len(content)) + content,
            file_of({}, content),
        ):
            (tmp_path / "hostile.safetensors").write_bytes(hidden)
            refused(tmp_path / "hostile.safetensors")
    assert os.listdir(tmp_path) == ["hostile.safetensors"]


def test_every_bit_that_flips_is_seen(target):
    save_file(target, OLD, {"lr": 0.001})
    whole = target.read_bytes()
    with open(target, "r+b", buffering=0) as file:
        for place, byte in enumerate(whole):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), place)
                with pytest.raises(CheckpointError):
                    load_file(target)
            os.pwrite(file.fileno(), bytes([byte]), place)
    assert load_file(target)[1] == {"lr": 0.001}


def test_every_byte_that_is_missing_is_seen(target):
    whole = target.read_bytes()
    for place in range(len(whole)):
        target.write_bytes(whole[:place] + whole[place + 1 :])
        with pytest.raises(CheckpointError):
            load_file(target)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damage_is_an_error_or_no_damage(folder, data):
    path = folder / "damaged.safetensors"
    save_file(path, OLD, {"lr": 0.001})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        stop = start + data.draw(st.integers(0, 12))
        content[start:stop] = data.draw(
            st.binary(max_size=12)
            | st.sampled_from([b"9" * 20, b"-1", b"null", b"[[", b'"', b"1e9"])
        )
    path.write_bytes(content)
    try:
        got, header = load_file(path)
    except CheckpointError:
        pass
    else:
        assert same(got, OLD) and header in ({"lr": 0.001}, {})
    finally:
        path.unlink()


def test_loading_takes_about_twice_the_file(tmp_path):
    path = tmp_path / "big"
    save_file(
        path, {"w": np.zeros(500_000), "v": np.zeros((2, 500_000), np.float32)}, {}
    )
    tracemalloc.start()
    try:
        load_file(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.05 * path.stat().st_size


def test_a_huge_file_of_another_kind_is_refused_unread(tmp_path):
    path = tmp_path / "huge.pickle"
    path.write_bytes(pickle.dumps(np.zeros(3)))
    os.truncate(path, 2**32)  # sparse: it takes no room on the disk
    tracemalloc.start()
    try:
        refused(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000


@pytest.fixture
def no_waiting():
    """Fails a test that blocks, instead of hanging the run."""

    def late(*args):
        raise AssertionError("blocked for 5 seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(5)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path, "No such file or directory.*; check the name"),
        (lambda path: path / "model", "No such file or directory"),
        (make_folder, "Is a directory"),
        (make_fifo, "it is not a regular file"),
        (make_socket, "cannot load"),
        (make_loop, "symbolic links"),
        (lambda path: Path("/dev/zero"), "it is not a regular file"),
        (lambda path: Path("/dev/null"), "it is not a regular file"),
        (lambda path: path.with_name("x" * 300), "File name too long"),
        (lambda path: f"{path}\0", "null"),
    ],
)
def test_what_is_no_file_cannot_be_loaded(tmp_path, make, words):
    path = make(tmp_path / "it")
    with pytest.raises(CheckpointError, match=words) as caught:
        load_file(path)
    assert str(caught.value).startswith(f"cannot load {os.fspath(path)!r}: ")
    assert isinstance(caught.value, Error) and isinstance(caught.value, ValueError)


@pytest.mark.parametrize("error", [MemoryError, OverflowError, RecursionError])
def test_a_parser_at_its_limits(target, monkeypatch, error):
    def parse(raw):
        raise error("too much") if error is not MemoryError else error

    monkeypatch.setattr(serialization, "_parse", parse)
    with pytest.raises(CheckpointError, match=r"too much|it does not fit into memory"):
        load_file(target)


def test_a_header_as_long_as_a_zip_begins(tmp_path):
    """19,280 bytes: in the file that is ``PK``, and two zeros."""
    path, data = tmp_path / "weights", np.arange(2, dtype="<f4")
    header = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'.ljust(19_280)
    path.write_bytes(struct.pack("<Q", len(header)) + header + data.tobytes())
    assert path.read_bytes()[:2] == b"PK"
    np.testing.assert_array_equal(load_file(path)[0]["w"], data)
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(CheckpointError, match="a zip archive, as torch.save writes"):
        load_file(path)
