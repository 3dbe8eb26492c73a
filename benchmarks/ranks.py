"""How training scales with ranks: ``mpiexec -n 2 python benchmarks/ranks.py``.

In turn, for some seconds each, rank 0 trains alone, while the others sleep, and all
ranks train together: with the same batch on each (weak scaling), and with parts of it
(strong scaling). The figures are medians of the turns, which evens out what else the
machine does. Give each rank a core, and the kernels one thread:
``OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1``. It takes about a minute.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F
from tinygrad_rnn import nn, optim
from tinygrad_rnn.nn.parallel import DistributedDataParallel

dist = tg.distributed
CHARACTERS, STEPS_OF_TIME = 100, 50


class Model(nn.Module):
    """The character model: a recurrent layer, and a linear one to the characters."""

    def __init__(self, cell: str, hidden: int) -> None:
        super().__init__()
        self.rnn = getattr(nn, cell)(CHARACTERS, hidden)
        self.head = nn.Linear(hidden, CHARACTERS)

    def forward(self, ids: tg.Tensor) -> Any:
        return self.head(self.rnn(ids)[0])


class Training:
    """A model with its optimizer; the time that averaging takes is added up."""

    def __init__(self, cell: str, hidden: int, together: bool) -> None:
        tg.manual_seed(0)
        self.model = Model(cell, hidden)
        self.optimizer = optim.Adam(self.model.parameters())
        self.called: nn.Module = self.model
        self.averaging = 0.0
        if together:
            self.called = DistributedDataParallel(self.model)
            average = self.called._averaging.average

            def timed() -> None:
                begun = time.perf_counter()
                average()
                self.averaging += time.perf_counter() - begun

            self.called._averaging.average = timed

    def step(self, x: tg.Tensor, y: tg.Tensor) -> None:
        """Train on ids (T, B)."""
        loss = F.cross_entropy(self.called(x).flatten(0, 1), y.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()

    def run(self, batch: int, steps: int) -> tuple[float, float, float]:
        """Return the seconds of a step, of its averaging, and of the CPU."""
        x, y = (tg.randint(CHARACTERS, (STEPS_OF_TIME, batch)) for _ in range(2))
        self.step(x, y)  # the first one has to get its memory
        self.averaging, begun, cpu = 0.0, time.perf_counter(), time.process_time()
        for _ in range(steps):
            self.step(x, y)
        took, cpu = time.perf_counter() - begun, time.process_time() - cpu
        return took / steps, self.averaging / steps, cpu / steps


def meet() -> None:
    """Wait for all ranks without keeping a core busy, as MPI's own barrier does."""
    from mpi4py import MPI

    request = MPI.COMM_WORLD.Ibarrier()
    while not request.Test():
        time.sleep(0.002)


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Take the turns; return medians, which are rank 0's."""
    ranks, steps = dist.get_world_size(), options.steps
    alone = Training(options.cell, options.hidden, together=False)
    both = Training(options.cell, options.hidden, together=True)
    turns: dict[str, list[tuple[float, float, float]]] = {
        "alone": [],
        "weak": [],
        "strong": [],
    }
    for _ in range(options.turns):
        meet()
        if dist.get_rank() == 0:
            turns["alone"].append(alone.run(options.batch, steps))
        for name, parts in (("weak", 1), ("strong", ranks)):
            meet()
            turns[name].append(both.run(options.batch // parts, steps))
    meet()
    begun = time.perf_counter()
    for _ in range(20):  # when nobody is late
        both.called._averaging.average()
    bare = (time.perf_counter() - begun) / 20
    if dist.get_rank():
        return {}
    found = {"averaging when nobody is late": bare}
    for i, what in enumerate(("seconds", "averaging", "CPU seconds")):
        for name, rows in turns.items():
            found[f"{what}, {name}"] = statistics.median(row[i] for row in rows)
    for i, what in ((0, ""), (2, " by CPU seconds")):
        for name, times in (("weak", ranks), ("strong", 1)):
            pairs = zip(turns["alone"], turns[name], strict=True)
            ratios = [times * a[i] / b[i] for a, b in pairs]
            found[f"{name} scaling{what}"] = statistics.median(ratios)
    return found


def describe(options: argparse.Namespace, found: dict[str, float]) -> str:
    """Return the lines for people: what a second does, and what averaging costs."""
    ranks, batch = dist.get_world_size(), options.batch
    model = f"{options.cell} of {options.hidden}"
    alone = STEPS_OF_TIME * batch / found["seconds, alone"]
    lines = [f"{model}, 1 rank with a batch of {batch}: {alone:,.0f} characters/s"]
    for name, part, times in (("weak", batch, ranks), ("strong", batch // ranks, 1)):
        scale = found[f"{name} scaling"]
        speed = times * STEPS_OF_TIME * batch / found[f"seconds, {name}"]
        lines.append(
            f"{name} scaling, {ranks} ranks with {part} each: {speed:,.0f} "
            f"characters/s, {scale:.2f} times 1 rank, efficiency {scale / ranks:.0%}"
        )
    for name in ("weak", "strong"):
        step, averaging = found[f"seconds, {name}"], found[f"averaging, {name}"]
        lines.append(
            f"a step of {name} scaling: {1e3 * (step - averaging):.1f} ms of compute, "
            f"{1e3 * averaging:.1f} ms of averaging with the wait for the other ranks"
        )
    bare = 1e3 * found["averaging when nobody is late"]
    return "\n".join([*lines, f"averaging when nobody is late: {bare:.1f} ms"])


def main(argv: list[str]) -> None:
    """Measure, and print what rank 0 found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cell", default="RNN", choices=["RNN", "LSTM", "GRU"])
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch", type=int, default=64, help="of one rank")
    parser.add_argument("--steps", type=int, default=10, help="in a turn")
    parser.add_argument("--turns", type=int, default=11)
    parser.add_argument("--json", action="store_true", help="print all figures")
    options = parser.parse_args(argv)
    dist.init_process_group("mpi")
    found = measure(options)
    if dist.get_rank() == 0 and options.json:
        settings = vars(options) | {"ranks": dist.get_world_size()}
        figures = {name: float(f"{value:.4g}") for name, value in found.items()}
        print(json.dumps(settings | figures, indent=1))
    elif dist.get_rank() == 0:
        print(describe(options, found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1:])
