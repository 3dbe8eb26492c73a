"""The results on a GPU as a section of docs/benchmarks.md."""

import json
from pathlib import Path

from report import markdown

NOT_MEASURED = "Not measured: no GPU was at hand."
VERSIONS = ("tinygrad_rnn", "CuPy", "PyTorch", "NumPy", "Python")
MODES = ("one block", "a cluster", "the grid")  # by their numbers in plan.py


def read(folder: Path) -> list[dict]:
    """Return the last rows of a folder for each item, on the GPU of the last run."""
    path, rows = folder / "gpu.jsonl", {}
    if not path.exists():
        return []
    card = None
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["part"] == "facts":
            if row.get("card") != card:
                rows.clear()
            card = row.get("card")
        rows[row["part"], row["name"]] = row
    return list(rows.values())


def page(rows: list[dict]) -> str:
    """Return all tables, under the name of the GPU."""
    facts = [row for row in rows if row["part"] == "facts" and "card" in row]
    if not facts:
        return NOT_MEASURED
    parts = [f"### {facts[-1]['card']}", describe(facts[-1])]
    for title, make in TABLES.items():
        if text := make(rows):
            parts.append(f"{title}\n\n{text}")
    return "\n\n".join(parts)


def describe(row: dict) -> str:
    versions = ", ".join(f"{name} {row['versions'][name]}" for name in VERSIONS)
    driver = row["clocks"]
    if isinstance(driver, dict):
        clock = f"{driver['clocks.max.sm']} MHz at most"
        driver = f"driver {driver['driver_version']}, {clock}"
    return (
        f"Measured on {row['date']}: compute capability {row['compute_capability']}, "
        f"{row['multiprocessors']} multiprocessors, {row['shared_bytes'] >> 10} KiB of "
        f"shared memory for a block; {driver}; CUDA {row['CUDA']} "
        f"(driver: {row['CUDA of the driver']}); {versions}."
    )


def of_part(rows: list[dict], part: str, key: str) -> list[dict]:
    """Return the rows of a part that have a result."""
    return [row for row in rows if row["part"] == part and key in row]


def correctness(rows: list[dict]) -> str:
    found = of_part(rows, "correctness", "error")
    cells = [
        [r["name"], f"{r['error']:.1e}", str(r["cases"]), "yes" if r["right"] else "NO"]
        for r in found
    ]
    return cells and markdown(["scan", "largest error", "cases", "right"], cells)


def speed(rows: list[dict]) -> str:
    found = of_part(rows, "speed", "ms")
    names = list(dict.fromkeys(name for row in found for name in row["ratio"]))

    def cell(row: dict, name: str) -> str:
        if name not in row["ratio"]:
            return "-"
        return f"{row['ratio'][name]:.2f} ({row['ms'][name]:.3g})"

    cells = [
        [
            row["name"],
            f"{row['ms']['ours']:.3g}" if "ours" in row["ms"] else "-",
            *[cell(row, name) for name in names],
            f"{row['difference']:.0e}" if "difference" in row else "-",
        ]
        for row in found
    ]
    head = ["work", "ours, ms", *[f"x {name} (ms)" for name in names], "difference"]
    return cells and markdown(head, cells)


def host(rows: list[dict]) -> str:
    cells = [
        [
            row["name"],
            name,
            str(found["launches"] or "-"),
            f"{found['host_ms']:.3g}",
            f"{found['ms']:.3g}",
        ]
        for row in of_part(rows, "host", "contenders")
        for name, found in row["contenders"].items()
    ]
    head = ["work", "who", "launches", "ms of Python", "ms until the GPU is done"]
    return cells and markdown(head, cells)


def tuning(rows: list[dict]) -> str:
    cells = []
    for row in of_part(rows, "tuning", "best"):
        best = row["best"][0] if row["best"] else None
        cells.append(
            [
                row["name"],
                f"{layout(row['chosen'])}: {row['chosen_us']:.2f}",
                f"{layout(best)}: {best['us']:.2f}" if best else "-",
                f"{row['loop_us']:.2f}",
                f"{row['tried']} of {row['fit']}",
            ]
        )
    head = ["scan", "chosen: us a step", "best: us a step", "loop", "plans tried"]
    return cells and markdown(head, cells)


def layout(plan: dict | None) -> str:
    if plan is None:
        return "loop"
    blocks = f" of {plan['ranks']}" if plan["mode"] else ""
    sizes = f"{plan['units']} units, {plan['slice']} sequences, tile {plan['tile']}"
    return f"{MODES[plan['mode']]}{blocks}, {sizes}"


def characters(rows: list[dict]) -> str:
    cells = [
        [row["name"], f"{row['chars_per_second']:,}", f"{row['val_loss']:.3f}"]
        for row in of_part(rows, "characters", "chars_per_second")
    ]
    head = ["model", "characters a second", "validation, nats"]
    return cells and markdown(head, cells)


def checks(rows: list[dict]) -> str:
    """Say how the tests and the sanitizer ended."""
    lines = []
    for row in of_part(rows, "tests", "outcomes"):
        counts = ", ".join(f"{n} {what}" for what, n in row["outcomes"].items())
        lines.append(f"* {row['name']}: {counts}")
    for row in of_part(rows, "sanitizer", "tools"):
        for tool, found in row["tools"].items():
            ended = "no errors" if found["right"] else f"NOT RIGHT, {found['summary']}"
            lines.append(f"* {row['name']}, {tool}: {ended}")
    return "\n".join(lines)


def left_out(rows: list[dict]) -> str:
    whys = {"failed": "failed", "left_out": "left out", "errors": "failed"}
    return "\n".join(
        f"* {row['part']}, {row['name']}: {word}, {row[key]}"
        for row in rows
        for key, word in whys.items()
        if key in row
    )


TABLES = {
    "Scans against the kernels for NumPy in float64:": correctness,
    "Tests:": checks,
    "Times, in turns with PyTorch on cuDNN:": speed,
    "A training step, from Python's side:": host,
    "The language model of characters, `examples/char_lm.py`:": characters,
    "Layouts of the scans (plan.py), chosen and best:": tuning,
    "Not measured:": left_out,
}
