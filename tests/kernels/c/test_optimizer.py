"""Clipping and Adam in C are NumPy's."""

from hypothesis import given
from hypothesis import strategies as st
from kernels import fuzz
from kernels.cases import import_c

import_c()


@given(seed=st.integers(0, 2**32 - 1))
def test_it_is_numpys(twin, seed):
    fuzz.check(twin, "lists", seed)
