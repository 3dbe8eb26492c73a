"""What all schedules share: steps that are all or nothing, groups, settings, states."""

import copy
import inspect
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optim.schedules import group_of, optimizer_of, rates, refusal, run

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import CheckpointError
from tinygrad_rnn.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

# For each schedule the settings of one for two groups, and those of another one.
FUNCTIONS = {"lr_lambda": [lambda e: 0.9**e, lambda e: 1 / (1 + e)]}
CYCLE = {"max_lr": [0.5, 1], "total_steps": 200, "three_phase": True}
SETTINGS = {
    StepLR: ({"step_size": 7, "gamma": 0.5}, {"step_size": 2}),
    ExponentialLR: ({"gamma": 0.97}, {"gamma": 0.1}),
    CosineAnnealingLR: ({"T_max": 11, "eta_min": 1e-3}, {"T_max": 3}),
    LinearLR: ({"start_factor": 0.1, "end_factor": 0.7, "total_iters": 30}, {}),
    LambdaLR: (FUNCTIONS, FUNCTIONS),
    MultiStepLR: ({"milestones": (9, 3, 9, 25), "gamma": 0.5}, {"milestones": []}),
    OneCycleLR: (
        {**CYCLE, "base_momentum": (0.5, 0.6)},
        {"max_lr": 3.0, "total_steps": 5},
    ),
    ReduceLROnPlateau: (
        {"mode": "max", "patience": 1, "cooldown": 2, "min_lr": (1e-3, 0.0)},
        {},
    ),
    SequentialLR: ({"milestones": [4, 20]}, {"milestones": [1, 2]}),
}
schedules = pytest.mark.parametrize("kind", SETTINGS)


def make(kind, optimizer, other=False):
    settings = dict(SETTINGS[kind][other])
    if kind is SequentialLR:
        parts = [make(part, optimizer, other) for part in (LinearLR, StepLR)]
        settings["schedulers"] = [*parts, OneCycleLR(optimizer, 1, 200)]
    return kind(optimizer, **settings)


def advance(scheduler, rng):
    metric = [rng.standard_normal()] if isinstance(scheduler, ReduceLROnPlateau) else []
    scheduler.step(*metric)


# ---------------------------------------------------------------- the order of steps


@pytest.mark.parametrize("kind", [StepLR, OneCycleLR, SequentialLR])
def test_only_a_scheduler_that_steps_before_its_optimizer_warns(kind):
    scheduler = make(kind, optim.SGD([group_of(0.1), group_of(0.1)]))
    with pytest.warns(UserWarning, match=r"before optimizer.step\(\); call") as caught:
        scheduler.step()
    assert caught[0].filename == __file__
    scheduler.step()  # once
    resumed = make(kind, optim.SGD([group_of(0.1), group_of(0.1)]))
    resumed.optimizer.load_state_dict(optimizer_of().state_dict())
    resumed.step()
    StepLR(optim.SGD([group_of(0.1, initial_lr=1.0)]), 2, last_epoch=3).step()


# ---------------------------------------------------------------- groups and changes


def test_schedulers_work_together_and_go_on_from_a_rate_set_by_hand():
    optimizer = optimizer_of([1.0])
    both = LinearLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, 0.9)
    for expected in [0.5, 0.75 * 0.9, 0.81, 0.729]:
        np.testing.assert_allclose(rates(optimizer), [expected])
        for scheduler in both:
            scheduler.step()
    scheduler = StepLR(optimizer_of([1.0]), 2)
    scheduler.optimizer.param_groups[0]["lr"] = 0.5
    assert run(scheduler, 3) == [0.5, 0.5, 0.05]


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize(
    ("kind", "settings", "metrics", "expected"),
    [
        (StepLR, (1, 0.5), [], [0.125, 2.0]),
        (LambdaLR, [lambda epoch: 0.5**epoch], [], [0.125, 1.0]),
        (ReduceLROnPlateau, ("min", 0.5, 0), [3.0], [0.25, 2.0]),
    ],
)
def test_a_group_that_joins_is_scheduled_too(kind, settings, metrics, expected, stops):
    """Also where the state is taken, and put back, before the next step."""
    optimizer = optimizer_of([1.0])
    scheduler = kind(optimizer, *settings)
    scheduler.step(*metrics)
    optimizer.add_param_group(group_of(8.0))
    if stops:
        scheduler.load_state_dict(scheduler.state_dict())
    run(scheduler, 2, *metrics)
    assert rates(optimizer) == expected
    assert scheduler.base_lrs == [g["initial_lr"] for g in optimizer.param_groups]
    optimizer.add_param_group(group_of(0.25, initial_lr=0.5))
    state = scheduler.state_dict()
    assert (state["base_lrs"][2:], state["_last_lr"][2:]) == ([0.5], [0.25])
    assert not scheduler.misfits(state)
    assert len(scheduler.base_lrs) == len(scheduler.get_last_lr()) == 2  # a copy grew


def test_a_custom_schedule():
    """It names the rules of its settings, whatever these are called, and its rates."""

    class Halves(LRScheduler):
        rules = {"times": (tg.errors.check_integers, 1)}

        def __init__(self, optimizer, times, min_lr=None):
            self.times, self.min_lr = times, min_lr
            super().__init__(optimizer)

        def lrs_at(self, epoch):
            return [base * 0.5 ** min(epoch, self.times) for base in self.base_lrs]

    scheduler = Halves(optimizer_of([1.0]), 2)
    assert run(scheduler, 3) == [1.0, 0.5, 0.25]
    scheduler.load_state_dict(scheduler.state_dict())
    assert rates(scheduler.optimizer) == scheduler.get_last_lr() == [0.25]
    with refusal(words=r"optim.lr_scheduler.Halves: times is 0, ex"):
        Halves(optimizer_of(), 0)


@pytest.mark.parametrize(
    ("kind", "settings", "expected"),
    [
        (LambdaLR, [lambda epoch: 0.5**epoch], 0.125),
        (ExponentialLR, [0.5], 0.125),
        (CosineAnnealingLR, [9], 0.125),
        (LinearLR, [0.5], 0.125),
        (StepLR, [3, 0.5], 0.0625),
    ],
)
def test_it_may_start_where_another_run_stopped(kind, settings, expected):
    optimizer = optim.SGD([group_of(0.125, initial_lr=1.0)])
    assert kind(optimizer, *settings, last_epoch=2).get_last_lr() == [expected]
    with refusal(words=r"initial_lr\[0\] is None, expected a number"):
        kind(optimizer_of([0.1]), *settings, last_epoch=2)


# ---------------------------------------------------------------- saving and loading


@schedules
@given(stop=st.integers(0, 40))
def test_it_goes_on_from_a_state_as_if_it_had_not_stopped(kind, stop):
    """Settings come from the state, a copy, through text; the functions do not."""
    scheduler, rng = make(kind, optimizer_of()), np.random.default_rng(stop)
    for _ in range(stop):
        advance(scheduler, rng)
    states = scheduler.state_dict(), scheduler.optimizer.state_dict()
    text = json.dumps(states)
    loaded = json.loads(text)
    again, twin = make(kind, optimizer_of([9, 9]), other=True), copy.deepcopy(rng)
    advance(again, np.random.default_rng(0))
    again.load_state_dict(loaded[0])
    again.optimizer.load_state_dict(loaded[1])
    for value in scheduler.state_dict().values():
        if isinstance(value, list):
            value.clear()
    for _ in range(60):
        assert rates(again.optimizer) == rates(scheduler.optimizer)
        assert again.get_last_lr() == scheduler.get_last_lr()
        assert json.dumps(again.state_dict()) == json.dumps(scheduler.state_dict())
        advance(scheduler, rng)
        advance(again, twin)
        again.get_last_lr().clear()
    assert json.dumps(states) == json.dumps(loaded) == text


def test_rates_are_floats_states_are_plain_and_shown():
    scheduler = ExponentialLR(optimizer_of([np.float32(0.5)]), 0.5)
    scheduler.step()
    for rate in (*rates(scheduler.optimizer), *scheduler.base_lrs):
        assert type(rate) is float
    json.dumps(MultiStepLR(optimizer_of(), np.arange(3)).state_dict())
    json.dumps(OneCycleLR(optimizer_of(), 0.5, np.int64(9)).state_dict())
    settings = "gamma=0.5, last_epoch=1, base_lrs=[0.5]"
    assert repr(scheduler) == f"ExponentialLR({settings}, lr=[0.25])"


# ---------------------------------------------------------------- what is wrong

# For each setting, and each key of a state, a value just out of its range.
WRONG = {
    **dict.fromkeys(("gamma", "eta_min", "threshold", "eps"), -1e-9),
    **dict.fromkeys(("pct_start", "end_factor"), 1.0 + 1e-9),
    **dict.fromkeys(("start_factor", "div_factor", "final_div_factor"), 0.0),
    **dict.fromkeys(("step_size", "T_max", "total_steps"), 0),
    **dict.fromkeys(("total_iters", "patience", "cooldown"), -1),
    **dict.fromkeys(("num_bad_epochs", "cooldown_counter"), -1),
    **dict.fromkeys(("max_lr", "min_lr", "base_lrs", "_last_lr"), [0.1]),
    **dict.fromkeys(("base_momentum", "max_momentum"), [0.9, math.nan]),
    **dict.fromkeys(("mode", "threshold_mode", "anneal_strategy", "best"), "x"),
    **dict.fromkeys(("cycle_momentum", "three_phase"), 1),
    **dict.fromkeys(("schedulers", "_schedulers"), []),
    "factor": 1.0,
    "last_epoch": -2,
    "milestones": [1, -2],
    "lr_lambda": [len],
}


@schedules
def test_wrong_settings_change_nothing(kind):
    """They are named, as is the schedule."""
    good, start = make(kind, optimizer_of()), f"optim.lr_scheduler.{kind.__name__}: "
    parts = {"schedulers": getattr(good, "schedulers", None)}
    parameters = inspect.signature(kind).parameters
    settings = {**SETTINGS[kind][0], **(parts if "schedulers" in parameters else {})}
    for setting in WRONG.keys() & parameters.keys():
        for value in (WRONG[setting], object()):
            with refusal(good) as caught:
                kind(good.optimizer, **{**settings, setting: value})
            message = str(caught.value)
            assert message.startswith(start)
            assert setting.removesuffix("s") in message.removeprefix(start)
    with refusal(words=f"{kind.__name__}: .*optim"):
        kind(3, **settings)


@schedules
def test_a_state_that_does_not_fit_changes_nothing(kind):
    scheduler = make(kind, optimizer_of())
    advance(scheduler, np.random.default_rng(0))
    state = scheduler.state_dict()
    states = [
        {},
        None,
        3,
        [1],
        {**state, "more": 1},
        {**state, "base_lrs": [math.nan] * 2},
    ]
    states += [StepLR(optimizer_of([1.0]), 1).state_dict()]
    for key in state:
        states += [{k: v for k, v in state.items() if k != key}]
        states += [{**state, key: value} for value in (WRONG[key], object())]
    words = r"lr_sch.*load_state_dict: nothing"
    for wrong in states:
        with refusal(scheduler, error=CheckpointError, words=words):
            scheduler.load_state_dict(wrong)


@schedules
@pytest.mark.parametrize("rate", [None, -1.0])
def test_a_wrong_rate_found_changes_nothing(kind, rate):
    scheduler = make(kind, optimizer_of())
    scheduler.optimizer.param_groups[1]["lr"] = rate
    if kind in (LambdaLR, OneCycleLR):  # these make their rates anew
        return scheduler.step()
    with refusal(scheduler, words=rf"optim.lr_scheduler.*: lr\[1\] is {rate}"):
        advance(scheduler, np.random.default_rng(0))


def test_a_step_that_fails_half_way_changes_nothing():
    class Fails(LRScheduler):
        def lrs_at(self, epoch):
            self.reached = epoch
            return [base / (1 - epoch) for base in self.base_lrs]

    scheduler = Fails(optimizer_of())
    with refusal(scheduler, error=ZeroDivisionError):
        scheduler.step()


def test_a_rate_that_overflows_changes_nothing():
    scheduler = ExponentialLR(optimizer_of(), 1e200)
    scheduler.step()
    with refusal(scheduler, words=r"ExponentialLR: lr\[0\] is inf"):
        scheduler.step()
