"""The kernel of an RNN; test_scan.py tests it with the others."""

import numpy as np


def test_relu_has_no_slope_at_zero(kernels):
    x, w = np.zeros((2, 1, 1)), np.ones((1, 1))
    inputs = (x, None, w, w, None, None)
    outputs, workspace = kernels.rnn_forward(*inputs, nonlinearity="relu")
    needs = (True, False, True, True, False, False)
    ones = np.ones((2, 1, 1))
    grads = kernels.rnn_backward(
        (ones, None), needs, inputs, outputs, workspace, nonlinearity="relu"
    )
    assert not any(g.any() for g in grads if g is not None)
