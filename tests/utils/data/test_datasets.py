"""Data sets, and their parts at random."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from utils.data.batches import rows

import tinygrad_rnn as tg
from tinygrad_rnn.utils.data import Subset, TensorDataset, random_split


@given(
    st.integers(1, 40),
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.booleans(),
)
def test_parts_have_every_sample_once(count, shares, as_fractions):
    total = sum(shares)
    fractions = [share / total for share in shares]
    lengths = [int(count * share) for share in fractions]
    lengths[0] += count - sum(lengths)
    parts = random_split(range(count), fractions if as_fractions else lengths)
    assert sorted(sample for part in parts for sample in part) == list(range(count))
    if not as_fractions:
        assert [len(part) for part in parts] == lengths
    else:
        assert all(
            abs(len(p) - count * f) <= 1 for p, f in zip(parts, fractions, strict=True)
        )


def test_parts_come_from_the_generator():
    def split(**options):
        return [list(part) for part in random_split(range(20), [15, 5], **options)]

    tg.manual_seed(4)
    by_default = split()
    assert split(generator=tg.Generator().manual_seed(4)) == by_default
    assert split() != by_default


WRONG = [
    (lambda: rows(3)[-4], IndexError, "TensorDataset: index -4 of 3 samples"),
    (lambda: Subset([1], [0])[1], IndexError, "Subset: index 1 of 1 samples"),
    (
        lambda: Subset([1], 3),
        TypeError,
        "Subset: indices is int, expected a sequence of integers",
    ),
    (lambda: TensorDataset(tg.ones(2), tg.ones(3)), ValueError, r"\[\(2,\), \(3,\)\]"),
    (
        lambda: TensorDataset(tg.tensor(1.0)),
        ValueError,
        r"\[\(\)\], expected at least one",
    ),
    (lambda: TensorDataset(), ValueError, "got the shapes"),
    (
        lambda: TensorDataset(np.ones(3)),
        TypeError,
        "tensor 0 is float64 ndarray.*tg.as_tensor",
    ),
    (
        lambda: random_split([1, 2], [1, 2]),
        ValueError,
        r"\[1, 2\], expected .* add up to 2",
    ),
    (
        lambda: random_split([1, 2], [0.5, 0.6]),
        ValueError,
        "fractions that add up to 1",
    ),
    (lambda: random_split([1, 2], [3, -1]), ValueError, r"lengths\[1\] is -1"),
    (lambda: random_split([1, 2], [0.5, 1.5]), TypeError, "0.5, expected an integer"),
    (
        lambda: random_split([1, 2], 2),
        TypeError,
        "lengths is int, expected a list of numbers",
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "words"), WRONG, ids=[row[2] for row in WRONG]
)
def test_wrong_calls_say_the_way_out(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, tg.Error)
