"""Padding: against NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import normal, seeds

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import OptionError


@given(
    shape=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    mode=st.sampled_from(["constant", "reflect", "replicate"]),
    value=st.sampled_from([None, -1.5]),
    seed=seeds,
)
def test_pad(shape, mode, value, seed):
    rng = np.random.default_rng(seed)
    dims = rng.integers(0, len(shape) + 1)
    most = [
        n - 1 if mode == "reflect" else 3 if n or mode == "constant" else 0
        for n in shape
    ]
    ends = [[int(e) for e in rng.integers(0, max(m, 0) + 1, 2)] for m in most]
    ends = [[0, 0]] * (len(shape) - dims) + ends[len(shape) - dims :]
    pad = [size for end in ends[::-1] for size in end][: 2 * dims]
    x = normal(seed, *shape)
    options = {"constant_values": value or 0.0} if mode == "constant" else {}
    expected = np.pad(x, ends, {"replicate": "edge"}.get(mode, mode), **options)
    given_x = tg.tensor(x, requires_grad=True)
    found = F.pad(given_x, pad, mode, value if mode == "constant" else None)
    np.testing.assert_array_equal(found.detach().numpy(), expected)
    u = normal(seed + 1, *expected.shape)
    found.backward(tg.tensor(u))
    places = np.pad(
        np.arange(x.size).reshape(x.shape),
        ends,
        {"replicate": "edge"}.get(mode, mode),
        **({"constant_values": -1} if mode == "constant" else {}),
    )
    slope = np.zeros(x.size + 1)
    np.add.at(slope, places, u)
    np.testing.assert_allclose(
        given_x.grad.numpy(), slope[:-1].reshape(x.shape), rtol=1e-12
    )


def test_negative_padding_cuts():
    x = tg.tensor(np.arange(20.0).reshape(4, 5))
    np.testing.assert_array_equal(
        F.pad(x, (-1, 2, -2, -1)).numpy(), [[11, 12, 13, 14, 0, 0]]
    )
    np.testing.assert_array_equal(
        F.pad(x, (-1, 1), "replicate").numpy()[0], [1, 2, 3, 4, 4]
    )
    assert F.pad(x, (0, -5)).shape == (4, 0)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate"])
@pytest.mark.parametrize("sizes", [(), (0, 0), (0, 0, 0, 0)])
def test_padding_with_nothing_is_a_copy(mode, sizes):
    x = tg.ones(2, 3)
    F.pad(x, sizes, mode).zero_()
    assert x.numpy().all()


@pytest.mark.parametrize("dtype", [tg.int64, tg.int32, tg.bool, tg.float32])
def test_pad_keeps_the_dtype(dtype):
    x = tg.ones(2, 2, dtype=dtype)
    assert F.pad(x, (1, 0)).dtype == dtype
    assert F.pad(x, (1, 0), value=1).numpy().all()
    assert F.pad(x, (1, 0), mode="reflect").dtype == dtype


INTEGERS = [tg.int8, tg.uint8, tg.int32, tg.int64]


@pytest.mark.parametrize("dtype", INTEGERS)
@given(value=st.integers(-300, 300).map(lambda n: n / 2))
def test_integers_are_padded_with_what_they_can_hold(dtype, value):
    info = np.iinfo(str(dtype))
    x = tg.tensor([1, 2], dtype=dtype)
    calls = [
        ("pad: value is", lambda: F.pad(x, (0, 1), value=value)[-1]),
        ("pad_sequence: padding_value is", lambda: pad_sequence(x, value)[1, 1]),
        ("pad_packed_sequence: padding_value is", lambda: unpack(x, value)[1, 1]),
    ]
    fits = value.is_integer() and info.min <= value <= info.max
    for words, call in calls:
        if fits:
            assert call().item() == value
        else:
            with pytest.raises(OptionError, match=f"^{words} {value}, expected a "):
                call()


def pad_sequence(x, value):
    return nn.utils.rnn.pad_sequence([x, x[:1]], padding_value=value)


def unpack(x, value):
    packed = nn.utils.rnn.pack_sequence([x, x[:1]])
    return nn.utils.rnn.pad_packed_sequence(packed, padding_value=value)[0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_integers_are_not_padded_with_nan_or_infinity(value):
    with pytest.raises(OptionError, match=r"for int64; convert the tensor by .float()"):
        F.pad(tg.tensor([1]), (0, 1), value=value)
    assert not np.isfinite(F.pad(tg.ones(1), (0, 1), value=value)[1].item())
