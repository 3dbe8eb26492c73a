"""utils.draw: the text is the graph, the same each time, and so is the picture."""

import copy
import os
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, GraphError
from tinygrad_rnn.utils import draw

SVG = "{http://www.w3.org/2000/svg}"


def read(text):
    """The labels by number, and the edges, of a drawing."""
    first, *lines, last = text.split("\n")
    assert (first, last) == ("digraph {", "}")
    labels, edges = {}, []
    for line in lines:
        if node := re.fullmatch(r'  (\d+) \[label="([^"]*)"(?:, (.*))?\]', line):
            labels[int(node[1])] = (node[2], node[3])
        else:
            edges.append(
                tuple(map(int, re.fullmatch(r"  (\d+) -> (\d+)", line).groups()))
            )
    assert sorted(labels) == list(range(len(labels)))
    return labels, edges


def test_an_expression():
    x, w = tg.ones(2, 3, requires_grad=True), tg.ones(3, requires_grad=True)
    labels, edges = read(draw(((x * w).tanh() + x).sum(), {"x": x}))
    named = [
        (labels[a][0].split("\\n")[0], labels[b][0].split("\\n")[0]) for a, b in edges
    ]
    assert sorted(named) == [
        ("add", "sum"),
        ("leaf", "multiply"),
        ("multiply", "tanh"),
        ("tanh", "add"),
        ("x", "add"),
        ("x", "multiply"),
    ]
    assert labels[0] == ("sum\\n()", None)
    assert ("x\\n(2, 3)", "shape=box") in labels.values()
    assert ("leaf\\n(3,)", "shape=box") in labels.values()
    assert ("multiply\\n(2, 3)", None) in labels.values()


def test_a_model():
    """Parameters by name; an op of one output is one box, of several it has one for
    each used.
    """
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    labels, edges = read(draw(model(tg.ones(1, 2)), model))
    assert sorted(label for label, _ in labels.values()) == [
        "0.bias\\n(3,)",
        "0.weight\\n(3, 2)",
        "linear\\n(1, 3)",
        "tanh\\n(1, 3)",
    ]
    assert len(edges) == 3
    rnn = nn.LSTM(2, 3)
    output, (h, c) = rnn(tg.ones(4, 1, 2))
    labels, edges = read(draw(output.sum() + h.sum(), rnn))
    names = [label for label, _ in labels.values()]
    assert names.count("lstm") == 1
    assert names.count("lstm\\n(4, 1, 3)") == 1
    assert names.count("lstm\\n(1, 1, 3)") == 1
    assert "weight_hh_l0\\n(12, 3)" in names


def test_the_same_each_time():
    """In this process and in others, whatever the addresses and hashes are."""
    code = (
        "import tinygrad_rnn as tg\n"
        "rnn = tg.nn.GRU(2, 3, num_layers=2)\n"
        "drawing = tg.utils.draw(rnn(tg.ones(4, 1, 2))[0].sum(), rnn)\n"
        "print(drawing, drawing.svg())"
    )
    seen = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            check=True,
        )
        seen.add(done.stdout.decode().replace("\r\n", "\n"))
    rnn = nn.GRU(2, 3, num_layers=2)
    drawing = draw(rnn(tg.ones(4, 1, 2))[0].sum(), rnn)
    seen.add(f"{drawing} {drawing.svg()}\n")
    assert len(seen) == 1


def test_corners():
    x = tg.ones(2, requires_grad=True)
    assert read(draw(x)) == ({0: ("leaf\\n(2,)", "shape=box")}, [])
    assert read(draw(tg.ones(3) * 2.0, {})) == ({0: ("leaf\\n(3,)", "shape=box")}, [])
    joined = tg.cat([x, tg.ones(2), x])  # one of them has no gradient
    assert read(draw(joined))[1] == [(1, 0), (1, 0)]
    assert '"' not in read(draw(x, {'a "b"': x}))[0][0][0]
    assert read(draw(x, {"a\\": x}))[0][0][0] == r"a\\\n(2,)"  # the name stays a\
    y = x
    for _ in range(5000):  # no recursion
        y = y * 1.0
    assert len(read(draw(y))[1]) == 5000


def test_what_is_freed_is_dashed():
    x = tg.ones(2, 2, requires_grad=True)
    h = nn.functional.linear(x, x).exp()
    h.sum().backward()
    labels, edges = read(draw(h * 2.0))
    assert labels == {
        0: ("multiply\\n(2, 2)", None),
        1: ("exp\\n(2, 2)", "style=dashed"),
    }
    assert edges == [(1, 0)]
    for wrong in (1.0, None, [x]):
        with pytest.raises(DTypeError, match="draw: tensor is .*expected a Tensor"):
            draw(wrong)


def pictured(drawing):
    """The texts and fills of the boxes of a picture, and how many edges it has."""
    root = ET.fromstring(drawing.svg())
    assert root.tag == f"{SVG}svg"
    ground, *boxes = root.iter(f"{SVG}rect")
    assert ground.get("fill") == "white"
    shown, texts = [], list(root.iter(f"{SVG}text"))
    for box in boxes:
        left, top = float(box.get("x")), float(box.get("y"))
        right, bottom = left + float(box.get("width")), top + float(box.get("height"))
        inside = [
            text.text
            for text in texts
            if left < float(text.get("x")) < right
            and top < float(text.get("y")) < bottom
        ]
        shown.append((tuple(inside), box))
    return shown, sum(path.get("fill") == "none" for path in root.iter(f"{SVG}path"))


def test_a_shared_leaf_stands_at_each_use_in_its_colour():
    cell, h = nn.RNNCell(2, 3), tg.zeros(1, 3)
    for _ in range(4):
        h = cell(tg.ones(1, 2), h)
    shown, edges = pictured(draw(h.sum(), cell))
    names = [texts[0] for texts, _ in shown]
    for name, parameter in cell.named_parameters():
        own = [(texts, box) for texts, box in shown if texts[0] == name]
        assert {texts for texts, _ in own} == {(name, str(parameter.shape))}
        assert len(own) == 4
        assert len({box.get("fill") for _, box in own}) == 1
    fills = {texts[0]: box.get("fill") for texts, box in shown}
    colors = [fills[name] for name, _ in cell.named_parameters()]
    assert len({*colors, "white"}) == 5
    assert {fills[name] for name in ("linear", "add", "tanh", "sum")} == {"white"}
    assert names.count("linear") == 8
    assert edges == len(shown) - 1  # a tree


def test_a_leaf_that_is_used_once_has_no_colour():
    x, w = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    shown, edges = pictured(draw(((x * w).tanh() + x).sum()))
    fills = {texts: box.get("fill") for texts, box in shown}
    assert fills[("leaf", "(2,)")] == "white"
    (shared,) = [texts for texts in fills if re.fullmatch(r"leaf \d", texts[0])]
    assert fills[shared] != "white"
    assert (len(shown), edges) == (7, 6)


def test_pictures_of_corners():
    x = tg.ones(2, requires_grad=True)
    assert [texts for texts, _ in pictured(draw(x))[0]] == [("leaf", "(2,)")]
    y = x.exp()
    shown, edges = pictured(draw(y * y))  # an operation that is used twice is one box
    assert ([texts[0] for texts, _ in shown], edges) == (["multiply", "exp", "leaf"], 2)
    hostile = "<script>&\"'\x00\ud800\n"
    shown, _ = pictured(draw(x, {hostile: x}))
    assert shown[0][0][0] == "<script>&\"'???"
    y.sum().backward()
    shown, _ = pictured(draw(y * 2.0))
    assert [box.get("stroke-dasharray") for _, box in shown] == [None, "5 4"]


def test_notebooks_show_the_picture_of_a_graph_that_is_not_too_large(monkeypatch):
    monkeypatch.setenv("PATH", "")  # there is no other program
    drawing = draw(tg.ones(2, requires_grad=True).exp())
    assert drawing._repr_svg_() == drawing.svg()
    assert copy.deepcopy(drawing).svg() == drawing.svg()
    x = tg.ones(1, requires_grad=True)
    for _ in range(1000):
        x = x * 1.0
    drawing = draw(x)
    assert drawing._repr_svg_() is None
    with pytest.raises(GraphError, match=r"draw: svg\(\) of 1001 boxes, .* 1000; "):
        drawing.svg()
