"""Run the adding and the copying task at many distances, for lesson 5.

``python docs/lessons/distance_runs.py --out docs/lessons/distance.csv --seeds 2``
trains the four layers of the lesson at each distance, with two seeds, and writes the
error of each run on new sequences. It takes about three minutes of one core.
"""

import argparse
import csv
import datetime as dt
import math
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import Tensor, nn, optim

CELLS = ("RNN", "IRNN", "LSTM", "GRU")
RATES = {"RNN": 0.005, "IRNN": 0.002, "LSTM": 0.02, "GRU": 0.02}
LETTERS, COPIED = 4, 3
FIELDS = ("task", "distance", "cell", "seed", "error")


def adding(distance: int, B: int) -> tuple[Tensor, Tensor]:
    """Return sequences of ``distance`` steps (T, B, 2) and their sums (1, B, 1)."""
    x = tg.zeros(distance, B, 2)
    x[:, :, 0] = tg.rand(distance, B)
    first = tg.randint(0, distance // 2, (B,))
    second = tg.randint(distance // 2, distance, (B,))
    column = tg.arange(B)
    x[first, column, 1] = 1.0
    x[second, column, 1] = 1.0
    y = x[first, column, 0] + x[second, column, 0]
    return x, y.reshape(1, B, 1)


def copying(distance: int, B: int) -> tuple[Tensor, Tensor]:
    """Return ids (T, B) and the letters (3, B) that the last three steps have to name.

    Three letters, ``distance`` blanks, and a cue at each of three further steps.
    """
    letters = tg.randint(0, LETTERS, (COPIED, B))
    blanks = tg.full((distance, B), LETTERS, dtype=tg.int64)
    cues = tg.full((COPIED, B), LETTERS + 1, dtype=tg.int64)
    return tg.cat([letters, blanks, cues]), letters


def classification_loss(scores: Tensor, y: Tensor) -> Tensor:
    """Return the cross entropy of scores (T, B, V) and letters (T, B)."""
    return F.cross_entropy(scores.flatten(0, 1), y.flatten())


@dataclass(frozen=True)
class Task:
    """A task whose difficulty is a distance.

    Attributes:
        batch: Draws inputs and targets for a distance and a batch size.
        loss: Compares the last outputs with the targets.
        features: The input size.
        outputs: The output size.
        answers: The number of last steps that are compared.
        trivial: The loss of the best answer that ignores the input.
    """

    batch: Callable[[int, int], tuple[Tensor, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor]
    features: int
    outputs: int
    answers: int
    trivial: float


TASKS = {
    "adding": Task(adding, F.mse_loss, 2, 1, 1, 1 / 6),
    "copying": Task(
        copying, classification_loss, LETTERS + 2, LETTERS, COPIED, math.log(LETTERS)
    ),
}


def start(cell: str, features: int, T: int) -> nn.Module:
    """Return a layer with the initial weights that suit it."""
    if cell in ("RNN", "IRNN"):
        nonlinearity = "tanh" if cell == "RNN" else "relu"
        layer = nn.RNN(features, 32, nonlinearity=nonlinearity)
    else:
        layer = (nn.LSTM if cell == "LSTM" else nn.GRU)(features, 16)
    width = 2.0 if cell == "LSTM" else 1.0
    nn.init.uniform_(layer.weight_ih_l0, -width, width)
    if cell == "IRNN":
        nn.init.normal_(layer.weight_ih_l0, std=0.3)
        nn.init.identity_(layer.weight_hh_l0)
        nn.init.zeros_(layer.bias_ih_l0)
        nn.init.zeros_(layer.bias_hh_l0)
    if cell in ("LSTM", "GRU"):
        log_k = tg.log(1 + (T - 2) * tg.rand(16))
        with tg.no_grad():
            layer.bias_hh_l0[16:32] = log_k
            if cell == "LSTM":
                layer.bias_hh_l0[:16] = -log_k
    return layer


def run(task: Task, distance: int, cell: str, steps: int) -> float:
    """Train a layer and return its error on 1000 new sequences."""
    layer = start(cell, task.features, distance)
    head = nn.Linear(layer.hidden_size, task.outputs)
    parameters = [*layer.parameters(), *head.parameters()]
    optimizer = optim.Adam(parameters, lr=RATES[cell])

    def loss_of(B: int) -> Tensor:
        x, y = task.batch(distance, B)
        output, _ = layer(x)
        return task.loss(head(output[-task.answers :]), y)

    for _ in range(steps):
        loss = loss_of(32)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    with tg.no_grad():
        return loss_of(1000).item()


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a file that this program has written."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def medians(path: Path) -> dict[str, dict[str, list[float]]]:
    """Return the median over seeds, for each task, cell and distance in order."""
    errors: dict[tuple[str, str, int], list[float]] = {}
    for row in rows(path):
        key = row["task"], row["cell"], int(row["distance"])
        errors.setdefault(key, []).append(float(row["error"]))
    table: dict[str, dict[str, list[float]]] = {task: {} for task in TASKS}
    for (task, cell, _), values in sorted(errors.items()):
        table[task].setdefault(cell, []).append(round(median(values), 4))
    return table


def main() -> None:
    """Run all combinations, and write a row as each is done."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV file")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=[*TASKS])
    parser.add_argument(
        "--distances", nargs="+", type=int, default=[10, 20, 40, 80, 160]
    )
    parser.add_argument("--seeds", type=int, default=3, help="runs of each kind")
    parser.add_argument("--steps", type=int, default=300, help="of training")
    options = parser.parse_args()
    versions = (
        f"tinygrad_rnn {tg.__version__}, NumPy {np.__version__}, "
        f"CPython {platform.python_version()}"
    )
    with options.out.open("w", encoding="utf-8", newline="") as file:
        print(
            f"# python docs/lessons/distance_runs.py {' '.join(sys.argv[1:])}",
            file=file,
        )
        print(f"# {dt.date.today()}, {versions}", file=file)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        for seed in range(options.seeds):
            for name in options.tasks:
                for distance in options.distances:
                    for cell in CELLS:
                        tg.manual_seed(seed)
                        error = run(TASKS[name], distance, cell, options.steps)
                        writer.writerow((name, distance, cell, seed, f"{error:.4f}"))
                        file.flush()


if __name__ == "__main__":
    main()
