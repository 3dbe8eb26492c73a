"""The gradient of an embedding in C is NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import import_c, laid_out

from tinygrad_rnn.kernels import numpy as reference

c = import_c()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.lists(st.integers(0, 9), max_size=3),
    count=st.integers(1, 20),
    size=st.integers(0, 40),
    transposed=st.booleans(),
)
def test_it_is_numpys(dtype, seed, shape, count, size, transposed):
    """Of whole numbers, whose sums are exact in any order."""
    rng = np.random.default_rng(seed)
    ids = laid_out(rng, rng.integers(0, count, shape))
    g = laid_out(rng, rng.integers(-9, 9, (*shape, size)).astype(dtype))
    found = c.embedding_backward(ids, g, count, transposed=transposed)
    wanted = reference.embedding_backward(ids, g, count, transposed=transposed)
    assert found.dtype == dtype
    assert found.flags.c_contiguous
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("wrong", [-1, 5, 1 << 40])
def test_ids_out_of_range_raise(wrong):
    with pytest.raises(IndexError, match="expected 0 to 4"):
        c.embedding_backward(np.array([0, wrong]), np.ones((2, 3)), 5)
