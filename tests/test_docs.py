"""The Python blocks of README and docs run as they are, page by page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs import pages

ROOT = Path(__file__).parent.parent
LESSONS = sorted((ROOT / "docs" / "lessons").glob("*.md"))
PAGES = [
    ROOT / "README.md",
    *sorted(set((ROOT / "docs").rglob("*.md")).difference(LESSONS)),
]
PROSE = [*PAGES, *LESSONS, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
# Code and output, but not the tree of files in docs/design.md.
FENCED = re.compile(r"^```\w+\n.*?^```$", re.M | re.S)


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "docs/pages.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_prints_that_differ_are_told_apart() -> None:
    pages.check_print("loss 0.50 at 1.0e-08", "loss 0.52 at 1.1e-08")
    for other in (
        "loss 0.70 at 1.0e-08",
        "loss 0.50 at 1.0e-07",
        "Loss 0.50 at 1.0e-08",
        "loss",
    ):
        with pytest.raises(AssertionError, match="page shows"):
            pages.check_print("loss 0.50 at 1.0e-08", other)


@pytest.mark.parametrize("page", names([page for page in PAGES if pages.blocks(page)]))
def test_page_runs(page: str) -> None:
    done = run(page)
    assert done.returncode == 0, done.stderr


@pytest.mark.lessons
@pytest.mark.parametrize("page", names(LESSONS))
def test_lesson_runs(page: str) -> None:
    done = run(page)
    assert done.returncode == 0, done.stderr


PAGE = """A page.

```python
seed = 0
total = 1
print(seed, total)
```

```text
0 1
```

```python
print(total + 1.5)
```

```text
9.5
```
"""


def test_blocks_share_names_and_know_their_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    first, second = pages.blocks(page)
    assert (first.line, second.line) == (3, 13)
    assert pages.run(page) == ["0 1\n", "2.5\n"]
    assert pages.run(page, seed=7)[0] == "7 1\n"
    with pytest.raises(AssertionError, match="page.md, line 13"):
        pages.check(page, pages.run(page))


def test_comments_behind_a_print_say_what_it_prints(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for shown, holds in (("tensor(1)", True), ("tensor(2)", False)):
        page.write_text(f"```python\nprint('tensor(1)')  # {shown}\n```\n")
        if holds:
            pages.main([str(page)])
        else:
            with pytest.raises(AssertionError, match="tensor.2."):
                pages.main([str(page)])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.md"], "missing.md: expected a Markdown file"),
        (["page.txt"], "page.txt: expected a Markdown file"),
        (["."], "expected a Markdown file"),
        (["plain.md", "--seed", "3"], "no line 'seed = 0'"),
        (["page.md", "--seed", "3", "--write"], "leave --seed out"),
    ],
)
def test_wrong_arguments_say_so_before_a_page_runs(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "page.md").write_text(PAGE)
    (tmp_path / "page.txt").write_text(PAGE)
    (tmp_path / "plain.md").write_text("```python\nprint(1)\n```\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        pages.main(arguments)
    assert words in " ".join(capsys.readouterr().err.split())


def test_writing_a_page_brings_it_up_to_date(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace("\n0 1\n", "\nwhat an older version printed\n"))
    pages.main([str(page), "--write"])
    assert page.read_text() == PAGE.replace("9.5", "2.5")
    pages.main([str(page)])
    open_line = "```python\nprint(1.5, end='')\n```\n\n```text\n1.5\n```\n"
    page.write_text(open_line)
    pages.main([str(page), "--write"])
    assert page.read_text() == open_line
    pages.main([str(page)])


@pytest.mark.parametrize("page", names(LESSONS[:-1]))
def test_lesson_keeps_the_form(page: str) -> None:
    """One seed, an exercise, and an answer that folds: notebooks rely on that."""
    text = (ROOT / page).read_text()
    assert re.match(r"# (?!Lesson \d)\w.*\n\n\S", text)
    assert len(re.findall(r"^seed = 0$", text, re.M)) == 1
    parts = ("## What to look for\n", "## Exercise\n", "\n<details><summary>Answer")
    places = [text.index(part) for part in (*parts, "\n</details>\n")]
    assert places == sorted(places)
    assert text.count("<details>") == text.count("\n</details>\n")
    assert "assert " in text


def test_the_index_of_lessons_has_them_in_order() -> None:
    *lessons, index = LESSONS
    listed = re.findall(r"^\| (\d+) \| \[.*?\]\((.*?)\)", index.read_text(), re.M)
    expected = [(str(int(page.name[:2])), page.name) for page in lessons]
    assert listed == expected


def test_pages_link_to_what_is_there() -> None:
    for page in PROSE:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_pages_name_files_that_are_there() -> None:
    """A name may leave out the folders at its front, as in `engine/node.py`."""
    folders = ("benchmarks", "docs", "examples", "tests", "tinygrad_rnn")
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
