"""Files: what goes in comes out bit for bit, and a crash costs nothing."""

import errno
import hashlib
import io
import json
import math
import os
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
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tree import arrays, cycle, deep, numbers, same

import tinygrad_rnn
from tinygrad_rnn import serialization
from tinygrad_rnn.errors import CheckpointError, DTypeError
from tinygrad_rnn.serialization import load_file, save_file

OLD = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "on": np.array([True, False])}
NEW = {"w": np.full((40, 50), np.nan), "n": np.array(7, dtype=np.uint64)}


def file_of(header, data=b""):
    """A file in the layout of safetensors, whatever the header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype, shape, *offsets, **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": list(offsets), **more}


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
headers = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        numbers | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=10,
    ),
)
layouts = [
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
        "import sys, tinygrad_rnn.serialization\n"
        "assert 'safetensors' not in sys.modules"
    )


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


# ---------------------------------------------------------------- saving, side by side


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
    swept = []

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
