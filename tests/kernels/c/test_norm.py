"""Layer normalization in C is NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import import_c, laid_out

from tinygrad_rnn.kernels import numpy as reference

c = import_c()
TOLERANCES = {np.float32: 1e-5, np.float64: 1e-13}


@pytest.mark.parametrize("dtype", TOLERANCES)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(0, 9),
    shape=st.tuples(st.integers(1, 3), st.integers(2, 40)),
    needs=st.tuples(*[st.booleans()] * 3),
    affine=st.booleans(),
)
def test_it_is_numpys(dtype, seed, rows, shape, needs, affine):
    rng = np.random.default_rng(seed)

    def draw(*size):
        return laid_out(rng, rng.standard_normal(size).astype(dtype))

    x, g = draw(rows, *shape), draw(rows, *shape)
    inputs = (x, draw(*shape), draw(*shape)) if affine else (x, None, None)
    needs = needs if affine else (needs[0], False, False)
    options = {"shape": shape, "eps": 1e-5}
    found = []
    for kernels in (c, reference):
        (out,), workspace = kernels.layer_norm_forward(*inputs, **options)
        args = (g,), needs, inputs, None, workspace
        found.append((out, *kernels.layer_norm_backward(*args, **options)))
    for ours, wanted in zip(*found, strict=True):
        assert (ours is None) == (wanted is None)
        if ours is not None:
            assert ours.dtype == dtype
            assert ours.shape == wanted.shape
            tolerance = TOLERANCES[dtype] * abs(wanted).max(initial=1)
            np.testing.assert_allclose(ours, wanted, rtol=0, atol=tolerance)
