"""The kernel of an LSTM; test_scan.py tests it with the others."""

import pytest
from kernels.cases import check_saturated


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_saturated_gates_are_finite(kernels, dtype):
    check_saturated(kernels, "lstm", dtype)
