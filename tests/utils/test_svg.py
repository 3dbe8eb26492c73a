"""Pictures in SVG: boxes that do not overlap hold their text; edges join them."""

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from utils.graphs import graphs

from tinygrad_rnn.utils.svg import Box, picture

SVG = "{http://www.w3.org/2000/svg}"
boxes = st.builds(
    Box,
    name=st.text(max_size=20),
    shape=st.none() | st.lists(st.integers(0, 500), max_size=4).map(tuple),
    is_leaf=st.booleans(),
    parents=st.just([]),
    is_freed=st.booleans(),
    color=st.none() | st.integers(0, 20),
)


def numbers(text):
    return [float(n) for n in re.findall(r"-?[\d.]+", text)]


@given(data=st.data(), parents=graphs)
def test_everything_is_inside_and_joined(data, parents):
    drawn = [data.draw(boxes)._replace(parents=own) for own in parents]
    root = ET.fromstring(picture(drawn))
    left, top, width, height = numbers(root.get("viewBox"))
    _, *rects = root.iter(f"{SVG}rect")
    assert len(rects) == len(drawn)
    places = []
    for rect, box in zip(rects, drawn, strict=True):
        x, y, w, h = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
        assert left <= x <= x + w <= left + width
        assert top <= y <= y + h <= top + height
        places.append((x + w / 2, y, h))
        assert (rect.get("rx") == "0") == box.is_leaf
        assert (rect.get("stroke-dasharray") is None) != box.is_freed
        assert (rect.get("fill") == "white") == (box.color is None)
        widest = max(len(box.name), 0 if box.shape is None else len(str(box.shape)))
        assert w >= 7.8 * widest  # of 13 pixels, a letter is 0.6 wide
    edges = [p.get("d") for p in root.iter(f"{SVG}path") if p.get("fill") == "none"]
    ends = []
    for path in edges:
        (x, y), (u, v) = numbers(path)[:2], numbers(path)[-2:]
        assert y < v
        ends.append((x, y, u, v))
        steps = re.findall(r"[MC]([^MCV]*)", path)
        assert all(left <= n <= left + width for s in steps for n in numbers(s)[::2])
    expected = [
        (places[parent][0], places[parent][1] + places[parent][2], *places[child][:2])
        for child, own in enumerate(parents)
        for parent in dict.fromkeys(own)
    ]
    for one, two in zip(ends, expected, strict=True):
        assert all(abs(a - b) < 0.2 for a, b in zip(one, two, strict=True))
