"""Clipping and Adam in C are NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import import_c

from tinygrad_rnn.kernels import numpy as reference

c = import_c()
TOLERANCES = {np.float32: 2e-6, np.float64: 1e-13}
every_dtype = pytest.mark.parametrize("dtype", TOLERANCES)
shapes = st.lists(st.lists(st.integers(0, 20), max_size=2), min_size=1, max_size=4)


def draw(rng, shapes, dtype):
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@every_dtype
@given(seed=st.integers(0, 2**32 - 1), shapes=shapes)
def test_clipping_is_numpys(dtype, seed, shapes):
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(a) for a in draw(rng, shapes, dtype)]
    arrays += [np.asarray(rng.standard_normal((9, 5)), dtype)[:, ::2]]
    wanted = [a.copy() for a in arrays]
    squares = reference.squares(wanted)
    assert c.squares(arrays) == pytest.approx(squares, rel=TOLERANCES[dtype])
    c.scale(arrays, 0.3)
    reference.scale(wanted, 0.3)
    for ours, theirs in zip(arrays, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=TOLERANCES[dtype])


@every_dtype
@given(
    seed=st.integers(0, 2**32 - 1),
    shapes=shapes,
    step=st.integers(1, 1000),
    decoupled=st.booleans(),
    amsgrad=st.booleans(),
    weight_decay=st.sampled_from([0.0, 0.1]),
)
def test_adam_is_numpys(dtype, seed, shapes, step, decoupled, amsgrad, weight_decay):
    options = {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "step": step}
    options |= {"weight_decay": weight_decay, "decoupled": decoupled}
    states = []
    for kernels in (c, reference):
        rng = np.random.default_rng(seed)
        params, grads, first, second, largest = [
            [np.asarray(a) for a in draw(rng, shapes, dtype)] for _ in range(5)
        ]
        for array in (*second, *largest):
            np.square(array, array)
        args = params, grads, first, second, largest if amsgrad else None
        kernels.adam_step(*args, **options)
        states.append([*params, *first, *second, *largest])
    for ours, theirs in zip(*states, strict=True):
        tolerance = TOLERANCES[dtype] * abs(theirs).max(initial=1)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
