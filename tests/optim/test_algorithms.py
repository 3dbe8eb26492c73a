"""The optimizers: their formulas, number by number, and the kernel of Adam."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optim.training import (
    all_equal,
    arrays,
    decays,
    flags,
    give_gradients,
    parameters,
    same_state,
    seeds,
    train,
)

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.backend import find
from tinygrad_rnn.kernels import modules
from tinygrad_rnn.kernels.numpy import optimizer as optimizer_kernels

rates = st.sampled_from([1e-3, 0.1, 0.0])


class SlowSGD:
    def __init__(self, lr, momentum, dampening, weight_decay, nesterov):
        self.__dict__.update(locals())
        self.velocity = {}

    def step(self, key, w, g):
        g = g + self.weight_decay * w
        if self.momentum:
            v = self.velocity.get(key)
            v = g if v is None else self.momentum * v + (1 - self.dampening) * g
            self.velocity[key] = v
            g = g + self.momentum * v if self.nesterov else v
        return w - self.lr * g


class SlowAdam:
    def __init__(self, lr, betas, eps, weight_decay, amsgrad):
        self.__dict__.update(locals())
        self.held = {}

    def step(self, key, w, g):
        b1, b2 = self.betas
        t, m, v, top = self.held.get(key, (0, 0.0, 0.0, 0.0))
        g = g + self.weight_decay * w
        t, m, v = t + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        top = max(top, v)
        self.held[key] = t, m, v, top
        second = (top if self.amsgrad else v) / (1 - b2**t)
        return w - self.lr * (m / (1 - b1**t)) / (math.sqrt(second) + self.eps)


class SlowAdamW(SlowAdam):
    def step(self, key, w, g):
        w, decay, self.weight_decay = (
            w * (1 - self.lr * self.weight_decay),
            self.weight_decay,
            0.0,
        )
        new, self.weight_decay = super().step(key, w, g), decay
        return new


class SlowRMSprop:
    def __init__(self, lr, alpha, eps, weight_decay, momentum, centered):
        self.__dict__.update(locals())
        self.held = {}

    def step(self, key, w, g):
        square, mean, velocity = self.held.get(key, (0.0, 0.0, 0.0))
        g = g + self.weight_decay * w
        square = self.alpha * square + (1 - self.alpha) * g * g
        mean = self.alpha * mean + (1 - self.alpha) * g
        spread = math.sqrt(square - mean * mean if self.centered else square) + self.eps
        velocity = self.momentum * velocity + g / spread
        self.held[key] = square, mean, velocity
        return w - self.lr * velocity


class SlowAdagrad:
    def __init__(self, lr, lr_decay, weight_decay, initial_accumulator_value, eps):
        self.__dict__.update(locals())
        self.held = {}

    def step(self, key, w, g):
        steps, total = self.held.get(key, (0, self.initial_accumulator_value))
        g = g + self.weight_decay * w
        self.held[key] = steps + 1, total + g * g
        rate = self.lr / (1 + steps * self.lr_decay)
        return w - rate * g / (math.sqrt(total + g * g) + self.eps)


def follow(kind, slow, options, dtypes, seed, missing):
    params = parameters(seed, dtypes)
    maximize = seed % 2 == 1
    optimizer = kind(params, **options, maximize=maximize)
    naive = slow(**options)
    rng = np.random.default_rng(seed)
    for _ in range(6):
        give_gradients(params, rng, missing)
        expected = []
        for place, p in enumerate(params):
            new = np.array(p.numpy(), np.float64)
            if p.grad is not None:
                for index in np.ndindex(p.shape):
                    w, g = (float(a.numpy()[index]) for a in (p, p.grad))
                    g = -g if maximize else g
                    new[index] = naive.step((place, index), w, g)
            expected.append(new)
        grads = [None if p.grad is None else p.grad.numpy().copy() for p in params]
        optimizer.step()
        for p, new, g in zip(params, expected, grads, strict=True):
            tolerance = 1e-12 if p.dtype == np.float64 else 2e-5
            np.testing.assert_allclose(p.numpy(), new, rtol=tolerance, atol=tolerance)
            if g is not None:  # a gradient is the user's: looked at, not changed
                np.testing.assert_array_equal(p.grad.numpy(), g)
            assert p.is_leaf


dtype_lists = st.sampled_from([("f8",) * 4, ("f4",) * 4, ("f4", "f8", "f4", "f8")])


missing = st.sampled_from([0.0, 0.4])


@given(
    options=st.fixed_dictionaries(
        {
            "lr": rates,
            "momentum": st.sampled_from([0.0, 0.5, 0.9]),
            "dampening": st.sampled_from([0.0, 0.3]),
            "weight_decay": decays,
            "nesterov": flags,
        }
    ),
    dtypes=dtype_lists,
    missing=missing,
    seed=seeds,
)
def test_sgd(options, dtypes, missing, seed):
    options["nesterov"] &= bool(options["momentum"]) and not options["dampening"]
    follow(optim.SGD, SlowSGD, options, dtypes, seed, missing)


@given(
    options=st.fixed_dictionaries(
        {
            "lr": rates,
            "betas": st.sampled_from([(0.9, 0.999), (0.0, 0.5), (0.5, 0.0)]),
            "eps": st.sampled_from([1e-8, 1e-2]),
            "weight_decay": decays,
            "amsgrad": flags,
        }
    ),
    dtypes=dtype_lists,
    missing=missing,
    seed=seeds,
    decoupled=flags,
)
def test_adam(options, dtypes, missing, seed, decoupled):
    kinds = (optim.AdamW, SlowAdamW) if decoupled else (optim.Adam, SlowAdam)
    follow(*kinds, options, dtypes, seed, missing)


@given(
    options=st.fixed_dictionaries(
        {
            "lr": rates,
            "alpha": st.sampled_from([0.5, 0.9, 0.99]),
            "eps": st.sampled_from([1e-8, 1e-2]),
            "weight_decay": decays,
            "momentum": st.sampled_from([0.0, 0.5, 0.9]),
            "centered": flags,
        }
    ),
    dtypes=dtype_lists,
    missing=missing,
    seed=seeds,
)
def test_rmsprop(options, dtypes, missing, seed):
    # Of a difference, rounded
    options["eps"] = 1e-2 if options["centered"] else options["eps"]
    follow(optim.RMSprop, SlowRMSprop, options, dtypes, seed, missing)


@given(
    options=st.fixed_dictionaries(
        {
            "lr": rates,
            "lr_decay": st.sampled_from([0.0, 0.1]),
            "weight_decay": decays,
            "initial_accumulator_value": st.sampled_from([0.0, 0.5]),
            "eps": st.sampled_from([1e-10, 1e-2]),
        }
    ),
    dtypes=dtype_lists,
    missing=missing,
    seed=seeds,
)
def test_adagrad(options, dtypes, missing, seed):
    follow(optim.Adagrad, SlowAdagrad, options, dtypes, seed, missing)


def update(optimizer, vectors, step, plain):
    """One update of copies of param, grad and moments, by the kernel or by plain
    operators.
    """
    param, grad, *moments = [None if v is None else v.copy() for v in vectors]
    slots = {
        k: v for k, v in zip(optimizer.slots, moments, strict=True) if v is not None
    }
    options, known = (optimizer.options(optimizer.param_groups[0]), modules.copy())
    if plain:
        modules.clear()
    try:
        optimizer.update(options, find("cpu"), param, grad, slots, step)
    finally:
        modules.update(known)
    return [param, grad, *map(slots.get, optimizer.slots)]


@given(
    size=st.sampled_from([1, 2, 7, 100]),
    step=st.sampled_from([1, 2, 10, 10000]),
    betas=st.sampled_from([(0.9, 0.999), (0.0, 0.5), (0.5, 0.0)]),
    weight_decay=decays,
    amsgrad=flags,
    decoupled=flags,
    dtype=st.sampled_from(["f4", "f8"]),
    seed=seeds,
)
def test_the_kernel_is_the_generic_step(
    size, step, betas, weight_decay, amsgrad, decoupled, dtype, seed
):
    rng = np.random.default_rng(seed)
    vectors = [np.asarray(rng.standard_normal(size), dtype) for _ in range(5)]
    for squares in vectors[3:]:
        np.abs(squares, squares)
    vectors[4] = vectors[4] if amsgrad else None
    optimizer = (optim.AdamW if decoupled else optim.Adam)(
        parameters(), lr=0.01, betas=betas, weight_decay=weight_decay, amsgrad=amsgrad
    )
    results = [update(optimizer, vectors, step, plain) for plain in (False, True)]
    # The kernel leaves it alone
    np.testing.assert_array_equal(results[0].pop(1), vectors[1])
    results[1].pop(1)
    tolerance = {"f4": 3e-6, "f8": 1e-13}[dtype]
    for a, b in zip(*results, strict=True):
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_the_kernel_works_in_pieces():
    size = 2 * optimizer_kernels.CHUNK + 3
    rng = np.random.default_rng(0)
    vectors = [rng.standard_normal(size).astype(np.float32) for _ in range(4)]
    np.abs(vectors[3], vectors[3])
    optimizer = optim.Adam(parameters(), lr=0.1, betas=(0.9, 0.99), weight_decay=0.1)
    pieces, whole = (
        update(optimizer, [*vectors, None], 3, plain) for plain in (False, True)
    )
    for place in (0, 2, 3):
        np.testing.assert_allclose(pieces[place], whole[place], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.RMSprop])
def test_a_parabola_is_descended(kind):
    w = nn.Parameter(np.array([3.0, -2.0]))
    optimizer = kind([w], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        ((w - tg.tensor(np.array([1.0, 2.0]))) ** 2).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(w.numpy(), [1, 2], atol=1e-2)


def test_defaults_are_pytorchs():
    betas = {"betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False}
    expected = {
        "SGD": {"lr": 1e-3, "momentum": 0.0, "dampening": 0.0, "nesterov": False},
        "Adam": {"lr": 1e-3, **betas},
        "AdamW": {"lr": 1e-3, "weight_decay": 1e-2, **betas},
        "RMSprop": {
            "lr": 1e-2,
            "alpha": 0.99,
            "eps": 1e-8,
            "momentum": 0.0,
            "centered": False,
        },
        "Adagrad": {
            "lr": 1e-2,
            "lr_decay": 0.0,
            "initial_accumulator_value": 0.0,
            "eps": 1e-10,
        },
    }
    shared = {"weight_decay": 0.0, "maximize": False}
    for name, defaults in expected.items():
        assert getattr(optim, name)(parameters()).defaults == {**shared, **defaults}


def test_momentum_may_be_switched_on_later():
    """The first velocity is then the first gradient seen with it, as in PyTorch."""
    w = nn.Parameter(np.zeros(2))
    optimizer = optim.SGD([w], lr=1.0)
    w.grad = tg.ones(2, dtype=tg.float64)
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), [-2, -2])
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), [-3.5, -3.5])


def test_the_first_velocity_is_not_dampened_whenever_it_is():
    w = nn.Parameter(np.zeros(2))
    optimizer = optim.SGD([w], lr=1.0, dampening=0.5)
    w.grad = tg.ones(2, dtype=tg.float64)
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), [-2, -2])
    optimizer.step()
    np.testing.assert_array_equal(w.numpy(), [-3, -3])


@pytest.mark.parametrize(
    ("kind", "option", "before", "after"),
    [
        (optim.SGD, "momentum", 0.0, 0.9),
        (optim.SGD, "momentum", 0.9, 0.0),
        (optim.Adam, "amsgrad", False, True),
        (optim.Adam, "amsgrad", True, False),
    ],
)
def test_a_state_saved_just_after_a_switch_goes_on(kind, option, before, after):
    runs = [parameters(), parameters()]
    one, two = (kind(params, lr=0.1, **{option: before}) for params in runs)
    if kind is optim.SGD:
        one.param_groups[0]["dampening"] = 0.5
    train(runs[0], one, np.random.default_rng(0), 2)
    one.param_groups[0][option] = after
    two.load_state_dict(one.state_dict())
    for param, other in zip(*runs, strict=True):
        other.data = param.detach().clone()
    for params, optimizer in zip(runs, (one, two), strict=True):
        train(params, optimizer, np.random.default_rng(1), 2)
    all_equal(*map(arrays, runs))
    same_state(one.state_dict(), two.state_dict())


def test_amsgrad_may_be_switched_on_and_off():
    """What is remembered stays, and the new maximum begins at 0."""
    params = parameters()
    optimizer, rng = optim.Adam(params, lr=0.1), np.random.default_rng(0)
    train(params, optimizer, rng, 2)
    kept = optimizer.state_dict()["state"][0]
    optimizer.param_groups[0].update(amsgrad=True, betas=(0.0, 0.0))
    give_gradients(params, rng)
    grad = params[0].grad.numpy()
    optimizer.step()
    found = optimizer.state_dict()["state"][0]
    assert found["step"] == kept["step"] + 1 == 3
    np.testing.assert_allclose(found["max_exp_avg_sq"], grad**2)
    optimizer.param_groups[0]["amsgrad"] = False
    train(params, optimizer, rng, 1)
    assert list(optimizer.state_dict()["state"][0]) == ["step", "exp_avg", "exp_avg_sq"]
