"""Memory and time of a training step over a long text, with and without recomputation.

Each row runs in its own process. Peak memory is that of a step (forward and backward)
beyond what the process held before, as the system counts it (resident) and as
tracemalloc does (allocated). Milliseconds are those of the fastest of a few steps,
measured separately.

Legend: T time, B batch.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
import tracemalloc

WAYS = ("whole", "recomputed")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--steps", type=int, nargs="*", default=[1_000, 10_000, 100_000]
    )
    parser.add_argument("--batch", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--cell", default="RNN", choices=["RNN", "LSTM", "GRU"])
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--chunk", type=int, default=None, help="steps in a chunk, sqrt(T) if left out"
    )
    parser.add_argument(
        "--one", default="", choices=["", *WAYS], help=argparse.SUPPRESS
    )
    parser.add_argument("--trace", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(args: argparse.Namespace) -> dict[str, float]:
    """One row's figures, in this process."""
    import tinygrad_rnn as tg
    import tinygrad_rnn.nn.functional as F
    from tinygrad_rnn import nn
    from tinygrad_rnn.utils.checkpoint import checkpoint_sequence

    (steps,), (batch,) = args.steps, args.batch
    tg.manual_seed(0)
    rnn, head = getattr(nn, args.cell)(65, args.hidden), nn.Linear(args.hidden, 65)
    text = tg.randint(65, (steps + 1, batch))
    parameters = [*rnn.parameters(), *head.parameters()]

    def loss(x, y, state=None):
        output, state = rnn(x, state)
        return F.cross_entropy(
            head(output).flatten(0, 1), y.flatten(), reduction="sum"
        ), state

    def step():
        if args.one == "whole":
            total, _ = loss(text[:-1], text[1:])
        else:
            total = sum(
                checkpoint_sequence(loss, text[:-1], text[1:], chunk=args.chunk)[0]
            )
        (total / (steps * batch)).backward()
        for parameter in parameters:
            parameter.grad = None

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if args.trace:
        tracemalloc.start()
        step()
        return {"allocated": tracemalloc.get_traced_memory()[1] / 2**20}
    step()
    resident = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
    times = []
    for _ in range(args.repeats):
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
    return {"resident": resident, "time": min(times)}


def row(args: argparse.Namespace, steps: int, batch: int, way: str) -> dict[str, float]:
    options = {
        "steps": steps,
        "batch": batch,
        "one": way,
        "cell": args.cell,
        "hidden": args.hidden,
        "repeats": args.repeats,
        "chunk": args.chunk,
    }
    command = [sys.executable, __file__]
    for name, value in options.items():
        if value is not None:
            command += [f"--{name}", str(value)]
    found: dict[str, float] = {}
    for more in ([], ["--trace"]):
        done = subprocess.run(
            command + more, capture_output=True, check=True, encoding="utf-8"
        )
        found |= json.loads(done.stdout)
    return found


def main() -> None:
    args = arguments()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if args.one:
        print(json.dumps(measure(args)))
        return
    machine = f"Python {platform.python_version()}, {platform.machine()}"
    print(f"{args.cell} 65, {args.hidden}; {machine}\n")
    print("| T | B | whole: resident, allocated MiB, ms | recomputed | memory | time |")
    print("|---|---|---|---|---|---|")
    for steps in args.steps:
        for batch in args.batch:
            one, two = (row(args, steps, batch, way) for way in WAYS)
            shown = [
                f"{r['resident']:.1f}, {r['allocated']:.1f}, {r['time']:.0f}"
                for r in (one, two)
            ]
            memory = one["allocated"] / two["allocated"]
            time_taken = two["time"] / one["time"]
            print(
                f"| {steps:,} | {batch} | {shown[0]} | {shown[1]} "
                f"| 1/{memory:.0f} | {time_taken:.2f} x |"
            )


if __name__ == "__main__":
    main()
