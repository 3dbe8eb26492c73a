"""What all optimizers share: groups, and steps that are all or nothing."""

import contextlib
import copy
from typing import Generic, TypeVar

import numpy as np
import pytest
from optim.training import (
    all_equal,
    arrays,
    give_gradients,
    parameters,
    same_state,
    train,
    two_groups,
)

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.backend import find
from tinygrad_rnn.errors import GraphError, OptionError
from tinygrad_rnn.kernels.numpy import optimizer as optimizer_kernels


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


def test_a_subclass_may_have_other_bases_too():
    Item = TypeVar("Item")

    class Own(optim.Optimizer, Generic[Item]):
        pass

    class Schedule(optim.lr_scheduler.LRScheduler, Generic[Item]):
        pass

    assert Own[int].__origin__ is Own
    assert Schedule[int].__origin__ is Schedule


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


class Torn(optim.Adam):
    """Fails in the update of the second group, after it changed what it was given."""

    def update(self, options, xp, param, grad, slots, step):
        super().update(options, xp, param, grad, slots, step)
        if options["lr"] == 0.5:
            raise MemoryError


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
    assert failures >= 2 or optimizer._route  # in place it takes no memory
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


def test_a_step_in_place_follows_what_changes_in_between():
    """Options, arrays, gradients that are missing: the route is found anew."""
    runs = []
    for kind in (optim.Adam, type("Copies", (optim.Adam,), {"update": _as_adam})):
        tg.manual_seed(0)
        params = [tg.randn(3, 2).requires_grad_(), tg.randn(4).requires_grad_()]
        optimizer = kind(params, lr=0.1)
        rng = np.random.default_rng(0)
        for number in range(12):
            give_gradients(params, rng)
            if number == 3:
                params[1].grad = None
            if number == 5:
                optimizer.param_groups[0]["lr"] = 0.01
            if number == 7:
                params[0].data = params[0].detach().clone()
            if number == 9:
                optimizer.load_state_dict(optimizer.state_dict())
            optimizer.step()
        runs.append(params)
    for one, two in zip(*runs, strict=True):
        np.testing.assert_allclose(one.tolist(), two.tolist(), rtol=1e-5)


def _as_adam(self, *args):
    return optim.Adam.update(self, *args)


def test_betas_may_be_changed_in_place():
    params = [tg.ones(2).requires_grad_() for _ in range(2)]
    one, two = (optim.Adam([p], lr=0.1, betas=[0.9, 0.99]) for p in params)
    for sign in (1.0, -2.0, 3.0):
        for p in params:
            p.grad = sign * tg.ones(2)
        one.step()
        two.step()
        one.param_groups[0]["betas"][0] /= 2.0
        two.param_groups[0]["betas"] = one.param_groups[0]["betas"].copy()
    all_equal(*map(arrays, [[p] for p in params]))


def test_a_parameter_that_moves_to_another_group_has_its_options():
    params, optimizer = two_groups(optim.Adam)
    rng = np.random.default_rng(0)
    for _ in range(2):
        give_gradients(params, rng)
        optimizer.step()
    first, second = optimizer.param_groups
    first["lr"] = 0.0
    second["params"].insert(0, first["params"].pop())
    before = arrays(params)
    give_gradients(params, rng)
    optimizer.step()
    changed = [(p.numpy() != a).any() for p, a in zip(params, before, strict=True)]
    assert changed == [False, True, True, False]  # the last is empty


@pytest.mark.parametrize("groups", [1, 2])
def test_memory_that_became_read_only_raises_and_changes_nothing(groups):
    params, optimizer = two_groups(optim.Adam)
    if groups == 1:
        params = [tg.ones(3).requires_grad_(), tg.ones(2).requires_grad_()]
        optimizer = optim.Adam(params)
    rng = np.random.default_rng(0)
    for _ in range(3):
        give_gradients(params, rng)
        optimizer.step()
    give_gradients(params, rng)
    before, state = arrays(params), optimizer.state_dict()
    params[-1].numpy().flags.writeable = False
    with pytest.raises(GraphError, match="read-only"):
        optimizer.step()
    all_equal(arrays(params), before)
    same_state(optimizer.state_dict(), state)
