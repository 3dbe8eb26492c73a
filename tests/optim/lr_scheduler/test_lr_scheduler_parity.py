"""The schedules against PyTorch's: the same rates for hundreds of epochs."""

import inspect
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optim.schedules import TABLE, lists, settings_of
from optim.training import seeds

from tinygrad_rnn import nn, optim

pytestmark = pytest.mark.parity

EPOCHS = 150
PLATEAU = {
    "mode": st.sampled_from(["min", "max"]),
    "factor": st.sampled_from([0.1, 0.5, 0.9, 0.0]),
    "patience": st.integers(0, 5),
    "threshold": st.sampled_from([0.0, 1e-4, 0.1, 1.0]),
    "threshold_mode": st.sampled_from(["rel", "abs"]),
    "cooldown": st.integers(0, 4),
    "min_lr": st.sampled_from([0.0, 0.05]),
    "eps": st.sampled_from([1e-8, 1e-2]),
}
lows, highs = st.floats(0.0, 0.9), st.floats(0.5, 0.99)
CYCLE = {
    "max_lr": st.floats(1e-4, 1.0),
    # Where a phase has no length, PyTorch divides by zero.
    "pct_start": st.sampled_from([0.0, 0.234, 0.41]),
    "anneal_strategy": st.sampled_from(["cos", "linear"]),
    "cycle_momentum": st.booleans(),
    "base_momentum": lows | st.lists(lows, min_size=2, max_size=2),
    "max_momentum": highs | st.lists(highs, min_size=2, max_size=2),
    "div_factor": st.sampled_from([1.0, 25.0]),
    "final_div_factor": st.sampled_from([1.0, 1e4]),
    "three_phase": st.booleans(),
}


@pytest.fixture(scope="module")
def torch():
    import torch

    torch.set_num_threads(1)
    return torch


def optimizers(torch, groups, kind="SGD", **options):
    """Theirs and ours, with a group for each dict."""
    pair = []
    for module, leaf in ((torch.optim, torch.ones(1)), (optim, np.ones(1))):
        parameter = torch.nn.Parameter if module is torch.optim else nn.Parameter
        made = [{"params": [parameter(leaf + i)], **g} for i, g in enumerate(groups)]
        pair.append(getattr(module, kind)(made, lr=0.1, **options))
    return pair


def schedulers(torch, pair, *names, starts=(), **settings):
    """Theirs and ours; of several names a SequentialLR, with settings by name."""
    made = []
    modules = torch.optim.lr_scheduler, optim.lr_scheduler
    for module, optimizer in zip(modules, pair, strict=True):
        if starts:
            parts = [getattr(module, n)(optimizer, **settings[n]) for n in names]
            made.append(module.SequentialLR(optimizer, parts, starts))
        else:
            made.append(getattr(module, names[0])(optimizer, **settings))
        optimizer.step()  # theirs warns of a schedule that steps before its optimizer
    return made


def check(pair, scheduled):
    for key in ("lr", "momentum", "betas"):
        expected, found = [[g.get(key) for g in o.param_groups] for o in pair]
        if found[0] is not None:  # their 0 may be -1e-17
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    assert scheduled[1].get_last_lr() == [g["lr"] for g in pair[1].param_groups]
    for key in ("last_epoch", "best", "num_bad_epochs", "cooldown_counter"):
        assert getattr(scheduled[1], key, 0) == getattr(scheduled[0], key, 0)


def follow(pair, scheduled, epochs, metrics=()):
    for epoch in range(epochs):
        check(pair, scheduled)
        for scheduler in scheduled:
            scheduler.step(*metrics[epoch : epoch + 1])
    check(pair, scheduled)


def chained(name):
    """Settings with which no rate reaches 0, where theirs may be -1e-17: others, and a
    run that goes on, would go on from it.
    """
    return settings_of(name).filter(
        lambda s: (
            not s.get("eta_min") and s.get("end_factor", 1) and s.get("total_iters", 1)
        )
    )


@pytest.mark.parametrize("name", TABLE)
@given(data=st.data(), lrs=lists)
def test_hundreds_of_epochs(torch, name, data, lrs):
    pair = optimizers(torch, [{"lr": lr} for lr in lrs])
    follow(pair, schedulers(torch, pair, name, **data.draw(settings_of(name))), EPOCHS)


@given(settings=st.fixed_dictionaries({}, optional=PLATEAU), lrs=lists, seed=seeds)
def test_plateau(torch, settings, lrs, seed):
    pair = optimizers(torch, [{"lr": lr} for lr in lrs])
    metrics = [*np.random.default_rng(seed).normal(size=EPOCHS - 1), math.inf]
    scheduled = schedulers(torch, pair, "ReduceLROnPlateau", **settings)
    follow(pair, scheduled, EPOCHS, metrics)


@pytest.mark.parametrize("name", TABLE)
@given(data=st.data(), lrs=lists, last=st.integers(0, 60))
def test_made_for_an_optimizer_that_was_scheduled_before(torch, name, data, lrs, last):
    pair = optimizers(torch, [{"lr": lr, "initial_lr": 2.0 * lr} for lr in lrs])
    settings = data.draw(chained(name))
    follow(pair, schedulers(torch, pair, name, **settings, last_epoch=last), 100)


@given(data=st.data(), lrs=lists)
def test_several_at_once_a_change_by_hand_and_a_group_that_joins(torch, data, lrs):
    pair = optimizers(torch, [{"lr": lr} for lr in lrs])
    names = data.draw(st.lists(st.sampled_from([*TABLE]), min_size=2, max_size=3))
    sets = [schedulers(torch, pair, name, **data.draw(chained(name))) for name in names]
    fixed = {"CosineAnnealingLR", "LambdaLR"}  # theirs know the first groups only
    changed, joined = data.draw(st.integers(0, 50)), data.draw(st.integers(0, 50))
    for epoch in range(80):
        for scheduled in sets:
            for scheduler in scheduled:
                scheduler.step()
        check(pair, sets[-1])
        for optimizer, one in zip(
            pair, (torch.ones(1), nn.Parameter(np.ones(1))), strict=True
        ):
            if epoch == changed:
                optimizer.param_groups[0]["lr"] *= 0.5
            if epoch == joined and not fixed & set(names):
                optimizer.add_param_group({"params": [one], "lr": 0.7})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("SGD", {"momentum": 0.9}),
        ("Adam", {"betas": (0.8, 0.95)}),
        ("AdamW", {}),
        ("RMSprop", {"momentum": 0.5}),
    ],
)
@given(data=st.data(), steps=st.integers(3, 120), by_epochs=st.booleans())
def test_one_cycle(torch, kind, options, data, steps, by_epochs):
    pair = optimizers(torch, [{}, {}], kind, **options)
    drawn = {key: data.draw(values, key) for key, values in CYCLE.items()}
    left_out = data.draw(st.sets(st.sampled_from(sorted(CYCLE.keys() - {"max_lr"}))))
    settings = {key: value for key, value in drawn.items() if key not in left_out}
    length = (
        {"epochs": steps, "steps_per_epoch": 3} if by_epochs else {"total_steps": steps}
    )
    total = steps * (3 if by_epochs else 1)
    scheduled = schedulers(torch, pair, "OneCycleLR", **settings, **length)
    follow(pair, scheduled, total - 1)
    for scheduler in scheduled:  # one step more than the cycle has
        scheduler.step()
    expected, found = [[g["lr"] for g in o.param_groups] for o in pair]
    np.testing.assert_allclose(found, np.maximum(expected, 0.0), rtol=1e-12, atol=1e-15)
    for scheduler in scheduled:
        with pytest.raises(ValueError, match="total"):
            scheduler.step()


def test_one_cycle_goes_on_where_another_run_stopped(torch):
    settings = {"max_lr": 0.5, "total_steps": 50}
    pair = optimizers(torch, [{"lr": 0.1}, {"lr": 0.2}])
    follow(pair, schedulers(torch, pair, "OneCycleLR", **settings), 20)
    follow(pair, schedulers(torch, pair, "OneCycleLR", **settings, last_epoch=20), 20)


@given(data=st.data(), lrs=lists)
def test_sequential(torch, data, lrs):
    pair = optimizers(torch, [{"lr": lr} for lr in lrs])
    others = st.sampled_from([*TABLE, "OneCycleLR"])
    names = ["LinearLR", *data.draw(st.lists(others, min_size=1, max_size=3))]
    settings = {name: data.draw(chained(name)) for name in TABLE if name in names}
    settings["OneCycleLR"] = {"max_lr": 0.5, "total_steps": 200}
    # Of one epoch each at least: PyTorch steps a schedule that never began.
    gaps = [data.draw(st.integers(1, 40)) for _ in names[1:]]
    starts = np.cumsum(gaps).tolist()
    scheduled = schedulers(torch, pair, *names, starts=starts, **settings)
    follow(pair, scheduled, EPOCHS)


def test_the_warning_of_the_wrong_order_is_theirs(torch):
    for module, leaf, scheduling in (
        (torch.optim, torch.nn.Parameter(torch.ones(1)), torch.optim.lr_scheduler),
        (optim, nn.Parameter(np.ones(1)), optim.lr_scheduler),
    ):
        optimizer = module.SGD([leaf], lr=0.1)
        scheduler = scheduling.StepLR(optimizer, 1)
        with pytest.warns(UserWarning, match=r"optimizer.step\(\)"):
            scheduler.step()
        scheduler.step()  # once
        scheduling.ReduceLROnPlateau(optimizer).step(1.0)
        optimizer.step()
        scheduling.StepLR(optimizer, 1).step()


MORE = ["ReduceLROnPlateau", "OneCycleLR", "SequentialLR"]


@pytest.mark.parametrize("name", [*TABLE, *MORE])
def test_names_order_and_defaults_are_pytorchs(torch, name):
    modules = torch.optim.lr_scheduler, optim.lr_scheduler
    expected, found = [inspect.signature(getattr(m, name)).parameters for m in modules]
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key].default == value.default
