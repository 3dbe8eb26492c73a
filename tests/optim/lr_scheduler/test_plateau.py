"""ReduceLROnPlateau: what is better, what is counted, and metrics that are wrong."""

import math

import numpy as np
import pytest
from optim.schedules import optimizer_of, rates, refusal, run

import tinygrad_rnn as tg
from tinygrad_rnn.optim.lr_scheduler import ReduceLROnPlateau


def test_plateau():
    settings = {"factor": 0.5, "patience": 2, "cooldown": 1, "min_lr": [0.0, 0.05]}
    scheduler = ReduceLROnPlateau(optimizer_of([1.0, 0.1]), **settings)
    found = []
    for loss in [3, 2, 2, 2, 2, 9.0, 2, 2, 2, 1, tg.tensor(1.5), np.float32(1.5)]:
        scheduler.step(loss)
        found.append(rates(scheduler.optimizer)[0])
    # After the third loss that is no better it is halved, and one epoch does not count.
    assert found == [1.0] * 4 + [0.5] * 4 + [0.25] * 4
    assert rates(scheduler.optimizer) == scheduler.get_last_lr() == [0.25, 0.05]
    assert (scheduler.best, scheduler.last_epoch) == (1.0, 12)


@pytest.mark.parametrize("cooldown", [0, 3])
def test_it_counts_anew(cooldown):
    """Every patience + 1 bad epochs; those of a cooldown do not count."""
    settings = {"factor": 0.5, "patience": 1, "cooldown": cooldown}
    scheduler = ReduceLROnPlateau(optimizer_of([1.0]), **settings)
    expected = [1.0] * 3 + [0.5 ** (1 + i // (2 + cooldown)) for i in range(9)]
    assert run(scheduler, 12, 1.0) == expected


@pytest.mark.parametrize(
    ("mode", "threshold_mode", "metrics", "reduced"),
    [
        ("min", "rel", [2.0, 1.9999], True),
        ("min", "rel", [2.0, 1.9997], False),
        ("min", "rel", [-2.0, -1.9999], False),  # relative to what is negative
        ("max", "rel", [2.0, 2.0001], True),
        ("max", "rel", [2.0, 2.0003], False),
        ("min", "abs", [2.0, 1.99995], True),
        ("min", "abs", [2.0, 1.99985], False),
        ("max", "abs", [2.0, 2.00005], True),
        ("max", "abs", [2.0, 2.00015], False),
        ("min", "rel", [math.inf, 5.0], True),  # no better than before the first
        ("min", "rel", [5.0, math.inf], True),
    ],
)
@pytest.mark.parametrize("eps", [1e-8, 0.45])  # a fall by no more is left out
def test_what_is_better(mode, threshold_mode, metrics, reduced, eps):
    settings = {"patience": 0, "threshold_mode": threshold_mode, "eps": eps}
    scheduler = ReduceLROnPlateau(optimizer_of([0.5]), mode, **settings)
    for metric in metrics:
        scheduler.step(metric)
    assert (rates(scheduler.optimizer) == [0.05]) == (reduced and eps < 0.45)


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        (None, "Plateau.step: metrics is NoneType, expected a number"),
        (tg.tensor(math.nan), "step: metrics is nan"),
        ("0.5", "step: metrics is str"),
        (tg.ones(2), "one element"),
    ],
)
def test_wrong_metrics_change_nothing(metrics, words):
    scheduler = ReduceLROnPlateau(optimizer_of(), patience=0)
    scheduler.step(1.0)
    with refusal(scheduler, error=(TypeError, ValueError), words=words):
        scheduler.step(metrics)
