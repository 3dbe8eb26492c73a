"""utils.data: every sample once a pass, in an order that can be drawn again, made to
batches.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from utils.data.batches import rows, same

import tinygrad_rnn as tg
from tinygrad_rnn.utils.data import (
    DataLoader,
    Dataset,
    Subset,
    TensorDataset,
    default_collate,
)


class Squares(Dataset):
    """A data set as users write one."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return index, float(index) ** 2


def seen(loader):
    """The numbers of the samples of one pass, which are their first parts."""
    return [number for first, *_ in loader for number in first.tolist()]


makers = st.sampled_from(
    [Squares, rows, lambda n: Subset(rows(2 * n), range(n)), range]
)
counts, sizes = st.integers(1, 12), st.integers(1, 5)


@given(makers, counts, sizes, st.booleans(), st.booleans())
def test_a_pass_gives_every_sample_once(make, count, size, shuffle, drop_last):
    dataset = make(count)
    loader = DataLoader(dataset, size, shuffle, drop_last=drop_last)
    batches = list(loader)
    assert (
        len(batches)
        == len(loader)
        == (count // size if drop_last else -(-count // size))
    )
    found = (
        seen(batches) if make is not range else [n for b in batches for n in b.tolist()]
    )
    lengths = [len(b) if make is range else len(b[0]) for b in batches]
    assert lengths == [size] * (count // size) + [count % size] * (
        count % size > 0 and not drop_last
    )
    if not drop_last:
        assert sorted(found) == list(range(count))
    assert len(set(found)) == len(found)
    if not shuffle:
        assert found == list(range(len(found)))


@given(counts, sizes, st.integers(0, 5))
def test_an_order_comes_from_its_generator(count, size, seed):
    def orders(**options):
        loader = DataLoader(Squares(count), size, shuffle=True, **options)
        return [seen(loader) for _ in range(3)]

    drawn = orders(generator=tg.Generator().manual_seed(seed))
    before = tg.random.default_generator.get_state().tolist()
    assert orders(generator=tg.Generator().manual_seed(seed)) == drawn
    assert tg.random.default_generator.get_state().tolist() == before
    tg.manual_seed(seed)
    assert orders() == drawn
    tg.manual_seed(seed)
    assert drawn == [tg.randperm(count).tolist() for _ in range(3)]


def test_each_pass_has_an_order_of_its_own():
    loader = DataLoader(rows(100), 10, shuffle=True)
    assert seen(loader) != seen(loader)


def test_an_order_is_drawn_when_a_pass_begins():
    """Draws between two batches, as by dropout, do not change the order."""
    tg.manual_seed(3)
    expected = seen(DataLoader(rows(20), 4, shuffle=True))
    tg.manual_seed(3)
    found = []
    for first, _ in DataLoader(rows(20), 4, shuffle=True):
        tg.rand(5)
        found += first.tolist()
    assert found == expected


class Counted(TensorDataset):
    """A TensorDataset that says itself what a sample is."""

    def __getitem__(self, index):
        self.calls = getattr(self, "calls", 0) + 1
        number, row = super().__getitem__(index)
        return number, row * 10.0


@given(counts, sizes, st.lists(st.integers(0, 11), min_size=1, max_size=8))
def test_rows_at_once_are_the_samples_collated(count, size, chosen):
    """The short way for a TensorDataset, and for its subsets, gives what the long one
    does.
    """
    # Negative ones too
    chosen = [index % count - count * (index % 2) for index in chosen]
    for dataset in (
        rows(count),
        Subset(Subset(rows(2 * count), range(1, 2 * count)), chosen),
    ):
        order = (
            chosen if isinstance(dataset, TensorDataset) else list(range(len(chosen)))
        )
        short = list(DataLoader(dataset, size, sampler=order))
        long = list(
            DataLoader(dataset, size, sampler=order, collate_fn=lambda b: collate(b))
        )
        assert same(short, long)


def collate(batch):
    return default_collate(batch)


def test_a_batch_of_rows_is_one_look_up_a_tensor(monkeypatch):
    reads = []
    getitem = tg.Tensor.__getitem__
    monkeypatch.setattr(
        tg.Tensor, "__getitem__", lambda t, i: reads.append(1) or getitem(t, i)
    )
    assert len(list(DataLoader(rows(1000), 500, shuffle=True))) == 2
    assert len(list(DataLoader(Subset(rows(1000), range(1000)), 500))) == 2
    assert len(reads) == 8


def test_what_a_subclass_says_of_its_samples_holds():
    dataset = Counted(*rows(6).tensors)
    for loader in (DataLoader(dataset, 3), DataLoader(Subset(dataset, [0, 1, 2]), 3)):
        _, values = next(iter(loader))
        assert values.tolist() == [[0.0, 10.0], [20.0, 30.0], [40.0, 50.0]]
    assert dataset.calls == 6


def test_gradients_flow_to_what_is_batched():
    table = tg.ones(4, 2, requires_grad=True)
    for (row,) in DataLoader(TensorDataset(table), 3, sampler=[0, 0, 3]):
        row.sum().backward()
    assert table.grad.tolist() == [[2.0, 2.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]


def test_batches_on_every_device(device):
    loader = DataLoader(rows(5, device), 2, shuffle=True)
    assert sorted(seen(loader)) == [0, 1, 2, 3, 4]
    assert all(
        part.device == tg.ones(1, device=device).device
        for batch in loader
        for part in batch
    )


def test_a_sampler_says_the_order():
    class Backwards:
        def __iter__(self):
            return iter(range(4, -1, -1))

        def __len__(self):
            return 5

    ids = tg.tensor([3, 1])
    for sampler, expected in (
        (Backwards(), [4, 3, 2, 1, 0]),
        ([2, 2], [2, 2]),
        (ids, [3, 1]),
        (ids.numpy(), [3, 1]),
        (range(1, 3), [1, 2]),
    ):
        for dataset in (Squares(5), rows(5), Subset(rows(6), [0, 1, 2, 3, 4])):
            loader = DataLoader(dataset, batch_size=2, sampler=sampler)
            assert seen(loader) == seen(loader) == expected
            assert len(loader) == -(-len(expected) // 2)


def test_a_batch_sampler_says_the_batches():
    loader = DataLoader(Squares(5), batch_sampler=[[4, 0], [1], [2, 2, 2]])
    assert [first.tolist() for first, _ in loader] == [[4, 0], [1], [2, 2, 2]]
    assert len(loader) == 3


def test_a_data_set_needs_no_length_where_a_sampler_says_the_order():
    class Endless:
        def __getitem__(self, index):
            return index

    assert [b.tolist() for b in DataLoader(Endless(), 2, sampler=[10**6, 3])] == [
        [10**6, 3]
    ]


def test_without_batches_samples_come_one_by_one():
    samples = [{"x": np.arange(3), "name": "a"}, {"x": np.arange(3), "name": "b"}]
    loader = DataLoader(samples, batch_size=None)
    assert len(loader) == 2
    for found, sample in zip(loader, samples, strict=True):
        assert found["name"] == sample["name"]
        assert same(found["x"], tg.arange(3))
    assert list(
        DataLoader(samples, batch_size=None, collate_fn=lambda s: s["name"])
    ) == ["a", "b"]


def test_a_collate_fn_that_pads():
    texts = [tg.arange(1.0, 4.0), tg.arange(1.0, 2.0), tg.arange(1.0, 3.0)]
    loader = DataLoader(texts, 2, collate_fn=tg.nn.utils.rnn.pad_sequence)
    assert [batch.T.tolist() for batch in loader] == [[[1, 2, 3], [1, 0, 0]], [[1, 2]]]


def test_a_collate_fn_is_called_for_every_kind_of_data_set():
    for dataset in (rows(3), Subset(rows(5), [4, 0, 1]), Squares(3), [1, 2, 3]):
        assert list(DataLoader(dataset, 2, collate_fn=len)) == [2, 1]


def test_two_passes_at_the_same_time():
    loader = DataLoader(rows(6), 2)
    assert [
        (a.tolist(), b.tolist()) for (a, _), (b, _) in zip(loader, loader, strict=True)
    ] == [([0, 1], [0, 1]), ([2, 3], [2, 3]), ([4, 5], [4, 5])]


# ---------------------------------------------------------------- wrong calls

WRONG = [
    (
        lambda: DataLoader(iter([1])),
        TypeError,
        "list_iterator, expected .* __getitem__ and __len__",
    ),
    (lambda: DataLoader(3), TypeError, "dataset is int"),
    (lambda: DataLoader([1], 0), ValueError, "batch_size is 0, expected at least 1"),
    (lambda: DataLoader([1], 1.5), TypeError, "batch_size is 1.5"),
    (
        lambda: DataLoader([1], shuffle=1),
        TypeError,
        "shuffle is int, expected True or False",
    ),
    (
        lambda: DataLoader([1], num_workers=2),
        ValueError,
        "num_workers is 2, expected 0: batches",
    ),
    (
        lambda: DataLoader([1], num_workers=False),
        ValueError,
        "num_workers is False, expected 0",
    ),
    (
        lambda: DataLoader([1], pin_memory=True),
        ValueError,
        "pin_memory is True, expected False",
    ),
    (
        lambda: DataLoader([1], persistent_workers=True),
        ValueError,
        "persistent_workers is True",
    ),
    (lambda: DataLoader([1], timeout=3), ValueError, "timeout is 3, expected 0"),
    (
        lambda: DataLoader([1], collate_fn=3),
        TypeError,
        "collate_fn is int, expected a function",
    ),
    (
        lambda: DataLoader([1], generator=3),
        TypeError,
        "generator is int, expected a tg.Generator",
    ),
    (
        lambda: DataLoader([1], sampler=3),
        TypeError,
        "sampler is int, expected something to iter",
    ),
    (lambda: DataLoader([1], sampler=iter([0])), TypeError, "one pass only; pass list"),
    (
        lambda: DataLoader([1], batch_sampler=iter([[0]])),
        TypeError,
        "batch_sampler is list_iter",
    ),
    (
        lambda: DataLoader([1], shuffle=True, sampler=[0]),
        ValueError,
        "shuffle and sampler exclude",
    ),
    (
        lambda: DataLoader([1], 2, batch_sampler=[[0]]),
        ValueError,
        "batch_sampler and batch_size=2",
    ),
    (
        lambda: DataLoader([1], batch_sampler=[[0]], drop_last=True),
        ValueError,
        "and drop_last",
    ),
    (
        lambda: DataLoader([1], None, drop_last=True),
        ValueError,
        "batch_size=None and drop_last",
    ),
    (
        lambda: DataLoader([], shuffle=True),
        ValueError,
        "no samples, nothing to shuffle",
    ),
    (
        lambda: list(DataLoader(rows(3), sampler=[5])),
        IndexError,
        "TensorDataset: index 5 of 3",
    ),
    (
        lambda: list(DataLoader(Subset(rows(3), [0]), sampler=[1])),
        IndexError,
        "Subset: index 1 of 1",
    ),
]


@pytest.mark.parametrize(
    ("call", "error", "words"), WRONG, ids=[row[2] for row in WRONG]
)
def test_wrong_calls_say_the_way_out(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, tg.Error)


def test_the_length_of_a_sampler_that_has_none():
    class Endless:
        def __iter__(self):
            return iter(range(3))

    loader = DataLoader(range(3), sampler=Endless())
    assert len(list(loader)) == 3
    with pytest.raises(tg.Error, match="sampler is Endless, which has no __len__"):
        len(loader)


def test_an_empty_data_set_has_no_batches():
    assert list(DataLoader([])) == []
