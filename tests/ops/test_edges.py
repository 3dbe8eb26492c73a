"""Arrays of no element and of no dims, indices of any width, and what must be refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import ops
from tinygrad_rnn.engine.op import table
from tinygrad_rnn.errors import DimError, DTypeError, IdError, ShapeError

UNARY = [
    name
    for name, op in vars(table).items()
    if op.signature.arrays == ("x",)
    and not op.signature.settings
    and name not in ("matrix_transpose", "median", "nonzero")
]


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1, 1, 1)])
def test_any_shape_comes_out_as_an_array_of_it(name, shape):
    x = np.full(shape, 0.5, np.float32)
    x = tg.from_numpy(
        x.astype(bool) if name in ("logical_not", "bitwise_invert") else x
    )
    out = getattr(ops, name)(x)
    assert type(out.array) is np.ndarray
    assert out.shape == shape


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "amax", "amin"])
def test_nothing_to_choose_from(name):
    empty = tg.zeros(2, 0)
    with pytest.raises(ShapeError, match="am|max|min"):
        getattr(empty, name)()
    with pytest.raises(ShapeError, match="am|max|min"):
        getattr(empty, name)(1)
    out = getattr(tg.zeros(0, 2), name)(1)
    out = out.values if isinstance(out, tuple) else out
    assert out.shape == (0,)


def test_sums_of_nothing():
    empty = tg.zeros(2, 0, requires_grad=True)
    assert empty.sum().item() == 0
    assert empty.sum(1).tolist() == [0, 0]
    assert empty.all().item() is True
    assert empty.any().item() is False
    with pytest.raises(
        ShapeError, match=r"mean: nothing to average in a tensor of shape \(2, 0\)"
    ):
        empty.mean()
    with pytest.raises(ShapeError, match="mean"):
        empty.mean(1)
    assert empty.mean(0).shape == (0,)
    empty.sum().backward()
    assert empty.grad.shape == (2, 0)


@pytest.mark.parametrize("function", ["softmax", "log_softmax"])
@pytest.mark.parametrize(
    ("shape", "dim"), [((5, 0, 0), 1), ((2, 0), 1), ((0,), 0), ((0, 2), 1)]
)
def test_what_is_empty_is_normalised_to_something_empty(function, shape, dim):
    x = tg.zeros(shape, requires_grad=True)
    out = getattr(x, function)(dim)
    assert out.shape == shape
    out.sum().backward()
    assert x.grad.shape == shape


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_logarithm_of_the_sum_of_nothing(create_graph):
    x = tg.zeros(2, 0, requires_grad=True)
    out = x.logsumexp(1)
    assert out.tolist() == [-np.inf, -np.inf]
    assert out.dtype == tg.float32
    out.sum().backward(create_graph=create_graph)
    assert x.grad.shape == (2, 0)
    assert tg.zeros(0, 2).logsumexp(1).shape == (0,)


@pytest.mark.parametrize(
    "reduce", ["sum", "mean", "amax", "amin", "logsumexp", "max", "softmax"]
)
def test_0_d_takes_the_dims_0_and_minus_1(reduce):
    for dim in (0, -1):
        x = tg.tensor(2.0, dtype="float64", requires_grad=True)
        out = getattr(x, reduce)(dim)
        out = out.values if isinstance(out, tuple) else out
        assert out.shape == ()
        out.backward()
        assert x.grad.item() == (0 if reduce == "softmax" else 1)
    with pytest.raises(DimError):
        getattr(x, reduce)(1)


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
)
@given(data=st.data())
def test_ids_of_any_width(dtype, data):
    """Rows named by narrow integers, of a table that is longer than these can count."""
    ids = data.draw(st.lists(st.integers(0, 127), max_size=6))
    weight = tg.ones(300, 2, dtype="float64", requires_grad=True)
    weight[tg.tensor(ids, dtype=dtype)].sum().backward()
    assert weight.grad.tolist() == [[float(ids.count(i))] * 2 for i in range(300)]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
@pytest.mark.parametrize("recorded", [False, True])
def test_one_element_is_assigned_one_value_of_any_shape(shape, recorded):
    x, w = tg.zeros(3), tg.full(shape, 2.0, requires_grad=recorded)
    x[1] = w
    assert x.tolist() == [0, 2, 0]
    if recorded:
        x.sum().backward()
        assert w.grad.shape == shape
        assert w.grad.item() == 1


def test_assigning_to_repeated_places_keeps_the_last_and_its_gradient():
    x = tg.ones(3, requires_grad=True)
    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x.clone()
    y[tg.tensor([0, 2, 0])] = w
    assert y.tolist() == [3, 1, 2]
    y.sum().backward()
    assert w.grad.tolist() == [0, 1, 1]
    assert x.grad.tolist() == [0, 1, 0]


def test_reading_repeated_places_adds_their_gradients():
    x = tg.ones(3, requires_grad=True)
    (x[[0, 2, 0]] * tg.tensor([1.0, 2.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [5, 0, 2]


def test_a_place_named_from_either_end_is_one_place():
    x = tg.ones(3, 2, requires_grad=True)
    (
        x[tg.tensor([2, -1, 0, -3])] * tg.tensor([[1.0], [2.0], [4.0], [8.0]])
    ).sum().backward()
    assert x.grad.tolist() == [[12, 12], [0, 0], [3, 3]]


def test_a_bool_is_a_mask_of_no_dims(device):
    x = tg.tensor([1.0, 2.0], device=device, requires_grad=True)
    (x[True] * 5 + x[..., None, True].sum() + x * 3 + x[False].sum()).sum().backward()
    assert x.grad.tolist() == [10, 10]


WRONG = {
    "out of range": (lambda x: x[3], IdError, "getitem: index 3 is out of bounds"),
    "an array out of range": (
        lambda x: x[tg.tensor([0, 5])],
        IdError,
        "getitem: index 5",
    ),
    "too many": (lambda x: x[0, 0, 0], IdError, "getitem: too many indices"),
    "a float": (lambda x: x[1.0], IdError, "getitem: only integers"),
    "shapes": (
        lambda x: x + tg.zeros(4),
        ShapeError,
        r"add: the shapes \(2, 3\) and \(4,\) cannot be",
    ),
    "no tensor": (
        lambda x: ops.add(1.0, 2.0),
        DTypeError,
        "add: expected a Tensor, got float, float",
    ),
    "one too few": (
        lambda x: ops.add(x),
        DTypeError,
        "add: missing .*'y'; the arguments are x, y",
    ),
    "one too many": (
        lambda x: ops.add(x, x, x),
        DTypeError,
        "add: takes 2 .* but 3 were given; the arguments are x, y",
    ),
    "an unknown setting": (
        lambda x: ops.sum(x, dim=0),
        DTypeError,
        "sum: .* 'dim'; the arguments are x, axis",
    ),
    "a missing setting": (
        lambda x: ops.reshape(x),
        DTypeError,
        "reshape: missing .*'shape'",
    ),
    "no list": (
        lambda x: ops.concat(x),
        DTypeError,
        "concat: expected a list or a tuple",
    ),
    "ranks": (lambda x: ops.concat([x, x[0]]), ShapeError, "concat: "),
    "no such axis": (
        lambda x: ops.sum(x, axis=2),
        DimError,
        "sum: dim 2 of a tensor of shape",
    ),
    "inner sizes": (lambda x: ops.matmul(x, x), ShapeError, "matmul: "),
    "bits of floats": (lambda x: x & x, DTypeError, "bitwise_and: "),
    "a string": (lambda x: x + "a", DTypeError, "add: "),
    "none": (lambda x: x + None, DTypeError, "add: "),
    "a list": (
        lambda x: x * [1.0, 2.0],
        DTypeError,
        "multiply: got a list, expected a Tensor or a",
    ),
    "a tuple": (lambda x: (1.0, 2.0) + x, DTypeError, "add: got a tuple"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_names_op_and_arguments(name):
    call, kind, words = WRONG[name]
    with pytest.raises(kind, match=words):
        call(tg.zeros(2, 3))
