"""Packed sequences: the cover of ``lengths`` that programs written for PyTorch use."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import ShapeError
from tinygrad_rnn.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)

KINDS = ("RNN", "LSTM", "GRU")
every_kind = pytest.mark.parametrize("kind", KINDS)
flags, seeds = st.booleans(), st.integers(0, 2**32)


@st.composite
def batches(draw):
    """A padded batch (T, B, I), its lengths, and whether these fall."""
    steps, batch, features = (draw(st.integers(1, 4)) for _ in range(3))
    lengths = draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
    falls = draw(flags)
    lengths = sorted(lengths, reverse=True) if falls else lengths
    values = np.random.default_rng(draw(seeds)).standard_normal(
        (steps, batch, features)
    )
    return values, lengths, falls


def one_by_one(values, lengths):
    """The elements in packed order, by definition: step by step, the longest first."""
    order = sorted(range(len(lengths)), key=lambda b: -lengths[b])
    return [values[t, b] for t in range(len(values)) for b in order if lengths[b] > t]


@given(batches(), flags)
def test_the_data_is_step_by_step_the_longest_first(case, first):
    values, lengths, falls = case
    x = tg.tensor(values.swapaxes(0, 1) if first else values)
    packed = pack_padded_sequence(x, lengths, first, enforce_sorted=falls)
    expected = np.reshape(one_by_one(values, lengths), (-1, values.shape[2]))
    np.testing.assert_array_equal(packed.data.numpy(), expected)
    steps = range(max(lengths))
    assert packed.batch_sizes.tolist() == [sum(n > t for n in lengths) for t in steps]
    if not falls:
        order = packed.sorted_indices[packed.unsorted_indices]
        assert order.tolist() == [*range(len(lengths))]


@given(batches(), flags, st.integers(0, 2))
def test_padding_undoes_packing(case, first, more):
    values, lengths, falls = case
    values = values.swapaxes(0, 1) if first else values
    packed = pack_padded_sequence(tg.tensor(values), lengths, first, falls)
    total = max(lengths) + more
    padded, found = pad_packed_sequence(packed, first, -7.0, total)
    assert found.tolist() == lengths
    padded = padded.numpy().swapaxes(0, 1) if first else padded.numpy()
    values = values.swapaxes(0, 1) if first else values
    for b, length in enumerate(lengths):
        np.testing.assert_array_equal(padded[:length, b], values[:length, b])
        assert (padded[length:, b] == -7.0).all()
    assert len(padded) == total


@given(batches())
def test_gradients_flow_through_both(case):
    values, lengths, falls = case
    x = tg.tensor(values, requires_grad=True)
    padded, _ = pad_packed_sequence(pack_padded_sequence(x, lengths, False, falls))
    weights = np.random.default_rng(0).standard_normal(padded.shape)
    (padded * tg.tensor(weights)).sum().backward()
    expected = np.zeros(values.shape)
    for b, length in enumerate(lengths):
        expected[:length, b] = weights[:length, b]
    np.testing.assert_array_equal(x.grad.numpy(), expected)


@every_kind
@given(
    batches(),
    st.fixed_dictionaries(
        {"num_layers": st.integers(1, 2), "batch_first": flags, "bidirectional": flags}
    ),
    flags,
    flags,
)
def test_a_layer_takes_a_packed_batch_as_lengths(kind, case, options, ids, initial):
    """Its output is packed alike; its states are in the order of the batch."""
    values, lengths, falls = case
    size = values.shape[2]
    layer = getattr(nn, kind)(size, 3, **options).double()
    x = tg.tensor(values.argmax(-1) if ids else values, requires_grad=not ids)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=falls)
    state = None
    if initial:
        rows = options["num_layers"] * (1 + options["bidirectional"])
        parts = [
            tg.tensor(np.random.default_rng(k).random((rows, len(lengths), 3)))
            for k in (0, 1)
        ]
        state = tuple(parts) if kind == "LSTM" else parts[0]
    output, last = layer(packed, state)
    assert isinstance(output, PackedSequence)
    assert [a is b for a, b in zip(output[1:], packed[1:], strict=True)] == [True] * 3
    given_x = x.transpose(0, 1) if options["batch_first"] else x
    expected, ends = layer(given_x, state, lengths)
    expected = expected.transpose(0, 1) if options["batch_first"] else expected
    unpacked, _ = pad_packed_sequence(output, total_length=len(values))
    pairs = [(unpacked, expected)]
    pairs += zip(last, ends, strict=True) if kind == "LSTM" else [(last, ends)]
    leaves = [*layer.parameters(), *([] if ids else [x])]
    slopes = [
        tg.autograd.grad(sum((part * part).sum() for part in side), leaves)
        for side in zip(*pairs, strict=True)
    ]
    for one, other in [*pairs, *zip(*slopes, strict=True)]:
        np.testing.assert_allclose(
            one.detach().numpy(), other.detach().numpy(), atol=1e-12
        )


@pytest.mark.parametrize("batch_first", [False, True])
def test_what_is_padded_may_change_in_place(batch_first):
    x = tg.ones(3, 2, requires_grad=True)
    packed = pack_sequence([x[:1], x[1:]], enforce_sorted=False)
    padded, _ = pad_packed_sequence(packed, batch_first)
    padded *= 2.0
    padded[-1] = 0.0
    padded.sum().backward()
    left = [[2, 2], [0, 0], [0, 0]] if batch_first else [[2, 2], [2, 2], [0, 0]]
    assert x.grad.tolist() == left


def test_sequences_go_in_and_out():
    sequences = [tg.randn(n, 2) for n in (2, 0, 3, 1)]
    packed = pack_sequence(sequences, enforce_sorted=False)
    for one, other in zip(unpack_sequence(packed), sequences, strict=True):
        assert one.tolist() == other.tolist()
    padded, lengths = pad_packed_sequence(packed, batch_first=True)
    for one, other in zip(
        unpad_sequence(padded, lengths, True), sequences, strict=True
    ):
        assert one.tolist() == other.tolist()


def test_a_batch_of_empty_sequences():
    packed = pack_padded_sequence(tg.zeros(3, 2, 4), [0, 0])
    output, h_n = nn.RNN(4, 5)(packed, tg.ones(1, 2, 5))
    assert output.data.shape == (0, 5) and (h_n.numpy() == 1).all()
    assert [x.shape for x in unpack_sequence(output)] == [(0, 5), (0, 5)]


def test_the_data_can_be_mapped_in_both_ways():
    """As programs embed a packed batch of ids."""
    embedding = nn.Embedding(5, 3)
    ids = pack_sequence([tg.tensor([1, 2]), tg.tensor([3, 4, 0])], enforce_sorted=False)
    one = ids._replace(data=embedding(ids.data))
    two = PackedSequence(embedding(ids.data), *ids[1:])
    outputs = [nn.Linear(3, 3).eval()(packed.data).shape for packed in (one, two)]
    assert outputs == [(5, 3), (5, 3)]
    assert unpack_sequence(one)[1].tolist() == embedding(tg.tensor([3, 4, 0])).tolist()


def test_the_indices_of_the_way_back_are_found():
    packed = PackedSequence(tg.arange(3.0), tg.tensor([2, 1]), tg.tensor([1, 0]))
    assert packed.unsorted_indices.tolist() == [1, 0]
    assert pad_packed_sequence(packed)[0].tolist() == [[1.0, 0.0], [0.0, 2.0]]


def test_a_conversion_keeps_the_indices_of_the_way_back():
    order = tg.tensor([1, 0])
    packed = PackedSequence(tg.ones(3, 2), tg.tensor([2, 1]), None, order)
    assert packed.double().unsorted_indices is order


def test_conversions_of_the_data_leave_the_rest():
    packed = pack_sequence(
        [tg.tensor([1, 2]), tg.tensor([3, 4, 0])], enforce_sorted=False
    )
    assert packed.float().data.dtype == tg.float32
    assert packed.double().data.dtype == packed.to(tg.float64).data.dtype == tg.float64
    assert packed.cpu().batch_sizes.tolist() == packed.batch_sizes.tolist() == [2, 2, 1]
    assert isinstance(packed.double(), PackedSequence)
    moved = tg.utils.detach(packed.float())
    assert isinstance(moved, PackedSequence) and moved.sorted_indices.tolist() == [1, 0]


@pytest.mark.parametrize(
    "parts",
    [
        (tg.zeros(4, 3), tg.tensor([2, 1])),
        (tg.zeros(3, 3), tg.tensor([1, 2])),
        (tg.zeros(3, 3), tg.tensor([2, 1, 0])),
        (tg.zeros(3, 3), tg.tensor([[2, 1]])),
        (tg.zeros(3, 3), tg.tensor([2.0, 1.0])),
        (tg.tensor(0.0), tg.tensor([1])),
        (tg.zeros(3, 3), tg.tensor([2, 1]), tg.tensor([0, 0])),
        (tg.zeros(3, 3), tg.tensor([2, 1]), tg.tensor([0])),
        (tg.zeros(3, 3), tg.tensor([2, 1]), tg.tensor([1, 2])),
    ],
)
def test_parts_that_do_not_fit_each_other(parts):
    packed = PackedSequence(*parts)
    for use in (pad_packed_sequence, unpack_sequence, nn.RNN(3, 2)):
        with pytest.raises(
            ShapeError, match="pad_packed_sequence: (batch_sizes|sorted_indices) are"
        ):
            use(packed)


@given(
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    rest=st.lists(st.integers(1, 3), max_size=2),
    batch_first=st.booleans(),
    side=st.sampled_from(["right", "left"]),
)
def test_pad_sequence(lengths, rest, batch_first, side):
    arrays = [
        100.0 * i + np.arange(n * math.prod(rest)).reshape(n, *rest)
        for i, n in enumerate(lengths)
    ]
    given_ = [tg.tensor(array, requires_grad=True) for array in arrays]
    out = pad_sequence((x for x in given_), batch_first, -1.0, side)
    steps = max(lengths)
    assert out.shape == (
        (len(lengths), steps) if batch_first else (steps, len(lengths))
    ) + tuple(rest)
    for i, n in enumerate(lengths):
        column = out[i] if batch_first else out[:, i]
        inside = slice(0, n) if side == "right" else slice(steps - n, steps)
        values = np.full((steps, *rest), -1.0)
        values[inside] = arrays[i]
        np.testing.assert_array_equal(column.detach().numpy(), values)
    (out * out).sum().backward()
    for x, array in zip(given_, arrays, strict=True):
        np.testing.assert_array_equal(x.grad.numpy(), 2 * array)


def test_padded_sequences_go_with_lengths():
    rnn = nn.GRU(2, 3)
    sequences = [tg.randn(n, 2) for n in (4, 2, 3)]
    _, h_n = rnn(pad_sequence(sequences), lengths=[len(x) for x in sequences])
    for i, x in enumerate(sequences):
        np.testing.assert_allclose(
            h_n[:, i].detach().numpy(), rnn(x)[1].detach().numpy(), atol=1e-6
        )


def test_one_tensor_is_a_batch_of_sequences():
    """As in PyTorch, which iterates over it."""
    x = tg.arange(12).reshape(3, 2, 2)
    for batch_first in (True, False):
        expected = pad_sequence([*x], batch_first).tolist()
        assert pad_sequence(x, batch_first).tolist() == expected
    assert pack_sequence(x).batch_sizes.tolist() == [3, 3]


def test_pad_sequence_is_replayed():
    pad = tg.compile(lambda *sequences: pad_sequence(sequences, True) * 2)
    for _ in range(4):
        sequences = tg.randn(3, 2), tg.randn(5, 2)
        expected = pad_sequence(sequences, True) * 2
        assert pad(*sequences).tolist() == expected.tolist()
    assert pad.cache_info().hits == 2
