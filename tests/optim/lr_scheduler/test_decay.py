"""Schedules that multiply a rate by a function of the epoch: their closed forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optim.schedules import (
    DECAYS,
    follow,
    group_of,
    lists,
    optimizer_of,
    rates,
    refusal,
    run,
    settings_of,
)

from tinygrad_rnn.optim.lr_scheduler import LambdaLR, LinearLR, MultiStepLR


@pytest.mark.parametrize("name", DECAYS)
@given(data=st.data(), lrs=lists)
def test_the_formula(name, data, lrs):
    follow(name, data.draw(settings_of(name)), lrs)


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
        (LinearLR, (0.16864039164875994, 0.0, 3), 0.0),  # -1e-17 in PyTorch
    ],
)
def test_at_the_ends(kind, settings, expected):
    found = run(kind(optimizer_of([1.0]), *settings), 4)
    assert expected in (found, found[3])
