"""A linear layer in C leaves large products to BLAS."""

import numpy as np
from kernels.cases import import_c

linear = import_c().linear


def test_large_products_are_numpys(monkeypatch):
    rng = np.random.default_rng(0)
    x, weight, bias = [rng.standard_normal(s) for s in ((9, 5), (3, 5), (3,))]
    inputs, g = (x, weight, bias), rng.standard_normal((9, 3))
    results = []
    for limit in (1.0, 9 * 5 * 3, 9 * 5 * 3 + 1):  # the last is done in C
        monkeypatch.setattr(linear, "LARGE_PRODUCT", float(limit))
        assert (linear._c.linear_forward(*inputs, float(limit)) is None) == (
            limit < 9 * 5 * 3 + 1
        )
        (y,), _ = linear.linear_forward(*inputs)
        results.append(
            (y, *linear.linear_backward((g,), (True,) * 3, inputs, None, None))
        )
    for others in zip(*results, strict=True):
        for other in others:
            assert np.allclose(other, others[0], rtol=0, atol=1e-13)
