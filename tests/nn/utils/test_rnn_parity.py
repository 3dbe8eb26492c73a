"""Packed sequences against PyTorch: the same parts, outputs, states and gradients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nn.twins import Numbers, agree, flags, same, sizes

import tinygrad_rnn.nn.utils.rnn as ours_of
from tinygrad_rnn import nn

pytestmark = pytest.mark.parity
lengths_of = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def same_parts(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.detach().numpy().tolist() == other.detach().numpy().tolist()


@given(lengths_of, flags, flags, flags, st.integers(0, 2), st.integers(0, 2**32))
def test_packing_and_padding(torch, lengths, falls, first, ids, more, seed):
    theirs_of = torch.nn.utils.rnn
    lengths = sorted(lengths, reverse=True) if falls else lengths
    numbers = Numbers(torch, seed, "float64")
    lead = (len(lengths), max(lengths)) if first else (max(lengths), len(lengths))
    pair = numbers.ids(9, *lead) if ids else numbers.pair(*lead, 2)
    theirs = theirs_of.pack_padded_sequence(
        pair[0], torch.tensor(lengths), first, falls
    )
    ours = ours_of.pack_padded_sequence(pair[1], lengths, first, falls)
    same_parts(ours, theirs)
    for total in (None, max(lengths) + more):
        same_parts(
            ours_of.pad_packed_sequence(ours, first, 3.0, total),
            theirs_of.pad_packed_sequence(theirs, first, 3.0, total),
        )
    if not ids:
        agree(numbers, [theirs.data], [ours.data], [pair])
    same_parts(ours_of.unpack_sequence(ours), theirs_of.unpack_sequence(theirs))
    sequences = [
        x.unbind(0) for x in (pair if first else [x.transpose(0, 1) for x in pair])
    ]
    cut = [[x[:n] for x, n in zip(side, lengths, strict=True)] for side in sequences]
    same_parts(
        ours_of.pack_sequence(cut[1], falls), theirs_of.pack_sequence(cut[0], falls)
    )


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@given(
    lengths_of,
    st.fixed_dictionaries(
        {
            "input_size": sizes,
            "hidden_size": sizes,
            "num_layers": st.integers(1, 2),
            "batch_first": flags,
            "bidirectional": flags,
        }
    ),
    flags,
    flags,
    st.integers(0, 2**32),
)
def test_a_layer_of_packed_sequences(
    torch, kind, lengths, options, falls, initial, seed
):
    numbers = Numbers(torch, seed, "float64")
    theirs = getattr(torch.nn, kind)(**options).double()
    ours = getattr(nn, kind)(**options).double()
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    lengths = sorted(lengths, reverse=True) if falls else lengths
    x = numbers.pair(max(lengths), len(lengths), options["input_size"])
    pack = torch.nn.utils.rnn.pack_padded_sequence
    packed = pack(x[0], torch.tensor(lengths), enforce_sorted=falls)
    own = ours_of.pack_padded_sequence(x[1], lengths, enforce_sorted=falls)
    rows = options["num_layers"] * (1 + options["bidirectional"])
    shape = (rows, len(lengths), options["hidden_size"])
    parts = (
        [numbers.pair(*shape) for _ in range(1 + (kind == "LSTM"))] if initial else []
    )
    states = [None, None]
    if initial:
        states = [
            tuple(side) if kind == "LSTM" else side[0]
            for side in zip(*parts, strict=True)
        ]
    found, expected = ours(own, states[1]), theirs(packed, states[0])
    same(found[0].data, expected[0].data, 1e-10)
    same_parts(found[0][1:], expected[0][1:])
    results = [
        [out.data, *(last if kind == "LSTM" else [last])]
        for out, last in (expected, found)
    ]
    leaves = [x, *parts, *zip(theirs.parameters(), ours.parameters(), strict=True)]
    agree(numbers, *results, leaves)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lengths_of_0_are_the_sequences_that_have_steps(torch, kind, bidirectional):
    """PyTorch packs no empty sequence, so it is given the others alone."""
    numbers = Numbers(torch, 3, "float64")
    options = {"num_layers": 2, "bidirectional": bidirectional}
    theirs = getattr(torch.nn, kind)(3, 4, **options).double()
    ours = getattr(nn, kind)(3, 4, **options).double()
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    lengths, some = [0, 3, 0, 5, 1], [1, 3, 4]
    x = numbers.pair(5, 5, 3)
    parts = [
        numbers.pair(2 * (1 + bidirectional), 5, 4) for _ in range(1 + (kind == "LSTM"))
    ]
    states = [
        tuple(side) if kind == "LSTM" else side[0] for side in zip(*parts, strict=True)
    ]
    rnn = torch.nn.utils.rnn
    packed = rnn.pack_padded_sequence(
        x[0][:, some], torch.tensor(lengths)[some], enforce_sorted=False
    )
    chosen = [part[0][:, some] for part in parts]
    output, last = theirs(packed, tuple(chosen) if kind == "LSTM" else chosen[0])
    output = (
        torch.zeros(5, 5, output.data.shape[-1])
        .double()
        .index_copy(1, torch.tensor(some), rnn.pad_packed_sequence(output)[0])
    )
    last = last if kind == "LSTM" else (last,)
    ends = [
        part[0].index_copy(1, torch.tensor(some), end)
        for part, end in zip(parts, last, strict=True)
    ]
    found, our_last = ours(x[1], states[1], lengths)
    our_last = our_last if kind == "LSTM" else (our_last,)
    leaves = [x, *parts, *zip(theirs.parameters(), ours.parameters(), strict=True)]
    agree(numbers, [output, *ends], [found, *our_last], leaves)
    assert not np.any(found.detach().numpy()[:, [0, 2]])
