"""Functions of several tensors: where, cat, stack."""

import pytest
from calls import check_wrong_call

import tinygrad_rnn as tg
from tinygrad_rnn.errors import DimError, OptionError, ShapeError

WRONG = {
    "cat of nothing": (lambda x: tg.cat([]), OptionError, "cat: got no tensors"),
    "cat of shapes": (
        lambda x: tg.cat([x, tg.zeros(2, 4)]),
        ShapeError,
        r"cat: tensor 1 has shape \(2, 4\), expected \(\*, 3\)",
    ),
    "cat of ranks": (
        lambda x: tg.cat([x, x[0]]),
        ShapeError,
        r"cat: tensor 1 has shape \(3,\), expected \(\*, 3\)",
    ),
    "cat of a dim": (lambda x: tg.cat([x, x], 2), DimError, "cat: dim 2"),
    "stack of shapes": (
        lambda x: tg.stack([x, x.T]),
        ShapeError,
        "stack: tensor 1 has shape",
    ),
    "stack of nothing": (
        lambda x: tg.stack([]),
        OptionError,
        "(cat|stack): got no tensors",
    ),
}


@pytest.mark.parametrize("join", [tg.cat, tg.stack])
def test_joining_takes_a_list_of_tensors(join):
    x = tg.ones(2)
    with pytest.raises(
        TypeError, match=r"expected the tensors in a list: \w+\(\[a, b\], dim\)"
    ):
        join(x, x)
    with pytest.raises(TypeError, match="number 1 is list, expected a Tensor"):
        join([x, [1.0]])
    with pytest.raises(ValueError, match="got no tensors"):
        join([])


def test_a_choice_between_numbers_is_made_where_the_condition_is(device):
    found = tg.where(tg.tensor([True, False], device=device), 1.0, 2.0)
    assert found.device == tg.device(device)
    assert found.tolist() == [1, 2]
    assert found.dtype == tg.float32


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call(name):
    check_wrong_call(*WRONG[name])
