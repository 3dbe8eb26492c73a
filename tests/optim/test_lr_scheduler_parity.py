"""The schedulers against PyTorch's: the same rates for hundreds of epochs, resumed ones too."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn import nn, optim

pytestmark = pytest.mark.parity

EPOCHS = 300
factors = st.floats(0.1, 1.5)
rates = st.floats(1e-4, 1.0)
SETTINGS = {
    "StepLR": {"step_size": st.integers(1, 40), "gamma": factors},
    "ExponentialLR": {"gamma": st.floats(0.9, 1.01)},
    "CosineAnnealingLR": {
        "T_max": st.integers(1, 70),
        "eta_min": st.sampled_from([0.0, 1e-3, 0.5]),
    },
    "LinearLR": {
        "start_factor": st.floats(1e-3, 1.0),
        "end_factor": st.sampled_from([0.0, 0.2, 1.0]),
        "total_iters": st.integers(1, 90),
    },
}


@pytest.fixture(scope="module")
def torch():
    import torch

    torch.set_num_threads(1)
    return torch


def optimizers(torch, lrs, initial=None):
    """Theirs and ours, with a group for each rate."""
    both = []
    for leaf, sgd in (
        (lambda: torch.nn.Parameter(torch.ones(1)), torch.optim.SGD),
        (lambda: nn.Parameter(np.ones(1)), optim.SGD),
    ):
        groups = [{"params": [leaf()], "lr": lr} for lr in lrs]
        for group, base in zip(groups, initial or [], strict=bool(initial)):
            group["initial_lr"] = base
        both.append(sgd(groups, lr=0.1))
    return both


def schedulers(torch, name, pair, **settings):
    modules = torch.optim.lr_scheduler, optim.lr_scheduler
    both = zip(modules, pair, strict=True)
    made = [getattr(module, name)(optimizer, **settings) for module, optimizer in both]
    for optimizer in pair:
        optimizer.step()  # theirs warns when a scheduler steps before its optimizer has
    return made


def check(pair, scheduled):
    expected, found = ([group["lr"] for group in optimizer.param_groups] for optimizer in pair)
    np.testing.assert_allclose(
        found, expected, rtol=1e-12, atol=1e-12
    )  # their 0 may be -1e-17, and grow
    assert scheduled[1].get_last_lr() == found
    assert scheduled[1].last_epoch == scheduled[0].last_epoch


def resumed(pair, scheduled, **settings):
    """Ours again, made anew and loaded from text."""
    states = json.dumps([scheduled[1].state_dict(), pair[1].state_dict()])
    fresh = optim.SGD([{"params": [nn.Parameter(np.ones(1))]} for _ in pair[1].param_groups])
    again = type(scheduled[1])(fresh, **settings)
    schedule, state = json.loads(states)
    again.load_state_dict(schedule)
    fresh.load_state_dict(state)
    return (pair[0], fresh), (scheduled[0], again)


names = st.sampled_from(list(SETTINGS))
lists = st.lists(rates, min_size=1, max_size=3)


@given(data=st.data(), name=names, lrs=lists, stop=st.integers(0, EPOCHS))
def test_hundreds_of_epochs_with_a_stop_between(torch, data, name, lrs, stop):
    settings = {key: data.draw(values, key) for key, values in SETTINGS[name].items()}
    if name not in ("ExponentialLR", "CosineAnnealingLR") and data.draw(st.booleans()):
        settings.popitem()
    pair = optimizers(torch, lrs)
    scheduled = schedulers(torch, name, pair, **settings)
    for epoch in range(EPOCHS):
        check(pair, scheduled)
        if epoch == stop:
            other = {"step_size": 7} if name == "StepLR" else {}
            other = {"gamma": 0.5} if name == "ExponentialLR" else other
            other = {"T_max": 3} if name == "CosineAnnealingLR" else other
            pair, scheduled = resumed(pair, scheduled, **other)  # loaded settings replace these
        for scheduler in scheduled:
            scheduler.step()
    check(pair, scheduled)


@given(data=st.data(), name=names, lrs=lists, last=st.integers(0, 60))
def test_made_for_an_optimizer_that_was_scheduled_before(torch, data, name, lrs, last):
    settings = {key: data.draw(values, key) for key, values in SETTINGS[name].items()}
    settings |= {"eta_min": 0.0} if "eta_min" in settings else {}
    pair = optimizers(torch, lrs, initial=[2.0 * lr for lr in lrs])
    scheduled = schedulers(torch, name, pair, **settings, last_epoch=last)
    for _ in range(100):
        check(pair, scheduled)
        for scheduler in scheduled:
            scheduler.step()


@given(lrs=lists, last=st.sampled_from([-1, 5]), several=st.booleans(), stop=st.integers(0, 40))
def test_lambda(torch, lrs, last, several, stop):
    functions = [lambda e: 0.95**e, lambda e: 1.0 / (1 + e), lambda e: e % 7][: len(lrs)]
    given = functions if several else functions[0]
    pair = optimizers(torch, lrs, initial=[3.0 * lr for lr in lrs] if last >= 0 else None)
    scheduled = schedulers(torch, "LambdaLR", pair, lr_lambda=given, last_epoch=last)
    for epoch in range(200):
        check(pair, scheduled)
        if epoch == stop:
            pair, scheduled = resumed(pair, scheduled, lr_lambda=given)
        for scheduler in scheduled:
            scheduler.step()


@given(data=st.data(), lrs=lists)
def test_several_at_once_a_change_by_hand_and_a_group_that_joins(torch, data, lrs):
    pair = optimizers(torch, lrs)
    sets = []
    for name in data.draw(st.lists(names, min_size=2, max_size=3)):
        settings = {key: data.draw(values, key) for key, values in SETTINGS[name].items()}
        settings |= {"eta_min": 0.0} if "eta_min" in settings else {}  # below it, theirs go below 0
        sets.append(schedulers(torch, name, pair, **settings))
    changed, joined = data.draw(st.integers(0, 50)), data.draw(st.integers(0, 50))
    late = all(type(ours).__name__ != "CosineAnnealingLR" for _, ours in sets)
    for epoch in range(80):
        for scheduled in sets:
            for scheduler in scheduled:
                scheduler.step()
        check(pair, sets[-1])
        for optimizer in pair:
            if epoch == changed:
                optimizer.param_groups[0]["lr"] *= 0.5
            if epoch == joined and late:
                leaf = torch.nn.Parameter(torch.ones(1))
                leaf = nn.Parameter(np.ones(1)) if optimizer is pair[1] else leaf
                optimizer.add_param_group({"params": [leaf], "lr": 0.7})


@given(data=st.data(), lrs=lists, stop=st.integers(0, EPOCHS))
def test_plateau(torch, data, lrs, stop):
    lows = st.one_of(st.just(0.0), st.just([1e-3 * i for i in range(len(lrs))]), st.just(0.05))
    settings = {
        "mode": data.draw(st.sampled_from(["min", "max"])),
        "factor": data.draw(st.sampled_from([0.1, 0.5, 0.9, 0.0])),
        "patience": data.draw(st.integers(0, 5)),
        "threshold": data.draw(st.sampled_from([0.0, 1e-4, 0.1, 1.0])),
        "threshold_mode": data.draw(st.sampled_from(["rel", "abs"])),
        "cooldown": data.draw(st.integers(0, 4)),
        "min_lr": data.draw(lows),
        "eps": data.draw(st.sampled_from([1e-8, 1e-2])),
    }
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    trend = data.draw(st.sampled_from([-0.01, 0.0, 0.01]))
    pair = optimizers(torch, lrs)
    scheduled = schedulers(torch, "ReduceLROnPlateau", pair, **settings)
    for epoch in range(EPOCHS):
        check(pair, scheduled)
        if epoch == stop:
            pair, scheduled = resumed(pair, scheduled)
        metric = trend * epoch + rng.standard_normal() if rng.random() < 0.98 else math.inf
        for scheduler in scheduled:
            scheduler.step(metric)
        for key in ("best", "num_bad_epochs", "cooldown_counter"):
            assert getattr(scheduled[1], key) == getattr(scheduled[0], key)


@pytest.mark.parametrize("name", [*SETTINGS, "LambdaLR", "ReduceLROnPlateau"])
def test_names_order_and_defaults_are_pytorchs(torch, name):
    import inspect

    modules = torch.optim.lr_scheduler, optim.lr_scheduler
    expected, found = (inspect.signature(getattr(m, name)).parameters for m in modules)
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key].default == value.default
