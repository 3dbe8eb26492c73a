"""A value changed in place gives the exact gradient or a clear error, never a silent
wrong one.
"""

import operator
import re

import numpy as np
import pytest
from calls import same, with_tensors
from hypothesis import given
from hypothesis import strategies as st
from strategies import Draw, real

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.errors import DTypeError, ExportError, GraphError, ShapeError

CHANGED = "changed in place"


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


# ---------------------------------------------------------------- exact

EXACT = {
    "add_": (lambda x, w: (x * 2.0).add_(w), [2, 2], [1, 1]),
    "sub_": (lambda x, w: (x * 2.0).sub_(w), [2, 2], [-1, -1]),
    "mul_": (lambda x, w: (x + 1.0).mul_(w), [5, 7], [2, 4]),
    "mul_ by itself": (
        lambda x, w: _with(x + 0.0, lambda y: y.mul_(y)) + w * 0,
        [2, 6],
        [0, 0],
    ),
    "div_": (lambda x, w: (x + 0.0).div_(w), [1 / 5, 1 / 7], [-1 / 25, -3 / 49]),
    "a number": (lambda x, w: (x * w).add_(1.0).mul_(3.0), [15, 21], [3, 9]),
    "clamp_": (lambda x, w: (x * w).clamp_(max=10.0), [5, 0], [1, 0]),
    "zero_": (lambda x, w: (x * 2.0).zero_().add_(w), [0, 0], [1, 1]),
    "fill_": (lambda x, w: (x * 2.0).fill_(3.0).mul_(w), [0, 0], [3, 3]),
    "copy_ a constant": (
        lambda x, w: (x * 2.0).copy_(tg.ones(2)).mul_(w),
        [0, 0],
        [1, 1],
    ),
    "copy_ what records": (lambda x, w: (x * 2.0).copy_(w * x), [5, 7], [1, 3]),
    "copy_ broadcasts": (lambda x, w: (x * 2.0).copy_(w[0]), [0, 0], [2, 0]),
    "copy_ into a constant": (
        lambda x, w: tg.zeros(2, dtype="float64").copy_(w) * x,
        [5, 7],
        [1, 3],
    ),
    "iadd": (lambda x, w: _with(x * 2.0, lambda y: y.__iadd__(w)), [2, 2], [1, 1]),
    "an assigned element": (lambda x, w: _assign(x * 2.0, 0, w[1]), [0, 2], [0, 1]),
    "an assigned slice": (
        lambda x, w: _assign(x * 2.0, slice(1, None), w[:1]),
        [2, 0],
        [1, 0],
    ),
    "an assigned mask": (lambda x, w: _assign(x * 2.0, x > 2.0, w[0]), [2, 0], [1, 0]),
    "assigned places, repeated": (
        lambda x, w: _assign(x * 2.0, [1, 1], w),
        [2, 0],
        [0, 1],
    ),
    "an assigned number": (lambda x, w: _assign(x * w, 0, 9.0), [0, 7], [0, 3]),
    "assigned to a constant": (
        lambda x, w: _assign(tg.zeros(2, dtype="float64"), 1, w[0] * x[0]),
        [5, 0],
        [1, 0],
    ),
    "x[0] += w": (lambda x, w: _augment(x * w, 0, w[1]), [5, 7], [1, 4]),
    "x[0] *= w": (lambda x, w: _augment(x * 1.0, 0, w[0], "mul"), [5, 1], [1, 0]),
    "what was saved is not what changed": (
        lambda x, w: _with(x * w, lambda y: (y + 1.0, y.mul_(2.0))),
        [10, 14],
        [2, 6],
    ),
}


def _with(y, change):
    change(y)
    return y


def _assign(y, index, value):
    y[index] = value
    return y


def _augment(y, index, value, how="add"):
    if how == "add":
        y[index] += value
    else:
        y[index] *= value
    return y


@pytest.mark.parametrize("name", EXACT)
def test_exact(name):
    function, of_x, of_w = EXACT[name]
    for create in (False, True):
        x, w = leaf(1.0, 3.0), leaf(5.0, 7.0)
        found = tg.autograd.grad(
            function(x, w).sum(), [x, w], create_graph=create, allow_unused=True
        )
        for g, wanted in zip(found, (of_x, of_w), strict=True):
            g = [0, 0] if g is None else g.tolist()
            np.testing.assert_allclose(g, wanted, rtol=1e-14)


def test_the_object_stays_the_same():
    y = leaf(1.0) * 2.0
    for method in ("add_", "sub_", "mul_", "div_"):
        assert getattr(y, method)(2.0) is y
    for call in (
        lambda: y.clamp_(0, 1),
        y.zero_,
        lambda: y.fill_(1.0),
        lambda: y.copy_(y * 2.0),
    ):
        assert call() is y
    z = y
    z += 1.0
    z -= 1.0
    z *= 2.0
    z /= 2.0
    assert z is y


def test_augmented_assignment_with_what_does_not_fit_in_place():
    i = tg.tensor([1, 2])
    with pytest.raises(
        DTypeError, match="div_: a result of float64 does not fit a tensor of int64"
    ):
        i /= 2
    before = i
    i **= 2
    i //= 2
    i %= 2
    assert i is before
    assert i.tolist() == [0, 0]


AUGMENTED = {
    "iadd": "add_",
    "isub": "sub_",
    "imul": "mul_",
    "itruediv": "div_",
    "ifloordiv": "//=",
    "imod": "%=",
    "ipow": "**=",
    "iand": "&=",
    "ior": "|=",
}


@pytest.mark.parametrize("method", AUGMENTED)
def test_an_error_names_the_augmented_assignment(method):
    narrow, wide = tg.tensor([1, 2]), tg.tensor([[1, 2], [3, 4]])
    if method == "itruediv":
        narrow, wide = narrow.float(), wide.float()
    words = f"{AUGMENTED[method]}: the result has shape (2, 2), expected (2,)"
    with pytest.raises(ShapeError, match=re.escape(words)):
        getattr(operator, method)(narrow, wide)
    assert narrow.tolist() == [1, 2]


# ---------------------------------------------------------------- an error

SAVED = {
    "an argument": lambda x: _then(x * 1.0, lambda y: y * y),
    "an output": lambda x: _then(x * 1.0, lambda y: y, lambda y: y.exp()),
    "a view of it": lambda x: _then(x * 1.0, lambda y: y[:1] * y[:1]),
    "what it is a view of": lambda x: _then(
        (x * 1.0), lambda y: y * y, of=lambda y: y.reshape(2, 1)
    ),
    "its detached alias": lambda x: _then(
        x * 1.0, lambda y: y * y, of=lambda y: y.detach()
    ),
    "an alias of an alias": lambda x: _then(
        x * 1.0, lambda y: y * y, of=lambda y: y.detach()[1:].T
    ),
    "a leaf": lambda x: _then(x, lambda y: y * y),
    "a constant": lambda x: _then(tg.ones(2, dtype="float64"), lambda y: y * x),
    "an argument of a fused op": lambda x: _then(
        tg.ones(2, 2, dtype="float64"), lambda w: nn.functional.linear(x, w)
    ),
    "ids": lambda x: _then(
        tg.tensor([0, 1]),
        lambda ids: nn.functional.cross_entropy(tg.stack([x, x]), ids),
    ),
    "a condition": lambda x: _then(
        tg.tensor([True, False]), lambda c: tg.where(c, x * x, x)
    ),
}


def _then(tensor, use, change=None, of=lambda y: y):
    """Use a tensor, then change it (or what ``change`` makes of it, or an alias) in
    place.
    """
    if change is None:
        out = use(tensor)
        target = of(tensor)
    else:
        out = target = change(use(tensor))
        out = out * 1.0
    with tg.no_grad():
        target.zero_() if target.dtype.kind != "b" else target.copy_(~target)
    return out


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("create", [False, True])
def test_what_is_saved_may_not_change(name, create):
    x = leaf(1.0, 3.0)
    out = SAVED[name](x)
    with pytest.raises(GraphError, match=CHANGED):
        tg.autograd.grad(out.sum(), x, create_graph=create)
    assert x.grad is None


def test_the_error_names_the_op_and_the_way_out():
    x = leaf(1.0)
    y = x * 1.0
    z = y.exp() * y
    y.add_(1.0)
    with pytest.raises(
        GraphError,
        match=r"needs for its gradient was changed in place .*, by add_\. clone\(\) it",
    ):
        z.sum().backward()


def test_what_was_changed_between_the_first_and_the_second_derivative():
    """What the recorded walk saved is watched as well."""
    for change in range(3):
        x = leaf(1.0, 2.0)
        y, c = x * 2.0, tg.ones(2, dtype="float64") * 3.0
        out = y.exp()
        (g,) = tg.autograd.grad((out * c).sum(), x, create_graph=True)
        with tg.no_grad():
            (y, out, c)[change].mul_(2.0)
        try:
            found = tg.autograd.grad(g.sum(), x)[0].numpy()
        except GraphError as error:
            assert CHANGED in str(error)
        else:
            np.testing.assert_allclose(found, 12 * np.exp(2 * x.numpy()), rtol=1e-14)


def test_the_arguments_of_a_fused_op_between_the_first_and_the_second_derivative():
    x = leaf(0.5, 0.25)
    w = tg.ones(2, 2, dtype="float64")
    (g,) = tg.autograd.grad(
        nn.functional.linear(x * x, w).exp().sum(), x, create_graph=True
    )
    w.mul_(2.0)
    with pytest.raises(GraphError, match=CHANGED):
        tg.autograd.grad(g.sum(), x)


def test_an_index_is_copied():
    """Between forward and backward a user may go on with his own array, or with his
    Tensor of ids.
    """
    for make in (tg.tensor, np.array):
        x, w = leaf(1.0, 2.0, 3.0), leaf(5.0, 7.0)
        ids = make([0, 1])
        y = x[ids] * 2.0
        z = x * 1.0
        z[ids,] = w
        e = nn.functional.embedding(tg.tensor(ids), x.reshape(3, 1))
        ids[...] = 2
        (y.sum() + z.sum() + e.sum()).backward()
        assert x.grad.tolist() == [3, 3, 1]
        assert w.grad.tolist() == [1, 1]


def test_a_leaf_cannot_change_while_recording():
    for change in (
        lambda x: x.add_(1.0),
        lambda x: x.mul_(x),
        lambda x: x.zero_(),
        lambda x: x.copy_(tg.zeros(2)),
        lambda x: x.__setitem__(0, 9.0),
        lambda x: x.__iadd__(1.0),
    ):
        x = leaf(1.0, 2.0)
        with pytest.raises(
            GraphError, match="a leaf that requires grad cannot.*no_grad"
        ):
            change(x)
        assert x.tolist() == [1, 2]
        with tg.no_grad():
            change(x)
        assert x.tolist() != [1, 2]
        assert x.is_leaf
        assert x.requires_grad
        x.sum().backward()
        assert x.grad.tolist() == [1, 1]


def test_a_view_of_a_leaf_cannot_change_while_recording():
    x = leaf(1.0, 2.0)
    view = x[:1]
    for change in (lambda: view.add_(1.0), lambda: view.__setitem__(0, 1.0)):
        with pytest.raises(GraphError, match="a leaf that requires grad"):
            change()
    assert x.tolist() == [1, 2]


@pytest.mark.parametrize(
    "look", [lambda y: y.reshape(2, 1), lambda y: y.T, lambda y: y.T[:1]]
)
def test_a_view_by_another_way_than_an_index_cannot_change_while_recording(look):
    x = leaf(1.0, 2.0)
    y = x * 2.0
    view = look(y)
    for change in (
        view.zero_,
        lambda: view.__iadd__(1.0),
        lambda: view.__setitem__(0, x[0]),
    ):
        with pytest.raises(
            GraphError, match="this view cannot .*assign to the tensor it was"
        ):
            change()
    assert y.tolist() == [2, 4]


def test_a_recorded_change_of_a_view_is_one_of_its_base():
    x = leaf(1.0, 2.0)
    y = x * 2.0
    view = y[:1]
    view *= x[1:]
    view[0].add_(1.0)  # a view of the view
    assert y.tolist() == [5, 4]
    (y * tg.tensor([1.0, 10.0], dtype="float64")).sum().backward()
    assert x.grad.tolist() == [4, 22]

    x, z = leaf(1.0, 2.0), tg.zeros(2, 2, dtype="float64")
    for t, row in enumerate(z):
        row += x * t
    assert z.tolist() == [[0, 0], [1, 2]]
    z.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_other_views_of_the_base_are_out_of_date_then():
    x = leaf(1.0, 2.0)
    y = x * 2.0
    view, other = y[:1], y[1:]
    view.add_(1.0)
    for use in (
        lambda: other * 1.0,
        lambda: other.fill_(0.0),
        other.sum,
        other.backward,
    ):
        with pytest.raises(GraphError, match="take the view again"):
            use()
    with tg.no_grad(), pytest.raises(GraphError, match="take the view again"):
        other.fill_(0.0)
    assert y.tolist() == [3, 4]


def test_a_view_taken_under_no_grad_of_what_records_cannot_change_while_recording():
    x = leaf(1.0, 2.0)
    y = x * 2.0
    with tg.no_grad():
        view = y[:1]
    for change in (
        lambda: view.fill_(0.0),
        lambda: view.add_(1.0),
        lambda: view.copy_(x[:1]),
    ):
        with pytest.raises(GraphError, match="taken under no_grad"):
            change()
    assert y.tolist() == [2, 4]
    with tg.no_grad():
        view.fill_(0.0)
    assert y.tolist() == [0, 4]


def test_a_view_of_what_changed_while_recording_is_out_of_date():
    x = leaf(1.0, 2.0)
    y = x * 2.0
    view, twice = y[:1], y.reshape(2, 1)[1:]
    y[0] = x[1]
    for old in (view, twice):
        with pytest.raises(GraphError, match="take the view again"):
            old * 1.0
        with pytest.raises(GraphError, match="take the view again"), tg.no_grad():
            old + old
    (y[:1] * 3.0).sum().backward()
    assert x.grad.tolist() == [0, 3]


def test_a_view_sees_what_changed_without_recording():
    x = tg.zeros(2, 2)
    row, column, turned = x[0], x[:, 0], x.T
    x[0, 0] = 5.0
    assert row.tolist() == [5, 0]
    assert column.tolist() == [5, 0]
    turned[1, 0] = 7.0
    assert x.tolist() == [[5, 7], [0, 0]]
    row.add_(1.0)
    assert x.tolist() == [[6, 8], [0, 0]]


def test_views_taken_before_may_have_been_used():
    """Their own graphs still hold: they saved shapes alone."""
    x = leaf(1.0, 2.0)
    y = x * 2.0
    early = y[:1] * 3.0
    y[0] = x[1]
    (early.sum() + y.sum()).backward()
    assert x.grad.tolist() == [6, 3]


def test_a_state_carried_in_a_buffer():
    """Outputs written into a preallocated tensor, step by step, as many write their
    loops.
    """
    w = leaf(0.5)
    buffer = tg.zeros(4, 1, dtype="float64")
    h = tg.ones(1, dtype="float64")
    for t in range(4):
        h = h * w
        buffer[t] = h
    buffer.sum().backward()
    np.testing.assert_allclose(
        w.grad.numpy(), [1 + 2 * 0.5 + 3 * 0.25 + 4 * 0.125], rtol=1e-14
    )


# ----------------------------------------------------- what is refused changes nothing

REFUSED = {
    "shape": (
        lambda t: t.add_(tg.ones(3, 2, dtype=t.dtype)),
        ShapeError,
        r"add_: .*\(3, 2\), expected \(2,\)",
    ),
    "ranks": (
        lambda t: t.add_(tg.ones(3)),
        ShapeError,
        r"\(2,\) and \(3,\) cannot be broadcast",
    ),
    "dtype": (
        lambda t: t.add_(0.5) if t.dtype.kind == "i" else tg.arange(2).add_(t),
        DTypeError,
        "add_: a result of float64 does not fit a tensor of int64",
    ),
    "an index": (
        lambda t: t.__setitem__(5, 1.0),
        IndexError,
        "assignment: index 5 is out of bounds",
    ),
    "a value": (
        lambda t: t.__setitem__(slice(None), tg.ones(3)),
        ShapeError,
        "assignment: .*could not",
    ),
    "copy_": (lambda t: t.copy_(tg.ones(3)), ShapeError, "copy_: .*could not"),
    "clamp_": (lambda t: t.clamp_(), ValueError, "clamp_: min and max are both None"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, words = REFUSED[name]
    tensor = (
        tg.tensor([1, 2]) if name == "dtype" else tg.tensor([1.0, 2.0], dtype="float64")
    )
    before = vars(tensor.version).copy()
    with pytest.raises(kind, match=words):
        call(tensor)
    assert tensor.tolist() == [1, 2]
    assert vars(tensor.version) == before


def test_read_only_memory_is_refused():
    array = np.ones(2)
    array.flags.writeable = False
    for tensor in (
        tg.from_numpy(array),
        tg.ones(1).expand(2),
        tg.ones(2).broadcast_to(2, 2),
    ):
        for change in (
            lambda t: t.add_(1.0),
            lambda t: t.zero_(),
            lambda t: t.__setitem__(0, 2.0),
        ):
            with pytest.raises(GraphError, match=r"read-only.*clone\(\)"):
                change(tensor)
        assert (tensor.numpy() == 1).all()


def test_integers_take_values_and_no_gradients():
    w = leaf(1.5)
    ids = tg.arange(3)
    ids[0] = w[0]  # truncated, as in NumPy and in PyTorch
    ids[1:].copy_(tg.tensor([7.0, 8.0]))
    assert ids.tolist() == [1, 7, 8]
    assert not ids.requires_grad
    assert not w.long().requires_grad


def test_a_list_of_tensors_that_record_is_refused():
    w, x = leaf(1.0, 2.0), tg.zeros(2, 2, dtype="float64")
    for value in ([w, w], [[w[0], 1.0], [1.0, 2.0]], (w, [1.0, 2.0])):
        with pytest.raises(
            ExportError, match=r"assignment: this tensor requires grad.*tg\.stack"
        ):
            x[...] = value
    with tg.no_grad():
        x[...] = [w, w]
    assert x.tolist() == [[1, 2], [1, 2]]
    x[0] = [3.0, 4.0]
    x[1] = [tg.tensor(5.0), 6.0]
    assert x.tolist() == [[3, 4], [5, 6]]


def test_a_value_that_is_out_of_date_is_not_assigned():
    x, y = leaf(1.0, 2.0), tg.zeros(2, dtype="float64")
    view, target = y[:1], tg.zeros(2, dtype="float64")
    y += x
    for change in (lambda: target.__setitem__(0, view), lambda: target.copy_(view)):
        with pytest.raises(GraphError, match="take the view again"):
            change()
    assert target.tolist() == [0, 0]


def test_overlapping_memory():
    x = tg.arange(4).double()
    x[1:] = x[:-1]
    assert x.tolist() == [0, 0, 1, 2]
    x.copy_(x.flip(0))
    assert x.tolist() == [2, 1, 0, 0]
    x.add_(x.flip(0))
    assert x.tolist() == [2, 1, 1, 2]


@pytest.mark.parametrize("recorded", [False, True])
def test_a_narrower_tensor_takes_a_wider_result(recorded):
    x = tg.ones(2, requires_grad=recorded) * 1.0
    x.add_(tg.ones(2, dtype="float64"))
    x[0] = tg.tensor(5.0, dtype="float64")
    assert x.dtype == "float32"
    assert x.tolist() == [5, 2]


def _fused(x):
    return tg.nn.functional.mse_loss(x, tg.zeros(1, dtype="float64")) * x


@pytest.mark.parametrize("make", [lambda x: x.exp(), lambda x: x**3, _fused])
def test_a_change_between_two_walks_is_noticed(make):
    """A recorded walk remembers the count of the memory that it reads again."""
    x = leaf(0.5)
    y = x * 1.0
    z = make(y)
    (g,) = tg.autograd.grad(z.sum(), x, create_graph=True)
    with tg.no_grad():
        y.mul_(100)
        z.mul_(100)
    with pytest.raises(GraphError, match="changed in place"):
        g.sum().backward()


def test_a_gradient_that_is_added_to_has_changed():
    """What is made of ``grad`` while recording notices the next walk, which adds to it
    in place.
    """
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (x * x).sum().backward()
    penalty = (w * x.grad).sum()
    (x * x).sum().backward()
    with pytest.raises(GraphError, match=CHANGED):
        penalty.backward()


def test_a_parameter_over_a_tensor_sees_its_changes():
    base = tg.ones(3)
    y = (tg.nn.Parameter(base) ** 2).sum()
    base.add_(1.0)
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()


def test_a_second_walk_sees_what_was_changed_since_the_first():
    """What a recorded gradient needs is watched as well: arguments of fused ops, and
    outputs.
    """
    x, u, c = (
        tg.ones(1, 2, requires_grad=True),
        tg.ones(1, 1, requires_grad=True),
        tg.ones(1, 2),
    )
    # u @ c
    (g,) = tg.autograd.grad(tg.nn.functional.linear(x, c), x, u, create_graph=True)
    c.mul_(5.0)
    with pytest.raises(GraphError, match="changed in place"):
        tg.autograd.grad(g.sum(), u)
    u = tg.ones(1, 2, requires_grad=True)
    y = x.exp()
    (g,) = tg.autograd.grad(y, x, u, create_graph=True)  # u * y
    with tg.no_grad():
        y.mul_(5.0)
    with pytest.raises(GraphError, match="changed in place"):
        tg.autograd.grad(g.sum(), u)


def test_a_parameter_that_an_optimizer_changed_is_told_as_one():
    lstm, state = tg.nn.LSTM(3, 4), None
    optimizer = tg.optim.SGD(lstm.parameters(), lr=0.1)
    for step in range(2):
        output, state = lstm(tg.ones(2, 1, 3), state)
        if step:
            with pytest.raises(
                GraphError, match=r"optimizer's step\(\).*tg.utils.detach\(state\)"
            ):
                output.sum().backward(retain_graph=True)
        else:
            output.sum().backward(retain_graph=True)
            optimizer.step()


# ---------------------------------------------------------------- what the message says


def by_steps(x):
    cell = nn.RNNCell(2, 2).double()
    h = tg.zeros(3, 1, 2, dtype=tg.float64)
    for t in range(2):
        h[t + 1] = cell(x.reshape(1, 2), h[t])
    return h.sum()


def by_a_column(x):
    out = tg.zeros(2, 2, dtype=tg.float64)
    out[:, 0] = x
    y = out.exp() * out
    out[:, 1] = x * 2.0
    return y.sum()


def by_a_mask(x):
    y = x * 1.0
    z = y * y
    y[y > 1.0] = 0.0
    return z.sum()


def by_a_mask_of_what_is_not_recorded(x):
    weight = tg.ones(2, dtype=tg.float64)
    y = x * weight
    weight[0] = 3.0
    return y.sum()


@pytest.mark.parametrize(
    "make", [by_steps, by_a_column, by_a_mask, by_a_mask_of_what_is_not_recorded]
)
def test_an_assignment_by_index_is_named_and_its_way_out(make):
    x = leaf(1.0, 3.0)
    with pytest.raises(GraphError, match=CHANGED) as error:
        make(x).backward()
    assert "by x[...] = value" in str(error.value)
    assert "tg.stack(steps)" in str(error.value)
    assert "step()" not in str(error.value)


def test_the_way_out_of_an_assignment_by_index():
    x, cell, steps = leaf(1.0, 3.0), nn.RNNCell(2, 2).double(), []
    h = tg.zeros(1, 2, dtype=tg.float64)
    for _ in range(2):
        h = cell(x.reshape(1, 2), h)
        steps.append(h)
    tg.stack(steps).sum().backward()
    assert x.grad.abs().sum().item() > 0


def test_an_optimizers_step_after_an_assignment_is_an_optimizers_step():
    """The latest change counts, not one of long ago."""
    w = nn.Parameter(tg.ones(2, 2))
    with tg.no_grad():
        w[0] = 2.0
    loss = nn.functional.linear(tg.ones(1, 2, requires_grad=True), w).sum()
    w.grad = tg.ones(2, 2)
    optim.SGD([w], lr=0.1).step()
    with pytest.raises(
        GraphError, match=r"Was it a parameter, by an optimizer's step\(\)"
    ):
        loss.backward()


@pytest.mark.parametrize("name", ["add_", "mul_", "div_", "clamp_", "copy_", "fill_"])
def test_another_change_in_place_is_named(name):
    x = leaf(1.0, 3.0)
    y = x * 1.0
    z = y * y
    getattr(y, name)(tg.ones(2) if name == "copy_" else 2.0)
    with pytest.raises(
        GraphError, match=rf"{CHANGED} after the forward pass, by {name}\."
    ):
        z.sum().backward()


# ---------------------------------------------------------- outputs that nobody needs


@pytest.mark.parametrize(
    "op",
    [
        lambda x: x / 2.0,
        lambda x: 2.0 / x,
        lambda x: x / x,
        lambda x: tg.ones(2, dtype=tg.float64) / x,
        lambda x: nn.functional.softplus(x),
        lambda x: x.clamp(0.5, 2.0),
        lambda x: x.clamp(min=0.5),
        lambda x: nn.functional.logsigmoid(x),
        lambda x: x.var(),
    ],
)
@pytest.mark.parametrize("create", [False, True])
def test_a_change_of_an_output_that_the_gradient_does_not_need(op, create):
    """Division and its kin save their arguments, as PyTorch's do."""
    x = leaf(1.0, 3.0)
    (wanted,) = tg.autograd.grad(op(x).sum(), x)
    y = op(x)
    with tg.no_grad():
        y.fill_(5.0)
    (found,) = tg.autograd.grad(y.sum(), x, create_graph=create)
    np.testing.assert_array_equal(found.detach().numpy(), wanted.numpy())
    y = op(x) * 1.0
    z = op(x)
    if z.ndim:
        z[0] = 0.0
        (found,) = tg.autograd.grad(z.sum(), x)
        np.testing.assert_array_equal(found.numpy(), [0.0, *wanted.numpy()[1:]])


@given(st.data())
def test_assigning_by_index_is_numpys(data):
    d = Draw(data.draw)
    shape = d.shape()
    array, index = np.array(d.array(shape, real)), d.index(shape)
    value = d.array(d.narrowed(np.shape(array[index])), real)
    for recorded in (False, True):
        expected, x = array.copy(), tg.tensor(array)
        expected[index] = value
        w = tg.tensor(value, requires_grad=recorded)
        x[with_tensors(d, index)] = w
        same(x, expected)
        assert x.requires_grad == recorded
        x = tg.tensor(array)
        x[index] = value.tolist() if value.size else value
        same(x, expected)


FILLS = {
    "uniform_": lambda x, **how: x.uniform_(-2.0, 3.0, **how),
    "normal_": lambda x, **how: x.normal_(-1.0, 0.5, **how),
    "bernoulli_": lambda x, **how: x.bernoulli_(0.3, **how),
}


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_draws_from_its_generator_into_the_memory(name, device):
    x = tg.zeros(3, 4, dtype="float64", device=device)
    before, alias = x.array, x.detach()
    state = tg.Generator().manual_seed(5)
    assert FILLS[name](x, generator=state) is x
    drawn = x.cpu().tolist()
    assert x.array is before
    assert alias.cpu().tolist() == drawn
    assert len({number for row in drawn for number in row}) > 1
    FILLS[name](x, generator=state)
    assert x.cpu().tolist() != drawn
    FILLS[name](x, generator=tg.Generator().manual_seed(5))
    assert x.cpu().tolist() == drawn
    tg.manual_seed(7)
    FILLS[name](x)
    first = x.cpu().tolist()
    tg.manual_seed(7)
    assert FILLS[name](x).cpu().tolist() == first


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("uniform_", 0.5, 5 / 12**0.5),
        ("normal_", -1.0, 0.5),
        ("bernoulli_", 0.3, 0.21**0.5),
    ],
)
def test_a_fill_has_the_moments_of_its_distribution(name, mean, std):
    drawn = FILLS[name](
        tg.zeros(20_000, dtype="float64"), generator=tg.Generator()
    ).numpy()
    assert drawn.mean() == pytest.approx(mean, abs=4 * std / 20_000**0.5)
    assert drawn.std() == pytest.approx(std, rel=0.03)


def test_initial_values_are_what_the_methods_draw():
    for name in ("uniform_", "normal_"):
        drawn = [tg.zeros(2, 3), tg.zeros(2, 3)]
        getattr(drawn[0], name)(0.5, 2.0, tg.Generator().manual_seed(1))
        getattr(nn.init, name)(drawn[1], 0.5, 2.0, tg.Generator().manual_seed(1))
        assert drawn[0].tolist() == drawn[1].tolist()


@given(p=st.floats(0.0, 1.0), seed=st.integers(0, 1000))
def test_bernoulli_is_one_where_a_uniform_number_is_below_p(p, seed):
    uniform = tg.rand(4, 5, dtype="float64", generator=tg.Generator().manual_seed(seed))
    drawn = tg.zeros(4, 5).bernoulli_(p, generator=tg.Generator().manual_seed(seed))
    assert drawn.tolist() == (uniform < p).float().tolist()
    of_each = tg.zeros(4, 5, dtype=tg.int64)
    of_each.bernoulli_(tg.full((5,), p), generator=tg.Generator().manual_seed(seed))
    near = (uniform - p).abs() > 1e-6  # as p is a float32 there
    assert of_each[near].tolist() == drawn[near].tolist()


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_is_a_change_in_place_as_any_other(name):
    w = tg.ones(3, requires_grad=True)
    with pytest.raises(
        GraphError, match="a leaf that requires grad cannot be changed in place"
    ):
        FILLS[name](w)
    loss = (w * w).sum()
    FILLS[name](w.data)
    with pytest.raises(GraphError, match="in place"):
        loss.backward()
    x = w * 2.0
    FILLS[name](x)
    (x.sum() + w.sum()).backward()
    assert w.grad.tolist() == [1.0, 1.0, 1.0]  # nothing through what was overwritten


def test_masked_fill_in_place_records():
    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    scores = w * 2.0
    mask = tg.tensor([False, True, False])
    assert scores.masked_fill_(mask, -7.0) is scores
    assert scores.tolist() == [2.0, -7.0, 6.0]
    scores.sum().backward()
    assert w.grad.tolist() == [2.0, 0.0, 2.0]
    w.data.masked_fill_(mask, 0.0)
    assert w.tolist() == [1.0, 0.0, 3.0]
