"""What cells and recurrent layers share: weights, options, ids, states."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import flags, seeds
from nn.recurrent_layers import (
    GATES,
    all_close,
    all_equal,
    build,
    every_kind,
    run,
    start,
)

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, ShapeError


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.RNN(7, 100, 2, bidirectional=True),
        lambda: nn.LSTM(7, 100, 2, proj_size=30),
        lambda: nn.GRU(7, 100),
        lambda: nn.RNNCell(7, 100),
        lambda: nn.LSTMCell(7, 100),
        lambda: nn.GRUCell(7, 100),
    ],
)
def test_initial_weights(make):
    for name, parameter in make().named_parameters():
        values = parameter.numpy()
        assert values.dtype == np.float32
        assert np.abs(values).max() <= 0.1, name
        assert abs(values.std() - 0.1 / np.sqrt(3)) < 0.01, name
        assert abs(values.mean()) < 0.02, name


@every_kind
@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("suffix", ["", "_reverse"])
def test_names_and_shapes(kind, number, suffix):
    layer = build(kind, input_size=3, hidden_size=4, num_layers=3, bidirectional=True)
    state, rows = layer.state_dict(), 4 * GATES[kind]
    assert state[f"weight_ih_l{number}{suffix}"].shape == (rows, 8 if number else 3)
    assert state[f"weight_hh_l{number}{suffix}"].shape == (rows, 4)
    assert state[f"bias_ih_l{number}{suffix}"].shape == (rows,)
    assert state[f"bias_hh_l{number}{suffix}"].shape == (rows,)
    assert len(state) == 24


def test_names_and_shapes_of_a_projection():
    state = nn.LSTM(3, 4, 2, proj_size=2, bidirectional=True).state_dict()
    shapes = {
        name: value.shape for name, value in state.items() if "reverse" not in name
    }
    assert list(shapes.items()) == [
        ("weight_ih_l0", (16, 3)),
        ("weight_hh_l0", (16, 2)),
        ("bias_ih_l0", (16,)),
        ("bias_hh_l0", (16,)),
        ("weight_hr_l0", (2, 4)),
        ("weight_ih_l1", (16, 4)),
        ("weight_hh_l1", (16, 2)),
        ("bias_ih_l1", (16,)),
        ("bias_hh_l1", (16,)),
        ("weight_hr_l1", (2, 4)),
    ]


def test_repr_shows_what_is_not_the_default():
    assert repr(nn.LSTM(3, 4, 2, bias=False, proj_size=2)) == (
        "LSTM(3, 4, num_layers=2, bias=False, proj_size=2)"
    )
    assert repr(nn.GRU(3, 4)) == "GRU(3, 4)"
    assert (
        repr(nn.RNNCell(3, 4, nonlinearity="relu"))
        == "RNNCell(3, 4, nonlinearity='relu')"
    )


@pytest.mark.parametrize("kind", ["LSTM", "LSTMCell"])
def test_a_list_is_a_state_of_two_parts_too(kind):
    layer = build(kind, input_size=3, hidden_size=2)
    lead = (4, 2) if kind == "LSTM" else (2,)
    parts = [tg.randn(*((1, 2, 2) if kind == "LSTM" else (2, 2))) for _ in range(2)]
    x = tg.randn(*lead, 3)
    assert layer(x, parts)[0].tolist() == layer(x, tuple(parts))[0].tolist()


@pytest.mark.parametrize("make", [nn.RNN, nn.RNNCell])
def test_a_nonlinearity_that_is_set_later_is_checked(make):
    layer = make(3, 4)
    layer.nonlinearity = "Tanh"
    with pytest.raises(
        tg.Error, match=f"nn.{make.__name__}: nonlinearity is 'Tanh', expected 'tanh'"
    ):
        layer(tg.zeros(2, 3))


# ---------------------------------------------------------------- ids or features


@every_kind
@given(
    size=st.integers(2, 5),
    steps=st.integers(1, 4),
    first=flags,
    dtype=st.sampled_from(["i8", "u1"]),
    seed=seeds,
)
def test_one_hot_integers_without_a_batch_raise(kind, size, steps, first, dtype, seed):
    """They could also be ids of a batch whose size is the vocabulary's."""
    layer = build(kind, input_size=size, hidden_size=2, batch_first=first)
    ids = tg.tensor(np.random.default_rng(seed).integers(0, size, steps))
    rows = F.one_hot(ids, size)
    given_rows = tg.tensor(rows.numpy().astype(dtype))
    with pytest.raises(
        DTypeError, match=rf"nn\.{kind}: .* one-hot; input.float\(\) are features"
    ):
        layer(given_rows)
    expected = run(layer, ids)
    all_close(run(layer, given_rows.float()), expected, 1e-6)
    all_equal(run(layer, given_rows.argmax(-1)), expected)
    # The message's last way out
    columns = rows.float().unsqueeze(-2).expand(steps, size, size)
    assert layer(columns)[0].shape == (steps, size, 2)


@every_kind
@pytest.mark.parametrize(
    "rows", [[[0, 1, 1]], [[0, 1, 0], [2, 1, 0]], [[0, 0, 0]], [[1, 1, 1]]]
)
def test_other_ids_of_a_batch_of_the_vocabularys_size_are_ids(kind, rows):
    layer = build(kind, input_size=3, hidden_size=2)
    ids = tg.tensor(rows)
    all_close(run(layer, ids), run(layer, F.one_hot(ids, 3).float()), 1e-6)


@every_kind
def test_ids_that_look_one_hot_have_a_way_in(kind):
    """As one-hot features, as the message says."""
    layer, ids = build(kind, input_size=2, hidden_size=3), tg.tensor([[0, 1]])
    with pytest.raises(
        DTypeError, match=r"if these are ids, pass F.one_hot\(input, 2\).float\(\)"
    ):
        layer(ids)
    whole = run(layer, F.one_hot(ids, 2).float())
    for b in range(2):
        all_close([part[:, b] for part in whole], run(layer, ids[:, b]), 1e-6)


@every_kind
def test_a_state_or_lengths_say_that_there_is_a_batch(kind):
    """Ids that look one-hot are then ids; a state without a batch makes them raise."""
    layer, ids = build(kind, input_size=2, hidden_size=3), tg.tensor([[0, 1]])
    state = start(layer.double(), (2,), 0)
    features = F.one_hot(ids, 2).double()
    all_close(run(layer, ids, state), run(layer, features, state))
    all_close(run(layer, ids, lengths=[1, 0]), run(layer, features, lengths=[1, 0]))
    with pytest.raises(DTypeError, match=r"one-hot; input.double\(\) are features"):
        run(layer, ids, [part[:, 0] for part in state])
    cell = build(f"{kind}Cell", input_size=2, hidden_size=3).double()
    parts = [tg.zeros(2, 3, dtype=tg.float64)] * (1 + (kind == "LSTM"))
    given_state = tuple(parts) if kind == "LSTM" else parts[0]
    found, expected = cell(ids[0], given_state), cell(features[0], given_state)
    all_close(*[x if isinstance(x, tuple) else (x,) for x in (found, expected)])


def flatten(results):
    """Return the Tensors in nested tuples."""
    if not isinstance(results, tuple):
        return [results]
    return [tensor for part in results for tensor in flatten(part)]


@every_kind
@pytest.mark.parametrize("cell", ["", "Cell"])
def test_a_subclass_may_call_its_attributes_as_it_likes(kind, cell):
    base = getattr(nn, kind + cell)
    names = "gates op op_settings rank state_names state_shape step scan options kind"
    own = type("Own", (base,), dict.fromkeys(names.split(), "mine"))(3, 4)
    plain = base(3, 4)
    plain.load_state_dict(own.state_dict())
    x = tg.randn(2, 3)
    all_equal(flatten(own(x)), flatten(plain(x)))


# ------------------------------------------------------------ devices and dtypes


@pytest.mark.parametrize(
    "make",
    [
        *[
            lambda kind=kind, **how: build(kind, input_size=3, hidden_size=2, **how)
            for kind in GATES
        ],
        *[
            lambda kind=kind, **how: build(
                kind + "Cell", input_size=3, hidden_size=2, **how
            )
            for kind in GATES
        ],
        lambda **how: nn.Linear(3, 2, **how),
        lambda **how: nn.Embedding(3, 2, padding_idx=1, **how),
        lambda **how: nn.LayerNorm(3, **how),
    ],
)
def test_weights_are_made_in_a_dtype_on_a_device(make, device):
    found = []
    for how in (
        {},
        {"dtype": tg.float64, "device": device},
        {"dtype": "float32", "device": "cpu"},
    ):
        tg.manual_seed(5)
        layer = make(**how)
        found.append({name: value.cpu() for name, value in layer.state_dict().items()})
        expected = how.get("dtype", "float32")
        assert {str(p.dtype) for p in layer.parameters()} == {str(np.dtype(expected))}
        place = tg.zeros(1, device=how.get("device", "cpu")).device  # cuda is cuda:0
        assert {p.device for p in layer.parameters()} == {place}
    for other in found[1:]:
        assert list(other) == list(found[0])
        for name, value in other.items():
            np.testing.assert_array_equal(value.float().numpy(), found[0][name].numpy())


def test_what_a_user_adds_is_not_drawn_anew():
    class Scaled(nn.GRU):
        def __init__(self):
            # Before super().__init__(), too
            self.scale = nn.Parameter(tg.full((3,), 7.0))
            super().__init__(3, 2)

    layer = Scaled()
    layer.reset_parameters()
    assert layer.scale.tolist() == [7.0] * 3
    assert [name for name, _ in layer.named_parameters()][:2] == [
        "scale",
        "weight_ih_l0",
    ]


@every_kind
@pytest.mark.parametrize("cell", ["", "Cell"])
@given(st.data())
def test_a_weight_of_another_shape_is_named(kind, cell, data):
    layer = getattr(nn, kind + cell)(3, 4)
    name, weight = data.draw(st.sampled_from(list(layer.named_parameters())))
    shapes = [(), (7,), (2, 2), (*weight.shape, 1), (weight.shape[0] + 1, 3)]
    shape = data.draw(st.sampled_from(shapes))
    weight.data = tg.ones(shape)
    x = tg.ones(2, 3) if cell else tg.ones(5, 2, 3)
    with pytest.raises(ShapeError) as caught:
        layer(x)
    old = tuple(getattr(type(layer)(3, 4), name).shape)
    assert str(caught.value).startswith(
        f"nn.{kind}{cell}: {name} has shape {shape}, expected {old}; assign a tensor "
    )
    setattr(layer, name, None)
    if name.startswith("weight"):
        with pytest.raises(ShapeError, match=f"{name} is None, expected a Parameter"):
            layer(x)
    else:
        layer(x)  # there is no such bias
