"""Errors of Python and of array libraries, in terms of the public call."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DTypeError

CALLS = [
    (lambda t: t.sum(axis=0), "sum: got axis=, use dim="),
    (lambda t: t.mean(0, keepdims=True), "mean: got keepdims=, use keepdim="),
    (lambda t: tg.amax(t, axis=0), "amax: got axis=, use dim="),
    (lambda t: t.flip(axis=0), "flip: got axis=, use dim="),
    (lambda t: t.argmax(axis=0), "argmax: got axis=, use dim="),
    (lambda t: t.cumsum(axis=0), "cumsum: got axis=, use dim="),
    (lambda t: t.softmax(axis=0), "softmax: got axis=, use dim="),
    (lambda t: t.unsqueeze(axis=0), "unsqueeze: got axis=, use dim="),
    (lambda t: tg.stack([t], axis=0), "stack: got axis=, use dim="),
    (
        lambda t: tg.nn.functional.log_softmax(t, axis=0),
        "log_softmax: got axis=, use dim=",
    ),
    (lambda t: t.permute(axes=(1, 0)), "permute: got axes=, use dims="),
    (
        lambda t: t.var(unbiased=False),
        "var: got unbiased=, use correction=1 or correction=0",
    ),
    (lambda t: t.std(ddof=0), "std: got ddof=, use correction="),
    (
        lambda t: t.add(t, alpha=2),
        "add: got alpha=, use a product, as in x + alpha * y",
    ),
    (
        lambda t: t.add_(t, alpha=2),
        "add_: got alpha=, use a product, as in x + alpha * y",
    ),
    (lambda t: tg.exp(t, out=t), "exp: got out=, use y = f(x), as all functions"),
    (
        lambda t: t.flatten(first=1),
        "flatten: got first=; the arguments are start_dim, end_dim",
    ),
]


@pytest.mark.parametrize(("call", "words"), CALLS)
def test_an_argument_of_another_name_is_told_ours(call, words):
    with pytest.raises(TypeError) as caught:
        call(tg.ones(2, 3))
    assert isinstance(caught.value, DTypeError)
    assert str(caught.value).startswith(words)


def test_a_type_error_from_inside_is_not_taken_for_a_wrong_argument():
    with pytest.raises(
        TypeError, match="^scatter: src is NoneType, expected a Tensor or a number"
    ):
        tg.ones(2).scatter(0, tg.tensor([0]))


@pytest.mark.parametrize("name", ["mean", "sum", "max", "std", "prod", "any"])
def test_numpys_functions_of_arrays_name_the_method(name):
    for t in (tg.ones(2, 3), tg.ones(2, 3, requires_grad=True)):
        with pytest.raises(TypeError, match=rf"{name}: np.{name} .* use t.{name}\(\)"):
            getattr(np, name)(t)
        with pytest.raises(TypeError, match=rf"use t.{name}\(\)"):
            getattr(np, name)(t, axis=0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: tg.tensor([2]) ** -1,
        lambda: tg.tensor([2, 3]) ** tg.tensor([-1, 2]),
        lambda: 2 ** tg.tensor([-1]),
        lambda: tg.tensor([2]).pow(-2),
    ],
)
def test_integers_to_a_negative_power_are_no_matter_of_shapes(call):
    with pytest.raises(
        tg.errors.OptionError, match=r"pow.*negative integer powers.*\.float\(\)"
    ):
        call()
