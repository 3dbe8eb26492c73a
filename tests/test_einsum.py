"""einsum against NumPy's, every equation of the table of methods with sizes that tell
the dims apart.
"""

from functools import partial

import numpy as np
import pytest
from calls import check_wrong_call
from methods_table import EQUATIONS
from oracle import assert_close, complex_step, gradients, tensors
from strategies import real

import tinygrad_rnn as tg

# Diagonals, and letters on every side of them
MORE = ("kiilj->jlk", "ijkji->k", "iii,i")


@pytest.mark.parametrize("equation", [*EQUATIONS, *MORE])
def test_an_equation(equation):
    rng = np.random.default_rng(0)
    sizes = {c: 2 + k for k, c in enumerate(sorted({*equation} - {*" ,.->"}))}
    arrays = []
    for term in equation.partition("->")[0].split(","):
        before, dotted, after = term.partition("...")
        middle = (3, 2) if dotted else ()
        shape = (*(sizes[c] for c in before), *middle, *(sizes[c] for c in after))
        arrays.append(real(rng, shape))
    ours, value = partial(tg.einsum, equation), partial(np.einsum, equation)
    found = ours(*tensors(arrays))
    assert_close(found.numpy(), value(*arrays), 1e-12)
    wrt, cotangents = range(len(arrays)), [np.asarray(real(rng, found.shape))]
    expected = complex_step(value, arrays, wrt, cotangents)
    got = gradients(ours, arrays, wrt, cotangents)
    for one, two in zip(got, expected, strict=True):
        assert_close(one, two, 1e-12)


WRONG = {
    "einsum of a rank": (
        lambda x: tg.einsum("i->i", x),
        ValueError,
        "einsum: 'i->i' does not fit",
    ),
    "einsum of a size": (
        lambda x: tg.einsum("ij,ji", x, x),
        ValueError,
        "einsum: 'j' is of the sizes",
    ),
    "einsum of one": (
        lambda x: tg.einsum("ij,jk->ik", x),
        ValueError,
        "einsum: 'ij,jk->ik' names 2 operands, got 1",
    ),
    "einsum to what": (
        lambda x: tg.einsum("ij->k", x),
        ValueError,
        "einsum: .* is not an equation",
    ),
    "einsum twice": (
        lambda x: tg.einsum("ij->ii", x),
        ValueError,
        "einsum: .* is not an equation",
    ),
    "einsum of digits": (
        lambda x: tg.einsum("i1->i", x),
        ValueError,
        "einsum: .* is not an equation",
    ),
    "einsum of a number": (
        lambda x: tg.einsum("ij,", x, 2.0),
        TypeError,
        "einsum: operand 1 is float",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
