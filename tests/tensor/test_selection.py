"""Elements by mask and by index."""

import pytest
from calls import LIBRARIES, check_what_pytorch_gives, check_wrong_call

import tinygrad_rnn as tg
from tinygrad_rnn.errors import IdError

WRONG = {
    "index_select too far": (
        lambda x: x.index_select(0, tg.tensor([2])),
        IdError,
        "index 2 is out of bounds",
    ),
    "gather": (
        lambda x: x.gather(0, tg.tensor([0])),
        ValueError,
        "gather: index has shape",
    ),
    "masked_select of others": (
        lambda x: x.masked_select(tg.ones(2).bool()),
        ValueError,
        "masked_select: ",
    ),
    "diag": (
        lambda x: x.reshape(1, 2, 3).diag(),
        ValueError,
        r"diag: got the shape \(1, 2, 3\)",
    ),
    "diag of a half": (lambda x: x.diag(0.5), TypeError, "diag: diagonal is 0.5"),
    "index_fill by a vector": (
        lambda x: x.index_fill(0, tg.tensor([0]), x[0]),
        ValueError,
        "index_fill: index is .* value is float32 of shape .3,., "
        "expected a vector and a number",
    ),
    "index_fill too far": (
        lambda x: x.index_fill(0, tg.tensor([2]), 0.0),
        IndexError,
        "index_fill: index 2",
    ),
    "scatter": (
        lambda x: x.scatter(0, tg.tensor([0]), 1.0),
        ValueError,
        r"scatter: input has shape \(2, 3\), index \(1,\), src a number",
    ),
    "scatter of fewer": (
        lambda x: x.scatter(0, tg.tensor([[0, 1]]), x[:1, :1]),
        ValueError,
        r"scatter: input has shape \(2, 3\), index \(1, 2\), src \(1, 1\)",
    ),
    "scatter of doubles": (
        lambda x: x.scatter(0, tg.tensor([[0]]), x.double()),
        TypeError,
        "scatter: src is float64, expected float32, as the input",
    ),
    "scatter of None": (
        lambda x: x.scatter(0, tg.tensor([[0]])),
        TypeError,
        "scatter: src is NoneType, expected a Tensor or a number",
    ),
    "scatter too far": (
        lambda x: x.scatter(0, tg.tensor([[2]]), 1.0),
        IndexError,
        "scatter: ",
    ),
    "scatter_add of a number": (
        lambda x: x.scatter_add(0, tg.tensor([[0]]), 1.0),
        TypeError,
        "scatter_add: src is float, expected a Tensor",
    ),
    "gather too far": (
        lambda x: x.gather(0, tg.tensor([[2]])),
        IndexError,
        "gather: index 2",
    ),
    "gather of 0-d": (
        lambda x: x[0, 0].gather(0, tg.tensor(1)),
        tg.Error,
        "gather: index 1",
    ),
    "index_select": (
        lambda x: x.index_select(0, tg.tensor([[1]])),
        ValueError,
        "index_select: index has 2",
    ),
    "index_select of 0-d": (
        lambda x: x[0, 0].index_select(0, tg.tensor([0, 0])),
        ValueError,
        "index_select: 2 of a 0-d tensor",
    ),
    "take_along_dim": (
        lambda x: x.take_along_dim(tg.tensor([0]), 1),
        ValueError,
        r"take_along_dim: indices has shape \(1,\), expected 2 dims",
    ),
    "take_along_dim of others": (
        lambda x: x.take_along_dim(tg.tensor([[0]] * 3), 1),
        ValueError,
        r"take_along_dim: the shapes \(2, 3\) and \(3, 1\) do not broadcast",
    ),
}


INDEXED = {
    "index_select of 0-d": (
        lambda lib, x: x[0, 0].index_select(0, lib.tensor([0])),
        7.0,
    ),
    "index_select of 0-d by 0-d": (
        lambda lib, x: x[0, 0].index_select(0, lib.tensor(0)),
        7.0,
    ),
    "index_select by 0-d": (
        lambda lib, x: x.index_select(1, lib.tensor(2)),
        [[9.0], [12.0]],
    ),
    "gather of 0-d": (lambda lib, x: x[0, 0].gather(0, lib.tensor([0])), [7.0]),
    "gather of 0-d twice": (
        lambda lib, x: x[0, 0].gather(0, lib.tensor([0, 0])),
        [7.0, 7.0],
    ),
    "gather by 0-d": (lambda lib, x: x[0].gather(0, lib.tensor(1)), 8.0),
    "take_along_dim, index repeated": (
        lambda lib, x: x.take_along_dim(lib.tensor([[2]]), 1),
        [[9.0], [12.0]],
    ),
    "take_along_dim, input repeated": (
        lambda lib, x: x[:1].take_along_dim(lib.tensor([[1], [0], [1]]), 1),
        [[8.0], [7.0], [8.0]],
    ),
    "take_along_dim, both repeated": (
        lambda lib, x: x[:, None, :1].take_along_dim(lib.tensor([[[0, 0, 0]] * 2]), 1),
        [[[7.0] * 3] * 2, [[10.0] * 3] * 2],
    ),
    "take_along_dim of the flattened": (
        lambda lib, x: x.take_along_dim(lib.tensor([[5, 0]])),
        [12.0, 7.0],
    ),
    "scatter of 0-d": (lambda lib, x: x[0, 0].scatter(0, lib.tensor([0]), 5.0), 5.0),
    "scatter by nothing": (
        lambda lib, x: x.scatter(0, lib.tensor([], dtype=lib.int64), 5.0),
        [[7.0, 8.0, 9.0], [10.0, 11.0, 12.0]],
    ),
    "scatter of more than the index": (
        lambda lib, x: x.scatter(1, lib.tensor([[2, 0]]), x * 10),
        [[80.0, 8.0, 70.0], [10.0, 11.0, 12.0]],
    ),
    "scatter_add of more than the index": (
        lambda lib, x: x.scatter_add(1, lib.tensor([[2], [2]]), x * 10),
        [[7.0, 8.0, 79.0], [10.0, 11.0, 112.0]],
    ),
    "scatter of a value": (
        lambda lib, x: x.scatter(0, lib.tensor([[0, 1]]), value=0.5),
        [[0.5, 8.0, 9.0], [10.0, 0.5, 12.0]],
    ),
}


def test_what_is_written_twice_has_the_gradient_of_the_last():
    """PyTorch gives both of them one."""
    src = tg.tensor([2.0, 3.0], requires_grad=True)
    found = tg.zeros(2).scatter(0, tg.tensor([1, 1]), src)
    found.sum().backward()
    assert found.tolist() == [0.0, 3.0]
    assert src.grad.tolist() == [0.0, 1.0]


def test_an_index_that_changes_later_changes_no_gradient():
    x, src = tg.zeros(3, requires_grad=True), tg.ones(1, requires_grad=True)
    index = tg.tensor([0])
    out = (
        x.scatter(0, index, src)
        + x.scatter_add(0, index, src)
        + x.index_fill(0, index, 1.0)
    )
    index += 2
    out.sum().backward()
    assert x.grad.tolist() == [1.0, 3.0, 3.0]


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])


@pytest.mark.parametrize("name", INDEXED)
@pytest.mark.parametrize("library", LIBRARIES)
def test_what_pytorch_gives(name, library):
    check_what_pytorch_gives(library, *INDEXED[name])
