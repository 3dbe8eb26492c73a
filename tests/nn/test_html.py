"""What notebooks show of a module: all modules and parameters, names escaped."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn


def parse(module):
    html = module._repr_html_()
    return ET.fromstring(html.replace("<details open>", "<details>"))


def codes(module):
    return ["".join(code.itertext()) for code in parse(module).iter("code")]


def test_a_model():
    model = nn.Sequential(nn.Embedding(5, 3), nn.GRU(3, 4, bias=False), nn.Dropout(0.5))
    assert codes(model) == [
        "Sequential()",
        f"0: Embedding({model[0].extra_repr()})",
        "weight: (5, 3)",
        "1: GRU(3, 4, bias=False)",
        "weight_ih_l0: (12, 3)",
        "weight_hh_l0: (12, 4)",
        f"2: Dropout({model[2].extra_repr()})",
    ]
    html = model._repr_html_()
    assert html.startswith("<details open>")
    assert html.count("<details") == 3
    assert html.count(", 99 parameters") == 1
    assert html.count(", 84 parameters") == 1
    assert "1,000 parameters" in nn.Embedding(10, 100)._repr_html_()
    assert codes(nn.Tanh()) == ["Tanh()"]
    model.requires_grad_(False)
    assert model._repr_html_() == html


@given(name=st.text(min_size=1), extra=st.text())
def test_names_are_escaped(name, extra):
    class Odd(nn.Module):
        def extra_repr(self):
            return extra + "<b>&"

    model, plain = Odd(), Odd()
    setattr(model, name + "<i>", nn.Linear(1, 1))
    plain.plain = nn.Linear(1, 1)
    model.register_parameter(f"{name}<u>".replace(".", ""), nn.Parameter(tg.ones(1)))
    plain.register_parameter("weight", nn.Parameter(tg.ones(1)))
    for one, two in ((model, plain), (nn.Sequential(model), nn.Sequential(plain))):
        html = one._repr_html_()
        assert html.count("<") == two._repr_html_().count("<")
        assert "<b>" not in html
        assert "<i>" not in html
        assert "<u>" not in html


def test_modules_that_share_and_that_refer_to_each_other():
    outer, inner = nn.Module(), nn.Module()
    outer.inner, inner.outer = inner, outer
    outer.one = outer.two = nn.Linear(2, 2)
    assert codes(outer) == [
        "Module()",
        "inner: Module()",
        "one: Linear(in_features=2, out_features=2, bias=True)",
        "weight: (2, 2)",
        "bias: (2,)",
    ]
    assert ", 6 parameters" in outer._repr_html_()
