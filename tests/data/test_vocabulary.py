"""Vocabulary and read_text: nothing is lost on the way to ids and back, and what is wrong is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.data import Vocabulary, read_text

# Any characters: beyond 16 bits, combining, control characters, lone surrogates too.
texts = st.text(st.characters(codec=None), min_size=1)


@given(texts)
def test_round_trip(text):
    vocabulary = Vocabulary(text)
    ids = vocabulary.encode(text)
    assert isinstance(ids, tg.Tensor)
    assert ids.dtype == tg.int64
    assert ids.shape == (len(text),)
    assert vocabulary.decode(ids) == text
    assert vocabulary.decode(ids.numpy().astype(np.uint32)) == text
    assert vocabulary.decode(ids.tolist()) == text


@given(texts)
def test_characters_are_sorted_distinct_and_enough_to_rebuild(text):
    vocabulary = Vocabulary(text)
    assert list(vocabulary) == sorted(set(text)) == list(vocabulary.characters)
    assert len(vocabulary) == len(set(text))
    assert vocabulary.encode(vocabulary.characters).tolist() == list(range(len(vocabulary)))
    again = Vocabulary(vocabulary.characters)
    assert again.encode(text).tolist() == vocabulary.encode(text).tolist()


@given(texts, texts)
def test_a_strange_character_is_named_with_its_position(known, text):
    vocabulary = Vocabulary(known)
    strange = [place for place, character in enumerate(text) if character not in known]
    if not strange:
        assert vocabulary.decode(vocabulary.encode(text)) == text
        return
    with pytest.raises(ValueError, match="is not one of the") as caught:
        vocabulary.encode(text)
    assert isinstance(caught.value, tg.Error)
    assert f"{text[strange[0]]!r} at position {strange[0]} " in str(caught.value)


def test_more_characters_than_a_byte_counts():
    text = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 300))
    vocabulary = Vocabulary(text)
    assert vocabulary.encode(text[254:257]).tolist() == [254, 255, 256]
    with pytest.raises(tg.Error, match="position 1"):
        vocabulary.encode(text[0] + "a")


def test_in_asks_for_one_character():
    vocabulary = Vocabulary("abc")
    assert "b" in vocabulary
    assert "ab" not in vocabulary
    assert "" not in vocabulary
    assert 1 not in vocabulary


def test_decode_of_little():
    vocabulary = Vocabulary("abc")
    assert vocabulary.decode([]) == vocabulary.decode(tg.tensor([], dtype=tg.int64)) == ""
    assert vocabulary.decode(1) == vocabulary.decode(tg.tensor(1)) == "b"
    assert vocabulary.decode([tg.tensor(2), tg.tensor(0)]) == "ca"


@pytest.mark.parametrize(
    ("ids", "error", "words"),
    [
        ([0, 3], IndexError, "id 3 at 1"),
        ([-1], IndexError, "id -1 at 0"),
        ([0.0], TypeError, "float64, expected integers"),
        ("abc", TypeError, "expected integers"),
        ([True], TypeError, "bool, expected integers"),
        ([[0, 1], [1, 2]], ValueError, r"shape \(2, 2\).*ids\[:, 0\]"),
    ],
)
def test_decode_refuses(ids, error, words):
    with pytest.raises(error, match=words) as caught:
        Vocabulary("abc").decode(ids)
    assert isinstance(caught.value, tg.Error)


@pytest.mark.parametrize(
    ("given_text", "error", "words"),
    [
        ("", ValueError, "the text is empty"),
        (b"abc", TypeError, "bytes"),
        (None, TypeError, "None"),
    ],
)
def test_a_vocabulary_of_nothing_is_refused(given_text, error, words):
    with pytest.raises(error, match=words):
        Vocabulary(given_text)


def test_encode_takes_a_str_only():
    with pytest.raises(TypeError, match="text is bytes, expected a str"):
        Vocabulary("abc").encode(b"abc")


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_file_is_read_as_it_stands(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("texts") / "text"
    path.write_bytes(text.encode())
    assert read_text(path) == read_text(str(path)) == text
    assert Vocabulary(path).characters == Vocabulary(text).characters


def test_a_file_that_is_no_utf_8_is_refused_with_the_byte_offset(tmp_path):
    path = tmp_path / "latin"
    path.write_bytes("grün und weiß".encode("latin-1"))
    with pytest.raises(ValueError, match=r"'.*latin' is not UTF-8: byte 0xfc at offset 2 "):
        read_text(path)


def test_files_that_give_no_text(tmp_path):
    (tmp_path / "empty").touch()
    for path, words in (
        (tmp_path / "empty", "is empty"),
        (tmp_path / "missing", "No such file"),
        (tmp_path, "cannot read"),
    ):
        with pytest.raises(tg.Error, match=words) as caught:
            Vocabulary(path)
        assert path.name in str(caught.value)
        assert isinstance(caught.value, tg.errors.OptionError)
        assert isinstance(caught.value, FileNotFoundError) == (path.name == "missing")
