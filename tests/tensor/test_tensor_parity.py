"""Tensors' constructors, types and ``.data`` as PyTorch's users type them, run by both
libraries.
"""

import numpy as np
import pytest

import tinygrad_rnn as tg

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch")

MADE = {
    "Tensor of floats": lambda lib: lib.Tensor([[1.5, 2.0]]),
    "Tensor of integers": lambda lib: lib.Tensor([1, 2]),
    "Tensor of an array": lambda lib: lib.Tensor(np.ones(3)),
    "Tensor of nothing": lambda lib: lib.Tensor(),
    "FloatTensor": lambda lib: lib.FloatTensor([[1, 2], [3, 4]]),
    "DoubleTensor": lambda lib: lib.DoubleTensor([1.5]),
    "LongTensor": lambda lib: lib.LongTensor([1.5, 2]),
    "LongTensor of an array": lambda lib: lib.LongTensor(np.array([1, 2], "i4")),
    "IntTensor": lambda lib: lib.IntTensor([True, False]),
    "BoolTensor": lambda lib: lib.BoolTensor([1.5, 0.0]),
    "type by name": lambda lib: lib.ones(2).type("torch.LongTensor"),
    "type by constructor": lambda lib: lib.ones(2).type(lib.DoubleTensor),
    "type by dtype": lambda lib: lib.ones(2).type(lib.int64),
    "type_as": lambda lib: lib.tensor([1.7, -1.7]).type_as(lib.tensor([1])),
    "new_tensor": lambda lib: lib.ones(2).new_tensor([1, 2]),
    "new_tensor of integers": lambda lib: lib.tensor([1]).new_tensor([1.5, 2.0]),
    "data": lambda lib: lib.ones(2, requires_grad=True).data,
    "data of another dtype": lambda lib: assigned(lib.ones(2), lib.tensor([1, 2])),
    "data of another shape": lambda lib: assigned(
        lib.ones(2, requires_grad=True), lib.zeros(3, 1, requires_grad=True)
    ),
}


def assigned(x, value):
    x.data = value
    return x


@pytest.mark.parametrize("name", MADE)
def test_the_same_is_made(name):
    ours, theirs = MADE[name](tg), MADE[name](torch)
    assert str(theirs.dtype) == f"torch.{ours.dtype}"
    assert tuple(theirs.shape) == ours.shape
    assert theirs.tolist() == ours.tolist()
    assert theirs.requires_grad == ours.requires_grad
    assert theirs.type() == ours.type()


FORMATS = ["{:.2f}", "{:>8.3f}", "{:.1e}", "{:d}", "{:s}"]


@pytest.mark.parametrize("spec", FORMATS)
@pytest.mark.parametrize("value", [1.5, 3, True, [1.5], [[2]], [1.0, 2.0]])
def test_a_format_is_the_same_or_both_raise(spec, value):
    def formatted(lib):
        try:
            return spec.format(lib.tensor(value))
        except (TypeError, ValueError) as error:
            return TypeError if isinstance(error, TypeError) else ValueError

    assert formatted(tg) == formatted(torch)


def descend(lib, x, y):
    """A step by hand in each of the ways that are seen."""
    w, b = (lib.tensor(a, requires_grad=True) for a in (np.ones((3, 1)), np.zeros(1)))
    x, y = lib.tensor(x), lib.tensor(y)
    velocity = lib.zeros(3, 1, dtype=lib.float64)
    losses = []
    for i in range(20):
        loss = ((x @ w + b - y) ** 2).mean()
        losses.append(loss.data.item())
        loss.backward()
        velocity.mul_(0.9).add_(w.grad.data)
        if i % 4 == 0:
            w.data -= 0.05 * w.grad
        elif i % 4 == 1:
            w.data.sub_(0.05 * velocity)
        elif i % 4 == 2:
            w.data = w.data - 0.05 * w.grad.data
        else:
            w.data.copy_(w.data * 0.99)
        b.data[0] -= 0.05 * b.grad.data[0]
        w.grad.data.zero_()
        del b.grad
    return losses, w.data.tolist(), b.data.tolist()


def test_steps_through_data_are_the_same():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    for ours, theirs in zip(descend(tg, x, y), descend(torch, x, y), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
