"""Schedules: their formulas, that they go on where they stopped, and that what is wrong
changes nothing.
"""

import copy
import inspect
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import CheckpointError, DTypeError, OptionError
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


def everything(scheduler):
    """All that a call which fails has to leave alone."""
    groups = scheduler.optimizer.state_dict()["param_groups"]
    return copy.deepcopy((scheduler.state_dict(), groups))


def run(scheduler, steps, *metrics):
    """The first group's rate before each of some steps."""
    found = []
    for _ in range(steps):
        found += rates(scheduler.optimizer)[:1]
        scheduler.step(*metrics)
    return found


# ---------------------------------------------------------------- the formulas


def cosine(epoch, base, T_max, eta_min):
    return eta_min + (base - eta_min) * (1 + math.cos(math.pi * epoch / T_max)) / 2


def line(epoch, base, start_factor, end_factor, total_iters):
    share = min(epoch, total_iters) / total_iters
    return base * (start_factor + (end_factor - start_factor) * share)


# For each schedule its settings, and its rate outright; ours come from one another.
FORMULAS = {
    StepLR: (
        {"step_size": st.integers(1, 20), "gamma": factors},
        lambda epoch, base, step_size, gamma: base * gamma ** (epoch // step_size),
    ),
    ExponentialLR: ({"gamma": factors}, lambda epoch, base, gamma: base * gamma**epoch),
    MultiStepLR: (
        {"milestones": st.lists(st.integers(0, 60)), "gamma": factors},
        lambda epoch, base, milestones, gamma: (
            base * gamma ** sum(at <= epoch for at in milestones)
        ),
    ),
    CosineAnnealingLR: (
        {"T_max": st.integers(1, 25), "eta_min": st.sampled_from([0.0, 1e-3, 0.5])},
        cosine,
    ),
    LinearLR: (
        {
            "start_factor": st.floats(0.01, 1.0),
            "end_factor": st.sampled_from([0.0, 0.3, 1.0]),
            "total_iters": st.integers(1, 40),
        },
        line,
    ),
    LambdaLR: (
        {"lr_lambda": st.sampled_from([lambda e: 0.9**e, lambda e: e % 5])},
        lambda epoch, base, lr_lambda: base * lr_lambda(epoch),
    ),
}


@pytest.mark.parametrize("kind", FORMULAS)
@given(data=st.data(), lrs=lists)
def test_the_formula(kind, data, lrs):
    strategies, formula = FORMULAS[kind]
    settings = data.draw(st.fixed_dictionaries(strategies))
    optimizer = optimizer_of(lrs)
    scheduler = kind(optimizer, **settings)
    for epoch in range(60):
        found = rates(optimizer)
        expected = [formula(epoch, base, **settings) for base in lrs]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
        assert min(found) >= 0.0
        assert (scheduler.get_last_lr(), scheduler.last_epoch) == (found, epoch)
        scheduler.step()
    optimizer.step()  # also where the last rate is a 0 that was rounded


def test_a_function_for_each_group_and_milestones_in_any_iterable():
    optimizer = optimizer_of((1.0, 8.0))
    scheduler = LambdaLR(optimizer, [lambda e: 0.5**e, lambda e: 1 / (1 + e)])
    scheduler.step()
    assert rates(optimizer) == [0.5, 4.0]
    found = run(MultiStepLR(optimizer_of([1.0]), iter([3, 1, 3]), 0.5), 4)
    assert found == [1.0, 0.5, 0.5, 0.125]


def test_lines_at_their_ends():
    """In no steps it stays at its start; where PyTorch's is -1e-17, it is a 0."""
    assert run(LinearLR(optimizer_of([1.0]), 0.25, total_iters=0), 3) == [0.25] * 3
    scheduler = LinearLR(optimizer_of([1.0]), 0.16864039164875994, 0.0, 3)
    assert run(scheduler, 6)[-1] == 0.0


@given(
    steps=st.integers(12, 60),
    share=st.floats(0.2, 0.5),
    strategy=st.sampled_from(["cos", "linear"]),
    three=st.booleans(),
    kind=st.sampled_from([optim.SGD, optim.Adam, optim.RMSprop]),
)
def test_one_cycle(steps, share, strategy, three, kind):
    """Its corners, that it goes up and then down, and that the momentum goes the other
    way.
    """
    optimizer = optimizer_of([9.0, 9.0], kind)
    settings = {"pct_start": share, "anneal_strategy": strategy, "three_phase": three}
    scheduler = OneCycleLR(optimizer, [0.5, 1.0], steps, **settings)
    found, moments = [], []
    for _ in range(steps):
        found.append(rates(optimizer))
        group = optimizer.param_groups[0]
        moments.append(group["betas"][0] if "betas" in group else group["momentum"])
        scheduler.step()
    found, moments = np.array(found), np.array(moments)
    np.testing.assert_allclose(found[0], [0.02, 0.04])
    np.testing.assert_allclose(found[-1], [2e-6, 4e-6])
    np.testing.assert_allclose(found[:, 1], 2 * found[:, 0])
    assert 0.85 <= moments.min() <= moments.max() <= 0.95
    top, low = np.argmax(found[:, 0]), np.argmin(moments)
    assert abs(top - (share * steps - 1)) < 1.0
    assert abs(low - top) <= 1  # the corner itself may lie between two steps
    for values, corner in ((found[:, 0], top), (-moments, low)):
        assert (np.diff(values[: corner + 1]) >= -1e-12).all()
        assert (np.diff(values[corner:]) <= 1e-12).all()


def test_one_cycle_at_its_ends():
    """A rise without length begins at the top: there PyTorch divides by zero."""
    found = run(OneCycleLR(optimizer_of([1.0]), 0.5, 10, pct_start=0.1), 2)
    assert found[0] == 0.5
    assert 0.4 < found[1] < 0.5
    settings = {"epochs": 2, "steps_per_epoch": 2, "anneal_strategy": "linear"}
    scheduler = OneCycleLR(optimizer_of([1.0]), 0.5, **settings)
    run(scheduler, 4)  # one after each batch
    assert rates(scheduler.optimizer) == [0.0]
    before = everything(scheduler)
    with pytest.raises(OptionError, match="is step 5, expected at most total_steps=4"):
        scheduler.step()
    assert everything(scheduler) == before


def test_one_cycle_needs_a_momentum():
    optimizer = optimizer_of(kind=optim.Adagrad)
    before = optimizer.state_dict()
    with pytest.raises(OptionError, match="no momentum and no betas; pass cycle_mom"):
        OneCycleLR(optimizer, 0.5, 9)
    assert optimizer.state_dict() == before
    OneCycleLR(optimizer, 0.5, 9, cycle_momentum=False)
    with pytest.raises(OptionError, match=r"optim.Adam: betas\[0\] is 1.5"):
        OneCycleLR(optimizer_of(kind=optim.Adam), 0.5, 9, max_momentum=1.5)


# ---------------------------------------------------------------- plateaus


def test_plateau():
    optimizer = optimizer_of([1.0, 0.1])
    settings = {"factor": 0.5, "patience": 2, "cooldown": 1, "min_lr": [0.0, 0.05]}
    scheduler = ReduceLROnPlateau(optimizer, **settings)
    found = []
    for loss in [3, 2, 2, 2, 2, 9.0, 2, 2, 2, 1, tg.tensor(1.5), np.float32(1.5)]:
        scheduler.step(loss)
        found.append(optimizer.param_groups[0]["lr"])
    # After the third loss that is no better it is halved, and one epoch does not count.
    assert found == [1.0] * 4 + [0.5] * 4 + [0.25] * 4
    assert rates(optimizer) == scheduler.get_last_lr() == [0.25, 0.05]
    assert (scheduler.best, scheduler.last_epoch) == (1.0, 12)


@pytest.mark.parametrize("cooldown", [0, 3])
def test_plateau_counts_anew(cooldown):
    """Every patience + 1 bad epochs; those of a cooldown do not count."""
    settings = {"factor": 0.5, "patience": 1, "cooldown": cooldown}
    scheduler = ReduceLROnPlateau(optimizer_of([1.0]), **settings)
    expected = [1.0] * 3 + [0.5 ** (1 + i // (2 + cooldown)) for i in range(9)]
    assert run(scheduler, 12, 1.0) == expected


ABS = {"threshold": 0.5, "threshold_mode": "abs"}


@pytest.mark.parametrize(
    ("settings", "metrics", "reduced"),
    [
        ({"mode": "min"}, [1.0, 0.99995], True),
        ({"mode": "min"}, [1.0, 0.9998], False),
        ({"mode": "min"}, [-1.0, -0.99995], False),  # relative to what is negative
        ({"mode": "max"}, [1.0, 1.00005], True),
        ({"mode": "max"}, [1.0, 1.0002], False),
        ({"mode": "min", **ABS}, [3.0, 2.6], True),
        ({"mode": "min", **ABS}, [3.0, 2.4], False),
        ({"mode": "max", **ABS}, [3.0, 3.4], True),
        ({"mode": "max", **ABS}, [3.0, 3.6], False),
        ({"mode": "min"}, [math.inf, 5.0], True),  # no better than before the first
        ({"mode": "min"}, [5.0, math.inf], True),
        ({"mode": "min", "eps": 0.5}, [1.0, 1.0], False),
    ],
)
def test_what_is_better(settings, metrics, reduced):
    scheduler = ReduceLROnPlateau(optimizer_of([0.5]), patience=0, **settings)
    for metric in metrics:
        scheduler.step(metric)
    assert (rates(scheduler.optimizer) == [0.05]) == reduced


@pytest.mark.parametrize(
    ("metrics", "error", "words"),
    [
        ((), DTypeError, "Plateau.step: metrics is NoneType, expected a number"),
        ((math.nan,), OptionError, "step: metrics is nan"),
        ((tg.tensor(math.nan),), OptionError, "step: metrics is nan"),
        (("0.5",), DTypeError, "step: metrics is str"),
        ((tg.ones(2),), ValueError, "one element"),
    ],
)
def test_wrong_metrics_change_nothing(metrics, error, words):
    scheduler = ReduceLROnPlateau(optimizer_of(), patience=0)
    scheduler.step(1.0)
    before = everything(scheduler)
    with pytest.raises(error, match=words):
        scheduler.step(*metrics)
    assert everything(scheduler) == before


# ---------------------------------------------------------------- sequences


def test_one_after_the_other():
    optimizer = optimizer_of([1.0])
    parts = [LinearLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, 0.5)]
    scheduler = SequentialLR(optimizer, parts, [3])
    for epoch, rate in enumerate([0.5, 0.75, 1.0, 1.0, 0.5, 0.25]):
        np.testing.assert_allclose(rates(optimizer), [rate])
        assert scheduler.get_last_lr() == rates(optimizer)
        assert scheduler.last_epoch == epoch
        scheduler.step()


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (False, [1.0, 0.5, 0.5, 0.6, 1.0, 0.1, 0.01]),
        (True, [0.5, 0.6, 1.0, 0.1, 1.0, 0.5]),
    ],
)
def test_a_sequence_may_be_part_of_another(first, expected):
    """As if it were the schedule of its epochs; PyTorch's is one early, or raises."""
    optimizer = optimizer_of([1.0])
    parts = [LinearLR(optimizer, 0.5), StepLR(optimizer, 1)]
    both = [StepLR(optimizer, 1, 0.5), SequentialLR(optimizer, parts, [2])]
    outer = SequentialLR(optimizer, both[::-1] if first else both, [4 if first else 2])
    np.testing.assert_allclose(run(outer, len(expected)), expected)


def test_a_sequence_takes_in_a_group_that_joins():
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
    before = everything(one), everything(two)
    for schedulers, milestones, words in (
        ([one, two], [], "got 2 schedulers and 0 milestones, expected one milestone"),
        ([one], [3], "got 1 schedulers and 1 milestones"),
        ([one, one], [3], "scheduler 1 is given twice"),
        ([one, other], [3], "scheduler 1 was made for another optimizer"),
        ([one, two], [-3], "milestones.0. is -3"),
        ([one, plateau], [3], "scheduler 1 is a ReduceLROnPlateau, its step.. needs"),
    ):
        with pytest.raises(OptionError, match=f"SequentialLR: {words}"):
            SequentialLR(optimizer, schedulers, milestones)
    assert (everything(one), everything(two)) == before


def test_a_part_that_fails_changes_nothing():
    optimizer, factor = optimizer_of([1.0]), [0.5]
    parts = [StepLR(optimizer, 1), LambdaLR(optimizer, lambda epoch: factor[0])]
    scheduler = SequentialLR(optimizer, parts, [2])
    scheduler.step()
    before = everything(scheduler)
    factor[0] = math.nan
    with pytest.raises(OptionError, match="lr_lambda.0..0. is nan"):
        scheduler.step()
    assert everything(scheduler) == before
    factor[0] = 0.5
    scheduler.step()
    assert rates(optimizer) == [0.5]


# ---------------------------------------------------------------- the order of steps


@pytest.mark.parametrize(
    "make",
    [
        lambda o: StepLR(o, 1),
        lambda o: OneCycleLR(o, 0.5, 9),
        lambda o: SequentialLR(o, [LinearLR(o), StepLR(o, 1)], [1]),
    ],
)
def test_only_a_scheduler_that_steps_before_its_optimizer_warns(make):
    scheduler = make(optim.SGD([group_of(0.1)]))
    with pytest.warns(UserWarning, match=r"before optimizer.step\(\); call") as caught:
        scheduler.step()
    assert caught[0].filename == __file__
    scheduler.step()  # once

    scheduler = make(optimizer_of())
    scheduler.step()
    fresh = optim.SGD([group_of(0.1), group_of(0.1)])
    again = make(fresh)
    fresh.load_state_dict(scheduler.optimizer.state_dict())
    again.load_state_dict(scheduler.state_dict())
    again.step()
    resumed = optim.SGD([group_of(0.1, initial_lr=1.0)])
    StepLR(resumed, 2, last_epoch=3).step()
    ReduceLROnPlateau(optim.SGD([group_of(0.1)])).step(1.0)


# ---------------------------------------------------------------- groups, changes by others


def test_schedulers_work_together():
    optimizer = optimizer_of([1.0])
    both = LinearLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, 0.9)
    for expected in [0.5, 0.75 * 0.9, 0.81, 0.729]:
        np.testing.assert_allclose(rates(optimizer), [expected])
        for scheduler in both:
            scheduler.step()


def test_a_rate_changed_by_hand_is_gone_on_from():
    scheduler = StepLR(optimizer_of([1.0]), 2)
    scheduler.optimizer.param_groups[0]["lr"] = 0.5
    assert run(scheduler, 3) == [0.5, 0.5, 0.05]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda o: StepLR(o, 1, 0.5), [0.125, 2.0]),
        (lambda o: LambdaLR(o, lambda epoch: 0.5**epoch), [0.125, 1.0]),
        (lambda o: ReduceLROnPlateau(o, "min", 0.5, 0), [0.25, 2.0]),
    ],
)
def test_a_group_that_joins_is_scheduled_too(make, expected):
    """Also where the state is taken, and put back, before the next step."""
    for stops in (False, True):
        optimizer = optimizer_of([1.0])
        scheduler = make(optimizer)
        metrics = [3.0][: isinstance(scheduler, ReduceLROnPlateau)]
        scheduler.step(*metrics)
        optimizer.add_param_group(group_of(8.0))
        if stops:
            scheduler.load_state_dict(scheduler.state_dict())
        run(scheduler, 2, *metrics)
        assert rates(optimizer) == expected
        initial = [group["initial_lr"] for group in optimizer.param_groups]
        assert scheduler.base_lrs == initial
        assert not scheduler.misfits(scheduler.state_dict())


def test_the_state_has_both_rates_of_a_group_that_joined():
    scheduler = StepLR(optimizer_of([0.1]), 2)
    scheduler.optimizer.add_param_group(group_of(0.25, initial_lr=0.5))
    state = scheduler.state_dict()
    assert (state["base_lrs"], state["_last_lr"]) == ([0.1, 0.5], [0.1, 0.25])


def test_functions_for_the_groups_there_were_are_too_few():
    scheduler = LambdaLR(optimizer_of([1.0]), [lambda epoch: 0.5])
    scheduler.optimizer.add_param_group(group_of(0.1))
    before = everything(scheduler)
    with pytest.raises(OptionError, match="lr_lambda, one for each group, is 1, exp"):
        scheduler.step()
    assert everything(scheduler) == before


def test_a_custom_schedule():
    """It names the rules of its settings, whatever these are called, and its rates."""

    class Halves(LRScheduler):
        rules = {"times": (tg.errors.check_integers, 1)}

        def __init__(self, optimizer, times, min_lr=None):
            self.times, self.min_lr = times, min_lr
            super().__init__(optimizer)

        def lrs_at(self, epoch):
            rates = [base * 0.5 ** min(epoch, self.times) for base in self.base_lrs]
            return [max(rate, self.min_lr or 0.0) for rate in rates]

    for min_lr, expected in ((None, [0.25]), (0.5, [0.5])):
        scheduler = Halves(optimizer_of([1.0]), 2, min_lr)
        run(scheduler, 3)
        scheduler.load_state_dict(scheduler.state_dict())
        assert rates(scheduler.optimizer) == scheduler.get_last_lr() == expected
        assert scheduler.state_dict()["times"] == 2
    with pytest.raises(OptionError, match=r"optim.lr_scheduler.Halves: times is 0, ex"):
        Halves(optimizer_of(), 0)


def test_it_may_start_where_another_run_stopped():
    optimizer = optim.SGD([group_of(0.25, initial_lr=1.0)])
    for make, expected in (
        (lambda: LambdaLR(optimizer, lambda epoch: 0.5**epoch, 2), 0.125),
        (lambda: ExponentialLR(optimizer, 0.5, last_epoch=2), 0.125),
        (lambda: CosineAnnealingLR(optimizer, 9, last_epoch=2), 0.125),
        (lambda: LinearLR(optimizer, 0.5, last_epoch=2), 0.125),
        (lambda: StepLR(optimizer, 3, 0.5, last_epoch=2), 0.0625),
    ):
        assert make().get_last_lr() == [expected]
    with pytest.raises(DTypeError, match=r"initial_lr\[0\] is None, expected a number"):
        StepLR(optimizer_of(), 2, last_epoch=3)


# ---------------------------------------------------------------- saving and loading

# For each name a schedule of two groups, and one of the same class to load it into.
MAKERS = {
    "step": (lambda o: StepLR(o, 7, 0.5), lambda o: StepLR(o, 2)),
    "exponential": (lambda o: ExponentialLR(o, 0.97), lambda o: ExponentialLR(o, 0.1)),
    "cosine": (
        lambda o: CosineAnnealingLR(o, 11, 1e-3),
        lambda o: CosineAnnealingLR(o, 3),
    ),
    "linear": (lambda o: LinearLR(o, 0.1, 0.7, 30), LinearLR),
    "lambda": (lambda o: LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (1 + e)]),) * 2,
    "plateau": (
        lambda o: ReduceLROnPlateau(o, "max", 0.5, 1, cooldown=2, min_lr=(1e-3, 0.0)),
        ReduceLROnPlateau,
    ),
    "multistep": (
        lambda o: MultiStepLR(o, (9, 3, 9, 25), 0.5),
        lambda o: MultiStepLR(o, []),
    ),
    "cycle": (
        lambda o: OneCycleLR(
            o, [0.5, 1], 200, base_momentum=(0.5, 0.6), three_phase=True
        ),
        lambda o: OneCycleLR(o, 3.0, 5),
    ),
    "sequential": (
        lambda o: SequentialLR(
            o, [LinearLR(o), StepLR(o, 3), OneCycleLR(o, 1, 200)], [4, 20]
        ),
        lambda o: SequentialLR(
            o, [LinearLR(o), StepLR(o, 1), OneCycleLR(o, 2, 9)], [1, 2]
        ),
    ),
}


def advance(scheduler, rng):
    metric = [rng.standard_normal()] if isinstance(scheduler, ReduceLROnPlateau) else []
    scheduler.step(*metric)


@pytest.mark.parametrize(("make", "other"), MAKERS.values(), ids=MAKERS)
@given(stop=st.integers(0, 40))
def test_it_goes_on_from_a_state_as_if_it_had_not_stopped(make, other, stop):
    """Settings come from the state, through text; the functions from the new one."""
    scheduler, rng = make(optimizer_of()), np.random.default_rng(stop)
    for _ in range(stop):
        advance(scheduler, rng)
    states = scheduler.state_dict(), scheduler.optimizer.state_dict()
    state, rest = json.loads(json.dumps(states))
    again = other(optimizer_of([9.0, 9.0]))
    advance(again, np.random.default_rng(0))
    again.optimizer.load_state_dict(rest)
    again.load_state_dict(state)
    twin = copy.deepcopy(rng)
    for _ in range(60):
        assert rates(again.optimizer) == rates(scheduler.optimizer)
        assert again.get_last_lr() == scheduler.get_last_lr()
        assert json.dumps(again.state_dict()) == json.dumps(scheduler.state_dict())
        advance(scheduler, rng)
        advance(again, twin)


@pytest.mark.parametrize("name", MAKERS)
def test_a_state_is_a_copy_both_ways(name):
    make, other = MAKERS[name]
    both = make(optimizer_of()), other(optimizer_of())
    state = both[0].state_dict()
    kept = copy.deepcopy(state)
    both[1].load_state_dict(state)
    for scheduler in both:
        scheduler.optimizer.add_param_group(group_of(0.1))
        if name not in ("lambda", "plateau", "cycle"):  # these have settings for two
            advance(scheduler, np.random.default_rng(0))
            assert len(scheduler.base_lrs) == 3
        scheduler.get_last_lr().clear()
    assert state == kept


# Values that are wrong for a setting, wherever it is given, or for a key of a state.
NUMBER = [-0.1, math.nan, "x", None]
INTEGER = [-1, 1.5, None]
WRONG = {
    **dict.fromkeys(("gamma", "eta_min", "threshold", "eps"), NUMBER),
    **dict.fromkeys(("pct_start", "end_factor", "factor"), [*NUMBER, 1.5]),
    **dict.fromkeys(("start_factor", "div_factor", "final_div_factor"), [*NUMBER, 0]),
    **dict.fromkeys(("step_size", "T_max"), [*INTEGER, 0]),
    **dict.fromkeys(("total_iters", "patience", "cooldown"), INTEGER),
    **dict.fromkeys(("max_lr", "min_lr"), [-0.1, None, [0.1], [0.1, 0.1, "x"]]),
    **dict.fromkeys(("base_momentum", "max_momentum"), [-1.0, [0.9]]),
    **dict.fromkeys(("mode", "threshold_mode", "anneal_strategy"), ["x", 3, None]),
    **dict.fromkeys(("cycle_momentum", "three_phase"), [1, None]),
    "total_steps": [0, -1, 2.5],
    "last_epoch": [-2, 1.5, None],
    "milestones": [3, None, [1.5], [1, -2]],
    "lr_lambda": [3, [len], [abs, None], *[lambda e, v=v: v for v in NUMBER]],
    "schedulers": [None, [], [3]],
}
WRONG_IN_STATES = {
    **dict.fromkeys(("base_lrs", "_last_lr"), [[0.1], [math.nan, 0.1]]),
    **dict.fromkeys(("num_bad_epochs", "cooldown_counter"), INTEGER),
    "best": ["x", None],
    "_schedulers": [[], 3],
}
REQUIRED = {
    StepLR: {"step_size": 3},
    ExponentialLR: {"gamma": 0.5},
    CosineAnnealingLR: {"T_max": 3},
    LinearLR: {},
    MultiStepLR: {"milestones": [3]},
    OneCycleLR: {"max_lr": 0.1, "total_steps": 9},
    SequentialLR: {"milestones": []},
    LambdaLR: {"lr_lambda": abs},
    ReduceLROnPlateau: {},
}


@pytest.mark.parametrize("kind", REQUIRED)
def test_wrong_settings_change_nothing(kind):
    """They are named, as is the schedule."""
    optimizer, required = optimizer_of(), REQUIRED[kind].copy()
    if kind is SequentialLR:
        required["schedulers"] = [StepLR(optimizer, 1)]
    before = optimizer.state_dict()
    for setting in WRONG.keys() & inspect.signature(kind).parameters.keys():
        for value in WRONG[setting]:
            with pytest.raises((DTypeError, OptionError)) as caught:
                kind(optimizer, **{**required, setting: value})
            start, message = f"optim.lr_scheduler.{kind.__name__}: ", str(caught.value)
            assert message.startswith(start)
            assert setting.removesuffix("s") in message.removeprefix(start)
            assert optimizer.state_dict() == before
    with pytest.raises((DTypeError, OptionError), match=f"{kind.__name__}: .*optim"):
        kind(3, **required)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "expected total_steps, or epochs and steps_per_epoch; got None"),
        ({"epochs": 3}, "expected total_steps, or epochs and steps_per_epoch"),
        ({"epochs": 0, "steps_per_epoch": 9}, "epochs is 0, expected at least 1"),
    ],
)
def test_one_cycle_needs_its_steps(settings, words):
    with pytest.raises(OptionError, match=f"OneCycleLR: {words}"):
        OneCycleLR(optimizer_of(), 0.1, **settings)


@pytest.mark.parametrize("name", MAKERS)
def test_a_state_that_does_not_fit_changes_nothing(name):
    scheduler = MAKERS[name][0](optimizer_of())
    advance(scheduler, np.random.default_rng(0))
    before = everything(scheduler)
    state = before[0]
    wrong_values = {**WRONG, **WRONG_IN_STATES, "total_steps": [0]}
    states = []
    for key in state.keys() & wrong_values.keys():
        states += [{**state, key: value} for value in wrong_values[key]]
    assert len(states) >= 7
    states += [{}, None, 3, [1], {**state, "more": 1}]
    states += [{key: value for key, value in state.items() if key != "last_epoch"}]
    states += [StepLR(optimizer_of([1.0]), 1).state_dict()]
    for wrong in states:
        with pytest.raises(CheckpointError, match=r"lr_sch.*load_state_dict: nothing"):
            scheduler.load_state_dict(wrong)
        assert everything(scheduler) == before


def test_rates_are_floats_states_are_plain_and_shown():
    scheduler = ExponentialLR(optimizer_of([np.float32(0.5)]), 0.5)
    scheduler.step()
    for rate in (*rates(scheduler.optimizer), *scheduler.base_lrs):
        assert type(rate) is float
    assert json.loads(json.dumps(scheduler.state_dict())) == scheduler.state_dict()
    settings = "gamma=0.5, last_epoch=1, base_lrs=[0.5]"
    assert repr(scheduler) == f"ExponentialLR({settings}, lr=[0.25])"


# ---------------------------------------------------------------- rates that cannot be right


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("rate", [math.nan, None, -1.0])
def test_a_wrong_rate_found_changes_nothing(name, rate):
    optimizer = optimizer_of()
    scheduler = MAKERS[name][0](optimizer)
    optimizer.param_groups[1]["lr"] = rate
    before = scheduler.state_dict()
    if name in ("lambda", "cycle"):  # these make their rates anew
        scheduler.step()
        assert rates(optimizer) == scheduler.get_last_lr()
        assert math.isfinite(sum(rates(optimizer)))
        return
    words = rf"optim.lr_scheduler.*: lr\[1\] is {rate}"
    with pytest.raises((DTypeError, OptionError), match=words):
        scheduler.step(*[3.0][: name == "plateau"])
    assert scheduler.state_dict() == before
    assert rates(optimizer)[0] == scheduler.get_last_lr()[0]


def test_a_rate_that_overflows_changes_nothing():
    scheduler = ExponentialLR(optimizer_of(), 1e200)
    scheduler.step()
    before = everything(scheduler)
    with pytest.raises(OptionError, match=r"ExponentialLR: lr\[0\] is inf"):
        scheduler.step()
    assert everything(scheduler) == before
