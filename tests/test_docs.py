"""The Python blocks of README and docs run as they are, each in its own process."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROSE = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
# Code and output, but not the tree of files in docs/design.md.
FENCED = re.compile(r"^```\w+\n.*?^```$", re.M | re.S)
# A block of code, and behind it what it prints, if the page shows that.
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", re.M | re.S)
BLOCKS = [
    pytest.param(*found.groups(), id=f"{page.name}-{i}")
    for page in PAGES
    for i, found in enumerate(BLOCK.finditer(page.read_text()))
]
NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?")


def same_print(printed: str, shown: str) -> None:
    """Require the same words; numbers may differ a little between machines."""
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown), printed
    for found, expected in zip(
        NUMBER.findall(printed), NUMBER.findall(shown), strict=True
    ):
        rounding = 0.0 if "e" in expected else 0.06
        assert float(found) == pytest.approx(float(expected), rel=0.2, abs=rounding), (
            printed
        )


def test_prints_that_differ_are_told_apart() -> None:
    same_print("loss 0.50 at 1.0e-08", "loss 0.52 at 1.1e-08")
    for other in (
        "loss 0.70 at 1.0e-08",
        "loss 0.50 at 1.0e-07",
        "Loss 0.50 at 1.0e-08",
        "loss",
    ):
        with pytest.raises(AssertionError):
            same_print("loss 0.50 at 1.0e-08", other)


@pytest.mark.parametrize(("block", "shown"), BLOCKS)
def test_block_runs(block: str, shown: str | None, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    if shown is not None:
        same_print(run.stdout, shown)
    # A comment behind a print says what it prints.
    expected = re.findall(r"print\(.*\)  # (tensor\(.*)", block)
    for line in expected:
        assert line in run.stdout


def test_pages_link_to_what_is_there() -> None:
    for page in PROSE:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_pages_name_files_that_are_there() -> None:
    """A name may leave out the folders at its front, as in `engine/node.py`."""
    folders = ("benchmarks", "examples", "tests", "tinygrad_rnn")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    there = {f"/{path.relative_to(ROOT).as_posix()}" for path in files}
    there.add("/setup.py")
    for page in PROSE:
        text = FENCED.sub("", page.read_text())
        for name in re.findall(r"\b[\w/]+\.py\b", text):
            assert any(path.endswith(f"/{name}") for path in there), (
                f"{page.name} names {name}"
            )


def test_design_names_the_parts_of_the_package() -> None:
    """All at the top, and the modules of the two folders that are read first."""
    text = (ROOT / "docs" / "design.md").read_text()
    package = ROOT / "tinygrad_rnn"
    names = [f"{path.name}/" for path in package.iterdir() if path.is_dir()]
    names += [path.name for path in package.glob("*.py")]
    for folder in ("engine", "nn"):
        names += [path.stem for path in (package / folder).glob("*.py")]
    for name in names:
        if not name.startswith("_"):
            assert re.search(rf"\b{name}", text), f"docs/design.md lacks {name}"
