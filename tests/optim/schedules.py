"""What the tests of schedules share: their settings and closed forms, and optimizers
with a rate for each group.
"""

import copy
import math
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import strategies as st

from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import DTypeError, OptionError

lists = st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=3)
factors = st.floats(0.1, 1.2)
lengths = st.integers(1, 40)


def line(epoch, base, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    share = min(epoch, total_iters) / total_iters if total_iters else 0.0
    return base * (start_factor + (end_factor - start_factor) * share)


def cosine(epoch, base, T_max, eta_min=0.0):
    return eta_min + (base - eta_min) * (1 + math.cos(math.pi * epoch / T_max)) / 2


# For each schedule the settings that it needs, those that may be left out, and the rate
# of an epoch.
TABLE = {
    "StepLR": (
        {"step_size": lengths},
        {"gamma": factors},
        lambda epoch, base, step_size, gamma=0.1: base * gamma ** (epoch // step_size),
    ),
    "ExponentialLR": (
        {"gamma": factors},
        {},
        lambda epoch, base, gamma: base * gamma**epoch,
    ),
    "MultiStepLR": (
        {"milestones": st.lists(st.integers(0, 90))},
        {"gamma": factors},
        lambda epoch, base, milestones, gamma=0.1: (
            base * gamma ** sum(at <= epoch for at in milestones)
        ),
    ),
    "LinearLR": (
        {},
        {
            "start_factor": st.floats(0.01, 1.0),
            "end_factor": st.sampled_from([0.0, 0.2, 1.0]),
            "total_iters": st.integers(0, 90),
        },
        line,
    ),
    "LambdaLR": (
        {"lr_lambda": st.sampled_from([lambda e: 0.9**e, lambda e: e % 5])},
        {},
        lambda epoch, base, lr_lambda: base * lr_lambda(epoch),
    ),
    "CosineAnnealingLR": (
        {"T_max": lengths},
        {"eta_min": st.sampled_from([0.0, 1e-3, 0.5])},
        cosine,
    ),
}
DECAYS = list(TABLE)[:-1]


def settings_of(name):
    needed, optional, _ = TABLE[name]
    return st.fixed_dictionaries(needed, optional=optional)


def group_of(lr, **options):
    return {"params": [nn.Parameter(np.ones(2))], "lr": lr, **options}


def optimizer_of(lrs=(0.1, 0.02), kind=optim.SGD):
    """An optimizer that has made a step: else a schedule's first step warns."""
    optimizer = kind([group_of(lr) for lr in lrs])
    optimizer.step()
    return optimizer


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def run(scheduler, steps, *metrics):
    """The first group's rate before each of some steps."""
    found = []
    for _ in range(steps):
        found += rates(scheduler.optimizer)[:1]
        scheduler.step(*metrics)
    return found


def follow(name, settings, lrs):
    """Compare a schedule, which makes a rate of the last one, with its closed form."""
    scheduler = getattr(optim.lr_scheduler, name)(optimizer_of(lrs), **settings)
    for epoch in range(80):
        found = rates(scheduler.optimizer)
        expected = [TABLE[name][2](epoch, base, **settings) for base in lrs]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
        assert min(found) >= 0.0
        assert (scheduler.get_last_lr(), scheduler.last_epoch) == (found, epoch)
        scheduler.step()
    scheduler.optimizer.step()  # also where the last rate is a 0 that was rounded


@contextmanager
def refusal(*schedulers, error=(DTypeError, OptionError), words="."):
    """What raises in here has to leave schedules and groups as they are."""

    def everything():
        return copy.deepcopy(
            [(s.state_dict(), s.optimizer.state_dict()) for s in schedulers]
        )

    before = everything()
    with pytest.raises(error, match=words) as caught:
        yield caught
    assert everything() == before
