"""backward(): where gradients go, what is refused, and what stays as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import errors, nn
from tinygrad_rnn.autograd import FusedOp, op
from tinygrad_rnn.engine import walk
from tinygrad_rnn.errors import DTypeError, GraphError, ShapeError


def leaf(*values):
    return tg.tensor(list(values), dtype="float64", requires_grad=True)


# ---------------------------------------------------------------- leaves


def test_gradients_of_two_walks_are_added():
    x = leaf(1.0, 2.0)
    (x * 3.0).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad.tolist() == [5, 7]
    assert x.grad is first  # in place, as in PyTorch


def test_a_sum_of_gradients_under_create_graph_is_a_new_tensor():
    x = leaf(1.0, 2.0)
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    assert first.requires_grad
    (x**3).sum().backward(create_graph=True)
    assert first.tolist() == [3, 12]
    assert x.grad.tolist() == [6, 24]
    second = x.grad
    x.grad = None
    second.sum().backward()
    assert x.grad.tolist() == [12, 24]


def test_a_leaf_is_its_own_output():
    x = tg.tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1
    g = tg.tensor(5.0)
    x.backward(g)
    assert x.grad.item() == 6
    assert g.item() == 5


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_of_leaves_never_share_memory(create_graph):
    """Not with each other, not with the cotangent, and not with what is kept for other
    tensors.
    """
    a, b, c = leaf(1.0, 2.0), leaf(3.0, 4.0), leaf(5.0, 6.0)
    u = tg.tensor([1.0, -2.0], dtype="float64", requires_grad=create_graph)
    d = a + b
    e = d.reshape(1, 2)
    f = (e + c)[0]
    for t in (d, e, f):
        t.retain_grad()
    f.backward(u, create_graph=create_graph)
    held = [t.grad for t in (a, b, c, d, e, f)] + [u, a, b, c]
    for i, one in enumerate(held):
        assert not any(
            np.shares_memory(one.numpy(), other.numpy()) for other in held[:i]
        )
    assert all(
        t.grad.numpy().reshape(-1).tolist() == [1, -2] for t in (a, b, c, d, e, f)
    )
    with tg.no_grad():
        a.grad.zero_()
    assert b.grad.tolist() == c.grad.tolist() == u.tolist() == [1, -2]


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_share_no_memory_with_what_a_hook_returns(create_graph):
    x, fixed = leaf(1.0, 2.0), tg.tensor([3.0, 4.0], dtype="float64")
    y = x * 1.0
    y.retain_grad()
    for t in (x, y):
        t.register_hook(lambda g: fixed)
    # Two gradients arrive at each: the walk owns their sum, but not what replaces it.
    (y.sum() + (y * 1.0).sum() + x.sum()).backward(create_graph=create_graph)
    held = [x.grad, y.grad, fixed]
    assert all(a.tolist() == [3, 4] for a in held)
    for i, one in enumerate(held):
        assert not any(
            np.shares_memory(one.numpy(), other.numpy()) for other in held[:i]
        )


def test_the_gradient_of_a_part_is_not_added_to_one_that_others_hold():
    """The sum hands one array to both of its arguments, before that of the slice
    arrives at one.
    """
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = x * 1.0
    part = y[:1]
    total = ((y + w) * tg.tensor([5.0, 6.0])).sum() + part.sum() * 10.0
    total.backward()
    assert x.grad.tolist() == [15, 6]
    assert w.grad.tolist() == [5, 6]


def test_gradients_of_a_fused_op_never_share_memory():
    rnn = nn.RNN(2, 2)
    rnn(tg.randn(1, 1, 2))[0].sum().backward()
    held = [p.grad for p in rnn.parameters()]
    assert held[2].equal(held[3])  # the two biases have equal gradients
    for i, one in enumerate(held):
        assert not any(
            np.shares_memory(one.numpy(), other.numpy()) for other in held[:i]
        )


@pytest.mark.parametrize(
    ("held", "kind", "words"),
    [
        (
            tg.ones(()).expand(2),
            GraphError,
            "backward: grad: this tensor's memory is read-only",
        ),
        (
            tg.ones(2, dtype="int64"),
            DTypeError,
            "backward: grad: a result of float64 does not fit",
        ),
        (tg.ones(2, 2), ShapeError, r"backward: grad: the result has shape \(2,\)"),
    ],
)
def test_a_grad_that_cannot_take_a_gradient_is_refused_before_any_does(
    held, kind, words
):
    x, y, z = leaf(1, 2), leaf(3, 4), leaf(5, 6)
    y.grad = tg.ones_like(y)
    y.grad.array, held = held.array, y.grad  # an assignment would have refused it
    with pytest.raises(kind, match=words):
        (x * y * z).sum().backward()
    assert x.grad is None
    assert z.grad is None
    assert y.grad is held


def test_only_leaves_that_ask_have_gradients():
    x, y = leaf(1.0), tg.ones(1)
    z = x * y
    (z.sum() + tg.cat([x, y]).sum() - x.sum()).backward()
    assert y.grad is None
    with pytest.warns(UserWarning, match="not a leaf"):
        assert z.grad is None
    assert x.grad.tolist() == [1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gradient_has_its_leafs_dtype_and_shape(dtype):
    x = tg.ones(3, 1, dtype=dtype, requires_grad=True)
    y = tg.ones(2, dtype="float64", requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.dtype == dtype
    assert x.grad.shape == (3, 1)
    assert y.grad.dtype == "float64"
    assert y.grad.tolist() == [3, 3]


def test_a_cotangent_of_another_dtype_is_converted():
    x = tg.ones(2, requires_grad=True)
    (x * 2.0).backward(tg.tensor([1.5, 2.5], dtype="float64"))
    assert x.grad.dtype == "float32"
    assert x.grad.tolist() == [3, 5]


# ------------------------------------------------ what raises, and the state after it


def test_walking_twice_asks_about_detach():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(
        GraphError, match=r"already walked.*h = h\.detach\(\).*retain_graph=True"
    ):
        y.backward()
    assert x.grad.tolist() == [2, 4]


def test_a_carried_state_that_was_not_detached():
    cell = nn.RNNCell(1, 2)
    h = cell(tg.ones(1, 1))
    h.sum().backward()
    before = {name: p.grad.tolist() for name, p in cell.named_parameters()}
    h = cell(tg.ones(1, 1), h)
    with pytest.raises(GraphError, match="detach"):
        h.sum().backward()
    assert before == {name: p.grad.tolist() for name, p in cell.named_parameters()}
    with pytest.raises(GraphError, match="detach"):
        tg.autograd.grad(cell(tg.ones(1, 1), h).sum(), list(cell.parameters()))
    cell(tg.ones(1, 1), h.detach()).sum().backward()


def test_retain_graph_walks_again_and_again():
    x = leaf(1.0, 2.0)
    y = (x.exp() * x).sum()
    for _ in range(3):
        y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(
        x.grad.numpy(), 4 * np.exp([1, 2]) * np.array([2, 3]), rtol=1e-14
    )
    with pytest.raises(GraphError):
        y.backward()


def test_create_graph_keeps_the_graph_unless_told_otherwise():
    x = leaf(1.0)
    y = (x**3).sum()
    y.backward(create_graph=True)
    y.backward(create_graph=True, retain_graph=False)
    with pytest.raises(GraphError, match="already walked"):
        y.backward()


def test_a_gradient_may_end_where_another_walk_has_freed_the_graph():
    x = leaf(1, 2)
    y = x.exp()
    z = y * 3
    y.sum().backward()
    assert tg.autograd.grad(z.sum(), y)[0].tolist() == [3, 3]
    with pytest.raises(GraphError, match="already walked"):
        tg.autograd.grad((y * 3).sum(), x)


def test_a_graph_that_only_saves_shapes_is_refused_too():
    """Nothing was freed that this walk would need, yet it would be silently wrong to go
    on.
    """
    x = leaf(1.0, 2.0)
    y = x.sum()
    y.backward()
    with pytest.raises(GraphError, match="already walked"):
        y.backward()


REFUSED = {
    "a vector": (
        lambda x: (x * 2.0).backward(),
        GraphError,
        r"backward: .*\(2,\).*one element.*sum\(\)",
    ),
    "no gradient": (
        lambda x: tg.ones(()).backward(),
        GraphError,
        "backward: .*does not require grad",
    ),
    "integers": (
        lambda x: tg.tensor(3).backward(),
        GraphError,
        "backward: .*it is of integers",
    ),
    "detached": (
        lambda x: x.sum().detach().backward(),
        GraphError,
        "does not require grad",
    ),
    "the cotangent's shape": (
        lambda x: (x * 2.0).backward(tg.ones(3)),
        ShapeError,
        r"gradient has shape \(3,\), expected \(2,\)",
    ),
    "the cotangent's type": (
        lambda x: (x * 2.0).backward(np.ones(2)),
        DTypeError,
        "gradient is float64 ndarray of .*, expected a Tensor",
    ),
    "integers that ask for gradients": (
        lambda x: tg.tensor([1, 2], requires_grad=True),
        DTypeError,
        "int64.*expected floats.*float()",
    ),
    "retain_grad": (
        lambda x: tg.ones(2).retain_grad(),
        GraphError,
        "retain_grad: .*not require grad",
    ),
    "register_hook": (
        lambda x: tg.ones(2).register_hook(print),
        GraphError,
        "register_hook: .*not require grad",
    ),
    "requires_grad_(False)": (
        lambda x: (x * 2).requires_grad_(False),
        GraphError,
        "only for leaves; use detach",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, kind, words = REFUSED[name]
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    with pytest.raises(kind, match=words):
        call(x)
    assert x.grad.tolist() == [2, 4]
    (x * x).sum().backward()
    assert x.grad.tolist() == [4, 8]


def test_an_exception_in_a_pullback_adds_no_gradient():
    @tg.autograd.op
    def breaks(xp, x, /):
        return x * 1.0

    def pullback(g):
        raise RuntimeError("no way back")

    breaks.vjp(pullback)
    x, y = leaf(1.0), leaf(2.0)
    for leaves in ((x, y), (y, x)):
        with pytest.raises(RuntimeError, match="no way back"):
            (leaves[0] * 2.0 + breaks(leaves[1])).sum().backward()
        assert x.grad is None
        assert y.grad is None
    assert tg.is_grad_enabled()


# ---------------------------------------------------------------- hooks


def test_hooks_see_and_replace_the_gradient_in_order():
    x, seen = leaf(1.0, 2.0), []
    y = x * 3.0
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 2.0)
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * y).sum().backward()
    assert seen == [[6, 12], [12, 24]]
    assert x.grad.tolist() == [36, 72]


def test_a_hook_sees_the_whole_gradient_once():
    x, seen = leaf(1.0, 2.0), []
    for t in (x, y := x * 1.0):
        t.register_hook(lambda g: seen.append(g.tolist()))
    (y * 2.0 + y * 3.0 + x).sum().backward()
    assert seen == [[5, 5], [6, 6]]


def test_hooks_of_leaves():
    x = leaf(1.0, 2.0)
    handle = x.register_hook(lambda g: g * 10.0)
    x.sum().backward()
    assert x.grad.tolist() == [10, 10]
    assert tg.autograd.grad(x.sum(), x)[0].tolist() == [10, 10]
    handle.remove()
    handle.remove()  # twice is no error
    x.sum().backward()
    assert x.grad.tolist() == [11, 11]


def test_handles_take_away_their_own_hook():
    x = leaf(1.0)
    y = x * 1.0
    handles = [y.register_hook(lambda g, k=k: g * k) for k in (2.0, 3.0, 5.0)]
    handles[1].remove()
    handles[0]()
    y.sum().backward()
    assert x.grad.tolist() == [5]


def test_hooks_whose_handles_were_dropped_all_run():
    x = leaf(1.0)
    y = x * 1.0
    for _ in range(3):
        y.register_hook(lambda g: g * 2.0)
    y.sum().backward()
    assert x.grad.tolist() == [8]


def test_a_hook_may_change_its_gradient_in_place_without_touching_others():
    a, b = leaf(1.0, 2.0), leaf(1.0, 2.0)
    u = tg.tensor([1.0, 1.0], dtype="float64")
    a.register_hook(lambda g: g.mul_(3.0))
    y = a + b
    y.register_hook(lambda g: g.add_(1.0))
    y.backward(u)
    assert a.grad.tolist() == [6, 6]
    assert b.grad.tolist() == [2, 2]
    assert u.tolist() == [1, 1]


def test_hooks_under_create_graph_are_part_of_the_graph():
    x = leaf(2.0)
    y = x * x
    handle = y.register_hook(lambda g: g * y)
    (first,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    assert first.tolist() == [16]  # 2 x^3
    handle.remove()  # or it would see the gradients of the second walk too
    assert tg.autograd.grad(first.sum(), x)[0].tolist() == [24]


@pytest.mark.parametrize("of_leaf", [False, True])
@pytest.mark.parametrize("wrong", [tg.ones(3), tg.ones(()), 1.0, np.ones(2)])
def test_a_hook_that_returns_something_else_is_refused(of_leaf, wrong):
    x = leaf(1.0, 2.0)
    y = x * 2.0
    (x if of_leaf else y).register_hook(lambda g: wrong)
    with pytest.raises(
        GraphError, match=r"a hook returned .*expected None or a Tensor of shape \(2,\)"
    ):
        y.sum().backward()
    assert x.grad is None


def test_a_hook_cannot_change_the_dtype():
    x = tg.ones(2, requires_grad=True)
    x.register_hook(lambda g: g.double())
    x.sum().backward()
    assert x.grad.dtype == "float32"


def test_a_hook_that_raises_leaves_all_gradients_alone():
    a, b = leaf(1.0), leaf(2.0)

    def hook(g):
        raise KeyError("hook")

    for one in (a, b):
        handle = one.register_hook(hook)
        with pytest.raises(KeyError):
            (a * b).sum().backward()
        assert a.grad is None
        assert b.grad is None
        handle.remove()


def test_retain_grad():
    x = leaf(1.0, 2.0)
    y = x * x
    y.retain_grad()
    y.retain_grad()  # asked for twice, kept once
    # Seen by retain_grad, whenever it was registered
    y.register_hook(lambda g: g * 2.0)
    z = y * 3.0
    z.sum().backward()
    assert y.grad.tolist() == [6, 6]
    with pytest.warns(UserWarning, match="not a leaf"):
        assert z.grad is None
    assert x.grad.tolist() == [12, 24]
    x.retain_grad()  # of a leaf: nothing to do
    (x * x * 3.0).sum().backward()
    assert x.grad.tolist() == [18, 36]


def test_retain_grad_adds_up_over_walks():
    x = leaf(1.0)
    y = x * 2.0
    y.retain_grad()
    z = y.sum()
    z.backward(retain_graph=True)
    z.backward()
    assert y.grad.tolist() == [2]


# ---------------------------------------------------- the order, and what is run


def test_every_node_is_walked_once_after_all_its_users():
    walked = []

    @tg.autograd.op
    def seen(xp, x, /, name):
        return x * 1.0

    def pullback(g, name):
        walked.append((name, float(np.asarray(g).sum())))
        return g

    seen.vjp(pullback)
    x = leaf(1.0)
    a = seen(x, name="a")
    b = seen(a, name="b")
    c = seen(a, name="c")
    d = seen(a + b, name="d")
    (seen(c + d, name="e") + b).sum().backward()
    assert walked == [("e", 1), ("d", 1), ("c", 1), ("b", 2), ("a", 4)]
    assert x.grad.tolist() == [4]


@given(st.data())
def test_random_graphs_against_paths_counted_by_hand(data):
    """Of sums alone: the gradient is the number of ways from the output to the leaf."""
    count = data.draw(st.integers(1, 12))
    x = leaf(1.0)
    tensors, ways = [x], [1]
    for _ in range(count):
        parts = data.draw(
            st.lists(st.integers(0, len(tensors) - 1), min_size=1, max_size=3)
        )
        total = tensors[parts[0]] * 1.0
        for i in parts[1:]:
            total = total + tensors[i]
        tensors.append(total)
        ways.append(sum(ways[i] for i in parts))
    tensors[-1].sum().backward()
    assert x.grad.tolist() == [ways[-1]]


def test_a_gradient_that_a_hook_keeps_is_its_own():
    """What comes later is added to a sum that nobody else holds."""
    x, kept = leaf(1.0, 2.0), []
    y = x * 1.0
    y.register_hook(lambda g: kept.append(g * 2.0) or kept[0])
    (g,) = tg.autograd.grad((y * 2.0 + y * 3.0).sum(), y)
    g.mul_(0.0)
    assert kept[0].tolist() == [10, 10]


def test_gradients_of_several_inputs_share_no_memory():
    x = leaf(1.0, 2.0)
    y, z, given = x * 1.0, x * 2.0, tg.ones(2)
    p, q = tg.autograd.grad(y + z, [y, z], given)
    p.mul_(0.0)
    assert (q.tolist(), given.tolist()) == ([1, 1], [1, 1])


def _raise(error):
    raise error


FAILS = {
    "another shape": (
        lambda g, k, xp: xp.concat((g, g[:1]), axis=0),
        errors.ShapeError,
        r"scale: the gradient of argument x is float32{} of shape \(3, 3\), "
        r"expected {} of shape \(2, 3\)$",
    ),
    "the same size in another shape": (
        lambda g, k: (g * k).T,
        errors.ShapeError,
        r"scale: the gradient of argument x is float32{} of shape \(3, 2\), "
        r"expected {} of shape \(2, 3\)$",
    ),
    "too few elements": (
        lambda g, k: g[0],
        errors.ShapeError,
        r"scale: the gradient of argument x is float32{} of shape \(3,\), "
        r"expected {} of shape \(2, 3\)$",
    ),
    "no array": (
        lambda g, k: 2.0,
        errors.ShapeError,
        r"scale: the gradient of argument x is float, expected {} of shape \(2, 3\)$",
    ),
    "an error of the library": (
        lambda g, k: _raise(ValueError("no")),
        ValueError,
        "no",
    ),
    "an error of its own": (lambda g, k: _raise(KeyError("no")), KeyError, "no"),
    "memory": (lambda g, k: _raise(MemoryError("no")), MemoryError, "no"),
}


@pytest.mark.parametrize("name", FAILS)
@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_a_pullback_that_fails_is_named(name, create, fused):
    """The op, and the argument; nothing was added to a gradient."""
    pullback, kind, words = FAILS[name]
    if fused and create:
        return  # then its backward does not run

    @op
    def scale(xp, x, k, /):
        return x * k

    scale.vjp(pullback, lambda g, x: g * x)
    if fused:

        def back(xp, grads, needs, inputs, outputs, workspace):
            x, k = inputs
            first = (
                pullback(grads[0], k, xp)
                if name == "another shape"
                else pullback(grads[0], k)
            )
            return first, grads[0] * x

        def _scale(x, k, /):
            return x * k

        scale = FusedOp(_scale, lambda xp, x, k: ((x * k,), None), back)
    x, k = (tg.ones(2, 3, requires_grad=True) for _ in range(2))
    forms = ("a Tensor",) if "is float," in words else ("", "a Tensor")
    if not create:
        forms = ("an array",) if "is float," in words else (" ndarray", "an array")
    with pytest.raises(kind, match=words.format(*forms)) as caught:
        scale(x, k).sum().backward(create_graph=create)
    told = [str(caught.value), *getattr(caught.value, "__notes__", ())]
    assert any("scale" in line for line in told)
    assert x.grad is None
    assert k.grad is None


def test_gradients_of_one_memory_are_told_apart():
    """A backward may hand its cotangent on, twice: no leaf holds what another one
    holds.
    """

    def total(x, y, /):
        return x + y

    def backward(xp, grads, *_):
        return (grads[0], grads[0])

    fused = FusedOp(total, lambda xp, x, y: ((x + y,), None), backward)
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    for _ in range(2):
        (fused(x, y) * 3.0).sum().backward()
    assert x.grad.tolist() == y.grad.tolist() == [6.0, 6.0]


def test_a_pullback_without_a_return_is_told():
    @op
    def triple(xp, x, /):
        return 3 * x

    def forgotten(g):
        g * 3

    triple.vjp(forgotten)
    x = leaf(1.0)
    with pytest.raises(
        tg.Error, match="triple: the gradient of argument x is NoneType, expected an"
    ):
        triple(x).sum().backward()


def test_whoever_asks_hears_of_the_end_of_a_backward():
    """With the leaves that got a gradient, once those are there; not if it failed."""
    x, y = (tg.ones(2, requires_grad=True) for _ in range(2))
    heard = []

    def listen(leaves):
        heard.append([(leaf, leaf.grad.tolist()) for leaf in leaves])

    walk.after_backward.append(listen)
    try:
        (x * 3).sum().backward()
        (x * y).sum().backward(inputs=[y])
        loss = (x.exp() * y).sum()
        x.data += 1.0
        tg.autograd.grad((x * 2).sum(), x)  # adds to no grad
        y.data += 1.0
        with pytest.raises(tg.errors.GraphError):
            loss.backward()
    finally:
        walk.after_backward.remove(listen)
    (first,), (second,) = heard
    assert first[0] is x
    assert first[1] == [3.0, 3.0]
    assert second[0] is y
    assert second[1] == [1.0, 1.0]
