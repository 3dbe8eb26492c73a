"""Optimizers, schedules and loaders that are made wrongly: errors name the class."""

import inspect
from abc import ABC

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import optim
from tinygrad_rnn.errors import DTypeError
from tinygrad_rnn.optim import lr_scheduler
from tinygrad_rnn.utils.data import DataLoader

CLASSES = [
    *(getattr(optim, name) for name in optim.__all__ if name != "lr_scheduler"),
    *(getattr(lr_scheduler, name) for name in lr_scheduler.__all__),
    DataLoader,
]


@pytest.mark.parametrize("cls", CLASSES)
def test_an_unknown_option_and_a_missing_one(cls):
    name = rf"^(optim\.(lr_scheduler\.)?)?{cls.__name__}: "
    with pytest.raises(DTypeError, match=name + "got an unexpected argument 'foo'; it"):
        cls(foo=1)
    with pytest.raises(DTypeError, match=name + "missing a required argument") as error:
        cls()
    assert "self" not in str(error.value)


def test_a_constructor_keeps_its_signature():
    assert list(inspect.signature(lr_scheduler.StepLR).parameters)[:2] == [
        "optimizer",
        "step_size",
    ]
    assert list(inspect.signature(DataLoader).parameters)[0] == "dataset"


def test_errors_of_a_users_own_constructor_are_left_alone():
    class Own(optim.SGD, ABC):
        def __init__(self, params):
            super().__init__(params, lr=0.1)

    assert Own([tg.ones(1)]).defaults["lr"] == 0.1
    with pytest.raises(TypeError, match="unexpected keyword argument 'foo'") as error:
        Own([tg.ones(1)], foo=1)
    assert not isinstance(error.value, tg.Error)


def test_a_subclass_without_a_constructor_is_named():
    class Own(optim.SGD):
        pass

    with pytest.raises(DTypeError, match=r"^optim.Own: got an unexpected argument 'x'"):
        Own([tg.ones(1)], x=1)
