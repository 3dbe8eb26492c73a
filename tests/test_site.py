"""The site of docs/, and the notebooks of the lessons. Needs the extra "docs"."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs import entries, pages

ROOT = Path(__file__).parent.parent
LESSONS = sorted((ROOT / "docs" / "lessons").glob("[0-9][0-9]-*.md"))
REPOSITORY = "https://example.org/fork"
pytestmark = pytest.mark.site


class Html(HTMLParser):
    """What a page loads, links to, and can be linked to at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "link" and given["rel"] in ("index", "search", "next", "prev"):
            self.links.append(given["href"])
        elif tag != "form":
            names = ("src", "srcset", "href", "data", "poster")
            self.loads += [given[name] for name in names if name in given]
        self.ids |= {given[name] for name in ("id", "name") if name in given}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    done = subprocess.run(
        [*command, "-b", "html", "docs", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def html(site: Path) -> dict[Path, Html]:
    return {path: Html(path) for path in site.rglob("*.html")}


def test_reading_needs_no_network(site: Path, html: dict[Path, Html]) -> None:
    assert len(html) > 15
    for path, page in html.items():
        for source in page.loads:
            local = source.startswith(("data:", "#")) or not urlsplit(source).netloc
            assert local, f"{path.relative_to(site)} loads {source}"
    for path in site.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        far = re.findall(r"""(?:url\(|@import)\s*["']?(?:https?:)?//\S+""", text)
        assert not far, f"{path.relative_to(site)} loads {far}"


def test_every_entry_of_the_reference_can_be_linked_to(
    site: Path, html: dict[Path, Html]
) -> None:
    for entry in entries.entries():
        page = (site / "reference" / entry.page).with_suffix(".html")
        names = {entry.name, f"module-{entry.name}"}
        assert names & html[page].ids, f"{page.name} lacks {entry.name}"


def test_links_within_the_site_lead_somewhere(
    site: Path, html: dict[Path, Html]
) -> None:
    for path, page in html.items():
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)) if parts.path else path
            where = f"{path.relative_to(site)} links to {link}"
            assert target.resolve().is_file(), where
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in html[target.resolve()].ids, where


def test_files_of_the_repository_are_linked_there(site: Path) -> None:
    text = (site / "adding-a-kernel.html").read_text()
    assert "/blob/main/tinygrad_rnn/engine/warned.py" in text
    assert "Keep a Changelog" in (site / "changelog.html").read_text()
    assert 'id="a-new-public-name"' in (site / "contributing.html").read_text()


def test_each_lesson_offers_its_notebook(site: Path, html: dict[Path, Html]) -> None:
    for page in LESSONS:
        path = site / "lessons" / f"{page.stem}.html"
        assert f"{page.stem}.ipynb" in html[path].links
        assert path.with_suffix(".ipynb").is_file()


LESSON = """# A title

Text with [a page](../design.md#more), [a lesson](01-next.md), [another
site](https://example.org) and `layers[0](x)`.

```math
h_t = 2
```

```python
seed = 0
print(seed)
fig.savefig("a.svg")
```

```text
0
```

![A line
rises](figures/a.svg)

More.

## Exercise

Do it.

<details><summary>Answer</summary>

So:

```python
print(1)
```

</details>
"""


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from docs import notebooks

    folder = tmp_path / "docs" / "lessons"
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "a.svg").write_text("<svg/>")
    (folder.parent / "design.md").touch()
    (folder / "01-next.md").touch()
    page = folder / "00-first.md"
    page.write_text(LESSON)
    monkeypatch.setattr(notebooks, "DOCS", folder.parent)
    return page


def test_a_notebook_shows_what_the_page_shows(lesson: Path) -> None:
    from docs import notebooks

    cells = notebooks.convert(lesson, REPOSITORY).cells
    kinds = "".join(cell.cell_type[0] for cell in cells)
    assert kinds == "mmcmmmc"
    title, text, code, more, answer, so, last = cells
    assert title.source.startswith("# A title\n") and REPOSITORY in title.source
    assert f"[a page]({REPOSITORY}/blob/main/docs/design.md#more)" in text.source
    assert "[a lesson](01-next.ipynb)" in text.source
    assert "[another\nsite](https://example.org) and `layers[0](x)`" in text.source
    assert "$$\nh_t = 2\n$$" in text.source
    printed, figure = code.outputs
    assert printed.text == "0\n"
    assert figure.data == {"image/svg+xml": "<svg/>", "text/plain": "A line\nrises"}
    assert more.source == "More.\n\n## Exercise\n\nDo it."
    assert answer.source == "### Answer"
    assert answer.metadata["jp-MarkdownHeadingCollapsed"]
    assert (so.source, last.source) == ("So:", "print(1)")


def test_a_notebook_without_answers_ends_with_the_exercise(lesson: Path) -> None:
    from docs import notebooks

    lesson.write_text(LESSON + "\nAfterwards.\n")
    cells = notebooks.convert(lesson, REPOSITORY, answers=False).cells
    assert "".join(cell.cell_type[0] for cell in cells) == "mmcm"
    assert cells[-1].source == "More.\n\n## Exercise\n\nDo it.\n\nAfterwards."


@pytest.mark.parametrize("page", LESSONS, ids=lambda page: page.stem)
def test_notebook_is_valid_and_complete(page: Path) -> None:
    import nbformat

    from docs import notebooks

    notebook = notebooks.convert(page, REPOSITORY)
    nbformat.validate(notebook)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert code == [block.code.rstrip() for block in pages.blocks(page)]
    figures = re.findall(r"^!\[", page.read_text(), re.M)
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    kinds = [out.output_type for out in outputs]
    assert kinds.count("display_data") == len(figures)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"!\[|</?(details|summary)>", cell.source)


@pytest.mark.parametrize("name", ["00-engine", "03-unrolling"])
def test_notebook_runs_in_jupyter(name: str, tmp_path: Path) -> None:
    """The figures show up by themselves: the page only saves them."""
    from nbclient import NotebookClient

    from docs import notebooks

    page = ROOT / "docs" / "lessons" / f"{name}.md"
    notebook = notebooks.convert(page, REPOSITORY)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, resources=resources).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    kinds = {"image/png", "image/svg+xml"}
    images = [out for out in outputs if kinds & {*out.get("data", ())}]
    figures = re.findall(r"^!\[", page.read_text(), re.M)
    assert len(images) == len(figures)
