"""The gradient of an embedding in C is NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels import fuzz
from kernels.cases import import_c

c = import_c()


@given(seed=st.integers(0, 2**32 - 1))
def test_it_is_numpys(twin, seed):
    fuzz.check(twin, "embedding", seed)


@pytest.mark.parametrize("wrong", [-1, 5, 1 << 40])
def test_ids_out_of_range_raise(wrong):
    with pytest.raises(IndexError, match="expected 0 to 4"):
        c.embedding_backward(np.array([0, wrong]), np.ones((2, 3)), 5)
