"""All about one GPU in one command: what it is, what is right on it, and how fast.

    python benchmarks/gpu.py --compile-only CUBINS      # before, on any machine
    python benchmarks/gpu.py --cubins CUBINS --out DIR  # with the GPU: six minutes
    python benchmarks/report.py DIR                     # fills docs/benchmarks.md

It needs CuPy and the extra "test". Without ``--cubins``, compiling takes some of the
time; PyTorch (with CUDA) and compute-sanitizer are left out where they are missing.

The parts are facts (the GPU and the versions), correctness (each mode of the scans
against NumPy), tests (those marked gpu), sanitizer (memory and barriers), host (the
launches of a training step, and the time they take Python), characters
(examples/char_lm.py), tuning (the best plans of a scan) and speed (beside PyTorch).
Each has its share of ``--seconds``, and what it leaves over goes to those after it.
What does not fit is listed as left out.

Each result is written at once, as a line of JSON, to the terminal and to DIR/gpu.jsonl.
Lines of earlier runs stay there, so parts may be run one by one; the last line counts.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from card.tables import page

ROOT = Path(__file__).parent.parent
# In this order, with their shares of the time
SHARES = {
    "facts": 6,
    "correctness": 40,
    "tests": 76,
    "sanitizer": 50,
    "host": 20,
    "characters": 24,
    "tuning": 50,
    "speed": 95,
}
FAILED = 3  # the exit status of a process whose item failed
LEAST = 60  # seconds for the facts, without which the others are not worth much
GRACE = 3  # seconds after which a part that should have ended is ended
Write = Callable[[dict], None]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--parts", nargs="+", choices=SHARES, default=list(SHARES), metavar="PART")
    add("--seconds", type=float, default=360.0, help="time for all parts together")
    add("--size", choices=("full", "tiny"), default="full", help="tiny: to try it out")
    add("--out", type=Path, metavar="DIR", help="folder for gpu.jsonl")
    add("--cubins", type=Path, metavar="DIR", help="folder that --compile-only filled")
    add("--compile-only", type=Path, metavar="DIR", help="compile, without a GPU")
    add("--architecture", default="sm_90", help="for what kind of GPUs to compile")
    # How it calls itself, once for each part
    add("--part", choices=SHARES, help=argparse.SUPPRESS)
    add("--start", type=int, default=0, help=argparse.SUPPRESS)
    add("--no-pool", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


# ---- the process of a part


def serve(args: argparse.Namespace) -> None:
    """Run the items of one part from number ``start`` on, and print the results.

    After an error the process ends, as the GPU may be of no more use to it.
    """
    if args.no_pool:  # so that the sanitizer sees where an array ends
        import cupy

        cupy.cuda.set_allocator(None)
    end = time.monotonic() + args.seconds
    items = importlib.import_module(f"card.{args.part}").items(args.size)
    print(json.dumps({"items": list(items)}), flush=True)
    todo = list(items.items())[args.start :]
    for number, (name, measure) in enumerate(todo):
        begin = time.monotonic()
        if begin > end:
            return
        try:
            found = measure((end - begin) / (len(todo) - number))
        except Exception as error:
            found = {"right": False, "failed": f"{type(error).__name__}: {error}"}
        row = {"part": args.part, "name": name, **found}
        row["seconds"] = round(time.monotonic() - begin, 2)
        print(json.dumps(row, default=float), flush=True)
        if "failed" in found:
            os._exit(FAILED)  # at once: the usual way may wait for the GPU


# ---- the process that starts the others


def environment(args: argparse.Namespace) -> dict[str, str]:
    """Return the environment of a process: what it prints is seen at once."""
    found = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **os.environ}
    found["PYTHONUNBUFFERED"] = "1"
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    found["PYTHONPATH"] = os.pathsep.join(paths)
    if args.cubins:
        found["TINYGRAD_RNN_CUBINS"] = str(args.cubins.resolve())
    return found


def start_process(
    part: str, start: int, seconds: float, args: argparse.Namespace
) -> subprocess.Popen:
    command = [sys.executable, __file__, "--part", part, "--size", args.size]
    command += ["--start", str(start), "--seconds", str(seconds)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(args)
    )


def run_part(part: str, end: float, args: argparse.Namespace, write: Write) -> None:
    """Run the items of a part until a point in time; write what was left out, too.

    When an item fails or ends its process, another one goes on with the next item.
    """
    names, done = None, 0
    while (left := end - time.monotonic()) > 0:
        process = start_process(part, done, left, args)
        killer = threading.Timer(left + GRACE, process.kill)
        killer.start()
        for line in filter(lambda text: text.startswith("{"), process.stdout):
            row = json.loads(line)
            if "items" in row:
                names = row["items"]
            else:
                write(row)
                done += 1
        status = process.wait()
        killer.cancel()
        if names is None:
            why = f"the part did not start: exit status {status}"
            write({"part": part, "name": part, "right": False, "failed": why})
            return
        if status not in (0, FAILED) and time.monotonic() < end:
            why = f"the process ended with exit status {status}"
            failed = {"part": part, "name": names[done], "right": False, "failed": why}
            write(failed)
            done += 1
        if status == 0 or done == len(names):
            break
    for name in (names or [part])[done:]:
        write({"part": part, "name": name, "left_out": "there was no time left"})


class Results:
    """The rows so far; each is printed and written as it comes."""

    def __init__(self, folder: Path | None) -> None:
        self.rows: list[dict] = []
        self.path = folder and folder / "gpu.jsonl"
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, row: dict) -> None:
        self.rows.append(row)
        text = json.dumps(row)
        print(text, flush=True)
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text + "\n")


def run_parts(args: argparse.Namespace) -> list[dict]:
    """Run the parts in turn; return all rows."""
    results, begin = Results(args.out), time.monotonic()
    parts = dict.fromkeys(["facts", *args.parts])  # the page needs the facts
    total, gone = sum(SHARES[part] for part in parts), 0
    for part in parts:
        gone += SHARES[part]
        end = begin + args.seconds * gone / total
        if part == "facts":
            end = max(end, begin + LEAST)
        run_part(part, end, args, results.write)
        if part == "facts" and results.rows[-1].get("failed"):
            raise SystemExit("gpu.py needs a GPU and CuPy; see the error above")
    return results.rows


def main() -> None:
    args = arguments()
    sys.path.append(str(ROOT))
    if args.compile_only:
        from card.cubins import compile_all

        return compile_all(args.compile_only, args.architecture)
    if args.part:
        return serve(args)
    rows = run_parts(args)
    print(f"\n{page(rows)}")
    if wrong := [f"{r['part']}: {r['name']}" for r in rows if r.get("right") is False]:
        raise SystemExit("not right: " + "; ".join(wrong))


if __name__ == "__main__":
    main()
