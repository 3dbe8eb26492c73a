"""Norms, clipping and Adam, on the emulator of CUDA."""

import numpy as np
import pytest
from backend import fake_cupy
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import close
from kernels.cupy.emulator import needs_compiler
from kernels.cupy.twins import TOLERANCE, import_twins, on_device, on_host

from tinygrad_rnn.backend import pending
from tinygrad_rnn.backend.pending import Check
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


def explain(place, is_nan, *facts):
    return ValueError(f"{place} {is_nan} {facts}")


CHECK = Check(explain, ("grads",))
norms = st.sampled_from([1e-30, 1.0, 1e30])


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
    st.lists(st.sampled_from(["float32", "float64"]), min_size=4, max_size=4),
    norms,
    norms,
)
def test_clipping(sizes, seed, dtypes, scale, max_norm):
    """Of both dtypes in one list, in C order or transposed."""
    rng = np.random.default_rng(seed)
    arrays = [
        (rng.standard_normal((n, 1 + n % 3)) * scale).astype(dtype)
        for n, dtype in zip(sizes, dtypes, strict=False)
    ]
    arrays[-1] = arrays[-1].T
    ours = [on_device(x.copy(order="K")) for x in arrays]
    found = optimizer.clip_to_norm(ours, max_norm, CHECK)
    assert found.shape == () and found.dtype == arrays[0].dtype
    norm = np.sqrt(sum((x.astype("f8") ** 2).sum() for x in arrays))
    assert abs(on_host(found) / scale - norm / scale) <= 2e-6 * norm / scale
    factor = min(1.0, max_norm / (norm + 1e-6))
    for a, b in zip(ours, arrays, strict=True):
        close(on_host(a) / scale, b * factor / scale, TOLERANCE["float32"])
    pending.look(0, fake_cupy.asnumpy)


@given(st.integers(0, 3), st.integers(0, 299), st.sampled_from([np.nan, np.inf]))
def test_the_array_that_is_not_finite_is_named(number, place, value):
    arrays = [np.ones(n) for n in (300, 0, 1, 300)]
    place, number = place % max(1, arrays[number].size), number - (number == 1)
    arrays[number][place] = value
    ours = [on_device(x.copy()) for x in arrays]
    norm = optimizer.clip_to_norm(ours, 1.0, CHECK)
    assert not np.isfinite(on_host(norm))
    assert not any(on_host(x).any() for x in ours)
    with pytest.raises(ValueError, match=f": {number} {int(np.isnan(value))} .'grads'"):
        pending.look(0, fake_cupy.asnumpy)
    ours = [on_device(x.copy()) for x in arrays]
    optimizer.clip_to_norm(ours, 1.0, None)  # as in PyTorch
    assert np.isnan(on_host(ours[number])[place])
    assert all(on_host(ours[3])[:-1] == 0) or np.isnan(value)
    pending.look(0, fake_cupy.asnumpy)


def test_the_first_of_many_arrays_is_named():
    """There are more partial sums than a block has threads."""
    arrays = [np.full(1, float(n)) for n in range(150)]
    found, _ = optimizer.total_norm([on_device(x) for x in arrays], 1.0, CHECK)
    close(on_host(found), np.sqrt(np.square(np.arange(150.0)).sum()), 1e-13)
    pending.look(0, fake_cupy.asnumpy)
    for number in (140, 12, 139):  # 12 and 140 are for the same thread
        arrays[number][0] = np.inf
    optimizer.total_norm([on_device(x) for x in arrays], 1.0, CHECK)
    with pytest.raises(ValueError, match=": 12 0 .'grads'"):
        pending.look(0, fake_cupy.asnumpy)


def test_an_array_with_gaps_is_left_alone():
    x = on_device(np.ones((4, 4)))
    assert optimizer.clip_to_norm([x[:, ::2]], 1.0, None) is None
    assert on_host(x).all()
    norm, _ = optimizer.total_norm([x[:, ::2]])
    assert on_host(norm) == np.sqrt(8)


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
