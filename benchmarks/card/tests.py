"""The tests that are marked gpu."""

import os
import re
from collections import Counter
from functools import partial
from importlib.util import find_spec

from .commands import ROOT, last_lines, python, run

ON_DEVICES = re.compile(r"^def test\w*\([^)]*\bdevice\b|mark\.gpu", re.MULTILINE)
OUTCOME = re.compile(r"(\S+\.py::.*?)? ?(PASSED|FAILED|ERROR|SKIPPED) ?(\S+\.py::.*)?")
WORKERS = 8


def items(size):
    return {"pytest -m gpu": partial(count, size)}


def find_files(size):
    """Return the files with such tests: pytest would take long to look at all."""
    if size == "tiny":
        return ["tests/test_creation.py"]
    paths = (ROOT / "tests").rglob("test_*.py")
    return sorted(
        str(path.relative_to(ROOT))
        for path in paths
        if ON_DEVICES.search(path.read_text(encoding="utf-8"))
    )


def count(size, seconds):
    """Return the outcomes of the tests that ended, and which failed."""
    command = python("-m", "pytest", "-m", "gpu", "-v", "-rN", "--tb=short")
    if find_spec("xdist") and size == "full":
        command += ["-n", min(WORKERS, os.cpu_count() or 1)]
    status, text = run([*command, *find_files(size)], seconds)
    found, failed = Counter(), []
    for line in text.splitlines():
        if "::" in line and (match := OUTCOME.search(line)):
            found[match[2].lower()] += 1
            if match[2] in ("FAILED", "ERROR"):
                failed.append((match[1] or match[3]).strip())
    row = {"right": not failed and status in (0, None), "outcomes": dict(found)}
    if status is None:
        row["left_out"] = f"the tests that had not ended after {seconds:.0f} s"
    if failed:
        row |= {"failures": failed, "first": first_failure(text)}
    elif status:
        row["printed"] = last_lines(text, 20)
    return row


def first_failure(text):
    """Return the report on the first test that failed; "" if pytest did not end."""
    begin = text.find("= FAILURES =")
    return text[begin : begin + 4000] if begin >= 0 else ""
