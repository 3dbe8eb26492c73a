"""Options: numbers of any kind, and what cannot be right."""

import inspect
import math

import numpy as np
import pytest
from optim.training import all_equal, arrays, parameters, same_state, train, two_groups

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import OptionError
from tinygrad_rnn.optim.options import LEFT_OUT


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
    optimizer.param_groups[1][option] = optimizer.defaults[option]
    same_state(
        {"state": state, "param_groups": 0},
        {**optimizer.state_dict(), "param_groups": 0},
    )
    optimizer.step()
