"""The same numbers give the same bits, wherever they lie in memory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import fuzz


@pytest.mark.parametrize("name", fuzz.KERNELS)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_addresses_change_no_bit(kernels, name, seed):
    found = []
    for offset in (0, 1, 3, 14):  # elements after a multiple of 64 bytes
        values = fuzz.Values(np.random.default_rng(seed), offset=offset)
        _, run = fuzz.KERNELS[name](values)
        with np.errstate(all="ignore"):
            results = run(kernels)
        found.append([None if a is None else a.tobytes() for a in results])
    assert all(results == found[0] for results in found)
