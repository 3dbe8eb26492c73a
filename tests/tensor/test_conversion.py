"""Tensors among other libraries' arrays: the array API standard, DLPack, NumPy's
protocols.
"""

import copy

import array_api_compat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import assert_close
from strategies import Draw, real

import tinygrad_rnn as tg


def namespace(*arrays):
    """As libraries written for the standard ask; NumPy's own lacks some of its names in
    2.0.
    """
    (found,) = {array_api_compat.array_namespace(array) for array in arrays}
    return found


# A small piece of code written for the standard: it knows no library.


def standardised(x, axis):
    xp = namespace(x)
    centred = x - xp.mean(x, axis=axis, keepdims=True)
    spread = xp.std(x, axis=axis, correction=0, keepdims=True)
    return xp.where(spread > 0, centred / (spread + 1e-3), xp.zeros_like(x))


def attention(q, k, v):
    xp = namespace(q, k, v)
    scores = xp.matmul(q, xp.matrix_transpose(k)) / q.shape[-1] ** 0.5
    mask = xp.tril(xp.ones(scores.shape[-2:], dtype=xp.bool), k=0)
    scores = xp.where(mask, scores, xp.asarray(-xp.inf, dtype=q.dtype))
    e = xp.exp(scores - xp.max(scores, axis=-1, keepdims=True))
    return xp.matmul(e / xp.sum(e, axis=-1, keepdims=True), v)


def rearranged(x):
    xp = namespace(x)
    x = xp.concat([xp.roll(x, 1, axis=0), xp.flip(x, axis=-1)], axis=0)
    x = xp.moveaxis(xp.stack([x, xp.sort(x, axis=-1)], axis=0), 0, -1)
    rows = xp.take(x, xp.asarray([1, 0]), axis=0)
    places = xp.argsort(rows, axis=1)
    ordered = xp.take_along_axis(rows, places, axis=1)
    return xp.squeeze(
        xp.expand_dims(xp.cumulative_sum(ordered, axis=0), axis=0), axis=0
    )


def measured(x):
    xp = namespace(x)
    length = xp.sqrt(xp.vecdot(x, x, axis=-1))
    counts = xp.astype(xp.isfinite(x), xp.int64)
    assert xp.isdtype(xp.result_type(x, counts), "real floating")
    halves = xp.unstack(xp.reshape(xp.tile(x, (1, 2)), (2, *x.shape)), axis=0)
    return (
        length
        + xp.sum(counts, axis=-1)
        + xp.prod(halves[0], axis=-1)
        + xp.var(x, axis=-1)
    )


@given(st.data())
def test_code_written_for_the_standard_runs_on_tensors(data):
    d = Draw(data.draw)
    shape = tuple(d.integer(2, 4) for _ in range(2))
    arrays = [np.array(real(d.rng, shape)) for _ in range(3)]
    for function, count in (
        (standardised, 1),
        (attention, 3),
        (rearranged, 1),
        (measured, 1),
    ):
        more = (d.integer(0, 1),) if function is standardised else ()
        ours = function(*[tg.tensor(a) for a in arrays[:count]], *more)
        assert isinstance(ours, tg.Tensor)
        assert_close(
            ours.numpy(), function(*arrays[:count], *more), what=function.__name__
        )


def test_and_can_be_differentiated():
    q, k, v = (tg.randn(3, 2, dtype="float64", requires_grad=True) for _ in range(3))
    attention(q, k, v).sum().backward()
    assert_close(v.grad.sum(0).numpy(), [3, 3])  # each row of weights adds up to 1
    assert k.grad.abs().sum() > 0


def test_array_api_compat_finds_the_namespace():
    x = tg.ones(2)
    assert array_api_compat.is_array_api_obj(x)
    xp = array_api_compat.array_namespace(x, tg.zeros(3))
    assert xp is x.__array_namespace__(api_version="2023.12")
    assert array_api_compat.device(x) == "cpu"


def test_the_namespace_has_the_standards_names():
    """All names of the standard of which we have the function; call forms are used
    above.
    """
    missing = """
        e inf nan newaxis pi bool int32 int64 float32 float64 arange asarray empty
        empty_like eye from_dlpack full full_like linspace ones ones_like tril triu
        zeros zeros_like astype can_cast finfo iinfo isdtype result_type abs add
        bitwise_and bitwise_invert bitwise_or ceil clip cos divide equal exp expm1 floor
        floor_divide greater greater_equal isfinite isinf isnan less less_equal log
        log1p logical_and logical_not logical_or maximum minimum multiply negative
        not_equal pow reciprocal remainder round sign sin sqrt square subtract tanh
        matmul matrix_transpose vecdot broadcast_to concat expand_dims flip moveaxis
        permute_dims reshape roll squeeze stack tile unstack argmax argmin where argsort
        sort take take_along_axis cumulative_sum max mean min prod std sum var all any
    """.split()
    xp = tg.ones(1).__array_namespace__()
    assert [name for name in missing if not hasattr(xp, name)] == []


def test_what_is_made_takes_the_standards_keywords():
    xp = tg.ones(1).__array_namespace__()
    assert xp.arange(1, stop=3).tolist() == [1, 2]
    assert xp.linspace(0.0, 1.0, num=3).tolist() == [0, 0.5, 1]


def test_numpy_shares_memory_by_dlpack():
    x = tg.tensor([1.0, 2.0])
    array = np.from_dlpack(x)
    x[0] = 5.0
    assert array.tolist() == [5, 2]
    # NumPy's own rule
    assert array.flags.writeable == np.from_dlpack(np.ones(2)).flags.writeable


def test_what_comes_by_dlpack_shares_memory():
    array = np.array([1.0, 2.0])
    shared = tg.from_dlpack(array)
    shared[1] = 7.0
    assert array.tolist() == [1, 7]
    array.flags.writeable = False
    with pytest.raises(tg.errors.GraphError, match=r"read-only.*clone\(\)"):
        tg.from_dlpack(array)[0] = 1.0
    with pytest.raises(BufferError):
        tg.from_dlpack(np.ones(2, ">f8"))


def test_what_comes_by_dlpack_from_a_tensor_counts_its_changes():
    x = tg.tensor([1.0, 2.0])
    y = (tg.ones(2, requires_grad=True) * x).sum()
    tg.from_dlpack(x).add_(1.0)
    with pytest.raises(tg.errors.GraphError, match="changed in place"):
        y.backward()


class FirstVersion:
    """An array library of the first version of the protocol, as NumPy 2.0 is."""

    def __init__(self, array):
        self.array = array

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, *, stream=None):
        return self.array.__dlpack__(stream=stream)


@pytest.mark.parametrize("wrapped", [FirstVersion, lambda array: array])
def test_a_consumer_of_a_later_version_is_served(wrapped):
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


def test_what_has_no_dlpack():
    with pytest.raises(
        TypeError, match="from_dlpack: got list, which has no __dlpack__"
    ):
        tg.from_dlpack([1.0])
    with pytest.raises(TypeError, match="from_dlpack: got the dtype"):
        tg.from_dlpack(np.zeros(2, np.complex64))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "int32", "int64"])
@pytest.mark.parametrize("name", ["exp", "sqrt", "tanh", "sigmoid", "log1p"])
def test_functions_of_real_numbers_take_integers(name, dtype):
    found = getattr(tg.tensor([0, 1], dtype=dtype), name)()
    assert found.dtype == ("float64" if dtype in ("int32", "int64") else "float32")
    wanted = getattr(tg.tensor([0.0, 1.0], dtype=found.dtype), name)()
    assert found.tolist() == wanted.tolist()


# --------------------------------------------------- no gradient is lost silently

LOSING = {
    "np.asarray": lambda w: np.asarray(w * 2.0),
    "np.asarray of a leaf": np.asarray,
    "np.array": lambda w: np.array(w * 2.0, dtype="float64"),
    "np.concatenate": lambda w: np.concatenate([w, w]),
    "np.stack": lambda w: np.stack([w.detach(), w * 2.0]),
    "np.array of a list": lambda w: np.array([w.sum(), 1.0]),
    "np.sort": lambda w: np.sort(w),
    "np.from_dlpack": lambda w: np.from_dlpack(w * 2.0),
    "tg.from_dlpack": lambda w: tg.from_dlpack(w),
    "tg.tensor of a list": lambda w: tg.tensor([w * 2.0, w * 3.0]),
    "tg.tensor of numbers": lambda w: tg.tensor([[1.0, w.sum()], [0.0, 2.0]]),
    "tg.as_tensor of a list": lambda w: tg.as_tensor((w[0], w[1])),
    "tg.Tensor": lambda w: tg.Tensor([w, w]),
    "tg.FloatTensor": lambda w: tg.FloatTensor(w),
    "new_tensor of a list": lambda w: w.new_tensor([w]),
    "asarray of a list": lambda w: tg.array_api.asarray([w]),
    "an array's rows": lambda w: np.zeros((2, 2)).__setitem__(0, w),
}


@pytest.mark.parametrize("name", LOSING)
def test_a_conversion_that_would_lose_a_gradient_raises_while_recording(name):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(
        tg.errors.ExportError, match=r"requires grad.*tg\.stack.*x\.detach\(\)"
    ):
        LOSING[name](w)
    with tg.no_grad():
        LOSING[name](w)
    LOSING[name](w.detach())


def test_the_error_is_what_callers_of_the_protocols_expect():
    error = tg.errors.ExportError
    assert issubclass(error, RuntimeError)  # as PyTorch's, of __array__
    assert issubclass(error, BufferError)  # the standard's, of __dlpack__
    # Which others take for "no array at all"
    assert not issubclass(error, TypeError | ValueError)


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


# --------------------------------------------------- asarray of the namespace


@pytest.mark.parametrize("copy", [True, None, False])
@pytest.mark.parametrize("dtype", [None, "float64"])
def test_asarray_keeps_the_history(copy, dtype):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    for one in (x, x * 1.0):
        if copy is False and dtype:
            with pytest.raises(
                ValueError, match="asarray: copy=False, but .*float32 of shape"
            ):
                tg.array_api.asarray(one, dtype=dtype, copy=copy)
            continue
        x.grad = None
        made = tg.array_api.asarray(one, dtype=dtype, copy=copy)
        assert np.shares_memory(made.numpy(), one.numpy()) == (not copy and not dtype)
        (x * made).sum().backward()
        assert x.grad.tolist() == [2, 4]


@pytest.mark.parametrize("copy", [True, None, False])
def test_asarray_of_an_array_copies_as_it_is_told(copy):
    array = np.array([1.0, 2.0])
    made = tg.array_api.asarray(array, copy=copy)
    assert np.shares_memory(made.numpy(), array) == (not copy)
    for one, how in (([1.0], {}), (array, {"dtype": "float32"}), (np.ma.ones(2), {})):
        if copy is False and not isinstance(one, np.ma.MaskedArray):
            with pytest.raises(ValueError, match="copy=False"):
                tg.array_api.asarray(one, copy=copy, **how)
        elif copy:
            assert not np.shares_memory(
                tg.array_api.asarray(one, copy=True, **how).numpy(), np.asarray(one)
            )


DIFFERENTIABLE = [
    lambda xp, x: xp.astype(x, xp.float64, copy=True),
    lambda xp, x: xp.astype(x, x.dtype, copy=True),
    lambda xp, x: xp.astype(x, x.dtype, copy=False),
    lambda xp, x: xp.asarray(x, device="cpu"),
    lambda xp, x: xp.broadcast_to(x, (2, 2)),
    lambda xp, x: xp.stack([xp.asarray(x, copy=True), x]),
    lambda xp, x: xp.concat([x, xp.asarray(x, copy=True)]),
    lambda xp, x: x.to_device("cpu"),
]


@pytest.mark.parametrize("function", DIFFERENTIABLE)
def test_what_the_namespace_copies_keeps_the_history(function):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    made = function(tg.array_api, x)
    (made.sum() * x.sum()).backward()
    times = made.numel() // 2
    assert x.grad.tolist() == [6 * times, 6 * times]


@pytest.mark.parametrize(
    "fill",
    [
        pytest.param(lambda value: tg.full((2,), value), id="full"),
        pytest.param(lambda value: tg.full_like(tg.ones(2), value), id="full_like"),
        pytest.param(lambda value: tg.ones(2).new_full((2,), value), id="new_full"),
        pytest.param(lambda value: tg.array_api.full((2,), value), id="array API"),
    ],
)
def test_a_value_to_fill_with_that_requires_grad(fill):
    value = tg.tensor(3.0, requires_grad=True)
    with pytest.raises(tg.errors.ExportError, match="full.*requires grad"):
        fill(value)
    assert fill(value.detach()).tolist() == [3.0, 3.0]
    with tg.no_grad():
        assert fill(value).tolist() == [3.0, 3.0]
