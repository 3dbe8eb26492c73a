"""Starts several processes by mpiexec, and takes in what they print."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

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
