"""Turn lessons into notebooks.

``python docs/notebooks.py FOLDER`` writes the notebook of every lesson there. A block
of code becomes a cell, the same one that docs/pages.py runs; what the page shows that
it prints, and its figures, become the cell's output. ``--no-answers`` leaves out the
answers to the exercises, for students.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode, v4

DOCS = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(DOCS.parent))

from docs.pages import BLOCK  # noqa: E402

FIGURE = re.compile(r"^!\[([^\]]*)\]\((\S+?)\)\n*", re.M)
ANSWER = re.compile(r"^<details>\s*<summary>(.*?)</summary>\n*", re.M)
ANSWERS = re.compile(r"^<details>.*?^</details>\n*", re.M | re.S)
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#|/)([^)]+)\)")
DISPLAYED = re.compile(r"^```math\n(.*?)\n```$", re.M | re.S)
HOW_TO_RUN = (
    "This is the notebook of a lesson of [tinygrad_rnn]({repository}). It needs the "
    "package with the extra `examples` where its kernel runs: "
    '`python -m pip install ".[examples]"` in a clone of the repository.'
)


def lessons() -> list[Path]:
    """Return the pages of the lessons, in their order."""
    return sorted((DOCS / "lessons").glob("[0-9][0-9]-*.md"))


def is_lesson(page: Path) -> bool:
    """Return whether a page is a lesson."""
    return page in lessons()


def convert(page: Path, repository: str, answers: bool = True) -> NotebookNode:
    """Return a lesson as a notebook.

    Args:
        page: The lesson.
        repository: The address of the repository, or the path to a clone of it: where
            links to its other files lead.
        answers: Whether the answers to the exercises are in it.
    """
    text = page.read_text(encoding="utf-8")
    if not answers:
        text = ANSWERS.sub("", text)
    title, text = text.split("\n", 1)
    about = HOW_TO_RUN.format(repository=repository)
    cells = [v4.new_markdown_cell(f"{title}\n\n{about}")]
    end = 0
    for found in BLOCK.finditer(text):
        _add_prose(cells, text[end : found.start()], page, repository)
        code, shown = found.groups()
        outputs = [v4.new_output("stream", text=shown)] if shown else []
        cells.append(v4.new_code_cell(code.rstrip(), outputs=outputs))
        end = found.end()
    _add_prose(cells, text[end:], page, repository)
    for number, cell in enumerate(cells):
        cell["id"] = f"{page.stem}-{number}"
    notebook = v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def _add_prose(
    cells: list[NotebookNode], text: str, page: Path, repository: str
) -> None:
    """Append Markdown between two blocks of code as cells.

    Figures go to the output of the cell that draws them, the one above. An answer that
    folds becomes a heading that folds.
    """
    for alt, target in FIGURE.findall(text):
        figure = page.parent / target
        if not figure.exists():
            continue  # Sphinx warns of it
        data = {"image/svg+xml": figure.read_text(encoding="utf-8"), "text/plain": alt}
        cells[-1].outputs.append(v4.new_output("display_data", data))
    text = FIGURE.sub("", text)
    text = DISPLAYED.sub(r"$$\n\1\n$$", text)
    text = LINK.sub(lambda found: _link(found, page, repository), text)
    text = re.sub(r"^</details>$", "", text, flags=re.M)
    # Between the parts stand the titles of the answers.
    for index, part in enumerate(ANSWER.split(text)):
        if index % 2:
            cell = v4.new_markdown_cell(f"### {part}")
            cell.metadata["jp-MarkdownHeadingCollapsed"] = True
            cells.append(cell)
        elif part.strip():
            cells.append(v4.new_markdown_cell(part.strip()))


def _link(found: re.Match[str], page: Path, repository: str) -> str:
    """Return a link that works in a downloaded notebook."""
    words, target = found.groups()
    path, _, anchor = target.partition("#")
    linked = (page.parent / path).resolve()
    if not linked.exists():
        return found[0]  # such as `layers[0](x)` in code
    if is_lesson(linked):
        return f"[{words}]({linked.stem}.ipynb)"
    name = linked.relative_to(DOCS.parent.resolve()).as_posix()
    if repository.startswith("http"):
        name = f"blob/main/{name}"
    return f"[{words}]({repository}/{name}{'#' * bool(anchor)}{anchor})"


def write(page: Path, folder: Path, repository: str, answers: bool = True) -> Path:
    """Write the notebook of a lesson into a folder and return its path."""
    path = folder / f"{page.stem}.ipynb"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(convert(page, repository, answers), path)
    return path


def main() -> None:
    """Write all notebooks."""
    parser = argparse.ArgumentParser(description="Turn lessons into notebooks.")
    parser.add_argument("folder", type=Path, help="where the notebooks go")
    parser.add_argument(
        "--repository", default="..", help="what links to other files begin with"
    )
    parser.add_argument(
        "--no-answers",
        dest="answers",
        action="store_false",
        help="leave out the answers to the exercises",
    )
    options = parser.parse_args()
    for page in lessons():
        print(write(page, options.folder, options.repository, options.answers))


if __name__ == "__main__":
    main()
