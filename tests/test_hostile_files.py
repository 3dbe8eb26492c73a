"""Damaged and hostile files: each one is an error, in little memory; no code runs."""

import gzip
import hashlib
import io
import json
import os
import pickle
import re
import signal
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_serialization import (
    OLD,
    entry,
    file_of,
    make_fifo,
    make_folder,
    make_loop,
    make_socket,
)
from test_tree import same

from tinygrad_rnn import serialization
from tinygrad_rnn.errors import CheckpointError, Error
from tinygrad_rnn.serialization import load_file, save_file


@pytest.fixture
def target(tmp_path):
    """A file that holds OLD, alone in its folder."""
    path = tmp_path / "model.safetensors"
    save_file(path, OLD, {"step": 1})
    return path


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
"F32" [2] [0,7]; "F32" [2] [0,9]; "F32" [2] [8,0]; "F32" [2] [-8,0]
"F32" [2] [0,{2**63}]
"F32" [2] [{2**64 - 8},{2**64 - 1}]; "F32" [2] [0,{2**64}]; "F32" [2] [0]; "F32" [2] []
"F32" [2] [0,8,8]; "F32" [2] [0.0,8.0]; "F32" [2] ["0","8"]; "F32" [2] [null,null]
"F32" [1] [0,8]; "F32" [3] [0,8]; "F32" [-2] [0,8]; "F32" [-1,-2] [0,8]
"F32" [2.0] [0,8]
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
def test_damage_is_an_error_or_no_damage(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
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
