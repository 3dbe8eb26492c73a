"""RNN, LSTM and GRU in C are those of NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import cases, every_kind, import_c, make

from tinygrad_rnn.kernels import numpy as reference

c = import_c()
# Of the largest element.
TOLERANCES = {np.float32: 2e-6, np.float64: 1e-13}
every_dtype = pytest.mark.parametrize("dtype", TOLERANCES)


def as_dtype(arrays, dtype):
    return tuple(
        a if a is None or a.dtype.kind != "f" else a.astype(dtype, order="K")
        for a in arrays
    )


def run(kernels, case, dtype):
    """Return the outputs and gradients of a module of kernels."""
    inputs, grads = as_dtype(case.inputs, dtype), as_dtype(case.grads, dtype)
    forward = getattr(kernels, f"{case.kind}_forward")
    backward = getattr(kernels, f"{case.kind}_backward")
    outputs, workspace = forward(*inputs, **case.settings)
    args = grads, case.needs, inputs, outputs, workspace
    return *outputs, *backward(*args, **case.settings)


def compare(case, dtype):
    pairs = zip(run(c, case, dtype), run(reference, case, dtype), strict=True)
    for found, wanted in pairs:
        assert (found is None) == (wanted is None)
        if found is not None:
            assert found.dtype == dtype
            assert found.shape == wanted.shape
            largest = abs(wanted).max(initial=1)
            tolerance = TOLERANCES[dtype] * largest
            np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)


@every_dtype
@every_kind
@given(data=st.data())
def test_small_layers_are_numpys(kind, dtype, data):
    compare(data.draw(cases(kind)), dtype)


@every_dtype
@every_kind
@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sizes", [(9, 7, 5, 33), (5, 70, 200, 65), (3, 2, 90, 129)])
def test_larger_layers_are_numpys(kind, dtype, sizes, reverse, ids):
    """Of several panels and partial vectors, and with products that BLAS does."""
    settings = {"bias": True, "initial": True, "ends": True, "relu": ids}
    more = {"ids": ids, "reverse": reverse, "projected": False, "cotangents": "all"}
    case = make(kind, sizes, 3, **settings, **more)
    inputs = [*case.inputs]
    w_ih = 3 if kind == "lstm" else 2
    inputs[w_ih] = inputs[w_ih] / np.sqrt(sizes[2])  # as layers begin
    case.inputs = tuple(inputs)
    compare(case, dtype)


@every_kind
def test_a_bias_of_another_dtype_is_converted(kind):
    shape = {"ids": True, "bias": True, "initial": True, "ends": False, "relu": False}
    more = {"reverse": False, "projected": False, "cotangents": "all"}
    case = make(kind, (2, 3, 4, 5), 3, **shape, **more)
    inputs = as_dtype(case.inputs, np.float32)
    place = len(inputs) - (3 if kind == "lstm" else 2)
    double = inputs[place].astype(np.float64)
    mixed = *inputs[:place], double, *inputs[place + 1 :]
    forward = getattr(c, f"{kind}_forward")
    assert np.array_equal(forward(*mixed)[0][0], forward(*inputs)[0][0])
