"""state_dict: loading is all or nothing, and keeps ties."""

import copy

import numpy as np
import pytest
from nn.models import Tied, assert_same, values

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import CheckpointError, GraphError


def test_values_that_break_a_tie_are_refused():
    tied = Tied()
    before = values(tied)
    state = values(Tied())
    state["head.weight"] = state["head.weight"] + 1
    with pytest.raises(
        CheckpointError, match=r"head.weight differs from embedding.weight"
    ):
        tied.load_state_dict(state)
    assert_same(values(tied), before)


def test_state_dict_shares_memory_and_records_nothing():
    layer = nn.Linear(2, 3)
    state = layer.state_dict()
    assert np.shares_memory(state["weight"].numpy(), layer.weight.numpy())
    assert not state["weight"].requires_grad


def test_load_takes_tensors_and_arrays_and_copies():
    source, target = nn.Linear(2, 3), nn.Linear(2, 3)
    state = source.state_dict()
    state["bias"] = state["bias"].numpy()
    weight = target.weight
    assert target.load_state_dict(state) == ([], [])
    assert target.weight is weight
    assert_same(values(target), values(source))
    assert not np.shares_memory(target.weight.numpy(), source.weight.numpy())


def test_load_is_all_or_nothing_and_tells_all():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1), nn.Linear(1, 1))
    before = values(model)
    state = {name: value + 1 for name, value in before.items()}
    state["0.weight"] = np.zeros((3, 3), np.float32)  # a shape
    state["0.bias"] = np.zeros(3)  # a dtype
    del state["1.weight"], state["2.bias"]
    state["3.weight"] = np.zeros(1, np.float32)
    with pytest.raises(CheckpointError) as caught:
        model.load_state_dict(state)
    message = str(caught.value)
    for words in (
        "Sequential.load_state_dict: nothing was loaded",
        "0.weight has shape (3, 3) and float32, expected (3, 2) and float32",
        "0.bias has shape (3,) and float64, expected (3,) and float32",
        "1.weight is missing",
        "2.bias is missing",
        "3.weight is unexpected",
    ):
        assert words in message
    assert_same(values(model), before)


def test_load_that_is_not_strict_takes_what_fits():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = values(model)
    fits = {"0.bias": np.full(3, 7, np.float32), "other": np.zeros(1)}
    keys = model.load_state_dict(fits, strict=False)
    assert keys.missing_keys == ["0.weight", "1.weight", "1.bias"]
    assert keys.unexpected_keys == ["other"]
    after = values(model)
    assert (after.pop("0.bias") == 7).all()
    before.pop("0.bias")
    assert_same(after, before)
    with pytest.raises(CheckpointError, match=r"0.bias has shape"):
        model.load_state_dict({"0.bias": np.zeros(4, np.float32)}, strict=False)


def test_load_takes_nan_as_any_value():
    tied = Tied()
    state = values(tied)
    state["embedding.weight"][0, 0] = state["head.weight"][0, 0] = np.nan
    tied.load_state_dict(state)
    assert np.isnan(tied.head.weight.numpy()[0, 0])


def test_a_value_that_is_no_array_changes_nothing():
    layer = nn.Linear(2, 2)
    before = values(layer)
    with pytest.raises(
        CheckpointError, match="bias is list, not an array.*x is unexpected"
    ):
        layer.load_state_dict(
            {
                "weight": np.ones((2, 2), np.float32),
                "bias": [[1], [1, 2]],
                "x": np.ones(1),
            }
        )
    assert_same(values(layer), before)


def test_load_when_memory_runs_out_changes_nothing(monkeypatch):
    """Converting a value is what needs memory; the second one fails."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = values(model)

    class Stubborn:
        def __init__(self, value, patience):
            self.value, self.patience = value, patience

        def __array__(self, dtype=None, copy=None):
            self.patience -= 1
            if self.patience < 0:
                raise MemoryError
            return self.value

    for patience in range(3):
        state = {name: value + 1 for name, value in before.items()}
        state["1.bias"] = Stubborn(state["1.bias"], patience)
        try:
            model.load_state_dict(state)
        except (MemoryError, CheckpointError):
            assert_same(values(model), before)
        else:
            assert_same(
                values(model), {name: value + 1 for name, value in before.items()}
            )
            model.load_state_dict(before)


def test_a_value_loaded_after_the_forward_pass_is_noticed():
    layer = nn.Linear(2, 2)
    out = layer(tg.ones(1, 2, requires_grad=True)).sum()
    layer.load_state_dict(values(nn.Linear(2, 2)))
    with pytest.raises(GraphError, match="changed in place"):
        out.backward()


@pytest.mark.parametrize(
    "change",
    [lambda x: x, lambda x: x[:], lambda x: x.numpy()[:], lambda x: x.view(x.shape)],
)
def test_two_layers_can_be_swapped_by_their_own_state(change):
    model = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    state, before = (
        model.state_dict(),
        {k: v.tolist() for k, v in model.state_dict().items()},
    )
    other = {"a": "b", "b": "a"}
    given = {f"{other[k[0]]}{k[1:]}": value for k, value in state.items()}
    model.load_state_dict({k: change(value) for k, value in given.items()})
    after = {k: v.tolist() for k, v in model.state_dict().items()}
    assert after == {f"{other[k[0]]}{k[1:]}": value for k, value in before.items()}
    assert after != before


@pytest.mark.parametrize(
    "kept",
    [
        lambda model: copy.deepcopy(model.state_dict()),
        lambda model: {
            name: tensor.clone() for name, tensor in model.state_dict().items()
        },
        lambda model: {
            name: tensor.numpy().copy() for name, tensor in model.state_dict().items()
        },
    ],
)
def test_the_best_weights_are_restored_from_a_copy(kept):
    model = nn.Sequential(nn.LSTM(2, 3), nn.LayerNorm(3))
    before = [p.numpy().copy() for p in model.parameters()]
    best, shared = kept(model), model.state_dict()
    with tg.no_grad():
        for parameter in model.parameters():
            parameter += 1.0
    model.load_state_dict(shared)  # as in PyTorch: they are those of the model
    assert not any(
        (p.numpy() == b).any() for p, b in zip(model.parameters(), before, strict=True)
    )
    model.load_state_dict(best)
    for parameter, array in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.numpy(), array)
        assert parameter.requires_grad
