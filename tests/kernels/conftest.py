"""Tests that take ``kernels`` run on NumPy's, and on those in C with each instruction
set that this processor has; tests that take ``twin`` run on those in C alone.
"""

import os
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import pytest

from tinygrad_rnn.kernels import numpy
from tinygrad_rnn.kernels.choice import INSTRUCTION_SETS, VARIABLE

try:
    from tinygrad_rnn.kernels.c import _c
except ImportError:
    _c = None


class Twin(NamedTuple):
    """A module of kernels; those in C with an instruction set."""

    module: ModuleType
    instruction_set: str = ""
    is_other: bool = False  # than the best one

    def __getattr__(self, name):
        return getattr(self.module, name)


def _use(name):
    """Use an instruction set; return whether this processor has it."""
    try:
        return _c.use(name) == name
    except ValueError:
        return False


def _use_the_usual():
    wanted = os.environ.get(VARIABLE, "")
    _c.use(wanted if wanted in INSTRUCTION_SETS else "")


def _twins():
    yield pytest.param(Twin(numpy), id="numpy")
    module = _c and import_module("tinygrad_rnn.kernels.c")
    best = _c and _c.use("")
    for name in INSTRUCTION_SETS:
        why = "not on this processor" if _c else "the kernels in C have not been built"
        skip = pytest.mark.skipif(not (_c and _use(name)), reason=f"{name}: {why}")
        yield pytest.param(Twin(module, name, name != best), id=name, marks=skip)
    if _c:
        _use_the_usual()


TWINS = [*_twins()]


def pytest_generate_tests(metafunc):
    if "kernels" in metafunc.fixturenames:
        metafunc.parametrize("kernels", TWINS)
    if "twin" in metafunc.fixturenames:
        metafunc.parametrize("twin", TWINS[1:])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    params = item.callspec.params if hasattr(item, "callspec") else {}
    used = params.get("kernels", params.get("twin"))
    name = getattr(used, "instruction_set", "")
    if not name:
        return (yield)
    _use(name)
    try:
        return (yield)
    finally:
        _use_the_usual()
