"""Files: what goes in comes out bit for bit, and a crash costs nothing."""

import errno
import hashlib
import io
import json
import math
import os
import signal
import stat
import struct
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from test_tree import arrays, cycle, deep, numbers, same

import tinygrad_rnn
from tinygrad_rnn import serialization
from tinygrad_rnn.errors import CheckpointError, DTypeError, Error
from tinygrad_rnn.serialization import load_file, save_file

OLD = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "on": np.array([True, False])}
NEW = {"w": np.full((40, 50), np.nan), "n": np.array(7, dtype=np.uint64)}
STRAY = ".model.safetensors.0123456789abcdef.tmp"


def file_of(header, data=b""):
    """A file in the layout of safetensors, whatever the header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype, shape, *offsets):
    return {"dtype": dtype, "shape": shape, "data_offsets": list(offsets)}


def load(content):
    return load_file(io.BytesIO(content))


@pytest.fixture
def target(tmp_path):
    """A file that holds OLD, alone in its folder."""
    path = tmp_path / "model.safetensors"
    save_file(path, OLD, {"step": 1})
    return path


def assert_untouched(target, *others):
    assert same(load_file(target), (OLD, {"step": 1}))
    assert sorted(os.listdir(target.parent)) == sorted([target.name, *others])


def assert_saved(target):
    """NEW was saved, and its file is alone in its folder."""
    assert same(load_file(target)[0], NEW)
    assert os.listdir(target.parent) == [target.name]


# ---------------------------------------------------------------- round trips

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.dictionaries(texts.filter(lambda name: name != "__metadata__"), arrays)
keys = st.text(max_size=8)
values = st.recursive(
    numbers | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner),
    max_leaves=10,
)
LAYOUTS = [
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


@given(plain, st.dictionaries(keys, values), st.sampled_from(LAYOUTS))
def test_a_file_gives_back_what_went_in(tmp_path_factory, plain, header, layout):
    path = tmp_path_factory.getbasetemp() / "round" / "trip"
    path.parent.mkdir(exist_ok=True)
    given_ = {name: layout(array) for name, array in plain.items()}
    save_file(path, given_, header)
    expected = {n: a.astype(a.dtype.newbyteorder("="), "C") for n, a in given_.items()}
    found = load_file(path)
    assert same(found, (expected, header))
    for array in found[0].values():
        assert array.flags.carray and array.flags.owndata
    assert os.listdir(path.parent) == [path.name]


def test_the_same_state_is_the_same_file_in_any_process(target):
    script = """
import sys, numpy as np
from tinygrad_rnn.serialization import save_file
assert "safetensors" not in sys.modules  # an import of ours is quick
w = np.arange(6, dtype=np.float32).reshape(2, 3)
save_file(sys.argv[1], {"w": w, "on": np.array([True, False])}, {"step": 1})
"""
    for seed in "01":
        other = target.with_name(f"other{seed}")
        run_python(script, other, PYTHONHASHSEED=seed)
        assert other.read_bytes() == target.read_bytes()


def test_other_tools_can_open_it_and_check_it(target):
    found = safetensors.numpy.load_file(target)
    assert same(sorted(found.items()), sorted(OLD.items()))
    with safetensors.safe_open(target, framework="np") as file:
        line, document = file.metadata()["tinygrad_rnn"].split("\n", 1)
    digest = hashlib.sha256(document.encode()).hexdigest()
    assert line == f"tinygrad_rnn/2 sha256:{digest}"
    w = hashlib.sha256(b"F32 [2, 3]\n" + OLD["w"].tobytes()).hexdigest()
    on = hashlib.sha256(b"BOOL [2]\n\x01\x00").hexdigest()
    assert json.loads(document) == {"header": {"step": 1}, "sha256": {"w": w, "on": on}}


def test_files_of_other_tools_load():
    theirs = {"a": np.array(2.5), "b": np.zeros((0, 3), np.int32)}
    for metadata in (None, {}, {"format": "pt", "about": "tinygrad_rnn/1"}):
        found, header = load(safetensors.numpy.save(theirs, metadata))
        assert same([dict(sorted(found.items())), header], [theirs, {}])
    assert load(file_of({"__metadata__": None})) == ({}, {})


@pytest.mark.parametrize(("code", "size"), [("F8_E4M3", 1), ("F8_E5M2", 1), ("C64", 8)])
def test_dtypes_of_other_tools_are_named(code, size):
    words = rf"'rnn.weight' is {code}; convert .*float32"
    parts = version("safetensors").split(".")
    if code == "C64" and (int(parts[0]), int(parts[1])) < (0, 6):  # which has none
        words = "InvalidHeaderDeserialization"
    header = {"rnn.weight": entry(code, [3], 0, 3 * size)}
    with pytest.raises(CheckpointError, match=words):
        load(file_of(header, bytes(3 * size)))


def test_halves_are_widened():
    """All 65,536 of a kind, to the bit."""
    bits = np.arange(2**16)
    # binary16 of IEEE 754: a sign, 5 bits of exponent, 10 of fraction
    exponent, fraction = bits >> 10 & 31, bits & 1023
    size = np.ldexp(fraction + 1024.0 * (exponent > 0), np.maximum(exponent, 1) - 25)
    size[exponent == 31] = np.where(fraction, math.nan, math.inf)[exponent == 31]
    half = np.copysign(size, 1 - 2 * (bits >> 15))
    brain = (bits.astype(np.uint32) << 16).view(np.float32)  # half of a float32
    for code, expected in (("F16", half), ("BF16", brain)):
        header = {"w": entry(code, [256, 256], 0, 2**17)}
        found = load(file_of(header, bits.astype("<u2").tobytes()))[0]["w"]
        assert (found.shape, found.dtype) == ((256, 256), np.float32)
        expected = expected.reshape(256, 256)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
        if code == "BF16":
            assert found.tobytes() == brain.tobytes()


# ---------------------------------------------------------------- what cannot be saved

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
NO_JSON = [math.nan, [-math.inf], (1, 2), {1: 2}, {1, 2}, np.zeros(2), b"", 10**5000]
NO_HEADERS = [{None: 1}, *({"a": value} for value in (*NO_JSON, cycle, deep(10**5)))]
CANNOT_BE_SAVED = [({"w": bad}, {}, DTypeError, words) for bad, words in NO_ARRAYS]
CANNOT_BE_SAVED += [
    (OLD, header, DTypeError, "save_file: the header is not JSON .*flatten")
    for header in NO_HEADERS
]
CANNOT_BE_SAVED += [
    ({name: np.zeros(3)}, {}, CheckpointError, "cannot save")
    for name in ("__metadata__", "\ud800")
]


@pytest.mark.parametrize(("arrays", "header", "error", "words"), CANNOT_BE_SAVED)
def test_what_the_format_cannot_hold(target, arrays, header, error, words):
    with pytest.raises(error, match=words):
        save_file(target, arrays, header)
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


# What makes a path of one, and words of the errors of saving to it and of loading it.
FOLDER = "it is a folder; add the name of a file"
SPECIAL = "it is not a regular file; choose another name"
NO_FILE = "No such file or directory.*; check the name, and that the folder exists"
PATHS = [
    (make_folder, FOLDER, "Is a directory"),
    (lambda path: f"{path}/", FOLDER, NO_FILE),
    (lambda path: "", FOLDER, NO_FILE),
    (make_fifo, SPECIAL, "it is not a regular file"),
    (make_socket, SPECIAL, "cannot load"),
    (lambda path: Path("/dev/zero"), SPECIAL, "it is not a regular file"),
    (lambda path: Path("/dev/null"), SPECIAL, "it is not a regular file"),
    (make_loop, "symbolic links", "symbolic links"),
    (lambda path: path / "model", NO_FILE, NO_FILE),
    (lambda path: path.with_name("x" * 250), "File name too long", NO_FILE),
    (lambda path: path.with_name("x" * 300), "File name too long", "File name too"),
    (lambda path: f"{path}\0", "null", "null"),
]


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize(("make", "save_words", "load_words"), PATHS)
def test_paths_of_no_regular_file(target, make, save_words, load_words):
    path = make(target.with_name("it"))
    made = [name for name in os.listdir(target.parent) if name != target.name]
    for how, call, words in (
        ("save", lambda: save_file(path, NEW, {}), save_words),
        ("load", lambda: load_file(path), load_words),
    ):
        with pytest.raises(CheckpointError, match=words) as caught:
            call()
        assert str(caught.value).startswith(f"cannot {how} {os.fspath(path)!r}: ")
        assert isinstance(caught.value, Error) and isinstance(caught.value, ValueError)
    assert_untouched(target, *made)


@pytest.mark.parametrize("path", [None, 3, 1.5, ["a"]])
def test_paths_that_are_no_paths(path):
    for call in (lambda: save_file(path, OLD, {}), lambda: load_file(path)):
        with pytest.raises(DTypeError, match="path is .*, expected a str"):
            call()


def test_a_read_only_file_is_left_alone(target, monkeypatch):
    target.chmod(0o444)
    if os.access(target, os.W_OK):  # root may write to anything
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(CheckpointError, match="read-only; check the permissions"):
        save_file(target, NEW, {})
    assert_untouched(target)


# ---------------------------------------------------------------- saving, failing


class FullDisk(io.BufferedRandom):
    """A file that takes half of what is written to it."""

    def write(self, data):
        super().write(data[: len(data) // 2])
        fail()


def fail(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt(*args):
    raise KeyboardInterrupt


def run_out_of_memory(*args):
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
    (serialization, "_parse", run_out_of_memory, *FULL_MEMORY),
    (safetensors.numpy, "save", run_out_of_memory, *FULL_MEMORY),
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
    fsync, flushed = os.fsync, []

    def flush_files_only(descriptor):
        status = os.fstat(descriptor)
        flushed.append(stat.S_ISDIR(status.st_mode) or status.st_size)
        if flushed[-1] is True:
            raise OSError(errno.EINVAL, "no")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flush_files_only)
    small = {"w": np.ones(3)}  # smaller than the buffer of the file
    save_file(target, small, {})
    assert same(load_file(target)[0], small)
    assert flushed == [target.stat().st_size, True]


def test_arrays_that_change_while_they_are_saved(target, monkeypatch):
    moving, save = np.zeros(10), safetensors.numpy.save

    def train_on(tensors, metadata):
        moving[3] += 1
        return save(tensors, metadata)

    monkeypatch.setattr(safetensors.numpy, "save", train_on)
    with pytest.raises(CheckpointError, match="'w' is damaged"):
        save_file(target, {"w": moving}, {})
    assert_untouched(target)


# ---------------------------------------------------------------- saving, side by side


def test_permissions_stay_and_new_files_follow_the_umask(target):
    old = os.umask(0o026)
    try:
        for mode in (0o640, 0o606):
            target.chmod(mode)
            save_file(target, NEW, {})
            assert stat.S_IMODE(target.stat().st_mode) == mode
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
        assert path.is_symlink()
        assert same(load_file(to), (NEW, {"via": link}))
    assert os.listdir(elsewhere) == ["new"]


def test_only_what_killed_processes_left_of_this_target_is_swept(target):
    target.with_name(STRAY).write_bytes(b"half")
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
    make_folder(target.with_name(STRAY.replace("0", "a")))
    make_fifo(target.with_name(STRAY.replace("0", "b")))
    target.with_name(STRAY.replace("0", "c")).symlink_to(others[0])
    save_file(target, NEW, {})
    assert STRAY not in os.listdir(target.parent)
    assert len(os.listdir(target.parent)) == len(others) + 4


def test_a_live_writer_is_not_swept(target, monkeypatch):
    fsync, waiting, go_on = os.fsync, threading.Event(), threading.Event()

    def flush_slowly(descriptor):
        if threading.current_thread() is writer and not waiting.is_set():
            waiting.set()
            go_on.wait(60)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flush_slowly)
    writer = threading.Thread(target=save_file, args=(target, NEW, {"slow": True}))
    writer.start()
    assert waiting.wait(60)
    save_file(target, OLD, {"slow": False})
    assert load_file(target)[1] == {"slow": False}
    assert len(os.listdir(target.parent)) == 2
    go_on.set()
    writer.join(60)
    assert load_file(target)[1] == {"slow": True}
    assert_saved(target)


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
    flock, swept = fcntl.flock, []

    def lock_late(file, how):
        if how == fcntl.LOCK_EX and len(swept) < 2:
            os.unlink(file.name)
            swept.append(file.name)
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    save_file(target, NEW, {})
    assert len(swept) == 2
    assert_saved(target)


def test_where_nothing_can_be_locked_nothing_is_swept(target, monkeypatch):
    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", fail)
    stray = target.with_name(STRAY)
    stray.write_bytes(b"perhaps alive")
    save_file(target, NEW, {})
    assert same(load_file(target)[0], NEW)
    assert stray.read_bytes() == b"perhaps alive"


def test_the_branches_of_windows(target, monkeypatch):
    replace, links = os.replace, Path("/proc/self/fd")

    def replace_if_closed(old, new):
        if links.exists() and old in map(os.path.realpath, links.iterdir()):
            fail()
        replace(old, new)

    monkeypatch.setattr(serialization, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(os, "replace", replace_if_closed)
    target.with_name(STRAY).write_bytes(b"half")
    save_file(target, NEW, {})
    assert_saved(target)


# ---------------------------------------------------------------- SIGKILL in a save


def run_python(script, *args, **variables):
    root = str(Path(tinygrad_rnn.__file__).parents[1])
    settings = {"PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1", **variables}
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, args)],
        env={**os.environ, **settings},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    ).stdout


KILLS = """
import os, random, signal, sys, time
import numpy as np
from tinygrad_rnn.serialization import load_file, save_file

target, kills = sys.argv[1], int(sys.argv[2])
folder, name = os.path.split(target)
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
    left = set(os.listdir(folder)) - {name}
    assert len(left) <= 1, left
    strays += len(left)
save(step + 1)
assert os.listdir(folder) == [name]
print(strays)
"""
KILLED_AT = """
import os, signal, sys
import numpy as np
from tinygrad_rnn import serialization
from tinygrad_rnn.serialization import load_file, save_file

target = sys.argv[1]
folder, name = os.path.split(target)
replace, fsync, flushed = os.replace, os.fsync, []

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

def replace_and_die(*args):
    replace(*args)
    die()

def flush_file_and_die_at_folder(descriptor):
    flushed.append(descriptor)
    fsync(descriptor) if len(flushed) == 1 else die()

points = [
    ("created", serialization.fcntl, "flock", die, 0),
    ("locked", serialization, "_parse", die, 0),
    ("written", os, "fsync", die, 0),
    ("read back", os, "replace", die, 0),
    ("renamed", os, "replace", replace_and_die, 1),
    ("folder", os, "fsync", flush_file_and_die_at_folder, 1),
]
for point, module, function, deadly, expected in points:
    save_file(target, {"w": np.arange(9)}, {"k": 0})
    assert os.listdir(folder) == [name]
    child = os.fork()
    if not child:
        setattr(module, function, deadly)
        save_file(target, {"w": np.ones(1000)}, {"k": 1})
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, point
    assert load_file(target)[1] == {"k": expected}, point
    assert len(os.listdir(folder)) == 2 - expected, point
"""
needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="needs os.fork and SIGKILL"
)


@needs_fork
@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_at_random_the_file_is_the_old_one_or_the_new_one(tmp_path, kills):
    strays = int(run_python(KILLS, tmp_path / "model.safetensors", kills))
    assert strays >= kills // 5  # or else the kills missed the saves


@needs_fork
def test_killed_at_each_step_of_a_save(tmp_path):
    run_python(KILLED_AT, tmp_path / "model.safetensors")
