"""default_collate: a list of samples becomes one batch."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from utils.data.batches import same

import tinygrad_rnn as tg
from tinygrad_rnn.utils.data import default_collate

Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ([tg.ones(2), tg.zeros(2)], tg.tensor([[1.0, 1.0], [0.0, 0.0]])),
        (
            [np.ones(2), np.zeros(2)],
            tg.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=tg.float64),
        ),
        ([np.float32(1), np.float32(2)], tg.tensor([1.0, 2.0])),
        ([np.int32(1), np.int32(2)], tg.tensor([1, 2], dtype=tg.int32)),
        ([0.5, 1.5], tg.tensor([0.5, 1.5], dtype=tg.float64)),
        ([1, 2], tg.tensor([1, 2])),
        ([True, False], tg.tensor([True, False])),
        (["a", "b"], ["a", "b"]),
        ([b"a", b"b"], [b"a", b"b"]),
        ([(1, "a"), (2, "b")], [tg.tensor([1, 2]), ("a", "b")]),
        ([[1, [2]], [3, [4]]], [tg.tensor([1, 3]), [tg.tensor([2, 4])]]),
        ([{"x": 1}, {"x": 2}], {"x": tg.tensor([1, 2])}),
        ([OrderedDict(b=1, a=2)], OrderedDict(b=tg.tensor([1]), a=tg.tensor([2]))),
        ([Pair(1, 2), Pair(3, 4)], Pair(tg.tensor([1, 3]), tg.tensor([2, 4]))),
        (((), ()), []),
        ([tg.tensor(1.0), tg.tensor(2.0)], tg.tensor([1.0, 2.0])),
    ],
)
def test_what_a_batch_is_made_of(batch, expected):
    assert same(default_collate(batch), expected)


WRONG = [
    (lambda: default_collate([]), ValueError, "the batch is empty"),
    (lambda: default_collate(3), TypeError, "batch is int, expected a list of samples"),
    (lambda: default_collate([None]), TypeError, "sample 0 is NoneType, .*collate_fn="),
    (
        lambda: default_collate([tg.ones(2), tg.ones(3)]),
        ValueError,
        "sample 1 has shape .*pad_seq",
    ),
    (
        lambda: default_collate([tg.ones(2), 3]),
        TypeError,
        ": sample 1 is int, the first float32",
    ),
    (
        lambda: default_collate([{"a": 1}, {"b": 1}]),
        TypeError,
        r"sample 1 is \['b'\], expected",
    ),
    (
        lambda: default_collate([(1, 2), (1,)]),
        ValueError,
        "sample 1 has 1 parts, expected 2",
    ),
    (
        lambda: default_collate([(1, {2}), (1, {3})]),
        TypeError,
        "part 1 of sample 0 is set",
    ),
    (
        lambda: default_collate([1, None]),
        TypeError,
        "collate: sample 1 is NoneType, the first int",
    ),
    (
        lambda: default_collate([(2.5, 0), ("a", 0)]),
        TypeError,
        "part 0 of sample 1 is str, the f",
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "words"), WRONG, ids=[row[2] for row in WRONG]
)
def test_wrong_calls_say_the_way_out(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, tg.Error)
