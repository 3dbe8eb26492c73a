"""Which kernels a CPU uses, and what tg.kernels() says of that."""

import os
import subprocess
import sys

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.errors import OptionError
from tinygrad_rnn.kernels import choice, modules, numpy
from tinygrad_rnn.kernels.choice import INSTRUCTION_SETS, VARIABLE, choose

try:
    from tinygrad_rnn.kernels import c
    from tinygrad_rnn.kernels.c import _c
except ImportError:
    c = _c = None

needs_c = pytest.mark.skipif(_c is None, reason="the kernels in C have not been built")


@pytest.fixture
def as_before():
    """Go back to the instruction set in use."""
    yield
    if _c is not None:
        _c.use(choice.in_use.instruction_set)


def test_what_is_in_use_is_what_runs():
    used = tg.kernels()
    assert used is choice.in_use
    assert modules["cpu"] is choice.module
    assert (used.language == "C") == (choice.module is not numpy)


def test_numpys_are_always_there():
    module, used = choose("numpy")
    assert module is numpy
    assert used.language == "NumPy"
    assert used.instruction_set == ""
    assert used.summary == f"NumPy (C: {VARIABLE}=numpy)"
    assert repr(used).splitlines() == [
        "kernels in use on a CPU: NumPy",
        f"  not c: {VARIABLE}=numpy",
    ]


@pytest.mark.parametrize("wrong", ["C", "NumPy", "avx", " numpy", "1"])
def test_other_names_raise(wrong):
    with pytest.raises(
        OptionError, match=f"{VARIABLE} is '{wrong}', expected numpy, c"
    ):
        choose(wrong)


@needs_c
@pytest.mark.parametrize("wanted", ["", "c"])
def test_the_best_instruction_set_is_used(wanted, as_before):
    module, used = choose(wanted)
    assert module is c
    supported = _c.instruction_sets()
    assert used.instruction_set == next(name for name in supported if supported[name])
    assert used.summary == f"C, {used.instruction_set}"
    assert {*used.others} == {*INSTRUCTION_SETS, "numpy"} - {used.instruction_set}
    assert repr(used).startswith(f"kernels in use on a CPU: {used.summary}\n")
    for name, has_it in supported.items():
        if name != used.instruction_set:
            faster = f"{used.instruction_set} is faster"
            why = faster if has_it else "this processor does not have it"
            assert used.others[name] == why


@needs_c
@pytest.mark.parametrize("name", INSTRUCTION_SETS)
def test_an_instruction_set_that_was_asked_for(name, as_before):
    if _c.instruction_sets().get(name):
        module, used = choose(name)
        assert module is c
        assert used.instruction_set == name
        assert _c.use(name) == name
    else:
        with pytest.raises(OptionError, match="does not have it; it has"):
            choose(name)


@pytest.fixture
def not_built(monkeypatch, tmp_path):
    """The folder of the kernels in C, without them."""
    monkeypatch.delattr(sys.modules["tinygrad_rnn.kernels"], "c", raising=False)
    monkeypatch.setitem(sys.modules, "tinygrad_rnn.kernels.c", None)
    monkeypatch.setattr(choice, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["note", "checkout", "wheel", "broken"])
def test_kernels_that_have_not_been_built(not_built, kind):
    why = "not part of this wheel; docs/install.md says how to build it"
    if kind == "note":
        (not_built / "not_built.txt").write_text("no compiler; install one\n")
        why = "not built: no compiler; install one"
    elif kind == "checkout":
        (not_built / "source").mkdir()
        why = "not built in this checkout; `python -m pip install -e .` builds it"
    elif kind == "broken":
        (not_built / "_c.abi3.so").touch()
        why = "built, but cannot be loaded: "
    module, used = choose("")
    assert module is numpy
    assert used.summary.startswith(f"NumPy (C: {why}")
    assert len(repr(used).splitlines()) == 2
    for wanted in ("c", *INSTRUCTION_SETS):
        with pytest.raises(OptionError, match="see docs/install.md, or leave it out"):
            choose(wanted)


def test_the_variable_is_read_at_import():
    code = "import tinygrad_rnn as tg; print(tg.kernels().summary)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, VARIABLE: "numpy"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"NumPy (C: {VARIABLE}=numpy)\n"


@needs_c
def test_an_extension_of_other_sources_is_not_used(monkeypatch):
    """As after `git pull` in a checkout that was installed with `pip install -e`."""
    monkeypatch.setattr(_c, "checksum", lambda: 12345)
    module, used = choose("")
    assert module is numpy
    assert "other sources" in used.others["c"]
    with pytest.raises(OptionError, match="other sources"):
        choose("c")
    monkeypatch.setattr(choice, "_read_note", lambda: "no compiler; install one")
    assert (
        choose("")[1].others["c"].endswith("not built again: no compiler; install one")
    )
    monkeypatch.delattr(_c, "checksum")  # older still
    assert choose("")[0] is numpy


@needs_c
def test_an_extension_that_lacks_a_function_is_not_used(monkeypatch):
    for name in [name for name in sys.modules if name.startswith(c.__name__)]:
        if not name.endswith("._c"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(sys.modules["tinygrad_rnn.kernels"], "c")
    monkeypatch.delattr(_c, "clip")
    module, used = choose("")
    assert module is numpy
    assert "other sources" in used.others["c"]
