"""The language model of characters from end to end: examples/char_lm.py."""

import json
import tempfile
from functools import partial
from pathlib import Path

from .commands import ROOT, last_lines, python, run

STEPS = {"full": 1500, "tiny": 2}
HIDDEN = {"full": 128, "tiny": 6}


def items(size):
    cells = ("rnn",) if size == "tiny" else ("rnn", "lstm", "gru")
    hidden = HIDDEN[size]
    return {
        f"{cell.upper()} H {hidden}": partial(train, cell, hidden, size)
        for cell in cells
    }


def train(cell, hidden, size, seconds):
    """Return the characters a second, in the last third of the steps."""
    steps = STEPS[size]
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text.txt")
        text.write_text(find_text()[: 30_000 if size == "tiny" else None], "utf-8")
        command = ["examples/char_lm.py", "--device", "cuda", "--json", "--text", text]
        command += ["--cell", cell, "--hidden", hidden, "--steps", steps]
        command += ["--val-every", -(-steps // 3)]
        status, printed = run(python(*command), seconds)
    reports = [json.loads(x) for x in printed.splitlines() if x.startswith("{")]
    if status is None and not reports:
        return {"left_out": f"no {-(-steps // 3)} steps in {seconds:.0f} s"}
    if status or not reports:
        return {"right": False, "printed": last_lines(printed, 20)}
    return {"steps": reports[-1]["step"], **reports[-1]}


def find_text():
    """Return the pages of the documentation, which are always at hand."""
    pages = sorted((ROOT / "docs").glob("*.md"))
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)
