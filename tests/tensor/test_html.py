"""What notebooks show of a tensor: whole and well-formed, whatever is in it."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.tensor.html import EDGE, escape

DTYPES = ["bool", "int8", "int64", "uint8", "float32", "float64"]


def shown(tensor):
    """The line above, and the cells of the table by row, or else the summary."""
    root = ET.fromstring(tensor._repr_html_().replace("<br>", "<br/>"))
    line, *more = ["".join(code.itertext()) for code in root.iter("code")]
    rows = [["".join(td.itertext()) for td in tr] for tr in root.iter("tr")]
    return line, rows or more


@given(text=st.text())
def test_text_is_escaped(text):
    escaped = escape(text)
    assert not set(escaped) & set("<>\"'")
    assert not re.search(r"&(?!amp;|lt;|gt;|quot;|#x27;)", escaped)
    import html

    assert html.unescape(escaped) == html.unescape(html.escape(text))


@given(
    shape=st.lists(st.sampled_from([12, 11, 3, 15, 1, 0]), max_size=3),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**32),
)
def test_values_of_any_shape(shape, dtype, seed):
    rng = np.random.default_rng(seed)
    array = rng.choice([0, 1, 3, 100], shape).astype(dtype)
    line, found = shown(tg.tensor(array))
    assert line == f"Tensor, shape {tuple(shape)}, {dtype}, cpu"
    if not array.size:
        assert found == []
    elif array.ndim == 3:
        numbers = [float(n) for n in re.findall(r"-?[\d.]+(?:e[+-]\d+)?", found[0])]
        values = array.astype(float)
        expected = [values.min(), values.max(), values.mean()]
        np.testing.assert_allclose(numbers, expected, rtol=1e-3)
    else:
        rows = np.atleast_2d(array)
        kept, columns = kept_of(rows.shape[0]), kept_of(rows.shape[1])
        expected = [
            ["…"]
            if i is None
            else ["…" if j is None else plain(rows[i, j]) for j in columns]
            for i in kept
        ]
        assert found == expected


def kept_of(size):
    """Which rows or columns are shown; None in the place of the others."""
    if size <= 2 * EDGE + 1:
        return list(range(size))
    return [*range(EDGE), None, *range(size - EDGE, size)]


def plain(value):
    return f"{value:.4g}" if value.dtype.kind == "f" else str(value)


def test_odd_values():
    nan, inf = float("nan"), float("inf")
    assert shown(tg.tensor([nan, -inf, 1e-30]))[1] == [["nan", "-inf", "1e-30"]]
    assert shown(tg.tensor(2.5))[1] == [["2.5"]]
    assert shown(tg.tensor([[[nan, 1.0, 3.0]]]))[1] == [
        "1 to 3, mean 2, 1 NaN or infinite"
    ]
    assert shown(tg.full((1, 1, 2), inf))[1] == ["2 NaN or infinite"]
    assert shown(tg.full((1, 1, 2), 3e38))[1] == ["3e+38 to 3e+38, mean 3e+38"]
    large = tg.full((1, 2, 2), 1e308, dtype=tg.float64)
    assert shown(large)[1] == ["1e+308 to 1e+308, mean 1e+308"]


def test_its_place_in_the_graph():
    x = tg.ones(2, requires_grad=True)
    assert shown(x)[0] == "Tensor, shape (2,), float32, cpu, requires_grad"
    line = "Tensor, shape (2,), float32, cpu, grad_fn=<exp>"
    assert shown(x.exp())[0] == line
    assert shown(tg.nn.Parameter(tg.ones(1)))[0].startswith("Parameter, shape (1,)")
    assert x.exp().requires_grad
    assert x.grad is None


def test_a_hostile_subclass():
    bad = type("<script>", (tg.Tensor,), {})([1.0])
    assert "<script>" not in bad._repr_html_()
    assert shown(bad)[0].startswith("<script>, shape")


@pytest.mark.parametrize("size", [10**6])
def test_large_ones_are_short(size):
    for x in (tg.zeros(size), tg.zeros(size // 100, 100), tg.zeros(100, 100, 100)):
        assert len(x._repr_html_()) < 6000
