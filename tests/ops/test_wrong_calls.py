"""Wrong calls of ops: the error names the op and its arguments."""

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import ops
from tinygrad_rnn.errors import DimError, DTypeError, IdError, ShapeError

WRONG = {
    "out of range": (lambda x: x[3], IdError, "getitem: index 3 is out of bounds"),
    "an array out of range": (
        lambda x: x[tg.tensor([0, 5])],
        IdError,
        "getitem: index 5",
    ),
    "too many": (lambda x: x[0, 0, 0], IdError, "getitem: too many indices"),
    "a float": (lambda x: x[1.0], IdError, "getitem: an index is an integer"),
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
        "add: too many positional arguments; the arguments are x, y",
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
