"""Vocabulary: nothing is lost on the way to ids and back; errors name the token."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.data import Vocabulary

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
    assert vocabulary.encode(vocabulary.characters).tolist() == list(
        range(len(vocabulary))
    )
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
    assert (
        vocabulary.decode([]) == vocabulary.decode(tg.tensor([], dtype=tg.int64)) == ""
    )
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
        (b"", ValueError, "the text is empty"),
        ([], ValueError, "the text is empty"),
        (
            None,
            TypeError,
            "text is NoneType, expected a str, bytes, or words in a list",
        ),
        (3, TypeError, "text is int"),
        (["a", 1], TypeError, "word 1 is int, expected a str"),
        ([b"a"], TypeError, "word 0 is bytes"),
        ({"a": 1}, TypeError, "text is dict"),
        (tg.tensor([1, 2]), TypeError, r"text is int64 of shape \(2,\)"),
    ],
)
def test_a_vocabulary_of_nothing_is_refused(given_text, error, words):
    with pytest.raises(error, match=words):
        Vocabulary(given_text)


def test_encode_takes_a_str_only():
    with pytest.raises(TypeError, match="text is bytes, expected a str"):
        Vocabulary("abc").encode(b"abc")


# ---------------------------------------------------------------- bytes, and words


@given(st.binary(min_size=1))
def test_bytes_are_tokens(data):
    vocabulary = Vocabulary(data)
    assert vocabulary.tokens == bytes(sorted(set(data)))
    assert vocabulary.decode(vocabulary.encode(data)) == data
    assert (
        vocabulary.encode(bytearray(data)).tolist() == vocabulary.encode(data).tolist()
    )
    again = Vocabulary(vocabulary.tokens)
    assert again.encode(data).tolist() == vocabulary.encode(data).tolist()
    whole = Vocabulary(bytes(range(256)))
    assert whole.encode(data).tolist() == list(data)
    assert data[0] in vocabulary


def test_a_strange_byte_is_named_with_its_position():
    with pytest.raises(
        tg.Error, match=r"255 at position 1 \(in b'a\\xff'\) is not one of the 1 bytes"
    ):
        Vocabulary(b"aa").encode(b"a\xff")
    with pytest.raises(tg.Error, match=r"text is str, expected bytes: text.encode\(\)"):
        Vocabulary(b"aa").encode("aa")


words = st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=9)


@given(words)
def test_words_are_tokens(text):
    vocabulary = Vocabulary(text)
    assert list(vocabulary.tokens) == list(vocabulary) == list(dict.fromkeys(text))
    assert vocabulary.encode(vocabulary.tokens).tolist() == list(range(len(vocabulary)))
    ids = vocabulary.encode(text)
    assert ids.dtype == tg.int64
    assert vocabulary.decode(ids) == text
    assert Vocabulary(list(vocabulary)).encode(iter(text)).tolist() == ids.tolist()
    assert Vocabulary(np.array(text)).tokens == tuple(
        str(w) for w in dict.fromkeys(np.array(text))
    )
    assert text[0] in vocabulary
    assert Vocabulary(word for word in text).tokens == vocabulary.tokens


def test_words_of_a_set_are_sorted():
    """The order of a set is another one in each process."""
    assert Vocabulary({"the", "cat", "sat"}).tokens == ("cat", "sat", "the")
    assert Vocabulary(frozenset("ba")).tokens == ("a", "b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            ["the", "dog", "sat"],
            r"'dog' at position 1 \(in \['the', 'dog', 'sat'\]\) is not one of the",
        ),
        (
            "the cat",
            r"text is str, expected .*words in a list, as text.split\(\) gives",
        ),
        (b"the cat", "text is bytes"),
        (["the", 3], "word 1 is int, expected a str"),
        ([["the"]], "word 0 is list"),
        (3, "text is int"),
    ],
)
def test_words_that_cannot_be_encoded(text, words):
    with pytest.raises(tg.Error, match=words):
        Vocabulary(["the", "cat", "sat"]).encode(text)


def test_a_long_list_of_words_is_not_shown():
    assert repr(Vocabulary(["a", "b"])) == "Vocabulary(('a', 'b'))"
    assert repr(Vocabulary(map(str, range(1000)))) == "Vocabulary(1000 words)"


@pytest.mark.parametrize("source", ["abc", b"abc", ["a", "b", "abc"]])
def test_a_vocabulary_goes_into_a_checkpoint(tmp_path, source):
    vocabulary = Vocabulary(source)
    tg.save(vocabulary.tokens, tmp_path / "file")
    assert Vocabulary(tg.load(tmp_path / "file")).tokens == vocabulary.tokens
