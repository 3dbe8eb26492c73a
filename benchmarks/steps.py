"""Training steps side by side with PyTorch: one process, interleaved, medians and ratios.


PyTorch (the extra "parity") is compared with where it is installed. A ratio above 1 says how many
times as fast as PyTorch eager this package is; "products" are the step's bare matrix products in
NumPy, the part of a step that no framework can take away.

Legend: V vocabulary, H hidden, B batch, T time.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product

Step = Callable[[], object]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=1, help="threads of BLAS and of PyTorch")
    parser.add_argument("--seconds", type=float, default=6.0, help="time for each row")
    parser.add_argument("--dense", action="store_true", help="float features instead of ids")
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    return parser.parse_args()


args = arguments()
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(args.threads)  # read when NumPy is imported, so before that

import numpy as np  # noqa: E402

import tinygrad_rnn as tg  # noqa: E402
import tinygrad_rnn.nn.functional as F  # noqa: E402
from tinygrad_rnn import nn, optim  # noqa: E402

try:
    import torch

    torch.set_num_threads(args.threads)
except ImportError:
    torch = None  # type: ignore[assignment]

random = np.random.default_rng(0)


# ------------------------------------------------------------ a character model's training step


def detached(state):
    """Without its history; an LSTM's has two parts."""
    return tuple(map(detached, state)) if isinstance(state, tuple) else state.detach()


def char_ours(cell: str, v: int, h: int, b: int, t: int) -> Step:
    rnn, head = getattr(nn, cell)(v, h), nn.Linear(h, v)
    params = [*rnn.parameters(), *head.parameters()]
    optimizer = optim.Adam(params, lr=2e-3)
    x, y = (tg.from_numpy(random.integers(v, size=(t, b))) for _ in range(2))
    x = F.one_hot(x, v).float() if args.dense else x
    state: list[object] = [None]

    def step() -> object:
        optimizer.zero_grad()
        output, carried = rnn(x, state[0])
        loss = F.cross_entropy(head(output).reshape(-1, v), y.reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(params, 5.0)
        optimizer.step()
        state[0] = detached(carried)
        return loss

    return step


def char_torch(cell: str, v: int, h: int, b: int, t: int) -> Step:
    rnn, head = getattr(torch.nn, cell)(v, h), torch.nn.Linear(h, v)
    params = [*rnn.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(params, lr=2e-3)
    x, y = (torch.from_numpy(random.integers(v, size=(t, b))) for _ in range(2))
    dense = torch.nn.functional.one_hot(x, v).float() if args.dense else None
    state: list[object] = [None]

    def step() -> object:
        optimizer.zero_grad()
        features = torch.nn.functional.one_hot(x, v).float() if dense is None else dense
        output, carried = rnn(features, state[0])
        loss = torch.nn.functional.cross_entropy(head(output).reshape(-1, v), y.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 5.0)
        optimizer.step()
        state[0] = detached(carried)
        return loss

    return step


def char_products(cell: str, v: int, h: int, b: int, t: int) -> Step:
    """The products that the step cannot do without: recurrence, head, and their gradients."""
    rows = {"RNN": 1, "GRU": 3, "LSTM": 4}[cell] * h
    state, sums = (random.standard_normal((b, n), np.float32) for n in (h, rows))
    w_hh, head = (random.standard_normal((n, h), np.float32) for n in (rows, v))
    hidden, gates, logits = (random.standard_normal((t * b, n), np.float32) for n in (h, rows, v))
    out, grad = np.empty_like(state), np.empty_like(w_hh)
    back, scores, head_grad = np.empty_like(hidden), np.empty_like(logits), np.empty_like(head)

    def step() -> object:
        for _ in range(t):
            np.matmul(state, w_hh.T, out=sums)
        np.matmul(hidden, head.T, out=scores)
        np.matmul(logits, head, out=back)
        np.matmul(logits.T, hidden, out=head_grad)
        for _ in range(t):
            np.matmul(sums, w_hh, out=out)
        np.matmul(gates.T, hidden, out=grad)
        return None

    return step


# ------------------------------------------------------------ the sine task's training step


def sine_ours(h: int, b: int, t: int) -> Step:
    rnn, head = nn.RNN(1, h, batch_first=True), nn.Linear(h, 1)
    optimizer = optim.Adam([*rnn.parameters(), *head.parameters()], lr=0.01)
    criterion = nn.MSELoss()
    x = tg.from_numpy(random.standard_normal((b, t, 1), np.float32))
    y = tg.from_numpy(random.standard_normal((b, 1), np.float32))

    def step() -> object:
        optimizer.zero_grad()
        output, _ = rnn(x)
        loss = criterion(head(output[:, -1, :]), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def sine_torch(h: int, b: int, t: int) -> Step:
    rnn, head = torch.nn.RNN(1, h, batch_first=True), torch.nn.Linear(h, 1)
    optimizer = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=0.01)
    criterion = torch.nn.MSELoss()
    x = torch.from_numpy(random.standard_normal((b, t, 1), np.float32))
    y = torch.from_numpy(random.standard_normal((b, 1), np.float32))

    def step() -> object:
        optimizer.zero_grad()
        output, _ = rnn(x)
        loss = criterion(head(output[:, -1, :]), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


# ------------------------------------------------------------ a chain of small ops


def chain(library: object) -> Step:
    """1,000 ops on 16 numbers, forward and backward."""
    x = library.ones(16, requires_grad=True)  # type: ignore[attr-defined]

    def step() -> object:
        y = x
        for _ in range(250):
            y = (y * 1.0001).tanh()
            y = y + x
            y = y - 0.5
        y.sum().backward()
        x.grad = None
        return y

    return step


# ------------------------------------------------------------ the table


def rows() -> Iterator[tuple[str, dict[str, Step]]]:
    sizes = [(65, 128, 32, 50), (65, 256, 64, 64), (28, 32, 1, 25), (87, 512, 100, 100)]
    for cell, size in product(("RNN", "LSTM", "GRU"), sizes):
        name = f"training step, {cell} {', '.join(map(str, size))} (V, H, B, T)"
        makers = {"ours": char_ours, "torch": char_torch, "products": char_products}
        yield name, {key: make(cell, *size) for key, make in makers.items() if usable(key)}
    makers = {"ours": sine_ours, "torch": sine_torch}
    yield (
        "training step, sine task: RNN 1, 16, 100, 10",
        {key: make(16, 100, 10) for key, make in makers.items() if usable(key)},
    )
    libraries = {"ours": tg, "torch": torch}
    yield (
        "chain of 1,000 ops on 16 numbers, forward and backward",
        {key: chain(library) for key, library in libraries.items() if library is not None},
    )


def usable(key: str) -> bool:
    return key != "torch" or torch is not None


def interleaved(steps: dict[str, Step], seconds: float) -> dict[str, list[float]]:
    """Milliseconds a step, in rounds: in each, every candidate runs for some 20 ms, in turn.

    A candidate runs a few steps in a row, as in training; a step right after another library's
    would pay for caches that the other has filled.
    """
    times: dict[str, list[float]] = {key: [] for key in steps}
    repeats = {}
    for key, step in steps.items():
        for _ in range(3):
            step()
        start = time.perf_counter()
        step()
        repeats[key] = max(1, round(0.02 / (time.perf_counter() - start)))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["ours"]) < 5:
        for key, step in steps.items():
            start = time.perf_counter()
            for _ in range(repeats[key]):
                step()
            times[key].append((time.perf_counter() - start) * 1e3 / repeats[key])
    return times


def import_times() -> tuple[float, float]:
    """Milliseconds that ``import numpy`` takes, and this package after it; medians of 9."""
    import subprocess

    code = (
        "import time; a = time.perf_counter(); import numpy; b = time.perf_counter(); "
        "import tinygrad_rnn; c = time.perf_counter(); print((b - a) * 1e3, (c - b) * 1e3)"
    )
    found = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(9)
    ]
    pairs = [tuple(map(float, run.stdout.split())) for run in found]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def main() -> None:
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}" + (
        "" if torch is None else f", PyTorch {torch.__version__}"
    )
    print(f"{versions}, {platform.machine()}, {os.cpu_count()} cores, {args.threads} thread(s)\n")
    print("| work | ours, ms | PyTorch eager, ms | x PyTorch | products, ms | of the products |")
    print("|---|---|---|---|---|---|")
    for name, steps in rows():
        if args.only not in name:
            continue
        times = interleaved(steps, args.seconds)
        median = {key: statistics.median(values) for key, values in times.items()}
        cells = [name, f"{median['ours']:.2f}"]
        for key in ("torch", "products"):
            if key not in times:
                cells += ["-", "-"]
                continue
            # Round by round: both saw the same machine.
            ratios = [other / own for other, own in zip(times[key], times["ours"], strict=True)]
            cells += [f"{median[key]:.2f}", f"{statistics.median(ratios):.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)
    if not args.only:
        numpy_ms, ours_ms = import_times()
        print(f"\nimport numpy {numpy_ms:.0f} ms, import tinygrad_rnn after it {ours_ms:.0f} ms")


if __name__ == "__main__":
    main()
