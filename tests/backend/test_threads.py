"""BLAS's threads: one within a scan of small products, as many as before after it."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tinygrad_rnn.backend import threads


@pytest.fixture
def functions():
    found = threads._openblas()
    before = found[0]()
    found[1](2)
    if found[0]() != 2:
        pytest.skip("no OpenBLAS, or it has one thread only")
    yield found
    found[1](before)


def test_small_products_take_one_thread(functions):
    get, _ = functions
    with threads.threads_for(32 * 128 * 128):
        assert get() == 1
        with threads.threads_for(1):
            assert get() == 1
        assert get() == 1
    assert get() == 2


def test_large_products_keep_their_threads(functions):
    get, _ = functions
    with threads.threads_for(1600 * 512 * 512):
        assert get() == 2
    assert get() == 2


def test_a_large_product_among_small_ones(functions):
    get, _ = functions
    with threads.threads_for(1):
        with threads.threads_for(threads.LARGE):
            assert get() == 2
        assert get() == 1
    assert get() == 2


def test_python_threads_leave_what_they_found(functions):
    """However their contexts overlap, at the end there are as many threads as at the beginning."""
    get, _ = functions

    def work(seed):
        random = np.random.default_rng(seed)
        for _ in range(300):
            with threads.threads_for(int(random.integers(2)) * threads.LARGE):
                random.random(50)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert get() == 2


def test_an_error_restores_the_threads(functions):
    get, _ = functions
    with pytest.raises(ZeroDivisionError), threads.threads_for(1):
        raise ZeroDivisionError
    assert get() == 2


def test_what_the_user_sets_between_two_contexts_holds(functions):
    get, set_ = functions
    with threads.threads_for(1):
        assert get() == 1
    set_(1)
    with threads.threads_for(threads.LARGE):
        assert get() == 1
    assert get() == 1
    set_(2)
    with threads.threads_for(threads.LARGE):
        assert get() == 2


def test_another_blas_is_left_alone(functions, monkeypatch):
    monkeypatch.setattr(threads.ctypes, "CDLL", lambda path: object())
    for name, function in zip(("_get", "_set"), threads._openblas(), strict=True):
        monkeypatch.setattr(threads, name, function)
    with threads.threads_for(1) as nothing:
        assert nothing is None
        assert functions[0]() == 2


def test_results_are_the_same_bits():
    """A layer gives the same numbers whatever number of threads it is allowed."""
    code = (
        "import tinygrad_rnn as tg, hashlib; tg.manual_seed(0); rnn = tg.nn.RNN(9, 64)\n"
        "out, _ = rnn(tg.randn(7, 32, 9)); print(hashlib.sha256(out.numpy().tobytes()).hexdigest())"
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
