"""Damaged and hostile files: each one is an error, in little memory; no code runs."""

import gzip
import hashlib
import io
import json
import os
import pickle
import re
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_serialization import OLD, entry, file_of, load
from test_tree import same

from tinygrad_rnn import serialization
from tinygrad_rnn.errors import CheckpointError
from tinygrad_rnn.serialization import load_file, save_file


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def bytes_of(write):
    """What a function writes to an open file."""
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zip_of(name, content):
    return bytes_of(lambda file: zipfile.ZipFile(file, "w").writestr(name, content))


def ours(document, tensors=None, data=b"", line=None):
    """A file with our metadata and a right digest of it."""
    text = document if isinstance(document, str) else json.dumps(document)
    if line is None:
        line = f"tinygrad_rnn/1 sha256:{sha256(text.encode())}\n"
    metadata = {"__metadata__": {"tinygrad_rnn": line + text}}
    return file_of({**metadata, **(tensors or {})}, data)


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self):
        return os.mkdir, (f"{os.environ['PYTEST_BOMB']}",)


def pickles():
    protocols = range(pickle.HIGHEST_PROTOCOL + 1)
    bombs = [pickle.dumps(Bomb(), protocol) for protocol in protocols]
    array = np.array([Bomb()], object)
    return [
        *bombs,
        bytes_of(lambda file: np.savez(file, w=np.zeros(3))),
        bytes_of(lambda file: np.save(file, array, allow_pickle=True)),
        zip_of("archive/data.pkl", bombs[-1]),  # the layout of torch.save
        gzip.compress(bombs[-1], mtime=0),
    ]


SMALL = [b"", b"\0", bytes(7), bytes(8), bytes(9), bytes(4096), b"\xff" * 4096, b"{}"]
SMALL += [b"\n", b"#!/bin/sh\nrm -rf /\n", b"<!DOCTYPE html><html>404</html>"]
SMALL += [b"\x7fELF" + bytes(60), b"SQLite format 3\0" + bytes(84)]
SMALL += [b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 132735\n"]
LENGTHS = [0, 1, 3, 99, 100_000_001, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63]
LENGTHS += [2**64 - 1]  # of the header


def layouts_of_others():
    tensor = b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}x'
    lengths = [struct.pack("<Q", length) for length in LENGTHS]
    return SMALL + [length + text for length in lengths for text in (b"{}", tensor)]


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
{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1,"x":2}}
{"a":{"dtype":"U8","shape":[NINES],"data_offsets":[0,0]}}
{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":LISTS}}
{"a":LISTS}"""
MORE = [b" ", b"{}\0", b"\0\0{}", b"\xef\xbb\xbf{}", b'{"\xff":1}', b'{"w\xc3":EMPTY}']
MORE += ["{}".encode("utf-16"), "{}".encode("utf-32"), b"[" * 100_000]
MORE += [b'{"__metadata__":' * 200 + b"{}" + b"}" * 200, b'{"a":' * 100_000]
WORDS = {
    b"EMPTY": b'{"dtype":"U8","shape":[0],"data_offsets":[0,0]}',
    b"LISTS": b"[" * 100_000 + b"]" * 100_000,
    b"NINES": b"9" * 5000,
}


def fill_in(text, words):
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def headers_of_others():
    headers = HEADERS.split(b"\n")[1:] + MORE
    return [file_of(fill_in(header, WORDS)) for header in headers]


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
W = entry("F32", [2], 0, 8)
# Two tensors: dtype, shape and data_offsets of the second, and the bytes of data.
SECOND = [("U8", [1], 9, 10, 10), ("U8", [4], 8, 12, 16)]  # a hole; one at the end
SECOND += [("F32", [2], 0, 8, 8), ("U8", [8], 4, 12, 12), ("U8", [2], 2, 4, 8)]


def tensors_of_others():
    for text in re.split("; |\n", ENTRIES.strip()):
        dtype, shape, offsets = map(json.loads, text.split(" "))
        data = bytes(0 if offsets == [0, 0] else 8)
        yield file_of({"w": entry(dtype, shape, *offsets)}, data)
    for key in W:
        yield file_of({"w": {k: v for k, v in W.items() if k != key}}, bytes(8))
    for count in (7, 9, 0):
        yield file_of({"w": W}, bytes(count))
    yield file_of({}, b"trailing")
    yield file_of({"w": entry("F32", [2], 8, 16)}, bytes(16))  # a hole at the start
    for *second, count in SECOND:
        yield file_of({"w": W, "v": entry(*second)}, bytes(count))
    once = f'"w":{json.dumps(W)}'.encode()
    for again in (once, once.replace(b"0, 8", b"8, 16")):
        yield file_of(
            b"{" + once + b"," + again + b"}", bytes(8 if again is once else 16)
        )
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
{"header": {}, "sha256": {"w": UPPER}}
{"header": {}, "sha256": {"w": SHORT}}
{"header": {}, "sha256": {"w": W}}{"header": {}, "sha256": {"w": W}}
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
    w = sha256(b"U8 [2]\nhi")
    right = {"header": {}, "sha256": {"w": w}}
    sha = f"sha256:{sha256(json.dumps(right).encode())}"
    lines = [f"/{version} {sha}\n" for version in (3, 0, "01", "9" * 5000, -1, "")]
    wrong = sha.upper(), sha[:-1], f"{sha[:-1]}g", f"md5:{sha[7:]}", f"{sha}\n"
    lines += [f"/1 {digest}\n" for digest in wrong]
    lines = ["", "\n", f" tinygrad_rnn/1 {sha}\n", f"tinygrad_rnn/1 {sha} "] + [
        f"tinygrad_rnn{line}" for line in lines
    ]
    yield from (ours(right, tensors, data, line) for line in lines)
    words = {"UPPER": w.upper(), "SHORT": w[:-1], "W": w}
    words |= {"X": sha256(b"hi"), "Y": sha256(b"U8 [1, 2]\nhi")}
    words = {word: f'"{digest}"' for word, digest in words.items()}
    words |= {word.decode(): value.decode() for word, value in WORDS.items()}
    for document in DOCUMENTS.split("\n")[1:]:
        yield ours(fill_in(document, words), tensors, data)
    whole = ours(right, tensors, data)
    for old, new in (
        (b'"tinygrad_rnn":', b'"tinygrad_rnm":'),
        (b'"__metadata__":', b'"__metadatb__":'),
        (b'"U8"', b'"I8"'),
        (b'"shape": [2]', b'"shape":[2,1]'.ljust(12)),
    ):
        yield whole.replace(old, new)
    yield from (whole[:-2] + b"hI", whole[:-1], whole + b"!")


FAMILIES = layouts_of_others, headers_of_others, tensors_of_others, metadata_of_ours
CONTENTS = [content for family in FAMILIES for content in family()]


def peak_of(call):
    """The most bytes that a call takes."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def assert_refused(path):
    with pytest.raises(CheckpointError) as caught:
        load_file(path)
    message = str(caught.value)
    assert message.startswith(f"cannot load {str(path)!r}: ")
    assert len(message) < 600 + len(str(path))


@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
def test_hostile_files(tmp_path, content):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(content)
    header = min(int.from_bytes(content[:8], "little"), len(content))
    assert_refused(path)  # imports what loading imports, before memory is counted
    # Twice the file; where it is nearly all metadata, that is also text and objects.
    most = 2 * len(content) + 2 * header + 50_000
    assert peak_of(lambda: assert_refused(path)) < most


def test_pickles_are_refused_and_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_BOMB", str(tmp_path / "exploded"))
    path = tmp_path / "hostile.safetensors"
    for content in pickles():
        length = struct.pack("<Q", len(content))
        for hidden in (content, length + content, file_of({}, content)):
            path.write_bytes(hidden)
            assert_refused(path)
    assert os.listdir(tmp_path) == [path.name]


WHOLE = bytes_of(lambda file: save_file(file, OLD, {"lr": 0.001}))


def test_every_damage_of_a_bit_or_a_byte_is_seen():
    """A bit that flips, a byte that is missing, the end that is missing."""
    for place, byte in enumerate(WHOLE):
        before, after = WHOLE[:place], WHOLE[place + 1 :]
        flipped = [before + bytes([byte ^ 1 << bit]) + after for bit in range(8)]
        for content in (*flipped, before + after, before):
            with pytest.raises(CheckpointError):
                load(content)
    with pytest.raises(CheckpointError, match="it is cut short"):
        load(WHOLE[:50])


JUNK = st.binary(max_size=12) | st.sampled_from(
    [b"9" * 20, b"-1", b"null", b"[[", b'"', b"1e9"]
)


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 12), JUNK), max_size=3))
@settings(max_examples=300)
def test_damage_is_an_error_or_no_damage(cuts):
    content = bytearray(WHOLE)
    for start, count, junk in cuts:
        content[start : start + count] = junk
    try:
        found, header = load(content)
    except CheckpointError:
        return
    assert same(found, OLD) and header in ({"lr": 0.001}, {})


def test_loading_takes_about_twice_the_file(tmp_path):
    path = tmp_path / "big"
    big = {"w": np.zeros(500_000), "v": np.zeros((2, 500_000), np.float32)}
    save_file(path, big, {})
    assert peak_of(lambda: load_file(path)) < 2.05 * path.stat().st_size


def test_a_huge_file_of_another_kind_is_refused_unread(tmp_path):
    path = tmp_path / "huge.pickle"
    path.write_bytes(pickle.dumps(np.zeros(3)))
    os.truncate(path, 2**32)  # sparse: it takes no room on the disk
    assert peak_of(lambda: assert_refused(path)) < 200_000


@pytest.mark.parametrize(
    ("error", "words"),
    [(MemoryError(), "it does not fit into memory"), (OverflowError("big"), "big")]
    + [(RecursionError("deep"), "deep")],
)
def test_a_parser_at_its_limits(monkeypatch, error, words):
    def parse(raw):
        raise error

    monkeypatch.setattr(serialization, "_parse", parse)
    with pytest.raises(CheckpointError, match=words):
        load(WHOLE)


def test_a_header_as_long_as_a_zip_begins():
    """19,280 bytes: in the file that is ``PK``, and two zeros."""
    data = np.arange(2, dtype="<f4")
    header = json.dumps({"w": W}).encode().ljust(19_280)
    content = file_of(header, data.tobytes())
    assert content[:2] == b"PK"
    np.testing.assert_array_equal(load(content)[0]["w"], data)
    with pytest.raises(CheckpointError, match="a zip archive, as torch.save writes"):
        load(b"PK\x03\x04" + bytes(100))
