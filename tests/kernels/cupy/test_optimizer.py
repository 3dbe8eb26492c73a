"""Squares and Adam, on the emulator of CUDA."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import close
from kernels.cupy.emulator import needs_compiler
from kernels.cupy.twins import TOLERANCE, import_twins, on_device, on_host

from tinygrad_rnn.kernels import numpy as reference

optimizer = import_twins().optimizer
pytestmark = needs_compiler
lists = st.lists(st.integers(0, 300), max_size=4)


@given(lists, st.integers(0, 2**32 - 1), st.sampled_from(["float32", "float64"]))
def test_squares(sizes, seed, dtype):
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(n).astype(dtype) for n in sizes]
    found = optimizer.squares([on_device(x) for x in arrays])
    assert type(found) is float
    want = reference.squares([x.astype("f8") for x in arrays])
    assert abs(found - want) <= TOLERANCE[dtype] * max(1, want)


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=3),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["float32", "float64"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.1]),
)
def test_adam(sizes, seed, dtype, amsgrad, decoupled, decay):
    rng = np.random.default_rng(seed)

    def arrays(square=False):
        found = [rng.standard_normal(n).astype(dtype) for n in sizes]
        return [x * x for x in found] if square else found

    state = [arrays(), arrays(), arrays(), arrays(True), arrays(True)]
    ours = [[on_device(x.copy()) for x in part] for part in state]
    for part in (state, ours):
        for step in (1, 2, 30):
            module = reference if part is state else optimizer
            module.adam_step(
                *part[:4],
                part[4] if amsgrad else None,
                step=step,
                lr=0.01,
                beta1=0.9,
                beta2=0.99,
                eps=1e-8,
                weight_decay=decay,
                decoupled=decoupled,
            )
    for part, wanted in zip(ours, state, strict=True):
        for a, b in zip(part, wanted, strict=True):
            close(on_host(a), b, TOLERANCE[dtype])


def test_a_nan_stays_in_the_largest_moment():
    values = [on_device(np.array([x])) for x in (1.0, np.nan, 0.0, 0.0, 4.0)]
    optimizer.adam_step(
        *([x] for x in values),
        step=1,
        lr=0.1,
        beta1=0.9,
        beta2=0.99,
        eps=1e-8,
        weight_decay=0.0,
        decoupled=False,
    )
    assert np.isnan(on_host(values[4])).all()
