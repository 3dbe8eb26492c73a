"""The functions made of several ops against PyTorch's: value, first and second
gradient.
"""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from methods_table import CASES, call, drawn
from oracle import assert_all_close, derivatives, outputs_of
from strategies import real

import tinygrad_rnn as tg

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_function(name, data):
    torch = pytest.importorskip("torch")
    d, arrays, settings = drawn(name, data)
    arrays = [np.array(a, order="C") for a in arrays]
    other = settings
    if settings.get("p") == "fro" and np.size(settings["dim"]) > 2:  # refused there
        other = settings | {"p": 2}
    functions = [
        call(tg, tg.tensor, name, settings),
        call(torch, torch.tensor, name, other),
    ]
    values, ours, theirs = [], *functions
    for library, function in ((tg, ours), (torch, theirs)):
        made = function(*[library.tensor(a) for a in arrays])
        values.append(list(made) if isinstance(made, tuple) else [made])
    assert_all_close(*values, 1e-10)
    if values[0][0].dtype.kind != "f" or arrays[0].dtype.kind != "f":
        return
    us = [np.asarray(real(d.rng, values[0][0].shape))]
    vs = [np.asarray(real(d.rng, a.shape)) for a in arrays]

    def first_output(function, *xs):
        return outputs_of(function(*xs))[0]

    found, wanted = (
        derivatives(
            library,
            library.tensor,
            partial(first_output, function),
            arrays,
            range(len(arrays)),
            us,
            vs,
        )
        for library, function in ((tg, ours), (torch, theirs))
    )
    for one, two in zip(found, wanted, strict=True):
        assert_all_close(one, two, 1e-9 if one is found[2] else 1e-10)
