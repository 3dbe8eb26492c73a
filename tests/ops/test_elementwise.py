"""Elementwise ops: arrays of any shape, and steps, which have no gradient."""

import operator

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import ops
from tinygrad_rnn.engine.op import table

UNARY = [
    name
    for name, op in vars(table).items()
    if op.signature.arrays == ("x",)
    and not op.signature.settings
    and name not in ("matrix_transpose", "median", "nonzero")
]


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1, 1, 1)])
def test_any_shape_comes_out_as_an_array_of_it(name, shape):
    x = np.full(shape, 0.5, np.float32)
    x = tg.from_numpy(
        x.astype(bool) if name in ("logical_not", "bitwise_invert") else x
    )
    out = getattr(ops, name)(x)
    assert type(out.array) is np.ndarray
    assert out.shape == shape


STEPS = ["floor", "ceil", "round", "isnan", "isinf", "isfinite", "logical_not"]


@pytest.mark.parametrize("name", STEPS)
def test_a_step_records_nothing(name):
    x = tg.tensor([0.5, 1.5], requires_grad=True)
    assert not getattr(x, name)().requires_grad


COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]


@pytest.mark.parametrize("name", COMPARISONS)
def test_a_comparison_records_nothing(name):
    compare = getattr(operator, name)
    x = tg.tensor([0.5, 1.5], requires_grad=True)
    assert not compare(x, x).requires_grad
    assert not compare(1.0, x).requires_grad


@pytest.mark.parametrize(("x", "y"), [(1.0, 0.1), (-1.0, 0.1), (5.0, 2.0), (-5.0, 2.0)])
def test_a_remainders_gradient_has_the_quotient_that_the_remainder_has(x, y):
    """1 / 0.1 is 10, but the 0.1 of floats goes 9 times into 1, with a remainder of
    almost 0.1.
    """
    divisor = tg.tensor(y, dtype="float64", requires_grad=True)
    (x % divisor).backward()
    assert divisor.grad.item() == -(x // y)
