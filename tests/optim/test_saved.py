"""States of optimizers: training goes on bit for bit, and what does not fit is told."""

import copy
import json
import math

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

from tinygrad_rnn import nn, optim
from tinygrad_rnn.backend import find
from tinygrad_rnn.errors import CheckpointError

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
        "exp_avg of parameter 0 is float64 of shape (3, 3), "
        "expected float64 of shape (2, 3)",
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
