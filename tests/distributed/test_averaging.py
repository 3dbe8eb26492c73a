"""Gradients averaged over ranks, and losses whose mean goes by counts."""

import numpy as np
import pytest
from distributed.threads import run_ranks
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn.distributed.averaging import average_gradients
from tinygrad_rnn.distributed.group import current_group

RANKS = st.integers(1, 4)
SHAPES = st.lists(st.integers(1, 3), max_size=2).map(tuple)


@given(st.data(), RANKS)
def test_it_is_the_mean_of_those_that_are_there(data, ranks):
    """Zeros stand for missing ones; None stays where no rank has one."""
    count = data.draw(st.integers(1, 4))
    shapes = [data.draw(SHAPES) for _ in range(count)]
    dtypes = [data.draw(st.sampled_from(["float32", "float64"])) for _ in range(count)]
    parameters = [np.ones(s, d) for s, d in zip(shapes, dtypes, strict=True)]
    some = st.none() | st.integers(-8, 8)
    numbers = [[data.draw(some) for _ in parameters] for _ in range(ranks)]
    gradients = [
        [
            None if number is None else np.full_like(p, number)
            for p, number in zip(parameters, row, strict=True)
        ]
        for row in numbers
    ]

    def program(rank):
        group = current_group("test")
        averaged = average_gradients(group, gradients[rank], parameters)
        for given, mean in zip(gradients[rank], averaged, strict=True):
            assert given is None or not np.shares_memory(given, mean)
        return averaged

    for averaged in run_ranks(ranks, program):
        for i, (found, like) in enumerate(zip(averaged, parameters, strict=True)):
            given = [gradients[rank][i] for rank in range(ranks)]
            if all(g is None for g in given):
                assert found is None
                continue
            total = sum(0.0 if g is None else g for g in given)
            assert found.dtype == like.dtype
            assert found.shape == like.shape
            np.testing.assert_allclose(found, total / ranks, rtol=1e-6)
    # One vector for each dtype: the gradients, and a number for each parameter.
    sizes = {}
    for p in parameters:
        sizes[str(p.dtype)] = sizes.get(str(p.dtype), 0) + p.size + 1
    sent = {(size, dtype) for _, size, dtype, _ in run_ranks.calls}
    assert sent == {(size, dtype) for dtype, size in sizes.items()}
    assert len(run_ranks.calls) == len(sizes)


@given(st.data(), RANKS)
def test_mean_loss_weighs_by_counts(data, ranks):
    """Its gradients, averaged, are those of one mean over all elements."""
    rows = data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    logits = rng.standard_normal((ranks, rows, 3))
    targets = rng.integers(0, 3, (ranks, rows))
    targets[rng.random((ranks, rows)) < 0.4] = -100
    targets[-1, -1] = 0  # one at least

    def program(rank):
        x = tg.tensor(logits[rank], requires_grad=True)
        y = tg.tensor(targets[rank])
        total = F.cross_entropy(x, y, reduction="sum")
        loss = tg.distributed.mean_loss(total, (y != -100).sum())
        loss.backward()
        return loss.item(), x.grad.numpy() / ranks

    whole = tg.tensor(logits.reshape(-1, 3), requires_grad=True)
    loss = F.cross_entropy(whole, tg.tensor(targets.reshape(-1)))
    loss.backward()
    losses, parts = zip(*run_ranks(ranks, program), strict=True)
    assert np.mean(losses) == pytest.approx(loss.item(), rel=1e-12)
    np.testing.assert_allclose(np.concatenate(parts), whole.grad.numpy(), rtol=1e-12)


def test_mean_loss_without_a_group_is_a_mean():
    total = tg.tensor(6.0, requires_grad=True)
    loss = tg.distributed.mean_loss(total, 4)
    loss.backward()
    assert (loss.item(), total.grad.item()) == (1.5, 0.25)
    assert tg.distributed.mean_loss(total, tg.tensor([4])).shape == ()


def test_a_count_that_is_not_a_number_raises_before_it_reaches_others():
    with pytest.raises(tg.errors.OptionError, match="count is nan, expected at least"):
        tg.distributed.mean_loss(tg.tensor(1.0), tg.tensor(float("nan")))


def test_a_mean_over_no_elements_is_refused_on_every_rank():
    def program(rank):
        with pytest.raises(tg.errors.ShapeError, match="the count is 0 on all ranks"):
            tg.distributed.mean_loss(tg.tensor(0.0), tg.tensor(0))

    run_ranks(3, program)
