"""PyTorch's names that are left out raise AttributeError and say what to write."""

import copy
import math
import pickle
import re
from functools import reduce
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.errors import left_out

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"
# Written over the years, but not as an attribute of the newest torch.
OLDER = {"_LRScheduler", "clip_grad_norm", "random_", "HalfStorage"}


def found(path):
    """Return the module of a dotted name, or an instance of Tensor or Module."""
    held = reduce(getattr, path.split(".")[1:], tg)
    return {tg.Tensor: tg.ones(2, 2), tg.nn.Module: tg.nn.Linear(2, 2)}.get(held, held)


every_owner = pytest.mark.parametrize("owner", left_out.table())


@every_owner
def test_a_name_that_is_left_out_says_what_to_write(owner):
    held = found(owner)
    for name, instead in left_out.table()[owner].items():
        with pytest.raises(AttributeError) as caught:
            getattr(held, name)
        assert isinstance(caught.value, tg.Error)
        assert instead
        assert str(caught.value) == f"{owner}.{name} is not here; instead: {instead}"
        assert not hasattr(held, name)
        assert getattr(held, name, 3) == 3


@every_owner
def test_another_name_that_is_given_is_there(owner):
    ours = [name for name in left_out.table()[owner].values() if name.isidentifier()]
    assert [name for name in ours if not hasattr(found(owner), name)] == []


@pytest.mark.parity
@every_owner
def test_the_table_is_of_names_that_pytorch_has(owner):
    torch = pytest.importorskip("torch")
    path = owner.replace("tg", "torch", 1)
    held = reduce(getattr, path.split(".")[1:], torch)
    names = {*left_out.table()[owner]} - OLDER
    unknown = {name for name in names if not hasattr(held, name)}
    if owner != "tg.Tensor":  # a module that nobody has imported
        unknown = {name for name in unknown if find_spec(f"{path}.{name}") is None}
    assert unknown == set()


def test_every_module_that_users_meet_has_the_table():
    owners = """
        tg tg.Tensor tg.nn tg.nn.Module tg.nn.functional tg.nn.init tg.nn.utils
        tg.nn.utils.rnn tg.optim tg.optim.lr_scheduler tg.utils tg.utils.data
        tg.autograd tg.cuda tg.distributed
    """
    assert {*left_out.table()} == {*owners.split()}


@pytest.mark.parametrize(
    ("call", "close"),
    [
        (lambda: tg.gathr, "gather"),
        (lambda: tg.nn.LSTMM, "LSTM"),
        (lambda: tg.ones(1).reshap, "reshape"),
        (lambda: tg.optim.adam, "Adam"),
        (lambda: tg.nn.functional.leakyrelu, "leaky_relu"),
    ],
)
def test_a_wrong_name_is_told_the_names_like_it(call, close):
    with pytest.raises(
        AttributeError, match=rf"is not here; names like it: .*\b{close}\b"
    ):
        call()


ELSEWHERE = [
    ("tg", "cross_entropy", "tg.nn.functional.cross_entropy"),
    ("tg", "one_hot", "tg.nn.functional.one_hot"),
    ("tg", "Linear", "tg.nn.Linear"),
    ("tg", "Adam", "tg.optim.Adam"),
    ("tg", "DataLoader", "tg.utils.data.DataLoader"),
    ("tg", "Vocabulary", "tg.data.Vocabulary"),
    ("tg.nn", "Adam", "tg.optim.Adam"),
    ("tg.nn", "pad_sequence", "tg.nn.utils.rnn.pad_sequence"),
    ("tg.nn", "xavier_uniform_", "tg.nn.init.xavier_uniform_"),
    ("tg.nn", "cat", "tg.cat"),
    ("tg.nn.functional", "LSTM", "tg.nn.LSTM"),
    ("tg.optim", "StepLR", "tg.optim.lr_scheduler.StepLR"),
    ("tg.Tensor", "stack", "tg.stack"),
]


@pytest.mark.parametrize(("owner", "name", "home"), ELSEWHERE)
def test_a_name_asked_of_the_wrong_owner_is_told_where_it_is(owner, name, home):
    with pytest.raises(AttributeError) as caught:
        getattr(found(owner), name)
    assert str(caught.value) == f"{owner}.{name} is not here; it is {home}"
    assert callable(reduce(getattr, home.split(".")[1:], tg))


ROWS_APART = [
    ("tg", "finfo", "np.finfo(x.dtype)"),
    ("tg", "iinfo", "np.iinfo(x.dtype)"),
    ("tg", "Size", "a tuple: a shape is one"),
    ("tg", "dtype", "np.dtype: tg.float32 and its kin are NumPy's"),
    ("tg.Tensor", "half", ".float()"),
    ("tg.nn.Module", "half", ".float()"),
]


@pytest.mark.parametrize(("owner", "name", "instead"), ROWS_APART)
def test_a_name_has_a_way_out_of_its_own(owner, name, instead):
    assert left_out.table()[owner][name] == instead


def test_a_name_like_no_other():
    with pytest.raises(
        AttributeError, match=r"^tg.qqqqqq is not here; see docs/differences.md$"
    ):
        _ = tg.qqqqqq


def test_the_message_is_made_when_it_is_read(monkeypatch):
    """hasattr() asks for many names that do not exist."""
    calls = []
    monkeypatch.setattr(
        "difflib.get_close_matches", lambda *args: calls.append(args) or []
    )
    assert not hasattr(tg.ones(1), "iloc")
    assert not hasattr(tg.nn, "iloc")
    assert calls == []


def test_protocols_are_not_disturbed():
    x = tg.tensor([1.0, 2.0])
    for name in (
        "__array_interface__",
        "__array_function__",
        "__torch_function__",
        "_repr_latex_",
    ):
        assert not hasattr(x, name)
    with pytest.raises(AttributeError, match="__torch_function__"):
        _ = x.__torch_function__
    assert np.asarray(x).tolist() == copy.deepcopy(x).tolist() == [1.0, 2.0]
    assert pickle.loads(pickle.dumps(x)).tolist() == [1.0, 2.0]


def test_the_page_has_the_table():
    section = re.search(
        r"^## Not here\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S
    )
    assert section is not None
    assert left_out.page() in section[1]


# --------------------------------------------------- arguments of other names


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("exp", "exp"),
        ("sqrt", "sqrt"),
        ("tanh", "tanh"),
        ("absolute", "abs"),
        ("rint", "round"),
    ],
)
def test_numpys_ufuncs_name_the_method(name, ours):
    with pytest.raises(
        TypeError, match=rf"np.{name}: got a Tensor.*; use t.{ours}\(\)"
    ):
        getattr(np, name)(tg.ones(2, requires_grad=True))


def test_numpys_ufuncs_that_are_not_here():
    with pytest.raises(
        TypeError, match=r"np.arctan2: got a Tensor.*; use tg's functions, or t.det"
    ):
        np.arctan2(tg.ones(2), tg.ones(2))
    for wrong in (
        lambda t: np.add(t, 1.0),
        np.add.reduce,
        lambda t: np.add(np.ones(2), t, np.ones(2)),
    ):
        with pytest.raises(TypeError, match=r"np.add: got a Tensor"):
            wrong(tg.ones(2))


OPERATORS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
    "**": lambda x, y: x**y,
    "@": lambda x, y: x @ y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "&": lambda x, y: (x > 1) & (y > 1),
    "|": lambda x, y: (x > 1) | (y > 1),
}


@pytest.mark.parametrize("symbol", OPERATORS)
@given(seed=st.integers(0, 2**32 - 1), scalar=st.booleans())
def test_an_array_before_a_tensor_gives_a_tensor(symbol, seed, scalar):
    rng, operator = np.random.default_rng(seed), OPERATORS[symbol]
    array, other = rng.uniform(0.5, 2.0, (2, 3, 3))[:, 0]
    first = np.float64(array[0]) if scalar and symbol != "@" else array
    t = tg.tensor(other, requires_grad=True)
    result = operator(first, t)
    assert type(result) is tg.Tensor
    np.testing.assert_allclose(
        result.detach().numpy(), operator(first, other), rtol=1e-15
    )
    assert result.requires_grad == (symbol in ("+", "-", "*", "/", "%", "**", "@"))


def test_an_array_that_is_added_to_becomes_a_tensor():
    array = before = np.ones(2)
    array += tg.ones(2)
    assert type(array) is tg.Tensor
    assert before.tolist() == [1.0, 1.0]


def test_what_the_table_says_gives_pytorchs_values():
    """A function of a similar name would silently give other numbers."""
    names = left_out.table()["tg"]
    t, a, b = (
        tg.tensor([1.0, math.nan, 3.0]),
        tg.tensor([-3.0, 3.0, 5.0]),
        tg.tensor(2.0),
    )
    found = {"tg": tg, "t": t, "a": a, "b": b, "atol": 1e-8, "rtol": 1e-5}
    for name, value in {
        "fmod": [-1.0, 1.0, 1.0],
        "nansum": 4.0,
        "nanmean": 2.0,
        "isclose": [False, False, False],
    }.items():
        ways = [names[name], left_out.table()["tg.Tensor"][name]]
        for way in ways:
            code = re.split(r"; |, (?=t\[)", way)[0]
            assert eval(code, {}, found).tolist() == value, code


def test_a_name_is_at_home_where_it_is_public_and_not_where_it_is_imported():
    assert left_out.homes_of("Optimizer") == ["tg.optim.Optimizer"]
    assert left_out.homes_of("StepLR") == ["tg.optim.lr_scheduler.StepLR"]
    assert left_out.homes_of("np") == []
