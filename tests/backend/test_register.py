"""Registering a library, and finding it again by device or by array."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from backend.names import asked_of_backends

import tinygrad_rnn as tg
from tinygrad_rnn import backend
from tinygrad_rnn.backend import standard


class Array(np.ndarray):
    pass


def library(**more):
    parts = {"namespace": np, "Array": Array, "to_host": np.asarray}
    return SimpleNamespace(from_host=lambda x: np.array(x).view(Array), **parts | more)


@pytest.fixture(autouse=True)
def forget():
    tables = (backend.libraries, backend.backends, backend._by_name)
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)


def test_a_library_is_found_by_device_and_by_array():
    made = backend.register("mine", library())
    assert backend.find("mine") is backend.find(tg.device("mine")) is made
    x = tg.zeros(2, device="mine")
    assert type(x.array) is Array
    assert backend.backend_of(x.array) is made
    assert (x.device, x.device.type, x.device.index) == ("mine", "mine", None)
    with pytest.raises(
        tg.Error, match=r"got 'mine:1', expected one of 'cpu', .*'mine'"
    ):
        tg.zeros(2, device="mine:1")


def test_one_with_several_devices_has_numbers():
    backend.register("mine", library(device_of=lambda x: 2, device_count=lambda: 3))
    assert backend.find("mine") is backend.find("mine:0")
    assert tg.device("mine") == "mine:0"
    assert backend.backend_of(np.zeros(1).view(Array)) is backend.find("mine:2")


def test_one_may_be_registered_again():
    first, second = (backend.register("mine", library()) for _ in range(2))
    assert backend.find("mine") is second is not first


def test_what_is_needed_is_told():
    for missing in ("namespace", "Array", "from_host", "to_host"):
        parts = library()
        delattr(parts, missing)
        with pytest.raises(tg.Error, match=f"register: 'mine' lacks {missing}"):
            backend.register("mine", parts)
    with pytest.raises(tg.Error, match=r"ndarray'> are the arrays of 'cpu' already"):
        backend.register("mine", library(Array=np.ndarray))
    with pytest.raises(tg.Error, match="device: got 'mine'"):
        backend.find("mine")


def test_the_page_names_all_that_is_asked_for():
    page = (Path(__file__).parents[2] / "docs" / "adding-a-backend.md").read_text(
        encoding="utf-8"
    )
    named = set(re.findall(r"`(\w+)", page))
    asked = {n for n in asked_of_backends() if not re.fullmatch(r"(int|float)\d+", n)}
    assert len(asked) > 50
    assert asked - named == set()
    for name in standard.__all__:
        assert re.search(rf"^\| .*`{name}\(", page, re.MULTILINE), name


def test_an_array_of_nobody():
    with pytest.raises(
        tg.Error, match="expected an array of a known library, got <class 'list'>"
    ):
        backend.backend_of([1.0])


def test_a_device_that_does_not_exist_without_cupy(monkeypatch):
    monkeypatch.setitem(backend.libraries, "cuda", None)
    with pytest.raises(tg.Error, match=r"got 'gpu'.*, or 'cuda' where CuPy is install"):
        tg.zeros(1, device="gpu")
