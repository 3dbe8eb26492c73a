"""The gradient of an embedding."""

import numpy as np
import pytest
from kernels.cases import laid_out


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize("shape", [(), (0,), (6,), (3, 100), (40, 60)])
@pytest.mark.parametrize("count", [7, 200, 300, 70_000])
@pytest.mark.parametrize("size", [0, 4, 64])
def test_embedding_sums_rows_of_equal_ids(
    kernels, count, shape, dtype, transposed, size
):
    """By one-hot rows, by segments and row by row; whole numbers, so sums are exact."""
    rng = np.random.default_rng(0)
    ids = laid_out(rng, rng.integers(0, min(count, 256), shape).astype(dtype))
    g = laid_out(rng, rng.integers(-9, 9, (*shape, size)).astype(float))
    before = ids.copy(), g.copy()
    found = kernels.embedding_backward(ids, g, count, transposed=transposed)
    want = np.zeros((count, size))
    np.add.at(want, ids.astype(int), g)
    assert found.flags.c_contiguous
    assert np.array_equal(found, want.T if transposed else want)
    assert np.array_equal(ids, before[0])
    assert np.array_equal(g, before[1])
