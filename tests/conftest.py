"""How the tests run: hypothesis profiles, and a footer that says what was left out."""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

# Chosen by HYPOTHESIS_PROFILE; by itself "ci" where CI=true, else "dev". Deadlines are off, as a
# shared machine is slow at times for no fault of a test.
_COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("dev", max_examples=25, **_COMMON)
settings.register_profile("ci", max_examples=50, derandomize=True, **_COMMON)
settings.register_profile("thorough", max_examples=5000, **_COMMON)


def _profile():
    by_default = "ci" if os.environ.get("CI", "").lower() == "true" else "dev"
    return os.environ.get("HYPOTHESIS_PROFILE") or by_default


settings.load_profile(_profile())

OPTIONAL = ("slow", "gpu", "parity")
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


def pytest_terminal_summary(terminalreporter):
    """Nothing is left out silently."""
    if not _left_out:
        return
    terminalreporter.section("left out", sep="-")
    for marker, count in sorted(_left_out.items()):
        how = f"run them with -m {marker}" if marker in OPTIONAL else "deselected by name"
        terminalreporter.write_line(f"{count} {marker} tests were left out: {how}")


@pytest.fixture(autouse=True)
def _same_start():
    """Every test begins with the same default generator, and with gradients recorded."""
    import tinygrad_rnn as tg

    tg.manual_seed(0)
    assert tg.is_grad_enabled()
    yield
    assert tg.is_grad_enabled(), "the test left the recording mode switched off"
