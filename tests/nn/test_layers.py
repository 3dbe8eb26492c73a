"""Linear, Embedding, Dropout, Sequential and the activations, against NumPy."""

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, IdError, OptionError

seeds = st.integers(0, 2**32)
sizes = st.integers(1, 4)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


# ---------------------------------------------------------------- Linear


@given(
    lead=st.lists(st.integers(0, 3), max_size=3),
    inputs=sizes,
    outputs=sizes,
    bias=st.booleans(),
    seed=seeds,
)
def test_linear(lead, inputs, outputs, bias, seed):
    layer = nn.Linear(inputs, outputs, bias).double()
    x = tg.tensor(normal(seed, *lead, inputs), requires_grad=True)
    out = layer(x)
    weight = layer.weight.numpy()
    expected = np.einsum("...i,oi->...o", x.numpy(), weight)
    expected = expected + (layer.bias.numpy() if bias else 0)
    assert out.shape == (*lead, outputs)
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-12, atol=1e-13)
    u = normal(seed + 1, *lead, outputs)
    out.backward(tg.tensor(u))
    np.testing.assert_allclose(x.grad.numpy(), u @ weight, rtol=1e-12, atol=1e-13)
    expected = np.einsum(
        "ni,no->oi", x.numpy().reshape(-1, inputs), u.reshape(-1, outputs)
    )
    np.testing.assert_allclose(
        layer.weight.grad.numpy(), expected, rtol=1e-12, atol=1e-13
    )
    if bias:
        summed = u.sum(axis=tuple(range(len(lead))))
        np.testing.assert_allclose(
            layer.bias.grad.numpy(), summed, rtol=1e-12, atol=1e-13
        )


def test_linear_starts_within_its_bound():
    layer = nn.Linear(100, 400)
    for parameter in layer.parameters():
        values = parameter.numpy()
        assert np.abs(values).max() <= 0.1
        assert abs(values.std() - 0.1 / np.sqrt(3)) < 0.005


def test_float64_does_not_slip_into_a_float32_layer():
    layer = nn.Linear(3, 2)
    before = layer.weight.numpy().copy()
    with pytest.raises(
        DTypeError, match=r"input is float64, expected float32.*\.float\(\)"
    ):
        layer(tg.ones(2, 3, dtype=tg.float64))
    with pytest.raises(
        DTypeError, match=r"input is float32, expected float64.*\.double\(\)"
    ):
        layer.double()(tg.ones(2, 3))
    np.testing.assert_array_equal(layer.weight.numpy(), before)


# ---------------------------------------------------------------- Embedding


@given(
    rows=sizes,
    features=sizes,
    padding=st.none() | st.integers(-4, 3),
    lead=st.lists(st.integers(0, 4), max_size=3),
    dtype=st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]),
    seed=seeds,
)
def test_embedding(rows, features, padding, lead, dtype, seed):
    if padding is not None:
        padding = max(-rows, min(rows - 1, padding))
    layer = nn.Embedding(rows, features, padding).double()
    weight = layer.weight.numpy()
    if padding is not None:
        assert not weight[padding].any()
    weight[...] = normal(seed, rows, features)
    ids = np.random.default_rng(seed).integers(0, rows, lead)
    out = layer(tg.tensor(ids.astype(dtype)))
    np.testing.assert_array_equal(out.detach().numpy(), weight[ids])
    u = normal(seed + 1, *lead, features)
    out.backward(tg.tensor(u))
    expected = np.zeros_like(weight)
    np.add.at(expected, ids, u)
    if padding is not None:
        expected[padding] = 0
    np.testing.assert_allclose(
        layer.weight.grad.numpy(), expected, rtol=1e-12, atol=1e-13
    )


def test_many_rows_and_narrow_ids():
    """A row number beyond the ids' own dtype does not wrap around."""
    layer = nn.Embedding(300, 2)
    layer(tg.tensor(np.array([0, 127, 5, 127], np.int8))).sum().backward()
    expected = np.zeros((300, 2), np.float32)
    expected[[0, 5]], expected[127] = 1, 2
    np.testing.assert_array_equal(layer.weight.grad.numpy(), expected)


@pytest.mark.parametrize("wrong", [-1, 4])
def test_embedding_names_the_wrong_id(wrong):
    with pytest.raises(
        IdError, match=rf"embedding: input has {wrong} at \(1, 0\), .*\[0, 4\)"
    ):
        nn.Embedding(4, 2)(tg.tensor([[0, 3], [wrong, 1]]))


# ---------------------------------------------------------------- Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean(p):
    layer = nn.Dropout(p)
    x = tg.ones(200, 500, requires_grad=True)
    out = layer(x)
    kept = out.detach().numpy() != 0
    assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / kept.size)
    np.testing.assert_array_equal(out.detach().numpy(), kept * np.float32(1 / (1 - p)))
    columns = kept.mean(0), kept.mean(1)  # every row and every column alike
    assert max(np.abs(c - (1 - p)).max() for c in columns) < 0.2
    assert not (kept[1:] == kept[:-1]).all(1).any()


def test_the_gradient_of_dropout_is_its_mask():
    x = tg.tensor(normal(0, 30, 40), requires_grad=True)
    out = nn.Dropout(0.3)(x)
    mask = out.detach().numpy() / x.numpy()
    u = normal(1, 30, 40)
    out.backward(tg.tensor(u))
    np.testing.assert_array_equal(x.grad.numpy() == 0, mask == 0)
    np.testing.assert_allclose(x.grad.numpy(), u * mask, rtol=1e-12)


def test_dropout_at_the_ends_and_in_eval():
    x = tg.tensor(normal(0, 4, 5))
    for same in (
        nn.Dropout(0.0)(x),
        nn.Dropout(0.7).eval()(x),
        F.dropout(x, 0.7, training=False),
    ):
        np.testing.assert_array_equal(same.numpy(), x.numpy())
    nothing = nn.Dropout(1.0)(x)
    assert nothing.dtype == x.dtype
    assert not nothing.numpy().any()


def test_dropout_draws_from_the_generator_it_is_given():
    x = tg.ones(50)
    before = tg.random.default_generator.get_state().numpy()
    draws = [
        F.dropout(x, generator=tg.Generator().manual_seed(seed)).numpy()
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()
    np.testing.assert_array_equal(
        tg.random.default_generator.get_state().numpy(), before
    )


def test_masks_do_not_depend_on_the_dtype():
    masks = []
    for dtype in (tg.float32, tg.float64):
        tg.manual_seed(3)
        masks.append(F.dropout(tg.ones(100, dtype=dtype), 0.4).numpy() != 0)
    np.testing.assert_array_equal(*masks)


# ---------------------------------------------------------------- Sequential


def test_sequential_is_one_after_the_other():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = tg.randn(4, 2)
    np.testing.assert_array_equal(
        model(x).detach().numpy(), model[2](model[1](model[0](x))).detach().numpy()
    )
    assert len(model) == 3
    assert [type(module) for module in model] == [nn.Linear, nn.Tanh, nn.Linear]
    assert model[-1] is model[2]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_an_empty_sequential_is_the_identity():
    x = tg.randn(2)
    assert nn.Sequential()(x) is x


def test_a_slice_shares_modules_and_names():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    tail = model[1:]
    assert list(tail.state_dict()) == ["2.weight", "2.bias"]
    assert tail[1] is model[2]


def test_named_modules_in_order():
    model = nn.Sequential(OrderedDict(body=nn.Linear(2, 3), head=nn.Linear(3, 1)))
    assert model.head is model[1]
    assert list(model.state_dict()) == [
        "body.weight",
        "body.bias",
        "head.weight",
        "head.bias",
    ]
    for name in ("", "a.b", "forward", "training"):
        with pytest.raises(OptionError, match="name"):
            nn.Sequential(OrderedDict({name: nn.Tanh()}))


# ------------------------------------------------------------ activations and one_hot


@pytest.mark.parametrize(
    ("layer", "reference"),
    [
        (nn.Tanh, np.tanh),
        (nn.ReLU, lambda x: np.maximum(x, 0)),
        (nn.Sigmoid, lambda x: 1 / (1 + np.exp(-x))),
        (nn.Identity, lambda x: x),
        (nn.SiLU, lambda x: x / (1 + np.exp(-x))),
        (nn.LogSigmoid, lambda x: -np.log1p(np.exp(-x))),
        (nn.LeakyReLU, lambda x: np.where(x > 0, x, 0.01 * x)),
        (nn.ELU, lambda x: np.where(x > 0, x, np.expm1(x))),
        (nn.Softplus, lambda x: np.log1p(np.exp(x))),
    ],
)
def test_activations(layer, reference):
    x = normal(0, 3, 4)
    np.testing.assert_allclose(layer()(tg.tensor(x)).numpy(), reference(x), rtol=1e-14)
    assert list(layer().state_dict()) == []


def test_functions_are_those_of_tensors():
    x = tg.tensor(normal(0, 3, 4))
    for name in ("relu", "sigmoid", "tanh"):
        np.testing.assert_array_equal(
            getattr(F, name)(x).numpy(), getattr(x, name)().numpy()
        )
    for name in ("softmax", "log_softmax"):
        found = getattr(F, name)(x, dim=0).numpy()
        np.testing.assert_array_equal(found, getattr(x, name)(0).numpy())


@given(
    classes=st.integers(1, 5), lead=st.lists(st.integers(0, 3), max_size=3), seed=seeds
)
def test_one_hot(classes, lead, seed):
    ids = np.random.default_rng(seed).integers(0, classes, lead)
    found = F.one_hot(tg.tensor(ids), classes)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found.numpy(), np.eye(classes, dtype=np.int64)[ids])
    if ids.size:
        assert F.one_hot(tg.tensor(ids)).shape == (*lead, ids.max() + 1)


# ---------------------------------------------------------------- your own table


def test_an_embedding_of_a_table():
    table = tg.randn(4, 3)
    tg.manual_seed(1)
    before = tg.random.default_generator.get_state().tolist()
    frozen = nn.Embedding.from_pretrained(table)
    trained = nn.Embedding.from_pretrained(table, freeze=False, padding_idx=-1)
    assert tg.random.default_generator.get_state().tolist() == before
    assert not frozen.weight.requires_grad and trained.weight.requires_grad
    assert frozen(tg.tensor([2, 0])).tolist() == table[tg.tensor([2, 0])].tolist()
    # The row is not set to 0
    assert trained(tg.tensor([3])).tolist() == table[3:].tolist()
    trained(tg.tensor([3, 1])).sum().backward()
    assert trained.weight.grad.tolist() == [[0.0] * 3, [1.0] * 3, [0.0] * 3, [0.0] * 3]
    assert (
        isinstance(frozen, nn.Embedding)
        and repr(trained) == "Embedding(4, 3, padding_idx=3)"
    )
    assert list(frozen.state_dict()) == ["weight"] and not table.requires_grad
    doubles = nn.Embedding.from_pretrained(table.double())
    assert doubles.weight.dtype == tg.float64
