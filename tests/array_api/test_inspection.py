"""What the array API's namespace can do, and what dtypes can hold."""

import numpy as np
import pytest
from calls import check_form

import tinygrad_rnn as tg

xp = tg.array_api

FORMS = {
    "can_cast": lambda xp, u: xp.asarray(xp.can_cast(u.dtype, xp.int16)),
    "result_type": lambda xp, u: xp.zeros(1, dtype=xp.result_type(u, xp.int16, 1)),
}


def test_what_the_namespace_can_do():
    info = xp.__array_namespace_info__()
    assert info.capabilities()["boolean indexing"] is True
    assert info.default_device() == "cpu"
    assert "cpu" in info.devices()
    assert info.default_dtypes() == {
        "real floating": np.float32,
        "integral": np.int64,
        "indexing": np.int64,
    }
    numbers = {f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)}
    assert info.dtypes().keys() == numbers | {"bool", "float32", "float64"}
    assert info.dtypes(kind="real floating").keys() == {"float32", "float64"}
    assert info.dtypes(kind="unsigned integer").keys() == {
        n for n in numbers if n[0] == "u"
    }
    assert info.dtypes(kind=("bool", "real floating")).keys() == {
        "bool",
        "float32",
        "float64",
    }
    assert info.dtypes(kind="complex floating") == {}
    for name, dtype in info.dtypes().items():
        assert getattr(xp, name) == dtype == np.dtype(name)
        assert xp.zeros(1, dtype=dtype).dtype == name


def test_the_limits_of_dtypes_are_pythons_numbers():
    for thing in (tg.float32, tg.ones(1)):
        found = xp.finfo(thing)
        assert (found.bits, found.dtype) == (32, np.float32)
        assert found.max == float(np.finfo(np.float32).max) == -found.min
        assert {type(found.eps), type(found.smallest_normal)} == {float}
    found = xp.iinfo(tg.tensor([1], dtype=tg.uint8))
    assert (found.bits, found.min, found.max, found.dtype) == (8, 0, 255, np.uint8)


@pytest.mark.parametrize("name", FORMS)
def test_a_call_gives_what_numpy_gives(name):
    check_form(FORMS[name])
