"""What the tests of schedules share: optimizers with a rate for each group."""

import copy
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import strategies as st

from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import DTypeError, OptionError

lists = st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=3)
factors = st.floats(0.1, 1.2)


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


def follow(kind, settings, formula, lrs):
    """Compare a schedule, which makes a rate of the last one, with its closed form."""
    scheduler = kind(optimizer_of(lrs), **settings)
    for epoch in range(60):
        found = rates(scheduler.optimizer)
        expected = [formula(epoch, base, **settings) for base in lrs]
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
