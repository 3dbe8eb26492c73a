"""tg.compile on programs as new users write them: the bits of plain ones."""

import copy
import dataclasses

import pytest
from engine.compiled import bits

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim

PROGRAMS = {}  # name -> how often it is replayed, and a function of what compiles


def program(hits):
    def add(function):
        PROGRAMS[function.__name__] = hits, function
        return function

    return add


@program(hits=6)
def gradients_of_two_batches(wrap):
    layer = nn.Linear(3, 1)
    optimizer = optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)

    @wrap
    def learn(x, is_last):
        loss = layer(x).square().mean()
        loss.backward()
        if is_last:
            optimizer.step()
            optimizer.zero_grad()
        return loss.detach()

    return [learn(tg.randn(4, 3), n % 2 == 1) for n in range(10)], layer.weight


@program(hits=2)
def gradients_of_a_list_of_batches(wrap):
    layer = nn.Linear(3, 1)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)

    @wrap
    def learn(batches):
        optimizer.zero_grad()
        total = 0.0
        for batch in batches:
            loss = F.mse_loss(layer(batch["x"]), batch["y"]) / len(batches)
            loss.backward()
            total = total + loss.detach()
        optimizer.step()
        return total

    made = [
        [{"x": tg.randn(n, 3), "y": tg.randn(n, 1)} for n in (1, 2)] for _ in range(4)
    ]
    return [learn(batches) for batches in made], layer.weight


@program(hits=4)
def two_optimizers(wrap):
    maker, judge = nn.Linear(3, 3), nn.Linear(3, 1)
    of_maker = optim.Adam(maker.parameters())
    of_judge = optim.Adam(judge.parameters())

    @wrap
    def learn(noise, real):
        made = maker(noise)
        of_judge.zero_grad()
        loss = F.softplus(-judge(real)).mean() + F.softplus(judge(made.detach())).mean()
        loss.backward()
        of_judge.step()
        of_maker.zero_grad()
        other = F.softplus(-judge(made)).mean()
        other.backward()
        of_maker.step()
        return loss.detach(), other.detach()

    losses = [learn(tg.randn(2, 3), tg.randn(2, 3)) for _ in range(6)]
    return losses, maker.weight, judge.weight


@program(hits=2)
def a_moving_average_of_weights(wrap):
    layer = nn.Linear(3, 3)
    average = copy.deepcopy(layer)

    @wrap
    @tg.no_grad()
    def follow():
        pairs = zip(average.parameters(), layer.parameters(), strict=True)
        for mean, weight in pairs:
            mean.mul_(0.9).add_(weight * 0.1)

    for _ in range(4):
        follow()
        with tg.no_grad():
            layer.weight.add_(1.0)
    return list(average.parameters())


@program(hits=4)
def an_object_that_holds_all(wrap):
    @dataclasses.dataclass
    class Run:
        model: nn.Module
        optimizer: optim.Optimizer
        scale: float = 1.0

    layer = nn.Linear(3, 1)
    run = Run(layer, optim.Adam(layer.parameters()))

    @wrap
    def learn(run, x):
        run.optimizer.zero_grad()
        loss = (run.model(x) * run.scale).square().mean()
        loss.backward()
        run.optimizer.step()
        return loss.detach()

    losses = [learn(run, tg.randn(2, 3)) for _ in range(4)]
    run.scale = 2.0
    return losses + [learn(run, tg.randn(2, 3)) for _ in range(4)], layer.weight


@program(hits=3)
def a_step_by_hand(wrap):
    weight = nn.Parameter(tg.ones(3))

    @wrap
    def learn(x):
        loss = (x * weight).square().sum()
        loss.backward()
        with tg.no_grad():
            weight.sub_(weight.grad * 0.1)
        weight.grad = None
        return loss.detach()

    return [learn(tg.randn(3)) for _ in range(5)], weight


@program(hits=3)
def default_and_named_arguments(wrap):
    @wrap
    def compute(x, k=2, *, act=tg.tanh):
        return act(x) * k

    x = tg.randn(2)
    calls = [{}, {"k": 3}, {"act": tg.exp}]
    return [compute(x, **options) for options in calls for _ in range(3)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gives_the_bits_of_a_plain_one(name):
    hits, function = PROGRAMS[name]
    tg.manual_seed(0)
    plain = bits(function(lambda step: step))
    tg.manual_seed(0)
    made = []

    def wrap(step):
        made.append(tg.compile(step))
        return made[-1]

    assert bits(function(wrap)) == plain
    assert sum(compiled.cache_info().hits for compiled in made) == hits
