"""This package side by side with PyTorch, torch.compile and JAX: medians and ratios.

"ours" runs the kernels in C, if they are built, under ``tg.compile``; "not compiled"
the same kernels without it, and "NumPy" the kernels for NumPy, not compiled.

    python benchmarks [--parts train sample ...] [--only TEXT] [--threads 1 2] [--out
    DIR]

The parts are train, dense (float features instead of ids), forward, cells (a loop over
cells), layers (other layers, each alone), sample (one character at batch 1), chain (the
cost of an op), hvp (a Hessian-vector product), overhead (what replaying costs), T and H
(time against length and width), and memory. A contender that is
not installed is named and left out; the extra "bench" installs all of them. A row is
timed only if all contenders compute the same. A ratio is the median over the rounds of
a contender's time divided by ours: above 1, ours is faster. "products" are the bare
matrix products of a row in NumPy.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from report import CONTENDERS, OURS, memory_table, table
from turns import Absent, Contender, rounds
from works import Work, works

# Those of CONTENDERS, with the options of their ``build``.
MODULES = (
    *("ours compiled", "ours", "ours numpy"),
    *("pytorch", "pytorch compiled", "jaxjit", "products"),
)
# The parts that more threads may speed up, and the others.
ALL_THREADS = ("train", "dense", "forward", "sample")
ONE_THREAD = ("cells", "layers", "chain", "hvp", "overhead", "T", "H", "memory")
PARTS = (*ALL_THREADS, *ONE_THREAD)
WITH_MEMORY = ("ours", "PyTorch", "JAX")  # the contenders whose memory is measured


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    add("--only", default="", help="rows whose name has this in it")
    add("--threads", nargs="+", type=int, default=sorted({1, os.cpu_count() or 1}))
    add("--against", nargs="*", choices=CONTENDERS[1:], default=CONTENDERS[1:])
    add("--seconds", type=float, default=6.0, help="time for each row")
    add(
        "--out",
        type=Path,
        help="a folder for results.json; earlier rows in it are kept",
    )
    return parser.parse_args()


@contextmanager
def start_contenders(
    names: list[str], threads: int
) -> Iterator[tuple[dict[str, Contender], dict[str, str]]]:
    """The contenders that are installed, and why the others are not.

    At the end of the block their processes are killed: a stopped child would otherwise
    wait for ever.
    """
    there, absent = {}, {}
    with ExitStack() as stack:
        for name, module in zip(CONTENDERS, MODULES, strict=True):
            if name not in names:
                continue
            try:
                there[name] = stack.enter_context(closing(Contender(module, threads)))
            except Absent as error:
                absent[name] = str(error)
        if "ours" not in there:
            raise SystemExit(f"tinygrad_rnn cannot be measured: {absent['ours']}")
        yield there, absent


class WrongResult(Exception):
    """A row in which a contender computes something else."""


def takes_part(name: str, part: str, work: Work) -> bool:
    if part == "overhead":
        return name in OURS or (name, work.kind) == ("products", "calls")
    # JAX would compile the loop into what it makes of a layer.
    if part in ("cells", "layers", "hvp"):
        return name in (*OURS, "PyTorch")
    if part in ("dense", "T", "H") and name in OURS:
        return name == "ours"
    if name == "products":
        return work.kind in ("train", "forward")
    # Compiling takes up to a minute a row; the other parts show what it changes.
    return name != "torch.compile" or part not in ("T", "H")


def differences(values: dict, expected: dict, steps: int = 1) -> list[str]:
    """Which of a contender's first values differ from ours by more than rounding.

    Sums over many steps accumulate rounding: from 1,000 steps on, the bound grows with
    the square root of their number.
    """
    import numpy as np

    wrong = []
    for name, ours in expected.items():
        theirs = values[name]
        bound = 2e-5 * max(1.0, steps / 1000) ** 0.5 * np.abs(ours).max()
        if theirs.shape != ours.shape or not np.abs(theirs - ours).max() <= bound:
            wrong.append(f"{name}: {theirs.ravel()[:3]} for {ours.ravel()[:3]}")
    return wrong


def measure(work: Work, contenders: dict[str, Contender], seconds: float) -> dict:
    """One row: medians in milliseconds, and ratios."""
    values = {
        name: contender.ask("build", work) for name, contender in contenders.items()
    }
    for name in values.keys() - {"products"}:
        if wrong := differences(values[name], values["ours"], work.T):
            raise WrongResult(
                f"{work}: {name} does not compute what ours does: {'; '.join(wrong)}"
            )
    times = rounds(contenders, seconds)
    ratios = {  # round by round: both saw the same machine
        name: statistics.median(
            o / own for o, own in zip(found, times["ours"], strict=True)
        )
        for name, found in times.items()
    }
    return {
        "ms": {name: statistics.median(found) for name, found in times.items()},
        "ratio": {name: ratio for name, ratio in ratios.items() if name != "ours"},
        "rounds": len(times["ours"]),
    }


def memory(work: Work, names: list[str]) -> dict:
    """One row: MB at the peak of a few steps, beyond the imports, in new processes."""
    names = [name for name in names if name in WITH_MEMORY]
    with start_contenders(names, threads=1) as (contenders, _):
        found = {name: c.ask("memory", work) for name, c in contenders.items()}
    return {"work": str(work), "sizes": vars(work), "MB": found}


class Results:
    """The rows that have been measured; with a folder, also those of earlier runs.

    So a run may be taken in pieces. A row that is measured again replaces the old one.
    Rows of another machine, or of other versions, are dropped.
    """

    def __init__(self, folder: Path | None) -> None:
        python = f"Python {platform.python_version()}"
        machine = f"{platform.machine()}, {os.cpu_count()} cores, {python}"
        self.folder = folder
        self.found = {"machine": machine, "versions": {}, "rows": [], "memory": []}
        if folder and (file := folder / "results.json").exists():
            before = json.loads(file.read_text(encoding="utf-8"))
            self.found = before if before["machine"] == machine else self.found

    def set_versions(self, versions: dict[str, str]) -> None:
        known = self.found["versions"]
        if any(
            known.get(name, version) != version for name, version in versions.items()
        ):
            self.found |= {"versions": {}, "rows": [], "memory": []}
        self.found["versions"] |= versions

    def add(self, kind: str, row: dict) -> None:
        self.found["date"] = row["date"] = time.strftime("%Y-%m-%d")
        rows = self.found[kind]
        keys = [self._key(old) for old in rows]
        if self._key(row) in keys:
            rows[keys.index(self._key(row))] = row
        else:
            rows.append(row)
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.found, indent=1)
            (self.folder / "results.json").write_text(text, encoding="utf-8")

    @staticmethod
    def _key(row: dict) -> list:
        return [row.get(name) for name in ("part", "threads", "work")]


def measure_part(
    part: str,
    threads: int,
    todo: list[Work],
    contenders: dict[str, Contender],
    results: Results,
    seconds: float,
) -> list[str]:
    """Measure the rows of one part and print them; return why others were left out."""
    rows, failed = [], []
    for work in todo:
        taking_part = {n: c for n, c in contenders.items() if takes_part(n, part, work)}
        row = {"part": part, "threads": threads, "work": str(work), "sizes": vars(work)}
        try:
            rows.append(row | measure(work, taking_part, seconds))
        except WrongResult as error:
            failed.append(str(error))
            print(f"left out: {error}", flush=True)
            continue
        results.add("rows", rows[-1])
        print(table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    if rows:
        print(f"\n{part}, {threads} thread(s)\n\n{table(rows)}", flush=True)
    return failed


def main() -> None:
    args = arguments()
    chosen = {p: [w for w in works(p) if args.only in str(w)] for p in args.parts}
    names = ["ours", *args.against]
    results, failed = Results(args.out), []
    print(results.found["machine"])
    for threads in args.threads:
        with start_contenders(names, threads) as (contenders, absent):
            versions = {
                name: contender.version for name, contender in contenders.items()
            }
            results.set_versions(versions)
            if threads == args.threads[0]:
                print(", ".join(dict.fromkeys(versions.values())))
                for name, why in absent.items():
                    print(f"{name} is left out: {why}")
            for part, todo in chosen.items():
                if part == "memory" or (
                    part not in ALL_THREADS and threads != args.threads[0]
                ):
                    continue
                failed += measure_part(
                    part, threads, todo, contenders, results, args.seconds
                )
    rows = [memory(work, names) for work in chosen.get("memory", ())]
    for row in rows:
        results.add("memory", row)
    if rows:
        print(f"\npeak memory beyond the imports, MB\n\n{memory_table(rows)}")
    if failed:
        raise SystemExit("not all compute what ours does: " + "; ".join(failed))


if __name__ == "__main__":
    main()
