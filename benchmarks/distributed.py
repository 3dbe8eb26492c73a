"""How training scales with ranks: ``mpiexec -n 2 python benchmarks/distributed.py``.

In turn, for some seconds each, rank 0 trains alone, while the others sleep, and all
ranks train together: with the same batch on each (weak scaling), and with parts of it
(strong scaling). The figures are medians of the turns, which evens out what else the
machine does. Give each rank a core, and the kernels one thread:
``OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1``.
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

    def run(self, batch: int, steps: int) -> tuple[float, float]:
        """Return the seconds of a step, and those of its averaging."""
        x, y = (tg.randint(CHARACTERS, (STEPS_OF_TIME, batch)) for _ in range(2))
        self.step(x, y)  # the first one has to get its memory
        self.averaging, begun = 0.0, time.perf_counter()
        for _ in range(steps):
            self.step(x, y)
        return (time.perf_counter() - begun) / steps, self.averaging / steps


def meet() -> None:
    """Wait for all ranks without keeping a core busy, as MPI's own barrier does."""
    from mpi4py import MPI

    request = MPI.COMM_WORLD.Ibarrier()
    while not request.Test():
        time.sleep(0.002)


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Take the turns; return the medians of seconds of a step."""
    ranks = dist.get_world_size()
    alone = Training(options.cell, options.hidden, together=False)
    both = Training(options.cell, options.hidden, together=True)
    steps, found = options.steps, {name: [] for name in ("alone", "weak", "strong")}
    waited: dict[str, list[float]] = {"weak": [], "strong": []}
    for _ in range(options.turns):
        meet()
        if dist.get_rank() == 0:
            found["alone"].append(alone.run(options.batch, steps)[0])
        for name, batch in (
            ("weak", options.batch),
            ("strong", options.batch // ranks),
        ):
            meet()
            took, averaging = both.run(batch, steps)
            found[name].append(took)
            waited[name].append(averaging)
    meet()
    begun = time.perf_counter()
    for _ in range(20):  # when nobody is late
        both.called._averaging.average()
    bare = (time.perf_counter() - begun) / 20
    medians = {name: statistics.median(times or [0.0]) for name, times in found.items()}
    weak = [ranks * a / b for a, b in zip(found["alone"], found["weak"], strict=False)]
    strong = [a / b for a, b in zip(found["alone"], found["strong"], strict=False)]
    return medians | {
        "weak_scaling": statistics.median(weak or [0.0]),
        "strong_scaling": statistics.median(strong or [0.0]),
        "averaging_weak": statistics.median(waited["weak"]),
        "averaging_strong": statistics.median(waited["strong"]),
        "averaging_alone": bare,
    }


def main(argv: list[str]) -> None:
    """Measure, and print what rank 0 found as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cell", default="RNN", choices=["RNN", "LSTM", "GRU"])
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch", type=int, default=64, help="of one rank")
    parser.add_argument("--steps", type=int, default=10, help="in a turn")
    parser.add_argument("--turns", type=int, default=15)
    options = parser.parse_args(argv)
    dist.init_process_group("mpi")
    found = measure(options)
    if dist.get_rank() == 0:
        rounded = {name: float(f"{value:.4g}") for name, value in found.items()}
        print(json.dumps(vars(options) | {"ranks": dist.get_world_size()} | rounded))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1:])
