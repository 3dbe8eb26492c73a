"""Schedules that multiply a rate by a function of the epoch: their closed forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optim.schedules import (
    factors,
    follow,
    group_of,
    lists,
    optimizer_of,
    rates,
    refusal,
    run,
)

from tinygrad_rnn.optim.lr_scheduler import (
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    StepLR,
)


def line(epoch, base, start_factor, end_factor, total_iters):
    share = min(epoch, total_iters) / total_iters
    return base * (start_factor + (end_factor - start_factor) * share)


FORMULAS = {
    StepLR: (
        {"step_size": st.integers(1, 20), "gamma": factors},
        lambda epoch, base, step_size, gamma: base * gamma ** (epoch // step_size),
    ),
    ExponentialLR: ({"gamma": factors}, lambda epoch, base, gamma: base * gamma**epoch),
    MultiStepLR: (
        {"milestones": st.lists(st.integers(0, 60)), "gamma": factors},
        lambda epoch, base, milestones, gamma: (
            base * gamma ** sum(at <= epoch for at in milestones)
        ),
    ),
    LinearLR: (
        {
            "start_factor": st.floats(0.01, 1.0),
            "end_factor": st.sampled_from([0.0, 0.3, 1.0]),
            "total_iters": st.integers(1, 40),
        },
        line,
    ),
    LambdaLR: (
        {"lr_lambda": st.sampled_from([lambda e: 0.9**e, lambda e: e % 5])},
        lambda epoch, base, lr_lambda: base * lr_lambda(epoch),
    ),
}


@pytest.mark.parametrize("kind", FORMULAS)
@given(data=st.data(), lrs=lists)
def test_the_formula(kind, data, lrs):
    settings, formula = FORMULAS[kind]
    follow(kind, data.draw(st.fixed_dictionaries(settings)), formula, lrs)


def test_a_function_for_each_group():
    optimizer = optimizer_of((1.0, 8.0))
    scheduler = LambdaLR(optimizer, [lambda e: 0.5**e, lambda e: 1 / (1 + e)])
    scheduler.step()
    assert rates(optimizer) == [0.5, 4.0]
    optimizer.add_param_group(group_of(0.1))
    with refusal(scheduler, words="lr_lambda, one for each group, is 2, expected 3"):
        scheduler.step()
    with refusal(words=r"lr_lambda\(0\)\[0\] is nan"):
        LambdaLR(optimizer, lambda epoch: math.nan)


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        (MultiStepLR, (iter([3, 1, 3]), 0.5), [1.0, 0.5, 0.5, 0.125]),
        (LinearLR, (0.25, 1.0, 0), [0.25] * 4),
        (LinearLR, (0.16864039164875994, 0.0, 3), 0.0),  # -1e-17 in PyTorch
    ],
)
def test_at_the_ends(kind, settings, expected):
    found = run(kind(optimizer_of([1.0]), *settings), 4)
    assert expected in (found, found[3])
