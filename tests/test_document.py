"""The tutorial that this package answers runs with it in PyTorch's place.

The tutorial is not part of this repository: ``pytest -m document --document
rnn-fundamentals.md`` runs its blocks of Python. What is changed are the lines that
import PyTorch, and the tutorial's own slips: classes that are models but do not derive
from ``nn.Module``. Everything else, including the training, runs as it is.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_rnn

ROOT = Path(tinygrad_rnn.__file__).parents[1]
pytestmark = pytest.mark.document

# Diagrams are drawn on nothing, where there is something to draw them with.
NO_SCREEN = """
import sys
try:
    import matplotlib.pyplot
except ImportError:
    from unittest import mock
    sys.modules["matplotlib"] = sys.modules["matplotlib.pyplot"] = mock.MagicMock()
"""


def blocks(document: Path) -> list[str]:
    text = document.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)


def ours(code: str) -> str:
    """Return the code with this package where it imports PyTorch."""
    code = re.sub(r"^(\s*import) torch$", r"\1 tinygrad_rnn as torch", code, flags=re.M)
    return re.sub(
        r"^(\s*(?:import|from)) torch\b(?=[. ])", r"\1 tinygrad_rnn", code, flags=re.M
    )


def derived(code: str) -> tuple[str, int]:
    """Return the code with ``nn.Module`` as the base of classes that hold layers."""
    lines, count = code.splitlines(), 0
    for node in ast.parse(code).body:
        if (
            isinstance(node, ast.ClassDef)
            and not node.bases
            and "nn." in ast.unparse(node)
        ):
            lines[node.lineno - 1] = f"class {node.name}(nn.Module):"
            count += 1
    return "\n".join(lines), count


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NO_SCREEN + code],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "MPLBACKEND": "template",
            "PYTHONUTF8": "1",
        },
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_code_runs(pytestconfig: pytest.Config) -> None:
    path = pytestconfig.getoption("--document")
    assert path, "say where the tutorial is: --document PATH"
    code, repaired = derived(ours("\n\n".join(blocks(Path(path)))))
    assert repaired == 2
    assert not re.search(r"^\s*(import|from) torch", code, re.M)
    seeded = (
        "import numpy, tinygrad_rnn\n"
        "numpy.random.seed(0)\n"
        "tinygrad_rnn.manual_seed(0)\n"
    )
    shown = run(seeded + code)

    text = re.search(r"^Generated: (.*)$", shown, re.M)
    assert text and len(text[1]) == 51 and text[1].startswith("h")
    losses = [float(loss) for loss in re.findall(r"Loss = ([\d.]+)", shown)]
    assert len(losses) == 4 and losses[-1] < losses[0] / 10
