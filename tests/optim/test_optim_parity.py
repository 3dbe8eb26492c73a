"""The optimizers against PyTorch's: the same parameters after a thousand steps."""

import itertools

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim

pytestmark = pytest.mark.parity

SHAPES = ((3, 4), (5,), (), (2, 1, 3))
STEPS = 1000


@pytest.fixture(scope="module")
def torch():
    import torch

    torch.set_num_threads(1)
    return torch


def leaves(torch, dtype):
    rng = np.random.default_rng(0)
    values = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
    return [torch.nn.Parameter(torch.tensor(v)) for v in values], [
        nn.Parameter(v.copy()) for v in values
    ]


def descend(torch, theirs, ours, pair, steps=STEPS, skip=()):
    """Noisy bowls, of slopes that differ a lot; ``skip(step)`` tells who gets no gradient."""
    rng = np.random.default_rng(1)
    for step in range(steps):
        for optimizer in pair:
            optimizer.zero_grad()
        for place, (a, b) in enumerate(zip(theirs, ours, strict=True)):
            noise = 10.0 ** (place - 2) * rng.standard_normal(b.shape)
            if (step, place) in skip:
                continue
            a.grad = (a.detach() + torch.tensor(noise)).to(a.dtype)
            b.grad = tg.tensor((b.numpy() + noise).astype(b.dtype))
        for optimizer in pair:
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] * (0.5 if step % 400 == 399 else 1.0)
            optimizer.step()


def check(theirs, ours, tolerance):
    for a, b in zip(theirs, ours, strict=True):
        assert b.dtype == np.dtype(str(a.dtype).removeprefix("torch."))
        np.testing.assert_allclose(b.numpy(), a.detach().numpy(), rtol=tolerance, atol=tolerance)


def check_state(theirs, ours, tolerance):
    """What the optimizers remember of each parameter, under PyTorch's names."""
    state, expected = ours.state_dict()["state"], theirs.state_dict()["state"]
    assert set(expected) <= set(state)  # without momentum, theirs remembers nothing
    for place, entry in expected.items():
        for name, value in entry.items():
            if value is not None:
                found = state[place][name]
                found = found if name == "step" else found.numpy()
                np.testing.assert_allclose(found, value.numpy(), rtol=tolerance, atol=tolerance)


ADAM = [
    {"lr": 0.01, "betas": betas, "eps": eps, "weight_decay": decay, "amsgrad": amsgrad}
    for (betas, eps), decay, amsgrad in itertools.product(
        [((0.9, 0.999), 1e-8), ((0.5, 0.9), 1e-3), ((0.0, 0.99), 1e-8)], [0.0, 0.1], [False, True]
    )
]
SGD = [
    {"lr": 0.01},
    {"lr": 0.01, "weight_decay": 0.1},
    *(
        {"lr": 0.01, "momentum": 0.9, "dampening": dampening, "weight_decay": decay}
        for dampening, decay in itertools.product([0.0, 0.5], [0.0, 0.1])
    ),
    {"lr": 0.01, "momentum": 0.9, "nesterov": True},
    {"lr": 0.01, "momentum": 0.5, "nesterov": True, "weight_decay": 0.1},
]
CASES = [("Adam", options) for options in ADAM] + [("SGD", options) for options in SGD]


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_thousand_steps(torch, name, options, dtype):
    theirs, ours = leaves(torch, dtype)
    pair = [getattr(torch.optim, name)(theirs, **options), getattr(optim, name)(ours, **options)]
    descend(torch, theirs, ours, pair, STEPS if dtype == "float64" else 100)
    tolerance = 1e-12 if dtype == "float64" else 2e-5
    check(theirs, ours, tolerance)
    check_state(*pair, tolerance)


@pytest.mark.parametrize(("name", "options"), [CASES[3], CASES[-5], CASES[-1]])
def test_groups_and_gradients_that_are_sometimes_none(torch, name, options):
    theirs, ours = leaves(torch, "float64")
    rng = np.random.default_rng(2)
    skip = {(step, place) for step in range(STEPS) for place in (0, 2) if rng.random() < 0.3}
    skip |= {(step, 1) for step in range(STEPS)}  # one never has a gradient
    skip |= {(step, 3) for step in range(500)}  # one joins late

    def groups(params):
        return [{"params": params[:2]}, {"params": params[2], "lr": 0.002, "weight_decay": 0.05}]

    pair = [
        getattr(torch.optim, name)(groups(theirs), **options),
        getattr(optim, name)(groups(ours), **options),
    ]
    for optimizer, params in zip(pair, (theirs, ours), strict=True):
        optimizer.add_param_group({"params": params[3:], "lr": 0.02})
    before = ours[1].numpy().copy()
    descend(torch, theirs, ours, pair, skip=skip)
    check(theirs, ours, 1e-12)
    check_state(*pair, 1e-12)
    np.testing.assert_array_equal(ours[1].numpy(), before)


@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_defaults_are_pytorchs(torch, name):
    theirs, ours = leaves(torch, "float64")
    expected = getattr(torch.optim, name)(theirs).defaults
    found = getattr(optim, name)(ours).defaults
    assert found == {key: expected[key] for key in found}
