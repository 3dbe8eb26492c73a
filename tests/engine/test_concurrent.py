"""Eight threads, or tasks, that train at once: each as if it were alone."""

import asyncio
import threading

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import GraphError

COUNT, STEPS = 8, 6
KINDS = [nn.RNN, nn.LSTM, nn.GRU, nn.Linear]


class Model(nn.Module):
    """A layer of some kind, behind an embedding that all models share."""

    def __init__(self, i, shared):
        self.layer = KINDS[i % len(KINDS)](4, 3 + i)
        self.head = nn.Linear(3 + i, 2)
        self._shared = [shared]  # in a list: not one of this model's parameters

    def forward(self, ids):
        (shared,) = self._shared
        out = self.layer(nn.functional.embedding(ids, shared))
        return self.head(out[0] if isinstance(out, tuple) else out)


def training(i, shared):
    """Train a model of its own, a piece at a time; yields whether the mode is as it has
    to be.

    Even ones end each step by looking at their loss under no_grad, odd ones run under
    no_grad and record inside of enable_grad.
    """
    outside = i % 2 == 0
    drawn = tg.Generator().manual_seed(i)
    with tg.set_grad_enabled(outside):
        model = Model(i, shared)
        for p in model.parameters():
            nn.init.uniform_(p, -0.5, 0.5, generator=drawn)
        optimizer = optim.Adam(model.parameters(), lr=0.05)
        losses = []
        for _ in range(STEPS):
            ids = tg.randint(5, (4, 2), generator=drawn)
            with tg.enable_grad():
                loss = model(ids).square().mean()
                yield tg.is_grad_enabled()
                optimizer.zero_grad()
                loss.backward()
            yield tg.is_grad_enabled() is outside
            optimizer.step()
            with tg.no_grad():
                losses.append(model(ids).square().mean().item())
                yield not tg.is_grad_enabled()
            yield tg.is_grad_enabled() is outside
    return losses, [p.detach().numpy().copy() for p in model.parameters()]


def alone(i, shared):
    steps = training(i, shared)
    try:
        while True:
            assert next(steps)
    except StopIteration as stop:
        return stop.value


@pytest.fixture
def shared():
    """Weights that everybody reads, and that gather everybody's gradients if they ask
    for any.
    """
    return tg.randn(5, 4, generator=tg.Generator().manual_seed(9))


def assert_equal_runs(found, wanted):
    assert len(found) == COUNT
    for i in range(COUNT):
        (losses, parameters), (other_losses, other_parameters) = found[i], wanted[i]
        assert losses == other_losses
        for one, two in zip(parameters, other_parameters, strict=True):
            np.testing.assert_array_equal(one, two)


def test_eight_threads_train_as_if_each_were_alone(shared):
    wanted = {i: alone(i, shared) for i in range(COUNT)}
    before = shared.numpy().copy()
    barrier, found, modes = threading.Barrier(COUNT, timeout=120), {}, []

    def run(i):
        steps = training(i, shared)
        barrier.wait()
        try:
            while True:
                modes.append(next(steps))
        except StopIteration as stop:
            found[i] = stop.value
        modes.append(tg.is_grad_enabled())

    threads = [threading.Thread(target=run, args=(i,)) for i in range(COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert modes == [True] * (COUNT * (4 * STEPS + 1))
    assert_equal_runs(found, wanted)
    np.testing.assert_array_equal(shared.numpy(), before)
    assert tg.is_grad_enabled()


def test_eight_tasks_train_as_if_each_were_alone(shared):
    wanted = {i: alone(i, shared) for i in range(COUNT)}
    found, modes = {}, []

    async def run(i):
        steps = training(i, shared)
        try:
            while True:
                modes.append(next(steps))
                for _ in range(1 + i % 3):
                    await asyncio.sleep(0)
        except StopIteration as stop:
            found[i] = stop.value
        modes.append(tg.is_grad_enabled())

    async def main():
        await asyncio.gather(*map(run, range(COUNT)))
        modes.append(tg.is_grad_enabled())

    asyncio.run(main())
    assert modes == [True] * (COUNT * (4 * STEPS + 1) + 1)
    assert_equal_runs(found, wanted)


def test_threads_ask_for_gradients_of_weights_that_they_share():
    """`grad` leaves the weights alone, so nothing is lost."""
    weight = tg.randn(5, 5, requires_grad=True, generator=tg.Generator().manual_seed(1))
    inputs = [
        tg.randn(5, 5, generator=tg.Generator().manual_seed(i)) for i in range(COUNT)
    ]

    def ask(i):
        return tg.autograd.grad((weight @ inputs[i]).tanh().sum(), weight)[0].numpy()

    wanted, found = [ask(i) for i in range(COUNT)], {}

    def run(i):
        found[i] = [ask(i) for _ in range(10)]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert weight.grad is None
    for i in range(COUNT):
        for g in found[i]:
            np.testing.assert_array_equal(g, wanted[i])


def test_anomaly_detection_is_the_processs_until_the_last_block_ends():
    """As documented: it acts in all threads, whichever of them asked for it."""
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with tg.autograd.detect_anomaly():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(60)
    with tg.autograd.detect_anomaly():
        pass
    with np.errstate(all="ignore"):
        with pytest.raises(
            GraphError, match="detect_anomaly: an infinity in the result of log"
        ):
            tg.zeros(1).log()
        leave.set()
        thread.join()
        assert tg.zeros(1).log().item() == -np.inf
