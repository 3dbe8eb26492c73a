"""The optimizers: their formulas, what they remember, and that a step is all or
nothing.
"""

import contextlib
import copy
import inspect
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import kernels, nn, optim
from tinygrad_rnn.backend import find
from tinygrad_rnn.errors import CheckpointError, GraphError, OptionError
from tinygrad_rnn.kernels.numpy import optimizer as optimizer_kernels
from tinygrad_rnn.optim.options import LEFT_OUT

SHAPES = ((2, 3), (), (4,), (0, 2))
seeds = st.integers(0, 2**32)
flags = st.booleans()
rates = st.sampled_from([1e-3, 0.1, 0.0])
decays = st.sampled_from([0.0, 0.1])


def parameters(seed=0, dtypes=("f8", "f8", "f8", "f8")):
    rng = np.random.default_rng(seed)
    return [
        nn.Parameter(np.asarray(rng.standard_normal(shape), dtype))
        for shape, dtype in zip(SHAPES, dtypes, strict=True)
    ]


def give_gradients(params, rng, missing=0.0):
    """The next gradients, the same ones for the same generator; at times none."""
    for parameter in params:
        values = np.asarray(rng.standard_normal(parameter.shape), parameter.dtype)
        parameter.grad = None if rng.random() < missing else tg.tensor(values)


def arrays(params):
    return [p.numpy().copy() for p in params]


def all_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def same_state(a, b):
    assert a["param_groups"] == b["param_groups"]
    assert list(a["state"]) == list(b["state"])
    for place, entry in a["state"].items():
        assert list(entry) == list(b["state"][place])
        for name, value in entry.items():
            np.testing.assert_array_equal(
                np.asarray(value), np.asarray(b["state"][place][name])
            )


# ---------------------------------------------------------------- the formulas, number by number


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
    options, known = (
        optimizer.options(optimizer.param_groups[0]),
        kernels.modules.copy(),
    )
    if plain:
        kernels.modules.clear()
    try:
        optimizer.update(options, find("cpu"), param, grad, slots, step)
    finally:
        kernels.modules.update(known)
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


@pytest.mark.parametrize(
    "kind", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad]
)
def test_what_computes_otherwise_in_pytorch_is_left_out(kind):
    """The keywords are there, their defaults and False pass, and what is set says why
    not.
    """
    known = inspect.signature(kind).parameters.keys() & LEFT_OUT.keys()
    assert known >= {"foreach", "differentiable"}
    for key in known:
        kind(parameters(), **{key: False})
        with pytest.raises(
            OptionError, match=rf"{kind.__name__}: {key}=True is not supported: "
        ):
            kind(parameters(), **{key: True})


def test_one_group_may_go_up_and_another_down():
    up, down = (nn.Parameter(np.zeros(2)) for _ in range(2))
    groups = [{"params": [up], "maximize": True}, {"params": [down]}]
    optimizer = optim.SGD(groups, lr=1.0)
    up.grad = down.grad = tg.ones(2, dtype=tg.float64)
    optimizer.step()
    assert (up.tolist(), down.tolist()) == ([1.0, 1.0], [-1.0, -1.0])
    with pytest.raises(
        tg.errors.DTypeError, match="maximize is int, expected True or False"
    ):
        optim.SGD([up], maximize=1)


# ---------------------------------------------------------------- groups


def test_groups_have_options_of_their_own():
    a, b, c = (nn.Parameter(np.ones(2)) for _ in range(3))
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    optimizer.add_param_group({"params": [c], "weight_decay": 1.0})
    for p in (a, b, c):
        p.grad = tg.ones_like(p)
    optimizer.step()
    np.testing.assert_allclose(a.numpy(), 0.9)
    np.testing.assert_allclose(b.numpy(), 0.5)
    np.testing.assert_allclose(c.numpy(), 0.8)
    optimizer.param_groups[1]["lr"] = 0.0
    optimizer.step()
    np.testing.assert_allclose(a.numpy(), 0.8)
    np.testing.assert_allclose(b.numpy(), 0.5)


def test_a_group_may_join_late():
    a, b = (nn.Parameter(np.ones(2)) for _ in range(2))
    optimizer = optim.Adam([a], lr=0.1)
    a.grad = b.grad = tg.ones(2, dtype=tg.float64)
    optimizer.step()
    optimizer.add_param_group({"params": [b]})
    optimizer.step()
    state = optimizer.state_dict()
    assert [entry["step"] for entry in state["state"].values()] == [2, 1]
    assert [group["params"] for group in state["param_groups"]] == [[0], [1]]
    np.testing.assert_allclose(b.numpy(), 0.9)


def test_a_wrong_group_is_not_added():
    a = nn.Parameter(np.ones(2))
    optimizer = optim.Adam([a])
    before = copy.deepcopy(optimizer.state_dict())
    for group in (
        {"params": [nn.Parameter(np.ones(2)), a]},
        {"params": [nn.Parameter(np.ones(2))], "momentum": 0.9},
        {"params": [nn.Parameter(np.ones(2))], "lr": -1.0},
        {"params": [tg.ones(2, requires_grad=True) * 2]},
        {"params": [tg.tensor([1, 2])]},
    ):
        with pytest.raises((ValueError, TypeError), match=r"optim\.Adam"):
            optimizer.add_param_group(group)
        same_state(optimizer.state_dict(), before)


SHARED = {
    "one array twice": lambda w: (nn.Parameter(w), nn.Parameter(w)),
    "one tensor twice": lambda w: [nn.Parameter(t) for t in [tg.from_numpy(w)] * 2],
    "a part of the other": lambda w: (nn.Parameter(w), nn.Parameter(w[1:3])),
    "rows in common": lambda w: (nn.Parameter(w[:3]), nn.Parameter(w[2:])),
    "the other way round": lambda w: (nn.Parameter(w), nn.Parameter(w[::-1, ::-1])),
    "a row and a column": lambda w: (nn.Parameter(w[1]), nn.Parameter(w[:, 2])),
    "an element": lambda w: (nn.Parameter(w[2, 3, ...]), nn.Parameter(w.T)),
    "a tensor and its detached self": lambda w: (
        tg.from_numpy(w).requires_grad_(),
        tg.from_numpy(w).detach().requires_grad_(),
    ),
}
APART = {
    "neighbours": lambda w: [nn.Parameter(row) for row in w],
    "every other column": lambda w: (nn.Parameter(w[:, ::2]), nn.Parameter(w[:, 1::2])),
    "columns": lambda w: [nn.Parameter(w[:, i]) for i in range(6)],
    "nothing": lambda w: (
        nn.Parameter(w),
        nn.Parameter(w[:0]),
        nn.Parameter(w[:, 3:3]),
    ),
}


@pytest.mark.parametrize("how", SHARED)
@pytest.mark.parametrize("together", [True, False])
def test_two_parameters_in_one_memory_are_an_error(how, together):
    """Of two updates one would be lost; among many others, in one group or in two."""
    others = [nn.Parameter(np.zeros(3)) for _ in range(20)]
    pair = SHARED[how](np.zeros((4, 6)))
    words = r"optim.SGD: parameter 20 \(\w+, shape .*\) and parameter 21 \(.* share memory; clone\(\)"
    if together:
        with pytest.raises(OptionError, match=words):
            optim.SGD([*others, *pair])
        return
    with pytest.raises(OptionError, match=words):
        optim.SGD([{"params": [*others, pair[0]]}, {"params": pair[1]}])
    optimizer = optim.SGD([*others, pair[0]])
    with pytest.raises(OptionError, match=words):
        optimizer.add_param_group({"params": pair[1]})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_parameters_that_come_to_share_memory_are_an_error_in_the_next_step(kind):
    one, two = nn.Parameter(np.zeros(3)), nn.Parameter(np.zeros(3))
    optimizer = kind([one, two], lr=1.0)
    for step in range(2):
        for param in (one, two):
            param.grad = tg.ones_like(param)
        if step:
            two.data = one.data
            with pytest.raises(
                OptionError, match="parameter 0 .* parameter 1 .* share memory"
            ):
                optimizer.step()
        else:
            optimizer.step()
    np.testing.assert_allclose(one.numpy(), -1.0, rtol=1e-6)
    two.data = one.data.clone()
    optimizer.step()
    np.testing.assert_allclose([one.numpy(), two.numpy()], -2.0, rtol=1e-6)


@pytest.mark.parametrize("how", APART)
def test_parameters_apart_in_one_memory_are_trained(how):
    params = APART[how](np.zeros((4, 6)))
    optimizer = optim.SGD(params, lr=1.0)
    for place, param in enumerate(params):
        param.grad = tg.full_like(param, place + 1.0)
    optimizer.step()
    for place, param in enumerate(params):
        assert (param.numpy() == -place - 1.0).all()


@given(data=st.data())
def test_what_shares_memory_is_found(data):
    """As NumPy says of each pair, for random windows of a buffer."""
    buffer = np.zeros(60)
    arrays = []
    for _ in range(data.draw(st.integers(2, 6))):
        start, length = data.draw(st.integers(0, 59)), data.draw(st.integers(1, 9))
        arrays.append(
            buffer[start : start + length][:: data.draw(st.sampled_from([1, 2, 3, -1]))]
        )
    pairs = [(a, b) for i, a in enumerate(arrays) for b in arrays[:i]]
    shared = any(np.shares_memory(a, b) for a, b in pairs)
    params = [nn.Parameter(array) for array in arrays]
    with (
        pytest.raises(OptionError, match="share memory")
        if shared
        else contextlib.nullcontext()
    ):
        optim.Adam(params)


# ---------------------------------------------------------------- gradients come and go


def test_zero_grad():
    params = parameters()
    optimizer = optim.SGD(params)
    give_gradients(params, np.random.default_rng(0))
    params[1].grad = None
    optimizer.zero_grad(set_to_none=False)
    assert params[1].grad is None
    for p in params[::2]:
        assert p.grad.dtype == p.dtype
        assert not p.grad.numpy().any()
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


def test_without_a_gradient_nothing_moves():
    params = parameters()
    before = arrays(params)
    optimizer = optim.Adam(params, weight_decay=0.5)
    optimizer.step()
    all_equal(arrays(params), before)
    assert optimizer.state_dict()["state"] == {}


def test_layouts_of_parameters_and_gradients_do_not_matter():
    rng = np.random.default_rng(0)
    values, slopes = rng.standard_normal((2, 4, 3))
    plain, odd = nn.Parameter(values.copy()), nn.Parameter(np.asfortranarray(values))
    wide = np.zeros((4, 6))
    wide[:, ::2] = slopes
    plain.grad, odd.grad = tg.tensor(slopes), tg.from_numpy(wide[:, ::2])
    for p in (plain, odd):
        optim.Adam([p], lr=0.1).step()
    np.testing.assert_array_equal(odd.numpy(), plain.numpy())
    assert odd.numpy().flags.f_contiguous


def test_a_step_changes_parameters_in_place():
    """Whoever holds the tensor or its memory sees the new values, and an old graph is
    told.
    """
    layer = nn.Linear(2, 2)
    held = layer.weight.numpy()
    before = held.copy()
    loss = layer(tg.ones(1, 2, requires_grad=True)).sum()
    loss.backward(retain_graph=True)
    optim.SGD(layer.parameters(), lr=0.1).step()
    assert layer.weight.numpy() is held
    assert (held != before).all()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_the_dtype_may_change_before_the_first_step_only():
    layer = nn.Linear(2, 2)
    optimizer = optim.Adam(layer.parameters())
    layer.double()
    layer(tg.ones(1, 2, dtype=tg.float64)).sum().backward()
    optimizer.step()
    assert optimizer.state_dict()["state"][0]["exp_avg"].dtype == np.float64
    layer.float()
    before = arrays(layer.parameters())
    with pytest.raises(
        OptionError, match=r"its parameter float32.*, its state float64"
    ):
        optimizer.step()
    all_equal(arrays(layer.parameters()), before)


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


@pytest.mark.parametrize("value", [np.float64(0.1), np.float32(0.1), 1, np.int64(1)])
@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.RMSprop, optim.Adagrad])
def test_numbers_of_numpy_are_numbers(kind, value):
    """A float64 rate does not make a float32 step a float64 one."""
    found = []
    for lr in (value, float(value)):
        rng = np.random.default_rng(0)
        w = nn.Parameter(rng.standard_normal(100, np.float32))
        w.grad = tg.tensor(rng.standard_normal(100, np.float32))
        optimizer = kind([w], lr=lr)
        optimizer.step()
        optimizer.step()
        found.append(w.numpy())
    all_equal(*[[array] for array in found])


def test_the_order_of_a_group_may_change():
    params, others = parameters(), parameters()
    one, other = optim.Adam(params), optim.Adam(others)
    rng, again = np.random.default_rng(0), np.random.default_rng(0)
    train(params, one, rng)
    train(others, other, again)
    one.param_groups[0]["params"].reverse()
    train(params, one, rng)
    train(others, other, again)
    all_equal(arrays(params), arrays(others))


def test_a_parameter_may_change_its_group():
    params, others = parameters(), parameters()
    one = optim.Adam([{"params": params[:2]}, {"params": params[2:]}], lr=0.1)
    other = optim.Adam(others, lr=0.1)
    rng, again = np.random.default_rng(0), np.random.default_rng(0)
    train(params, one, rng)
    train(others, other, again)
    one.param_groups[1]["params"].insert(0, one.param_groups[0]["params"].pop())
    train(params, one, rng)
    train(others, other, again)
    all_equal(arrays(params), arrays(others))
    one.param_groups[0]["params"].clear()
    assert set(one.state_dict()["state"]) == {0, 1, 2}


def test_parameters_may_change_places():
    """Each brings its own state along, also where another's of its size lay."""
    found = []
    for swapped in (False, True):
        params = [nn.Parameter(np.full(2, float(n))) for n in range(4)]
        groups = [{"params": params[:2]}, {"params": params[2:]}]
        optimizer, rng = optim.Adam(groups, lr=0.1), np.random.default_rng(0)
        train(params, optimizer, rng)
        if swapped:
            for group, other in zip(optimizer.param_groups, (3, 1), strict=True):
                group["params"][1] = params[other]
        train(params, optimizer, rng)
        found.append(arrays(params))
    all_equal(*found)


# ---------------------------------------------------------------- options that are set later


@pytest.mark.parametrize(
    ("kind", "option", "value", "words"),
    [
        (optim.SGD, "lr", math.nan, "lr is nan"),
        (optim.Adam, "lr", -1.0, "lr is -1.0"),
        (optim.RMSprop, "lr", None, "lr is None"),
        (optim.Adagrad, "lr", "0.1", "lr is '0.1'"),
        (optim.AdamW, "betas", (0.9, 1.0), "betas\\[1\\] is 1.0"),
        (optim.SGD, "nesterov", True, "nesterov needs a momentum"),
        (optim.SGD, "nesterov", "no", "nesterov is str, expected True or False"),
        (optim.RMSprop, "centered", 1, "centered is int"),
        (
            optim.RMSprop,
            "alpha",
            1.5,
            "alpha is 1.5, expected a number from 0.0 to 1.0",
        ),
    ],
)
def test_what_cannot_be_right_stops_the_step(kind, option, value, words):
    params, optimizer = two_groups(kind)
    train(params, optimizer, np.random.default_rng(0), 1)
    before, state = arrays(params), optimizer.state_dict()["state"]
    optimizer.param_groups[1][option] = value
    for _ in range(2):
        with pytest.raises((OptionError, tg.errors.DTypeError), match=words):
            optimizer.step()
    all_equal(arrays(params), before)
    same_state(
        {"state": state, "param_groups": 0},
        {**optimizer.state_dict(), "param_groups": 0},
    )
    optimizer.param_groups[1][option] = optimizer.defaults[option]
    optimizer.step()


# ---------------------------------------------------------------- closures


def test_a_closure_runs_while_recording_and_its_result_comes_back():
    w = nn.Parameter(np.array([1.0]))
    optimizer = optim.SGD([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with tg.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 1.0
    np.testing.assert_allclose(w.numpy(), 0.8)
    assert optimizer.step() is None


def test_a_closure_that_fails_changes_nothing():
    params = parameters()
    give_gradients(params, np.random.default_rng(0))
    optimizer = optim.Adam(params)
    optimizer.step()
    before, state = arrays(params), optimizer.state_dict()
    with pytest.raises(KeyError), tg.no_grad():
        optimizer.step(lambda: {}["missing"])
    all_equal(arrays(params), before)
    same_state(optimizer.state_dict(), state)


# ---------------------------------------------------------------- all or nothing


class Torn(optim.Adam):
    """Fails in the update of the second group, after it changed what it was given."""

    def update(self, options, xp, param, grad, slots, step):
        super().update(options, xp, param, grad, slots, step)
        if options["lr"] == 0.5:
            raise MemoryError


def two_groups(kind, seed=0):
    params = parameters(seed)
    groups = [{"params": params[:2]}, {"params": params[2:], "lr": 0.5}]
    return params, kind(groups, lr=0.1)


def train(params, optimizer, rng, steps=3):
    for _ in range(steps):
        give_gradients(params, rng)
        optimizer.step()


def test_a_step_that_fails_changes_nothing():
    params, optimizer = two_groups(Torn)
    give_gradients(params, np.random.default_rng(0))
    before, state = arrays(params), optimizer.state_dict()
    with pytest.raises(MemoryError):
        optimizer.step()
    all_equal(arrays(params), before)
    same_state(optimizer.state_dict(), state)


@pytest.mark.parametrize(
    "kind", [optim.Adam, lambda p, lr: optim.SGD(p, lr, momentum=0.9)]
)
@pytest.mark.parametrize("ragged", [False, True])
def test_when_memory_runs_out_nothing_changes(kind, ragged, monkeypatch):
    """Wherever it runs out: at the first allocation, the second ... until a step gets
    through.
    """
    cpu, failures = find("cpu"), 0
    join, array, empty = cpu.join, cpu.array, optimizer_kernels.empty
    params, optimizer = two_groups(kind)
    rng = np.random.default_rng(1)
    train(params, optimizer, rng, 2)
    give_gradients(params, rng, 0.5 if ragged else 0.0)
    expected_params, expected_optimizer = two_groups(kind)
    again = np.random.default_rng(1)
    train(expected_params, expected_optimizer, again, 2)
    give_gradients(expected_params, again, 0.5 if ragged else 0.0)
    expected_optimizer.step()

    for patience in range(100):
        left = patience

        def short(function):
            def allocate(*args):
                nonlocal left
                left -= 1
                if left < 0:
                    raise MemoryError
                return function(*args)

            return allocate

        before, state = arrays(params), optimizer.state_dict()
        with monkeypatch.context() as patch, contextlib.suppress(MemoryError):
            patch.setattr(cpu, "join", short(join))
            patch.setattr(cpu, "array", short(array))
            patch.setattr(optimizer_kernels, "empty", short(empty))
            optimizer.step()
            break
        failures += 1
        all_equal(arrays(params), before)
        same_state(optimizer.state_dict(), state)
    assert failures >= 2
    all_equal(arrays(params), arrays(expected_params))
    same_state(optimizer.state_dict(), expected_optimizer.state_dict())


@pytest.mark.parametrize(
    "wrong", [tg.ones(3), tg.ones(4), tg.ones(1, 4, dtype=tg.float64)]
)
def test_a_gradient_that_does_not_fit_stops_the_step(wrong):
    params, optimizer = two_groups(optim.Adam)
    give_gradients(params, np.random.default_rng(0))
    params[2].grad.array = wrong.array  # an assignment would have refused it
    before = arrays(params)
    with pytest.raises(OptionError, match=r"optim.Adam.step: a gradient is float"):
        optimizer.step()
    all_equal(arrays(params), before)
    assert optimizer.state_dict()["state"] == {}


def test_memory_that_cannot_be_written_stops_the_step():
    params, optimizer = two_groups(optim.Adam)
    give_gradients(params, np.random.default_rng(0))
    params[2].numpy().flags.writeable = False
    before = arrays(params)
    with pytest.raises(
        GraphError, match=r"optim.Adam: this tensor's memory is read-only"
    ):
        optimizer.step()
    all_equal(arrays(params), before)
    assert optimizer.state_dict()["state"] == {}


# ---------------------------------------------------------------- state

KINDS = [
    lambda p: optim.AdamW(p, lr=0.05),
    lambda p: optim.RMSprop(p, lr=0.05),
    lambda p: optim.RMSprop(p, lr=0.05, momentum=0.9, centered=True),
    lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1, initial_accumulator_value=0.1),
    lambda p: optim.Adam(p, lr=0.05, betas=(0.8, 0.95), weight_decay=0.1),
    lambda p: optim.Adam(p, lr=0.05, amsgrad=True),
    lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    lambda p: optim.SGD(p, lr=0.05),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [0.0, 0.4])
@pytest.mark.parametrize("through_json", [False, True])
def test_training_goes_on_from_a_state_bit_for_bit(kind, missing, through_json):
    params = parameters(0, ("f4", "f8", "f4", "f8"))
    optimizer = kind(params)
    rng = np.random.default_rng(2)
    for _ in range(5):
        give_gradients(params, rng, missing)
        optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.01
    state = optimizer.state_dict()
    # Keys become strings, tuples lists, and arrays are filed elsewhere
    if through_json:
        options = json.loads(json.dumps(state["param_groups"]))
        state = {
            "state": {
                str(k): {n: v if n == "step" else v.numpy() for n, v in entry.items()}
                for k, entry in state["state"].items()
            },
            "param_groups": options,
        }
    twins = [nn.Parameter(p.numpy().copy()) for p in params]
    fresh = kind(twins)
    give_gradients(twins, np.random.default_rng(9))
    fresh.step()  # what it remembers is replaced
    for p, twin in zip(params, twins, strict=True):
        twin.data.copy_(p)
    fresh.load_state_dict(state)
    same_state(fresh.state_dict(), optimizer.state_dict())
    assert fresh.param_groups[0]["lr"] == 0.01
    assert all(
        type(fresh.param_groups[0][k]) is type(v) for k, v in fresh.defaults.items()
    )
    again = copy.deepcopy(rng)
    for _ in range(5):
        give_gradients(params, rng, missing)
        give_gradients(twins, again, missing)
        optimizer.step()
        fresh.step()
    all_equal(arrays(twins), arrays(params))
    same_state(fresh.state_dict(), optimizer.state_dict())


def test_a_state_is_a_copy_both_ways():
    params = parameters()
    optimizer = optim.Adam(params)
    train(params, optimizer, np.random.default_rng(0), 1)
    state = optimizer.state_dict()
    kept = copy.deepcopy(state)
    params[0].grad = None  # the others go on one by one
    optimizer.step()
    train(params, optimizer, np.random.default_rng(1), 1)
    same_state(state, kept)
    for entry in optimizer.state_dict()["state"].values():
        for name, value in entry.items():
            name == "step" or value.fill_(7.0)
    assert not (optimizer.state_dict()["state"][1]["exp_avg"].numpy() == 7.0).any()
    twin = optim.Adam(params)
    twin.load_state_dict(state)
    train(params, twin, np.random.default_rng(2), 1)
    state["param_groups"][0]["lr"] = 7.0
    assert twin.param_groups[0]["lr"] == 1e-3
    state["param_groups"][0]["lr"] = 1e-3
    same_state(state, kept)


def test_a_state_that_does_not_fit_changes_nothing_and_tells_all():
    params, optimizer = two_groups(optim.Adam)
    train(params, optimizer, np.random.default_rng(0))
    before = optimizer.state_dict()
    state = copy.deepcopy(before)
    state["state"][0]["exp_avg"] = np.zeros((3, 3))
    state["state"][1]["exp_avg_sq"] = np.zeros((), np.float32)
    state["state"][2]["step"] = -1
    del state["state"][3]["exp_avg"]
    state["param_groups"][0]["initial_lr"] = 0.5  # a scheduler's, which may come and go
    state["state"][9] = {}
    state["param_groups"][0]["lr"] = math.nan
    state["param_groups"][1]["momentum"] = 0.9
    with pytest.raises(CheckpointError) as caught:
        optimizer.load_state_dict(state)
    message = str(caught.value)
    for words in (
        "optim.Adam.load_state_dict: nothing was loaded",
        "exp_avg of parameter 0 is float64 of shape (3, 3), expected float64 of shape (2, 3)",
        "exp_avg_sq of parameter 1 is float32",
        "step of parameter 2 is -1, expected at least 1",
        "parameter 3 has ['step', 'exp_avg_sq'], expected",
        "parameter 9 is unexpected",
        "lr is nan",
        "it is another optimizer's: options ['momentum'], expected []",
    ):
        assert words in message
    same_state(optimizer.state_dict(), before)


def test_a_long_list_of_what_does_not_fit_is_cut_short():
    """With how many more there are; in each message that lists what it found."""
    params, optimizer = two_groups(optim.Adam)
    state = optimizer.state_dict()
    state["state"] = {place: {} for place in range(4, 30_004)}
    many = {f"layer{place}.weight": np.zeros(1) for place in range(30_000)}
    wide = {"state": {}, "param_groups": [{"params": []}] * 100_000}
    entry = {"state": {0: dict.fromkeys(many)}, "param_groups": state["param_groups"]}
    entry["state"][0] = dict.fromkeys(many, 0)
    for load, values, more in (
        (
            optimizer.load_state_dict,
            state,
            "parameter 13 is unexpected; and 29,990 more",
        ),
        (optimizer.load_state_dict, wide, "0, 0, and 99,990 more"),
        (optimizer.load_state_dict, entry, "'layer9.weight', and 29,990 more"),
        (
            nn.Linear(2, 2).load_state_dict,
            many,
            "layer7.weight is unexpected; and 29,992 more",
        ),
        (nn.Linear(2, 2).load_state_dict, {"x" * 10**6: np.zeros(1)}, "xxx..."),
        (optim.lr_scheduler.StepLR(optimizer, 3).load_state_dict, many, "and 29,9"),
    ):
        with pytest.raises(CheckpointError) as caught:
            load(values)
        assert more in str(caught.value)
        assert len(str(caught.value)) < 3000


def test_loading_when_memory_runs_out_changes_nothing(monkeypatch):
    params, optimizer = two_groups(optim.Adam)
    train(params, optimizer, np.random.default_rng(0))
    state = optimizer.state_dict()
    fresh = two_groups(optim.Adam, 1)[1]
    fresh.param_groups[0]["lr"] = 0.3
    before = fresh.state_dict()
    cpu = find("cpu")
    join = cpu.join
    for patience in range(100):
        left = patience

        def short(arrays):
            nonlocal left
            left -= 1
            if left < 0:
                raise MemoryError
            return join(arrays)

        monkeypatch.setattr(cpu, "join", short)
        try:
            fresh.load_state_dict(state)
            break
        except MemoryError:
            same_state(fresh.state_dict(), before)
    assert patience > 3
    same_state(fresh.state_dict(), state)


def test_repr():
    """As PyTorch's: each group with its options, as they are now."""
    a, b = tg.ones(2), tg.ones(3)
    optimizer = optim.SGD(
        [{"params": [a]}, {"params": [b], "lr": 0.5}], lr=0.1, momentum=0.9
    )
    optimizer.param_groups[0]["lr"] = 0.01
    options = "    dampening: 0.0\n    lr: {}\n    maximize: False\n    momentum: 0.9\n"
    options += "    nesterov: False\n"
    group = f"\nParameter Group {{}}\n{options}    weight_decay: 0.0\n"
    assert repr(optimizer) == f"SGD ({group.format(0, 0.01)}{group.format(1, 0.5)})"
