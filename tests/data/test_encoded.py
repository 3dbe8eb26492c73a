"""encode_file: the ids are those of the whole text, wherever its blocks are cut."""

import builtins
import errno
import io
import os
import sys
import tracemalloc
from contextlib import redirect_stderr
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from safetensors.numpy import load_file

import tinygrad_rnn as tg
from tinygrad_rnn import errors
from tinygrad_rnn.data import TextStreams, Vocabulary, encode_file, encoded, read_text

EVERY_BYTE = Vocabulary(bytes(range(256)))
# One to four bytes in UTF-8, one or two units in UTF-16, line ends, a mark inside.
texts = st.text(st.sampled_from("ab \n\r\t\u0085ßЖ天\ufeff😀𝄞\U0010ffff"), min_size=1)
sizes = st.integers(1, 9)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-7", "gb18030")


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def encode(raw, size, **options):
    """Return the vocabulary and the ids that encode_file makes of these bytes."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoded, "_BLOCK", size)
        path, out = Path(folder, "text"), Path(folder, "ids")
        path.write_bytes(raw)
        vocabulary = encode_file(path, out, **options)
        assert sorted(os.listdir(folder)) == ["ids", "text"]
        return vocabulary, load_file(out)["ids"], read(out, vocabulary)


def read(out, vocabulary):
    """Return the ids of a file as TextStreams reads them."""
    ids = (
        TextStreams(out, vocabulary, 1, 1).ids if len(load_file(out)["ids"]) > 1 else 0
    )
    return np.array(ids)


# ---------------------------------------------------------------- the same ids


@given(texts, st.sampled_from(ENCODINGS), sizes)
@example("😀" * 3, "utf-8", 3)
@example("\r\n", "utf-16", 3)
def test_ids_are_those_of_the_text_in_one_piece(text, encoding, size):
    raw = text.encode(encoding)
    whole = raw.decode(encoding).removeprefix("\ufeff")
    assume(len(whole) > 1)
    vocabulary, ids, mapped = encode(raw, size, encoding=encoding)
    assert vocabulary.tokens == Vocabulary(whole).tokens
    assert vocabulary.decode(ids) == whole
    assert np.array_equal(ids, Vocabulary(whole).encode(whole).numpy())
    assert np.array_equal(mapped, ids)


@given(st.binary(min_size=2), sizes)
def test_bytes_are_their_own_ids(raw, size):
    vocabulary, ids, mapped = encode(raw, size, bytes=True)
    assert vocabulary.tokens == bytes(range(256))
    assert ids.dtype == np.uint8
    assert ids.tobytes() == mapped.tobytes() == raw
    own = Vocabulary(raw)
    assert encode(raw, size, vocabulary=own)[1].tolist() == own.encode(raw).tolist()


words = st.lists(st.sampled_from(["the", "cat", "Ж", "a😀b"]), min_size=2)
gaps = st.text(st.sampled_from(" \n\u2003\u0085"), min_size=1)


@given(words, gaps, gaps, st.booleans(), sizes)
def test_words_are_not_cut(text, between, around, ends, size):
    raw = (around + between.join(text) + around * ends).encode()
    vocabulary = Vocabulary(text)
    found, ids, _ = encode(raw, size, vocabulary=vocabulary)
    assert found is vocabulary
    assert vocabulary.decode(ids) == text


class Pairs:
    """A tokenizer with ids up to 300, which notes what it was called with."""

    def __init__(self, to=list):
        self.pieces, self.to = [], to

    def __len__(self):
        return 301

    def encode(self, text):
        self.pieces.append(text)
        return self.to([ord(character) % 301 for character in text])

    def decode(self, ids):
        return "".join(map(chr, ids))


@given(texts, sizes, st.sampled_from([list, np.array, tg.tensor]))
def test_a_tokenizer_gets_whole_lines_where_it_can(text, size, to):
    assume(len(text.removeprefix("\ufeff")) > 1)
    text = text.removeprefix("\ufeff")
    tokenizer = Pairs(to)
    found, ids, mapped = encode(text.encode(), size, vocabulary=tokenizer)
    assert found is tokenizer
    assert "".join(tokenizer.pieces) == text
    assert ids.tolist() == mapped.tolist() == [ord(c) % 301 for c in text]
    assert ids.dtype == np.uint16
    for piece in tokenizer.pieces[:-1]:
        assert piece[-1] == "\n" or "\n" not in piece
        assert piece[-1] in "\n " or " " not in piece
        assert len(piece) <= 2 * size


def test_a_dtype_holds_its_ids_and_is_the_smallest():
    for count, dtype in ((1, "u1"), (255, "u1"), (256, "u1"), (257, "u2")):
        text = "".join(map(chr, range(0x4E00, 0x4E00 + count))) * 2
        vocabulary, ids, _ = encode(text.encode(), 1000)
        assert len(vocabulary) == count
        assert ids.dtype == dtype
        assert vocabulary.decode(ids) == text


def test_a_huge_alphabet():
    text = "".join(map(chr, [*range(1, 500), *range(0x10000 - 9, 0x20000 + 9)]))
    vocabulary, ids, mapped = encode(text.encode(), 2**16)
    assert vocabulary.tokens == text
    assert ids.dtype == np.uint32
    assert np.array_equal(ids, np.arange(len(text)))
    assert np.array_equal(ids, mapped)


def test_halves_of_surrogate_pairs_stay_apart():
    text = "a\ud83d\ude00b\ud83d"
    vocabulary, ids, mapped = encode(
        text.encode("unicode-escape"), 1, encoding="unicode-escape"
    )
    assert vocabulary.decode(ids) == vocabulary.decode(mapped) == text


# ---------------------------------------------------------------- streams


@given(st.text("abcdeЖ", min_size=26), st.integers(1, 3), st.integers(1, 3))
def test_streams_of_a_file_are_those_of_the_text(text, batch, seq):
    with TemporaryDirectory() as folder:
        path, out = Path(folder, "text"), Path(folder, "ids")
        path.write_bytes(text.encode())
        vocabulary = encode_file(path, out)
        streams = [
            TextStreams(text, vocabulary, batch, seq),
            TextStreams(out, vocabulary, batch, seq),
            TextStreams(out, None, batch, seq),
        ]
    assert streams[2].vocabulary.tokens == vocabulary.tokens
    for one in streams:
        assert one.state_dict() == streams[0].state_dict()
        for part, other in zip(one.split(0.4), streams[0].split(0.4), strict=True):
            assert part.state_dict() == other.state_dict()
        for ours, theirs in zip(one, streams[0], strict=True):
            assert ours.x.equal(theirs.x) and ours.y.equal(theirs.y)
    assert isinstance(streams[1].ids, np.memmap)


def test_a_checksum_is_that_of_ids_in_memory_also_for_256_tokens(folder):
    raw = bytes(range(256)) * 3
    path, out = folder / "text", folder / "ids"
    path.write_bytes(raw)
    vocabulary = encode_file(path, out, bytes=True)
    in_memory = TextStreams(raw, vocabulary, 2, 5).state_dict()
    assert in_memory == TextStreams(out, vocabulary, 2, 5).state_dict()
    assert in_memory == TextStreams(path, vocabulary, 2, 5).state_dict()


def test_a_checksum_covers_every_block(folder):
    ids = np.zeros(2**20 + 10, np.uint8)
    states = []
    for place in (0, 2**20 - 1, 2**20, len(ids) - 1):
        ids[place] = 1
        states.append(TextStreams(ids.copy(), range(2), 1, 5).state_dict()["crc32"])
    assert len(set(states)) == 4


def test_a_tokenizer_encodes_a_text_in_memory_too(folder):
    streams = TextStreams("hello world", Pairs(), 1, 3)
    assert streams.vocabulary.decode(streams.ids) == "hello world"
    path = folder / "text"
    path.write_text("hello world")
    assert TextStreams(path, Pairs(), 1, 3).state_dict() == streams.state_dict()
    encode_file(path, folder / "ids", Pairs())
    assert (
        TextStreams(folder / "ids", Pairs(), 1, 3).state_dict() == streams.state_dict()
    )


def test_a_file_is_of_its_vocabulary(folder):
    path = folder / "text"
    path.write_text("abcabc")
    encode_file(path, folder / "a")
    encode_file(path, folder / "b", Pairs())
    for name, vocabulary, words in (
        ("a", Vocabulary("abcd"), "of 3 characters, got Vocabulary of 4; pass what"),
        ("a", Vocabulary("abd"), "of 3 characters, got Vocabulary of 3; pass what"),
        ("a", Vocabulary(b"abc"), "pass what encode_file returned, or None"),
        ("b", None, "of 301 tokens, got NoneType; pass the tokenizer that made them"),
        ("b", range(300), "of 301 tokens, got range of 300"),
    ):
        with pytest.raises(errors.OptionError, match=words):
            TextStreams(folder / name, vocabulary, 1, 2)
    assert len(TextStreams(folder / "b", range(301), 1, 2)) == 2


def test_a_text_without_a_vocabulary_is_no_file_of_ids(folder):
    (folder / "text").write_text("abcabc")
    words = r"vocabulary is None, .* not one; write one by tg.data.encode_file\('"
    with pytest.raises(errors.DTypeError, match=words):
        TextStreams(folder / "text", None, 1, 2)
    with pytest.raises(errors.MissingFile, match="TextStreams: cannot read '.*other'"):
        TextStreams(folder / "other", None, 1, 2)


# ---------------------------------------------------------------- wrong files


@given(st.binary(), st.sampled_from(("utf-8", "utf-16-le", "utf-32", "gb18030")), sizes)
@example(b"abc\xff", "utf-8", 2)
@example("😀".encode()[:3], "utf-8", 1)
def test_another_encoding_is_named_with_the_first_wrong_byte(raw, encoding, size):
    try:
        raw.decode(encoding)
    except UnicodeDecodeError as error:
        wrong = f"byte {raw[error.start]:#04x} at offset {error.start} "
    else:
        assume(False)
    for options in ({}, {"vocabulary": Vocabulary("ab")}):
        with pytest.raises(errors.OptionError) as caught:
            encode(raw, size, encoding=encoding, **options)
        message = str(caught.value)
        if "is not one of the" not in message:  # that comes before it
            assert wrong in message
            assert f"is not {encoding.upper()}" in message
            assert "; pass its encoding=, such as '" in message


def test_read_text_names_the_offset_in_the_file_behind_a_mark(folder):
    path = folder / "text"
    path.write_bytes(b"\xef\xbb\xbfab\xff")
    for call in (
        read_text,
        lambda path, encoding: encode_file(path, folder / "o", None, encoding),
    ):
        with pytest.raises(errors.OptionError, match="0xff at offset 5 "):
            call(path, "utf-8-sig")


@given(texts, texts, sizes)
def test_a_strange_character_is_named_with_its_position(known, text, size):
    text = text.removeprefix("\ufeff")
    strange = [place for place, character in enumerate(text) if character not in known]
    assume(strange)
    with pytest.raises(errors.OptionError, match="is not one of the") as caught:
        encode(text.encode(), size, vocabulary=Vocabulary(known))
    assert f"{text[strange[0]]!r} at position {strange[0]} " in str(caught.value)
    assert str(caught.value).endswith(
        "leave vocabulary out to make it of the whole text"
    )


def test_a_strange_word_is_named_with_its_position():
    with pytest.raises(errors.OptionError, match="'dog' at position 3 "):
        encode(b"the cat the dog cat", 2, vocabulary=Vocabulary(["the", "cat"]))


@pytest.mark.parametrize(
    ("raw", "options", "words"),
    [
        (b"", {}, "is empty: it has no characters"),
        (b"\xef\xbb\xbf", {}, "is empty: it has no characters"),
        (b"", {"bytes": True}, "is empty: it has no bytes"),
        (b" \n", {"vocabulary": Vocabulary(["a"])}, "is empty: it has no words"),
        (b"", {"vocabulary": Pairs()}, "is empty: it has no tokens"),
        (
            b"a\0b\0",
            {"encoding": "utf-16"},
            "BOM; pass its encoding=, such as 'utf-16-le'",
        ),
        (
            b"\xff\xfea\0",
            {},
            "0xff at offset 0 .*; pass its encoding=, such as 'utf-16'$",
        ),
        (b"a", {"encoding": "klingon"}, "encoding is 'klingon', expected one that"),
        (b"a", {"encoding": "rot13"}, "encoding is 'rot13', expected one that Python"),
        (b"a", {"encoding": "a\0"}, "expected one that Python knows"),
        (
            b"a",
            {"bytes": True, "vocabulary": Vocabulary("a")},
            "of characters, expected",
        ),
    ],
)
def test_what_cannot_be_encoded(raw, options, words):
    with pytest.raises(errors.OptionError, match=words):
        encode(raw, 10, **options)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("missing", "ids"), errors.MissingFile, "cannot read 'missing': No such file"),
        ((".", "ids"), errors.OptionError, "'.' is not a regular file"),
        (
            (os.devnull, "ids"),
            errors.OptionError,
            "not a regular file, which can be read",
        ),
        (("text", "text"), errors.OptionError, "out is the text itself, 'text'"),
        (("text", "link"), errors.OptionError, "out is the text itself, 'text'"),
        (("text", "no/ids"), errors.MissingFile, "cannot save 'no/ids': .* exists"),
        (("text", "."), errors.CheckpointError, "it is a folder; add the name"),
        (("text", "ids", "abc"), errors.DTypeError, "vocabulary is str, expected a"),
        (("text", "ids", range(3)), errors.DTypeError, "vocabulary is range, expected"),
        (("text", "ids", None, 3), errors.DTypeError, "encoding is int, expected"),
        (
            ("text", "ids", None, "utf-8", 1),
            errors.DTypeError,
            "bytes is int, expected",
        ),
        ((3, "ids"), errors.DTypeError, "path is int, expected a str"),
        (("text", None), errors.DTypeError, "out is NoneType, expected a str"),
    ],
)
def test_wrong_calls_write_nothing(folder, monkeypatch, arguments, error, words):
    monkeypatch.chdir(folder)
    Path("text").write_text("abc")
    os.link("text", "link")
    with pytest.raises(error, match=words) as caught:
        encode_file(*arguments)
    assert isinstance(caught.value, tg.Error)
    assert sorted(os.listdir()) == ["link", "text"]
    assert Path("text").read_text() == "abc"


def test_a_folder_that_cannot_be_written_fails_before_the_text_is_read(
    folder, monkeypatch
):
    (folder / "text").write_bytes(b"\xff not UTF-8")

    def refuse(path, mode="r", opener=None, **options):
        if opener is not None and "x" in mode:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return builtins.open(path, mode, opener=opener, **options)

    monkeypatch.setattr(tg.serialization, "open", refuse, raising=False)
    words = "Permission denied; check the permissions"
    with pytest.raises(errors.CheckpointError, match=words):
        encode_file(folder / "text", folder / "ids")


def test_ids_of_a_tokenizer_are_below_its_length(folder):
    class Wrong(Pairs):
        def __len__(self):
            return ord("b") + 1

    (folder / "text").write_text("ab\nbc")
    with pytest.raises(errors.IdError, match=r"the id 99 at 4 is not in \[0, 99\)"):
        encode_file(folder / "text", folder / "ids", Wrong())
    assert not (folder / "ids").exists()


@pytest.mark.parametrize("damage", ["cut", "longer", "header", "empty", "text"])
def test_a_damaged_file_is_not_read_and_is_made_again(folder, damage):
    path, out = folder / "text", folder / "ids"
    path.write_text("abcabc")
    vocabulary = encode_file(path, out)
    good = out.read_bytes()
    damaged = {
        "cut": good[:-1],
        "longer": good + b"a",
        "header": good.replace(b"characters", b"charakters"),
        "empty": b"",
        "text": b"abcabcabc",
    }[damage]
    out.write_bytes(damaged)
    if damage not in ("empty", "text"):
        with pytest.raises(errors.CheckpointError, match="cannot load"):
            TextStreams(out, vocabulary, 1, 2)
    encode_file(path, out)
    assert out.read_bytes() == good


def test_other_readers_say_what_it_is(folder):
    text = "".join(map(chr, range(0x400, 0x400 + 300)))
    (folder / "text").write_text(text, encoding="utf-8")
    encode_file(folder / "text", folder / "ids")
    with pytest.raises(errors.CheckpointError, match="it holds the ids of a text"):
        tg.load(folder / "ids")


# ---------------------------------------------------------------- a text that changes


@pytest.fixture
def reads(monkeypatch):
    """How often a text has been read."""
    counts, read = [], encoded._Source._read

    def count(source):
        counts.append(source.path)
        return read(source)

    monkeypatch.setattr(encoded._Source, "_read", count)
    return counts


@pytest.fixture
def clock(monkeypatch):
    """The clock of encode_file: a function sets by how many seconds it is late."""
    late, real = [0], encoded.time.time_ns
    now = SimpleNamespace(time_ns=lambda: real() + late[0] * 10**9)
    monkeypatch.setattr(encoded, "time", now)
    return lambda seconds: late.__setitem__(0, seconds)


def test_the_same_text_is_read_no_more_and_a_touched_one_once(folder, reads, clock):
    path, out = folder / "text", folder / "ids"
    path.write_text("abc")
    clock(100)  # as if the text were old
    first = encode_file(path, out)
    inode = out.stat().st_ino
    assert len(reads) == 2
    for options in ({}, {"encoding": "UTF8"}):
        assert encode_file(path, out, **options).tokens == first.tokens
    assert len(reads) == 2
    os.utime(path, ns=(0, 0))
    for _ in range(2):
        assert encode_file(path, out).tokens == first.tokens
        assert len(reads) == 3
    assert out.stat().st_ino == inode
    path.write_text("abd")
    assert encode_file(path, out).tokens == "abd"
    assert len(reads) == 5


@pytest.mark.parametrize("vocabulary", [None, Vocabulary("abc"), EVERY_BYTE])
def test_a_young_text_is_read_until_it_is_old_and_once_then(
    folder, reads, clock, vocabulary
):
    path, out = folder / "text", folder / "ids"
    path.write_text("abcabc")
    clock(0)
    encode_file(path, out, vocabulary)
    ids, counts = read(out, vocabulary), []
    for seconds in (1, 1, 10, 10, 20):
        clock(seconds)
        before = len(reads)
        assert len(encode_file(path, out, vocabulary)) == len(vocabulary or "abc")
        counts.append(len(reads) - before)
        np.testing.assert_array_equal(read(out, vocabulary), ids)
        tg.serialization.load_file(out)  # whose digests are right
    assert counts == [1, 1, 1, 0, 0]


def test_a_text_with_old_times_of_its_own_is_young_if_it_was_just_changed(
    folder, reads, clock
):
    """As `cp -p` and archives set them; only the system's time of the change is new."""
    path, out = folder / "text", folder / "ids"
    path.write_text("abc")
    os.utime(path, ns=(0, 0))
    for seconds, count in ((0, 2), (1, 3), (10, 4), (10, 4)):
        clock(seconds)
        encode_file(path, out)
        assert len(reads) == count


def test_a_file_that_cannot_be_written_is_used_all_the_same(
    folder, reads, clock, monkeypatch
):
    def refuse(*arguments):
        raise errors.CheckpointError("read-only")

    path, out = folder / "text", folder / "ids"
    path.write_text("abc")
    encode_file(path, out)
    monkeypatch.setattr(encoded, "replace_header", refuse)
    clock(10)
    for _ in range(2):
        assert encode_file(path, out).tokens == "abc"
    assert len(reads) == 2 + 2


def test_a_header_without_room_stays(folder):
    path, out = folder / "text", folder / "ids"
    path.write_text("abc")
    encode_file(path, out)
    before = out.read_bytes()
    tg.serialization.replace_header(out, "ids", {"encoded": "a" * 1000})
    assert out.read_bytes() == before


def test_a_change_within_a_tick_of_the_clock_is_noticed(folder, monkeypatch):
    """The size and the time stay, and so would the time of the inode in real life."""
    path, out = folder / "text", folder / "ids"
    path.write_text("abc")
    found = os.stat(path)
    real = os.stat

    def stat(given, *arguments, **options):
        return found if given == path else real(given, *arguments, **options)

    monkeypatch.setattr(encoded.os, "stat", stat)
    assert encode_file(path, out).tokens == "abc"
    path.write_text("xyz")
    assert encode_file(path, out).tokens == "xyz"


@pytest.mark.parametrize(
    "vocabulary", [Vocabulary("abcd"), Vocabulary(b"abc"), Pairs()]
)
def test_another_vocabulary_makes_another_file(folder, vocabulary):
    path, out = folder / "text", folder / "ids"
    path.write_text("abc")
    assert len(encode_file(path, out)) == 3
    for _ in range(2):
        assert encode_file(path, out, vocabulary) is vocabulary
        assert TextStreams(out, vocabulary, 1, 1).vocabulary is vocabulary
    assert encode_file(path, out).tokens == "abc"
    assert TextStreams(out, None, 1, 1).vocabulary.tokens == "abc"


def test_a_text_that_changes_meanwhile_is_no_text(folder, monkeypatch):
    path, out = folder / "text", folder / "ids"
    path.write_text("abc")
    scan = encoded._Source.scan

    def scan_and_change(source, **options):
        found = scan(source, **options)
        path.write_text("acb")
        return found

    monkeypatch.setattr(encoded._Source, "scan", scan_and_change)
    with pytest.raises(errors.OptionError, match="changed while it was read"):
        encode_file(path, out)
    assert os.listdir(folder) == ["text"]


def test_ctrl_c_leaves_the_old_file_and_nothing_else(folder):
    class Interrupted(Pairs):
        def encode(self, text):
            raise KeyboardInterrupt

    path, out = folder / "text", folder / "ids"
    path.write_text("abc")
    encode_file(path, out)
    before = out.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        encode_file(path, out, Interrupted())
    assert out.read_bytes() == before
    assert sorted(os.listdir(folder)) == ["ids", "text"]


# ---------------------------------------------------------------- its size, its bar


def test_memory_does_not_grow_with_the_text(folder):
    path, peaks = folder / "text", []
    line = "some text, ein Übermaß, много текста, 天地玄黃 😀\n" * 1000
    for repetitions in (50, 400):
        path.write_text(line * repetitions, encoding="utf-8")
        tracemalloc.start()
        encode_file(path, folder / "ids")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert path.stat().st_size > 25e6
    assert max(peaks) < 8e6
    assert peaks[1] < 1.1 * peaks[0]


def test_tqdm_shows_the_bytes_where_it_is_installed(folder, monkeypatch):
    bars = []

    class Bar:
        def __init__(self, **options):
            self.options, self.done = options, 0
            bars.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.closed = True

        def update(self, size):
            self.done += size

    path = folder / "text.txt"
    path.write_text("abc" * 100)
    monkeypatch.setitem(sys.modules, "tqdm.auto", SimpleNamespace(tqdm=Bar))
    encode_file(path, folder / "ids")
    (bar,) = bars
    assert bar.closed
    assert bar.done == bar.options["total"] == 600
    assert bar.options["desc"] == "encode text.txt"
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # as if not installed
    (folder / "ids").unlink()
    with redirect_stderr(io.StringIO()) as said:
        encode_file(path, folder / "ids")
    assert (folder / "ids").exists()
    assert not said.getvalue()


def test_another_encoding_of_the_same_bytes_is_encoded_anew(tmp_path):
    text, ids = tmp_path / "text", tmp_path / "ids"
    text.write_bytes("é".encode())
    vocabulary = Vocabulary("Ã©é")
    for encoding, count in (("latin-1", 2), ("utf-8", 1)):
        encode_file(text, ids, vocabulary=vocabulary, encoding=encoding)
        assert len(load_file(ids)["ids"]) == count
