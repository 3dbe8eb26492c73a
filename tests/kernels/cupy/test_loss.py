"""Cross entropy and its gradient, on the emulator of CUDA."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import close
from kernels.cupy.emulator import needs_compiler
from kernels.cupy.twins import TOLERANCE, change_dtype, import_twins, on_device, on_host

from tinygrad_rnn.kernels import numpy as reference

loss = import_twins().loss
pytestmark = needs_compiler


def both(logits, target, weight, dtype, **settings):
    """The loss and the gradient by NumPy's kernel and by ours."""
    results = []
    for package, put in ((reference, change_dtype), (loss, on_device)):
        inputs = put(logits, dtype), put(target, dtype), put(weight, dtype)
        (out,), kept = package.cross_entropy_forward(*inputs, **settings)
        g = put(np.asarray(np.linspace(0.5, 2, out.size).reshape(out.shape)), dtype)
        grads = package.cross_entropy_backward(
            (g,), (True, False, False), inputs, None, kept, **settings
        )
        results.append([out, grads[0]])
    return results[0], [on_host(x) for x in results[1]]


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 70)),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["mean", "sum", "none"]),
    st.sampled_from([-100, 0, 2]),
    st.sampled_from([0.0, 0.1]),
    st.booleans(),
    st.sampled_from(["float32", "float64"]),
)
def test_values_and_gradients(
    size, seed, reduction, ignored, smoothing, weighted, dtype
):
    rng = np.random.default_rng(seed)
    (count, classes), logits = size, rng.standard_normal(size) * 5
    target = rng.integers(0, classes, count)
    if ignored < classes:
        target[rng.random(count) < 0.2] = ignored
    target[0] = -1 % classes  # at least one row counts
    if target[0] == ignored:
        return
    weight = rng.random(classes) + 0.1 if weighted else None
    plain, ours = both(
        logits,
        target,
        weight,
        np.dtype(dtype),
        reduction=reduction,
        ignore_index=ignored,
        label_smoothing=smoothing,
    )
    for a, b in zip(ours, plain, strict=True):
        assert a.dtype == dtype
        close(a, b, TOLERANCE[dtype])


def test_a_row_that_is_ignored_may_hold_anything():
    logits = np.array([[np.nan, 1.0], [2.0, 3.0]])
    plain, ours = both(logits, np.array([-100, 1]), None, np.dtype("f8"))
    assert all(np.isfinite(found).all() for found in ours)
    for a, b in zip(ours, plain, strict=True):
        close(a, b, 1e-15)


def test_a_nan_and_large_logits():
    logits = np.array([[np.nan, 1.0], [1e30, -1e30]])
    _, ours = both(logits, np.array([1, 0]), None, np.dtype("f8"), reduction="none")
    assert np.isnan(ours[0][0]) and ours[0][1] == 0
    assert np.isnan(ours[1][0]).all() and not ours[1][1].any()


def test_a_small_loss_is_exact():
    logits = np.array([[40.0, 0.0]], np.float32)
    _, ours = both(logits, np.array([0]), None, np.dtype("f4"))
    np.testing.assert_allclose(ours[0], np.log1p(np.exp(-40.0)), rtol=1e-6)


def test_an_empty_batch_has_no_sum():
    for reduction in ("sum", "none"):
        plain, ours = both(
            np.zeros((0, 3)),
            np.zeros(0, int),
            None,
            np.dtype("f8"),
            reduction=reduction,
        )
        assert ours[0].shape == plain[0].shape and not ours[0].any()
