"""Several processes, which mpiexec starts: equality, and ranks that fail."""

import os
import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.ranks
SCRIPT = Path(__file__).with_name("ranks.py")
ROOT = Path(__file__).parents[2]
LIMIT = 10.0  # seconds in which all ranks have to end with one


def mpiexec():
    """Return the path of mpiexec, beside this Python or elsewhere."""
    beside = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("mpiexec")
    if found is None or find_spec("mpi4py") is None:
        pytest.skip("no mpi4py or no mpiexec; pip install mpi4py mpich")
    return found


def start(ranks, *arguments):
    """Start ranks; their output goes to a pipe."""
    command = [mpiexec(), "-n", str(ranks), sys.executable, *map(str, arguments)]
    own = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    paths = os.pathsep.join(own)
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return subprocess.Popen(
        command,
        env={**os.environ, **one, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process, limit=60.0):
    """Return the status of a job and what it printed; fail if it takes too long."""
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        pytest.fail(f"the ranks were still there after {limit} s:\n{output}")
    return process.returncode, output


@pytest.mark.parametrize(
    "ranks",
    [
        pytest.param(1, marks=pytest.mark.slow),
        2,
        3,
        pytest.param(4, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", ["calls", "equal", "seeds"])
def test_ranks(name, ranks):
    if (name, ranks) == ("seeds", 1):
        pytest.skip("one rank has nothing to differ from")
    status, output = finish(start(ranks, SCRIPT, name))
    assert status == 0, output
    assert output == ""


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", r"RuntimeError: out of luck\n{} failed \(RuntimeError: out of luck"),
        ("leaves", r"{} has left, which backward waits for; rank 0 of "),
        ("killed", r"{} died; all ranks end"),
    ],
)
def test_all_ranks_end_with_one(name, words, ranks):
    started = time.monotonic()
    status, output = finish(start(ranks, SCRIPT, name))
    assert status != 0
    assert time.monotonic() - started < LIMIT + 5  # with the start of Python
    label = rf"rank {ranks - 1} of {ranks} \(process \d+ on \S+\)"
    assert re.search(words.format(label), output), output
    assert name == "leaves" or "rank 0 of" not in output


def test_ranks_that_are_late_are_waited_for():
    status, output = finish(start(2, SCRIPT, "busy"))
    assert (status, output) == (0, "done\n")
