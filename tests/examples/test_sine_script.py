"""examples/sine.py, as a user runs it."""

import json

import pytest
from scripts import run


def lines_of(*arguments):
    done = run("sine.py", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_it_learns_the_next_point():
    lines, stderr = lines_of()
    epochs, last = lines[:-1], lines[-1]
    assert [list(line) for line in epochs] == [["epoch", "loss"]] * 200
    assert [line["epoch"] for line in epochs] == list(range(200))
    assert epochs[-1]["loss"] < 0.01 < 0.1 < epochs[0]["loss"]  # from 0.49 to 0.0011
    assert list(last) == ["predicted", "actual", "error"]
    assert last["error"] == abs(last["predicted"] - last["actual"]) < 0.15  # 0.023
    assert last["actual"] == pytest.approx(0.0, abs=1e-12)
    said = [line.partition(":")[0] for line in stderr.splitlines() if line.startswith("epoch")]
    assert said == ["epoch 0", "epoch 50", "epoch 100", "epoch 150"]


def test_the_seed_decides():
    first, second, other = (lines_of("--epochs", 3, "--seed", seed)[0] for seed in (1, 1, 2))
    assert first == second != other


def test_out_has_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    arguments = ("--epochs", 2, "--seq", 5, "--hidden", 3, "--out", tmp_path / "out")
    done = run("sine.py", *arguments)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "sine.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_there_is_none(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError('left out for a test')\n")
    done = run("sine.py", "--epochs", 1, "--out", tmp_path / "out", PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "matplotlib is not installed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--epochs", 0), "--epochs: 0 is not at least 1"),
        (("--hidden", "x"), "--hidden: invalid"),
        (("--seed", -1), "seed is -1"),
        (("--device", "tpu"), "device: got 'tpu'"),
        (("--out", __file__), "File exists"),
    ],
)
def test_what_is_wrong_is_one_message_and_status_2(arguments, words):
    done = run("sine.py", *arguments)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
