"""Slices of the batch: how many there are, and that they change no bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import KINDS, backward, every_kind, forward, make

from tinygrad_rnn.backend import threads
from tinygrad_rnn.kernels.numpy import slices

sizes = st.integers(0, 300)


@given(sizes, sizes, st.integers(0, 1 << 20))
def test_a_batch_is_cut_into_slices_worth_a_thread(steps, batch, weight_size):
    parts = slices.split_batch(steps, batch, weight_size)
    assert [i for part in parts for i in range(batch)[part]] == [*range(batch)]
    assert len(parts) <= threads.MAX_SLICES
    work = steps * batch * weight_size
    if len(parts) > 1:
        assert work >= len(parts) * slices.MIN_WORK
        assert min(part.stop - part.start for part in parts) >= slices.MIN_ROWS
    else:
        assert batch < 2 * slices.MIN_ROWS or work < 2 * slices.MIN_WORK


@every_kind
@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_number_of_threads_changes_no_bit(kernels, kind, ids, dtype, monkeypatch):
    """Of a layer in slices of the batch, with products that are split, too."""
    # Another test's thread, a rank that waits for one that failed, may be in one.
    monkeypatch.setattr(threads, "_open_contexts", 0)
    on = {"bias": True, "initial": True, "ends": True, "reverse": True, "relu": False}
    more = {"ids": ids, "projected": False, "cotangents": "all"}
    rng = np.random.default_rng(0)
    sizes = steps, batch, _, hidden = 5, 64, 100, 256

    def draw(shape):
        return rng.standard_normal(shape).astype(dtype)

    case = make(kind, sizes, 3, slices=None, draw=draw, **on, **more)
    weight_size = KINDS[kind][0] * hidden**2
    assert len(slices.split_batch(steps, batch, weight_size)) > 1
    found, before = [], threads._get()
    try:
        for count in (1, 2, 3):
            threads._set(count)
            outputs, workspace = forward(kernels, case)
            found.append((*outputs, *backward(kernels, case, outputs, workspace)))
    finally:
        threads._set(before)
    for arrays in zip(*found, strict=True):
        assert len({None if a is None else a.tobytes() for a in arrays}) == 1
