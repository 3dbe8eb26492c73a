"""A tensor's place in the graph.

``x.data`` is the same memory outside of it: what is done there is counted, but not
recorded.
"""

import copy
import gc
import inspect
import warnings
import weakref

import numpy as np
import pytest
from calls import check_wrong_call

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.engine.node import reshaped
from tinygrad_rnn.errors import DTypeError, GraphError, ShapeError


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


# ------------------------------------------------------------ what is typed in PyTorch


def test_data_is_a_detached_tensor():
    x = leaf(1, 2)
    for tensor in (x, x * 2.0, x[0], nn.Parameter(x)):
        with tg.enable_grad():
            data = tensor.data
        assert type(data) is tg.Tensor
        assert not data.requires_grad
        assert data.is_leaf
        assert data.grad is None
        assert np.shares_memory(data.numpy(), tensor.numpy())
        assert data.tolist() == tensor.tolist()


def step_by_minus(w):
    w.data -= 0.5 * w.grad


def step_by_sub(w):
    w.data.sub_(0.5 * w.grad)


def step_by_sub_of_data(w):
    w.data.sub_(w.grad.data * 0.5)


def step_by_assignment(w):
    w.data = w.data - 0.5 * w.grad.data


def step_by_copy(w):
    w.data.copy_(w.data - 0.5 * w.grad)


def step_by_slice(w):
    w.data[:] = w - 0.5 * w.grad


def step_by_array(w):
    w.data = w.numpy() - 0.5 * w.grad.numpy()


STEPS = [
    step_by_minus,
    step_by_sub,
    step_by_sub_of_data,
    step_by_assignment,
    step_by_copy,
    step_by_slice,
    step_by_array,
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", [tg.Tensor, nn.Parameter])
def test_steps_by_hand(step, kind):
    w = leaf(1, 2) if kind is tg.Tensor else nn.Parameter(leaf(1, 2))
    for _ in range(3):
        (w * w).sum().backward()
        step(w)
        w.grad.data.zero_()
    assert w.tolist() == [0, 0]
    assert type(w) is kind
    assert w.requires_grad
    assert w.is_leaf
    (3.0 * w).sum().backward()
    assert w.grad.tolist() == [3, 3]


def test_habits_of_reading():
    out = tg.tensor([[1.0, 5.0], [7.0, 2.0]], requires_grad=True) * 2.0
    values, ids = out.data.max(1)
    assert values.tolist() == [10, 14]
    assert ids.tolist() == [1, 0]
    assert out.data.numpy() is out.numpy()
    assert out.data[0, 1].item() == 10
    assert (out.data > 3.0).sum().item() == 3
    assert out.data.clone().requires_grad is False
    assert out.requires_grad


@pytest.mark.parametrize(
    "cut", [lambda h: h.data, lambda h: h.detach()], ids=["data", "detach"]
)
def test_a_state_is_cut_off_between_windows(cut):
    """Each window's gradient is that of the window alone, begun with the state's
    values.
    """
    tg.manual_seed(0)
    rnn, x, h = nn.RNN(2, 3), tg.randn(4, 1, 2), None
    for _ in range(3):
        start = None if h is None else tg.from_numpy(h.numpy().copy())
        rnn.zero_grad()
        out, last = rnn(x, h)
        out.sum().backward()
        found = rnn.weight_hh_l0.grad.clone()
        rnn.zero_grad()
        rnn(x, start)[0].sum().backward()
        assert found.equal(rnn.weight_hh_l0.grad)
        h = cut(last)
        assert h.is_leaf and not h.requires_grad


def test_shadow_weights_as_people_keep_them():
    """An average of the weights takes their place for a while, and they come back."""
    model = nn.Linear(2, 1)
    shadow = {name: p.data.clone() for name, p in model.named_parameters()}
    with tg.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    for name, p in model.named_parameters():
        shadow[name] = (1.0 - 0.5) * p.data + 0.5 * shadow[name]
    trained = {name: p.tolist() for name, p in model.named_parameters()}
    backup = {}
    for name, p in model.named_parameters():
        backup[name] = p.data
        p.data = shadow[name]
    for name, p in model.named_parameters():
        assert p.tolist() == shadow[name].tolist() != trained[name]
        p.data = backup[name]
        assert p.tolist() == trained[name]
    model(tg.ones(1, 2)).sum().backward()
    assert model.weight.grad.tolist() == [[1, 1]]


# ---------------------------------------------------------------- what is counted


def changed_by_minus(x):
    x.data -= 1.0


def changed_by_fill(x):
    x.data.fill_(5.0)


def changed_by_item(x):
    x.data[0] = 5.0


def changed_through_a_view(x):
    x.data[0:1].mul_(5.0)


def changed_through_a_kept_alias(x):
    kept = x.data.data
    kept.zero_()


def assigned_a_tensor(x):
    x.data = tg.tensor([5.0, 6.0], dtype="float64")


def assigned_an_array(x):
    x.data = np.array([5.0, 6.0])


def assigned_a_view_of_itself(x):
    x.data = x.data.reshape(-1)


def assigned_twice(x):
    old = x.data
    assigned_a_tensor(x)
    x.data = old
    x.data.add_(1.0)


CHANGES = [
    changed_by_minus,
    changed_by_fill,
    changed_by_item,
    changed_through_a_view,
    changed_through_a_kept_alias,
    assigned_a_tensor,
    assigned_an_array,
    assigned_a_view_of_itself,
    assigned_twice,
]
NEEDING = {  # functions whose gradient needs the value
    "**": lambda x: x**3,
    "*": lambda x: x * x,
    "exp": lambda x: x.clone().exp() * x,
    "linear": lambda x: nn.functional.linear(x, x.reshape(1, 2)),
    "checkpoint": lambda x: tg.utils.checkpoint.checkpoint(lambda x: x**3, x),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("of_leaf", [True, False])
@pytest.mark.parametrize("name", NEEDING)
@pytest.mark.parametrize("change", CHANGES)
def test_a_backward_that_needs_the_old_values_raises(
    change, name, of_leaf, create_graph
):
    first = leaf(3, 4)
    x = first if of_leaf else first * 1.0
    y = NEEDING[name](x).sum()
    change(x)
    with pytest.raises(GraphError, match="changed in place"):
        y.backward(create_graph=create_graph)
    assert first.grad is None


@pytest.mark.parametrize("change", CHANGES)
def test_a_backward_that_does_not_need_them_is_exact(change):
    x = leaf(3, 4)
    y = (2.0 * x + x.tanh()).sum()  # tanh keeps its result
    change(x)
    y.backward()
    assert np.allclose(x.grad.numpy(), 3 - np.tanh([3, 4]) ** 2)


def test_a_number_takes_the_place_of_another():
    x = tg.tensor(3.0, requires_grad=True)
    y = x**3
    x.data = np.float32(5.0)
    with pytest.raises(GraphError, match="assigned"):
        y.backward()
    (x**3).backward()
    assert x.grad.item() == 75


def test_what_is_assigned_shares_memory_and_its_count():
    x, value = leaf(1, 2), tg.tensor([3.0, 4.0], dtype="float64")
    x.data = value
    y = (x**2).sum()
    value.add_(1.0)
    assert x.tolist() == [4, 5]
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()
    y = (value.requires_grad_() ** 2).sum()
    x.data.add_(1.0)
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()


# ---------------------------------------------------------------- views


def test_a_view_of_the_old_memory_does_not_reach_the_new():
    first = leaf(1, 2)
    x = first * 1.0
    view = x[0:1]
    x.data = tg.tensor([5.0, 6.0], dtype="float64")
    with pytest.raises(
        GraphError, match="this view cannot be changed in place while recording"
    ):
        view.mul_(2.0)
    with tg.no_grad():
        view.mul_(2.0)
    assert (x.tolist(), view.tolist()) == ([5, 6], [2])
    (view + x[0:1]).sum().backward()
    assert first.grad.tolist() == [2, 0]


def test_a_view_of_the_same_memory_seen_otherwise_does_not_reach_it():
    x = leaf(1, 2, 3, 4) * 1.0
    view = x[0:1]
    x.data = x.data.reshape(2, 2).T.reshape(4)
    with pytest.raises(
        GraphError, match="this view cannot be changed in place while recording"
    ):
        view.mul_(2.0)
    assert x.tolist() == [1, 3, 2, 4]


def test_a_view_that_is_given_memory_is_no_view_any_more():
    first = leaf(1, 2)
    x = first * 1.0
    view = x[0:1]
    view.data = tg.tensor([7.0], dtype="float64")
    view.mul_(2.0)
    x.mul_(3.0)
    assert (view.tolist(), x.tolist()) == ([14], [3, 6])
    (view.sum() + x.sum()).backward()
    assert first.grad.tolist() == [5, 3]


def test_a_view_that_is_out_of_date_takes_no_data():
    x = leaf(1, 2) * 1.0
    view = x[0:1]
    x.mul_(3.0)
    assert view.data.tolist() == [3]
    with pytest.raises(GraphError, match="data: this view's memory was changed"):
        view.data = tg.zeros(1, dtype="float64")
    assert view.tolist() == [3]
    view.data += 1.0  # an operator assigns what is there already
    assert (view.tolist(), x.tolist()) == ([4], [4, 6])


# ------------------------------------------------------- other shapes, dtypes, devices


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (6,), (2, 1)])
def test_a_leaf_takes_another_shape_and_older_graphs_raise(shape):
    x = tg.ones(3, requires_grad=True)
    # These need no value, only the shape
    y, z = ((x + tg.ones(2, 3)).sum() for _ in range(2))
    x.data = tg.full(shape, 2.0)
    with pytest.raises(
        GraphError, match="backward: a leaf was given another shape or device"
    ):
        y.backward()
    with pytest.raises(
        GraphError, match="backward: a leaf was given another shape or device"
    ):
        tg.autograd.grad((x * 1.0).sum() + z, x)
    assert x.grad is None
    (x * 3.0).sum().backward()
    assert x.grad.tolist() == tg.full(shape, 3.0).tolist()
    assert x.shape == shape


def test_what_is_kept_of_leaves_that_changed_shape_dies_with_them():
    x = tg.ones(3, requires_grad=True)
    for size in (4, 5, 3):
        x.data = tg.ones(size)
        x.data = tg.ones(size)
    assert id(x) in reshaped
    key, watched = id(x), weakref.ref(x)
    del x
    assert watched() is None
    assert key not in reshaped


def test_a_leaf_takes_another_float_dtype():
    model = nn.Linear(2, 1)
    y = (model.weight + 1.0).sum()
    for p in model.parameters():
        p.data = p.data.double()
    y.backward()
    model(tg.ones(1, 2, dtype="float64")).sum().backward()
    assert model.weight.grad.dtype == model.weight.dtype == "float64"
    assert model.weight.grad.tolist() == [[2, 2]]


def test_integers_take_what_they_are_given():
    x = tg.tensor([1, 2])
    x.data = tg.tensor([1.5])
    assert x.tolist() == [1.5]


@pytest.mark.parametrize(
    ("make", "value", "kind", "words"),
    [
        (
            leaf,
            tg.tensor([1, 2]),
            DTypeError,
            "data: got int64 of shape .*, expected floats",
        ),
        (
            leaf,
            np.ones(2, "f4"),
            DTypeError,
            "data: got float32 ndarray .*or an array of float64",
        ),
        (
            leaf,
            [1.0, 2.0],
            DTypeError,
            "data: got list, expected a Tensor or an array of float64",
        ),
        (
            leaf,
            1.0,
            DTypeError,
            r"data: got float, expected .*\.data\.fill_\(\) of a number",
        ),
        (leaf, None, DTypeError, "data: got NoneType, expected a Tensor"),
        (
            lambda *v: leaf(*v) * 1.0,
            tg.ones(2),
            DTypeError,
            "float32 on cpu, expected float64",
        ),
        (
            lambda *v: leaf(*v) * 1.0,
            tg.ones(3, dtype="float64"),
            ShapeError,
            r"data: got shape \(3,\), expected \(2,\): only a leaf",
        ),
    ],
)
def test_what_cannot_be_assigned(make, value, kind, words):
    x = make(3, 4)
    y = (x * x).sum()
    with pytest.raises(kind, match=words):
        x.data = value
    assert x.tolist() == [3, 4]
    y.backward()  # nothing was changed, and nothing counted


# ---------------------------------------------------------------- lifetime


def test_data_keeps_nothing_alive_but_the_memory():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1, 2) * 1.0
        data, node = x.data, weakref.ref(x.node)
        old = weakref.ref(x.array)
        del x
        assert node() is None
        assert old() is not None
        del data
        assert old() is None
    finally:
        gc.enable()


def test_old_memory_is_freed_when_it_is_replaced():
    x = leaf(1, 2)
    old = weakref.ref(x.array)
    x.data = tg.ones(2, dtype="float64")
    assert old() is None
    assert copy.deepcopy(x).tolist() == [1, 1]


def test_detach_shares_and_clone_copies():
    x = tg.ones(2, requires_grad=True)
    assert np.shares_memory(x.detach().numpy(), x.numpy())
    assert not x.detach().requires_grad
    y = x.clone()
    assert y.requires_grad
    assert not np.shares_memory(y.numpy(), x.numpy())
    t = tg.arange(6).reshape(2, 3)
    assert t.contiguous() is t
    assert t.T.contiguous().numpy().flags.c_contiguous


WRONG = {
    "ints that ask for gradients": (
        lambda x: tg.arange(3).requires_grad_(),
        DTypeError,
        "expected floats",
    )
}


def test_a_gradient_is_deleted():
    x = tg.ones(2, requires_grad=True)
    x.sum().backward()
    del x.grad
    assert x.grad is None
    del x.grad  # as in PyTorch: nothing is there, and nothing is wrong
    (x * 3.0).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_detach_in_place_leaves_the_graph():
    w = tg.ones(2, requires_grad=True)
    h = w * 3.0
    alias = h
    assert h.detach_() is h
    assert (alias.is_leaf, alias.requires_grad, alias.grad_fn) == (True, False, None)
    (h * w).sum().backward()
    assert w.grad.tolist() == [3.0, 3.0]
    h.requires_grad_()
    (h * 2.0).sum().backward()
    assert h.grad.tolist() == [2.0, 2.0]


def test_detach_in_place_of_a_state_truncates():
    rnn, x = nn.GRU(2, 3), tg.randn(4, 1, 2)
    _, state = rnn(x)
    state.detach_()
    _, other = rnn(x, state)
    other.sum().backward()
    grads = [p.grad.clone() for p in rnn.parameters()]
    rnn.zero_grad()
    rnn(x, state.detach())[1].sum().backward()
    assert all(g.equal(p.grad) for g, p in zip(grads, rnn.parameters(), strict=True))


def test_detach_in_place_of_a_view_is_an_error():
    x = tg.ones(2, 2, requires_grad=True) * 2.0
    row = x[0]
    with pytest.raises(GraphError, match=r"detach_: .*view.* x = x\.detach\(\)"):
        row.detach_()
    assert row.requires_grad


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])


def reads_of(tensor):
    """The warnings of reading ``grad`` twice at one line, and where they point."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            tensor.grad  # noqa: B018
    return [(w.category, str(w.message), w.filename, w.lineno) for w in caught]


def test_reading_the_grad_of_a_non_leaf_warns_at_the_line_that_reads():
    x = tg.ones(3, requires_grad=True)
    y = x - 0.1
    y.sum().backward()
    [(category, message, file, line)] = reads_of(y)
    assert category is UserWarning and "not a leaf" in message
    assert "retain_grad()" in message and "leaf that it was made from" in message
    assert file == __file__
    assert line == inspect.getsourcelines(reads_of)[1] + 5


def test_reading_a_grad_that_is_or_will_be_there_does_not_warn():
    x = tg.ones(3, requires_grad=True)
    y, z = x * 2.0, x * 3.0
    y.retain_grad()
    assert not [read for t in (x, y, x.detach(), tg.ones(1)) for read in reads_of(t)]
    (y + z).sum().backward(inputs=[x, y, z])
    assert not [read for t in (x, y, z) for read in reads_of(t)]
    y.grad = None
    assert not reads_of(y)
