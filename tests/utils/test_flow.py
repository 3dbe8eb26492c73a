"""utils.gradient_flow: against a loop with retain_grad(), and difference quotients."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import flags, normal, seeds
from nn.recurrent_layers import (
    build,
    close,
    every_kind,
    ids_for,
    layer_of,
    options,
    start,
    weigh,
    width,
)

import tinygrad_rnn as tg
from tinygrad_rnn import nn, ops
from tinygrad_rnn.engine.fused import FusedOp
from tinygrad_rnn.errors import GraphError, OptionError
from tinygrad_rnn.nn.recurrent import CellKind
from tinygrad_rnn.nn.rnn import RNNBase
from tinygrad_rnn.nn.utils.rnn import pack_padded_sequence
from tinygrad_rnn.utils import gradient_flow

# ---------------------------------------------- the layer as a loop over one sequence


def step(layer, suffix, x, h, c):
    """One step of one sequence: the next h and c; c is None but for an LSTM."""

    def linear(name, value):
        bias = getattr(layer, f"bias_{name}{suffix}")
        out = getattr(layer, f"weight_{name}{suffix}") @ value
        return out if bias is None else out + bias

    inner, outer = linear("hh", h), linear("ih", x)
    if isinstance(layer, nn.RNN):
        return getattr(inner + outer, layer.nonlinearity)(), None
    if isinstance(layer, nn.GRU):
        (r, z, n), (r_h, z_h, n_h) = outer.chunk(3), inner.chunk(3)
        r, z = (r + r_h).sigmoid(), (z + z_h).sigmoid()
        return (1 - z) * (n + r * n_h).tanh() + z * h, None
    i, f, g, o = (inner + outer).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    c.retain_grad()
    h = o.sigmoid() * c.tanh()
    return (getattr(layer, f"weight_hr{suffix}") @ h if layer.proj_size else h), c


def loop(layer, xs, state):
    """Run a layer over the steps of one sequence, each state with retain_grad().

    The outputs, the last states, and by column the states after each step.
    """
    columns, last = [], []
    for number in range(layer.num_layers):
        outputs = []
        for direction in range(1 + layer.bidirectional):
            suffix = f"_l{number}" + "_reverse" * direction
            h, c = (part[len(columns)] for part in state)
            states = [None] * len(xs)
            for t in range(len(xs))[:: -1 if direction else 1]:
                h, c = step(layer, suffix, xs[t], h, c)
                h.retain_grad()
                states[t] = (h, c)
            columns.append(states)
            last.append((h, c))
            outputs.append([h for h, _ in states])
        xs = [tg.cat(pair) for pair in zip(*outputs, strict=True)]
    return xs, last, columns


def norms_of_loop(layer, x, state, lengths, weights):
    """The norms of all gradients, from loops over the sequences of a batch, time first.

    The loss is the sum of the products of outputs and last states with weights.
    """
    count = layer.num_layers * (1 + layer.bidirectional)
    w_output, *w_last = weights
    squares = np.zeros((2, len(x), count))
    for b, length in enumerate(lengths):
        start = [part[:, b] for part in state]
        start += [[None] * count] * (2 - len(start))
        xs, last, columns = loop(layer, list(x[:length, b]), start)
        total = sum((w * y).sum() for w, y in zip(w_output[:, b], xs, strict=False))
        for column, parts in enumerate(last):
            for w, part in zip(w_last, parts, strict=False):
                total = total + (w[column, b] * part).sum()
        if length:
            total.backward()
        for column, states in enumerate(columns):
            for t, parts in enumerate(states):
                for k, part in enumerate(parts):
                    g = None if part is None else part.grad
                    squares[k, t, column] += 0 if g is None else (g.numpy() ** 2).sum()
    return np.sqrt(squares)


@every_kind
@given(data=st.data(), seed=seeds)
def test_it_is_what_a_loop_with_retain_grad_gives(kind, data, seed):
    """Any layer, direction and layout, of features or ids, with or without lengths."""
    layer = layer_of(data.draw(options(kind)), seed)
    steps, batch = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    rng = np.random.default_rng(seed)
    lengths = None
    if data.draw(flags):
        lengths = data.draw(st.lists(st.integers(0, steps), min_size=batch)) + [steps]
        lengths = lengths[:batch]
    if data.draw(flags):
        ids = ids_for(layer, rng, steps, batch)
        x, given_x = tg.tensor(np.eye(layer.input_size)[ids]), tg.tensor(ids)
    else:
        x = given_x = tg.tensor(normal(seed, steps, batch, layer.input_size))
    state, hx = start(layer, (batch,), seed), None
    if data.draw(flags):
        hx = tuple(state) if len(state) > 1 else state[0]
    else:
        state = [tg.zeros_like(part) for part in state]
    weights = [tg.tensor(normal(seed + 7, steps, batch, width(layer)))]
    weights += [tg.tensor(normal(seed + 8, *part.shape)) for part in state]

    def loss(output, last):
        last = last if isinstance(last, tuple) else (last,)
        output = output.transpose(0, 1) if layer.batch_first else output
        pairs = zip(weights, (output, *last), strict=True)
        return sum((w * y).sum() for w, y in pairs)

    given_x = given_x.transpose(0, 1) if layer.batch_first else given_x
    flow = gradient_flow(layer, given_x, hx, lengths, loss)
    ends = [steps] * batch if lengths is None else lengths
    expected = norms_of_loop(layer, x, state, ends, weights)
    close(flow.h, expected[0])
    assert (flow.c is None) == (kind != "LSTM")
    close(expected[1] if flow.c is None else flow.c, expected[1])
    assert not flow.h.requires_grad


@every_kind
@given(seed=seeds, steps=st.integers(2, 5), projected=flags)
def test_it_is_what_difference_quotients_give(kind, seed, steps, projected):
    """By the layer itself, cut in two at a step, with a change of the state there."""
    size = {"proj_size": 2} if projected and kind == "LSTM" else {}
    layer = layer_of({"kind": kind, "input_size": 2, "hidden_size": 3} | size, seed)
    x = tg.tensor(normal(seed, steps, 2, 2))

    def loss(output, state):
        state = state if isinstance(state, tuple) else (state,)
        return weigh((output, *state), seed)

    flow = gradient_flow(layer, x, loss=loss)
    for t in range(steps):
        output, state = layer(x[: t + 1])
        parts = state if isinstance(state, tuple) else (state,)

        def rest(*parts, t=t, output=output):
            new = parts if len(parts) > 1 else parts[0]
            outputs = [output[:t], parts[0]]
            if t + 1 < steps:
                later, new = layer(x[t + 1 :], new)
                outputs.append(later)
            return loss(tg.cat(outputs), new)

        (h, *cs), eps = [part.detach().numpy().copy() for part in parts], 1e-6

        def norm(array, call, eps=eps):
            slopes = []
            for i in np.ndindex(array.shape):
                change = np.zeros_like(array)
                change[i] = eps
                up, down = (call(array + d).item() for d in (change, -change))
                slopes.append((up - down) / (2 * eps))
            return np.linalg.norm(slopes)

        cs = [tg.tensor(c) for c in cs]
        close(flow.h[t, 0], norm(h, lambda v, cs=cs: rest(tg.tensor(v), *cs)), 1e-6)
        if cs and not projected:  # a change of c changes h = o tanh(c), too
            o = h / cs[0].tanh().numpy()

            def call(c, o=o):
                return rest(tg.tensor(o * np.tanh(c)), tg.tensor(c))

            close(flow.c[t, 0], norm(cs[0].numpy(), call), 1e-5)


@every_kind
def test_a_call_changes_nothing(kind):
    """Also its dropout is that of the next call, and hooks see the same output."""
    tg.manual_seed(3)
    layer = build(kind, input_size=3, hidden_size=4, num_layers=3, dropout=0.5)
    x = tg.randn(5, 2, 3, requires_grad=True)
    layer(x)[0].sum().backward()
    before = [p.grad.clone() for p in (x, *layer.parameters())]
    attributes, state = dict(vars(layer)), tg.random.default_generator.get_state()
    seen = []
    handle = layer.register_forward_hook(lambda module, args, out: seen.append(out[0]))

    def loss(output, state):
        return (output + x.sum()).square().sum() + tg.rand(1)

    flow = gradient_flow(layer, x, loss=loss)
    assert tg.random.default_generator.get_state().equal(state)
    output, _ = layer(x)
    handle.remove()
    close(seen[0], output, 1e-6)
    for p, g in zip((x, *layer.parameters()), before, strict=True):
        assert p.grad.equal(g)

    def fails(output, state):
        tg.rand(1)
        raise KeyError("loss")

    state = tg.random.default_generator.get_state()
    with pytest.raises(KeyError, match="loss"):
        gradient_flow(layer, x, loss=fails)
    assert tg.random.default_generator.get_state().equal(state)
    vars(layer).pop("_hooks")
    assert vars(layer) == attributes
    assert flow.h.shape == (5, 3)


@every_kind
def test_frozen_layers_and_no_grad(kind):
    layer = build(kind, input_size=3, hidden_size=4, num_layers=2, bidirectional=True)
    x = tg.randn(5, 2, 3)
    expected = gradient_flow(layer, x, lengths=[2, 5])
    layer.requires_grad_(False)
    with tg.no_grad():
        found = gradient_flow(layer, x, lengths=[2, 5])
    for one, two in zip(found, expected, strict=True):
        assert one is two is None or one.equal(two)
    assert not any(p.requires_grad for p in layer.parameters())


@every_kind
def test_packed_and_unbatched(kind):
    layer = build(kind, input_size=3, hidden_size=4, bidirectional=True)
    x, lengths = tg.randn(5, 3, 3), [5, 3, 2]

    def loss(output, state):
        return (output.data if isinstance(output, tuple) else output).square().sum()

    expected = gradient_flow(layer, x, lengths=lengths, loss=loss)
    packed = gradient_flow(layer, pack_padded_sequence(x, lengths), loss=loss)
    close(packed.h, expected.h, 1e-6)
    alone = gradient_flow(layer, x[:, 0], loss=loss)
    close(alone.h, gradient_flow(layer, x[:, :1], loss=loss).h, 1e-6)


@every_kind
def test_padding_is_not_read(kind):
    layer, x = build(kind, input_size=3, hidden_size=4), tg.randn(5, 2, 3)
    expected = gradient_flow(layer, x, lengths=[5, 2])
    x[2:, 1] = float("nan")
    assert gradient_flow(layer, x, lengths=[5, 2]).h.equal(expected.h)


def test_by_default_the_loss_is_the_top_layers_last_state():
    layer = nn.LSTM(3, 4, 2, bidirectional=True)
    x = tg.randn(5, 2, 3)
    found = gradient_flow(layer, x)
    expected = gradient_flow(layer, x, loss=lambda out, state: state[0][2:].sum())
    assert found.h.equal(expected.h)
    # The last state of either direction has a gradient of 1.
    last = found.h[[-1, 0], [2, 3]]
    close(last, np.full(2, np.sqrt(8)), 1e-6)
    # What the loss does not use has none.
    first = gradient_flow(layer, x, loss=lambda out, state: state[0][0].sum())
    assert (first.h[:, 1:] == 0).all()
    assert (first.h[:, 0] > 0).all()


def test_a_tanh_layer_by_hand():
    """In a linear state, each step back multiplies the gradient by W_hh."""
    rnn = nn.RNN(1, 2, bias=False).double()
    with tg.no_grad():
        rnn.weight_hh_l0.copy_(tg.tensor([[0.0, 0.5], [-0.5, 0.0]]))
    flow = gradient_flow(rnn, tg.zeros(4, 1, 1, dtype=tg.float64))
    close(flow.h[:, 0], np.sqrt(2) * 0.5 ** np.arange(3, -1, -1))


def test_a_loss_without_a_part_of_the_layer_is_an_error():
    """A recorded one, too: its norms would all be 0, as if the gradient vanished."""
    layer, x = nn.GRU(3, 4), tg.randn(5, 2, 3)
    for other in (tg.ones(1, requires_grad=True) * 2.0, layer(x)[0].sum()):
        with pytest.raises(GraphError, match="gradient_flow: the loss does not depend"):
            gradient_flow(layer, x, loss=lambda output, state, other=other: other)


def test_a_cell_of_ones_own():
    class Own(RNNBase):
        _cell_kind = CellKind(ops.gru_cell, FusedOp(ops.gru.composite), 3)

    own, x = Own(3, 4), tg.randn(5, 2, 3)
    with pytest.raises(OptionError, match="gradient_flow: .*CellKind.equations"):
        gradient_flow(own, x)
    Own._cell_kind = replace(Own._cell_kind, equations=ops.gru_step)
    gru = nn.GRU(3, 4)
    gru.load_state_dict(own.state_dict())
    assert gradient_flow(own, x).h.equal(gradient_flow(gru, x).h)
