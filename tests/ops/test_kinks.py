"""At kinks and ties there is no derivative, only a choice, which is PyTorch's."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg

inf, nan = float("inf"), float("nan")


@dataclass
class Choice:
    """A function that reads the same for both libraries, and what its gradients are."""

    function: Any
    inputs: list
    gradients: list

    def run(self, library, tensor, dtype):
        inputs = [tensor(x, dtype=dtype, requires_grad=True) for x in self.inputs]
        out = self.function(library, *inputs)
        return library.autograd.grad(out.sum(), inputs)


third = 1 / 3
log2 = 0.6931471805599453

CHOICES = {
    "abs": Choice(
        lambda _, x: x.abs(), [[-1.0, 0.0, -0.0, 2.0]], [[-1.0, 0.0, 0.0, 1.0]]
    ),
    "relu": Choice(
        lambda _, x: x.relu(),
        [[-1.0, 0.0, -0.0, 2.0, inf, nan]],
        [[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]],
    ),
    "sign": Choice(lambda _, x: x.sign(), [[-1.0, 0.0, 2.0]], [[0.0, 0.0, 0.0]]),
    "maximum": Choice(
        lambda lib, x, y: lib.maximum(x, y),
        [[0.0, 1.0, 2.0, inf, nan, 1.0], [1.0, 1.0, 1.0, inf, 1.0, nan]],
        [[0.0, 0.5, 1.0, 0.5, 1.0, 1.0], [1.0, 0.5, 0.0, 0.5, 1.0, 1.0]],
    ),
    "minimum": Choice(
        lambda lib, x, y: lib.minimum(x, y),
        [[0.0, 1.0, 2.0, -inf, nan, 1.0], [1.0, 1.0, 1.0, -inf, 1.0, nan]],
        [[1.0, 0.5, 0.0, 0.5, 1.0, 1.0], [0.0, 0.5, 1.0, 0.5, 1.0, 1.0]],
    ),
    "clamp": Choice(
        lambda _, x: x.clamp(-1, 1),
        [[-2.0, -1.0, 0.0, 1.0, 2.0]],
        [[0.0, 1.0, 1.0, 1.0, 0.0]],
    ),
    "clamp below": Choice(
        lambda _, x: x.clamp(min=0), [[-2.0, 0.0, 1.0]], [[0.0, 1.0, 1.0]]
    ),
    "clamp above": Choice(
        lambda _, x: x.clamp(max=0), [[-2.0, 0.0, 1.0]], [[1.0, 1.0, 0.0]]
    ),
    "max": Choice(lambda _, x: x.max(), [[1.0, 3.0, 3.0, 0.0]], [[0.0, 0.5, 0.5, 0.0]]),
    "min": Choice(lambda _, x: x.min(), [[1.0, 0.0, 3.0, 0.0]], [[0.0, 0.5, 0.0, 0.5]]),
    "amax": Choice(
        lambda _, x: x.amax(0), [[1.0, 3.0, 3.0, 3.0]], [[0.0, third, third, third]]
    ),
    "amin": Choice(
        lambda _, x: x.amin(0), [[1.0, 0.0, 3.0, 0.0]], [[0.0, 0.5, 0.0, 0.5]]
    ),
    "amax of two dims": Choice(
        lambda _, x: x.amax((0, 1)),
        [[[1.0, 3.0], [3.0, 3.0]]],
        [[[0.0, third], [third, third]]],
    ),
    "max of a dim takes the first": Choice(
        lambda _, x: x.max(0).values, [[1.0, 3.0, 3.0, 0.0]], [[0.0, 1.0, 0.0, 0.0]]
    ),
    "min of a dim takes the first": Choice(
        lambda _, x: x.min(0).values, [[1.0, 0.0, 3.0, 0.0]], [[0.0, 1.0, 0.0, 0.0]]
    ),
    "median": Choice(
        lambda _, x: x.median(),
        [[1.0, 3.0, 1.0, 0.0, 1.0]],
        [[third, 0.0, third, 0.0, third]],
    ),
    "median of a NaN": Choice(
        lambda _, x: x.median(), [[1.0, nan, 0.0]], [[0.0, 1.0, 0.0]]
    ),
    "median of a dim": Choice(
        lambda _, x: x.median(0).values, [[4.0, 3.0, 1.0, 2.0]], [[0.0, 0.0, 0.0, 1.0]]
    ),
    "median of a dim with a NaN": Choice(
        lambda _, x: x.median(0).values, [[4.0, nan, 1.0, nan]], [[0.0, 1.0, 0.0, 0.0]]
    ),
    "cumprod over zeros": Choice(
        lambda _, x: x.cumprod(0), [[2.0, 0.0, 3.0, 0.0]], [[1.0, 8.0, 0.0, 0.0]]
    ),
    "index_fill twice": Choice(
        lambda lib, x, y: x.index_fill(0, lib.tensor([1, 1]), y),
        [[1.0, 2.0, 3.0], 5.0],
        [[1.0, 0.0, 1.0], 1.0],
    ),
    "scatter_add twice": Choice(
        lambda lib, x, y: x.scatter_add(0, lib.tensor([1, 1]), y),
        [[1.0, 2.0], [3.0, 4.0]],
        [[1.0, 1.0], [1.0, 1.0]],
    ),
    "sqrt": Choice(lambda _, x: x.sqrt(), [[0.0, 4.0]], [[inf, 0.25]]),
    "sqrt times 0": Choice(lambda _, x: x.sqrt() * 0, [[0.0, 4.0]], [[nan, 0.0]]),
    "reciprocal": Choice(lambda _, x: x.reciprocal(), [[0.0, 2.0]], [[-inf, -0.25]]),
    "divide": Choice(
        lambda _, x, y: x / y,
        [[1.0, 0.0, 3.0], [0.0, 0.0, 2.0]],
        [[inf, inf, 0.5], [-inf, nan, -0.75]],
    ),
    "log": Choice(lambda _, x: x.log(), [[0.0, 2.0]], [[inf, 0.5]]),
    "log1p": Choice(lambda _, x: x.log1p(), [[-1.0, 0.0]], [[inf, 1.0]]),
    "x ** 2": Choice(lambda _, x: x**2, [[-1.0, 0.0, 2.0]], [[-2.0, 0.0, 4.0]]),
    "x ** 1": Choice(lambda _, x: x**1, [[-1.0, 0.0, 2.0]], [[1.0, 1.0, 1.0]]),
    "x ** 0": Choice(lambda _, x: x**0, [[-1.0, 0.0, 2.0]], [[0.0, 0.0, 0.0]]),
    "x ** 0.5": Choice(lambda _, x: x**0.5, [[0.0, 4.0]], [[inf, 0.25]]),
    "x ** 1.5": Choice(lambda _, x: x**1.5, [[0.0, 4.0]], [[0.0, 3.0]]),
    "x ** -1": Choice(lambda _, x: x**-1, [[0.0, 2.0]], [[-inf, -0.25]]),
    "x ** y": Choice(
        lambda _, x, y: x**y,
        [
            [0.0, 0.0, 0.0, 0.0, 2.0, -2.0, -2.0, -2.0],
            [0.0, 1.0, 2.0, 0.5, 0.0, 2.0, 0.0, 3.0],
        ],
        [
            [0.0, 1.0, 0.0, inf, 0.0, -4.0, 0.0, 12.0],
            [0.0, 0.0, 0.0, 0.0, log2, nan, nan, nan],
        ],
    ),
    "2 ** y": Choice(
        lambda _, y: 2.0**y, [[-1.0, 0.0, 3.0]], [[0.5 * log2, log2, 8 * log2]]
    ),
    "0 ** y": Choice(lambda _, y: 0.0**y, [[0.0, 1.0, 3.0]], [[0.0, 0.0, 0.0]]),
    "sigmoid": Choice(
        lambda _, x: x.sigmoid(), [[-1000.0, 0.0, 1000.0]], [[0.0, 0.25, 0.0]]
    ),
    "tanh": Choice(lambda _, x: x.tanh(), [[-1000.0, 0.0, 1000.0]], [[0.0, 1.0, 0.0]]),
    "logsumexp": Choice(lambda _, x: x.logsumexp(0), [[-inf, 0.0]], [[0.0, 1.0]]),
    "logsumexp of nothing": Choice(
        lambda _, x: x.logsumexp(0), [[-inf, -inf]], [[nan, nan]]
    ),
    "softmax": Choice(
        lambda _, x: x.softmax(0)[0], [[0.0, -inf, 0.0]], [[0.25, 0.0, -0.25]]
    ),
    "log_softmax": Choice(
        lambda _, x: x.log_softmax(0)[0], [[0.0, -inf, 0.0]], [[0.5, 0.0, -0.5]]
    ),
    "remainder": Choice(
        lambda _, x, y: x % y,
        [[5.0, -5.0, 5.0, 6.0], [3.0, 3.0, -3.0, 3.0]],
        [[1.0, 1.0, 1.0, 1.0], [-1.0, 2.0, 2.0, -2.0]],
    ),
    "where": Choice(
        lambda lib, x, y: lib.where(x > y, x, y),
        [[1.0, 2.0], [1.0, 1.0]],
        [[0.0, 1.0], [1.0, 0.0]],
    ),
    "where hides a NaN": Choice(
        lambda lib, x: lib.where(x > 0, x, x * 0).sqrt(), [[4.0]], [[0.25]]
    ),
    "var": Choice(lambda _, x: x.var(), [[1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0]]),
    "std": Choice(lambda _, x: x.std(), [[1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0]]),
    "std of rows": Choice(
        lambda _, x: x.std(1),
        [[[1.0, 1.0], [1.0, 3.0]]],
        [[[0.0, 0.0], [-(0.5**0.5), 0.5**0.5]]],
    ),
}

every_choice = pytest.mark.parametrize("name", CHOICES)
quiet = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def assert_same(found, wanted, tolerance):
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=tolerance, atol=0)


@quiet
@every_choice
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_choice(name, dtype):
    choice = CHOICES[name]
    for found, wanted in zip(
        choice.run(tg, tg.tensor, dtype), choice.gradients, strict=True
    ):
        assert_same(found.numpy(), wanted, 1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parity
@every_choice
def test_the_numbers_are_those_of_torch(name):
    torch = pytest.importorskip("torch")
    choice = CHOICES[name]
    found = choice.run(torch, torch.tensor, torch.float64)
    for g, wanted in zip(found, choice.gradients, strict=True):
        assert_same(g.numpy(), wanted, 1e-14)
