"""utils.data against PyTorch: the same batches of the same samples, in structure and
dtype.
"""

import inspect
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from utils.data.batches import same

import tinygrad_rnn as tg
import tinygrad_rnn.utils.data as ours

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torch.utils.data")

pytestmark = pytest.mark.parity

Pair = namedtuple("Pair", "x y")


def same_as_torchs(a, b):
    """Our tensor has the dtype and the values of PyTorch's."""
    if not isinstance(b, torch.Tensor):
        return False
    same_dtype = str(b.dtype).removeprefix("torch.") == str(a.dtype)
    return same_dtype and a.tolist() == b.tolist()


parts = st.sampled_from(
    [
        lambda i: i,
        lambda i: i / 3,
        lambda i: i > 1,
        lambda i: f"s{i}",
        lambda i: np.float32(i),
        lambda i: np.arange(i, i + 3),
        lambda i: np.full((2, 0), i, np.float32),
    ]
)
samples = st.recursive(
    parts,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda fs: lambda i: [f(i) for f in fs]),
        st.lists(inner, max_size=3).map(lambda fs: lambda i: tuple(f(i) for f in fs)),
        st.tuples(inner, inner).map(lambda fs: lambda i: Pair(fs[0](i), fs[1](i))),
        st.dictionaries(st.text(max_size=2), inner, max_size=3).map(
            lambda fs: lambda i: {key: f(i) for key, f in fs.items()}
        ),
    ),
    max_leaves=6,
)


@given(samples, st.integers(1, 7), st.integers(1, 4), st.booleans())
def test_batches_are_theirs(sample, count, size, drop_last):
    dataset = [sample(i) for i in range(count)]
    options = {"batch_size": size, "drop_last": drop_last}
    found, expected = (
        ours.DataLoader(dataset, **options),
        theirs.DataLoader(dataset, **options),
    )
    assert len(found) == len(expected)
    assert same(list(found), list(expected), same_as_torchs)


def test_tensor_datasets_and_subsets_are_theirs():
    values = np.arange(12.0).reshape(6, 2)
    order = [5, 0, 0, 3]
    found = ours.TensorDataset(tg.tensor(values), tg.arange(6))
    expected = theirs.TensorDataset(torch.tensor(values), torch.arange(6))
    for index in (0, -1, slice(1, 3), [2, 0]):
        assert same(found[index], expected[index], same_as_torchs)
    for a, b in (
        (found, expected),
        (ours.Subset(found, order), theirs.Subset(expected, order)),
    ):
        a, b = ours.DataLoader(a, 4), theirs.DataLoader(b, 4)
        assert same(list(a), list(b), same_as_torchs)


@given(
    st.integers(1, 30),
    st.lists(st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5]), max_size=4),
)
def test_the_sizes_of_random_parts_are_theirs(count, fractions):
    last = 1.0 - sum(fractions)
    if last < 0:
        return
    fractions = [*fractions, last]
    found = ours.random_split(range(count), fractions)
    try:
        expected = theirs.random_split(range(count), fractions)
    except ValueError:
        return  # theirs refuses a sum that rounding puts above 1
    except UserWarning:
        return  # theirs warns of a part without samples
    assert [len(part) for part in found] == [len(part) for part in expected]


def test_the_order_of_arguments_is_theirs():
    for name in ours.__all__:
        if inspect.isfunction(getattr(ours, name)) or name == "DataLoader":
            a = inspect.signature(getattr(ours, name)).parameters
            b = inspect.signature(getattr(theirs, name)).parameters
            names = [key for key in b if key in a]
            assert list(a) == names
            if name == "DataLoader":
                assert names[:13] == list(b)[:13]
                assert all(
                    a[key].default == b[key].default for key in a if key != "dataset"
                )
