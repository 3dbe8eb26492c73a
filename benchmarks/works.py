"""What is measured: the sizes of each work, and the arrays that it starts from.

Legend: V vocabulary, or size of the input, H hidden, B batch, T time.
"""

from dataclasses import dataclass, replace
from itertools import product

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
SIZES = [(65, 128, 32, 50), (65, 256, 64, 64), (28, 32, 1, 25), (87, 512, 100, 100)]
SINE = (1, 16, 100, 10)
LOOPS = [(16, 16, 8, 50), (65, 128, 32, 50)]  # of cells
ALONE = [
    ("LayerNorm", 128, 32, 30),
    ("LayerNorm", 256, 64, 100),
    ("LayerNorm", 512, 32, 1),
]
ALONE += [("Embedding", 64, 32, 30), ("Embedding", 64, 100, 100)]  # H, B, T
WORDS = 5_000  # of the embedding
T_CURVE = (10, 30, 100, 300, 1000, 3000, 10_000)
H_CURVE = (64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class Work:
    """One row: what is computed, with which sizes.

    ``kind`` is train, forward, sample, layer, chain, hvp, nothing or calls; ``task`` is
    ids, lengths (ids, of sequences of different lengths), dense, cells or sine. A work
    of kind layer runs a single layer, named in place of the cell, forward and backward.
    """

    kind: str
    task: str = "ids"
    cell: str = "RNN"
    V: int = 0
    H: int = 0
    B: int = 0
    T: int = 0

    def __str__(self) -> str:
        if self.kind == "chain":
            return "chain of 1,000 ops on 16 numbers, forward and backward"
        if self.kind == "nothing":
            return "a function that computes nothing, of a module with 20 parameters"
        if self.kind == "calls":
            return "1,000 times tanh of 16 numbers"
        if self.kind == "layer":
            sizes = f"{self.T} x {self.B} x {self.H}"
            return f"nn.{self.cell} of {sizes}, forward and backward"
        names = {
            "dense": ", float input",
            "sine": ", sine task",
            "cells": ", a loop over cells",
            "lengths": ", with lengths",
        }
        task = names.get(self.task, "")
        sizes = (self.V, self.H, self.B, self.T)
        if self.kind == "sample":
            sizes = (self.V, self.H)
        if self.kind == "hvp":
            return f"Hessian-vector product, {self.cell} {', '.join(map(str, sizes))}"
        return f"{self.kind}, {self.cell} {', '.join(map(str, sizes))}{task}"

    @property
    def outputs(self) -> int:
        return 1 if self.task == "sine" else self.V


def works(part: str) -> list[Work]:
    """The rows of one part of the report."""
    ids = [Work("train", "ids", cell, *sizes) for cell, sizes in product(GATES, SIZES)]
    train = [*ids, *(Work("train", "sine", cell, *SINE) for cell in GATES)]
    rows = {
        "train": train,
        "dense": [replace(work, task="dense") for work in ids],
        "forward": [replace(work, kind="forward") for work in train],
        "memory": ids,
        "cells": [
            Work("train", "cells", cell, *sizes)
            for cell, sizes in product(GATES, LOOPS)
        ],
        "layers": [
            Work("layer", "ids", layer, WORDS, *sizes) for layer, *sizes in ALONE
        ],
        "sample": [
            Work("sample", "ids", cell, 65, hidden, 1, 1)
            for cell, hidden in product(GATES, (128, 512))
        ],
        "chain": [Work("chain")],
        "hvp": [Work("hvp", "ids", "LSTM", 28, 32, 8, 25)],
        "overhead": [Work("nothing"), Work("calls")],
        "T": [
            Work("train", "ids", cell, 65, 128, 32, steps)
            for cell, steps in product(GATES, T_CURVE)
        ],
        "H": [
            Work("train", "ids", cell, 65, hidden, 32, 50)
            for cell, hidden in product(GATES, H_CURVE)
        ],
    }
    return rows[part]


def arrays(work: Work) -> dict:
    """Parameters by PyTorch's names, input ``x`` and target ``y``, always the same."""
    import numpy as np

    random = np.random.default_rng(0)
    if work.kind in ("chain", "nothing", "calls"):
        return {}
    if work.kind == "layer":
        y = random.standard_normal((work.T, work.B, work.H), np.float32)
        if work.cell == "Embedding":
            weight = random.standard_normal((work.V, work.H), np.float32)
            return {
                "weight": weight,
                "x": random.integers(work.V, size=y.shape[:2]),
                "y": y,
            }
        weight, bias = random.standard_normal((2, work.H), np.float32)
        return {"weight": weight, "bias": bias, "x": y[::-1].copy(), "y": y}
    rows, bound = GATES[work.cell] * work.H, work.H**-0.5
    shapes = {
        "rnn.weight_ih_l0": (rows, work.V),
        "rnn.weight_hh_l0": (rows, work.H),
        "rnn.bias_ih_l0": (rows,),
        "rnn.bias_hh_l0": (rows,),
        "head.weight": (work.outputs, work.H),
        "head.bias": (work.outputs,),
    }
    made = {
        name: random.uniform(-bound, bound, shape) for name, shape in shapes.items()
    }
    if work.task == "sine":
        made["x"], made["y"] = (
            random.standard_normal(s) for s in ((work.B, work.T, 1), (work.B, 1))
        )
    else:
        ids, made["y"] = random.integers(work.V, size=(2, work.T, work.B))
        made["x"] = ids if work.task in ("ids", "lengths") else np.eye(work.V)[ids]
    if work.task == "lengths":  # the longest first, as PyTorch's packing wants them
        made["lengths"] = np.linspace(work.T, 1, work.B).astype(int)
        made["y"][np.arange(work.T)[:, None] >= made["lengths"]] = -100  # is ignored
    if work.task == "cells":
        made = {name.removesuffix("_l0"): a for name, a in made.items()}
    return {
        name: np.ascontiguousarray(a, np.float32 if a.dtype.kind == "f" else np.int64)
        for name, a in made.items()
    }
