"""The affine map of a linear layer, and its gradients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import close, laid_out


@given(
    seed=st.integers(0, 2**32 - 1),
    lead=st.lists(st.integers(0, 9), max_size=2),
    sizes=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    biased=st.booleans(),
)
def test_linear_is_its_definition(kernels, seed, lead, sizes, biased):
    rng = np.random.default_rng(seed)
    features, outputs = sizes
    x, weight, bias, g = [
        laid_out(rng, rng.standard_normal(shape))
        for shape in (
            (*lead, features),
            (outputs, features),
            (outputs,),
            (*lead, outputs),
        )
    ]
    inputs = x, weight, bias if biased else None
    before = [a.copy() for a in (x, weight, bias, g)]
    (y,), workspace = kernels.linear_forward(*inputs)
    close(y, np.einsum("...i,oi->...o", x, weight) + (bias if biased else 0))
    needs = True, True, biased
    backward = kernels.linear_backward
    g_x, g_weight, g_bias = backward((g,), needs, inputs, None, workspace)
    close(g_x, np.einsum("...o,oi->...i", g, weight))
    count = int(np.prod(lead))
    rows, g_rows = x.reshape(count, features), g.reshape(count, outputs)
    close(g_weight, np.einsum("no,ni->oi", g_rows, rows))
    if biased:
        close(g_bias, g_rows.sum(0))
    for a, old in zip((x, weight, bias, g), before, strict=True):
        assert np.array_equal(a, old)
    for i in range(3):
        needs = tuple(k == i for k in range(3))
        found = backward((g,), needs, inputs, None, workspace)
        assert [a is None for a in found] == [not need for need in needs]


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 130])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_few_and_many_rows(kernels, rows, dtype):
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((rows, 37)), rng.standard_normal((65, 37))
    x, weight = x.astype(dtype), weight.astype(dtype)
    (y,), _ = kernels.linear_forward(x, weight, None)
    want = x.astype("f8") @ weight.astype("f8").T
    assert y.dtype == dtype
    bound = 1e-6 if dtype == "float32" else 1e-14
    assert abs(y - want).max() <= bound * abs(want).max()
