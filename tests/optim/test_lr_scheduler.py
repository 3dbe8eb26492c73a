"""Schedules: their formulas, that they go on where they stopped, and that what is wrong
changes nothing.
"""

import copy
import json
import math
from itertools import pairwise

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


def optimizer_of(lrs=(0.1, 0.02), kind=optim.SGD):
    """An optimizer that has made a step, of nothing: else a scheduler's first step
    warns.
    """
    optimizer = kind([{"params": [nn.Parameter(np.ones(2))], "lr": lr} for lr in lrs])
    optimizer.step()
    return optimizer


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def options(optimizer):
    return copy.deepcopy(optimizer.state_dict()["param_groups"])


def test_repr_has_the_settings_and_the_rates_in_use():
    scheduler = StepLR(optimizer_of((0.5, 2.0)), step_size=1, gamma=0.5)
    scheduler.step()
    settings = "step_size=1, gamma=0.5, last_epoch=1, base_lrs=[0.5, 2.0]"
    assert repr(scheduler) == f"StepLR({settings}, lr=[0.25, 1.0])"


# ---------------------------------------------------------------- the formulas


def follow(optimizer, scheduler, factor, epochs=60):
    """``factor(epoch, base)`` tells each rate outright; ours are made from one another."""
    bases = list(scheduler.base_lrs)
    for epoch in range(epochs):
        expected = [factor(epoch, base) for base in bases]
        np.testing.assert_allclose(rates(optimizer), expected, rtol=1e-12, atol=1e-15)
        assert scheduler.get_last_lr() == rates(optimizer)
        assert scheduler.last_epoch == epoch
        scheduler.step()


@given(lrs=lists, size=st.integers(1, 20), gamma=factors)
def test_step(lrs, size, gamma):
    optimizer = optimizer_of(lrs)
    scheduler = StepLR(optimizer, size, gamma)
    follow(optimizer, scheduler, lambda epoch, base: base * gamma ** (epoch // size))


@given(lrs=lists, gamma=factors)
def test_exponential(lrs, gamma):
    optimizer = optimizer_of(lrs)
    follow(
        optimizer,
        ExponentialLR(optimizer, gamma),
        lambda epoch, base: base * gamma**epoch,
    )


@given(lrs=lists, length=st.integers(1, 25), low=st.sampled_from([0.0, 1e-3, 0.5]))
def test_cosine(lrs, length, low):
    optimizer = optimizer_of(lrs)
    scheduler = CosineAnnealingLR(optimizer, length, low)

    def factor(epoch, base):
        return low + (base - low) * (1 + math.cos(math.pi * epoch / length)) / 2

    for epoch in range(60):
        found = rates(optimizer)
        np.testing.assert_allclose(
            found, [factor(epoch, lr) for lr in lrs], rtol=1e-9, atol=1e-12
        )
        assert min(found) >= 0.0
        scheduler.step()


@given(
    lrs=lists,
    first=st.floats(0.01, 1.0),
    last=st.sampled_from([0.0, 0.3, 1.0]),
    length=st.integers(1, 40),
)
def test_linear(lrs, first, last, length):
    optimizer = optimizer_of(lrs)
    scheduler = LinearLR(optimizer, first, last, length)

    def factor(epoch, base):
        return base * (first + (last - first) * min(epoch, length) / length)

    follow(optimizer, scheduler, factor)
    optimizer.step()  # also where the last rate is a 0 that was rounded


@given(lrs=lists, several=st.booleans())
def test_lambda(lrs, several):
    functions = [lambda e: 0.9**e, lambda e: 1 / (1 + e), lambda e: e % 5][: len(lrs)]
    optimizer = optimizer_of(lrs)
    scheduler = LambdaLR(optimizer, functions if several else functions[0])
    for epoch in range(20):
        chosen = functions if several else functions[:1] * len(lrs)
        assert rates(optimizer) == [
            base * f(epoch) for base, f in zip(lrs, chosen, strict=True)
        ]
        scheduler.step()


@given(lrs=lists, milestones=st.lists(st.integers(0, 60)), gamma=factors)
def test_multi_step(lrs, milestones, gamma):
    optimizer = optimizer_of(lrs)
    scheduler = MultiStepLR(optimizer, iter(milestones), gamma)
    bases = list(scheduler.base_lrs)
    for epoch in range(60):
        passed = sum(at <= epoch for at in milestones)
        np.testing.assert_allclose(
            rates(optimizer), [base * gamma**passed for base in bases]
        )
        scheduler.step()


def test_linear_in_no_steps_stays_at_its_start():
    optimizer = optimizer_of([1.0])
    scheduler = LinearLR(optimizer, 0.25, total_iters=0)
    for _ in range(3):
        assert rates(optimizer) == [0.25]
        scheduler.step()


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
    scheduler = OneCycleLR(
        optimizer,
        [0.5, 1.0],
        steps,
        pct_start=share,
        anneal_strategy=strategy,
        three_phase=three,
    )
    found, moments = [], []
    for step in range(steps):
        found.append(rates(optimizer))
        group = optimizer.param_groups[0]
        moments.append(group["betas"][0] if "betas" in group else group["momentum"])
        if step < steps - 1:
            scheduler.step()
    np.testing.assert_allclose(found[0], [0.02, 0.04])
    np.testing.assert_allclose(found[-1], [2e-6, 4e-6])
    np.testing.assert_allclose(np.array(found)[:, 1], 2 * np.array(found)[:, 0])
    moments = np.array(moments)
    assert moments.min() >= 0.85
    assert moments.max() <= 0.95
    first, top = np.array(found)[:, 0], np.argmax(found, 0)[0]
    assert abs(top - (share * steps - 1)) < 1.0
    slack = 1e-12
    assert (np.diff(first[: top + 1]) >= -slack).all()
    assert (np.diff(first[top:]) <= slack).all()
    low = np.argmin(moments)  # the corner itself may lie between two steps
    assert abs(low - top) <= 1
    assert (np.diff(moments[: low + 1]) <= slack).all()
    assert (np.diff(moments[low:]) >= -slack).all()


def test_one_cycle_of_a_rise_without_length_begins_at_the_top():
    """There PyTorch divides by zero."""
    optimizer = optimizer_of([1.0])
    scheduler = OneCycleLR(optimizer, 0.5, 10, pct_start=0.1)
    assert rates(optimizer) == [0.5]
    scheduler.step()
    assert 0.4 < rates(optimizer)[0] < 0.5


def test_one_cycle_ends():
    optimizer = optimizer_of([1.0])
    scheduler = OneCycleLR(
        optimizer, 0.5, epochs=2, steps_per_epoch=2, anneal_strategy="linear"
    )
    for _ in range(4):  # one after each batch
        scheduler.step()
    assert rates(optimizer) == [0.0]
    before = scheduler.state_dict(), options(optimizer)
    with pytest.raises(
        OptionError, match="this is step 5, expected at most total_steps=4"
    ):
        scheduler.step()
    assert (scheduler.state_dict(), options(optimizer)) == before


def test_one_cycle_needs_a_momentum():
    optimizer = optimizer_of(kind=optim.Adagrad)
    before = options(optimizer)
    with pytest.raises(
        OptionError, match=r"no momentum and no betas; pass cycle_momentum=False"
    ):
        OneCycleLR(optimizer, 0.5, 9)
    assert options(optimizer) == before
    OneCycleLR(optimizer, 0.5, 9, cycle_momentum=False)
    with pytest.raises(OptionError, match=r"optim.Adam: betas\[0\] is 1.5"):
        OneCycleLR(optimizer_of(kind=optim.Adam), 0.5, 9, max_momentum=1.5)


def test_one_after_the_other():
    optimizer = optimizer_of([1.0])
    parts = LinearLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, 0.5)
    scheduler = SequentialLR(optimizer, list(parts), [3])
    found = []
    for epoch in range(6):
        found += rates(optimizer)
        assert (scheduler.get_last_lr(), scheduler.last_epoch) == (
            rates(optimizer),
            epoch,
        )
        scheduler.step()
    np.testing.assert_allclose(found, [0.5, 0.75, 1.0, 1.0, 0.5, 0.25])


def test_a_sequence_may_be_part_of_another():
    """As if it were the schedule of its epochs; PyTorch's is one epoch early, or
    raises.
    """
    optimizer = optimizer_of([1.0])
    inner = SequentialLR(
        optimizer, [LinearLR(optimizer, 0.5), StepLR(optimizer, 1)], [2]
    )
    outer = SequentialLR(optimizer, [StepLR(optimizer, 1, 0.5), inner], [2])
    found = []
    for _ in range(7):
        found += rates(optimizer)
        outer.step()
    np.testing.assert_allclose(found, [1.0, 0.5, 0.5, 0.6, 1.0, 0.1, 0.01])
    optimizer = optimizer_of([1.0])
    inner = SequentialLR(
        optimizer, [LinearLR(optimizer, 0.5), StepLR(optimizer, 1)], [2]
    )
    outer = SequentialLR(optimizer, [inner, StepLR(optimizer, 1, 0.5)], [4])
    found = []
    for _ in range(6):
        found += rates(optimizer)
        outer.step()
    np.testing.assert_allclose(found, [0.5, 0.6, 1.0, 0.1, 1.0, 0.5])


def test_a_sequence_takes_in_a_group_that_joins():
    optimizer = optimizer_of([1.0])
    parts = [StepLR(optimizer, 9), LinearLR(optimizer, 0.5), StepLR(optimizer, 1, 0.5)]
    scheduler = SequentialLR(optimizer, parts, [1, 2])
    optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))], "lr": 8.0})
    found = []
    for _ in range(3):
        scheduler.step()
        found.append(rates(optimizer))
    assert found == [[0.5, 4.0], [1.0, 8.0], [0.5, 4.0]]
    assert not scheduler.misfits(scheduler.state_dict())


def test_schedulers_that_cannot_follow_each_other():
    optimizer, other = optimizer_of(), optimizer_of()
    one, two = StepLR(optimizer, 3), StepLR(optimizer, 3)
    before = one.state_dict(), two.state_dict(), options(optimizer)
    for schedulers, milestones, words in (
        (
            [one, two],
            [],
            "got 2 schedulers and 0 milestones, expected one milestone between",
        ),
        ([one], [3], "got 1 schedulers and 1 milestones"),
        ([one, one], [3], "scheduler 1 is given twice"),
        ([one, StepLR(other, 3)], [3], "scheduler 1 was made for another optimizer"),
        ([one, two], [-3], "milestones.0. is -3"),
    ):
        with pytest.raises(OptionError, match=f"SequentialLR: {words}"):
            SequentialLR(optimizer, schedulers, milestones)
    with pytest.raises(
        OptionError, match="scheduler 1 is a ReduceLROnPlateau, its step.. needs"
    ):
        SequentialLR(optimizer, [one, ReduceLROnPlateau(optimizer)], [3])
    assert (one.state_dict(), two.state_dict(), options(optimizer)) == before


def test_a_part_that_fails_changes_nothing():
    optimizer, bad = optimizer_of([1.0]), False
    parts = [
        StepLR(optimizer, 1),
        LambdaLR(optimizer, lambda epoch: math.nan if bad else 0.5),
    ]
    scheduler = SequentialLR(optimizer, parts, [2])
    scheduler.step()
    before = scheduler.state_dict(), options(optimizer)
    bad = True
    with pytest.raises(OptionError, match="lr_lambda.0..0. is nan"):
        scheduler.step()
    assert (scheduler.state_dict(), options(optimizer)) == before
    bad = False
    scheduler.step()
    assert rates(optimizer) == [0.5]


# ---------------------------------------------------------------- the order of steps

ORDERED = [
    lambda o: StepLR(o, 1),
    lambda o: OneCycleLR(o, 0.5, 9),
    lambda o: SequentialLR(o, [LinearLR(o), StepLR(o, 1)], [1]),
]


@pytest.mark.parametrize("make", ORDERED)
def test_a_scheduler_that_steps_before_its_optimizer_warns(make):
    optimizer = optim.SGD([nn.Parameter(np.ones(2))])
    scheduler = make(optimizer)
    with pytest.warns(
        UserWarning, match=r"before optimizer.step\(\); call .* first"
    ) as caught:
        scheduler.step()
    assert caught[0].filename == __file__
    scheduler.step()  # once


@pytest.mark.parametrize("make", ORDERED)
def test_in_the_right_order_nothing_warns(make):
    optimizer = optim.SGD([nn.Parameter(np.ones(2))])
    scheduler = make(optimizer)
    optimizer.step()
    scheduler.step()
    state, rest = scheduler.state_dict(), optimizer.state_dict()
    fresh = optim.SGD([nn.Parameter(np.ones(2))])
    again = make(fresh)
    fresh.load_state_dict(rest)
    again.load_state_dict(state)
    again.step()
    optimizer.param_groups[0]["initial_lr"] = 1.0
    fresh = optim.SGD([{"params": [nn.Parameter(np.ones(2))], "initial_lr": 1.0}])
    StepLR(fresh, 2, last_epoch=3).step()
    ReduceLROnPlateau(optim.SGD([nn.Parameter(np.ones(2))])).step(1.0)


def test_plateau():
    optimizer = optimizer_of([1.0, 0.1])
    scheduler = ReduceLROnPlateau(
        optimizer, factor=0.5, patience=2, cooldown=1, min_lr=[0.0, 0.05]
    )
    found = []
    for loss in [
        3.0,
        2.0,
        2.0,
        2.0,
        2.0,
        9.0,
        2.0,
        2.0,
        2.0,
        1.0,
        tg.tensor(1.5),
        np.float32(1.5),
    ]:
        scheduler.step(loss)
        found.append(optimizer.param_groups[0]["lr"])
    # After the third loss that is no better it is halved, and one epoch does not count.
    assert found == [1.0] * 4 + [0.5] * 4 + [0.25] * 4
    assert rates(optimizer) == scheduler.get_last_lr() == [0.25, 0.05]
    assert (scheduler.best, scheduler.last_epoch) == (1.0, 12)


def test_plateau_counts_anew():
    """Every patience + 1 epochs that are no better; those of a cooldown do not count."""
    for cooldown in (0, 3):
        optimizer = optimizer_of([1.0])
        scheduler = ReduceLROnPlateau(
            optimizer, factor=0.5, patience=1, cooldown=cooldown
        )
        found = []
        for _ in range(12):
            scheduler.step(1.0)
            found += rates(optimizer)
        expected = [1.0] * 2
        while len(expected) < 12:
            expected += [0.5 ** (1 + (len(expected) - 2) // (2 + cooldown))]
        assert found == expected


def test_a_zero_that_was_rounded_is_a_zero():
    """PyTorch's is -1e-17, which no optimizer would take."""
    optimizer = optimizer_of([1.0])
    scheduler = LinearLR(optimizer, 0.16864039164875994, 0.0, 3)
    for _ in range(5):
        scheduler.step()
    assert rates(optimizer) == [0.0]
    optimizer.step()


@pytest.mark.parametrize(
    ("settings", "metrics", "reduced"),
    [
        ({"mode": "min"}, [1.0, 0.99995], True),
        ({"mode": "min"}, [1.0, 0.9998], False),
        # Relative to what is negative, as PyTorch's
        ({"mode": "min"}, [-1.0, -0.99995], False),
        ({"mode": "max"}, [1.0, 1.00005], True),
        ({"mode": "max"}, [1.0, 1.0002], False),
        ({"mode": "min", "threshold": 0.5, "threshold_mode": "abs"}, [3.0, 2.6], True),
        ({"mode": "min", "threshold": 0.5, "threshold_mode": "abs"}, [3.0, 2.4], False),
        ({"mode": "max", "threshold": 0.5, "threshold_mode": "abs"}, [3.0, 3.4], True),
        ({"mode": "max", "threshold": 0.5, "threshold_mode": "abs"}, [3.0, 3.6], False),
        ({"mode": "min"}, [math.inf, 5.0], True),  # no better than before the first
        ({"mode": "min"}, [5.0, math.inf], True),
        ({"mode": "min", "eps": 0.5}, [1.0, 1.0], False),
    ],
)
def test_what_is_better(settings, metrics, reduced):
    optimizer = optimizer_of([0.5])
    scheduler = ReduceLROnPlateau(optimizer, patience=0, **settings)
    for metric in metrics:
        scheduler.step(metric)
    assert (rates(optimizer) == [0.05]) == reduced


# ---------------------------------------------------------------- groups, and others' changes


def test_schedulers_work_together():
    optimizer = optimizer_of([1.0])
    both = LinearLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, 0.9)
    found = []
    for _ in range(4):
        found += rates(optimizer)
        for scheduler in both:
            scheduler.step()
    np.testing.assert_allclose(found, [0.5, 0.75 * 0.9, 0.81, 0.729])


def test_a_rate_changed_by_hand_is_gone_on_from():
    optimizer = optimizer_of([1.0])
    scheduler = StepLR(optimizer, 2)
    optimizer.param_groups[0]["lr"] = 0.5
    scheduler.step()
    assert rates(optimizer) == [0.5]
    scheduler.step()
    assert rates(optimizer) == [0.05]


@pytest.mark.parametrize(
    "make",
    [
        lambda o: StepLR(o, 1, 0.5),
        lambda o: LambdaLR(o, lambda epoch: 0.5**epoch),
        lambda o: ReduceLROnPlateau(o, "min", 0.5, 0),
    ],
)
def test_a_group_that_joins_is_scheduled_too(make):
    optimizer = optimizer_of([1.0])
    scheduler = make(optimizer)
    for epoch in range(3):
        if epoch == 1:
            optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))], "lr": 8.0})
        scheduler.step(*[3.0][: isinstance(scheduler, ReduceLROnPlateau)])
    kinds = {
        StepLR: [0.125, 2.0],
        LambdaLR: [0.125, 1.0],
        ReduceLROnPlateau: [0.25, 2.0],
    }
    assert rates(optimizer) == kinds[type(scheduler)]
    assert scheduler.base_lrs == [
        group["initial_lr"] for group in optimizer.param_groups
    ]
    assert len(scheduler.base_lrs) == 2
    assert not scheduler.misfits(scheduler.state_dict())


def test_functions_for_the_groups_there_were_are_too_few():
    optimizer = optimizer_of([1.0])
    scheduler = LambdaLR(optimizer, [lambda epoch: 0.5])
    optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))]})
    before = options(optimizer)
    with pytest.raises(
        OptionError, match="length of lr_lambda, one for each group, is 1, expected 2"
    ):
        scheduler.step()
    assert options(optimizer) == before
    assert scheduler.last_epoch == 0


def test_ones_own():
    """As docs say: name the rules of the settings, and tell the rates."""

    class Halves(LRScheduler):
        rules = {"times": (tg.errors.check_integers, 1)}

        def __init__(self, optimizer, times):
            self.times = times
            super().__init__(optimizer)

        def lrs_at(self, epoch):
            return [base * 0.5 ** min(epoch, self.times) for base in self.base_lrs]

    optimizer = optimizer_of([1.0])
    scheduler = Halves(optimizer, 2)
    for _ in range(3):
        scheduler.step()
    assert rates(optimizer) == [0.25]
    assert scheduler.state_dict()["times"] == 2
    with pytest.raises(
        OptionError, match=r"optim.lr_scheduler.Halves: times is 0, expected at least 1"
    ):
        Halves(optimizer, 0)


def test_ones_own_may_call_its_settings_as_it_likes():
    class Floor(LRScheduler):
        def __init__(self, optimizer, min_lr=None):
            self.min_lr = min_lr
            super().__init__(optimizer)

        def lrs_at(self, epoch):
            return [max(lr / 2**epoch, self.min_lr or 0.0) for lr in self.base_lrs]

    for min_lr, expected in ((None, [0.25]), (0.5, [0.5])):
        scheduler = Floor(optimizer_of([1.0]), min_lr)
        scheduler.step()
        scheduler.step()
        scheduler.load_state_dict(scheduler.state_dict())
        assert scheduler.get_last_lr() == expected


def test_it_may_start_where_another_run_stopped():
    optimizer = optim.SGD(
        [{"params": [nn.Parameter(np.ones(1))], "lr": 0.25, "initial_lr": 1.0}]
    )
    assert LambdaLR(
        optimizer, lambda epoch: 0.5**epoch, last_epoch=2
    ).get_last_lr() == [0.125]
    assert ExponentialLR(optimizer, 0.5, last_epoch=2).get_last_lr() == [0.125]
    assert CosineAnnealingLR(optimizer, 9, last_epoch=2).get_last_lr() == [0.125]
    assert LinearLR(optimizer, 0.5, last_epoch=2).get_last_lr() == [0.125]
    assert StepLR(optimizer, 3, 0.5, last_epoch=2).get_last_lr() == [0.0625]
    with pytest.raises(DTypeError, match=r"initial_lr\[0\] is None, expected a number"):
        StepLR(optimizer_of(), 2, last_epoch=3)


# ---------------------------------------------------------------- saving and loading

MAKERS = {
    "step": lambda o: StepLR(o, 7, 0.5),
    "exponential": lambda o: ExponentialLR(o, 0.97),
    "cosine": lambda o: CosineAnnealingLR(o, 11, 1e-3),
    "linear": lambda o: LinearLR(o, 0.1, 0.7, 30),
    "lambda": lambda o: LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (1 + e)]),
    "plateau": lambda o: ReduceLROnPlateau(
        o, "max", 0.5, 1, cooldown=2, min_lr=(1e-3, 0.0)
    ),
    "multistep": lambda o: MultiStepLR(o, (9, 3, 9, 25), 0.5),
    "cycle": lambda o: OneCycleLR(
        o, [0.5, 1], 200, base_momentum=(0.5, 0.6), three_phase=True
    ),
    "sequential": lambda o: SequentialLR(
        o, [LinearLR(o), StepLR(o, 3), OneCycleLR(o, 1, 200)], [4, 20]
    ),
}
OTHERS = {
    "step": lambda o: StepLR(o, 2),
    "exponential": lambda o: ExponentialLR(o, 0.1),
    "cosine": lambda o: CosineAnnealingLR(o, 3),
    "linear": LinearLR,
    "lambda": MAKERS["lambda"],
    "plateau": ReduceLROnPlateau,
    "multistep": lambda o: MultiStepLR(o, []),
    "cycle": lambda o: OneCycleLR(o, 3.0, 5),
    "sequential": lambda o: SequentialLR(
        o, [LinearLR(o), StepLR(o, 1), OneCycleLR(o, 2, 9)], [1, 2]
    ),
}


def advance(scheduler, rng):
    metric = [rng.standard_normal()] if isinstance(scheduler, ReduceLROnPlateau) else []
    scheduler.step(*metric)


@pytest.mark.parametrize("name", MAKERS)
@given(stop=st.integers(0, 40))
def test_it_goes_on_from_a_state_as_if_it_had_not_stopped(name, stop):
    """Settings come from the state, through text; the functions from the new scheduler."""
    optimizer = optimizer_of()
    scheduler = MAKERS[name](optimizer)
    rng = np.random.default_rng(stop)
    for _ in range(stop):
        advance(scheduler, rng)
    state, rest = json.loads(
        json.dumps([scheduler.state_dict(), optimizer.state_dict()])
    )
    fresh = optimizer_of([9.0, 9.0])
    again = OTHERS[name](fresh)
    advance(again, np.random.default_rng(0))
    fresh.load_state_dict(rest)
    again.load_state_dict(state)
    twin = copy.deepcopy(rng)
    for _ in range(60):
        assert rates(fresh) == rates(optimizer)
        assert again.get_last_lr() == scheduler.get_last_lr()
        assert json.dumps(again.state_dict()) == json.dumps(scheduler.state_dict())
        advance(scheduler, rng)
        advance(again, twin)


@pytest.mark.parametrize("name", MAKERS)
def test_a_state_is_a_copy_both_ways(name):
    scheduler = MAKERS[name](optimizer_of())
    state = scheduler.state_dict()
    kept = copy.deepcopy(state)
    optimizer = optimizer_of()
    other = OTHERS[name](optimizer)
    other.load_state_dict(state)
    for each in (scheduler, other):
        each.optimizer.add_param_group({"params": [nn.Parameter(np.ones(1))]})
    for each in (scheduler, other):
        # These have settings for two groups
        if name not in ("lambda", "plateau", "cycle"):
            advance(each, np.random.default_rng(0))
            assert len(each.base_lrs) == 3
    other.get_last_lr().clear()
    assert state == kept


WRONG = {
    "lr_lambda": None,
    "last_epoch": 1.5,
    "base_lrs": [0.1],
    "_last_lr": [math.nan, 0.1],
    "step_size": 0,
    "gamma": math.nan,
    "T_max": "x",
    "eta_min": -1.0,
    "start_factor": 0.0,
    "end_factor": 2.0,
    "total_iters": None,
    "milestones": [1.5],
    "total_steps": 0,
    "max_lr": -1.0,
    "pct_start": 2.0,
    "anneal_strategy": "up",
    "_schedulers": [],
    "mode": "mid",
    "threshold_mode": 3,
    "factor": 1.0,
    "best": "x",
    "patience": -1,
    "cooldown": 0.5,
    "cooldown_counter": -1,
    "num_bad_epochs": None,
    "min_lr": [0.1, 0.1, 0.1],
    "threshold": math.inf,
    "eps": None,
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_state_that_does_not_fit_changes_nothing(name):
    optimizer = optimizer_of()
    scheduler = MAKERS[name](optimizer)
    advance(scheduler, np.random.default_rng(0))
    before, rest = scheduler.state_dict(), options(optimizer)
    states = [{**before, key: value} for key, value in WRONG.items() if key in before]
    assert len(states) >= 3
    states += [
        {key: value for key, value in before.items() if key != "last_epoch"},
        {},
        None,
        3,
    ]
    states += [{**before, "more": 1}, StepLR(optimizer_of([1.0]), 1).state_dict(), [1]]
    for state in states:
        with pytest.raises(
            CheckpointError, match=r"optim.lr_scheduler.*load_state_dict: nothing was"
        ):
            scheduler.load_state_dict(state)
        assert scheduler.state_dict() == before
        assert options(optimizer) == rest


# ---------------------------------------------------------------- what cannot be right

CALLS = [
    (
        lambda o: StepLR(3, 1),
        DTypeError,
        "StepLR: optimizer is int, expected an Optimizer",
    ),
    (
        lambda o: StepLR(o, 0),
        OptionError,
        "StepLR: step_size is 0, expected at least 1",
    ),
    (lambda o: StepLR(o, 1.5), DTypeError, "step_size is 1.5, expected an integer"),
    (lambda o: StepLR(o, 1, math.nan), OptionError, "gamma is nan, expected a finite"),
    (lambda o: StepLR(o, 1, last_epoch=-2), OptionError, "last_epoch is -2"),
    (lambda o: StepLR(o, 1, last_epoch=None), DTypeError, "last_epoch is None"),
    (lambda o: ExponentialLR(o, -0.1), OptionError, "ExponentialLR: gamma is -0.1"),
    (lambda o: ExponentialLR(o, "x"), DTypeError, "gamma is 'x', expected a number"),
    (lambda o: CosineAnnealingLR(o, 0), OptionError, "T_max is 0"),
    (lambda o: CosineAnnealingLR(o, 5, -1.0), OptionError, "eta_min is -1.0"),
    (
        lambda o: LinearLR(o, 0.0),
        OptionError,
        "start_factor is 0.0, expected a number above 0, to 1",
    ),
    (lambda o: LinearLR(o, 1.5), OptionError, "start_factor is 1.5"),
    (lambda o: LinearLR(o, end_factor=1.5), OptionError, "end_factor is 1.5"),
    (lambda o: LinearLR(o, total_iters=-1), OptionError, "total_iters is -1"),
    (
        lambda o: MultiStepLR(o, [1, -2]),
        OptionError,
        "milestones.1. is -2, expected at least 0",
    ),
    (
        lambda o: MultiStepLR(o, [1.5]),
        DTypeError,
        "milestones.0. is 1.5, expected an integer",
    ),
    (
        lambda o: MultiStepLR(o, 3),
        DTypeError,
        "milestones is int, expected a list of epochs",
    ),
    (lambda o: MultiStepLR(o, [3], -1.0), OptionError, "MultiStepLR: gamma is -1.0"),
    (
        lambda o: OneCycleLR(o, 0.1),
        OptionError,
        "expected total_steps, or epochs and steps_per_",
    ),
    (
        lambda o: OneCycleLR(o, 0.1, epochs=3),
        OptionError,
        "expected total_steps, or epochs",
    ),
    (lambda o: OneCycleLR(o, 0.1, 0), OptionError, "total_steps is 0"),
    (lambda o: OneCycleLR(o, 0.1, 2.5), DTypeError, "total_steps is 2.5"),
    (lambda o: OneCycleLR(o, 0.1, None, 0, 9), OptionError, "epochs is 0"),
    (lambda o: OneCycleLR(o, -0.1, 9), OptionError, "max_lr.0. is -0.1"),
    (
        lambda o: OneCycleLR(o, [0.1], 9),
        OptionError,
        "length of max_lr, one for each group, is 1",
    ),
    (lambda o: OneCycleLR(o, 0.1, 9, pct_start=1.5), OptionError, "pct_start is 1.5"),
    (
        lambda o: OneCycleLR(o, 0.1, 9, anneal_strategy="up"),
        OptionError,
        "anneal_strategy is 'up'",
    ),
    (
        lambda o: OneCycleLR(o, 0.1, 9, cycle_momentum=1),
        DTypeError,
        "cycle_momentum is int",
    ),
    (
        lambda o: OneCycleLR(o, 0.1, 9, base_momentum=-1.0),
        OptionError,
        "base_momentum.0. is -1",
    ),
    (
        lambda o: OneCycleLR(o, 0.1, 9, max_momentum=[0.9]),
        OptionError,
        "length of max_momentum",
    ),
    (lambda o: OneCycleLR(o, 0.1, 9, div_factor=0), OptionError, "div_factor is 0"),
    (
        lambda o: OneCycleLR(o, 0.1, 9, three_phase=None),
        DTypeError,
        "three_phase is NoneType",
    ),
    (
        lambda o: SequentialLR(o, [], []),
        OptionError,
        "got 0 schedulers and 0 milestones",
    ),
    (
        lambda o: SequentialLR(o, None, []),
        DTypeError,
        "schedulers is NoneType, expected a list",
    ),
    (
        lambda o: SequentialLR(o, [3], []),
        DTypeError,
        "scheduler 0 is int, expected a scheduler",
    ),
    (
        lambda o: LambdaLR(o, 3),
        DTypeError,
        "lr_lambda.0. is int, expected a function of the epoch",
    ),
    (
        lambda o: LambdaLR(o, [len]),
        OptionError,
        "length of lr_lambda, one for each group, is 1, expected 2",
    ),
    (lambda o: LambdaLR(o, [abs, None]), DTypeError, "lr_lambda.1. is NoneType"),
    (lambda o: LambdaLR(o, lambda e: math.nan), OptionError, "lr_lambda.0..0. is nan"),
    (lambda o: LambdaLR(o, lambda e: None), DTypeError, "lr_lambda.0..0. is None"),
    (lambda o: LambdaLR(o, lambda e: -1.0), OptionError, "lr_lambda.0..0. is -1.0"),
    (
        lambda o: ReduceLROnPlateau(None),
        DTypeError,
        "ReduceLROnPlateau: optimizer is NoneType",
    ),
    (
        lambda o: ReduceLROnPlateau(o, "mid"),
        OptionError,
        "mode is 'mid', expected 'min' or 'max'",
    ),
    (lambda o: ReduceLROnPlateau(o, factor=1.0), OptionError, "factor is 1.0"),
    (lambda o: ReduceLROnPlateau(o, factor=-0.1), OptionError, "factor is -0.1"),
    (lambda o: ReduceLROnPlateau(o, patience=-1), OptionError, "patience is -1"),
    (lambda o: ReduceLROnPlateau(o, patience=1.5), DTypeError, "patience is 1.5"),
    (
        lambda o: ReduceLROnPlateau(o, threshold=math.nan),
        OptionError,
        "threshold is nan",
    ),
    (
        lambda o: ReduceLROnPlateau(o, threshold_mode="x"),
        OptionError,
        "threshold_mode is 'x'",
    ),
    (lambda o: ReduceLROnPlateau(o, cooldown=-1), OptionError, "cooldown is -1"),
    (lambda o: ReduceLROnPlateau(o, min_lr=-1.0), OptionError, "min_lr.0. is -1.0"),
    (
        lambda o: ReduceLROnPlateau(o, min_lr=[0.1]),
        OptionError,
        "length of min_lr, one for each group, is 1",
    ),
    (lambda o: ReduceLROnPlateau(o, eps=-1.0), OptionError, "eps is -1.0"),
]


@pytest.mark.parametrize(("call", "error", "words"), CALLS)
def test_wrong_settings_change_nothing(call, error, words):
    optimizer = optimizer_of()
    before = options(optimizer)
    with pytest.raises(error, match=words):
        call(optimizer)
    assert options(optimizer) == before


@pytest.mark.parametrize(
    ("metrics", "error", "words"),
    [
        (
            (),
            DTypeError,
            r"ReduceLROnPlateau.step: metrics is NoneType, expected a number",
        ),
        ((math.nan,), OptionError, "step: metrics is nan"),
        ((tg.tensor(math.nan),), OptionError, "step: metrics is nan"),
        (("0.5",), DTypeError, "step: metrics is str"),
        ((tg.ones(2),), ValueError, "one element"),
    ],
)
def test_wrong_metrics_change_nothing(metrics, error, words):
    optimizer = optimizer_of()
    scheduler = ReduceLROnPlateau(optimizer, patience=0)
    scheduler.step(1.0)
    before, rest = scheduler.state_dict(), options(optimizer)
    with pytest.raises(error, match=words):
        scheduler.step(*metrics)
    assert (scheduler.state_dict(), options(optimizer)) == (before, rest)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("rate", [math.nan, None, -1.0])
def test_a_wrong_rate_found_changes_nothing(name, rate):
    optimizer = optimizer_of()
    scheduler = MAKERS[name](optimizer)
    optimizer.param_groups[1]["lr"] = rate
    before = scheduler.state_dict()
    if name in ("lambda", "cycle"):  # these make their rates anew
        scheduler.step()
        assert rates(optimizer) == scheduler.get_last_lr()
        assert math.isfinite(sum(rates(optimizer)))
    else:
        with pytest.raises(
            (DTypeError, OptionError), match=rf"optim.lr_scheduler.*: lr\[1\] is {rate}"
        ):
            scheduler.step(*[3.0][: name == "plateau"])
        assert scheduler.state_dict() == before
        assert rates(optimizer)[0] == scheduler.get_last_lr()[0]


def test_a_rate_that_overflows_changes_nothing():
    optimizer = optimizer_of()
    scheduler = ExponentialLR(optimizer, 1e200)
    scheduler.step()
    before = scheduler.state_dict(), options(optimizer)
    with pytest.raises(OptionError, match=r"ExponentialLR: lr\[0\] is inf"):
        scheduler.step()
    assert (scheduler.state_dict(), options(optimizer)) == before


def test_rates_are_floats_and_states_plain():
    optimizer = optimizer_of([np.float32(0.1)])
    scheduler = ExponentialLR(optimizer, 0.5)
    scheduler.step()
    assert [type(rate) for rate in (*rates(optimizer), *scheduler.base_lrs)] == [
        float,
        float,
    ]
    for one, other in pairwise(
        [scheduler.state_dict(), json.loads(json.dumps(scheduler.state_dict()))]
    ):
        assert one == other


def test_the_state_has_both_rates_of_a_group_that_joined():
    x, y = tg.ones(1, requires_grad=True), tg.ones(1, requires_grad=True)
    optimizer = optim.SGD([{"params": [x]}], lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2)
    optimizer.add_param_group({"params": [y], "lr": 0.25, "initial_lr": 0.5})
    state = scheduler.state_dict()
    assert (state["base_lrs"], state["_last_lr"]) == ([0.1, 0.5], [0.1, 0.25])


@pytest.mark.parametrize("kind", ["StepLR", "ReduceLROnPlateau"])
def test_a_group_that_joined_since_the_last_step_is_in_the_state(kind):
    def run(stop):
        y = tg.ones(1, requires_grad=True)
        optimizer = optimizer_of([0.1])
        scheduler = getattr(optim.lr_scheduler, kind)(
            optimizer, *[1] * (kind == "StepLR")
        )
        arguments = [1.0] * (kind != "StepLR")
        scheduler.step(*arguments)
        optimizer.add_param_group({"params": [y], "lr": 0.5})
        if stop:
            scheduler.load_state_dict(scheduler.state_dict())
        for _ in range(15):
            scheduler.step(*arguments)
        return [group["lr"] for group in optimizer.param_groups], scheduler.state_dict()

    assert run(True) == run(False)
