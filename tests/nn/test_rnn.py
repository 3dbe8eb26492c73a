"""RNN, LSTM, GRU and their cells: equations, and properties under all options."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import plain_ids

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, GraphError

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
every_kind = pytest.mark.parametrize("kind", GATES)

seeds = st.integers(0, 2**32)
sizes = st.integers(1, 4)
flags = st.booleans()


@st.composite
def options(draw, kind, **fixed):
    """A layer's kind and arguments."""
    found = {
        "kind": kind,
        "input_size": draw(sizes),
        "hidden_size": draw(sizes),
        "num_layers": draw(st.integers(1, 3)),
        "bias": draw(flags),
        "batch_first": draw(flags),
        "bidirectional": draw(flags),
    }
    if kind == "RNN":
        found["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    if kind == "LSTM":
        found["proj_size"] = draw(st.integers(0, found["hidden_size"] - 1))
    return found | fixed


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def build(kind, **arguments):
    return getattr(nn, kind)(**arguments)


def layer_of(options, seed):
    """A float64 layer with weights of size 1, far from linear."""
    layer = build(**options).double()
    layer.load_state_dict(
        {
            name: normal(seed + i, *v.shape)
            for i, (name, v) in enumerate(layer.state_dict().items())
        }
    )
    return layer


def start(layer, batch, seed):
    """The parts of a state; ``batch`` is the dims after the first one."""
    rows = layer.num_layers * (1 + layer.bidirectional)
    wide = getattr(layer, "proj_size", 0) or layer.hidden_size
    parts = (wide, layer.hidden_size)[: 1 + isinstance(layer, nn.LSTM)]
    return [tg.tensor(normal(seed + i, rows, *batch, n)) for i, n in enumerate(parts)]


def ids_for(layer, rng, steps, batch):
    """Ids (T, B), which the layer takes in its own layout."""
    if layer.batch_first:
        return plain_ids(rng, layer.input_size, (batch, steps)).T
    return plain_ids(rng, layer.input_size, (steps, batch))


def run(layer, x, state=(), lengths=None):
    """The output and the parts of the last state, as one tuple."""
    given = tuple(state) if len(state) > 1 else state[0] if len(state) else None
    out, last = layer(x, given, lengths)
    assert isinstance(last, tuple) == isinstance(layer, nn.LSTM)
    return (out, *last) if isinstance(last, tuple) else (out, last)


def width(layer):
    return (getattr(layer, "proj_size", 0) or layer.hidden_size) * (
        1 + layer.bidirectional
    )


def close(found, expected, tolerance=1e-11):
    np.testing.assert_allclose(
        array(found), array(expected), rtol=tolerance, atol=tolerance
    )


def all_close(found, expected, tolerance=1e-11):
    for a, b in zip(found, expected, strict=True):
        close(a, b, tolerance)


def all_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(array(a), array(b))


def array(x):
    return x.detach().numpy() if isinstance(x, tg.Tensor) else np.asarray(x)


def weigh(results, seed):
    """One number that depends on everything in the results; None is left out."""
    total = tg.tensor(0.0, dtype=tg.float64)
    for i, result in enumerate(results):
        if result is not None:
            total = total + (result * tg.tensor(normal(seed + i, *result.shape))).sum()
    return total


def slopes(results, leaves, seed, order=2):
    """First gradients, twice (the second time recorded), and second gradients."""
    total = weigh(results, seed)
    if not total.requires_grad:  # all sequences are empty
        return [None] * len(leaves) * (1 if order == 1 else 3)
    first = tg.autograd.grad(total, leaves, retain_graph=True, allow_unused=True)
    if order == 1:
        return first
    again = tg.autograd.grad(total, leaves, create_graph=True, allow_unused=True)
    bent = weigh([None if g is None else g * g for g in again], seed + 50)
    if not bent.requires_grad:
        return [*first, *again, *[None] * len(leaves)]
    return [*first, *again, *tg.autograd.grad(bent, leaves, allow_unused=True)]


def same_slopes(found, expected):
    for a, b in zip(found, expected, strict=True):
        close(0.0 if a is None else a, 0.0 if b is None else b, 1e-9)


# ---------------------------------------------------------------- the cells


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def apart(z, count):
    """The parts of the last dim, one after the other."""
    size = z.shape[-1] // count
    return [z[..., k * size : (k + 1) * size] for k in range(count)]


@given(
    inputs=sizes,
    hidden=sizes,
    bias=flags,
    nonlinearity=st.sampled_from(["tanh", "relu"]),
    lead=st.sampled_from([(), (1,), (3,)]),
    hx=flags,
    ids=flags,
    seed=seeds,
)
def test_rnn_cell_is_its_equation(
    inputs, hidden, bias, nonlinearity, lead, hx, ids, seed
):
    cell = nn.RNNCell(inputs, hidden, bias, nonlinearity).double()
    places = plain_ids(np.random.default_rng(seed), inputs, lead)
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


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell"])
@given(
    inputs=sizes,
    hidden=sizes,
    bias=flags,
    lead=st.sampled_from([(), (1,), (3,)]),
    hx=flags,
    ids=flags,
    seed=seeds,
)
def test_gated_cells_are_their_equations(
    kind, inputs, hidden, bias, lead, hx, ids, seed
):
    """Gradients are tested with the layers, which are made of cells."""
    cell = getattr(nn, kind)(inputs, hidden, bias).double()
    places = plain_ids(np.random.default_rng(seed), inputs, lead)
    x = np.eye(inputs)[places] if ids else normal(seed, *lead, inputs)
    h, c = (
        normal(seed + k, *lead, hidden) if hx else np.zeros((*lead, hidden))
        for k in (1, 2)
    )
    w_ih, w_hh, *b = [p.numpy() for p in cell.parameters()]
    b_ih, b_hh = b or (0, 0)
    z, r = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
    given_x = tg.tensor(places if ids else x)
    if kind == "LSTMCell":
        state = (tg.tensor(h), tg.tensor(c)) if hx else None
        i, f, g, o = apart(z + r, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        all_close(cell(given_x, state), (sigmoid(o) * np.tanh(c), c))
    else:
        (z_r, z_u, z_n), (r_r, r_u, r_n) = apart(z, 3), apart(r, 3)
        u, n = sigmoid(z_u + r_u), np.tanh(z_n + sigmoid(z_r + r_r) * r_n)
        close(cell(given_x, tg.tensor(h) if hx else None), (1 - u) * n + u * h)


# ------------------------------------------------------------ layers as unrolled cells


def step_of(layer, z, r, state, w_hr):
    """One step as textbooks write it, of the input's part z and the state's part r."""
    if isinstance(layer, nn.RNN):
        return [getattr(z + r, layer.nonlinearity)()]
    if isinstance(layer, nn.LSTM):
        i, f, g, o = apart(z + r, 4)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        m = o.sigmoid() * c.tanh()
        return [m if w_hr is None else w_hr.matmul(m), c]
    (z_r, z_u, z_n), (r_r, r_u, r_n) = apart(z, 3), apart(r, 3)
    u, n = (z_u + r_u).sigmoid(), (z_n + (z_r + r_r).sigmoid() * r_n).tanh()
    return [(1 - u) * n + u * state[0]]


def unrolled(layer, x, state, lengths):
    """A layer as textbooks write it: a loop over steps, sequence by sequence."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    suffixes = ["", "_reverse"] if layer.bidirectional else [""]
    last = []
    for number in range(layer.num_layers):
        sides = []
        for suffix in suffixes:
            w_ih, w_hh, b_ih, b_hh, w_hr = (
                getattr(layer, f"{n}_l{number}{suffix}", None) for n in names
            )
            outputs, ends = [], []
            for b in range(x.shape[1]):
                parts = [part[len(last)][b] for part in state]
                outs = {}
                times = range(x.shape[0] if lengths is None else lengths[b])
                for t in reversed(times) if suffix else times:
                    z, r = w_ih.matmul(x[t, b]), w_hh.matmul(parts[0])
                    if layer.bias:
                        z, r = z + b_ih, r + b_hh
                    parts = step_of(layer, z, r, parts, w_hr)
                    outs[t] = parts[0]
                nothing = tg.zeros_like(parts[0])
                outputs.append(
                    tg.stack([outs.get(t, nothing) for t in range(x.shape[0])])
                )
                ends.append(parts)
            sides.append(tg.stack(outputs, 1))
            last.append([tg.stack(part) for part in zip(*ends, strict=True)])
        x = tg.cat(sides, -1)
    return (x, *[tg.stack(part) for part in zip(*last, strict=True)])


@every_kind
@given(
    data=st.data(),
    steps=st.integers(1, 4),
    batch=st.integers(1, 3),
    ragged=flags,
    ids=flags,
    seed=seeds,
)
def test_layer_is_its_cells_unrolled(kind, data, steps, batch, ragged, ids, seed):
    options_ = data.draw(options(kind))
    layer = layer_of(options_, seed)
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, steps + 1, batch).tolist() if ragged else None
    places = ids_for(layer, rng, steps, batch)
    features = np.eye(layer.input_size)[places]
    x = tg.tensor(
        features if ids else normal(seed, *features.shape), requires_grad=not ids
    )
    state = [part.requires_grad_() for part in start(layer, (batch,), seed + 9)]
    given_x = tg.tensor(places) if ids else x
    found = run(
        layer, given_x.transpose(0, 1) if layer.batch_first else given_x, state, lengths
    )
    if layer.batch_first:
        found = (found[0].transpose(0, 1), *found[1:])
    expected = unrolled(layer, x, state, lengths)
    all_close(found, expected)
    leaves = [*layer.parameters(), *state, *([] if ids else [x])]
    count = len(found)
    used = data.draw(
        st.sampled_from([slice(0, count), *[slice(k, k + 1) for k in range(count)]])
    )
    same_slopes(slopes(found[used], leaves, seed), slopes(expected[used], leaves, seed))


# ---------------------------------------------------------------- what always holds


@every_kind
@given(data=st.data(), steps=st.integers(1, 5), batch=sizes, seed=seeds)
def test_two_directions_are_two_layers(kind, data, steps, batch, seed):
    """The second direction is another layer that reads the sequence from its end."""
    both_ways = {"bidirectional": True, "num_layers": 1, "batch_first": False}
    options_ = data.draw(options(kind, **both_ways))
    both = layer_of(options_, seed)
    forth, back = (
        layer_of(options_ | {"bidirectional": False}, seed) for _ in range(2)
    )
    state = both.state_dict()
    forth.load_state_dict(
        {k: v for k, v in state.items() if not k.endswith("_reverse")}
    )
    back.load_state_dict(
        {
            k.removesuffix("_reverse"): v
            for k, v in state.items()
            if k.endswith("_reverse")
        }
    )
    x = tg.tensor(normal(seed, steps, batch, both.input_size))
    parts = start(both, (batch,), seed + 1)
    out, *last = run(both, x, parts)
    ahead, *first_last = run(forth, x, [p[:1] for p in parts])
    behind, *second_last = run(back, x.flip(0), [p[1:] for p in parts])
    close(out, tg.cat([ahead, behind.flip(0)], -1))
    all_close(
        last, [tg.cat(pair) for pair in zip(first_last, second_last, strict=True)]
    )


@every_kind
@given(
    data=st.data(),
    steps=st.integers(1, 5),
    batch=sizes,
    junk=st.sampled_from([0.0, 1e6, np.nan, np.inf]),
    seed=seeds,
)
def test_padding_is_not_read_and_gets_no_gradient(kind, data, steps, batch, junk, seed):
    layer = layer_of(data.draw(options(kind)), seed)
    lengths = np.random.default_rng(seed).integers(0, steps + 1, batch)
    padding = np.arange(steps)[:, None] >= lengths

    def time_major(x):
        return array(x).swapaxes(0, 1) if layer.batch_first else array(x)

    found = []
    for fill in (1.0, junk):
        values = normal(seed, steps, batch, layer.input_size)
        values[padding] = fill
        x = tg.tensor(time_major(values), requires_grad=True)
        results = run(layer, x, lengths=lengths)
        assert not time_major(results[0])[padding].any()
        layer.zero_grad()
        weigh(results, seed).backward()
        assert not time_major(x.grad)[padding].any()
        found.append([*results, x.grad, *[p.grad for p in layer.parameters()]])
    all_equal(*found)


@every_kind
@given(data=st.data(), steps=st.integers(1, 4), batch=sizes, seed=seeds)
def test_each_sequence_is_alone(kind, data, steps, batch, seed):
    """A batch with lengths equals its sequences one by one, each cut at its end."""
    layer = layer_of(data.draw(options(kind, batch_first=False)), seed)
    lengths = np.random.default_rng(seed).integers(0, steps + 1, batch)
    x = tg.tensor(normal(seed, steps, batch, layer.input_size))
    state = start(layer, (batch,), seed + 1)
    out, *last = run(layer, x, state, lengths)
    for b, length in enumerate(lengths.tolist()):
        own = [part[:, b] for part in state]
        alone, *ends = run(layer, x[:length, b], own) if length else (out[:0, b], *own)
        close(out[:length, b], alone)
        assert not array(out[length:, b]).any()
        all_close([part[:, b] for part in last], ends)


@every_kind
@given(
    data=st.data(),
    cuts=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    batch=sizes,
    seed=seeds,
)
def test_windows_with_the_state_carried_on_are_one_run(kind, data, cuts, batch, seed):
    layer = layer_of(
        data.draw(options(kind, bidirectional=False, batch_first=False)), seed
    )
    x = tg.tensor(normal(seed, sum(cuts), batch, layer.input_size), requires_grad=True)
    whole = run(layer, x)
    pieces, state = [], ()
    for piece in x.split(cuts):
        out, *state = run(layer, piece, state)
        pieces.append(out)
    joined = (tg.cat(pieces), *state)
    all_close(joined, whole)
    leaves = [x, *layer.parameters()]
    same_slopes(slopes(joined, leaves, seed, 1), slopes(whole, leaves, seed, 1))


@every_kind
@given(data=st.data(), steps=st.integers(1, 4), batch=sizes, ragged=flags, seed=seeds)
def test_the_order_of_the_batch_does_not_matter(kind, data, steps, batch, ragged, seed):
    layer = layer_of(data.draw(options(kind, batch_first=False)), seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(batch)
    lengths = rng.integers(0, steps + 1, batch) if ragged else None
    x = normal(seed, steps, batch, layer.input_size)
    state = start(layer, (batch,), seed + 1)
    found = run(layer, tg.tensor(x), state, lengths)
    mixed = run(
        layer,
        tg.tensor(x[:, order]),
        [tg.tensor(array(part)[:, order]) for part in state],
        lengths[order] if ragged else None,
    )
    all_close(mixed, [array(part)[:, order] for part in found])


@every_kind
@given(data=st.data(), steps=st.integers(1, 4), ids=flags, initial=flags, seed=seeds)
def test_without_a_batch_is_a_batch_of_one(kind, data, steps, ids, initial, seed):
    layer = layer_of(data.draw(options(kind)), seed)
    if ids:
        x = tg.tensor(np.random.default_rng(seed).integers(0, layer.input_size, steps))
    else:
        x = tg.tensor(normal(seed, steps, layer.input_size))
    state = start(layer, (), seed + 1) if initial else ()
    found = run(layer, x, state)
    at = 0 if layer.batch_first else 1
    # Without them, ids (1, 2) below 2 may look one-hot
    lengths = [steps] if ids else None
    one, *last = run(
        layer, x.unsqueeze(at), [part.unsqueeze(1) for part in state], lengths
    )
    assert found[0].shape == (steps, width(layer))
    assert [f.shape for f in found[1:]] == [part.shape for part in start(layer, (), 0)]
    all_close(
        found, [array(one).squeeze(at), *[array(part).squeeze(1) for part in last]]
    )


@every_kind
@given(
    data=st.data(),
    steps=st.integers(1, 4),
    batch=sizes,
    dtype=st.sampled_from(["i1", "i4", "i8", "u1", "u8"]),
    seed=seeds,
)
def test_ids_are_one_hot_rows(kind, data, steps, batch, dtype, seed):
    layer = layer_of(data.draw(options(kind)), seed)
    ids = plain_ids(np.random.default_rng(seed), layer.input_size, (steps, batch))
    found = run(layer, tg.tensor(ids.astype(dtype)))
    expected = run(layer, F.one_hot(tg.tensor(ids), layer.input_size).double())
    all_close(found, expected)
    parameters = list(layer.parameters())
    same_slopes(
        slopes(found, parameters, seed, 1), slopes(expected, parameters, seed, 1)
    )


@every_kind
@given(data=st.data(), steps=st.integers(1, 4), batch=sizes, seed=seeds)
def test_defaults_are_a_state_of_zeros_and_full_lengths(kind, data, steps, batch, seed):
    layer = layer_of(data.draw(options(kind)), seed)
    lead = (batch, steps) if layer.batch_first else (steps, batch)
    x = tg.tensor(normal(seed, *lead, layer.input_size))
    zeros = [tg.zeros_like(part) for part in start(layer, (batch,), 0)]
    plain = run(layer, x)
    for other in (
        run(layer, x, zeros),
        run(layer, x, lengths=[steps] * batch),
        run(layer, x),
    ):
        all_equal(plain, other)


# ---------------------------------------------------------------- more


@every_kind
@pytest.mark.parametrize("ids", [False, True])
def test_an_empty_batch_goes_through(kind, ids):
    layer = build(kind, input_size=3, hidden_size=2, num_layers=2, bidirectional=True)
    x = tg.zeros(4, 0, dtype=tg.int64) if ids else tg.zeros(4, 0, 3, requires_grad=True)
    for lengths in (None, []):
        out, *last = run(layer, x, lengths=lengths)
        assert out.shape == (4, 0, 4)
        assert all(part.shape == (4, 0, 2) for part in last)
        sum(part.sum() for part in (out, *last)).backward()
        assert not any(p.grad.numpy().any() for p in layer.parameters())


@every_kind
def test_a_layer_holds_no_state(kind):
    layer = build(kind, input_size=3, hidden_size=2, num_layers=2)
    x = tg.randn(4, 2, 3)
    before = x.numpy().copy()
    first, second = run(layer, x), run(layer, x)
    all_equal(first, second)
    arrays = [array(a) for a in (*first, *second, x)]
    assert not any(
        np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i]
    )
    np.testing.assert_array_equal(x.numpy(), before)


@every_kind
def test_a_state_carried_on_without_detach_is_named_as_the_cause(kind):
    layer = build(kind, input_size=3, hidden_size=2)
    _, *state = run(layer, tg.randn(4, 2, 3))
    state[0].sum().backward()
    out, *_ = run(layer, tg.randn(4, 2, 3), state)
    with pytest.raises(GraphError, match=r"detach it first: h = h.detach\(\)"):
        out.sum().backward()
    out, *_ = run(layer, tg.randn(4, 2, 3), [part.detach() for part in state])
    out.sum().backward()


@every_kind
def test_an_output_changed_in_place_is_noticed(kind):
    """The backward pass reads it."""
    layer = build(kind, input_size=3, hidden_size=2)
    out, *_ = run(layer, tg.randn(4, 2, 3))
    loss = out.sum()
    with tg.no_grad():
        out.add_(1.0)
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


@every_kind
@pytest.mark.parametrize("bidirectional", [False, True])
def test_dropout_is_between_layers_only(kind, bidirectional):
    many = {"hidden_size": 4, "bidirectional": bidirectional}
    layer = build(kind, input_size=3, num_layers=3, dropout=0.5, **many)
    state, singles = layer.state_dict(), []
    for number, size in enumerate((3, 4 + 4 * bidirectional, 4 + 4 * bidirectional)):
        single = build(kind, input_size=size, **many)
        names = list(single.state_dict())
        single.load_state_dict(
            {k: state[k.replace("_l0", f"_l{number}")] for k in names}
        )
        singles.append(single)
    x = tg.randn(5, 2, 3)
    tg.manual_seed(1)
    found = run(layer, x)
    tg.manual_seed(1)
    y, last = x, []
    for number, single in enumerate(singles):
        y, *ends = run(single, F.dropout(y, 0.5) if number else y)
        last.append(ends)
    all_close(found, [y, *[tg.cat(part) for part in zip(*last, strict=True)]], 1e-6)
    assert (array(found[0]) != 0).all()  # the last layer's output is whole
    quiet = run(layer.eval(), x)
    all_equal(quiet, run(layer, x))
    assert (array(quiet[0]) != array(found[0])).any()


@every_kind
def test_dropout_of_everything_leaves_the_biases(kind):
    layer = build(kind, input_size=3, hidden_size=4, num_layers=2, dropout=1.0)
    a, b = (array(run(layer, tg.randn(5, 2, 3))[0]) for _ in range(2))
    np.testing.assert_array_equal(a, b)


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


@every_kind
@pytest.mark.parametrize(
    "of", [list, tuple, np.asarray, tg.tensor, lambda n: np.asarray(n, np.uint8)]
)
def test_lengths_of_any_kind(kind, of):
    layer, x = build(kind, input_size=3, hidden_size=2), tg.randn(4, 3, 3)
    all_equal(run(layer, x, lengths=of([4, 1, 2])), run(layer, x, lengths=[4, 1, 2]))


# ------------------------------------------------------------ uses of second gradients


def penalty(critic, head, x):
    """(norm of the critic's gradient at x - 1)^2: WGAN-GP, arXiv:1704.00028."""
    x = x.detach().requires_grad_()
    score = head(critic(x)[0]).mean()
    (slope,) = tg.autograd.grad(score, x, create_graph=True)
    return ((slope * slope).sum(-1).sqrt() - 1.0).square().mean()


def along(model, directions, function, step):
    """The derivative along directions of the parameters, by 4th-order differences."""
    before = [p.numpy().copy() for p in model]

    def at(t):
        for p, old, d in zip(model, before, directions, strict=True):
            p.data[...] = old + t * d
        return function()

    near, far = at(step) - at(-step), at(2 * step) - at(-2 * step)
    at(0.0)
    return (8 * near - far) / (12 * step)


@every_kind
def test_a_gradient_penalty_has_its_gradient(kind):
    rng = np.random.default_rng(0)
    layer = layer_of(
        {"kind": kind, "input_size": 3, "hidden_size": 4, "num_layers": 2}, 0
    )
    head = nn.Linear(4, 1).double()
    x = tg.tensor(rng.standard_normal((5, 3, 3)))
    parameters = [*layer.parameters(), *head.parameters()]
    found = tg.autograd.grad(penalty(layer, head, x), parameters, allow_unused=True)
    # a bias does not change a slope
    assert found[-1] is None or not found[-1].numpy().any()
    directions = [rng.standard_normal(p.shape) for p in parameters]
    exact = sum(
        (g.numpy() * d).sum()
        for g, d in zip(found, directions, strict=True)
        if g is not None
    )
    slope = along(parameters, directions, lambda: penalty(layer, head, x).item(), 2e-4)
    np.testing.assert_allclose(exact, slope, rtol=1e-6)


@every_kind
@pytest.mark.parametrize("lengths", [None, [5, 2, 3], [0, 5, 0]])
def test_a_hessian_times_a_vector(kind, lengths):
    rng = np.random.default_rng(1)
    layer = layer_of(
        {"kind": kind, "input_size": 6, "hidden_size": 3, "bidirectional": True}, 1
    )
    ids = tg.tensor(rng.integers(0, 6, (5, 3)))
    parameters = list(layer.parameters())

    def gradients(create_graph):
        results = run(layer, ids, lengths=lengths)
        loss = sum(part.square().sum() for part in results)
        return tg.autograd.grad(loss, parameters, create_graph=create_graph)

    vector = [rng.standard_normal(p.shape) for p in parameters]
    slope = sum(
        (g * tg.tensor(v)).sum() for g, v in zip(gradients(True), vector, strict=True)
    )
    product = tg.autograd.grad(slope, parameters)
    for k in range(len(parameters)):
        expected = along(
            parameters, vector, lambda k=k: gradients(False)[k].numpy(), 2e-4
        )
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(
            product[k].numpy(), expected, rtol=0, atol=1e-8 * scale
        )


@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"num_layers": 2}])
def test_output_and_state_may_change_in_place(options):
    """They are views of memory that nobody else holds."""
    rnn = nn.RNN(2, 3, **options)
    output, h_n = rnn(tg.randn(4, 5, 2))
    total = output.sum()
    h_n[:, 0] = 0.0
    h_n.mul_(2.0)
    output.mul_(2.0)
    with pytest.raises(RuntimeError, match="changed in place"):
        (
            total + output.sum()
        ).backward()  # the backward pass needs the output as it was
    h_n.sum()


@pytest.mark.parametrize("make", [nn.RNN, nn.RNNCell])
def test_a_nonlinearity_that_is_set_later_is_checked(make):
    layer = make(3, 4)
    layer.nonlinearity = "Tanh"
    with pytest.raises(
        tg.Error, match=f"nn.{make.__name__}: nonlinearity is 'Tanh', expected 'tanh'"
    ):
        layer(tg.zeros(2, 3))


@every_kind
def test_dropout_with_a_single_layer_warns(kind):
    with pytest.warns(
        UserWarning, match=rf"nn.{kind}: dropout=0.5 has no effect"
    ) as caught:
        getattr(nn, kind)(3, 4, dropout=0.5)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("name", ["bias_ih", "bias_hh"])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_one_bias_alone_is_as_if_the_other_were_0(cell, name):
    """PyTorch raises for a cell with one bias."""
    x = tg.randn(3, 2, 4)
    found = []
    for missing in (True, False):
        tg.manual_seed(1)
        layer, single = getattr(nn, cell)(4, 5), getattr(nn, f"{cell}Cell")(4, 5)
        for module, suffix in ((layer, "_l0"), (single, "")):
            if missing:
                setattr(module, name + suffix, None)
            else:
                getattr(module, name + suffix).detach().zero_()
        output = layer(x)[0]
        step = nn.Stepper(layer)(x[0])[0]
        of_cell = single(x[0])
        of_cell = of_cell[0] if isinstance(of_cell, tuple) else of_cell
        (output.sum() + of_cell.sum()).backward()
        other = {"bias_ih": "bias_hh", "bias_hh": "bias_ih"}[name]
        grads = [getattr(layer, f"{other}_l0").grad, getattr(single, other).grad]
        found.append([output, step, of_cell, *grads])
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-5, atol=1e-6)


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


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_one_hot_integers_without_a_batch_raise_in_a_cell(kind):
    cell = build(kind, input_size=3, hidden_size=2).double()
    with pytest.raises(
        DTypeError, match=rf"nn\.{kind}: .* input.double\(\) are features"
    ):
        cell(F.one_hot(tg.tensor(2), 3))


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
        assert {str(p.device) for p in layer.parameters()} == {how.get("device", "cpu")}
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
