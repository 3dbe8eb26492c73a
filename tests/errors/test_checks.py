"""The checks that every room uses."""

import inspect

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import errors

# What the functions of the top level take beside the tensor and the dim, and those with
# a dim that names no single dim of the first tensor.
OTHERS = {
    "chunk": {"chunks": 2},
    "gather": {"index": tg.zeros(2, 3, dtype=tg.int64)},
    "index_fill": {"index": tg.tensor([0]), "value": 1.0},
    "index_select": {"index": tg.tensor([0])},
    "movedim": {"destination": 0},
    "narrow": {"start": 0, "length": 1},
    "roll": {"shifts": 1},
    "scatter": {"index": tg.tensor([[0]]), "src": 1.0},
    "scatter_add": {"index": tg.tensor([[0]]), "src": tg.ones(1, 1)},
    "select": {"index": 0},
    "split": {"split_size": 1},
    "take_along_dim": {"indices": tg.zeros(2, 3, dtype=tg.int64)},
    "topk": {"k": 1},
    "transpose": {"dim1": 0},
}


TAKE_DIMS = [
    (name, key)
    for name in sorted(vars(tg.functions).keys() & set(tg.__all__))
    for key in ("dim", "dims", "dim0", "start_dim", "source")
    if key in inspect.signature(getattr(tg, name)).parameters
    and (name, key) != ("tile", "dims")
]


@pytest.mark.parametrize("wrong", [9, -9, "a"])
@pytest.mark.parametrize(("name", "key"), TAKE_DIMS)
def test_a_wrong_dim_is_told_by_the_function_that_was_called(name, key, wrong):
    function = getattr(tg, name)
    first = tg.ones(2, 3) if name not in ("cat", "concat", "stack") else [tg.ones(2, 3)]
    with pytest.raises(
        (errors.DimError, errors.DTypeError), match=rf"^{function.__name__}: "
    ):
        function(first, **{key: wrong}, **OTHERS.get(name, {}))
    if hasattr(tg.Tensor, name):
        with pytest.raises((errors.DimError, errors.DTypeError), match=rf"^{name}: "):
            getattr(first, name)(**{key: wrong}, **OTHERS.get(name, {}))


def test_what_takes_a_dim_is_found():
    assert len(TAKE_DIMS) >= 35
