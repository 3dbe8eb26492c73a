"""The modules of kernels: the same signatures in each, and the page about them."""

import inspect
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from tinygrad_rnn.kernels import find, modules
from tinygrad_rnn.kernels import numpy as reference

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-kernel.md"
NAMES = [name for name, value in vars(reference).items() if callable(value)]


def test_the_page_names_all_kernels():
    text = PAGE.read_text(encoding="utf-8")
    assert len(NAMES) > 15
    for name in NAMES:
        listed = re.search(rf"^\| `{name}\b", text, re.MULTILINE)
        assert listed or name.replace("_backward", "_forward") in NAMES, name


def test_the_page_has_the_signatures_of_plain_functions():
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)(\(.*?\))` \| (?!C |CUDA )", text, re.MULTILINE)
    listed = dict(rows)
    assert len(listed) == 4
    for name, arguments in listed.items():
        parameters = inspect.signature(getattr(reference, name)).parameters.values()
        plain = [p.replace(annotation=p.empty) for p in parameters]
        assert arguments == str(inspect.Signature(plain)), name


@pytest.mark.parametrize("kind", modules)
def test_twins_have_the_signatures_of_numpys(kind):
    for name in NAMES:
        twin = find(kind, name)
        if twin is not None:
            wanted = [*inspect.signature(getattr(reference, name)).parameters]
            found = [*inspect.signature(twin).parameters]
            assert found == wanted or "args" in wanted, name


def test_a_kernel_that_is_missing_is_none(monkeypatch):
    used = modules["cpu"]
    assert find("cpu", "rnn_forward") is used.rnn_forward
    assert find("cpu", "tanh") is None
    assert find("mine", "rnn_forward") is None
    twins = SimpleNamespace(scale=len)
    monkeypatch.setitem(modules, "mine", twins)
    assert find("mine", "scale") is len
    assert find("mine", "squares") is None
