"""The benchmark of a GPU runs to its end on the emulator, and reports all it finds."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from kernels.cupy.emulator import needs_compiler
from kernels.cupy.twins import (
    BLOCK,
    CLUSTER,
    GRID,
    LOOP,
    check_case,
    import_twins,
    planned,
    random_case,
)

FOLDER = Path(__file__).parents[2] / "benchmarks"
FAKE = "import sys; from backend import fake_cupy; sys.modules['cupy'] = fake_cupy"


@pytest.fixture
def modules(monkeypatch):
    """Let the scripts import each other by bare names, and forget these afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    names = {"card", *(path.stem for path in FOLDER.glob("*.py"))} - {"__main__"}
    for name in [*sys.modules]:
        if name.partition(".")[0] in names:
            del sys.modules[name]


def run(folder, *options, cupy=FAKE):
    """Run the command where CuPy is this code, and PyTorch is not installed."""
    (folder / "cupy.py").write_text(cupy)
    (folder / "torch.py").write_text("raise ImportError('no such luck')")
    paths = [str(folder), str(FOLDER.parent / "tests"), os.environ.get("PYTHONPATH")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    env["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, FOLDER / "gpu.py", *"--size tiny --seconds 600".split()]
    return subprocess.run(
        [*command, *options], capture_output=True, text=True, timeout=300, env=env
    )


def read_rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@needs_compiler
def test_each_mode_is_compared(tmp_path):
    done = run(tmp_path, "--parts", "correctness", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    card, *rows = read_rows(tmp_path / "gpu.jsonl")
    assert "no such luck" in card["versions"]["PyTorch"]
    assert [row["name"].split()[1] for row in rows] == [BLOCK, CLUSTER, GRID, LOOP]
    assert all(row["right"] and 0 < row["error"] < 2e-6 for row in rows)
    assert "### Fake 0" in done.stdout
    assert "| lstm cluster float32 |" in done.stdout


def test_without_a_gpu_it_ends_at_once(tmp_path):
    done = run(tmp_path, cupy="raise ImportError('none here')")
    assert done.returncode == 1
    assert "none here" in done.stderr and "needs a GPU" in done.stderr


def make_program(path, *lines):
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o700)


@pytest.mark.slow
@needs_compiler
def test_all_parts_run_to_their_end(tmp_path, modules):
    summary = "echo '========= ERROR SUMMARY: 0 errors'"
    make_program(tmp_path / "compute-sanitizer", "shift 4", summary, 'exec "$@"')
    make_program(tmp_path / "nvidia-smi", "echo 580.1, 345, 1980, 2619, 3201")
    done = run(tmp_path, "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = read_rows(tmp_path / "gpu.jsonl")
    assert rows[0]["clocks"]["clocks.max.sm"] == "1980"
    assert "compute-sanitizer, racecheck: no errors" in done.stdout

    import gpu

    assert {row["part"] for row in rows} == {*gpu.SHARES}
    assert all("left_out" not in row and "seconds" in row for row in rows)


# What the processes of a part print, and their exit status; 3 after an error
PROCESSES = [
    (['{"items": ["a", "b", "c", "d", "e"]}', "noise", '{"name": "a"}'], 0, 11),
    (['{"items": ["a", "b", "c", "d", "e"]}', '{"name": "c", "failed": "x"}'], 2, 3),
    (['{"items": ["a", "b", "c", "d", "e"]}', '{"name": "d"}'], 3, -9),
]


def test_a_part_goes_on_after_a_failure_and_says_what_is_missing(modules, monkeypatch):
    import gpu

    processes, rows = iter(PROCESSES), []

    def start_process(part, start, seconds, args):
        lines, expected, status = next(processes)
        assert start == expected

        def wait():
            if status == -9:  # the time is over
                monkeypatch.setattr(gpu.time, "monotonic", lambda: 1001.0)
            return status

        return types.SimpleNamespace(stdout=lines, wait=wait, kill=None)

    monkeypatch.setattr(gpu, "start_process", start_process)
    monkeypatch.setattr(gpu, "time", types.SimpleNamespace(monotonic=lambda: 1.0))
    gpu.run_part("tuning", 1000.0, None, rows.append)
    assert [row["name"] for row in rows] == ["a", "b", "c", "d", "e"]
    assert rows[1]["failed"] == "the process ended with exit status 11"
    assert "left_out" in rows[4] and "left_out" not in rows[3]


def test_a_part_that_does_not_start_is_reported_once(modules, monkeypatch):
    import gpu

    process = types.SimpleNamespace(stdout=["oops"], wait=lambda: 1, kill=None)
    monkeypatch.setattr(gpu, "start_process", lambda *args: process)
    rows = []
    gpu.run_part("speed", gpu.time.monotonic() + 100, None, rows.append)
    (row,) = rows
    assert not row["right"] and "exit status 1" in row["failed"]


CLOCKS = {"clocks.max.sm": "1980", "driver_version": "580.1"}
FACTS = {"part": "facts", "name": "card", "card": "A", "date": "2026-11-30"}
FACTS |= {"compute_capability": 9.0, "multiprocessors": 132, "shared_bytes": 232448}
FACTS |= {"CUDA": "13.0", "CUDA of the driver": "13.1", "clocks": CLOCKS}
NAMES = ("tinygrad_rnn", "CuPy", "PyTorch", "NumPy", "Python")
FACTS |= {"versions": dict.fromkeys(NAMES, "1.0")}
ROWS = [
    FACTS,
    {
        "part": "speed",
        "name": "train",
        "ms": {"ours": 1.0, "PyTorch": 2.0},
        "ratio": {"PyTorch": 2.1},
        "difference": 1.2e-6,
    },
    {
        "part": "sanitizer",
        "name": "compute-sanitizer",
        "tools": {
            "memcheck": {"right": True, "summary": ["ERROR SUMMARY: 0 errors"]},
            "racecheck": {"right": False, "summary": ["1 hazard"]},
        },
    },
    {"part": "tests", "name": "pytest", "right": False, "outcomes": {"passed": 7}},
    {"part": "host", "name": "train", "failed": "it broke"},
]


def test_the_page_is_headed_by_the_gpus_name(modules, tmp_path):
    import report
    from card import tables

    text = tables.page(ROWS)
    assert text.startswith("### A\n\nMeasured on 2026-11-30: compute capability 9.0,")
    assert "| train | 1 | 2.10 (2) | 1e-06 |" in text
    assert "* compute-sanitizer, memcheck: no errors" in text
    assert "racecheck: NOT RIGHT" in text and "1 hazard" in text
    assert "* pytest: 7 passed" in text
    assert "* host, train: failed, it broke" in text
    assert tables.page([]) == tables.page(ROWS[1:]) == tables.NOT_MEASURED
    page = "<!-- gpu -->\nold\n<!-- end -->\n"
    (tmp_path / "benchmarks.md").write_text(page)
    report.fill_blocks({"gpu": text}, tmp_path)
    filled = (tmp_path / "benchmarks.md").read_text()
    assert filled == page.replace("old", text)


def test_the_last_result_on_the_last_gpu_counts(modules, tmp_path):
    from card import tables

    other = {"part": "speed", "name": "train", "ms": 3}
    again = {"part": "speed", "name": "train", "ms": 4}
    lines = [FACTS | {"card": "B"}, ROWS[4], FACTS, other, FACTS, again]
    (tmp_path / "gpu.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert tables.read(tmp_path) == [FACTS, again]
    assert tables.read(tmp_path / "nowhere") == []


def test_the_page_without_a_gpu_says_so(modules):
    import report
    from card import tables

    page = (report.DOCS / "benchmarks.md").read_text(encoding="utf-8")
    measured = "### " in page.partition("<!-- gpu -->")[2].partition("<!-- end -->")[0]
    assert measured or f"<!-- gpu -->\n{tables.NOT_MEASURED}\n<!-- end -->" in page


OUTPUTS = """
[gw0] [ 10%] PASSED tests/test_a.py::test_one[cuda-a b]
[gw1] [ 20%] FAILED tests/test_a.py::test_two[cuda]
tests/test_a.py::test_three[cuda] SKIPPED (why) [ 30%]
tests/test_a.py::test_four[cuda] PASSED [ 40%]
tests/test_a.py:12: in test_two
"""


def test_outcomes_are_read_from_a_run_that_was_cut(modules, monkeypatch):
    from card import tests

    monkeypatch.setattr(tests, "run", lambda command, seconds: (None, OUTPUTS))
    row = tests.count("tiny", 5.0)
    assert row["outcomes"] == {"passed": 2, "failed": 1, "skipped": 1}
    assert row["failures"] == ["tests/test_a.py::test_two[cuda]"]
    assert not row["right"] and "5 s" in row["left_out"]
    assert "tests/backend/test_devices.py" in tests.find_files("full")


def test_a_command_is_ended_with_all_it_started(modules):
    from card.commands import python, run

    code = "import subprocess, sys; print('begun', flush=True); "
    code += "subprocess.run([sys.executable, '-c', 'import time; time.sleep(99)'])"
    status, text = run(python("-c", code), 0.5)
    assert status is None and text in ("begun\n", "")
    assert run(python("-c", "print(1); exit(4)"), 60.0) == (4, "1\n")


def test_a_contender_that_fails_is_named_and_the_others_are_timed(modules, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", import_twins().launch.cupy)
    from card import speed

    build = speed.ours.build

    def build_on_cpu(work, arrays, how="", device="cuda"):
        if how:
            raise ValueError("it broke")
        return build(work, arrays)

    monkeypatch.setattr(speed.ours, "build", build_on_cpu)
    monkeypatch.setattr(speed.tg.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(speed, "find_torch", lambda: "not wanted")
    work = speed.Work("train", "lengths", "GRU", V=3, H=2, B=2, T=2)
    row = speed.measure(work, 0.0, 0.0)
    assert row["ms"].keys() == {"not compiled"} and row["rounds"] == 3
    assert row["errors"] == {"ours": "ValueError: it broke"} and not row["right"]


@pytest.fixture
def cubins(modules, monkeypatch):
    """The script that compiles, with the kernels' files of the emulator."""
    twins, name = import_twins(), "tinygrad_rnn.kernels.cupy"
    monkeypatch.setitem(sys.modules, "cupy", twins.launch.cupy)
    monkeypatch.setitem(sys.modules, name, twins.package)
    for part in ("launch", "plan"):
        monkeypatch.setitem(sys.modules, f"{name}.{part}", getattr(twins, part))
    path = [*sys.path]
    from card import cubins

    yield cubins
    sys.path[:] = path


@needs_compiler
def test_all_that_is_launched_is_compiled_beforehand(cubins, monkeypatch):
    launch, asked = import_twins().launch, set()
    make_module = launch._module

    def record(source, settings, *rest):
        asked.add((source, settings))
        return make_module(source, settings, *rest)

    monkeypatch.setattr(launch, "_module", record)
    launch._kernel.cache_clear()
    for kind, mode in (("rnn", BLOCK), ("lstm", CLUSTER), ("gru", GRID), ("gru", LOOP)):
        dtype = np.dtype("float64" if mode == LOOP else "float32")
        with planned(mode, tile=4):
            check_case(random_case(kind, mode, 1), dtype)
    launch._kernel.cache_clear()
    assert len(asked) >= 4 and asked <= {*cubins.variants("sm_90")}
    assert not any("-DMODE=1" in options for _, options in cubins.variants("sm_80"))


def test_only_what_is_missing_is_compiled(cubins, monkeypatch, tmp_path, capsys):
    compiled = []

    def compile_by_nvrtc(code, options, architecture):
        compiled.append((options, architecture))
        return {}, b"\x7fELF"

    monkeypatch.setattr(cubins, "compile_by_nvrtc", compile_by_nvrtc)
    for _ in range(2):
        cubins.compile_all(tmp_path / "cubins", "sm_90")
    assert len(compiled) == len({*cubins.variants("sm_90")})
    assert len([*(tmp_path / "cubins").iterdir()]) == len(compiled)
    assert all(options[-1] == "-ftz=true" for options, _ in compiled)
