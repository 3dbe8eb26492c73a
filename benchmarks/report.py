"""Tables and a chart of results; as a script, it fills docs/benchmarks.md with them.

    python benchmarks/report.py DIR    # where `python benchmarks --out DIR` has written

In DIR it also finds what ``python benchmarks/gpu.py --out DIR`` has written.

On the page, what stands between ``<!-- NAME -->`` and ``<!-- end -->`` is replaced.
NAME is a part and its threads (``train 1``), ``machine``, ``memory``, ``losses`` (kinds
of work in which another contender is faster), ``chart`` or ``gpu``.
"""

import json
import re
import sys
from pathlib import Path

BLOCK = re.compile("<!-- (.*?) -->\n.*?<!-- end -->", re.S)
DOCS = Path(__file__).parent.parent / "docs"
COLOURS = {
    "ours": "#d62728",
    "not compiled": "#ff7f0e",
    "NumPy": "#9467bd",
    "PyTorch": "#1f77b4",
    "torch.compile": "#17becf",
    "JAX": "#2ca02c",
    "products": "#999999",
}
CONTENDERS = tuple(COLOURS)
OURS = CONTENDERS[:3]  # this package: compiled, not compiled, with kernels for NumPy


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def table(rows: list[dict]) -> str:
    """Our ms, and for each other contender the ratio and its ms."""
    names = [n for n in CONTENDERS[1:] if any(n in row["ms"] for row in rows)]

    def cell(row: dict, name: str) -> str:
        if name not in row["ms"]:
            return "-"
        return f"{row['ratio'][name]:.2f} ({row['ms'][name]:.3g})"

    return markdown(
        ["work", "ours, ms", *[f"x {name} (ms)" for name in names]],
        [
            [row["work"], f"{row['ms']['ours']:.3g}", *[cell(row, n) for n in names]]
            for row in rows
        ],
    )


def memory_table(rows: list[dict]) -> str:
    names = list(rows[0]["MB"])
    return markdown(
        ["work", *[f"{n}, MB" for n in names]],
        [[row["work"], *[f"{row['MB'][n]:.0f}" for n in names]] for row in rows],
    )


def losses(rows: list[dict]) -> str:
    """Where others are faster than ours: a line for each kind of work, ten at most."""
    kinds: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for name, ratio in row["ratio"].items():
            if name not in (*OURS, "products"):
                found = kinds.setdefault(kind_of(row), {})
                found.setdefault(name, []).append(ratio)
    lines = []
    for kind, found in kinds.items():
        cells = [f"{name}: {lost}" for name in found if (lost := lost_of(found[name]))]
        if cells:
            lines.append([kind, "; ".join(cells)])
    return markdown(["work", "faster than ours, in so many rows, at x"], lines)


def lost_of(ratios: list[float]) -> str:
    """Return how many ratios are below 1, and from where to where; "" for none."""
    lost = [ratio for ratio in ratios if ratio < 1]
    if not lost:
        return ""
    spread = dict.fromkeys([f"{min(lost):.2f}", f"{max(lost):.2f}"])
    return f"{len(lost)} of {len(ratios)}, {' - '.join(spread)}"


def kind_of(row: dict) -> str:
    """Return the kind of work in a row, in words."""
    part, sizes = row["part"], row["sizes"]
    if part == "layers":
        return f"nn.{sizes['cell']}"
    kinds = {
        "chain": "chain of 1,000 ops on 16 numbers",
        "cells": "training steps of a loop over cells",
        "forward": "forward only",
        "sample": "sampling",
        "hvp": "a Hessian-vector product",
    }
    if part in kinds:
        return kinds[part]
    size = "below" if sizes["B"] * sizes["H"] < 2000 else "of at least"
    return f"training steps, B x H {size} 2,000"


def chart(rows: list[dict], path: Path) -> None:
    """Time a step against T and against H, for each layer."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "", "font.size": 8}
    from matplotlib import pyplot as plt

    cells = list(dict.fromkeys(row["sizes"]["cell"] for row in rows))
    figure, axes = plt.subplots(
        2, len(cells), figsize=(9, 5), sharey="row", squeeze=False
    )
    for line, part in zip(axes, ("T", "H"), strict=True):
        for ax, cell in zip(line, cells, strict=True):
            chosen = [
                r for r in rows if r["part"] == part and r["sizes"]["cell"] == cell
            ]
            for name in CONTENDERS:
                points = [
                    (r["sizes"][part], r["ms"][name]) for r in chosen if name in r["ms"]
                ]
                if points:
                    # Against T: the time of one of the T steps, so that time in
                    # proportion to T is a level line.
                    ys = [ms / (t if part == "T" else 1) for t, ms in points]
                    xs = [x for x, _ in points]
                    ax.loglog(xs, ys, "o-", ms=3, lw=1, color=COLOURS[name], label=name)
            ax.set(xlabel=part, title=cell if part == "T" else None)
            ax.grid(alpha=0.3)
        line[0].set_ylabel("ms a time step" if part == "T" else "ms a training step")
    axes[0, 0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def blocks(results: dict, docs: Path) -> dict[str, str]:
    """The new contents of the page's blocks, by name."""
    rows = results["rows"]
    found = {}
    for part, threads in {(row["part"], row["threads"]): None for row in rows}:
        chosen = [r for r in rows if (r["part"], r["threads"]) == (part, threads)]
        found[f"{part} {threads}"] = table(chosen)
    versions = ", ".join(dict.fromkeys(results["versions"].values()))
    found["machine"] = (
        f"Measured on {results['date']}: {results['machine']}; {versions}."
    )
    found["losses"] = losses(rows)
    if results["memory"]:
        found["memory"] = memory_table(results["memory"])
    curves = [row for row in rows if row["part"] in ("T", "H")]
    if curves:
        chart(curves, docs / "benchmarks.svg")
        found["chart"] = "![time of a training step against T and H](benchmarks.svg)"
    return found


def fill(results: dict, docs: Path = DOCS) -> None:
    """Write the figures into the page."""
    fill_blocks(blocks(results, docs), docs)


def fill_blocks(found: dict[str, str], docs: Path = DOCS) -> None:
    """Write the blocks of these names anew."""
    page = docs / "benchmarks.md"

    def fill_block(match: re.Match) -> str:
        name = match[1]
        if name not in found:
            return match[0]
        return f"<!-- {name} -->\n{found[name]}\n<!-- end -->"

    text = BLOCK.sub(fill_block, page.read_text(encoding="utf-8"))
    page.write_text(text, encoding="utf-8")


def main(folder: Path) -> None:
    from card import tables  # which imports this file

    if rows := tables.read(folder):
        fill_blocks({"gpu": tables.page(rows)})
    if (path := folder / "results.json").exists() or not rows:
        fill(json.loads(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
