"""read_text, and what a str or a path stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.data import TextStreams, Vocabulary, read_text


@given(
    st.text(st.characters(codec="utf-8"), min_size=1).filter(
        lambda text: text != "\ufeff"
    )
)
def test_a_file_is_read_as_it_stands(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("texts") / "text"
    path.write_bytes(text.encode())
    text = text.removeprefix("\ufeff")
    assert read_text(path) == read_text(str(path)) == text
    assert Vocabulary(path).characters == Vocabulary(text).characters


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32-be", "UTF8", "utf-8-sig"]
)
def test_a_byte_order_mark_is_dropped(tmp_path, encoding):
    path = tmp_path / "text"
    path.write_bytes("\ufeffa\ufeffb\r\n".encode(encoding))
    text = read_text(path, encoding=encoding)
    # Two marks, where the codec wrote one
    assert text.removeprefix("\ufeff") == "a\ufeffb\r\n"
    path.write_bytes(b"\xef\xbb\xbfab")
    assert Vocabulary(path).characters == "ab"
    assert (
        "".join(Vocabulary("ab").decode(TextStreams(path, Vocabulary("ab"), 1, 1).ids))
        == "ab"
    )


@pytest.mark.parametrize(
    "encoding", ["latin-1", "cp1252", "utf-16", "utf_16_be", "utf-8", "mac-roman"]
)
def test_a_file_of_another_encoding(tmp_path, encoding):
    (tmp_path / "text").write_bytes("grün und weiß".encode(encoding))
    assert read_text(tmp_path / "text", encoding) == "grün und weiß"


@pytest.mark.parametrize(
    ("raw", "encoding", "words"),
    [
        (
            "grün".encode("latin-1"),
            "utf-8",
            r"text' is not UTF-8: byte 0xfc at offset 2 .*'latin-1'",
        ),
        ("grün".encode(), "ascii", r"is not ASCII: byte 0xc3 at offset 2 "),
        (
            "grün".encode("utf-16"),
            "utf-8",
            r"byte 0xff at offset 0 .*encoding=, such as 'utf-16'",
        ),
        (
            b"abc",
            "utf-16-le",
            r"is not UTF-16-LE: byte 0x63 at offset 2 \(truncated data\)",
        ),
        (b"a\x81", "cp1252", r"is not CP1252: byte 0x81 at offset 1 "),
        (b"abc", "utf-9", r"encoding is 'utf-9', expected one that Python knows"),
        (b"abc", "base64", r"encoding is 'base64', expected one that Python knows"),
        (b"\xef\xbb\xbf", "utf-8", "is empty"),
    ],
)
def test_a_file_that_is_not_of_its_encoding(tmp_path, raw, encoding, words):
    (tmp_path / "text").write_bytes(raw)
    with pytest.raises(ValueError, match=words) as caught:
        read_text(tmp_path / "text", encoding)
    assert isinstance(caught.value, tg.Error)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (Vocabulary, "Vocabulary"),
        (
            lambda name: TextStreams(name, Vocabulary("inputdaext./"), 1, 1),
            "TextStreams",
        ),
    ],
)
@pytest.mark.parametrize("file", ["input.txt", "data/input.txt", "input"])
def test_a_str_that_names_a_file_is_warned_of(tmp_path, monkeypatch, make, name, file):
    monkeypatch.chdir(tmp_path)
    make(file)  # no file is there: it is the text
    (tmp_path / "data").mkdir()
    make("data")  # nor is a folder one
    (tmp_path / file).write_text("some text")
    with pytest.warns(
        UserWarning, match=rf"^{name}: '{file}' is taken as the text"
    ) as caught:
        make(file)
    assert f"pathlib.Path({file!r})" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert set(Vocabulary(tmp_path / file).tokens) == set("some text")


def test_a_str_may_be_anything():
    """What no file can be called is no reason to fail."""
    for text in ("a\0b", "x" * 300, "\ud800", "\n"):
        assert Vocabulary(text).tokens == "".join(sorted(set(text)))


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
