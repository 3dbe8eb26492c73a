"""TextStreams: every window goes on where the one before it ended."""

import json
import random
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.data import TextStreams, Vocabulary

ALL = Vocabulary("abcdefgh ")
WORDS = Vocabulary(["the", "cat"])


@st.composite
def cuts(draw):
    """A text, and a number of streams and a length of windows that fit it."""
    batch, seq = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    size = draw(st.integers(batch * seq + 1, 6 * batch * seq + 1))
    letters = random.Random(draw(st.integers(0, 99))).choices(ALL.characters, k=size)
    return "".join(letters), batch, seq


@given(cuts())
def test_columns_of_successive_windows_are_the_text(cut):
    text, batch, seq = cut
    streams = TextStreams(text, ALL, batch, seq)
    windows = list(streams)
    assert len(windows) == len(streams)
    for x, y in windows:
        assert x.shape == y.shape == (seq, batch)
        assert x.dtype == y.dtype == tg.int64
        assert x.numpy().flags.c_contiguous
        assert y.numpy().flags.c_contiguous
    for part, shift in ((0, 0), (1, 1)):
        joined = np.concatenate([window[part].numpy() for window in windows])
        length = len(streams) * seq
        columns = [ALL.decode(column) for column in joined.T]
        assert "".join(columns) == text[shift : shift + batch * length]
    # Less than one window is left out.
    assert 0 <= len(text) - 1 - len(streams) * batch * seq < batch * seq


@given(cuts())
def test_y_is_x_one_character_further(cut):
    windows = list(TextStreams(cut[0], ALL, *cut[1:]))
    for x, y in windows:
        assert np.array_equal(y.numpy()[:-1], x.numpy()[1:])
        assert not np.shares_memory(x.numpy(), y.numpy())
    for (_, y), (x, _) in pairwise(windows):
        assert np.array_equal(y.numpy()[-1], x.numpy()[0])


def same(ours, theirs):
    return all(
        np.array_equal(a.numpy(), b.numpy()) for a, b in zip(ours, theirs, strict=True)
    )


@given(cuts(), st.integers(0, 20), st.integers(0, 20))
def test_next_batch_goes_round_and_resumes_exactly(cut, before, after):
    text, batch, seq = cut
    streams, other = (
        TextStreams(text, ALL, batch, seq),
        TextStreams(text, ALL, batch, seq),
    )
    one_pass = list(streams)
    for drawn in range(before):
        x, y, first = streams.next_batch()
        assert first == (drawn % len(one_pass) == 0)
        assert same((x, y), one_pass[drawn % len(one_pass)])
    other.load_state_dict(json.loads(json.dumps(streams.state_dict())))
    for _ in range(after):
        # a pass beside it changes nothing
        assert same(next(iter(streams)), one_pass[0])
        *ours, ours_first = streams.next_batch()
        *theirs, theirs_first = other.next_batch()
        assert same(ours, theirs)
        assert ours_first == theirs_first
    assert streams.state_dict() == other.state_dict()


@given(cuts(), st.floats(0.01, 0.99))
def test_split_covers_everything_once(cut, val_fraction):
    text, batch, seq = cut
    streams = TextStreams(text, ALL, batch, seq)
    held_out = round(len(text) * val_fraction)
    if min(held_out, len(text) - held_out) <= batch * seq:
        with pytest.raises(
            ValueError, match=r"with val_fraction=.* part has .* expected at least"
        ):
            streams.split(val_fraction)
        return
    train, val = streams.split(val_fraction)
    assert ALL.decode(np.concatenate([train.ids, val.ids])) == text
    assert len(val.ids) == held_out
    assert (
        (train.batch_size, train.seq_len)
        == (val.batch_size, val.seq_len)
        == (batch, seq)
    )
    assert len(train) >= 1
    assert len(val) >= 1


def test_a_file_an_array_and_a_memory_map_are_the_same_text(tmp_path):
    text = "a bad cabbage had faded" * 3
    path = tmp_path / "text"
    path.write_text(text)
    ids = ALL.encode(text)
    ids.numpy().astype(np.uint16).tofile(tmp_path / "ids")
    mapped = np.memmap(tmp_path / "ids", np.uint16, mode="r")
    expected = list(TextStreams(text, ALL, 3, 4))
    for source in (path, ids, ids.numpy(), mapped):
        windows = list(TextStreams(source, ALL, 3, 4))
        assert len(windows) == len(expected)
        assert all(same(*pair) for pair in zip(windows, expected, strict=True))


def test_streams_of_words_bytes_and_of_ids_of_others(tmp_path):
    text = "the cat sat on the mat".split()
    vocabulary = Vocabulary(text)
    x, y, _ = TextStreams(text, vocabulary, 1, 3).next_batch()
    assert vocabulary.decode(x[:, 0]) == ["the", "cat", "sat"]
    assert vocabulary.decode(y[:, 0]) == ["cat", "sat", "on"]

    (tmp_path / "raw").write_bytes(b"\xff\x00\xffabc")
    vocabulary = Vocabulary(b"\xff\x00\xffabc")
    for source in (tmp_path / "raw", b"\xff\x00\xffabc"):
        streams = TextStreams(source, vocabulary, 1, 5)
        assert vocabulary.decode(streams.next_batch()[1][:, 0]) == b"\x00\xffabc"
    assert repr(streams) == "TextStreams(6 bytes, batch_size=1, seq_len=5: 1 windows)"

    class Tokenizer:
        def __len__(self):
            return 50_000

    train, val = TextStreams(np.arange(40_000, 40_100), Tokenizer(), 2, 5).split(0.2)
    assert train.next_batch()[0][0].tolist() == [40_000, 40_035]
    assert len(val) == 1
    with pytest.raises(
        tg.errors.IdError, match=r"the id 50000 at 1 is not in \[0, 50000\)"
    ):
        TextStreams(np.array([1, 50_000]), Tokenizer(), 1, 1).next_batch()


def test_windows_and_batches_are_named_tuples():
    streams = TextStreams("abcabcabc", ALL, 1, 2)
    window = next(iter(streams))
    x, y = window
    (a, *rest), [b, c] = window, window
    assert x is a is b is window.x is window[0]
    assert y is c is rest[0] is window.y is window[1]
    assert (lambda *parts: len(parts))(*window) == len([*window]) == 2
    assert repr(window).startswith("Window(x=tensor(")
    batch = streams.next_batch()
    x, y, first = batch
    assert x is batch.x and y is batch.y and first is batch.first is True
    assert repr(batch).endswith("first=True)")
    assert [len(part) for part in zip(*streams, strict=True)] == [4, 4]


def three_names(streams):
    for x, y, first in streams:
        pass


def three_names_in_a_comprehension(streams):
    return [first for x, y, first in streams]


def three_names_of_one_window(streams):
    x, y, first = next(iter(streams))


def one_name(streams):
    for (x,) in streams:
        pass


def two_names(streams):
    x, y = streams.next_batch()


def two_names_for_ever(streams):
    for x, y in iter(streams.next_batch, None):
        pass


PAIRS = [three_names, three_names_in_a_comprehension, three_names_of_one_window]


@pytest.mark.parametrize("unpack", [*PAIRS, one_name, two_names, two_names_for_ever])
def test_a_wrong_number_of_names_says_the_right_one(unpack):
    names, parts, right = 3, 2, "`for x, y in streams`; `x, y, first ="
    if unpack is one_name:
        names = 1
    elif unpack not in PAIRS:
        names, parts, right = 2, 3, "`x, y, first = streams.next_batch()`; `for x, y in"
    words = f"TextStreams: the number of names is {names}, expected {parts}: {right}"
    words = f"^{re.escape(words)}"
    with pytest.raises(ValueError, match=words) as caught:
        unpack(TextStreams("abcabcabc", ALL, 1, 2))
    assert isinstance(caught.value, tg.Error)


def test_a_text_takes_one_byte_a_character():
    assert TextStreams("abc", ALL, 1, 1).ids.nbytes == 3


def test_ids_are_not_looked_at_before_they_are_drawn():
    """Of a file that is larger than memory only the windows are read, no more of it."""

    class Watched(np.ndarray):
        def __getitem__(self, place):
            read.append(place)
            return np.asarray(super().__getitem__(place))

    read, ids = [], np.full(1000, 9).view(Watched)
    streams = TextStreams(ids, ALL, 2, 3)
    streams.ids = ids  # the class keeps a plain array of the same memory
    assert not read
    with pytest.raises(tg.errors.IdError, match="the id 9 at 0 "):
        next(iter(streams))
    assert [np.size(place) for place in read] == [8]


def test_windows_are_the_users_own():
    streams = TextStreams("abcabcabc", ALL, 1, 4)
    x, _, _ = streams.next_batch()
    x.fill_(0)
    assert streams.ids.tolist() == ALL.encode("abcabcabc").tolist()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (
            ("abc", ALL, 2, 3),
            ValueError,
            "has 3 characters, expected at least 7.*pathlib.Path",
        ),
        (
            ("abc\n", Vocabulary("abc\n"), 2, 3),
            ValueError,
            "or a smaller batch_size or seq_len$",
        ),
        (("abcx", ALL, 1, 1), ValueError, "'x' at position 3"),
        (("", ALL, 1, 1), ValueError, "empty"),
        (("abc", "abc", 1, 1), TypeError, "vocabulary is str"),
        (("abc", ALL, 0, 1), ValueError, "batch_size is 0"),
        (("abc", ALL, 1, -1), ValueError, "seq_len is -1"),
        (("abc", ALL, 1.0, 1), TypeError, "batch_size is 1.0"),
        (("abc", ALL, 1, True), TypeError, "seq_len is True"),
        ((["abc"], ALL, 1, 1), TypeError, "text is list, expected a str"),
        ((b"abc", ALL, 1, 1), TypeError, "text is bytes, expected a str"),
        (("abc", WORDS, 1, 1), TypeError, r"text is str, .*text.split\(\)"),
        (
            (Path("no"), WORDS, 1, 1),
            TypeError,
            r"is a path; .*read_text\(path\).split\(\)",
        ),
        ((["the"], WORDS, 1, 1), ValueError, "has 1 words, expected at least 2"),
        (
            (np.arange(2), range(9), 2, 3),
            ValueError,
            "has 2 tokens, expected at least 7",
        ),
        (
            (np.arange(2), 9, 1, 1),
            TypeError,
            r"vocabulary is int, .*anything that has a len\(\)",
        ),
        ((["the", "dog"], WORDS, 1, 1), ValueError, "'dog' at position 1"),
        (
            (np.zeros((2, 2), int), ALL, 1, 1),
            ValueError,
            r"shape \(2, 2\), expected \(N,\)",
        ),
        ((np.zeros(9), ALL, 1, 1), TypeError, "float64, expected integers"),
    ],
)
def test_streams_that_cannot_be(arguments, error, words):
    with pytest.raises(error, match=words) as caught:
        TextStreams(*arguments)
    assert isinstance(caught.value, tg.Error)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i8", "u8"])
@pytest.mark.parametrize("wrong", [len(ALL), 100, -1])
@given(cuts(), st.data())
def test_ids_out_of_range_are_noticed_when_they_are_drawn(dtype, wrong, cut, data):
    """By their place in the text, in x or in y alone; nothing has moved then."""
    text, batch, seq = cut
    ids = ALL.encode(text).numpy().astype(dtype)
    used = (len(ids) - 1) // (batch * seq) * batch * seq + 1
    at = data.draw(st.integers(0, used - 1))
    # An unsigned one shows -1 as its largest number
    ids[at] = np.array(wrong).astype(dtype)
    streams = TextStreams(ids, ALL, batch, seq)
    length = len(streams) * seq
    for number in range(len(streams)):
        starts = np.arange(batch) * length + number * seq
        before = streams.state_dict()
        if not ((starts <= at) & (at <= starts + seq)).any():
            streams.next_batch()
            continue
        words = rf"^TextStreams: the id {ids[at]} at {at} is not in \[0, {len(ALL)}\)$"
        with pytest.raises(tg.errors.IdError, match=words):
            streams.next_batch()
        assert streams.state_dict() == before
        return
    raise AssertionError


@pytest.mark.parametrize(
    ("val_fraction", "error", "words"),
    [
        (0, ValueError, "with val_fraction=0 the validation part has 0 characters"),
        (1.0, ValueError, "with val_fraction=1.0 the training part has 0 characters"),
        (-0.5, ValueError, "split: val_fraction is -0.5, expected a number from 0"),
        (7, ValueError, "split: val_fraction is 7, expected a number from 0"),
        (float("nan"), ValueError, "split: val_fraction is nan"),
        ("0.1", TypeError, "split: val_fraction is '0.1', expected a number"),
        (None, TypeError, "split: val_fraction is None, expected a number"),
    ],
)
def test_split_refuses_what_is_no_share(val_fraction, error, words):
    with pytest.raises(error, match=words):
        TextStreams("abcabcabc", ALL, 1, 1).split(val_fraction)


@pytest.mark.parametrize(
    ("text", "batch", "seq", "words"),
    [
        (
            "abcabcab",
            1,
            2,
            "characters is 8 there, 9 here.*; pass the text that it was saved with",
        ),
        (
            "abcabcabd",
            1,
            2,
            "crc32.*; pass the text .*; to go on with another text, leave this call",
        ),
        ("abcabcab", 2, 2, "batch_size .*characters .*; pass the text"),
        (
            "abcabcabc",
            2,
            2,
            "batch_size is 2 there, 1 here; make .* batch_size=2, seq_len=2, or",
        ),
        (
            "abcabcabc",
            1,
            3,
            "seq_len is 3 there, 2 here; make the streams with .*seq_len=3",
        ),
    ],
)
def test_the_position_in_another_text_is_refused(text, batch, seq, words):
    streams = TextStreams("abcabcabc", ALL, 1, 2)
    streams.next_batch()
    before = streams.state_dict()
    other = TextStreams(text, ALL, batch, seq)
    with pytest.raises(tg.CheckpointError, match=words):
        streams.load_state_dict(other.state_dict())
    assert streams.state_dict() == before


@pytest.mark.parametrize(
    "change", [{"drawn": -1}, {"drawn": 1.0}, {"drawn": None}, {"more": 1}]
)
def test_a_state_that_is_none_is_refused(change):
    streams = TextStreams("abcabcabc", ALL, 1, 2)
    with pytest.raises(tg.CheckpointError, match="not a state of TextStreams"):
        streams.load_state_dict(streams.state_dict() | change)


@given(cuts(), st.integers(1, 4))
def test_shards_side_by_side_are_the_whole(cut, ranks):
    text, batch, seq = cut
    whole = TextStreams(text * ranks, ALL, batch * ranks, seq)
    shards = [whole.shard(rank, ranks) for rank in range(ranks)]
    assert [len(shard) for shard in shards] == [len(whole)] * ranks
    for shard in shards:
        assert shard.batch_size == batch
    for _ in range(len(whole) + 1):
        x, y, first = whole.next_batch()
        parts = [shard.next_batch() for shard in shards]
        assert tg.cat([part.x for part in parts], 1).equal(x)
        assert tg.cat([part.y for part in parts], 1).equal(y)
        assert {part.first for part in parts} == {first}
    states = [shard.state_dict() for shard in shards]
    assert states == [whole.state_dict()] * ranks


def test_a_shard_goes_on_from_the_position_of_the_whole():
    text = "abcdefgh" * 20
    whole = TextStreams(text, ALL, 4, 5)
    whole.next_batch()
    assert whole.shard(1, 2).next_batch().x.equal(whole.next_batch().x[:, 2:])
    other = TextStreams(text, ALL, 4, 5).shard(3, 4)
    other.load_state_dict(whole.state_dict())
    whole.load_state_dict(whole.shard(0, 2).state_dict())
    assert other.next_batch().x.equal(whole.next_batch().x[:, 3:])


def test_parts_of_a_shard_are_shards_of_the_parts():
    whole = TextStreams("abcdefgh" * 40, ALL, 4, 5)
    for mine, part in zip(
        whole.shard(1, 2).split(0.25), whole.split(0.25), strict=True
    ):
        expected = part.shard(1, 2)
        assert mine.state_dict() == expected.state_dict()
        assert mine.next_batch().x.equal(expected.next_batch().x)
        quarter = whole.shard(1, 2).shard(1, 2)
        assert quarter.next_batch().x.equal(whole.shard(3, 4).next_batch().x)


def test_a_shard_says_which_streams_it_has():
    whole = TextStreams("abcdefgh" * 20, ALL, 4, 5)
    assert "of 4" not in repr(whole)
    assert "streams 2 to 3 of 4, batch_size=2" in repr(whole.shard(1, 2))
    with pytest.raises(ValueError, match="expected at least 21: 4 streams"):
        whole.shard(1, 2).split(0.1)


def resident():
    """Return how many bytes of mapped files the process holds in memory."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssFile:\s+(\d+)", status)[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="not Linux")
def test_a_checksum_keeps_no_pages_of_a_mapped_file(tmp_path):
    np.zeros(2**25, np.uint8).tofile(tmp_path / "ids")
    for mode, kept in (("r", False), ("r+", True)):
        ids = np.memmap(tmp_path / "ids", np.uint8, mode)
        before = resident()
        for part in TextStreams(ids, range(2), 1, 1).split(0.5):
            assert (
                part.state_dict()["crc32"]
                == TextStreams(np.zeros(2**24, np.uint8), range(2), 1, 1).state_dict()[
                    "crc32"
                ]
            )
        assert (resident() - before > 2**24) == kept


def test_what_was_written_to_a_private_map_stays(tmp_path):
    np.zeros(100, np.uint8).tofile(tmp_path / "ids")
    ids = np.memmap(tmp_path / "ids", np.uint8, "c")
    ids[7] = 1
    ids.flags.writeable = False
    streams = TextStreams(ids, range(2), 1, 1)
    before = streams.state_dict()
    assert streams.ids[7] == 1
    assert before != TextStreams(np.zeros(100, np.uint8), range(2), 1, 1).state_dict()
