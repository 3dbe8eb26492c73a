"""Elements in order: sorted, ranked and counted."""

import math

import pytest
from calls import LIBRARIES, check_what_pytorch_gives, check_wrong_call

import tinygrad_rnn as tg


def test_order_is_stable_and_nan_is_the_largest():
    x = tg.tensor([1.0, 0.0, 1.0, 0.0])
    assert x.argsort().tolist() == [1, 3, 0, 2]
    assert x.argsort(descending=True).tolist() == [0, 2, 1, 3]
    assert tg.tensor([float("nan"), 1.0]).argsort(descending=True).tolist() == [0, 1]


INDEXED = {
    "median of 0-d": (lambda lib, x: x[0, 0].median(0).values, 7.0),
    "median of 0-d, kept": (lambda lib, x: x[0, 0].median(0, keepdim=True).indices, 0),
    "unique rows": (
        lambda lib, x: lib.unique(lib.tensor([[2, 1], [0, 3], [2, 1]]), dim=0),
        [[0, 3], [2, 1]],
    ),
    "where unique rows are": (
        lambda lib, x: lib.unique(
            lib.tensor([[2, 1], [0, 3], [2, 1]]), return_inverse=True, dim=0
        )[1],
        [1, 0, 1],
    ),
    "NaNs are distinct": (
        lambda lib, x: lib.unique(
            lib.tensor([math.nan, 1.0, math.nan]), return_counts=True
        )[1],
        [1, 1, 1],
    ),
    "bincount by float32": (
        lambda lib, x: str(lib.bincount(lib.tensor([1]), lib.ones(1)).dtype).split(".")[
            -1
        ],
        "float32",
    ),
}


@pytest.mark.parametrize("name", ["unique", "bincount", "nonzero"])
def test_places_and_counts_have_no_gradient(name):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    found = (
        tg.bincount(tg.tensor([0, 1]), x) if name == "bincount" else getattr(x, name)()
    )
    assert not found.requires_grad


WRONG = {
    "topk too many": (
        lambda x: x.topk(4),
        ValueError,
        "topk: k is 4, expected at most 3",
    ),
    "topk of half": (lambda x: x.topk(1.5), TypeError, "topk: k is 1.5"),
    "median of nothing": (
        lambda x: x[:0].median(),
        ValueError,
        "median: nothing in a tensor",
    ),
    "median along nothing": (
        lambda x: x[:0].median(0),
        ValueError,
        "median: nothing along dim 0",
    ),
    "bincount of a matrix": (
        lambda x: x.long().bincount(),
        ValueError,
        "bincount: input is int64",
    ),
    "bincount below 0": (
        lambda x: tg.bincount(tg.tensor([1, -2])),
        ValueError,
        "bincount: input is .*, smallest -2, expected a vector of integers >= 0",
    ),
    "bincount by others": (
        lambda x: tg.bincount(tg.tensor([1]), x),
        ValueError,
        r"bincount: weights has shape \(2, 3\), expected \(1,\)",
    ),
    "unique": (lambda x: x.unique(dim=2), IndexError, "unique: dim 2"),
    "sort": (lambda x: x.sort((0, 1)), TypeError, "sort: dim is"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])


@pytest.mark.parametrize("name", INDEXED)
@pytest.mark.parametrize("library", LIBRARIES)
def test_what_pytorch_gives(name, library):
    check_what_pytorch_gives(library, *INDEXED[name])
