"""The benchmark runs as its page says, and times contenders only on equal results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def modules(monkeypatch):
    """Let the scripts import each other by bare names, and forget these afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for path in FOLDER.glob("*.py"):
        if path.stem != "__main__":
            sys.modules.pop(path.stem, None)


def run(*options: object, **env: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(FOLDER), *"--seconds 0 --threads 1".split()]
    command += map(str, options)
    env = os.environ | env
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)


def test_command_writes_results_and_page(tmp_path, modules):
    parts = ("--parts", "train", "chain", "memory", "--only", "RNN 28")
    done = run(*parts, "--against", "products", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    (row,) = results["rows"]
    assert row["work"] == "train, RNN 28, 32, 1, 25" and row["rounds"] == 5
    assert row["ratio"].keys() == {"products"}
    assert row["ms"].keys() == {"ours", "products"}
    assert 0 < results["memory"][0]["MB"]["ours"] < 500
    assert "| train, RNN 28, 32, 1, 25 |" in done.stdout

    import report

    before = (
        "a\n<!-- train 1 -->\nold\n<!-- end -->\nb\n<!-- T 1 -->\nstays\n<!-- end -->\n"
    )
    (tmp_path / "benchmarks.md").write_text(before)
    report.fill(results, tmp_path)
    after = (tmp_path / "benchmarks.md").read_text()
    assert "old" not in after and "stays" in after
    assert "| train, RNN 28, 32, 1, 25 |" in after
    report.fill(results, tmp_path)
    assert (tmp_path / "benchmarks.md").read_text() == after


def test_a_run_may_be_taken_in_pieces(tmp_path):
    def rows(*options):
        done = run("--against", "--out", tmp_path, *options)
        assert done.returncode == 0, done.stderr
        found = json.loads((tmp_path / "results.json").read_text())
        return {row["work"]: row["ms"]["ours"] for row in found["rows"]}

    first = rows("--parts", "train", "--only", "RNN 28")
    second = rows("--parts", "sample", "--only", "128")
    assert first.items() < second.items() and len(second) == 4
    again = rows("--parts", "train", "--only", "RNN 28")
    assert again.keys() == second.keys() and again != second
    file = tmp_path / "results.json"
    file.write_text(
        file.read_text().replace('"ours": "tinygrad_rnn', '"ours": "tinygrad_rnn 0.0')
    )
    assert len(rows("--parts", "chain")) == 1, "rows of another version are not kept"


def test_missing_contender_is_named(tmp_path):
    (tmp_path / "jax.py").write_text("raise ImportError('no such luck')")
    path = os.pathsep.join(
        [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    done = run(
        "--parts", "train", "--only", "RNN 28", "--against", "JAX", PYTHONPATH=path
    )
    assert done.returncode == 0, done.stderr
    assert "JAX is left out: no such luck" in done.stdout


MOCKED = """
import sys
from unittest.mock import MagicMock
mock = MagicMock(__version__="0.0", from_numpy=MagicMock(side_effect=ZeroDivisionError))
mock.nn.Module = object
sys.modules["torch"] = mock
sys.modules["torch.nn"] = mock.nn
sys.modules["torch.nn.functional"] = mock.nn.functional
"""


@pytest.mark.parametrize(
    "torch", ["raise ZeroDivisionError", MOCKED], ids=["import", "build"]
)
def test_a_run_that_fails_ends(tmp_path, torch):
    """It does not wait for ever for its stopped children."""
    (tmp_path / "torch.py").write_text(torch)
    path = os.pathsep.join(
        [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    done = run(
        "--parts", "train", "--only", "RNN 28", "--against", "PyTorch", PYTHONPATH=path
    )
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr


def test_page_has_a_block_for_every_part(modules):
    import report
    from works import works

    blocks = set(report.BLOCK.findall((report.DOCS / "benchmarks.md").read_text()))
    both = ("train", "dense", "forward", "sample")
    one = ("cells", "layers", "chain", "hvp", "overhead", "T", "H")
    assert all(works(part) for part in (*both, *one))
    expected = {f"{part} {threads}" for part in both for threads in (1, 2)}
    expected |= {f"{part} 1" for part in one}
    assert blocks == expected | {"machine", "memory", "losses", "chart", "gpu"}


def test_our_columns_are_measured_side_by_side(tmp_path):
    against = ("--against", "not compiled", "NumPy")
    done = run("--parts", "train", "--only", "RNN 28", *against, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert row["ratio"].keys() == {"not compiled", "NumPy"}


@pytest.mark.parametrize("kind", ["train", "forward", "sample"])
def test_ours_computes_the_same_again(kind, modules):
    """What is compared comes from the first step, so a second look shows the same."""
    import ours
    from works import Work, arrays

    work = Work(kind, "ids", "LSTM", 5, 4, 1, 1)
    (_, first), (_, again) = (ours.build(work, arrays(work)) for _ in range(2))
    found, repeated = first(), again()
    assert all(np.array_equal(found[name], repeated[name]) for name in found)


def test_difference_is_seen(modules):
    import importlib.util

    spec = importlib.util.spec_from_file_location("command", FOLDER / "__main__.py")
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)
    ours = {"loss": np.array(2.0, np.float32), "w": np.ones(3, np.float32)}
    assert not command.differences(
        {**ours, "loss": np.array(2.00001, np.float32)}, ours
    )
    for wrong in (ours["w"] * 1.001, np.ones((3, 1), np.float32), ours["w"] * np.nan):
        assert command.differences({**ours, "w": wrong}, ours)


@pytest.mark.parity
@pytest.mark.parametrize(
    ("part", "only"),
    [("train", "28, 32, 1,"), ("forward", "sine"), ("sample", "65, 128")],
)
def test_pytorch_and_ours_do_the_same_work(part, only, modules):
    done = run("--parts", part, "--only", only, "--against", "PyTorch")
    assert done.returncode == 0, done.stderr
    assert all(f"{part}, {cell}" in done.stdout for cell in ("RNN", "LSTM", "GRU"))


@pytest.mark.parity
def test_pytorch_and_ours_do_the_same_layers(modules):
    done = run("--parts", "layers", "--against", "PyTorch")
    assert done.returncode == 0, done.stderr
    assert all(f"nn.{layer} of" in done.stdout for layer in ("LayerNorm", "Embedding"))


def test_losses_are_grouped_by_kind_of_work_and_contender(modules):
    import report

    def row(part, B, H, **ratio):
        sizes = {"cell": "LayerNorm", "B": B, "H": H}
        return {"part": part, "sizes": sizes, "ratio": ratio}

    rows = [
        row("train", 1, 32, JAX=0.26, PyTorch=3.0, products=0.1, NumPy=0.9),
        row("dense", 100, 16, JAX=0.54),
        row("T", 1, 1999, JAX=1.5),
        row("train", 32, 128, JAX=0.9, PyTorch=1.0),
        row("layers", 3, 4, JAX=0.9, PyTorch=0.446),
        row("layers", 3, 4, JAX=1.1),
        row("sample", 1, 4, PyTorch=2.0),
    ]
    assert report.losses(rows).splitlines()[2:] == [
        "| training steps, B x H below 2,000 | JAX: 2 of 3, 0.26 - 0.54 |",
        "| training steps, B x H of at least 2,000 | JAX: 1 of 1, 0.90 |",
        "| nn.LayerNorm | JAX: 1 of 2, 0.90; PyTorch: 1 of 1, 0.45 |",
    ]
