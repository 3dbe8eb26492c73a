"""RNN, LSTM and GRU in C are those of NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels import fuzz
from kernels.cases import every_kind, import_c, make

c = import_c()


@every_kind
@given(seed=st.integers(0, 2**32 - 1))
def test_small_layers_are_numpys(twin, kind, seed):
    fuzz.check(twin, kind, seed)


@every_kind
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sizes", [(9, 7, 5, 33), (5, 70, 200, 65), (3, 2, 90, 129)])
def test_larger_layers_are_numpys(twin, kind, dtype, sizes, reverse, ids):
    """Of several panels and partial vectors, and with products that BLAS does."""
    settings = {"bias": True, "initial": True, "ends": True, "relu": ids}
    more = {"ids": ids, "reverse": reverse, "projected": False, "cotangents": "all"}
    draw = fuzz.Values(np.random.default_rng(0), dtype).draw_layer
    case = make(kind, sizes, 3, draw=draw, **settings, **more)
    assert max(fuzz.compare(fuzz.run_layer(case), twin)) <= 1


@every_kind
def test_a_bias_of_another_dtype_is_converted(kind):
    shape = {"ids": True, "bias": True, "initial": True, "ends": False, "relu": False}
    more = {"reverse": False, "projected": False, "cotangents": "all"}
    draw = fuzz.Values(np.random.default_rng(0), "float32").draw_layer
    inputs = make(kind, (2, 3, 4, 5), 3, draw=draw, **shape, **more).inputs
    place = len(inputs) - (3 if kind == "lstm" else 2)
    double = inputs[place].astype(np.float64)
    mixed = *inputs[:place], double, *inputs[place + 1 :]
    forward = getattr(c, f"{kind}_forward")
    assert np.array_equal(forward(*mixed)[0][0], forward(*inputs)[0][0])
