"""Cross entropy in C is NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels import fuzz
from kernels.cases import import_c

from tinygrad_rnn.kernels import numpy as reference

c = import_c()


@given(seed=st.integers(0, 2**32 - 1))
def test_it_is_numpys(twin, seed):
    fuzz.check(twin, "loss", seed)


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_class_out_of_range_raises(wrong):
    with pytest.raises(IndexError, match="target: got .*, expected 0 to 2"):
        c.cross_entropy_forward(np.ones((2, 3)), np.array([0, wrong]))


def test_infinities_and_nans_pass_as_in_numpy():
    inf, nan = np.inf, np.nan
    rows = np.array([[0, -inf, 1], [inf, 0, 1], [nan, 0, 1], [-inf, -inf, -inf]])
    target = np.zeros(4, np.int64)
    with np.errstate(invalid="ignore"):
        losses = [
            kernels.cross_entropy_forward(rows, target, reduction="none")[0][0]
            for kernels in (c, reference)
        ]
    np.testing.assert_allclose(*losses, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_smallest_numbers_are_not_lost(twin, dtype):
    """exp(x) from where it is 1 to where it is 0, through the subnormal numbers."""
    x = np.linspace(-750, 0, 2001, dtype=dtype)
    logits = np.stack([np.zeros_like(x), x], 1)
    zeros = np.zeros(len(x), np.int64)
    (losses,), _ = twin.cross_entropy_forward(logits, zeros, reduction="none")
    with np.errstate(under="ignore"):
        want = np.log1p(np.exp(x))
    np.testing.assert_array_max_ulp(losses, want, 2)
