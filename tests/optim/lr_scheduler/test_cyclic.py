"""Half a cosine, and one cycle: corners, ends and the momentum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optim.schedules import (
    follow,
    lists,
    optimizer_of,
    rates,
    refusal,
    run,
    settings_of,
)

from tinygrad_rnn import optim
from tinygrad_rnn.errors import OptionError
from tinygrad_rnn.optim.lr_scheduler import OneCycleLR


@given(settings_of("CosineAnnealingLR"), lists)
def test_the_formula(settings, lrs):
    follow("CosineAnnealingLR", settings, lrs)


def along(steps, ends, levels, strategy):
    """Go from level to level between the ends, straight or by half a cosine."""
    phase = np.interp(np.arange(steps), ends, np.arange(len(ends)))
    number = np.minimum(phase.astype(int), len(ends) - 2)
    share = phase - number
    if strategy == "cos":
        share = (1 - np.cos(np.pi * share)) / 2
    levels = np.array(levels)
    return levels[number] + (levels[number + 1] - levels[number]) * share


@given(
    steps=st.integers(12, 60),
    start=st.floats(0.2, 0.5),
    strategy=st.sampled_from(["cos", "linear"]),
    three=st.booleans(),
    kind=st.sampled_from([optim.SGD, optim.Adam, optim.RMSprop]),
)
def test_one_cycle(steps, start, strategy, three, kind):
    """The rate rises and falls, and the momentum goes the other way."""
    optimizer = optimizer_of([9.0, 9.0], kind)
    settings = {"pct_start": start, "anneal_strategy": strategy, "three_phase": three}
    scheduler = OneCycleLR(optimizer, [0.5, 1.0], steps, **settings)
    found, moments = [], []
    for _ in range(steps):
        found.append(rates(optimizer))
        group = optimizer.param_groups[1]
        moments.append(group["betas"][0] if "betas" in group else group["momentum"])
        scheduler.step()
    rise = start * steps
    ends = [0, rise - 1, *[2 * rise - 2][:three], steps - 1]
    expected = along(steps, ends, [0.04, 1.0, *[0.04][:three], 4e-6], strategy)
    np.testing.assert_allclose(found, np.outer(expected, [0.5, 1.0]), 1e-9)
    expected = along(steps, ends, [0.95, 0.85, 0.95, 0.95][: len(ends)], strategy)
    np.testing.assert_allclose(moments, expected, 1e-9)


def test_one_cycle_at_its_ends():
    """A rise without length begins at the top: there PyTorch divides by zero."""
    found = run(OneCycleLR(optimizer_of([1.0]), 0.5, 10, pct_start=0.1), 2)
    assert found[0] == 0.5 > found[1] > 0.4
    settings = {"epochs": 2, "steps_per_epoch": 2, "anneal_strategy": "linear"}
    scheduler = OneCycleLR(optimizer_of([1.0]), 0.5, **settings)
    run(scheduler, 4)  # one after each batch
    assert rates(scheduler.optimizer) == [0.0]
    with refusal(scheduler, words="is step 5, expected at most total_steps=4"):
        scheduler.step()


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (optim.SGD, {}, "expected total_steps, or epochs and steps_per_epoch; got Non"),
        (optim.SGD, {"epochs": 3}, "expected total_steps, or epochs and steps_per_ep"),
        (optim.SGD, {"epochs": 0, "steps_per_epoch": 9}, "epochs is 0, expected at l"),
        (optim.Adagrad, {"total_steps": 9}, "no momentum and no betas; pass cycle_mo"),
        (optim.Adam, {"total_steps": 9, "max_momentum": 1.5}, r"betas\[0\] is 1.5"),
    ],
)
def test_what_one_cycle_needs(kind, settings, words):
    optimizer = optimizer_of(kind=kind)
    before = optimizer.state_dict()
    with pytest.raises(OptionError, match=words):
        OneCycleLR(optimizer, 0.5, **settings)
    assert optimizer.state_dict() == before
    OneCycleLR(optimizer, 0.5, 9, cycle_momentum=False)
