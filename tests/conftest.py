"""How the tests run: hypothesis profiles, one worker for each core, and a footer that
says what was left out.
"""

import gc
import os
import re
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tinygrad_rnn.backend import register

# Chosen by HYPOTHESIS_PROFILE; by itself "ci" where CI=true, else "dev". Deadlines are
# off, as a shared machine is slow at times for no fault of a test.
_COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("dev", max_examples=25, **_COMMON)
# The same examples in each run: a change fails for its own reasons. "ops" tries more.
settings.register_profile("ci", max_examples=25, derandomize=True, **_COMMON)
# As "dev", for those who ask only whether a test fails
_FIND = (Phase.explicit, Phase.generate)
settings.register_profile("planted", max_examples=25, phases=_FIND, **_COMMON)
# For what fails at once or never, such as another version of a library.
settings.register_profile("few", max_examples=5, derandomize=True, **_COMMON)
settings.register_profile("ops", max_examples=200, derandomize=True, **_COMMON)
settings.register_profile("thorough", max_examples=5000, **_COMMON)


def _profile():
    by_default = "ci" if os.environ.get("CI", "").lower() == "true" else "dev"
    return os.environ.get("HYPOTHESIS_PROFILE") or by_default


settings.load_profile(_profile())

# A machine with a GPU needs CuPy, NumPy, pytest and hypothesis: files that ask for more
# are left out.
MISSING = {
    m
    for m in ("array_api_compat", "array_api_strict", "mpmath", "safetensors")
    if find_spec(m) is None
}
LEFT_OUT = {}
for _path in Path(__file__).parent.rglob("*.py") if MISSING else ():
    _imports = re.findall(
        r"^(?:import|from) (\w+)", _path.read_text(encoding="utf-8"), re.MULTILINE
    )
    if MISSING & {*_imports}:
        LEFT_OUT[str(_path)] = (
            f"{_path.name}: {', '.join(MISSING & {*_imports})} is not installed"
        )
# Programs that import PyTorch, and wrong uses for type checkers: never imported as
# modules.
collect_ignore = ["ports/programs", "typed/wrong.py", *LEFT_OUT]

DEVICES = ["cpu", "strict", pytest.param("cuda", marks=pytest.mark.gpu)]
try:
    from backend import strict  # array-api-strict in a GPU library's place
except ImportError:
    DEVICES[1] = pytest.param(
        "strict", marks=pytest.mark.skip(reason="no array-api-strict")
    )
else:
    strict.BACKEND = register("strict", strict)


MAX_WORKERS = 8  # each takes some seconds and 200 MB to collect all the tests


def pytest_addoption(parser):
    parser.addoption(
        "--document", metavar="PATH", help="the tutorial that -m document runs"
    )


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist's own
def pytest_cmdline_main(config):
    """Share a run of everything among the cores, if pytest-xdist is installed.

    Chosen tests run in this process, as they are over before workers have started;
    ``-n 2`` shares them too, and ``-n 0`` runs everything here.
    """
    option = config.option
    if not hasattr(option, "numprocesses") or hasattr(config, "workerinput"):
        return
    chosen = config.args_source == config.ArgsSource.ARGS or option.keyword
    looked_at = option.capture == "no" or option.markexpr in ("gpu", "document")
    if option.numprocesses is None and not chosen and not looked_at:
        option.numprocesses = "auto"
        option.maxprocesses = option.maxprocesses or MAX_WORKERS
    if option.numprocesses and option.dist == "no":
        option.dist = "worksteal"


def pytest_generate_tests(metafunc):
    """Run a test that takes a device on each of them."""
    if "device" in metafunc.fixturenames:
        metafunc.parametrize("device", DEVICES)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Run a fifth of the examples where the code is that of another case: on devices
    other than the CPU, and with instruction sets other than the best.
    """
    test = getattr(item, "obj", None)
    usual = getattr(test, "_hypothesis_internal_use_settings", None)
    params = item.callspec.params if hasattr(item, "callspec") else {}
    used = params.get("kernels", params.get("twin"))
    is_other = getattr(used, "is_other", False)
    is_other |= params.get("device", "cpu") != "cpu"
    if usual is None or not is_other:
        return (yield)
    test._hypothesis_internal_use_settings = settings(
        usual, max_examples=usual.max_examples // 5
    )
    try:
        return (yield)
    finally:
        test._hypothesis_internal_use_settings = usual


def pytest_collection_finish():
    """Hide the collected tests from the garbage collector, as it scans them often."""
    gc.collect()
    gc.freeze()


OPTIONAL = ("slow", "gpu", "parity", "document", "lessons", "site", "ranks")
_left_out = Counter()


def pytest_report_header():
    return f"hypothesis profile of the project: {_profile()}"


def pytest_deselected(items):
    for item in items:
        for marker in OPTIONAL:
            if item.get_closest_marker(marker):
                _left_out[marker] += 1
                break
        else:
            _left_out["other"] += 1


def pytest_sessionfinish(session):
    """Hand the counts of a worker to the process that prints the footer."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(_left_out)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_testnodedown(node):
    """Take over the counts of a worker; each of them collects all the tests."""
    for marker, count in getattr(node, "workeroutput", {}).get("left_out", {}).items():
        _left_out[marker] = count


def pytest_terminal_summary(terminalreporter):
    """Report what was left out, and how to run it."""
    if not _left_out and not LEFT_OUT:
        return
    terminalreporter.section("left out", sep="-")
    for marker, count in sorted(_left_out.items()):
        how = (
            f"run them with -m {marker}" if marker in OPTIONAL else "deselected by name"
        )
        terminalreporter.write_line(f"{count} {marker} tests were left out: {how}")
    for reason in LEFT_OUT.values():
        terminalreporter.write_line(f"left out: {reason}")


@pytest.fixture(autouse=True)
def _same_start():
    """Begin every test with the same default generator, and with recording on."""
    import tinygrad_rnn as tg

    tg.manual_seed(0)
    assert tg.is_grad_enabled()
    yield
    assert tg.is_grad_enabled(), "the test left the recording mode switched off"
