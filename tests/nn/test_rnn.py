"""RNN, LSTM, GRU and their cells: equations, and properties under all options."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import flags, normal, seeds, sizes
from nn.recurrent_layers import (
    all_close,
    all_equal,
    array,
    build,
    close,
    every_kind,
    ids_for,
    layer_of,
    options,
    run,
    same_slopes,
    slopes,
    start,
    weigh,
    width,
)
from strategies import plain_ids

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn
from tinygrad_rnn.errors import GraphError


def apart(z, count):
    """The parts of the last dim, one after the other."""
    size = z.shape[-1] // count
    return [z[..., k * size : (k + 1) * size] for k in range(count)]


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


@every_kind
def test_dropout_with_a_single_layer_warns(kind):
    with pytest.warns(
        UserWarning, match=rf"nn.{kind}: dropout=0.5 has no effect"
    ) as caught:
        getattr(nn, kind)(3, 4, dropout=0.5)
    assert caught[0].filename == __file__


@every_kind
@pytest.mark.parametrize("has_own", [False, True])
def test_the_dropout_of_a_subclass_warns_where_the_user_writes_it(kind, has_own):
    class Own(getattr(nn, kind)):
        pass

    def construct(self):
        super(Own, self).__init__(3, 4, dropout=0.5)

    if has_own:
        Own.__init__ = construct
    with pytest.warns(UserWarning, match="dropout=0.5 has no effect") as caught:
        Own() if has_own else Own(3, 4, dropout=0.5)
    assert caught[0].filename == __file__


# ---------------------------------------------------------------- the state's name


@pytest.mark.parametrize("kind", ["RNN", "GRU"])
def test_the_states_old_name_is_taken_with_a_warning(kind):
    layer, x, state = getattr(nn, kind)(3, 2), tg.randn(4, 2, 3), tg.randn(1, 2, 2)
    with pytest.warns(
        DeprecationWarning, match=rf"nn\.{kind}: h_0 is called hx now"
    ) as caught:
        found = layer(x, h_0=state)
    assert caught[0].filename == __file__
    for expected in (layer(x, state), layer(x, hx=state)):
        assert [part.tolist() for part in found] == [part.tolist() for part in expected]
