"""utils.draw: the text is the graph, the same each time; the picture needs graphviz."""

import os
import re
import stat
import subprocess
import sys

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.errors import DTypeError, GraphError
from tinygrad_rnn.utils import draw


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
        "print(tg.utils.draw(rnn(tg.ones(4, 1, 2))[0].sum(), rnn))"
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
    seen.add(str(draw(rnn(tg.ones(4, 1, 2))[0].sum(), rnn)) + "\n")
    assert len(seen) == 1


def test_corners():
    x = tg.ones(2, requires_grad=True)
    assert read(draw(x)) == ({0: ("leaf\\n(2,)", "shape=box")}, [])
    assert read(draw(tg.ones(3) * 2.0, {})) == ({0: ("leaf\\n(3,)", "shape=box")}, [])
    joined = tg.cat([x, tg.ones(2), x])  # one of them has no gradient
    assert read(draw(joined))[1] == [(1, 0), (1, 0)]
    assert '"' not in read(draw(x, {'a "b"': x}))[0][0][0]
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


def test_without_graphviz(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    drawing = draw(tg.ones(2))
    with pytest.raises(GraphError, match=r"draw: svg\(\) needs .*graphviz"):
        drawing.svg()
    assert drawing._repr_svg_() is None


@pytest.mark.skipif(os.name != "posix", reason="a script stands in for dot")
def test_with_graphviz(monkeypatch, tmp_path):
    """A program of that name is given the text, and what it says is the picture."""
    dot = tmp_path / "dot"
    dot.write_text(
        f"#!{sys.executable}\nimport sys\nprint(sys.argv[1], sys.stdin.read())"
    )
    dot.chmod(dot.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(tmp_path))
    drawing = draw(tg.ones(2), {"ä": tg.ones(1)})
    assert drawing.svg() == f"-Tsvg {drawing}\n"
    assert drawing._repr_svg_() == drawing.svg()
