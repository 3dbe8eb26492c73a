"""The long runs of lesson 5, and what the page shows of them."""

import math
import sys
from pathlib import Path

import pytest

from docs import pages
from docs.lessons import distance_runs

LESSONS = Path(__file__).parent.parent / "docs" / "lessons"


def test_lesson_shows_the_medians_of_the_file() -> None:
    (table,) = (
        block.code
        for block in pages.blocks(LESSONS / "05-distance.md")
        if "far = {" in block.code
    )
    shown: dict[str, object] = {}
    exec(table.partition("\nfig")[0], shown)
    path = LESSONS / "distance.csv"
    assert shown["far"] == distance_runs.medians(path)
    distances = {int(row["distance"]) for row in distance_runs.rows(path)}
    assert shown["distances"] == sorted(distances)


def test_program_writes_what_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runs.csv"
    settings = "--distances 4 6 --seeds 2 --steps 1".split()
    monkeypatch.setattr(
        sys, "argv", ["distance_runs.py", "--out", str(path), *settings]
    )
    distance_runs.main()
    assert len(distance_runs.rows(path)) == 2 * 4 * 2 * 2
    for cells in distance_runs.medians(path).values():
        assert set(cells) == set(distance_runs.CELLS)
        assert all(len(errors) == 2 for errors in cells.values())
        assert all(
            math.isfinite(error) for errors in cells.values() for error in errors
        )


def test_tasks_are_what_they_say() -> None:
    x, y = distance_runs.adding(9, 50)
    marks = x[:, :, 1]
    assert marks[:4].sum(0).tolist() == marks[4:].sum(0).tolist() == [1.0] * 50
    assert (x[:, :, 0] * marks).sum(0).tolist() == y.flatten().tolist()
    ids, letters = distance_runs.copying(7, 50)
    assert ids.shape == (13, 50)
    assert ids[:3].tolist() == letters.tolist()
    assert set(ids[3:10].flatten().tolist()) == {4}
    assert set(ids[10:].flatten().tolist()) == {5}
