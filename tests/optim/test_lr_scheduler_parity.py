"""The schedulers against PyTorch's: the same rates for hundreds of epochs, resumed ones
too.
"""

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
        "total_iters": st.integers(0, 90),
    },
    "MultiStepLR": {
        "milestones": st.lists(st.integers(0, EPOCHS), min_size=1, max_size=6),
        "gamma": factors,
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
    expected, found = (
        [group["lr"] for group in optimizer.param_groups] for optimizer in pair
    )
    # Their 0 may be -1e-17
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    assert scheduled[1].get_last_lr() == found
    assert scheduled[1].last_epoch == scheduled[0].last_epoch


def resumed(pair, scheduled, **settings):
    """Ours again, made anew and loaded from text."""
    states = json.dumps([scheduled[1].state_dict(), pair[1].state_dict()])
    fresh = optim.SGD(
        [{"params": [nn.Parameter(np.ones(1))]} for _ in pair[1].param_groups]
    )
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
            other = {"milestones": [2]} if name == "MultiStepLR" else other
            # Loaded settings replace these
            pair, scheduled = resumed(pair, scheduled, **other)
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


@given(
    lrs=lists,
    last=st.sampled_from([-1, 5]),
    several=st.booleans(),
    stop=st.integers(0, 40),
)
def test_lambda(torch, lrs, last, several, stop):
    functions = [lambda e: 0.95**e, lambda e: 1.0 / (1 + e), lambda e: e % 7][
        : len(lrs)
    ]
    given = functions if several else functions[0]
    pair = optimizers(
        torch, lrs, initial=[3.0 * lr for lr in lrs] if last >= 0 else None
    )
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
        settings = {
            key: data.draw(values, key) for key, values in SETTINGS[name].items()
        }
        # Below it, theirs go below 0
        settings |= {"eta_min": 0.0} if "eta_min" in settings else {}
        # To a 0 that is -1e-17 there, and that another one multiplies
        if "end_factor" in settings:
            settings["end_factor"] = max(settings["end_factor"], 0.1)
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
    lows = st.one_of(
        st.just(0.0), st.just([1e-3 * i for i in range(len(lrs))]), st.just(0.05)
    )
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
        metric = (
            trend * epoch + rng.standard_normal() if rng.random() < 0.98 else math.inf
        )
        for scheduler in scheduled:
            scheduler.step(metric)
        for key in ("best", "num_bad_epochs", "cooldown_counter"):
            assert getattr(scheduled[1], key) == getattr(scheduled[0], key)


# ---------------------------------------------------------------- one cycle

KINDS = {
    "SGD": {"momentum": 0.9},
    "Adam": {"betas": (0.8, 0.95)},
    "AdamW": {},
    "RMSprop": {"momentum": 0.5},
}
lows, highs = st.floats(0.0, 0.9), st.floats(0.5, 0.99)


def moments(optimizer):
    return [
        group.get("betas", group.get("momentum")) for group in optimizer.param_groups
    ]


def cycle_settings(data, size):
    several = lambda values: st.one_of(
        values, st.lists(values, min_size=size, max_size=size)
    )
    steps = data.draw(st.integers(3, 120), "steps")
    by_epochs = data.draw(st.booleans(), "by epochs")
    length = (
        {"epochs": steps, "steps_per_epoch": 3} if by_epochs else {"total_steps": steps}
    )
    draw = lambda name, values: (
        {name: data.draw(values, name)} if data.draw(st.booleans()) else {}
    )
    return steps * (3 if by_epochs else 1), {
        "max_lr": data.draw(several(rates)),
        **length,
        # Where a phase has no length, PyTorch divides by zero.
        **draw("pct_start", st.sampled_from([0.0, 0.234, 0.41])),
        **draw("anneal_strategy", st.sampled_from(["cos", "linear"])),
        **draw("cycle_momentum", st.booleans()),
        **draw("base_momentum", several(lows)),
        **draw("max_momentum", several(highs)),
        **draw("div_factor", st.sampled_from([1.0, 25.0])),
        **draw("final_div_factor", st.sampled_from([1.0, 1e4])),
        **draw("three_phase", st.booleans()),
    }


@given(data=st.data(), kind=st.sampled_from(list(KINDS)), size=st.integers(1, 3))
def test_one_cycle(torch, data, kind, size):
    pair = []
    for leaf, module in (
        (lambda: torch.nn.Parameter(torch.ones(1)), torch.optim),
        (lambda: nn.Parameter(np.ones(1)), optim),
    ):
        groups = [{"params": [leaf()]} for _ in range(size)]
        pair.append(getattr(module, kind)(groups, lr=0.1, **KINDS[kind]))
    steps, settings = cycle_settings(data, size)
    stop = data.draw(st.integers(0, steps - 1), "stop")
    scheduled = schedulers(torch, "OneCycleLR", pair, **settings)
    for step in range(steps):
        check(pair, scheduled)
        expected, found = map(moments, pair)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
        if step == stop:
            states = json.dumps([scheduled[1].state_dict(), pair[1].state_dict()])
            fresh = getattr(optim, kind)(
                [{"params": [nn.Parameter(np.ones(1))]} for _ in pair[1].param_groups]
            )
            again = optim.lr_scheduler.OneCycleLR(fresh, 1.0, 7)
            schedule, state = json.loads(states)
            again.load_state_dict(schedule)
            fresh.load_state_dict(state)
            pair, scheduled = (pair[0], fresh), (scheduled[0], again)
        if step < steps - 1:
            for scheduler in scheduled:
                scheduler.step()
    for scheduler in scheduled:  # one step more than the cycle has
        scheduler.step()
    expected, found = (
        [group["lr"] for group in optimizer.param_groups] for optimizer in pair
    )
    np.testing.assert_allclose(found, np.maximum(expected, 0.0), rtol=1e-12, atol=1e-15)
    for scheduler in scheduled:
        with pytest.raises(ValueError, match="total"):
            scheduler.step()


def test_one_cycle_goes_on_where_another_run_stopped(torch):
    settings = {"max_lr": 0.5, "total_steps": 50}
    pair = optimizers(torch, [0.1, 0.2])
    scheduled = schedulers(torch, "OneCycleLR", pair, **settings)
    for _ in range(20):
        for scheduler in scheduled:
            scheduler.step()
    again = schedulers(torch, "OneCycleLR", pair, **settings, last_epoch=20)
    for _ in range(20):
        check(pair, again)
        for scheduler in again:
            scheduler.step()


# ---------------------------------------------------------------- one after the other


@given(data=st.data(), lrs=lists, stop=st.integers(0, 99))
def test_sequential(torch, data, lrs, stop):
    kinds = data.draw(
        st.lists(st.sampled_from([*SETTINGS, "LambdaLR"]), min_size=1, max_size=4)
    )
    # Of one epoch each at least: PyTorch steps a schedule that never began.
    gaps = data.draw(
        st.lists(st.integers(1, 40), min_size=len(kinds) - 1, max_size=len(kinds) - 1)
    )
    milestones = np.cumsum(gaps).tolist()
    parts = []
    for kind in kinds:
        values = SETTINGS.get(kind, {"lr_lambda": st.just(lambda epoch: 0.9**epoch)})
        parts.append({key: data.draw(value, key) for key, value in values.items()})
        parts[-1] |= {"eta_min": 0.0} if "eta_min" in parts[-1] else {}
        if parts[-1].get("total_iters") == 0:  # there PyTorch divides by zero
            parts[-1]["total_iters"] = 1

    def make(module, optimizer):
        pieces = [
            getattr(module, k)(optimizer, **s)
            for k, s in zip(kinds, parts, strict=True)
        ]
        return module.SequentialLR(optimizer, pieces, milestones)

    modules = torch.optim.lr_scheduler, optim.lr_scheduler
    pair = optimizers(torch, lrs)
    scheduled = [
        make(module, optimizer) for module, optimizer in zip(modules, pair, strict=True)
    ]
    for optimizer in pair:
        optimizer.step()
    for epoch in range(100):
        check(pair, scheduled)
        if epoch == stop:
            states = json.dumps([scheduled[1].state_dict(), pair[1].state_dict()])
            fresh = optim.SGD([{"params": [nn.Parameter(np.ones(1))]} for _ in lrs])
            again = make(optim.lr_scheduler, fresh)
            schedule, state = json.loads(states)
            again.load_state_dict(schedule)
            fresh.load_state_dict(state)
            pair, scheduled = (pair[0], fresh), (scheduled[0], again)
        for scheduler in scheduled:
            scheduler.step()


def test_a_warmup_and_then_one_cycle(torch):
    def make(module, optimizer):
        pieces = [
            module.LinearLR(optimizer, 0.1),
            module.OneCycleLR(optimizer, 0.5, 30),
        ]
        return module.SequentialLR(optimizer, pieces, [10])

    modules = torch.optim.lr_scheduler, optim.lr_scheduler
    pair = optimizers(torch, [0.1, 0.2])
    scheduled = [
        make(module, optimizer) for module, optimizer in zip(modules, pair, strict=True)
    ]
    for optimizer in pair:
        optimizer.step()
    for _ in range(40):
        check(pair, scheduled)
        np.testing.assert_allclose(moments(pair[1]), moments(pair[0]), rtol=1e-12)
        for scheduler in scheduled:
            scheduler.step()


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


NAMES = [*SETTINGS, "LambdaLR", "ReduceLROnPlateau", "OneCycleLR", "SequentialLR"]


@pytest.mark.parametrize("name", NAMES)
def test_names_order_and_defaults_are_pytorchs(torch, name):
    import inspect

    modules = torch.optim.lr_scheduler, optim.lr_scheduler
    expected, found = (inspect.signature(getattr(m, name)).parameters for m in modules)
    assert list(found) == list(expected)
    for key, value in expected.items():
        assert found[key].default == value.default
