"""Every row against PyTorch: value, first and second gradient, in float64 and in
float32.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ops.rows import ROWS
from oracle import assert_all_close, derivatives, outputs_of, tensors
from strategies import Draw, real

import tinygrad_rnn as tg

pytestmark = pytest.mark.parity

TOLERANCE = {"float64": 1e-10, "float32": 2e-5}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ROWS)
@given(data=st.data())
def test_row(name, dtype, data):
    torch = pytest.importorskip("torch")
    row, d = ROWS[name], Draw(data.draw)
    args, settings = row.case(d)
    args = [
        a.astype(dtype) if a is not None and a.dtype.kind == "f" else a for a in args
    ]
    every = range(len(args)) if row.wrt is None else row.wrt
    wrt = [i for i in every if args[i] is not None and args[i].dtype.kind == "f"]

    def ours(*args):
        return row.op(*([args] if row.variadic else args), **settings)

    def theirs(*args):
        return row.torch(torch, *args, **settings)

    shapes = [out.shape for out in outputs_of(ours(*tensors(args)))]
    us = [np.asarray(real(d.rng, shape), dtype) for shape in shapes]
    vs = [np.asarray(real(d.rng, args[i].shape), dtype) for i in wrt]
    found = derivatives(tg, tg.tensor, ours, args, wrt, us, vs)
    wanted = derivatives(
        torch, torch.tensor, theirs, [_positive(a) for a in args], wrt, us, vs
    )
    for one, two in zip(found, wanted, strict=True):
        assert_all_close(
            one, two, TOLERANCE[dtype] * (1 if one is not found[2] else 10)
        )


def _positive(array):
    """torch.tensor takes no negative strides."""
    return None if array is None else np.array(array, order="C")
