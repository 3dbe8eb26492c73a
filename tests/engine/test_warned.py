"""NumPy's warnings point at the user's line, in the forward pass and the walk back."""

import importlib
import inspect
import pkgutil
import threading
import unittest
import warnings

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.autograd import grad, op
from tinygrad_rnn.kernels import modules
from tinygrad_rnn.kernels import numpy as numpy_kernels

big = tg.tensor([1e38], requires_grad=True)
zero = tg.tensor([0.0], requires_grad=True)
one = tg.tensor([-1.0], requires_grad=True)
huge = tg.full((4,), 3e38)
wide = tg.full((512, 512), 1e38)
infinite = tg.full((2,), np.inf)


def layer_of(kind):
    layer = kind(1, 2)
    for parameter in layer.parameters():
        nn.init.constant_(parameter, 1e38)
    return layer


LAYERS = {"rnn": layer_of(nn.RNN), "lstm": layer_of(nn.LSTM), "gru": layer_of(nn.GRU)}


def line_of(function):
    return inspect.getsourcelines(function)[1]


FORWARD = {
    "add": (
        lambda: tg.tensor([3e38]) + tg.tensor([3e38]),
        "overflow encountered in add",
    ),
    "multiply": (lambda: big * big, "overflow encountered in multiply"),
    "square": (lambda: big.square(), "overflow encountered in square"),
    "power": (lambda: big**2.5, "overflow encountered in power"),
    "exp": (lambda: big.exp(), "overflow encountered in exp"),
    "exp, where NumPy ignores the underflow": (
        lambda: tg.tensor([100.0, -100.0]).exp(),
        "overflow encountered in exp",
    ),
    "log": (lambda: zero.log(), "divide by zero encountered in log"),
    "log of less": (lambda: one.log(), "invalid value encountered in log"),
    "sqrt": (lambda: tg.sqrt(one), "invalid value encountered in sqrt"),
    "divide": (lambda: 1.0 / zero, "divide by zero encountered in divide"),
    "reciprocal": (
        lambda: zero.reciprocal(),
        "divide by zero encountered in reciprocal",
    ),
    "without a graph": (lambda: tg.zeros(2).log(), "divide by zero encountered in log"),
    "a layer": (
        lambda: nn.Sequential(Log())(zero),
        "divide by zero encountered in log",
    ),
    "a loss": (
        lambda: nn.functional.mse_loss(tg.tensor([3e38]), tg.tensor([-3e38])),
        "overflow encountered in mse",
    ),
}


FORWARD |= {
    "sum": (lambda: huge.sum(), "overflow encountered in sum"),
    "mean": (lambda: huge.mean(), "overflow encountered in mean"),
    "cumsum": (lambda: huge.cumsum(0), "overflow encountered in cumulative_sum"),
    "float": (lambda: huge.double().square().float(), "overflow encountered in astype"),
    "long": (lambda: tg.tensor([np.nan]).long(), "invalid value encountered in astype"),
    "softmax": (lambda: infinite.softmax(0), "invalid value encountered in softmax"),
    "matmul": (lambda: huge[None] @ huge[:, None], "overflow encountered in matmul"),
    "matmul on threads": (lambda: wide @ wide, "overflow encountered in matmul"),
    "linear": (
        lambda: nn.functional.linear(huge, huge[None]),
        "overflow encountered in linear",
    ),
    "cross entropy": (
        lambda: nn.functional.cross_entropy(infinite, tg.tensor(0)),
        "invalid value encountered in cross_entropy",
    ),
    "an assignment": (
        lambda: tg.zeros(2).copy_(huge[:2].double().square()),
        "overflow encountered in copy_",
    ),
    **{
        name: (
            lambda name=name: LAYERS[name](huge[:, None])[0],
            f"overflow encountered in {name}",
        )
        for name in ("rnn", "lstm", "gru")
    },
}


class Log(nn.Module):
    def forward(self, x):
        return tg.log(x)


def caught(function):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = function()
    return result, found


def needs_warnings_of_products():
    """Skip a test where NumPy itself says nothing of a product that overflows."""
    array = np.full(64, 1e38, np.float32)
    if not caught(lambda: array[None].dot(array[:, None]))[1]:
        pytest.skip(f"NumPy {np.__version__} does not warn of products")


PRODUCTS = ("matmul", "matmul on threads", "linear", "rnn", "lstm", "gru")


def needs_numpys_kernels():
    """Skip a test of warnings that only NumPy gives."""
    if modules["cpu"] is not numpy_kernels:
        pytest.skip("the kernels in C give no warnings")


@pytest.mark.parametrize("name", FORWARD)
def test_a_warning_of_an_op(name):
    if name in PRODUCTS:
        needs_warnings_of_products()
    if name in ("rnn", "lstm", "gru", "linear", "cross entropy"):
        needs_numpys_kernels()
    call, words = FORWARD[name]
    if name == "a layer":
        where = line_of(Log.forward) + 1
    else:
        where = call.__code__.co_firstlineno  # a lambda of one line
    result, found = caught(call)
    assert [str(w.message) for w in found] == [words]
    assert found[0].category is RuntimeWarning
    assert (found[0].filename, found[0].lineno) == (__file__, where)
    with np.errstate(all="ignore"):
        again = call()
    np.testing.assert_array_equal(result.detach().numpy(), again.detach().numpy())
    assert result.requires_grad is again.requires_grad


BACKWARD = {
    "log": (
        lambda x: x.log(),
        0.0,
        "divide by zero encountered in the gradient of log",
    ),
    "sqrt": (
        lambda x: x.sqrt(),
        0.0,
        "divide by zero encountered in the gradient of sqrt",
    ),
    "divide": (
        lambda x: 1.0 / x,
        1e-38,
        "overflow encountered in the gradient of divide",
    ),
    "multiply": (
        lambda x: x * 1e30 * 1e30,
        0.0,
        "overflow encountered in the gradient of multiply",
    ),
}


BACKWARD |= {
    "an expanded tensor": (
        lambda x: (x.expand(4) * 3e38).sum(),
        1.0,
        "overflow encountered in the gradient of broadcast_to",
    ),
    "a linear layer": (
        lambda x: nn.functional.linear(x[None], tg.tensor([[3e38]])) * 1e10,
        0.0,
        "overflow encountered in the gradient of linear",
    ),
    "a cast": (
        lambda x: x.double() * 1e300,
        0.0,
        "overflow encountered in the gradient of astype",
    ),
}


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("name", BACKWARD)
def test_a_warning_of_a_gradient(name, create):
    """At the line of backward(); under create_graph it is the pullback's own op."""
    if name == "a linear layer":
        needs_warnings_of_products()
        if not create:  # then it is an op of the table
            needs_numpys_kernels()
    use, value, words = BACKWARD[name]
    x = tg.tensor([value], requires_grad=True)
    with np.errstate(all="ignore"):
        y = use(x)

    def walk():
        return y.backward(create_graph=create)

    _, found = caught(walk)
    assert found
    kind = words.partition(" encountered")[0]
    for w in found:
        assert str(w.message) == words or (create and str(w.message).startswith(kind))
        assert (w.filename, w.lineno) == (__file__, line_of(walk) + 1)
    with np.errstate(all="ignore"):
        (again,) = grad(use(x), x)
    np.testing.assert_array_equal(x.grad.detach().numpy(), again.numpy())


def test_the_users_filters_and_modes_hold():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            RuntimeWarning, match="overflow encountered in exp"
        ) as error:
            big.exp()
        assert error.value.__context__ is None
        loss = tg.tensor([0.0], requires_grad=True).sqrt()
        with pytest.raises(RuntimeWarning, match="the gradient of sqrt"):
            loss.backward()
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        big.exp()
    for filters, modes in (("ignore", {}), ("error", {"all": "ignore"})):
        with warnings.catch_warnings(record=True) as found, np.errstate(**modes):
            warnings.simplefilter(filters)
            assert big.exp().item() == np.inf
        assert not found
    seen = []
    with np.errstate(all="call", call=lambda kind, flag: seen.append(kind)):
        big.exp()
    assert seen == ["overflow"]
    with np.errstate(divide="ignore"):
        _, found = caught(lambda: (zero.log(), big.exp()))
    assert [str(w.message) for w in found] == ["overflow encountered in exp"]


def test_a_line_warns_once_unless_asked_for_more():
    def twice():
        for _ in range(3):
            big.exp()

    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        twice()
    assert len(found) == 1


def test_a_warning_in_a_thread_and_one_that_unittest_looks_for():
    found = []
    thread = threading.Thread(
        target=lambda: found.append(caught(lambda: zero.log())[1])
    )
    thread.start()
    thread.join()
    assert [w.filename for w in found[0]] == [__file__]
    with warnings.catch_warnings():
        # assertWarns reads an attribute of every imported module, and a module of
        # mpmath's warns when it is read.
        warnings.simplefilter("ignore", DeprecationWarning)
        with unittest.TestCase().assertWarns(RuntimeWarning) as told:
            zero.log()
    assert told.filename == __file__
    assert [w.filename for w in caught(lambda: big.exp())[1]] == [__file__]


def test_warnings_of_a_users_own_op_are_at_its_own_line():
    @op
    def own(xp, x, /):
        return xp.exp(x) * 2.0

    _, found = caught(lambda: own(big))
    assert [w.filename for w in found] == [__file__]
    assert found[0].lineno == line_of(own.signature.function) + 2


def test_a_warning_of_another_kind_is_shown_where_it_arises(monkeypatch):
    """Such as one that a later NumPy has in store: the op works all the same, then and
    later.
    """
    from tinygrad_rnn.ops import elementwise

    namespace = vars(elementwise)
    code = (
        "def forward(xp, x, /):\n"
        "    warn('later', DeprecationWarning)\n"
        "    return xp.exp(x)\n"
    )
    monkeypatch.setitem(namespace, "warn", warnings.warn)
    exec(compile(code, "a row", "exec"), namespace)
    monkeypatch.setattr(tg.ops.exp, "forward", namespace.pop("forward"))
    try:
        for _ in range(2):
            result, found = caught(lambda: tg.zeros(1).exp())
            assert result.item() == 1
            assert [(str(w.message), w.filename) for w in found] == [("later", "a row")]
    finally:
        namespace["__warningregistry__"] = ()


def test_each_module_that_ops_compute_in_says_that_warnings_are_errors_there():
    """One that is new has to: its warnings would point into the package."""
    from tinygrad_rnn import ops

    for package in (ops, numpy_kernels):
        for _, name, _ in pkgutil.iter_modules(package.__path__):
            if name == "slices":  # which has no arithmetic of its own
                continue
            module = importlib.import_module(f"{package.__name__}.{name}")
            assert module.__warningregistry__ == (), name


def test_code_without_a_module_is_warned_too():
    """As that of ``exec`` and ``eval``, whose globals may have no name."""
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in log"):
        eval("zero.log()", {"zero": zero})


@pytest.mark.parametrize(
    "kind", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad]
)
def test_a_warning_of_a_step(kind):
    """It is at the line of step(), and the step is made once."""
    if kind in (optim.Adam, optim.AdamW):
        needs_numpys_kernels()

    def trained(rate):
        parameter = nn.Parameter(tg.ones(2))
        parameter.grad = tg.tensor([3e38, 1.0])
        optimizer = kind([parameter], lr=rate)
        _, found = caught(optimizer.step)
        state = optimizer.state_dict()["state"][0]
        return parameter, state, found

    def call():
        return trained(1e30)

    parameter, state, found = call()
    assert {str(w.message) for w in found} == {
        f"overflow encountered in optim.{kind.__name__}.step"
    }
    assert {w.filename for w in found} == {__file__}
    with np.errstate(all="ignore"):
        again, state_again, silent = call()
    assert silent == []
    np.testing.assert_array_equal(parameter.detach().numpy(), again.detach().numpy())
    assert {k: str(v) for k, v in state.items()} == {
        k: str(v) for k, v in state_again.items()
    }
