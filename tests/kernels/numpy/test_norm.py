"""Layer normalization: its definition, and its exact derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import close, laid_out

EPS = 1e-5
SETTINGS = {"shape": (2, 3), "eps": EPS}


def normalize(x, weight, bias):
    """The definition, for real and complex numbers, over the last two dims."""
    centred = x - x.mean((-2, -1), keepdims=True)
    out = centred / np.sqrt((centred**2).mean((-2, -1), keepdims=True) + EPS)
    return out * (1 if weight is None else weight) + (0 if bias is None else bias)


def draw_inputs(rng, weighted, biased):
    shapes = [(4, 2, 3), (2, 3), (2, 3)]
    used = (True, weighted, biased)
    return [
        laid_out(rng, rng.standard_normal(shape)) if use else None
        for shape, use in zip(shapes, used, strict=True)
    ]


@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_layer_norm_is_its_definition(kernels, seed, weighted, biased):
    rng = np.random.default_rng(seed)
    inputs = draw_inputs(rng, weighted, biased)
    before = [None if a is None else a.copy() for a in inputs]
    (out,), workspace = kernels.layer_norm_forward(*inputs, **SETTINGS)
    close(out, normalize(*inputs))
    u = laid_out(rng, rng.standard_normal(out.shape))
    needs = (True, weighted, biased)
    args = ((u,), needs, inputs, None, workspace)
    first, second = [kernels.layer_norm_backward(*args, **SETTINGS) for _ in range(2)]
    for i, (g, again) in enumerate(zip(first, second, strict=True)):
        assert (g is not None) == needs[i]
        if needs[i]:
            assert g.tobytes() == again.tobytes()
            direction = rng.standard_normal(g.shape)
            moved = list(inputs)
            moved[i] = moved[i] + 1e-200j * direction
            slope = (u * normalize(*moved).imag).sum() / 1e-200
            close(np.asarray((g * direction).sum()), np.asarray(slope))
    for a, old in zip(inputs, before, strict=True):
        assert a is None or np.array_equal(a, old)


@pytest.mark.parametrize("weighted", [False, True])
def test_layer_norm_keeps_float32(kernels, weighted):
    inputs = draw_inputs(np.random.default_rng(0), weighted, weighted)
    single = [None if a is None else a.astype(np.float32) for a in inputs]
    (out,), workspace = kernels.layer_norm_forward(*single, **SETTINGS)
    needs = (True, weighted, weighted)
    args = ((np.ones_like(out),), needs, single, None, workspace)
    for array in (out, *kernels.layer_norm_backward(*args, **SETTINGS)):
        assert array is None or array.dtype == np.float32
    close(out, normalize(*inputs), 1e-5)
