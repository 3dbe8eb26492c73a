"""The checks of layers and losses."""

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import errors
from tinygrad_rnn.errors import tensor_checks


def test_options_without_a_rule_pass():
    tensor_checks.check_options("f", dim=-1, p=1.0, anything=object())
    with pytest.raises(errors.OptionError, match="f: p is 1.5, expected a number from"):
        tensor_checks.check_options("f", anything=object(), p=1.5)


def test_a_row_of_padding_is_counted_from_the_front():
    assert tensor_checks.check_padding_idx("f", None, 4) is None
    rows = [tensor_checks.check_padding_idx("f", i, 4) for i in (-4, -1, 0, 3)]
    assert rows == [0, 3, 0, 3]
    for outside in (-5, 4):
        with pytest.raises(errors.OptionError, match="f: padding_idx is"):
            tensor_checks.check_padding_idx("f", outside, 4)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_ids_are_checked_at_both_ends(dtype):
    check, check_range = tensor_checks.check_ids, tensor_checks.check_range
    ids = tg.tensor(np.array([[0, 4], [2, 1]], dtype))
    check("f", "ids", ids, 5)
    assert check_range("f", "ids", ids.numpy(), 5) is True
    assert check_range("f", "ids", ids.numpy(), 4, ignore=4) is False
    with pytest.raises(errors.IdError, match=r"f: ids has 4 at \(0, 1\), .* \[0, 4\)"):
        check("f", "ids", ids, 4)
    if not dtype.startswith("u"):
        assert check_range("f", "ids", (ids - 1).numpy(), 5, ignore=-1) is False
        with pytest.raises(errors.IdError, match=r"f: ids has -1 at \(0, 0\)"):
            check("f", "ids", ids - 1, 5)


def test_an_iterator_gives_its_tensors_once():
    given = iter([tg.ones(1), tg.ones(2)])
    assert len(tensor_checks.check_tensor_list("f", given)) == 2
    with pytest.raises(errors.OptionError, match="f: got an exhausted iterator"):
        tensor_checks.check_tensor_list("f", given)
    assert tensor_checks.check_tensor_list("f", []) == []
