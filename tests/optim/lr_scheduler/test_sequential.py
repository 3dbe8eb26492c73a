"""SequentialLR: one schedule after the other."""

import math

import numpy as np
import pytest
from optim.schedules import group_of, optimizer_of, rates, refusal, run

from tinygrad_rnn.optim.lr_scheduler import (
    ExponentialLR,
    LambdaLR,
    LinearLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)


def inner(o):
    return SequentialLR(o, [LinearLR(o, 0.5), StepLR(o, 1)], [2])


@pytest.mark.parametrize(
    ("make", "milestone", "expected"),
    [
        (
            lambda o: [LinearLR(o, 0.5, total_iters=2), ExponentialLR(o, 0.5)],
            3,
            [0.5, 0.75, 1.0, 1.0, 0.5, 0.25],
        ),
        # A sequence in a sequence: PyTorch's is one early, or raises.
        (lambda o: [StepLR(o, 1, 0.5), inner(o)], 2, [1, 0.5, 0.5, 0.6, 1, 0.1, 0.01]),
        (lambda o: [inner(o), StepLR(o, 1, 0.5)], 4, [0.5, 0.6, 1, 0.1, 1, 0.5]),
    ],
)
def test_one_after_the_other(make, milestone, expected):
    optimizer = optimizer_of([1.0])
    scheduler = SequentialLR(optimizer, make(optimizer), [milestone])
    np.testing.assert_allclose(run(scheduler, len(expected)), expected)
    assert scheduler.get_last_lr() == rates(optimizer)
    assert scheduler.last_epoch == len(expected)


def test_it_takes_in_a_group_that_joins():
    optimizer = optimizer_of([1.0])
    parts = [StepLR(optimizer, 9), LinearLR(optimizer, 0.5), StepLR(optimizer, 1, 0.5)]
    scheduler = SequentialLR(optimizer, parts, [1, 2])
    optimizer.add_param_group(group_of(8.0))
    for expected in ([0.5, 4.0], [1.0, 8.0], [0.5, 4.0]):
        scheduler.step()
        assert rates(optimizer) == expected
    assert not scheduler.misfits(scheduler.state_dict())


def test_schedulers_that_cannot_follow_each_other():
    optimizer = optimizer_of()
    one, two = StepLR(optimizer, 3), StepLR(optimizer, 3)
    other, plateau = StepLR(optimizer_of(), 3), ReduceLROnPlateau(optimizer)
    for schedulers, milestones, words in (
        ([one, two], [], "got 2 schedulers and 0 milestones, expected one milestone"),
        ([one], [3], "got 1 schedulers and 1 milestones"),
        ([one, one], [3], "scheduler 1 is given twice"),
        ([one, other], [3], "scheduler 1 was made for another optimizer"),
        ([one, two], [-3], "milestones.0. is -3"),
        ([one, plateau], [3], "scheduler 1 is a ReduceLROnPlateau, its step.. needs"),
    ):
        with refusal(one, two, words=f"SequentialLR: {words}"):
            SequentialLR(optimizer, schedulers, milestones)


def test_a_part_that_fails_changes_nothing():
    optimizer, factor = optimizer_of([1.0]), [0.5]
    parts = [StepLR(optimizer, 1), LambdaLR(optimizer, lambda epoch: factor[0])]
    scheduler = SequentialLR(optimizer, parts, [2])
    scheduler.step()
    factor[0] = math.nan
    with refusal(scheduler, words="lr_lambda.0..0. is nan"):
        scheduler.step()
    factor[0] = 0.5
    scheduler.step()
    assert rates(optimizer) == [0.5]
