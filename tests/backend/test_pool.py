"""The pool: recycles memory, and never memory that anybody can still see."""

import ctypes
import gc
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tinygrad_rnn.backend import pool

SHAPE = (64, 256)  # 64 KiB of float32


def held_bytes():
    return sum(size * len(blocks) for size, blocks in pool._pool.free.items())


def address(x):
    return x.__array_interface__["data"][0]


@pytest.fixture(autouse=True)
def clean():
    pool.clear()
    yield
    pool.clear()


@given(
    shape=st.lists(st.integers(0, 40), max_size=4).map(tuple),
    dtype=st.sampled_from(
        [np.float32, np.float64, np.int64, np.bool_, np.dtype("f4"), "f8"]
    ),
)
def test_is_like_numpys_empty(shape, dtype):
    x, y = pool.empty(shape, dtype), np.empty(shape, dtype)
    assert type(x) is np.ndarray
    assert x.shape == y.shape
    assert x.dtype == y.dtype
    assert x.strides == y.strides
    assert x.flags.c_contiguous
    assert x.flags.writeable
    assert x.flags.aligned


@given(
    exponent=st.integers(14, 22), eighths=st.integers(8, 16), more=st.integers(-1, 1)
)
def test_an_array_of_any_size_fits_into_its_block(exponent, eighths, more):
    """Also where sizes are rounded up to: at eighths of a power of two."""
    size = (eighths << exponent >> 3) + more
    assert pool.empty((size,), np.uint8).nbytes == size


def test_large_arrays_start_on_a_cache_line():
    for size in (16 << 10, 100_000, 1 << 20):
        assert address(pool.empty((size,), np.uint8)) % 64 == 0


def test_a_dropped_block_is_used_again():
    x = pool.empty(SHAPE, np.float32)
    place = address(x)
    assert held_bytes() == 0
    del x
    assert held_bytes() == 64 << 10
    assert address(pool.empty((128, 64), np.float64)) == place
    assert address(pool.empty((1, 63, 250), np.float32)) == place, (
        "nearly as large: the same size"
    )


def test_arrays_alive_at_a_time_are_disjoint():
    arrays = [pool.empty(SHAPE, np.float32) for _ in range(20)]
    assert not any(np.shares_memory(x, y) for x in arrays for y in arrays if x is not y)


def test_small_arrays_and_scalars_stay_out_of_the_pool():
    for shape in ((), (0,), (3,), (64, 63)):
        assert pool.empty(shape, np.float32).base is None
    assert held_bytes() == 0


def test_clear_gives_everything_back_but_what_is_in_use():
    kept, dropped = pool.empty(SHAPE, np.float32), pool.empty(SHAPE, np.float32)
    kept[...] = 1
    del dropped
    pool.clear()
    assert held_bytes() == 0
    assert (kept == 1).all()
    del kept
    assert held_bytes() == 64 << 10


def test_what_a_large_step_had_in_use_is_kept_and_not_more_than_twice_that(monkeypatch):
    monkeypatch.setattr(pool, "MIN_FREE", 0)
    places = set()
    for _ in range(3):
        # 640 KiB
        arrays = [pool.empty((n, 256), np.float32) for n in (64, 128, 192, 256)]
        places |= {address(x) for x in arrays}
        del arrays
        assert held_bytes() == 640 << 10
    assert len(places) == 4
    for rows in range(300, 500, 8):
        pool.empty((rows, 256), np.float32)
        assert held_bytes() <= 1280 << 10
    assert pool._pool.peak < 640 << 10, "what was in use long ago counts no more"


def test_gives_its_blocks_up_before_it_runs_out_of_memory(monkeypatch):
    pool.empty(SHAPE, np.float32)
    asked = []

    def scarce(shape, dtype):
        asked.append(held_bytes())
        if len(asked) == 1:
            raise MemoryError
        return empty(shape, dtype)

    empty = np.empty
    monkeypatch.setattr(pool.np, "empty", scarce)
    assert pool.empty((1 << 20,), np.uint8).shape == (1 << 20,)
    assert asked == [64 << 10, 0]


VIEWS = {
    "slice": lambda x: x[3:5],
    "one element": lambda x: x[1, 2:3],
    "view of a view": lambda x: x[1:][:, 2:].T[3:],
    "reshape": lambda x: x.reshape(-1),
    "transpose": lambda x: x.T,
    "other dtype": lambda x: x.view(np.int32),
    "matrix": lambda x: x.view(np.matrix),
    "asarray": lambda x: np.asarray(x[:]),
    "broadcast": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "strided": lambda x: np.lib.stride_tricks.as_strided(x, (4,), (8,)),
    "windows": lambda x: np.lib.stride_tricks.sliding_window_view(x, 3, axis=0),
    "memoryview": memoryview,
    "cast memoryview": lambda x: memoryview(x).cast("B")[4:],
    "frombuffer": lambda x: np.frombuffer(x, np.float32),
    "frombuffer of a memoryview": lambda x: np.frombuffer(memoryview(x), np.float32),
    "array from a memoryview": lambda x: np.asarray(memoryview(x)),
    "dlpack": lambda x: np.from_dlpack(x),
    "ctypes": lambda x: (ctypes.c_char * x.nbytes).from_buffer(x),
    "iterator": lambda x: x.flat,
    "list of rows": list,
    "base": lambda x: x.base,
    "view of the base": lambda x: x.base[1:],
    "masked": lambda x: np.ma.array(x, copy=False),
}


@pytest.mark.parametrize("name", VIEWS)
def test_whatever_shows_a_block_keeps_it(name):
    x = pool.empty(SHAPE, np.float32)
    x[...] = 1
    place = address(x)
    view = VIEWS[name](x)
    del x
    gc.collect()
    fresh = [pool.empty(SHAPE, np.float32) for _ in range(3)]
    for y in fresh:
        y[...] = 2
    assert place not in map(address, fresh)
    del view, fresh, y
    gc.collect()
    assert held_bytes() == 4 * (64 << 10), "and once it is gone, the block is free"


@pytest.mark.parity
def test_torch_tensors_keep_a_block():
    torch = pytest.importorskip("torch")
    for make in (torch.from_numpy, torch.from_dlpack, torch.as_tensor):
        x = pool.empty(SHAPE, np.float32)
        x[...] = 1
        tensor = make(x)[1:]
        del x
        pool.empty(SHAPE, np.float32)[...] = 2
        assert (tensor == 1).all()


def test_copies_of_a_lease_do_no_harm():
    x = pool.empty(SHAPE, np.float32)
    lease = x.base
    copies = [lease.copy(), lease[1:], lease.view(type(lease)), lease + 1]
    del copies, lease
    assert held_bytes() == 0
    del x
    assert held_bytes() == 64 << 10


def test_threads_do_not_share_what_they_hold():
    failures, handed = [], []

    def work(number):
        rng = np.random.default_rng(number)
        mine = []
        for i in range(400):
            x = pool.empty((int(rng.integers(4096, 6000)),), np.float32)
            x.fill(number * 1000 + i)
            mine.append((x[1:], number * 1000 + i))
            if len(mine) > 5:
                view, value = mine.pop(int(rng.integers(5)))
                failures.extend([number] * (not (view == value).all()))
                handed.append(view)  # another thread may be the one to let it go
            if len(handed) > 10:
                handed.clear()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_interpreter_shuts_down_in_silence():
    run(
        "import atexit, sys, threading, types\n"
        "import numpy as np\n"
        "from tinygrad_rnn.backend import pool\n"
        "pool.empty((100000,), np.float32)\n"
        "a = pool.empty((100000,), np.float32)\n"
        "sys.kept = pool.empty((100000,), np.float32)[5:]\n"
        "class Late:\n"
        "    def __init__(self):\n"
        "        self.x = pool.empty((100000,), np.float32); self.me = self\n"
        "    def __del__(self, empty=pool.empty): empty((100000,), 'f4')\n"
        "late = Late()\n"
        "atexit.register(lambda x: None, pool.empty((100000,), np.float32))\n"
        "store = threading.local(); store.x = pool.empty((100000,), np.float32)\n"
    )


@pytest.mark.skipif(
    not hasattr(ctypes, "pythonapi") or sys.platform == "win32", reason="no fork"
)
def test_a_forked_child_has_a_pool_of_its_own():
    out = run(
        "import os\n"
        "import numpy as np\n"
        "from tinygrad_rnn.backend import pool\n"
        "kept = pool.empty((100000,), np.float32); kept.fill(1)\n"
        "pool.empty((100000,), np.float32)\n"
        "child = os.fork()\n"
        "x = pool.empty((100000,), np.float32); x.fill(2 if child else 3)\n"
        "assert (kept == 1).all() and pool._pool.held == 0\n"
        "del x\n"
        "if not child: kept.fill(4); os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0 and (kept == 1).all()\n"
        "print('parent done')\n"
    )
    assert out == "parent done\n"


class Pool(RuleBasedStateMachine):
    """Arrays, views and views of views come and go in any order; all keep what was
    written.
    """

    def __init__(self):
        super().__init__()
        self.alive = []
        self.number = 0
        self.before = pool._pool.used

    @rule(size=st.sampled_from([1000, 4096, 4500, 5000, 70_000]))
    def allocate(self, size):
        self.number += 1
        x = pool.empty((size,), np.float32)
        x.fill(self.number)
        self.alive.append((x, self.number))

    @precondition(lambda self: self.alive)
    @rule(
        index=st.integers(0, 99),
        view=st.sampled_from(["slice", "reshape", "strided", "memory"]),
    )
    def show(self, index, view):
        x, number = self.alive[index % len(self.alive)]
        if view == "slice":
            x = x[len(x) // 2 :]
        elif view == "reshape":
            x = x.reshape(1, -1)[0]
        elif view == "strided":
            x = x[::-2]
        else:
            x = np.asarray(memoryview(x))
        self.alive.append((x, number))

    @precondition(lambda self: self.alive)
    @rule(index=st.integers(0, 99))
    def drop(self, index):
        self.alive.pop(index % len(self.alive))

    @rule()
    def clear(self):
        pool.clear()

    @invariant()
    def nothing_was_overwritten(self):
        for x, number in self.alive:
            assert (x == number).all()

    @invariant()
    def the_count_of_free_bytes_is_right(self):
        assert held_bytes() == pool._pool.held
        assert pool._pool.used <= pool._pool.peak

    def teardown(self):
        self.alive.clear()
        assert pool._pool.used == self.before


TestPool = Pool.TestCase
TestPool.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
