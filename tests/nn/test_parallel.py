"""DistributedDataParallel: n ranks with parts of a batch make the step of one process.

The ranks are threads here. What needs real processes is in tests/distributed.
"""

import gc
import re
import threading

import numpy as np
import pytest
from distributed.equality import OPTIMIZERS, one_process, parts_of, states
from distributed.threads import run_ranks
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.engine.walk import after_backward
from tinygrad_rnn.nn.parallel import DistributedDataParallel

# The default generator belongs to the process, not to a thread.
drawing = threading.Lock()


def linear(seed=0, features=2):
    with drawing:
        tg.manual_seed(seed)
        return nn.Linear(3, features).double()


@given(
    st.sampled_from(sorted(OPTIMIZERS)),
    st.integers(1, 4),
    st.sampled_from([1, 2]),
    st.booleans(),
    st.integers(0, 99),
)
def test_ranks_make_the_steps_of_one_process(name, ranks, micro, clips, seed):
    expected = one_process(name, seed, 12, micro, clips, steps=5)
    found = run_ranks(ranks, parts_of, name, seed, 12, micro, clips, 5)
    for rank in range(ranks):
        for key, value in states(found[rank]).items():
            other = states(expected)[key]
            np.testing.assert_allclose(value, other, rtol=1e-12, atol=1e-12)
            assert np.array_equal(value, states(found[0])[key])  # bit for bit


def test_models_are_made_equal_at_the_start():
    def program(rank):
        model = linear(seed=rank)
        model.register_buffer("mean", tg.full((2,), float(rank)))
        before = model.weight.version.count
        DistributedDataParallel(model)
        assert model.weight.version.count > before
        return model.weight.tolist(), model.bias.tolist(), model.mean.tolist()

    first, second, third = run_ranks(3, program)
    assert first == second == third
    assert first[0] == linear().weight.tolist()
    assert first[2] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda rank: linear(features=2 + rank // 2),
            "rank 0 has weight of float64, shape (2, 3), rank 2 weight of float64, "
            "shape (3, 3)",
        ),
        (
            lambda rank: linear().float() if rank == 2 else linear(),
            "rank 2 weight of float32, shape (2, 3)",
        ),
        (
            lambda rank: nn.Sequential(*[linear() for _ in range(1 + rank // 2)]),
            "rank 0 has nothing more, rank 2 1.weight of float64",
        ),
        (
            lambda rank: linear().requires_grad_(False) if rank == 2 else linear(),
            "rank 2 weight of float64, shape (2, 3), not trained",
        ),
    ],
)
def test_other_models_are_refused_on_every_rank(build, words):
    def program(rank):
        model = build(rank)
        kept = [p.tolist() for p in model.parameters()]
        with pytest.raises(tg.errors.ShapeError) as caught:
            DistributedDataParallel(model)
        assert [p.tolist() for p in model.parameters()] == kept
        return str(caught.value)

    for text in run_ranks(3, program):
        assert words in text


def test_a_model_without_parameters_to_train_is_refused():
    def program(rank):
        with pytest.raises(tg.errors.GraphError, match="no parameter .* requires grad"):
            DistributedDataParallel(nn.Tanh())
        with pytest.raises(tg.errors.GraphError, match="no parameter .* requires grad"):
            DistributedDataParallel(linear().requires_grad_(False))

    run_ranks(2, program)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = linear(1), linear(2), linear(3)

    def forward(self, x, head):
        return getattr(self, head)(x)


def test_a_parameter_that_a_rank_did_not_use_counts_as_zeros():
    def program(rank):
        model = TwoHeads()
        ranks = DistributedDataParallel(model, find_unused_parameters=True)
        ranks(tg.ones(1, 3).double(), "ab"[rank]).sum().backward()
        assert model.c.weight.grad is None  # nobody used it
        return model.a.weight.grad.tolist(), model.b.weight.grad.tolist()

    halves = [[0.5] * 3] * 2
    assert run_ranks(2, program) == [(halves, halves)] * 2


def test_what_has_accumulated_is_averaged_once():
    def program(rank):
        model = linear()
        ranks = DistributedDataParallel(model)
        x = tg.full((1, 3), float(rank + 1)).double()
        with ranks.no_sync():
            ranks(x).sum().backward()
            assert model.weight.grad.tolist() == [[rank + 1.0] * 3] * 2
            held = model.weight.grad
        ranks(x).sum().backward()
        assert model.weight.grad is held  # changed in place
        return model.weight.grad.tolist()

    assert run_ranks(2, program) == [[[3.0] * 3] * 2] * 2
    gradients = [call for call in run_ranks.calls if call[0] == "all_reduce"]
    assert len(gradients) == 1


def test_averages_of_several_backwards_add_up():
    def program(rank):
        model = linear()
        ranks = DistributedDataParallel(model)
        for _ in range(3):
            ranks(tg.full((1, 3), float(rank)).double()).sum().backward()
        return model.weight.grad.tolist()

    assert run_ranks(2, program) == [[[1.5] * 3] * 2] * 2


def test_no_sync_ends_with_an_error_too():
    def program(rank):
        ranks = DistributedDataParallel(linear())
        with pytest.raises(KeyError), ranks.no_sync(), ranks.no_sync():
            raise KeyError
        return ranks.require_backward_grad_sync

    assert run_ranks(2, program) == [True, True]


def test_no_sync_inside_of_another_leaves_that_one_open():
    def program(rank):
        ranks = DistributedDataParallel(linear())
        with ranks.no_sync():
            with ranks.no_sync():
                pass
            return ranks.require_backward_grad_sync

    assert run_ranks(2, program) == [False, False]


def test_a_backward_of_something_else_meets_nobody():
    def program(rank):
        ranks = DistributedDataParallel(linear())
        if rank == 0:  # alone: it would wait for ever
            tg.ones(2, requires_grad=True).sum().backward()
            x = tg.ones(1, 3).double()
            tg.autograd.grad(ranks(x).sum(), list(ranks.parameters()))
        return [x.grad for x in ranks.parameters()]

    assert run_ranks(2, program) == [[None, None]] * 2
    assert [call for call in run_ranks.calls if call[0] == "all_reduce"] == []


def test_frozen_parameters_are_left_out():
    def program(rank):
        model = linear()
        model.bias.requires_grad_(False)
        ranks = DistributedDataParallel(model)
        ranks(tg.ones(1, 3).double()).sum().backward()
        return model.bias.grad

    assert run_ranks(2, program) == [None, None]
    (call,) = [call for call in run_ranks.calls if call[0] == "all_reduce"]
    assert call[1] == 6 + 1  # the weight, and how many ranks have its gradient


@pytest.mark.parametrize("broadcast_buffers", [True, False])
def test_buffers_follow_rank_0(broadcast_buffers):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = linear()
            self.register_buffer("seen", tg.zeros(1))

        def forward(self, x):
            found = self.seen.item()
            self.seen += 1.0 + x[0, 0].item()
            return self.inner(x), found

    def program(rank):
        model = Counting()
        ranks = DistributedDataParallel(model, broadcast_buffers=broadcast_buffers)
        x = tg.full((1, 3), float(rank)).double()
        ranks(x)
        with ranks.no_sync():
            return ranks.module.seen.item(), ranks(x)[1], ranks.train()(x)[1]

    first, second = run_ranks(2, program)
    assert first == (1.0, 1.0, 2.0)
    assert second == (2.0, 2.0, 4.0)

    def again(rank):
        model = Counting()
        ranks = DistributedDataParallel(model, broadcast_buffers=broadcast_buffers)
        x = tg.full((1, 3), float(rank)).double()
        return [ranks(x)[1] for _ in range(3)]

    first, second = run_ranks(2, again)
    assert first == [0.0, 1.0, 2.0]
    assert second == ([0.0, 1.0, 2.0] if broadcast_buffers else [0.0, 2.0, 4.0])


def test_it_is_a_module_around_the_module(device):
    def program(rank):
        model = linear().to(device)
        ranks = DistributedDataParallel(model, device_ids=None, output_device=None)
        assert ranks.module is model
        assert list(ranks.state_dict()) == ["module.weight", "module.bias"]
        ranks(tg.ones(2, 3, dtype=tg.float64, device=device)).sum().backward()
        assert type(model.weight.grad.array) is type(model.weight.array)
        return model.weight.grad.tolist(), repr(ranks)

    (first, text), second = run_ranks(2, program)
    assert first == second[0] == [[2.0] * 3] * 2
    assert "(module): Linear(in_features=3" in text


def test_a_model_that_is_gone_leaves_nothing_behind():
    gc.collect()
    before = len(after_backward)

    def program(rank):
        ranks = DistributedDataParallel(linear())
        assert len(after_backward) > before
        del ranks

    run_ranks(2, program)
    gc.collect()
    assert len(after_backward) == before


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = linear()
        self.register_buffer("scale", tg.full((2,), 0.5).double())

    def forward(self, x):
        return self.inner(x) * self.scale


def test_in_a_compiled_step_the_averaging_is_an_instruction():
    """With one rank, as threads cannot be captured at once; test_ranks has several."""

    def program(rank, wrap):
        model = Scaled()
        ranks = DistributedDataParallel(model)
        optimizer = tg.optim.Adam(model.parameters(), lr=0.1)

        def step(x, valid):
            optimizer.zero_grad()
            total = (ranks(x) ** 2).sum()
            loss = tg.distributed.mean_loss(total, valid.sum())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss

        step, losses = wrap(step), []
        for i in range(6):
            x = tg.full((2, 3), 0.1 * (i + 1)).double()
            losses.append(step(x, tg.tensor([True, i % 2 == 0])).item())
            model.scale.fill_(0.1 * i)
        return losses, model.inner.weight.tolist(), getattr(step, "program", None)

    *plain, _ = run_ranks(1, program, lambda step: step)[0]
    *compiled, source = run_ranks(1, program, tg.compile)[0]
    assert compiled == plain
    calls = re.findall(r"(average_in_place|broadcast_in_place|scale_of)\(", source())
    assert calls == ["broadcast_in_place", "scale_of", "average_in_place"]


def test_what_ranks_cannot_repeat_is_not_compiled():
    def program(rank):
        model = TwoHeads()
        ranks = DistributedDataParallel(model)
        x = tg.ones(1, 3).double()

        @tg.compile
        def some_heads(x):
            ranks(x, "a").sum().backward()

        @tg.compile
        def synchronized(x):
            with ranks.no_sync():
                ranks(x, "a").sum().backward()

        @tg.compile
        def met(x):
            tg.distributed.barrier()
            return x + 1

        for step, words in (
            (some_heads, "does not use all of its parameters"),
            (synchronized, "require_backward_grad_sync"),
            (met, "barrier; call it outside"),
        ):
            with pytest.raises(tg.errors.GraphError, match=words):
                step(x)
        assert ranks.require_backward_grad_sync

    run_ranks(1, program)
