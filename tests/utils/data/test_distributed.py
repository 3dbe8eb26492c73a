"""DistributedSampler: every sample goes to a rank, and all ranks draw one order."""

import math

import pytest
from distributed.threads import run_ranks
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn.utils.data import DataLoader, DistributedSampler

OPTIONS = {
    "shuffle": st.booleans(),
    "seed": st.integers(0, 3),
    "drop_last": st.booleans(),
}


@given(st.integers(0, 20), st.integers(1, 5), st.fixed_dictionaries(OPTIONS))
def test_ranks_share_the_samples_out(count, ranks, options):
    samplers = [
        DistributedSampler(range(count), ranks, rank, **options)
        for rank in range(ranks)
    ]
    parts = [list(sampler) for sampler in samplers]
    share = math.floor if options["drop_last"] else math.ceil
    assert [len(part) for part in parts] == [share(count / ranks)] * ranks
    assert [len(sampler) for sampler in samplers] == [len(part) for part in parts]
    everyone = [index for part in parts for index in part]
    if options["drop_last"]:
        assert len(set(everyone)) == len(everyone)
    else:
        assert set(everyone) == set(range(count))
    assert [list(sampler) for sampler in samplers] == parts  # until the epoch changes
    interleaved = [index for row in zip(*parts, strict=True) for index in row]
    if not options["shuffle"] and count:
        total = len(interleaved)
        assert interleaved == [i % count for i in range(total)]


def test_each_epoch_and_seed_has_its_order():
    sampler = DistributedSampler(range(50), 2, 0)
    orders = [list(sampler)]
    sampler.set_epoch(1)
    orders += [list(sampler), list(DistributedSampler(range(50), 2, 0, seed=1))]
    assert len({tuple(order) for order in orders}) == 3
    sampler.set_epoch(0)
    assert list(sampler) == orders[0]
    assert orders[0] != sorted(orders[0])


def test_by_default_the_group_says_who_this_is():
    def program(rank):
        sampler = DistributedSampler(range(7), shuffle=False)
        loader = DataLoader(range(7), batch_size=2, sampler=sampler)
        return len(loader), [x.tolist() for x in loader]

    assert run_ranks(3, program) == [
        (2, [[0, 3], [6]]),
        (2, [[1, 4], [0]]),
        (2, [[2, 5], [1]]),
    ]


@pytest.mark.parametrize("options", [{"rank": 1}, {"num_replicas": 2}])
def test_without_a_group_both_numbers_are_needed(options):
    with pytest.raises(ValueError, match="there is no process group"):
        DistributedSampler(range(7), **options)
