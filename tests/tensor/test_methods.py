"""Every method that computes, against NumPy's: its value and its slope."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from methods_table import CASES, call, drawn
from oracle import assert_close, difference, gradients, outputs_of
from strategies import real

import tinygrad_rnn as tg
from tinygrad_rnn.errors.boundary import name_errors


@pytest.mark.parametrize(
    "call", [tg.softmax, tg.nn.functional.softmax, tg.Tensor.softmax]
)
def test_pythons_own_messages_name_the_function_and_no_class_of_ours(call):
    with pytest.raises(TypeError, match=r"^softmax\(\) missing .* 'dim'$"):
        call(tg.ones(2))


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_value_and_gradient(name, data, device):
    d, arrays, settings = drawn(name, data)
    placed = partial(tg.tensor, device=device)
    ours, numpys = call(tg, placed, name, settings), CASES[name][1]
    settings.pop("names", None)
    found = outputs_of(ours(*map(placed, arrays)))
    wanted = outputs_of(numpys(*arrays, **settings))
    assert len(found) == len(wanted)
    for one, two in zip(found, wanted, strict=True):
        assert_close(one.cpu().numpy(), np.asarray(two), what=name)
    if found[0].dtype.kind != "f" or arrays[0].dtype.kind != "f":
        return
    u = np.asarray(real(d.rng, found[0].shape))
    directions = [np.asarray(real(d.rng, a.shape)) for a in arrays]

    def first_output(*xs):
        return outputs_of(ours(*xs))[0]

    def weigh(*xs):
        return (outputs_of(numpys(*xs, **settings))[0] * u).sum()

    slopes = gradients(first_output, arrays, range(len(arrays)), [u], device=device)
    along = sum((g * v).sum() for g, v in zip(slopes, directions, strict=True))
    wanted = difference(weigh, arrays, directions, step=1e-5)
    assert_close(along, wanted, rtol=1e-6, what=name)


@pytest.mark.parametrize(
    "error", [KeyError("a: b"), MemoryError("a: b"), AttributeError("a: b")]
)
def test_errors_that_are_not_about_the_call_stay_as_they_are(error):
    def total(x):
        raise error

    with pytest.raises(type(error)) as caught:
        name_errors(total)(tg.ones(1))
    assert caught.value is error
    assert error.args == ("a: b",)


OPERATORS = """
    add sub mul truediv floordiv mod pow matmul and or radd rsub rmul rtruediv rfloordiv
    rmod rpow rmatmul rand ror iadd isub imul itruediv ifloordiv imod ipow iand ior neg
    abs invert pos eq ne lt le gt ge
"""


@pytest.mark.parametrize("name", OPERATORS.split())
def test_an_operator_says_what_it_does(name):
    method = getattr(tg.Tensor, f"__{name}__")
    assert method.__doc__ != getattr(int, f"__{name}__", object).__doc__
    summary = method.__doc__.partition("\n\n")[0]
    assert summary.endswith(".")
