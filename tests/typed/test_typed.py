"""Type checkers pass a typical program, and flag wrong uses."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typed import typical

import tinygrad_rnn

HERE = Path(__file__).parent
ROOT = Path(tinygrad_rnn.__file__).parents[1]


def run(*command):
    """Return what a checker prints in a folder without our settings."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=HERE,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy(*options):
    def flagged(path, tmp_path):
        # Errors in the package are its own affair, as where it is installed.
        text = (
            f"[mypy]\nmypy_path = {ROOT}\n[mypy-tinygrad_rnn.*]\nignore_errors = true\n"
        )
        (tmp_path / "mypy.ini").write_text(
            f"{text}[mypy-cupy.*]\nignore_missing_imports = true\n"
        )
        settings = (
            f"--config-file={tmp_path / 'mypy.ini'}",
            f"--cache-dir={tmp_path / 'cache'}",
        )
        text = run("mypy", *settings, *options, str(path))
        return {
            int(n): line
            for line in text.splitlines()
            for n in re.findall(r":(\d+): error", line)
        }

    return flagged


def pyright(path, tmp_path):
    settings = {"extraPaths": [str(ROOT)], "typeCheckingMode": "standard"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    shutil.copy(path, tmp_path)
    python = f"--pythonpath={sys.executable}"
    found = json.loads(run("pyright", "--outputjson", python, f"--project={tmp_path}"))
    assert found["summary"]["filesAnalyzed"] == 1
    return {
        error["range"]["start"]["line"] + 1: error["message"]
        for error in found["generalDiagnostics"]
        if error["severity"] == "error"
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "checker", [mypy("--strict"), pyright], ids=["mypy --strict", "pyright"]
)
def test_a_typical_program_passes(checker, tmp_path):
    assert checker(HERE / "typical.py", tmp_path) == {}


@pytest.mark.slow
@pytest.mark.parametrize("checker", [mypy(), pyright], ids=["mypy", "pyright"])
def test_wrong_uses_are_flagged(checker, tmp_path):
    path = HERE / "wrong.py"
    lines = path.read_text(encoding="utf-8").splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    flagged = checker(path, tmp_path)
    assert {lines[number - 1].strip() for number in wrong - flagged.keys()} == set()
    assert {flagged[number] for number in flagged.keys() - wrong} == set()


def test_the_typical_program_runs(tmp_path, capsys):
    typical.main(tmp_path)
    assert len(capsys.readouterr().out.splitlines()) > 3
    assert {path.name for path in tmp_path.iterdir()} >= {"model.safetensors"}
