"""BLAS's threads: one within a scan of small products, as many as before after it."""

import subprocess
import sys

import pytest

from tinygrad_rnn.backend import threads


@pytest.fixture
def functions():
    found = threads._openblas()
    if found is None:
        pytest.skip("NumPy brings no OpenBLAS here")
    before = found[0]()
    found[1](2)
    if found[0]() != 2:
        pytest.skip("OpenBLAS has one thread only")
    yield found
    found[1](before)


def test_small_products_take_one_thread(functions):
    get, _ = functions
    with threads.scanning(32 * 128 * 128):
        assert get() == 1
        with threads.scanning(1):
            assert get() == 1
        assert get() == 1
    assert get() == 2


def test_large_products_keep_their_threads(functions):
    get, _ = functions
    with threads.scanning(100 * 512 * 512):
        assert get() == 2
    assert get() == 2


def test_an_error_restores_the_threads(functions):
    get, _ = functions
    with pytest.raises(ZeroDivisionError), threads.scanning(1):
        raise ZeroDivisionError
    assert get() == 2


def test_another_blas_is_left_alone(monkeypatch):
    monkeypatch.setattr(threads, "_openblas", lambda: None)
    with threads.scanning(1) as nothing:
        assert nothing is None


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
