"""RNN and RNNCell: the equations, and what holds of every recurrent layer whatever its options."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import GraphError

seeds = st.integers(0, 2**32)
sizes = st.integers(1, 4)
flags = st.booleans()
nonlinearities = st.sampled_from(["tanh", "relu"])
options = st.fixed_dictionaries(
    {
        "input_size": sizes,
        "hidden_size": sizes,
        "num_layers": st.integers(1, 3),
        "nonlinearity": nonlinearities,
        "bias": flags,
        "batch_first": flags,
        "bidirectional": flags,
    }
)


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def layer_of(options, seed):
    """A float64 layer with weights of size 1: far from linear, unlike the initial ones."""
    layer = nn.RNN(**options).double()
    layer.load_state_dict(
        {name: normal(seed + i, *v.shape) for i, (name, v) in enumerate(layer.state_dict().items())}
    )
    return layer


def close(found, expected, tolerance=1e-11):
    np.testing.assert_allclose(array(found), array(expected), rtol=tolerance, atol=tolerance)


def array(x):
    return x.detach().numpy() if isinstance(x, tg.Tensor) else np.asarray(x)


def weigh(results, seed):
    """One number that depends on everything in the results."""
    total = 0.0
    for i, result in enumerate(results):
        total = total + (result * tg.tensor(normal(seed + i, *result.shape))).sum()
    return total


def slopes(results, leaves, seed, order=2):
    """First gradients; then these again, recorded, and the gradients of a sum of their squares."""
    total = weigh(results, seed)
    first = tg.autograd.grad(total, leaves, retain_graph=True, allow_unused=True)
    if order == 1:
        return first
    again = tg.autograd.grad(total, leaves, create_graph=True, allow_unused=True)
    bent = weigh([g * g for g in again if g is not None], seed + 50)
    if not bent.requires_grad:
        return [*first, *again, *[None] * len(leaves)]
    return [*first, *again, *tg.autograd.grad(bent, leaves, allow_unused=True)]


def same_slopes(found, expected):
    for a, b in zip(found, expected, strict=True):
        close(0.0 if a is None else a, 0.0 if b is None else b, 1e-9)


# ---------------------------------------------------------------- the cell


@given(
    inputs=sizes,
    hidden=sizes,
    bias=flags,
    nonlinearity=nonlinearities,
    lead=st.sampled_from([(), (1,), (3,)]),
    hx=flags,
    ids=flags,
    seed=seeds,
)
def test_cell_is_its_equation(inputs, hidden, bias, nonlinearity, lead, hx, ids, seed):
    cell = nn.RNNCell(inputs, hidden, bias, nonlinearity).double()
    places = np.random.default_rng(seed).integers(0, inputs, lead)
    x = np.eye(inputs)[places] if ids else normal(seed, *lead, inputs)
    h = normal(seed + 1, *lead, hidden) if hx else np.zeros((*lead, hidden))
    leaves = [tg.tensor(h, requires_grad=True)] if hx else []
    out = cell(tg.tensor(places if ids else x), *leaves)
    w_ih, w_hh, *b = [p.numpy() for p in cell.parameters()]
    z = x @ w_ih.T + h @ w_hh.T + sum(b)
    close(out, np.tanh(z) if nonlinearity == "tanh" else np.maximum(z, 0))
    u = normal(seed, *lead, hidden)
    out.backward(tg.tensor(u))
    g = u * (1 - np.tanh(z) ** 2 if nonlinearity == "tanh" else z > 0)
    rows = g.reshape(-1, hidden)
    close(cell.weight_ih.grad, rows.T @ x.reshape(-1, inputs))
    close(cell.weight_hh.grad, rows.T @ h.reshape(-1, hidden))
    if bias:
        close(cell.bias_ih.grad, rows.sum(0))
        close(cell.bias_hh.grad, rows.sum(0))
    if hx:
        close(leaves[0].grad, g @ w_hh)


# ---------------------------------------------------------------- the layer is its cells, unrolled


def unrolled(layer, x, h_0, lengths):
    """The layer as one reads it in a book: a loop over cells, time first, sequence by sequence."""
    suffixes = ["", "_reverse"] if layer.bidirectional else [""]
    last = []
    for number in range(layer.num_layers):
        sides = []
        for suffix in suffixes:
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            weights = [getattr(layer, f"{name}_l{number}{suffix}", None) for name in names]
            outputs, ends = [], []
            for b in range(x.shape[1]):
                h = h_0[len(last)][b]
                states = {}
                times = range(x.shape[0] if lengths is None else lengths[b])
                for t in reversed(times) if suffix else times:
                    z = weights[0].matmul(x[t, b]) + weights[1].matmul(h)
                    if layer.bias:
                        z = z + weights[2] + weights[3]
                    h = states[t] = getattr(z, layer.nonlinearity)()
                nothing = tg.zeros(layer.hidden_size, dtype=tg.float64)
                outputs.append(tg.stack([states.get(t, nothing) for t in range(x.shape[0])]))
                ends.append(h)
            sides.append(tg.stack(outputs, 1))
            last.append(tg.stack(ends))
        x = tg.cat(sides, -1)
    return x, tg.stack(last)


@given(
    options=options,
    steps=st.integers(1, 4),
    batch=st.integers(1, 3),
    ragged=flags,
    ids=flags,
    used=st.sampled_from([slice(0, 2), slice(0, 1), slice(1, 2)]),
    seed=seeds,
)
def test_layer_is_its_cells_unrolled(options, steps, batch, ragged, ids, used, seed):
    layer = layer_of(options, seed)
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, steps + 1, batch).tolist() if ragged else None
    places = rng.integers(0, options["input_size"], (steps, batch))
    features = np.eye(options["input_size"])[places]
    if not ids:
        features = normal(seed, steps, batch, options["input_size"])
    x = tg.tensor(features, requires_grad=not ids)
    rows = options["num_layers"] * (2 if options["bidirectional"] else 1)
    h_0 = tg.tensor(normal(seed + 9, rows, batch, options["hidden_size"]), requires_grad=True)
    given_x = tg.tensor(places) if ids else x
    out, h_n = layer(given_x.transpose(0, 1) if options["batch_first"] else given_x, h_0, lengths)
    out = out.transpose(0, 1) if options["batch_first"] else out
    expected = unrolled(layer, x, h_0, lengths)
    close(out, expected[0])
    close(h_n, expected[1])
    leaves = [*layer.parameters(), h_0, *([] if ids else [x])]
    same_slopes(slopes((out, h_n)[used], leaves, seed), slopes(expected[used], leaves, seed))


# ---------------------------------------------------------------- what always holds


@given(options=options, steps=st.integers(1, 5), batch=sizes, seed=seeds)
def test_two_directions_are_two_layers(options, steps, batch, seed):
    """The backward half is a layer of its own that reads the sequence from its end."""
    options = options | {"bidirectional": True, "num_layers": 1, "batch_first": False}
    both = layer_of(options, seed)
    forth, back = (layer_of(options | {"bidirectional": False}, seed) for _ in range(2))
    for name, value in both.state_dict().items():
        side = back if name.endswith("_reverse") else forth
        side.load_state_dict({name.removesuffix("_reverse"): value}, strict=False)
    x = tg.tensor(normal(seed, steps, batch, options["input_size"]))
    h_0 = tg.tensor(normal(seed + 1, 2, batch, options["hidden_size"]))
    out, h_n = both(x, h_0)
    ahead, first = forth(x, h_0[:1])
    behind, last = back(x.flip(0), h_0[1:])
    close(out, tg.cat([ahead, behind.flip(0)], -1))
    close(h_n, tg.cat([first, last]))


@given(
    options=options,
    steps=st.integers(1, 5),
    batch=sizes,
    junk=st.sampled_from([0.0, 1e6, np.nan, np.inf]),
    seed=seeds,
)
def test_padding_is_not_read_and_gets_no_gradient(options, steps, batch, junk, seed):
    layer = layer_of(options, seed)
    lengths = np.random.default_rng(seed).integers(1, steps + 1, batch)
    padding = np.arange(steps)[:, None] >= lengths
    found = []
    if options["batch_first"]:
        padding = padding.T
    for fill in (1.0, junk):
        values = normal(seed, *padding.shape, options["input_size"])
        values[padding] = fill
        x = tg.tensor(values, requires_grad=True)
        out, h_n = layer(x, lengths=lengths)
        assert not array(out)[padding].any()
        layer.zero_grad()
        weigh((out, h_n), seed).backward()
        assert not array(x.grad)[padding].any()
        grads = [array(p.grad) for p in (x, *layer.parameters())]
        found.append([array(out), array(h_n), *grads])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@given(options=options, steps=st.integers(1, 4), batch=sizes, seed=seeds)
def test_each_sequence_is_alone(options, steps, batch, seed):
    """A batch with lengths is its sequences one by one, each cut at its end, without a batch."""
    layer = layer_of(options | {"batch_first": False}, seed)
    lengths = np.random.default_rng(seed).integers(1, steps + 1, batch)
    x = tg.tensor(normal(seed, steps, batch, options["input_size"]))
    out, h_n = layer(x, lengths=lengths)
    for b, length in enumerate(lengths):
        alone, last = layer(x[: int(length), b])
        close(out[: int(length), b], alone)
        close(h_n[:, b], last)


@given(
    options=options,
    cuts=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    batch=sizes,
    seed=seeds,
)
def test_windows_with_the_state_carried_on_are_one_run(options, cuts, batch, seed):
    options = options | {"bidirectional": False, "batch_first": False}
    layer = layer_of(options, seed)
    x = tg.tensor(normal(seed, sum(cuts), batch, options["input_size"]), requires_grad=True)
    whole, last = layer(x)
    pieces, h = [], None
    for piece in x.split(cuts):
        out, h = layer(piece, h)
        pieces.append(out)
    joined = tg.cat(pieces)
    close(joined, whole)
    close(h, last)
    leaves = [x, *layer.parameters()]
    same_slopes(slopes((joined, h), leaves, seed, 1), slopes((whole, last), leaves, seed, 1))


@given(options=options, steps=st.integers(1, 4), batch=sizes, ragged=flags, seed=seeds)
def test_the_order_of_the_batch_does_not_matter(options, steps, batch, ragged, seed):
    options = options | {"batch_first": False}
    layer = layer_of(options, seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(batch)
    lengths = rng.integers(1, steps + 1, batch) if ragged else None
    x = normal(seed, steps, batch, options["input_size"])
    rows = options["num_layers"] * (1 + options["bidirectional"])
    h_0 = normal(seed + 1, rows, batch, options["hidden_size"])
    out, h_n = layer(tg.tensor(x), tg.tensor(h_0), lengths)
    lengths = lengths[order] if ragged else None
    mixed, last = layer(tg.tensor(x[:, order]), tg.tensor(h_0[:, order]), lengths)
    close(mixed, array(out)[:, order])
    close(last, array(h_n)[:, order])


@given(options=options, steps=st.integers(1, 4), ids=flags, h_0=flags, seed=seeds)
def test_without_a_batch_is_a_batch_of_one(options, steps, ids, h_0, seed):
    layer = layer_of(options, seed)
    rows = options["num_layers"] * (1 + options["bidirectional"])
    if ids:
        x = tg.tensor(np.random.default_rng(seed).integers(0, options["input_size"], steps))
    else:
        x = tg.tensor(normal(seed, steps, options["input_size"]))
    state = tg.tensor(normal(seed + 1, rows, options["hidden_size"])) if h_0 else None
    out, h_n = layer(x, state)
    at = 0 if options["batch_first"] else 1
    one, last = layer(x.unsqueeze(at), state.unsqueeze(1) if h_0 else None)
    assert out.shape == (steps, options["hidden_size"] * (1 + options["bidirectional"]))
    assert h_n.shape == (rows, options["hidden_size"])
    close(out, array(one).squeeze(at))
    close(h_n, array(last).squeeze(1))


@given(
    options=options,
    steps=st.integers(1, 4),
    batch=sizes,
    dtype=st.sampled_from(["i1", "i4", "i8", "u1", "u8"]),
    seed=seeds,
)
def test_ids_are_one_hot_rows(options, steps, batch, dtype, seed):
    layer = layer_of(options, seed)
    ids = np.random.default_rng(seed).integers(0, options["input_size"], (steps, batch))
    out, h_n = layer(tg.tensor(ids.astype(dtype)))
    dense = F.one_hot(tg.tensor(ids), options["input_size"]).double()
    expected = layer(dense)
    close(out, expected[0])
    close(h_n, expected[1])
    found = slopes((out, h_n), list(layer.parameters()), seed, 1)
    same_slopes(found, slopes(expected, list(layer.parameters()), seed, 1))


@given(options=options, steps=st.integers(1, 4), batch=sizes, seed=seeds)
def test_left_out_means_zeros_and_full_length(options, steps, batch, seed):
    layer = layer_of(options, seed)
    lead = (batch, steps) if options["batch_first"] else (steps, batch)
    x = tg.tensor(normal(seed, *lead, options["input_size"]))
    rows = options["num_layers"] * (1 + options["bidirectional"])
    zeros = tg.zeros(rows, batch, options["hidden_size"], dtype=tg.float64)
    plain = layer(x)
    for other in (layer(x, zeros), layer(x, None, [steps] * batch), layer(x)):
        for a, b in zip(plain, other, strict=True):
            np.testing.assert_array_equal(array(a), array(b))


# ---------------------------------------------------------------- more


@pytest.mark.parametrize("ids", [False, True])
def test_an_empty_batch_goes_through(ids):
    layer = nn.RNN(3, 2, num_layers=2, bidirectional=True)
    x = tg.zeros(4, 0, dtype=tg.int64) if ids else tg.zeros(4, 0, 3, requires_grad=True)
    for lengths in (None, []):
        out, h_n = layer(x, lengths=lengths)
        assert out.shape == (4, 0, 4)
        assert h_n.shape == (4, 0, 2)
        (out.sum() + h_n.sum()).backward()
        assert not any(p.grad.numpy().any() for p in layer.parameters())


def test_a_layer_holds_no_state():
    layer = nn.RNN(3, 2, 2)
    x = tg.randn(4, 2, 3)
    before = x.numpy().copy()
    first, second = layer(x), layer(x)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(array(a), array(b))
        assert not np.shares_memory(array(a), array(b))
    assert not np.shares_memory(array(first[0]), array(first[1]))
    np.testing.assert_array_equal(x.numpy(), before)


def test_a_state_carried_on_without_detach_is_named_as_the_cause():
    layer = nn.RNN(3, 2)
    _, h = layer(tg.randn(4, 2, 3))
    h.sum().backward()
    out, _ = layer(tg.randn(4, 2, 3), h)
    with pytest.raises(GraphError, match=r"detach it first: h = h.detach\(\)"):
        out.sum().backward()
    out, _ = layer(tg.randn(4, 2, 3), h.detach())
    out.sum().backward()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_dropout_is_between_layers_only(bidirectional):
    layer = nn.RNN(3, 4, num_layers=3, dropout=0.5, bidirectional=bidirectional)
    state, singles = layer.state_dict(), []
    for number, size in enumerate((3, 4 + 4 * bidirectional, 4 + 4 * bidirectional)):
        single = nn.RNN(size, 4, bidirectional=bidirectional)
        names = list(single.state_dict())
        single.load_state_dict({k: state[k.replace("_l0", f"_l{number}")] for k in names})
        singles.append(single)
    x = tg.randn(5, 2, 3)
    tg.manual_seed(1)
    out, h_n = layer(x)
    tg.manual_seed(1)
    y, last = x, []
    for number, single in enumerate(singles):
        y, h = single(F.dropout(y, 0.5) if number else y)
        last.append(h)
    close(out, y, 1e-6)
    close(h_n, tg.cat(last), 1e-6)
    assert (array(out) != 0).all()  # the last layer's output is whole
    quiet = layer.eval()(x)
    np.testing.assert_array_equal(array(quiet[0]), array(layer(x)[0]))
    assert (array(quiet[0]) != array(out)).any()


def test_dropout_of_everything_leaves_the_biases():
    layer = nn.RNN(3, 4, num_layers=2, dropout=1.0)
    a, b = (array(layer(tg.randn(5, 2, 3))[0]) for _ in range(2))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "build", [lambda: nn.RNN(7, 100, 2, bidirectional=True), lambda: nn.RNNCell(7, 100)]
)
def test_initial_weights(build):
    for name, parameter in build().named_parameters():
        values = parameter.numpy()
        assert values.dtype == np.float32
        assert np.abs(values).max() <= 0.1, name
        assert abs(values.std() - 0.1 / np.sqrt(3)) < 0.01, name
        assert abs(values.mean()) < 0.02, name


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("suffix", ["", "_reverse"])
def test_names_and_shapes(number, suffix):
    state = nn.RNN(3, 4, 3, bidirectional=True).state_dict()
    assert state[f"weight_ih_l{number}{suffix}"].shape == (4, 8 if number else 3)
    assert state[f"weight_hh_l{number}{suffix}"].shape == (4, 4)
    assert state[f"bias_ih_l{number}{suffix}"].shape == (4,)
    assert state[f"bias_hh_l{number}{suffix}"].shape == (4,)


@pytest.mark.parametrize(
    "kind", [list, tuple, np.asarray, tg.tensor, lambda n: np.asarray(n, np.uint8)]
)
def test_lengths_of_any_kind(kind):
    layer, x = nn.RNN(3, 2), tg.randn(4, 3, 3)
    expected = layer(x, lengths=[4, 1, 2])
    for a, b in zip(layer(x, None, kind([4, 1, 2])), expected, strict=True):
        np.testing.assert_array_equal(array(a), array(b))
