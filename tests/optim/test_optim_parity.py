"""The optimizers against PyTorch's: the same parameters after a thousand steps,
whatever the options.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

pytestmark = pytest.mark.parity

SHAPES = ((3, 4), (5,), (), (2, 1, 3))


@pytest.fixture(scope="module")
def torch():
    import torch

    torch.set_num_threads(1)
    return torch


def leaves(torch, dtype="float64"):
    rng = np.random.default_rng(0)
    values = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
    return [torch.nn.Parameter(torch.tensor(v)) for v in values], [
        nn.Parameter(v.copy()) for v in values
    ]


def both(torch, name, params, groups=lambda params: params, **options):
    """Their optimizer and ours."""
    makers = getattr(torch.optim, name), getattr(optim, name)
    return [
        make(groups(own), **options) for make, own in zip(makers, params, strict=True)
    ]


def descend(torch, params, pair, steps, skip=(), seed=1):
    """Noisy bowls, of slopes that differ a lot; ``skip`` tells who gets no gradient in
    which step.
    """
    rng = np.random.default_rng(seed)
    for step in range(steps):
        for place, (a, b) in enumerate(zip(*params, strict=True)):
            noise = 10.0 ** (place - 2) * rng.standard_normal(b.shape)
            left_out = (step, place) in skip
            a.grad = (
                None if left_out else (a.detach() + torch.tensor(noise)).to(a.dtype)
            )
            b.grad = (
                None if left_out else tg.tensor((b.numpy() + noise).astype(b.dtype))
            )
        for optimizer in pair:
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] * (0.5 if step % 400 == 399 else 1.0)
            optimizer.step()


def check(params, pair, tolerance=1e-12):
    """Compare parameters, and their state in the optimizers by PyTorch's names."""
    for a, b in zip(*params, strict=True):
        assert b.dtype == np.dtype(str(a.dtype).removeprefix("torch."))
        np.testing.assert_allclose(
            b.numpy(), a.detach().numpy(), rtol=tolerance, atol=tolerance
        )
    expected, found = (optimizer.state_dict() for optimizer in pair)
    for place, entry in expected["state"].items():
        kept = {name: value for name, value in entry.items() if value is not None}
        if kept.get("step") == 0:  # Adagrad's, of parameters that had no gradient yet
            assert place not in found["state"]
            continue
        assert kept.keys() | {"step"} == found["state"][place].keys()
        for name, value in kept.items():
            own = found["state"][place][name]
            own = own if name == "step" else own.numpy()
            np.testing.assert_allclose(
                own, value.numpy(), rtol=tolerance, atol=tolerance
            )
    for group, own in zip(expected["param_groups"], found["param_groups"], strict=True):
        assert own == {key: group[key] for key in own}


# ---------------------------------------------------------------- a thousand steps

LONG = {
    "Adam": {"lr": 0.01, "weight_decay": 0.1},
    "Adam amsgrad": {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3, "amsgrad": True},
    "AdamW": {"lr": 0.01},
    "AdamW amsgrad": {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True},
    "SGD": {"lr": 0.01, "weight_decay": 0.1},
    "SGD momentum": {
        "lr": 0.01,
        "momentum": 0.9,
        "dampening": 0.5,
        "weight_decay": 0.1,
    },
    "SGD nesterov": {"lr": 0.01, "momentum": 0.9, "nesterov": True},
    "RMSprop": {"lr": 0.01, "weight_decay": 0.1},
    "RMSprop momentum": {"lr": 0.01, "momentum": 0.9, "centered": True},
    "Adagrad": {"lr": 0.1},
    "Adagrad decay": {
        "lr_decay": 0.01,
        "weight_decay": 0.1,
        "initial_accumulator_value": 0.3,
    },
    "Adam maximize": {"lr": 0.01, "weight_decay": 3.0, "maximize": True},
    "AdamW maximize": {"lr": 0.01, "weight_decay": 3.0, "maximize": True},
    "SGD maximize": {
        "lr": 1e-3,
        "momentum": 0.5,
        "weight_decay": 3.0,
        "maximize": True,
    },
    "RMSprop maximize": {"lr": 1e-3, "weight_decay": 3.0, "maximize": True},
    "Adagrad maximize": {"lr": 0.01, "weight_decay": 3.0, "maximize": True},
}


@pytest.mark.parametrize("case", LONG)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_thousand_steps(torch, case, dtype):
    params = leaves(torch, dtype)
    pair = both(torch, case.split()[0], params, **LONG[case])
    descend(torch, params, pair, 1000 if dtype == "float64" else 100)
    check(params, pair, 1e-12 if dtype == "float64" else 2e-5)


@pytest.mark.parametrize("case", LONG)
def test_groups_and_gradients_that_are_sometimes_none(torch, case):
    params = leaves(torch)
    rng = np.random.default_rng(2)
    skip = {
        (step, place) for step in range(600) for place in (0, 2) if rng.random() < 0.3
    }
    skip |= {(step, 1) for step in range(600)}  # one never has a gradient
    skip |= {(step, 3) for step in range(300)}  # one joins late

    def groups(params):
        late = [{"params": params[3:], "lr": 0.02}] if "Adagrad" in case else []
        return [
            {"params": params[:2]},
            {"params": params[2], "lr": 2e-3, "weight_decay": 0.05},
            *late,
        ]

    pair = both(torch, case.split()[0], params, groups, **LONG[case])
    if "Adagrad" not in case:  # theirs knows no groups that are added later
        for optimizer, own in zip(pair, params, strict=True):
            optimizer.add_param_group({"params": own[3:], "lr": 0.02})
    before = params[1][1].numpy().copy()
    descend(torch, params, pair, 600, skip)
    check(params, pair)
    np.testing.assert_array_equal(params[1][1].numpy(), before)


@pytest.mark.parametrize("case", [case for case in LONG if "Adagrad" not in case])
def test_a_group_that_joins_after_steps(torch, case):
    params = leaves(torch)
    pair = both(torch, case.split()[0], params, lambda own: own[:2], **LONG[case])
    descend(torch, params, pair, 20)
    for optimizer, own in zip(pair, params, strict=True):
        optimizer.add_param_group({"params": own[2:], "lr": 0.05})
    descend(torch, params, pair, 20)
    check(params, pair)


# ---------------------------------------------------------------- all options


def zero_or(*values):
    return st.sampled_from([0.0, *values])


rates = st.sampled_from([1e-3, 0.05, 0.3])
ADAM = {
    "lr": rates,
    "betas": st.tuples(zero_or(0.5, 0.9), st.sampled_from([0.5, 0.99, 0.999])),
    "eps": st.sampled_from([1e-8, 1e-3]),
    "weight_decay": zero_or(0.1),
    "amsgrad": st.booleans(),
}
OPTIONS = {
    "Adam": ADAM,
    "AdamW": ADAM,
    "SGD": {
        "lr": rates,
        "momentum": zero_or(0.5, 0.9),
        "dampening": zero_or(0.5, -0.1),
        "weight_decay": zero_or(0.1),
        "nesterov": st.booleans(),
    },
    "RMSprop": {
        "lr": rates,
        "alpha": st.sampled_from([0.5, 0.9, 0.99]),
        "eps": st.sampled_from([1e-8, 1e-3]),
        "weight_decay": zero_or(0.1),
        "momentum": zero_or(0.5, 0.9),
        "centered": st.booleans(),
    },
    "Adagrad": {
        "lr": rates,
        "lr_decay": zero_or(0.1),
        "weight_decay": zero_or(0.1),
        "initial_accumulator_value": zero_or(0.5),
        "eps": st.sampled_from([1e-10, 1e-3]),
    },
}


@settings(max_examples=60)
@given(data=st.data())
def test_all_options(torch, data):
    name = data.draw(st.sampled_from(list(OPTIONS)))
    drawn = {key: data.draw(values, key) for key, values in OPTIONS[name].items()}
    options = {key: value for key, value in drawn.items() if data.draw(st.booleans())}
    options["maximize"] = data.draw(st.booleans())
    if not options.get("momentum") or options.get("dampening"):
        options.pop("nesterov", None)
    steps, chance = (
        data.draw(st.integers(1, 40)),
        data.draw(st.sampled_from([0.0, 0.3])),
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    skip = {
        (step, place)
        for step in range(steps)
        for place in range(4)
        if rng.random() < chance
    }
    params = leaves(torch)
    pair = both(torch, name, params, **options)
    descend(torch, params, pair, steps, skip, seed=rng.integers(99))
    # A centered square is a difference: what is rounded off in it counts more where it
    # is small.
    check(params, pair, 1e-10 if options.get("centered") else 1e-12)


@pytest.mark.parametrize("name", OPTIONS)
def test_names_order_and_defaults_are_pytorchs(torch, name):
    import inspect

    params = leaves(torch)
    theirs, ours = both(torch, name, params)
    assert ours.defaults == {key: theirs.defaults[key] for key in ours.defaults}
    expected, found = (
        inspect.signature(type(o).__init__).parameters for o in (theirs, ours)
    )
    assert list(found) == list(expected)
    for key in list(found)[2:]:
        assert (found[key].default, found[key].kind) == (
            expected[key].default,
            expected[key].kind,
        )


def test_repr_is_theirs(torch):
    """But for the options that are not here."""
    params = leaves(torch)

    def groups(own):
        return [{"params": own[:1], "lr": 0.5}, {"params": own[1:]}]

    theirs, ours = both(torch, "Adam", params, groups, weight_decay=0.25)
    names = (
        "capturable",
        "decoupled_weight_decay",
        "differentiable",
        "foreach",
        "fused",
    )
    shown = repr(theirs).split("\n")
    kept = [line for line in shown if line.partition(":")[0].strip() not in names]
    assert repr(ours).split("\n") == kept


# ---------------------------------------------------------------- states there and back

STATES = [case for case in LONG if "maximize" not in case or case == "Adam maximize"]


def copies(torch, params):
    """The same values as new leaves: theirs and ours."""
    values = [b.numpy().copy() for b in params[1]]
    return [torch.nn.Parameter(torch.tensor(v)) for v in values], [
        nn.Parameter(v) for v in values
    ]


@pytest.mark.parametrize("case", STATES)
@pytest.mark.parametrize("skip", [(), {(step, 1) for step in range(99)}])
def test_a_state_of_theirs_goes_on_here(torch, case, skip):
    """Also where one parameter has never had a gradient."""
    params = leaves(torch)
    pair = both(torch, case.split()[0], params, **LONG[case])
    descend(torch, params, pair, 20, skip)
    if "Adagrad" in case:
        assert pair[0].state_dict()["state"][1]["step"] == (0 if skip else 20)
    twins = copies(torch, params)[1]
    ours = getattr(optim, case.split()[0])(twins)
    ours.load_state_dict(pair[0].state_dict())
    again = (params[0], twins), (pair[0], ours)
    descend(torch, *again, 100, skip, seed=5)
    check(*again)


@pytest.mark.parametrize("case", STATES)
@pytest.mark.parametrize("skip", [(), {(step, 1) for step in range(99)}])
def test_a_state_of_ours_goes_on_there(torch, case, skip):
    """By the recipe of docs/data-and-checkpoints.md."""
    params = leaves(torch)
    pair = both(torch, case.split()[0], params, **LONG[case])
    descend(torch, params, pair, 20, skip)
    twins = copies(torch, params)[0]
    theirs = getattr(torch.optim, case.split()[0])(twins)
    state = pair[1].state_dict()
    if "Adagrad" in case and skip:  # theirs holds a state from the start
        state["state"][1] = theirs.state_dict()["state"][1]
        initial = LONG[case].get("initial_accumulator_value", 0.0)
        state["state"][1]["sum"].fill_(initial)
    for entry in state["state"].values():
        slots = {k: v for k, v in entry.items() if isinstance(v, tg.Tensor)}
        entry.update({k: torch.from_numpy(v.numpy()) for k, v in slots.items()})
    theirs.load_state_dict(state)
    again = (twins, params[1]), (theirs, pair[1])
    descend(torch, *again, 100, skip, seed=5)
    for a, b in zip(*again[0], strict=True):
        np.testing.assert_allclose(
            b.numpy(), a.detach().numpy(), rtol=1e-12, atol=1e-12
        )


def test_states_of_theirs_in_other_forms(torch):
    """A rate that is a tensor, a schedule's entries, names, old and None entries."""
    params = leaves(torch)
    theirs = torch.optim.SGD(
        list(zip("abcd", params[0], strict=True)), torch.tensor(0.25), 0.5
    )
    torch.optim.lr_scheduler.OneCycleLR(theirs, 1.0, 10)
    state = theirs.state_dict()
    state["state"] = {0: {"momentum_buffer": None}}
    ours = optim.SGD(params[1])
    ours.load_state_dict(state)
    assert ours.state_dict()["state"] == {}
    assert ours.param_groups[0]["lr"] == pytest.approx(0.04)
    assert ours.param_groups[0]["momentum"] == 0.95
    assert type(ours.param_groups[0]["lr"]) is float


@pytest.mark.parametrize(
    ("kind", "other", "words"),
    [
        (
            "Adam",
            "SGD",
            "it is another optimizer's: options ['amsgrad', 'betas', 'eps']",
        ),
        (
            "SGD",
            "Adam",
            "options ['dampening', 'momentum', 'nesterov'], expected ['amsgrad', ",
        ),
        ("Adam", "AdamW", "it was saved by optim.Adam"),
        ("AdamW", "Adam", "it was saved by optim.AdamW"),
    ],
)
def test_a_state_of_another_optimizer_of_theirs(torch, kind, other, words):
    params = leaves(torch)
    pair = both(torch, kind, params)
    descend(torch, params, pair, 1)
    with pytest.raises(tg.errors.CheckpointError) as caught:
        getattr(optim, other)(params[1]).load_state_dict(pair[0].state_dict())
    assert words in str(caught.value)
