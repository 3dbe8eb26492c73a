"""tg.compile on each op and each method, with first and second gradients."""

import numpy as np
import pytest
from engine.compiled import compare
from hypothesis import given, settings
from hypothesis import strategies as st
from methods_table import CASES, call, drawn
from ops.rows import ROWS
from strategies import Draw

import tinygrad_rnn as tg


def gradients(outputs, inputs):
    """Gradients of the first and the second order."""
    found = []
    for _ in range(2):
        parts = [x for x in outputs if x.requires_grad]
        if not parts or not inputs:
            break
        total = sum((x * x).tanh().sum() for x in parts)
        outputs = tg.autograd.grad(total, inputs, create_graph=True, allow_unused=True)
        outputs = [g for g in outputs if g is not None]
        found += [g.detach() for g in outputs]
    return found


def step_of(function, arrays, settings, differentiable=True):
    """Calls of a function with fresh tensors, and what they give."""

    def step(*tensors, **settings):
        result = function(*tensors, **settings)
        outputs = [result] if isinstance(result, tg.Tensor) else list(result)
        inputs = [x for x in tensors if x is not None and x.requires_grad]
        return [x.detach() for x in outputs], gradients(outputs, inputs)

    def build(wrap):
        run = wrap(step)

        def one(number):
            tensors = [tg.tensor(x) if isinstance(x, np.ndarray) else x for x in arrays]
            for x in tensors:
                if isinstance(x, tg.Tensor) and x.dtype.kind == "f" and differentiable:
                    x.requires_grad_()
            return run(*tensors, **settings)

        return one, []

    return build


@pytest.mark.parametrize("name", ROWS)
@settings(max_examples=1)
@given(data=st.data())
def test_ops(name, data):
    row = ROWS[name]
    args, given = row.case(Draw(data.draw))

    def function(*tensors, **given):
        return (
            row.op(list(tensors), **given)
            if row.variadic
            else row.op(*tensors, **given)
        )

    with np.errstate(all="ignore"):
        compare(step_of(function, args, given, row.wrt != ()))


READ = ("nonzero", "unique", "bincount", "masked_select")  # results of no fixed shape


@pytest.mark.parametrize("name", [name for name in CASES if name not in READ])
@settings(max_examples=1)
@given(data=st.data())
def test_methods(name, data):
    _, arrays, given = drawn(name, data)
    made = {
        k: tg.tensor(v) if isinstance(v, np.ndarray) else v for k, v in given.items()
    }

    def function(*tensors, **given):
        return call(tg, tg.tensor, name, given)(*tensors)

    with np.errstate(all="ignore"):
        compare(step_of(function, arrays, made))
