"""Rows by ids and their gradient, on the emulator of CUDA."""

import numpy as np
import pytest
from backend import fake_cupy
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import close
from kernels.cupy.emulator import ORDERS, needs_compiler
from kernels.cupy.twins import import_twins, on_device, on_host

from tinygrad_rnn.kernels import numpy as reference

embedding = import_twins().embedding
pytestmark = needs_compiler
sizes = st.tuples(st.integers(0, 40), st.integers(1, 20), st.integers(1, 70))
seeds = st.integers(0, 2**32 - 1)


@given(sizes, seeds, st.booleans(), st.booleans(), st.booleans())
def test_rows_of_a_table(size, seed, transposed, bias, gaps):
    count, rows, width = size
    rng = np.random.default_rng(seed)
    lines, length = (width, rows) if transposed else (rows, width)
    table = rng.standard_normal((lines, length * (1 + gaps)))[:, :: 1 + gaps]
    table = table.T if transposed else table
    ids = rng.integers(0, rows, count).astype(np.int32)
    more = rng.standard_normal(width)
    found = embedding.take_rows(
        on_device(table), on_device(ids), on_device(more) if bias else None
    )
    want = table[ids] + more * bias
    assert on_host(found).tobytes() == np.ascontiguousarray(want).tobytes()


def test_ids_out_of_range_read_no_foreign_memory():
    ids = on_device(np.array([0, -1, 3, 2**31 - 1], np.int32))
    table = np.arange(9.0).reshape(3, 3)
    found = on_host(embedding.take_rows(on_device(table), ids, None))
    assert found.tolist() == table[[0, 0, 0, 0]].tolist()


@given(sizes, seeds, st.booleans(), st.sampled_from([*ORDERS]))
def test_the_gradient_of_a_table(size, seed, transposed, order):
    count, rows, width = size
    rng = np.random.default_rng(seed)
    ids, g = rng.integers(0, rows, count), rng.standard_normal((count, width))
    want = reference.embedding_backward(ids, g, rows, transposed=transposed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_cupy, "order", order)
        found = embedding.embedding_backward(
            on_device(ids), on_device(g), rows, transposed=transposed
        )
    close(on_host(found), want, 1e-13)
