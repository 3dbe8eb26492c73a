"""Recurrent ops: what their drawn cases cover, and outputs that are used alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ops.rows import ROWS
from oracle import assert_close, gradients
from strategies import Draw, real

import tinygrad_rnn as tg
from tinygrad_rnn.ops.matmul import linear
from tinygrad_rnn.ops.recurrent import project_and_scan, split_gates

every_layer = pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])


@every_layer
def test_the_cases_reach_every_corner(name):
    """Drawn often enough, arguments include all that the loops of a scan branch on."""
    seen = set()

    rng = np.random.default_rng(0)
    for _ in range(300):
        d = Draw(lambda strategy: 0)
        d.rng = rng
        d.one_of = lambda *choices: choices[rng.integers(0, len(choices))]
        d.integer = lambda low, high: int(rng.integers(low, high + 1))
        d.keep = lambda condition: None
        args, settings = ROWS[name].case(d)
        x, h_0, w_ih, w_hh, b_ih, *_ = (
            args if name != "lstm" else (*args[:2], *args[3:])
        )
        steps, batch = x.shape[:2]
        hidden = len(w_hh) // {"rnn": 1, "lstm": 4, "gru": 3}[name]
        seen |= {
            ("T", steps),
            ("B", batch),
            ("H", hidden),
            ("ids", x.ndim == 2),
            ("h_0", h_0 is not None),
            ("bias", b_ih is not None),
            ("reverse", settings["reverse"]),
            ("lengths", settings["lengths"] is not None),
            ("square", w_ih.shape[1] == hidden),
            ("nonlinearity", settings.get("nonlinearity")),
            ("projected", hidden != w_hh.shape[1]),
        }
    pairs = ("ids", "h_0", "bias", "reverse", "lengths", "square")
    pairs += ("projected",) if name == "lstm" else ()
    assert {(name, truth) for name in pairs for truth in (False, True)} <= seen
    assert {(name, n) for name in "TBH" for n in (1, 2, 3)} <= seen
    assert name != "rnn" or {("nonlinearity", "tanh"), ("nonlinearity", "relu")} <= seen


@every_layer
@given(data=st.data())
def test_one_output_of_several(name, data):
    """Each output alone, twice in one expression, gives what the composite gives."""
    row, d = ROWS[name], Draw(data.draw)
    args, settings = row.case(d)
    wrt = [i for i in row.wrt if args[i] is not None and args[i].dtype.kind == "f"]
    which = d.integer(0, 2 if name == "lstm" else 1)

    def used(op):
        def function(*args):
            out = op(*args, **settings)[which]
            return out * out.tanh() + out

        return function

    shape = row.value(*args, **settings)[which].shape
    us = [d.array(shape, real)]
    for one, two in zip(
        gradients(used(row.op), args, wrt, us),
        gradients(used(row.op.composite), args, wrt, us),
        strict=True,
    ):
        assert_close(one, two, 1e-12)


@pytest.mark.parametrize("is_projected", [False, True])
def test_a_state_of_three_parts_begins_with_zeros(is_projected):
    """Of any number of gates; only the first part has the size of the projection."""
    gates, hidden, h_size = 2, 4, 3 if is_projected else 4
    x = tg.randn(5, 2, 3)
    weights = [tg.randn(gates * hidden, 3), tg.randn(gates * hidden, h_size)]
    weights += [tg.randn(gates * hidden), None]
    weights += [tg.randn(h_size, hidden)] if is_projected else []

    def equations(z, h, a, b, w_hh, b_hh, w_hr=None):
        one, two = split_gates(z + linear(h, w_hh, b_hh), gates)
        a, b = (one + a).tanh(), (two + b).tanh()
        return (a * b if w_hr is None else linear(a * b, w_hr)), a, b

    found = project_and_scan(equations, x, (None, None, None), weights)
    sizes = (h_size, hidden, hidden)
    zeros = [tg.zeros(1, 2, size) for size in sizes]
    expected = project_and_scan(equations, x, zeros, weights)
    assert [part.shape for part in found[1:]] == [(1, 2, size) for size in sizes]
    for one, two in zip(found, expected, strict=True):
        assert one.equal(two)


@every_layer
def test_a_composite_does_not_read_padding(name):
    """Nor does it send a gradient there: NaN in the padding changes nothing."""
    gates, op = {"rnn": 1, "lstm": 4, "gru": 3}[name], ROWS[name].op
    weights = [tg.randn(gates * 4, size) for size in (3, 4)] + [None, None]
    weights = [w if w is None else w.requires_grad_() for w in weights]
    values, found = tg.randn(5, 2, 3), []
    for junk in (0.0, float("nan")):
        x = values.clone()
        x[2:, 1] = junk
        x.requires_grad_()
        state = [None] * (2 if name == "lstm" else 1)
        results = op.composite(x, *state, *weights, lengths=np.array([5, 2]))
        total = sum((part * part).sum() for part in results)
        wrt = [x, *weights[:2]]
        found.append([*results, *tg.autograd.grad(total, wrt)])
        assert (found[-1][len(results)][2:, 1] == 0.0).all()
    for one, two in zip(*found, strict=True):
        assert one.equal(two)
