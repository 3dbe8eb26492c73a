"""Tensors as numbers, lists, arrays and text; copies of leaves."""

import copy
import pickle

import numpy as np
import pytest
from calls import check_wrong_call

import tinygrad_rnn as tg
from tinygrad_rnn.backend import backends, find
from tinygrad_rnn.errors import DTypeError, GraphError, ShapeError

f8 = np.float64


def test_numpy_takes_a_tensor_for_an_array():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert np.shares_memory(np.asarray(x), x.numpy())
    assert np.asarray(x, dtype=f8).dtype == f8
    assert not np.shares_memory(np.array(x), x.numpy())
    assert not np.shares_memory(np.asarray(x, copy=True), x.numpy())
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, dtype=f8, copy=False)
    assert np.sort(x).tolist() == x.tolist()
    assert np.concatenate([x, x]).shape == (4, 2)
    np.testing.assert_array_equal(x, x.numpy())


def test_copies():
    x = tg.ones(2, requires_grad=True)
    (x * 3.0).sum().backward()
    for again in (copy.deepcopy(x), copy.copy(x)):
        assert again is not x
        assert again.requires_grad
        assert again.grad.tolist() == [3, 3]
        assert not np.shares_memory(again.numpy(), x.numpy())
        assert not np.shares_memory(again.grad.numpy(), x.grad.numpy())
    # What is in grad fits no more: it is copied as it is
    x.data = np.ones((3, 1), np.float32)
    assert copy.deepcopy(x).grad.shape == x.grad.shape != x.shape
    pair = copy.deepcopy([x, x])
    assert pair[0] is pair[1]
    with pytest.raises(
        GraphError, match=r"deepcopy: only leaves.*detach\(\)\.clone\(\)"
    ):
        copy.deepcopy(x * 2.0)
    with pytest.raises(GraphError, match="only leaves"):
        copy.copy(x * 2.0)


def test_numbers():
    x = tg.tensor(2.5)
    assert float(x) == 2.5
    assert int(x) == 2
    assert x.item() == 2.5
    assert isinstance(x.item(), float)
    assert bool(x)
    assert not tg.tensor([[0]])
    assert isinstance(tg.tensor(3).item(), int)
    assert tg.tensor([[7]]).item() == 7
    assert tg.tensor([1.5, 2.5]).tolist() == [1.5, 2.5]
    assert tg.tensor(1.5).tolist() == 1.5
    assert f"{x:.2f}" == "2.50"
    assert f"{x}" == repr(x)
    assert round(float(x)) == 2


REPRESENTATIONS = {
    "tensor([1., 2.], dtype=float32)": lambda: tg.tensor([1.0, 2.0]),
    "tensor(3, dtype=int64)": lambda: tg.tensor(3),
    "tensor([], dtype=float32)": lambda: tg.zeros(0),
    "tensor([], size=(0, 3), dtype=float32)": lambda: tg.zeros(0, 3),
    "tensor([1.], dtype=float64, requires_grad=True)": lambda: tg.ones(
        1, dtype=f8, requires_grad=True
    ),
    "tensor([2.], dtype=float32, grad_fn=<multiply>)": lambda: (
        tg.ones(1, requires_grad=True) * 2.0
    ),
    "tensor([[1, 2],\n        [3, 4]], dtype=int64)": lambda: tg.tensor(
        [[1, 2], [3, 4]]
    ),
    "tensor([ True, False], dtype=bool)": lambda: tg.tensor([True, False]),
}


@pytest.mark.parametrize("text", REPRESENTATIONS)
def test_repr(text):
    assert repr(REPRESENTATIONS[text]()) == text


def test_repr_of_many_elements_is_short():
    assert len(repr(tg.zeros(1000, 1000))) < 1000


WRONG = {
    "item of many": (
        lambda x: x.item(),
        ShapeError,
        r"item: got shape \(2, 3\), .*tolist\(\)",
    ),
    "float of many": (lambda x: float(x), ShapeError, "item: got shape"),
    "int of many": (lambda x: int(x), ShapeError, "item: got shape"),
    "bool of many": (
        lambda x: bool(x),
        ShapeError,
        r"bool: .*neither true nor false.*any\(\)",
    ),
    "bool of none": (lambda x: bool(tg.zeros(0)), ShapeError, "bool: "),
    "if": (lambda x: 1 if x > 0 else 2, ShapeError, "bool: "),
    "chained comparison": (lambda x: 0 < x < 1, ShapeError, "bool: "),
    "a float as an index": (
        lambda x: [1, 2][tg.tensor(1.0)],
        DTypeError,
        "index: got a float32",
    ),
    "a vector as an index": (
        lambda x: [1, 2][tg.tensor([1, 0])],
        DTypeError,
        "index: got a int64",
    ),
}


def test_pickling_is_not_offered_silently_broken():
    """If a tensor can be pickled it comes back the same."""
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    try:
        again = pickle.loads(pickle.dumps(x))
    except (TypeError, AttributeError, pickle.PicklingError):
        return
    assert again.tolist() == [1, 2]
    assert again.requires_grad


def test_leaves_and_views_can_be_pickled():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x.grad = tg.ones(2, 2)
    for view in (x.detach()[0], x.detach().T, x.detach()[:, 1]):
        again = pickle.loads(pickle.dumps(view))
        assert again.tolist() == view.tolist()
        assert (again.source, again.view_version) == (None, None)
    again = pickle.loads(pickle.dumps(x))
    assert (again.tolist(), again.grad.tolist()) == (x.tolist(), x.grad.tolist())
    assert again.requires_grad
    assert pickle.loads(pickle.dumps(tg.nn.Parameter(x.detach()))).name == "parameter"
    with pytest.raises(GraphError, match=r"pickle: .*detach\(\)"):
        pickle.dumps(x * 2.0)


@pytest.mark.parametrize("spec", [".3f", "10", ">20", "d"])
@pytest.mark.parametrize("shape", [(1,), (3,), (1, 1), (0,)])
def test_a_format_of_several_elements_says_what_to_write(shape, spec):
    with pytest.raises(
        TypeError, match=r"^format: '.*' of a tensor of shape .*\.item\(\).*tolist"
    ):
        format(tg.ones(*shape), spec)
    assert f"{tg.ones(*shape)}" == repr(tg.ones(*shape))


def test_a_format_of_one_element_is_that_of_its_number():
    loss = tg.tensor(2.0, requires_grad=True) * 1.25
    assert f"{loss:.3f} {loss:>6.1f} {tg.tensor(3):03d} {tg.tensor(True)!s:.6}" == (
        "2.500    2.5 003 tensor"
    )
    with pytest.raises(ValueError, match="format code"):
        f"{loss:d}"


def test_numpy_shares_memory_by_dlpack():
    x = tg.tensor([1.0, 2.0])
    array = np.from_dlpack(x)
    x[0] = 5.0
    assert array.tolist() == [5, 2]
    # NumPy's own rule
    assert array.flags.writeable == np.from_dlpack(np.ones(2)).flags.writeable


class FirstVersion:
    """An array library of the first version of the protocol, as NumPy 2.0 is."""

    def __init__(self, array):
        self.array = array

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, *, stream=None):
        return self.array.__dlpack__(stream=stream)


@pytest.mark.parametrize("wrapped", [FirstVersion, lambda array: array])
def test_a_consumer_of_a_later_version_is_served(wrapped, monkeypatch):
    monkeypatch.setitem(backends, FirstVersion, find("cpu"))
    x = tg.tensor([1.0, 2.0])
    array, x.array = x.array, wrapped(x.array)
    for how in ({}, {"max_version": (1, 0)}, {"dl_device": (1, 0), "copy": None}):
        assert "dltensor" in repr(x.__dlpack__(**how))
    if wrapped is FirstVersion:
        with pytest.raises(TypeError):
            x.__dlpack__(copy=True)
    assert np.from_dlpack(FirstVersion(array)).tolist() == [1, 2]
    assert tg.from_dlpack(FirstVersion(array)).tolist() == [1, 2]


@pytest.mark.parity
def test_pytorch_shares_memory_by_dlpack():
    torch = pytest.importorskip("torch")
    x = tg.tensor([1.0, 2.0])
    theirs = torch.from_dlpack(x)
    theirs[0] = 5
    assert x.tolist() == [5, 2]
    back = tg.from_dlpack(theirs)
    back[1] = 7
    assert theirs.tolist() == [5, 7]
    assert np.asarray(theirs.new_ones(2) + theirs).tolist() == [6, 8]


@pytest.mark.parity
def test_jax_takes_and_gives_by_dlpack():
    jax = pytest.importorskip("jax")
    theirs = jax.numpy.from_dlpack(tg.tensor([1.0, 2.0]))
    assert theirs.tolist() == [1, 2]
    assert tg.from_dlpack(theirs * 2).tolist() == [2, 4]


def test_explicit_ways_out_work_while_recording():
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    y = w * 2.0
    assert y.numpy().tolist() == y.tolist() == y.detach().tolist() == [2, 4]
    assert np.asarray(y.detach()).tolist() == np.asarray(y.data).tolist() == [2, 4]
    assert (float(y[0]), int(y[1]), y[0].item()) == (2.0, 4, 2.0)
    assert tg.tensor([y[0].item(), float(y[1])]).tolist() == [2, 4]
    tg.stack([w * 2.0, w * 3.0]).sum().backward()
    assert w.grad.tolist() == [5, 5]


@pytest.mark.parity
def test_pytorch_gets_no_tensor_that_requires_grad():
    torch = pytest.importorskip("torch")
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    for take in (torch.from_dlpack, torch.as_tensor, torch.tensor):
        with pytest.raises(tg.errors.ExportError):
            take(x)
        assert take(x.detach()).tolist() == [1, 2]


def test_a_plot_of_what_records_says_detach():
    y = tg.tensor([1.0, 2.0], requires_grad=True) * 2.0
    with pytest.raises(
        tg.errors.GraphError, match=r"x\.detach\(\)\.numpy\(\) for what draws it"
    ):
        copy.copy(y)  # which is what matplotlib does first


@pytest.mark.parity  # where matplotlib is installed too
@pytest.mark.parametrize(
    "name", ["plot", "scatter", "bar", "hist", "imshow", "fill_between"]
)
def test_matplotlib_draws_what_is_detached(name):
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    for one in (x, x * 2.0):
        line = [one] if name == "imshow" else [one[0]]
        more = [range(2)] if name in ("scatter", "bar", "fill_between") else []
        draw = getattr(Figure().subplots(), name)
        with pytest.raises(tg.errors.GraphError, match=r"detach\(\)"):
            draw(*more, *line)
        draw(*more, *[part.detach() for part in line])


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
