"""Calls of all ranks, which are threads here, on every device."""

import functools

import numpy as np
import pytest
from distributed.threads import REDUCE, run_ranks
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.distributed import ReduceOp
from tinygrad_rnn.distributed.collectives import group_by_kind

dist = tg.distributed
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
RANKS = st.integers(1, 4)


def values(rank, shape, dtype, seed=0):
    """Return an array that differs from rank to rank."""
    draws = np.random.default_rng((seed, rank)).integers(1, 9, shape)
    return draws.astype(dtype)


def host(tensor):
    return tensor.detach().cpu().numpy()


@given(RANKS, SHAPES, st.sampled_from(["float32", "float64", "int64", "int32"]))
def test_all_reduce_is_the_reduction_of_all(device, ranks, shape, dtype):
    given = [values(rank, shape, dtype) for rank in range(ranks)]

    def program(rank, op):
        x = tg.tensor(given[rank], device=device)
        shared = x.detach()
        assert dist.all_reduce(x, op) is None
        assert np.array_equal(host(shared), host(x))  # in place
        return x

    for op, function in REDUCE.items():
        expected = functools.reduce(function, given)
        for x in run_ranks(ranks, program, op):
            assert x.dtype == dtype
            assert x.shape == shape
            assert str(x.device) == str(tg.zeros(1, device=device).device)
            assert np.array_equal(host(x), expected)


@given(RANKS, SHAPES)
def test_avg_is_the_mean(device, ranks, shape):
    given = [values(rank, shape, "float64") for rank in range(ranks)]

    def program(rank):
        x = tg.tensor(given[rank], device=device)
        dist.all_reduce(x, ReduceOp.AVG)
        return host(x)

    for found in run_ranks(ranks, program):
        np.testing.assert_allclose(found, np.mean(given, axis=0), rtol=1e-15)


@given(RANKS, SHAPES, st.sampled_from(["float32", "int64", "bool"]), st.data())
def test_broadcast_and_all_gather_are_copies(device, ranks, shape, dtype, data):
    src = data.draw(st.integers(0, ranks - 1))
    given = [values(rank, shape, dtype) for rank in range(ranks)]

    def program(rank):
        x = tg.tensor(given[rank], device=device)
        everyone = [tg.zeros_like(x) for _ in range(ranks)]
        dist.all_gather(everyone, x)
        assert np.array_equal(host(x), given[rank])
        dist.broadcast(x, src)
        return host(x), [host(other) for other in everyone]

    for received, everyone in run_ranks(ranks, program):
        assert np.array_equal(received, given[src])
        for found, expected in zip(everyone, given, strict=True):
            assert np.array_equal(found, expected)


def test_part_of_a_tensor_is_changed_in_place():
    def program(rank):
        x = tg.zeros(3, 4)
        x[:, 1] = float(rank + 1)
        dist.all_reduce(x[:, 1])
        dist.broadcast(x[0], src=1)
        return x.tolist()

    assert run_ranks(2, program) == [[[0.0, 3.0, 0.0, 0.0]] * 3] * 2


def test_a_change_is_counted():
    def program(rank):
        w = tg.ones(2, requires_grad=True)
        loss = (w * w).sum()
        dist.all_reduce(w)
        with pytest.raises(tg.errors.GraphError, match="all_reduce"):
            loss.backward()
        return w.tolist(), w.requires_grad

    assert run_ranks(2, program) == [([2.0, 2.0], True)] * 2


def test_objects_come_from_all_ranks():
    def program(rank):
        everyone = [None] * 3
        dist.all_gather_object(everyone, {"rank": rank})
        settings = [f"of {rank}", rank]
        dist.broadcast_object_list(settings, src=2)
        dist.barrier()
        return everyone, settings

    everyone = [{"rank": rank} for rank in range(3)]
    assert run_ranks(3, program) == [(everyone, ["of 2", 2])] * 3


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda x: dist.all_reduce(x > 0),
            "DTypeError",
            "all_reduce: tensor is bool of shape (2,), expected numbers",
        ),
        (
            lambda x: dist.all_reduce(x.long(), ReduceOp.AVG),
            "DTypeError",
            "expected numbers for op='avg'; use .float()",
        ),
        (
            lambda x: dist.all_reduce(x.requires_grad_() * 2),
            "GraphError",
            "all_reduce: a recorded operation made this tensor",
        ),
        (
            lambda x: dist.broadcast(x[:1].expand(3), 0),
            "GraphError",
            "broadcast: this tensor's memory is read-only",
        ),
        (
            lambda x: dist.broadcast(x, 2),
            "OptionError",
            "broadcast: src is 2, expected a rank from 0 to 1",
        ),
        (
            lambda x: dist.broadcast(x, -1),
            "OptionError",
            "broadcast: src is -1, expected at least 0",
        ),
        (
            lambda x: dist.broadcast(x.numpy(), 0),
            "DTypeError",
            "broadcast: tensor is float32 ndarray of shape (2,), expected a Tensor",
        ),
        (
            lambda x: dist.all_gather([tg.zeros(2)], x),
            "OptionError",
            "all_gather: tensor_list has 1, expected one place for each rank: 2",
        ),
        (
            lambda x: dist.all_gather([tg.zeros(2), tg.zeros(3)], x),
            "ShapeError",
            "all_gather: tensor_list[1] is float32 of shape (3,), expected float32 of",
        ),
        (
            lambda x: dist.all_gather_object((None, None), 3),
            "DTypeError",
            "all_gather_object: object_list is tuple, expected a list",
        ),
        (
            lambda x: dist.broadcast_object_list((1,), 0),
            "DTypeError",
            "broadcast_object_list: object_list is tuple, expected a list",
        ),
    ],
)
def test_wrong_calls(call, error, words):
    def program(rank):
        with pytest.raises(getattr(tg.errors, error)) as caught:
            call(tg.ones(2))
        return str(caught.value)

    for text in run_ranks(2, program):
        assert words in text


def test_arrays_are_grouped_by_dtype():
    arrays = [np.zeros(1, dtype) for dtype in ("f4", "f8", "f4", "i8", "f8")]
    assert group_by_kind(arrays) == [[0, 2], [1, 4], [3]]
