"""The site: ``python -m sphinx -W -b html docs out``, with the extra ``docs``.

Pages are Markdown that also reads well on GitHub. What the site makes of it is done
here: links to files outside this folder, the list of pages that an index gives, the
notebook of each lesson, and mathematics. Building and reading need no network.
"""

import os
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import tinygrad_rnn  # noqa: E402
from docs import entries, notebooks  # noqa: E402

DOCS = ROOT / "docs"
# An accent and what it stands on: docutils puts an index that follows below them.
ACCENT = re.compile(
    r"\\(?:bar|hat|tilde|vec|dot|ddot)\b\s*(?:\{[^{}]*\}|\\[A-Za-z]+|\w)"
)
STIFF = '<mo stretchy="false">'
LOGGER = logging.getLogger(__name__)
# Files of the repository that are pages of the site, where a stub stands for them.
MOVED = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}

project = "tinygrad_rnn"
author = "The tinygrad_rnn authors"
copyright = author
version = release = tinygrad_rnn.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "Thumbs.db", ".DS_Store"]
nitpicky = True
nitpick_ignore_regex = [("py:class", ".*")]  # types of signatures without an entry

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 4

autodoc_typehints = "none"  # signatures are those of docs/entries.py
python_maximum_signature_line_length = 80
python_trailing_comma_in_multi_line_signatures = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Shape"]

html_theme = "furo"
html_title = f"tinygrad_rnn {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"
html_theme_options = {"top_of_page_buttons": []}

linkcheck_anchors = False
linkcheck_timeout = 20


def repository() -> str:
    """Return the repository's address: a fork's, where its workflow gives it."""
    cited = re.search(
        r'^repository-code: "(.*?)"',
        (ROOT / "CITATION.cff").read_text(encoding="utf-8"),
        re.M,
    )
    assert cited is not None
    return os.environ.get("DOCS_REPOSITORY", cited[1])


def with_site_links(text: str, folder: Path) -> str:
    """Return Markdown whose links to files of the repository work on the site.

    Args:
        text: A page.
        folder: The folder of the file it comes from.
    """

    def link(found: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / found[1]))
        if not target.exists() or not target.is_relative_to(ROOT):
            return found[0]  # such as `layers[0](x)` in code
        path = target.relative_to(ROOT).as_posix()
        if path in MOVED:
            path = f"docs/{MOVED[path]}"
        if path.startswith("docs/"):
            return f"](/{path.removeprefix('docs/')}{found[2] or ''})"
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"]({repository()}/{kind}/main/{path}{found[2] or ''})"

    return re.sub(r"\]\((?!\w+:|/|#)([^\s)#]+)(#[^\s)]*)?\)", link, text)


def with_page_list(text: str, docname: str) -> str:
    """Return an index page with its table of contents.

    That is what its lists and tables link to, under their headings, and then the other
    pages of its folder.
    """
    folder = DOCS / Path(docname).parent
    pages = {*folder.glob("*.md"), *folder.glob("*/index.md")} - {folder / "index.md"}
    names = {page.relative_to(folder).with_suffix("").as_posix() for page in pages}
    lists: dict[str, list[str]] = {}
    caption = ""
    for line in text.splitlines():
        if line.startswith("## "):
            caption = line.removeprefix("## ")
        elif line.startswith(("* ", "| ")):
            for name in re.findall(r"\]\(([\w./-]+)\.md\)", line):
                if name in names:
                    names.remove(name)
                    lists.setdefault(caption, []).append(name)
    if names:
        lists.setdefault("", []).extend(sorted(names))
    for caption, listed in lists.items():
        option = f":caption: {caption}\n" * bool(caption)
        body = "\n".join(listed)
        text += f"\n```{{toctree}}\n:hidden:\n{option}\n{body}\n```\n"
    return text


def read_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Make of a Markdown page what the site shows."""
    path = app.env.doc2path(docname)
    if path.suffix != ".md":
        return
    for original, stub in MOVED.items():
        if docname == stub.removesuffix(".md") != "index":
            path = ROOT / original
            app.env.note_dependency(str(path))
            source[0] = path.read_text(encoding="utf-8")
    text = source[0]
    if path.name == "index.md" and "{toctree}" not in text:
        text = with_page_list(text, docname)
    text = with_site_links(text, path.parent)
    if notebooks.is_lesson(path):
        name = f"{path.stem}.ipynb"
        link = f'<a class="notebook" href="{name}" download>Download as a notebook</a>'
        title, rest = text.split("\n", 1)
        text = f"{title}\n\n{link}\n{rest}"
    source[0] = text


def write_notebooks(app: Sphinx, exception: Exception | None) -> None:
    """Write the notebook of each lesson beside its page."""
    if exception is None and app.builder.format == "html":
        for page in notebooks.lessons():
            notebooks.write(page, Path(app.outdir, "lessons"), repository())


def mathml(node: nodes.Element, as_block: bool = False) -> str:
    """Return an equation as MathML, which browsers lay out without scripts."""
    source = re.sub(r"\\dots\b", r"\\ldots", node.astext())  # docutils lacks it
    source = ACCENT.sub(r"{{}\g<0>}", source)
    try:
        equation = tex2mathml(source, as_block=as_block)
    except MathError as error:
        LOGGER.warning("%s in the equation %s", error, source, location=node)
        return ""
    if r"\left" in source:
        return equation
    # Otherwise no delimiter is to stretch to the height of the line.
    return re.sub(r"<mo( class=\"\w+\")?>(?=[⟨⟩⌊⌋⌈⌉‖|])", STIFF, equation)


def visit_math(self: nodes.NodeVisitor, node: nodes.math) -> None:
    """Write an equation within a line."""
    self.body.append(mathml(node))
    raise nodes.SkipNode


def visit_math_block(self: nodes.NodeVisitor, node: nodes.math_block) -> None:
    """Write an equation on a line of its own."""
    equation = mathml(node, as_block=True)
    self.body.append(f'<div class="equation">{equation}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Tell Sphinx of what is defined here."""
    entries.setup(app)
    app.connect("source-read", read_page)
    app.connect("build-finished", write_notebooks)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
