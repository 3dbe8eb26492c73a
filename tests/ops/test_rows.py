"""Every op of the package against its row: values, gradients of first and second order,
and manners.
"""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ops.rows import ROWS, package_ops
from oracle import (
    assert_close,
    complex_step,
    difference,
    gradients,
    outputs_of,
    paired,
    tensors,
)
from strategies import Draw, positive, real

import tinygrad_rnn as tg
from tinygrad_rnn import ops
from tinygrad_rnn.backend import find
from tinygrad_rnn.engine.fused import FusedOp

DIFFERENTIABLE = [name for name, row in ROWS.items() if row.wrt != ()]
every_row = pytest.mark.parametrize("name", ROWS)
every_gradient = pytest.mark.parametrize("name", DIFFERENTIABLE)


class Case:
    """A row with arguments, settings and cotangents drawn for it."""

    def __init__(self, name, data, device="cpu"):
        self.device = device
        self.row = ROWS[name]
        self.draw = Draw(data.draw)
        self.args, self.settings = self.row.case(self.draw)
        wrt = range(len(self.args)) if self.row.wrt is None else self.row.wrt
        self.wrt = [
            i
            for i in wrt
            if self.args[i] is not None and self.args[i].dtype.kind == "f"
        ]
        self.expected = outputs_of(self.value(*self.args))

    def value(self, *args):
        return self.row.value(*args, **self.settings)

    def op(self, *args):
        args = (args,) if self.row.variadic else args
        return self.row.op(*args, **self.placed())

    def placed(self):
        """The settings as they are where the arguments are."""
        if self.row.op is ops.to_device:
            return {"device": "cpu", "source": find(self.device).name}
        if "index" not in self.settings or self.device == "cpu":
            return self.settings
        index = self.settings["index"]
        if isinstance(index, tuple):
            index = tuple(map(self.move, index))
        return self.settings | {"index": self.move(index)}

    def move(self, part):
        """A part of an index as it is where the arguments are."""
        if isinstance(part, np.ndarray):
            return find(self.device).from_host(part)
        return part

    def tensors(self, args, wrt=()):
        return tensors(args, wrt, self.device)

    def cotangents(self):
        """One for each output, signed and nowhere 1; of several outputs some may have
        none.
        """
        out = [self.draw.array(np.shape(value), real) for value in self.expected]
        used = self.draw.integer(0, len(out)) if len(out) > 1 else len(out)
        return [u if used in (i, len(out)) else None for i, u in enumerate(out)]

    def gradients(self, cotangents, args=None, **how):
        return gradients(
            self.op, args or self.args, self.wrt, cotangents, **how, device=self.device
        )


def test_every_op_has_a_row_and_every_row_an_op():
    assert package_ops().keys() == ROWS.keys()
    assert all(package_ops()[name] is row.op for name, row in ROWS.items())


def test_what_has_a_pullback_is_tested_for_it():
    for name, op in package_ops().items():
        if not isinstance(op, FusedOp):
            declared = tuple(
                i for i, pullback in enumerate(op.pullbacks) if pullback is not None
            )
            wrt = ROWS[name].wrt
            assert (wrt == declared) or (op.signature.variadic and wrt is None), name


@every_row
@given(data=st.data())
def test_value(name, data, device):
    case = Case(name, data, device)
    for tensor in case.tensors(case.args, case.wrt), case.tensors(case.args):
        outputs = outputs_of(case.op(*tensor))
        for out, expected in zip(outputs, case.expected, strict=True):
            assert (
                type(out.array) is find("cpu" if name == "to_device" else device).Array
            )
            assert out.dtype == np.asarray(expected).dtype
            assert_close(out.cpu().numpy(), expected, 1e-12)
        assert outputs[0].requires_grad == any(
            x is not None and x.requires_grad for x in tensor
        )
        assert all(out.requires_grad == outputs[0].requires_grad for out in outputs)


@every_gradient
@given(data=st.data())
def test_first_gradient(name, data, device):
    case = Case(name, data, device)
    us = case.cotangents()
    expected = complex_step(case.value, case.args, case.wrt, us)
    for i, found, wanted in zip(case.wrt, case.gradients(us), expected, strict=True):
        assert_close(found, wanted, 1e-11, what=f"argument {i}")


@every_gradient
@given(data=st.data())
def test_second_gradient(name, data, device):
    """The gradient of s = <vjp(args, u), v> with respect to args and to u, along a
    direction.
    """
    case = Case(name, data, device)
    us, wrt, rng = case.cotangents(), case.wrt, case.draw.rng
    vs = [real(rng, case.args[i].shape) for i in wrt]

    def s(*numbers):
        args, cotangents = list(case.args), list(us)
        for i, x in zip(wrt, numbers, strict=False):
            args[i] = x
        for i, u in zip(given, numbers[len(wrt) :], strict=True):
            cotangents[i] = u
        return sum(
            (g * v).sum()
            for g, v in zip(case.gradients(cotangents, args), vs, strict=True)
        )

    given = [i for i, u in enumerate(us) if u is not None]
    numbers = [case.args[i] for i in wrt] + [us[i] for i in given]
    directions = [real(rng, x.shape) for x in numbers]
    expected = difference(s, numbers, directions)

    args = case.tensors(case.args, wrt)
    inputs = [args[i] for i in wrt]
    outputs = outputs_of(case.op(*args))
    cotangents = [
        tg.from_numpy(us[i]).to(outputs[i].device).requires_grad_() for i in given
    ]
    first = tg.autograd.grad(
        [outputs[i] for i in given],
        inputs,
        cotangents,
        create_graph=True,
        allow_unused=True,
    )
    for found, plain in zip(first, case.gradients(us), strict=True):
        assert_close(
            np.zeros(plain.shape) if found is None else found.cpu().numpy(),
            plain,
            1e-12,
        )
    total = sum(
        (g * tg.from_numpy(v).to(g.device)).sum()
        for g, v in zip(first, vs, strict=True)
        if g is not None
    )
    if isinstance(total, tg.Tensor) and total.requires_grad:
        both = inputs + cotangents
        found = tg.autograd.grad(total, both, allow_unused=True)
        actual = sum(
            (g.cpu().numpy() * d).sum()
            for g, d in zip(found, directions, strict=True)
            if g is not None
        )
    else:
        actual = 0.0
    assert_close(actual, expected, 1e-7)


@every_gradient
@given(data=st.data())
def test_pullback_is_linear(name, data, device):
    """A wrong pullback such as ``g * g * f'(x)`` is right for cotangents of one."""
    case = Case(name, data, device)
    u, v = case.cotangents(), case.cotangents()
    if [x is None for x in u] != [x is None for x in v]:
        v = [None if x is None else np.asarray(real(case.draw.rng, x.shape)) for x in u]
    a, b = -1.7, 0.4
    mixed = [
        None if x is None else np.asarray(a * x + b * y)
        for x, y in zip(u, v, strict=True)
    ]
    of_u, of_v, of_mixed = case.gradients(u), case.gradients(v), case.gradients(mixed)
    for one, two, both in zip(of_u, of_v, of_mixed, strict=True):
        assert_close(both, a * one + b * two, 1e-12)
    for g in case.gradients([None if x is None else np.zeros_like(x) for x in u]):
        assert not g.any()
    for once, again in zip(of_u, case.gradients(u), strict=True):
        assert once.tobytes() == again.tobytes()  # the same bits


@every_row
@given(data=st.data())
def test_nothing_is_changed_and_nothing_shared(name, data):
    case = Case(name, data)
    us = case.cotangents() if case.wrt else []
    before = copy.deepcopy((case.args, us, case.settings))
    if case.wrt:
        given = [u for u in us if u is not None]
        for create in (False, True):
            found = case.gradients(us, create_graph=create)
            held = [a for a in (*case.args, *given) if a is not None]
            for i, g in enumerate(found):
                assert not any(np.shares_memory(g, other) for other in held + found[:i])
                assert g.dtype == np.float64
                assert g.flags.writeable or not g.size
    else:
        case.op(*tensors(case.args))
    np.testing.assert_equal((case.args, us, case.settings), before)


@every_row
@given(data=st.data())
def test_an_output_that_shows_its_arguments_memory_counts_its_changes(name, data):
    case = Case(name, data)
    args = tensors(case.args)
    for out in outputs_of(case.op(*args)):
        for x in args:
            if x is not None and np.shares_memory(out.array, x.array):
                assert out.version is x.version
                assert out.view_version is not None


@every_row
@given(data=st.data())
def test_float32_stays_float32(name, data, device):
    case = Case(name, data, device)
    if name == "astype":
        case.settings["dtype"] = np.dtype("float32")
    us = case.cotangents()
    args = [
        a.astype("f4") if a is not None and a.dtype.kind == "f" else a
        for a in case.args
    ]
    given = case.tensors(args, case.wrt)
    outputs = outputs_of(case.op(*given))
    for out, wanted in zip(outputs, case.expected, strict=True):
        kind = np.asarray(wanted).dtype
        assert out.dtype == ("float32" if kind == np.float64 else kind)
        if kind == np.float64:
            assert_close(out.cpu().numpy(), wanted, 2e-5)
    if case.wrt:
        small = [None if u is None else u.astype("f4") for u in us]
        for create in (False, True):
            found = case.gradients(small, args, create_graph=create)
            for g, wanted in zip(found, case.gradients(us), strict=True):
                assert g.dtype == np.float32
                assert_close(g, wanted, 1e-4)


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in DIFFERENTIABLE
        if ROWS[n].wrt != (0,) and not isinstance(ROWS[n].op, FusedOp)
    ],
)
@given(data=st.data())
def test_gradients_have_the_dtype_of_their_argument(name, data):
    case = Case(name, data)
    us = case.cotangents()
    mixed = list(case.args)
    for i in case.wrt:
        if case.draw.one_of(False, True):
            mixed[i] = mixed[i].astype("f4")
    for create in (False, True):
        found = case.gradients(us, mixed, create_graph=create)
        assert [g.dtype for g in found] == [mixed[i].dtype for i in case.wrt]


@pytest.mark.parametrize("name", [n for n, row in ROWS.items() if row.scalar])
@given(
    data=st.data(), kind=st.sampled_from([float, np.float64, np.float32, int, np.int64])
)
def test_scalars_are_weak(name, data, kind):
    """A number in place of an argument: nothing turns float64, and all is as with an
    array of it.
    """
    case = Case(name, data)
    place = case.draw.one_of(*case.row.scalar)
    number = kind(case.draw.one_of(1, 2, 3) if kind in (int, np.int64) else 0.625)
    if name in ("maximum", "minimum", "remainder", "floor_divide"):
        number = kind(number + 1000)  # away from ties
    args = [
        a.astype("f4") if a is not None and a.dtype.kind == "f" else a
        for a in case.args
    ]
    full = list(args)
    args[place], full[place] = number, np.full(args[place].shape[:0], number, "f4")
    wrt = [i for i in case.wrt if i != place]
    out, wanted = case.op(*tensors(args, wrt)), case.op(*tensors(full, wrt))
    assert out.dtype == wanted.dtype
    assert_close(out.numpy(), wanted.numpy(), 1e-6)
    if wrt:
        u = [case.draw.array(out.shape, real).astype("f4")]
        for create in (False, True):
            found = gradients(case.op, args, wrt, u, create)
            for g, other in zip(
                found, gradients(case.op, full, wrt, u, create), strict=True
            ):
                assert g.dtype == np.float32
                assert_close(g, other, 1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "add",
        "subtract",
        "multiply",
        "divide",
        "where",
        "matmul",
        "pow",
        "concat",
        "put",
    ],
)
@given(data=st.data())
def test_one_tensor_as_both_arguments(name, data):
    """What flows back on the two ways is added up."""
    d = Draw(data.draw)
    size = d.integer(1, 3)
    shape = (size, size) if name == "matmul" else d.shape()
    x = d.array(shape if name != "concat" else shape or (2,), positive)
    settings = {"put": {"index": ...}, "concat": {"axis": 0}}.get(name, {})
    first = (d.rng.integers(0, 2, shape).astype(bool),) if name == "where" else ()
    row = ROWS[name]

    def value(x):
        return row.value(*first, x, x, **settings)

    def op(x):
        both = ([x, x],) if row.variadic else (x, x)
        return row.op(*tensors(first), *both, **settings)

    u = d.array(np.shape(value(x)), real)
    for create in (False, True):
        (found,) = gradients(op, [x], [0], [u], create)
        assert_close(found, complex_step(value, [x], [0], [u])[0], 1e-11)


def test_the_oracle_itself():
    """It knows the derivative of x^3 y, and tells a wrong one from it."""
    x, y, u = np.array([0.5, 2.0]), np.array(3.0), np.array([1.0, -2.0])
    gx, gy = complex_step(lambda x, y: x**3 * y, [x, y], [0, 1], [u])
    assert_close(gx, u * 3 * x**2 * y, 1e-15)
    assert_close(gy, (u * x**3).sum(), 1e-15)
    slope = difference(lambda x: paired(x**4, [u]), [x], [np.ones(2)])
    assert_close(slope, (u * 4 * x**3).sum(), 1e-11)
    with pytest.raises(AssertionError):
        assert_close(gx, gx * (1 + 1e-9))
