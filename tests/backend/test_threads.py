"""BLAS's threads: one inside, as many as before after it; and slices on threads of our
own.
"""

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.backend import numpy, threads


@pytest.fixture
def functions():
    found = threads._openblas()
    before = found[0]()
    found[1](2)
    if found[0]() != 2:
        pytest.skip("no OpenBLAS, or it has one thread only")
    yield found
    found[1](before)


def test_blas_takes_one_thread_inside(functions):
    get, _ = functions
    with threads.one_thread():
        assert get() == 1
        with threads.one_thread():
            assert get() == 1
        assert get() == 1
    assert get() == 2


def norm():
    x = tg.ones(2, requires_grad=True)
    x.grad = tg.ones(2)
    tg.nn.utils.clip_grad_norm_([x], 1.0, norm_type=3.0)  # 2 may have a kernel


WORK = {
    "a kernel": lambda: tg.nn.functional.cross_entropy(tg.ones(1, 2), tg.tensor([0])),
    "a product": lambda: tg.ones(2, 2) @ tg.ones(2, 2),
    "a product of stacks": lambda: tg.ones(2, 2, 2) @ tg.ones(2, 2, 2),
    "a sum of rows": lambda: numpy.sum_over_rows(np.ones((2, 2))),
    "a norm": norm,
}


@pytest.mark.parametrize("name", WORK)
def test_no_product_is_left_to_the_threads_of_blas(functions, name, monkeypatch):
    entered, enter = [], threads._OneThread.__enter__

    def spy(self):
        entered.append(functions[0]())
        return enter(self)

    monkeypatch.setattr(threads._OneThread, "__enter__", spy)
    WORK[name]()
    assert entered == [2]


def test_python_threads_leave_what_they_found(functions):
    """However their contexts overlap, at the end there are as many threads as at the
    beginning.
    """
    get, _ = functions

    def work(seed):
        random = np.random.default_rng(seed)
        for _ in range(300):
            with threads.one_thread():
                random.random(50)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert get() == 2


def test_an_error_restores_the_threads(functions):
    get, _ = functions
    with pytest.raises(ZeroDivisionError), threads.one_thread():
        raise ZeroDivisionError
    assert get() == 2


def test_what_the_user_sets_between_two_contexts_holds(functions):
    get, set_ = functions
    for count in (2, 1, 2):
        set_(count)
        with threads.one_thread():
            assert get() == 1
            assert threads.thread_count() == count
        assert get() == count


def test_another_blas_is_left_alone(functions, monkeypatch):
    monkeypatch.setattr(threads.ctypes, "CDLL", lambda path: object())
    for name, function in zip(("_get", "_set"), threads._openblas(), strict=True):
        monkeypatch.setattr(threads, name, function)
    with threads.one_thread() as nothing:
        assert nothing is None
        assert functions[0]() == 2
        assert threads.thread_count() == 1


# ---------------------------------------------------------------- slices


@example(rows=300, multiplications=1 << 30)
@given(rows=st.integers(0, 2000), multiplications=st.integers(0, 1 << 27))
def test_rows_are_cut_into_slices_worth_a_thread(rows, multiplications):
    parts = threads.split_rows(rows, multiplications)
    assert [i for part in parts for i in range(rows)[part]] == [*range(rows)]
    assert len(parts) <= threads.MAX_SLICES
    if len(parts) > 1:
        assert multiplications >= len(parts) * threads.MIN_WORK
        assert min(part.stop - part.start for part in parts) >= threads.MIN_ROWS
    else:
        few_rows = rows < 2 * threads.MIN_ROWS
        assert few_rows or multiplications < 2 * threads.MIN_WORK


@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_are_done_once_each_and_in_order(functions, count):
    functions[1](count)
    done = []
    squares = threads.run_each(lambda part: done.append(part) or part**2, range(7))
    assert squares == [part**2 for part in range(7)]
    assert sorted(done) == [*range(7)]


def test_each_part_has_a_thread(functions):
    get, set_ = functions
    set_(3)
    meet = threading.Barrier(3, timeout=300)

    def work(part):
        meet.wait()  # all three have to be here
        with np.errstate(**np.geterr()), threads.one_thread():
            return (part, get(), np.geterr()["over"], threads.thread_count())

    with np.errstate(over="raise"):
        found = threads.run_each(work, range(3))
    assert found == [(part, 1, "raise", 1) for part in range(3)]
    assert get() == 3
    assert threads.thread_count() == 3


@pytest.mark.parametrize("wrong", [0, 1])
def test_an_error_in_a_slice_is_the_callers(functions, wrong):
    with pytest.raises(ZeroDivisionError):
        threads.run_each(lambda part: 1 // (part - wrong), range(2))
    assert functions[0]() == 2
    assert threads.thread_count() == 2


def test_a_slice_is_not_cut_again(functions):
    """Also after a product in it."""
    x = np.ones((512, 512))

    def work(part):
        threads.product(x, x, np.empty_like(x))
        meet.wait()
        return threads.thread_count()

    meet = threading.Barrier(2, timeout=300)
    assert threads.run_each(work, range(2)) == [1, 1]
    assert threads.thread_count() == 2


def test_slices_keep_to_one_thread_when_another_python_thread_is_done(functions):
    get, _ = functions
    other, done = threading.Event(), threading.Event()

    def hold():
        with threads.one_thread():
            other.set()
            done.wait(300)

    def work(part):
        done.set()
        thread.join(300)
        return get()

    thread = threading.Thread(target=hold)
    thread.start()
    other.wait(300)
    assert threads.run_each(work, range(2)) == [1, 1]
    assert get() == 2


def test_an_error_in_a_slice_holds_nothing_of_it(functions):
    """So that there is room where memory ran out, without a collection of cycles."""
    made = []

    def work(part):
        array = np.ones(part)
        made.append(weakref.ref(array))
        if part:
            raise MemoryError

    gc.disable()
    try:
        with pytest.raises(MemoryError):
            threads.run_each(work, range(3))
    finally:
        gc.enable()
    assert [array() for array in made] == [None] * 3


def test_an_error_waits_for_the_other_slices(functions):
    done = []

    def work(part):
        if not part:
            raise KeyboardInterrupt
        time.sleep(0.05)
        done.append(part)

    with pytest.raises(KeyboardInterrupt):
        threads.run_each(work, range(3))
    assert sorted(done) == [1, 2]


def test_where_no_thread_is_to_be_had_all_is_done_here(functions, monkeypatch):
    class Pool:
        left = 1

        def submit(self, function):
            if not self.left:
                raise RuntimeError("can't start new thread")
            self.left, future = 0, Future()
            future.set_result(function())
            return future

    monkeypatch.setattr(threads, "_pool", Pool())
    assert threads.run_each(lambda part: part * part, range(4)) == [0, 1, 4, 9]


@pytest.mark.parametrize("before", ["", "threads.run_each(str, range(3))"])
def test_a_thread_that_outlives_the_main_one_goes_on(before):
    """Python starts no thread any more then, and takes no new work for a pool."""
    code = (
        "import threading, time; from tinygrad_rnn.backend import threads\n"
        f"{before}\n"
        "def work():\n"
        "    threading.main_thread().join(); time.sleep(0.2)\n"
        "    print(threads.run_each(lambda x: x * x, range(3)))\n"
        "threading.Thread(target=work).start()\n"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, check=True, timeout=300, capture_output=True, text=True)
    assert done.stdout == "[0, 1, 4]\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_has_the_threads_that_its_parents_other_threads_hold():
    code = (
        "import os, threading, warnings; from tinygrad_rnn.backend import threads\n"
        "warnings.simplefilter('ignore')  # Python warns of forks among threads\n"
        "get, set_ = threads._openblas(); set_(2)\n"
        "inside, go = threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    with threads.one_thread(), threads._lock:\n"
        "        inside.set(); go.wait()\n"
        "thread = threading.Thread(target=hold); thread.start(); inside.wait()\n"
        "if pid := os.fork():\n"
        "    go.set(); thread.join(); assert os.waitpid(pid, 0)[1] == 0\n"
        "else:\n"
        "    with threads.one_thread(): assert get() == 1\n"
        "    os._exit(get() != 2)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_a_large_product_is_shared_and_the_same(functions, monkeypatch):
    rng, shared, each = np.random.default_rng(0), [], threads.run_each
    monkeypatch.setattr(
        threads, "run_each", lambda *args: shared.append(args[1]) or each(*args)
    )
    for m, k, n in ((260, 512, 300), (600, 700, 400)):
        x, y = rng.standard_normal((k, m)).T, rng.standard_normal((k, n))
        assert len(threads.split_rows(m, x.size * n)) > 1
        out = np.full((m, n), np.nan)
        assert threads.product(x, y, out) is out
        np.testing.assert_allclose(out, x @ y, rtol=1e-12, atol=1e-11)
        assert shared.pop() == threads.split_rows(m, x.size * n)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_has_slices_too():
    code = (
        "import os, time, warnings\n"
        "from tinygrad_rnn.backend import threads\n"
        "warnings.simplefilter('ignore')  # Python warns of forks among threads\n"
        "square = lambda x: x * x\n"
        "assert threads.run_each(square, range(3)) == [0, 1, 4]\n"
        "time.sleep(0.2)  # until the threads are idle: a pool would count on them\n"
        "if pid := os.fork():\n"
        "    assert os.waitpid(pid, 0)[1] == 0\n"
        "else:\n"
        "    os._exit(threads.run_each(square, range(2)) != [0, 1])\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_results_are_the_same_bits():
    """A layer gives the same numbers whatever number of threads it is allowed."""
    code = (
        "import tinygrad_rnn as tg, hashlib\n"
        "tg.manual_seed(0); rnn = tg.nn.RNN(9, 64)\n"
        "out, _ = rnn(tg.randn(7, 32, 9))\n"
        "print(hashlib.sha256(out.numpy().tobytes()).hexdigest())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"OPENBLAS_NUM_THREADS": count, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for count in ("1", "2")
    }
    assert len(runs) == 1
