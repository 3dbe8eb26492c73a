"""Clipping and Adam in C are NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels import fuzz
from kernels.cases import import_c

import_c()


@given(seed=st.integers(0, 2**32 - 1))
def test_it_is_numpys(twin, seed):
    fuzz.check(twin, "lists", seed)


def lists(seed, dtype, factor):
    """Arrays of several sizes."""
    numbers = np.random.default_rng(seed)
    sizes = numbers.integers(0, 40, numbers.integers(1, 5))
    return [(numbers.standard_normal(n) * factor).astype(dtype) for n in sizes]


@given(
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from(["float32", "float64"]),
    max_norm=st.sampled_from([0.0, 0.5, 1e9]),
)
def test_clipping_is_squares_and_scale(twin, seed, dtype, max_norm):
    arrays = lists(seed, dtype, 2.0)
    clipped, want = [a.copy() for a in arrays], [a.copy() for a in arrays]
    norm = twin.squares(arrays) ** 0.5
    found = twin.clip(clipped, max_norm)
    if not norm:
        assert found is None
        return
    factor = max_norm / (norm + 1e-6)
    assert found == (norm, factor < 1)
    if factor < 1:
        twin.scale(want, factor)
    for one, two in zip(clipped, want, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, 1e-30, 0.0])
def test_clipping_leaves_extremes_to_numpy(twin, value):
    arrays = [np.ones(3, np.float32), np.full(2, value, np.float32)]
    arrays = arrays[1:] if abs(value) < 1 else arrays
    before = [a.copy() for a in arrays]
    assert twin.clip(arrays, 1.0) is None
    for one, two in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    "array",
    [
        np.ones((4, 4), np.float32)[:, ::2],
        np.broadcast_to(np.float32(1), 3),
        np.ones(3, "i8"),
    ],
)
def test_clipping_leaves_what_it_cannot_write_to_numpy(twin, array):
    assert twin.clip([np.ones(2, np.float32), array], 0.5) is None


@given(
    ids=st.lists(st.integers(-3, 9), max_size=70),
    count=st.integers(0, 9),
    dtype=st.sampled_from(["int64", "int32", "uint8", "uint64"]),
)
def test_all_below_finds_what_is_out_of_range(twin, ids, count, dtype):
    array = np.array(ids, "int64").astype(dtype)
    found = twin.all_below(array, count)
    if dtype == "int64" and count:
        assert found == all(0 <= x < count for x in ids)
    else:
        assert found is False or all(0 <= x < count for x in ids)


def test_long_lists_are_changed_as_their_parts_are(twin):
    """Other threads run while C works on a long list."""
    rng = np.random.default_rng(0)
    whole = [[rng.random(100_000, "f4") for _ in range(3)] for _ in range(4)]
    parts = [[a.copy() for a in arrays] for arrays in whole]
    numbers = None, False, 0.1, 0.999, 0.001, 1e-8, 0.01, 0.0
    twin.scale(whole[0], 0.3)
    twin._c.adam_step(*whole, *numbers)
    for param, *others in zip(*parts, strict=True):
        twin.scale([param], 0.3)
        twin._c.adam_step([param], *([a] for a in others), *numbers)
    for one, two in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_contiguous_looks_at_every_array(twin, dtype):
    whole = np.ones((4, 4), dtype)
    assert twin.all_contiguous([whole, whole[1:], whole[:0]])
    for part in (whole[:, 1:], whole.T[1:], whole[::2]):
        assert not twin.all_contiguous([whole, part])
    with pytest.raises(TypeError, match="arrays in a list"):
        twin.all_contiguous(whole)


def unaligned(array):
    """A copy that begins at an odd address."""
    copied = np.frombuffer(bytearray(array.nbytes + 1), array.dtype, offset=1)
    copied[...] = array.ravel()
    assert not copied.flags.aligned
    return copied.reshape(array.shape)


@pytest.mark.parametrize("copied", [np.asfortranarray, unaligned])
def test_adam_reads_gradients_that_are_not_contiguous(twin, copied):
    """As the optimizer passes them: the call itself copies nothing."""
    rng = np.random.default_rng(0)
    state = [[rng.random((3, 2))] for _ in range(4)]
    others = [[x.copy() for x in part] for part in state]
    options = {"step": 1, "lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8}
    options |= {"weight_decay": 0.0, "decoupled": False}
    twin.adam_step(*state, None, **options)
    others[1] = [copied(others[1][0])]
    twin.adam_step(*others, None, **options)
    np.testing.assert_array_equal(state[0][0], others[0][0])
