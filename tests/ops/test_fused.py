"""A fused op equals its composite, in value, first and second gradient."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ops.rows import ROWS, package_ops
from oracle import assert_close, gradients, outputs_of, tensors
from strategies import Draw, real

import tinygrad_rnn as tg
from tinygrad_rnn.backend import find
from tinygrad_rnn.engine.fused import FusedOp

FUSED = [name for name, op in package_ops().items() if isinstance(op, FusedOp)]


def call(function, settings, *args):
    return function(*args, **settings)


def second_gradients(function, args, wrt, us, vs):
    """The gradients of <first gradients, vs>."""
    given = tensors(args, wrt)
    pairs = [
        (o, u)
        for o, u in zip(outputs_of(function(*given)), us, strict=True)
        if u is not None and o.requires_grad
    ]
    if not pairs:
        return [np.zeros(args[i].shape) for i in wrt]
    outputs, cotangents = zip(*pairs, strict=True)
    inputs = [given[i] for i in wrt]
    first = tg.autograd.grad(
        outputs,
        inputs,
        [tg.from_numpy(u) for u in cotangents],
        create_graph=True,
        allow_unused=True,
    )
    terms = [
        (g * tg.from_numpy(v)).sum()
        for g, v in zip(first, vs, strict=True)
        if g is not None
    ]
    total = sum(terms[1:], terms[0]) if terms else outputs[0].detach()
    if not total.requires_grad:
        return [np.zeros(args[i].shape) for i in wrt]
    found = tg.autograd.grad(total, inputs, allow_unused=True)
    return [
        np.zeros(args[i].shape) if g is None else g.numpy()
        for i, g in zip(wrt, found, strict=True)
    ]


@pytest.mark.parametrize("name", FUSED)
@given(data=st.data())
def test_fused_equals_composite(name, data):
    row, d = ROWS[name], Draw(data.draw)
    args, settings = row.case(d)
    fused = partial(call, row.op, settings)
    composite = partial(call, row.op.composite, settings)
    wanted = outputs_of(composite(*tensors(args)))
    for one, two in zip(outputs_of(fused(*tensors(args))), wanted, strict=True):
        assert one.dtype == two.dtype
        assert_close(one.numpy(), two.numpy(), 1e-13)

    floats = [i for i in row.wrt if args[i] is not None and args[i].dtype.kind == "f"]
    wrt = [
        i for i in floats if d.chance()
    ] or floats  # any of the arguments may need none
    us = [d.array(out.shape, real) for out in wanted]
    if len(us) > 1:
        alone = d.one_of(None, *range(len(us)))
        us = [u if alone in (None, i) else None for i, u in enumerate(us)]
    for one, two in zip(
        gradients(fused, args, wrt, us),
        gradients(composite, args, wrt, us),
        strict=True,
    ):
        assert_close(one, two, 1e-12)
    vs = [real(d.rng, args[i].shape) for i in wrt]
    for one, two in zip(
        second_gradients(fused, args, wrt, us, vs),
        second_gradients(composite, args, wrt, us, vs),
        strict=True,
    ):
        assert_close(one, two, 1e-12)


@pytest.mark.parametrize("name", FUSED)
@given(data=st.data())
def test_what_needs_no_gradient_costs_none(name, data):
    """The backward is told which gradients are wanted, and gives those alone."""
    row, d, xp = ROWS[name], Draw(data.draw), find("cpu")
    forward, backward = row.op.kernels_for(xp)
    if forward is None:
        pytest.skip("an op without kernels runs its composite")
    args, settings = row.case(d)
    floats = [i for i in row.wrt if args[i] is not None and args[i].dtype.kind == "f"]
    one = d.one_of(*floats)
    outputs, workspace = forward(xp, *args, **settings)
    us = tuple(np.asarray(real(d.rng, out.shape)) for out in outputs)
    needs = tuple(i == one for i in range(len(args)))
    found = backward(xp, us, needs, args, outputs, workspace, **settings)
    assert [g is not None for g in found] == list(needs)
