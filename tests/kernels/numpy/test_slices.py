"""Slices of the batch: how many there are, and that they change no bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import backward, every_kind, kernels, make

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
def test_the_number_of_threads_changes_no_bit(kind, ids, dtype, monkeypatch):
    on = {"bias": True, "initial": True, "ends": True, "reverse": True, "relu": False}
    case = make(
        kind, (9, 80, 30, 160), 3, ids=ids, projected=False, cotangents="all", **on
    )
    w_hh = next(
        a
        for a in case.inputs[2:]
        if a is not None
        and a.shape[-1:] == (160,)
        and a.ndim == 2
        and len(a) % 160 == 0
    )
    assert len(slices.split_batch(9, 80, w_hh.size)) > 1
    convert = [
        None if a is None else a if a.dtype.kind == "i" else a.astype(dtype)
        for a in case.inputs
    ]
    case.inputs = tuple(convert)
    case.grads = tuple(g.astype(dtype) for g in case.grads)
    found = []
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        run = getattr(kernels, f"{kind}_forward")
        outputs, workspace = run(*case.inputs, **case.settings)
        found.append((*outputs, *backward(case, outputs, workspace)))
    for arrays in zip(*found, strict=True):
        if arrays[0] is not None:
            for other in arrays[1:]:
                assert np.array_equal(arrays[0], other)
