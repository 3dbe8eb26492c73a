"""Cross entropy in C is NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import import_c, laid_out

from tinygrad_rnn.kernels import numpy as reference

c = import_c()
TOLERANCES = {np.float32: 2e-6, np.float64: 1e-13}
reductions = st.sampled_from(["mean", "sum", "none"])


@pytest.mark.parametrize("dtype", TOLERANCES)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 9), st.integers(2, 40)),
    scale=st.sampled_from([0.1, 1.0, 30.0]),
    weighted=st.booleans(),
    reduction=reductions,
    label_smoothing=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_it_is_numpys(dtype, seed, sizes, scale, weighted, reduction, label_smoothing):
    rng = np.random.default_rng(seed)
    logits = laid_out(rng, (rng.standard_normal(sizes) * scale).astype(dtype))
    target = laid_out(rng, rng.integers(0, sizes[1], sizes[0]))
    weight = laid_out(rng, (rng.random(sizes[1]) + 0.1).astype(dtype))
    inputs = logits, target, weight if weighted else None
    options = {"reduction": reduction, "label_smoothing": label_smoothing}
    options["ignore_index"] = int(target[0]) if len({*target.tolist()}) > 1 else -100
    found = []
    for kernels in (c, reference):
        (loss,), workspace = kernels.cross_entropy_forward(*inputs, **options)
        u = np.linspace(1, 2, loss.size, dtype=dtype).reshape(loss.shape)
        args = (u,), (True, False, False), inputs, (loss,), workspace
        found.append((loss, kernels.cross_entropy_backward(*args, **options)[0]))
    for ours, wanted in zip(*found, strict=True):
        assert ours.dtype == dtype
        tolerance = TOLERANCES[dtype] * abs(wanted).max(initial=1)
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=tolerance)


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
