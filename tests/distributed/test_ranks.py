"""Several processes, which mpiexec starts: equality, and ranks that fail."""

import json
import re
import time
from pathlib import Path

import pytest
from distributed.launch import LIMIT, finish, start

pytestmark = pytest.mark.ranks
SCRIPT = Path(__file__).with_name("ranks.py")


@pytest.mark.parametrize(
    "ranks",
    [
        pytest.param(1, marks=pytest.mark.slow),
        2,
        3,
        pytest.param(4, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", ["calls", "equal", "compiled", "seeds"])
def test_ranks(name, ranks):
    if (name, ranks) == ("seeds", 1):
        pytest.skip("one rank has nothing to differ from")
    status, output = finish(start(ranks, SCRIPT, name))
    assert status == 0, output
    assert output == ""


@pytest.mark.parametrize(
    ("name", "ranks", "words"),
    [
        ("raises", 2, r"RuntimeError: out of luck\n{} failed \(RuntimeError: out of l"),
        ("raises", 3, r"RuntimeError: out of luck\n{} failed \(RuntimeError: out of l"),
        ("leaves", 3, r"{} has left, which backward waits for; rank [01] of "),
        ("finishes", 2, r"{} has left, which backward waits for; rank 0 of "),
        ("hangs", 2, r"backward has waited for another rank for 3 s, .*; rank 0 of 2"),
        ("killed", 2, r"{} died; all ranks end"),
        ("killed", 3, r"{} died; all ranks end"),
    ],
)
def test_all_ranks_end_with_one(name, words, ranks):
    started = time.monotonic()
    status, output = finish(start(ranks, SCRIPT, name))
    assert status != 0
    assert time.monotonic() - started < LIMIT + 5  # with the start of Python
    label = rf"rank {ranks - 1} of {ranks} \(process \d+ on \S+\)"
    assert re.search(words.format(label), output), output
    others = re.sub(label, "", output)
    assert name not in ("raises", "killed") or not re.search(
        "rank [01] of [23]", others
    ), output


def test_ranks_that_are_late_are_waited_for():
    status, output = finish(start(2, SCRIPT, "busy"))
    assert (status, output) == (0, "done\n")


def test_the_benchmark_runs():
    script = Path(__file__).parents[2] / "benchmarks" / "ranks.py"
    options = ("--hidden", 8, "--batch", 4, "--steps", 1, "--turns", 1, "--json")
    status, output = finish(start(2, script, *options))
    assert status == 0, output
    found = json.loads(output)
    assert found["weak scaling"] > 0
    assert 0 < found["averaging, weak"] < found["seconds, weak"]
