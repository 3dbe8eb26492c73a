"""Run the Python blocks of a page, in order and in one namespace, as a notebook does.

``python docs/pages.py PAGE ...`` runs pages and compares what each block prints
with the ``text`` block behind it. ``--write`` brings those blocks, and the figures that
the page saves, up to date instead; ``--seed N`` runs a lesson with another seed, and
compares nothing: its ``assert`` lines have to hold all the same.
"""

import argparse
import contextlib
import io
import math
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from shutil import copy

DOCS = Path(__file__).parent
# A block of code, and behind it what it prints, if the page shows that.
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", re.M | re.S)
NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?")
# A comment behind a print says what it prints.
COMMENT = re.compile(r"print\(.*\)  # (tensor\(.*)")
SEED = re.compile(r"^seed = 0$", re.M)


@dataclass(frozen=True)
class Block:
    """A Python block of a page.

    Attributes:
        code: Its source.
        shown: What the page shows that it prints, or None.
        line: The number of lines above its code.
        span: Where ``shown`` stands in the page's text.
    """

    code: str
    shown: str | None
    line: int
    span: tuple[int, int]


def blocks(page: Path) -> list[Block]:
    """Return the Python blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(*found.groups(), text.count("\n", 0, found.start(1)), found.span(2))
        for found in BLOCK.finditer(text)
    ]


def run(page: Path, figures: Path | None = None, seed: int = 0) -> list[str]:
    """Run a page in an empty folder and return what each of its blocks prints.

    Args:
        page: The page.
        figures: A folder for the SVG files that the page saves, or None.
        seed: What ``seed = 0`` becomes.
    """
    os.environ["SOURCE_DATE_EPOCH"] = "0"  # no date in figures
    os.environ.setdefault("MATPLOTLIBRC", str(DOCS / "matplotlibrc"))
    os.environ.setdefault("MPLBACKEND", "svg")
    namespace: dict[str, object] = {"__name__": "__main__"}
    printed = []
    found = blocks(page)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for block in found:
            source = SEED.sub(f"seed = {seed}", block.code)
            # Tracebacks name the page and its line.
            code = compile("\n" * block.line + source, str(page), "exec")
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(code, namespace)
            text = output.getvalue()
            # A fence stands on a line of its own.
            printed.append(text if text.endswith("\n") or not text else f"{text}\n")
        if figures is not None:
            for figure in Path().glob("*.svg"):
                figures.mkdir(exist_ok=True)
                copy(figure, figures)
    return printed


def check(page: Path, printed: list[str]) -> None:
    """Require that a page shows what its blocks print.

    Raises:
        AssertionError: It shows something else.
    """
    for block, output in zip(blocks(page), printed, strict=True):
        where = f"{page.name}, line {block.line}"
        if block.shown is not None:
            check_print(output, block.shown, where)
        for line in COMMENT.findall(block.code):
            assert line in output, f"{where} prints\n{output}\nwithout {line}"


def check_print(printed: str, shown: str, where: str = "page") -> None:
    """Require the same words; numbers may differ a little between machines.

    Raises:
        AssertionError: They differ.
    """
    message = f"{where} shows\n{shown}\nbut prints\n{printed}"
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown), message
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True)
    for found, expected in pairs:
        rounding = 0.0 if "e" in expected else 0.06
        close = math.isclose(
            float(found), float(expected), rel_tol=0.2, abs_tol=rounding
        )
        assert close, message


def write(page: Path, printed: list[str]) -> None:
    """Bring what a page shows up to date with what its blocks print."""
    text = page.read_text(encoding="utf-8")
    for block, output in reversed(list(zip(blocks(page), printed, strict=True))):
        if block.shown is not None:
            start, end = block.span
            text = text[:start] + output + text[end:]
    page.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Run pages from the command line."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("pages", nargs="+", type=Path, help="Markdown files")
    parser.add_argument("--seed", type=int, default=0, help="the lesson's seed")
    parser.add_argument(
        "--write", action="store_true", help="update printed output and figures"
    )
    options = parser.parse_args(arguments)
    for page in options.pages:
        if page.suffix != ".md" or not page.is_file():
            parser.error(f"{page}: expected a Markdown file")
        if options.seed and not any(SEED.search(block.code) for block in blocks(page)):
            parser.error(f"{page} has no line 'seed = 0' that --seed could change")
    if options.seed and options.write:
        parser.error("--write keeps what seed 0 prints; leave --seed out")
    for page in map(Path.resolve, options.pages):
        figures = page.parent / "figures" if options.write else None
        printed = run(page, figures, options.seed)
        if options.write:
            write(page, printed)
        elif options.seed == 0:
            check(page, printed)
        print(f"{page.name}: {len(printed)} blocks")


if __name__ == "__main__":
    sys.path.insert(0, str(DOCS.parent))
    main()
