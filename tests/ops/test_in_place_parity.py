"""What becomes of a gradient when the output that it belongs to was changed in place:
as in PyTorch.

An op may save its output or its arguments for its backward. Where PyTorch's saves the
arguments, a later change of the output does no harm there, and here it does none
either.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from methods_table import CASES, call, drawn
from ops.rows import ROWS
from oracle import assert_all_close, outputs_of
from strategies import Draw

import tinygrad_rnn as tg

pytestmark = pytest.mark.parity

REFUSED = "refused"


def gradients(library, function, arrays, wrt, change=False):
    """Those of the sum of all outputs, if so after these were set to 0; REFUSED if that
    raises.
    """
    leaves = [
        None if a is None else library.tensor(np.array(a, order="C")) for a in arrays
    ]
    for i in wrt:
        leaves[i].requires_grad_()
    args = [x * 1.0 if i in wrt else x for i, x in enumerate(leaves)]
    outs = outputs_of(function(*args))
    starts = [library.ones_like(out) for out in outs]
    with library.no_grad():
        for out in outs if change else ():
            if library is tg:
                # What is expanded can be changed nowhere
                assume(out.array.flags.writeable)
            out.zero_()
    try:
        for out, g in zip(outs, starts, strict=True):
            if out.requires_grad:
                out.backward(g, retain_graph=True)
    except RuntimeError as error:
        assert "in place" in str(error) or "inplace" in str(error)
        return REFUSED
    return [leaves[i].grad for i in wrt]


def assert_as_there(ours, theirs, arrays, wrt):
    torch = pytest.importorskip("torch")
    found = gradients(tg, ours, arrays, wrt, change=True)
    if found is REFUSED:
        assert gradients(torch, theirs, arrays, wrt, change=True) is REFUSED
    else:
        assert_all_close(found, gradients(torch, theirs, arrays, wrt), 1e-10)


# The layers' outputs are what their backward reads: a copy of each would cost time and
# memory.
LAYERS = {"rnn", "lstm", "gru"}
OTHERS = LAYERS | {"broadcast_to"}  # which can be changed nowhere
EVERY = [name for name, row in ROWS.items() if row.wrt != () and name not in OTHERS]


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=20)
@given(data=st.data())
def test_row(name, data):
    torch = pytest.importorskip("torch")
    row, d = ROWS[name], Draw(data.draw)
    arrays, options = row.case(d)
    every = range(len(arrays)) if row.wrt is None else row.wrt
    floats = [i for i in every if arrays[i] is not None and arrays[i].dtype.kind == "f"]

    def ours(*args):
        return row.op(*([list(args)] if row.variadic else args), **options)

    def theirs(*args):
        return row.torch(torch, *args, **options)

    assert_as_there(ours, theirs, arrays, floats)
    if floats:
        assert_as_there(ours, theirs, arrays, [d.one_of(*floats)])


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=20)
@given(data=st.data())
def test_function(name, data):
    torch = pytest.importorskip("torch")
    d, arrays, options = drawn(name, data)
    other = options
    if options.get("p") == "fro" and np.size(options["dim"]) > 2:  # refused there
        other = options | {"p": 2}
    floats = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    ours = call(tg, tg.tensor, name, options)
    assert_as_there(ours, call(torch, torch.tensor, name, other), arrays, floats)
