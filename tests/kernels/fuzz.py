"""Kernels against NumPy's: random shapes, layouts, options and values of each of them.

    python tests/kernels/fuzz.py [--examples N] [--seed S]

runs so many examples with each instruction set that this processor has, and fails at
the first that differs; its message names the example, which ``--seed`` repeats alone
with ``--examples 1``.
"""

import argparse
import sys
import time
from math import prod
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from kernels.cases import KINDS, backward, forward, laid_out, make, moved

from tinygrad_rnn.kernels import numpy as reference

# How far apart results may be, relative to the largest number of an array, or to that
# of the terms of sums that may cancel.
TOLERANCE = {"float32": 2e-6, "float64": 1e-13}
LARGEST_TERM = {"loss": 1e-2, "lists": 1e-2}  # 1 of the others


class Values:
    """A source of random arrays of one dtype in all layouts, or in the usual one, so
    many elements after an address that is a multiple of 64.
    """

    def __init__(self, rng, dtype=None, offset=None):
        self.rng, self.offset = rng, offset
        self.dtype = dtype or rng.choice(["float32", "float64"])
        # The share of NaN and infinity
        self.rare = 0 if dtype else rng.choice([0, 0, 0, 0, 0.02])

    def __call__(self, shape, spread=1.0):
        rng, shape = self.rng, tuple(shape)
        if shape and rng.random() < 0.1:  # one row again and again, without strides
            return np.broadcast_to(self(shape[1:], spread), shape)
        x = np.asarray(rng.standard_normal(shape) * spread, self.dtype)
        if self.rare:
            special = rng.choice([np.nan, np.inf, -np.inf], shape)
            x = np.where(rng.random(shape) < self.rare, special, x).astype(self.dtype)
        return laid_out(rng, x) if self.offset is None else self.move(x)

    def move(self, x):
        return x if x is None else moved(x, self.offset * x.itemsize)

    def draw_layer(self, shape):
        """An array of a layer; weights are small enough for sums of about 1."""
        return self(shape, shape[-1] ** -0.5 if len(shape) == 2 else 1)

    def size(self, *usual):
        """A size, 1 in 4 times from those given, which are the ends of something."""
        return int(
            self.rng.choice(usual)
            if self.rng.random() < 0.25
            else self.rng.integers(1, 40)
        )


# ---- each returns a function that runs an example on a module of kernels


def run_layer(case):
    def run(kernels):
        outputs, workspace = forward(kernels, case)
        if has_kinks:
            return outputs
        return *outputs, *backward(kernels, case, outputs, workspace)

    # In float32, rounding may move a sum to the other side of relu's kink.
    is_single = any(a is not None and a.dtype == np.float32 for a in case.inputs)
    has_kinks = is_single and case.settings.get("nonlinearity") == "relu"
    return run


def layer(kind, values):
    rng = values.rng
    names = ("bias", "initial", "reverse", "relu", "ids", "ends")
    options = {name: bool(rng.integers(2)) for name in names}
    if values.rare:  # see docs/trust.md: NumPy's let NaN into other rows
        options["ids"] = options["ends"] = False
    sizes = (
        int(rng.integers(1, 9)),
        values.size(0, 1, 6, 7, 12, 64),
        values.size(1, 64, 300),
        values.size(1, 8, 16, 17, 32, 64, 80),
    )
    which = [*range(1 + KINDS[kind][1]), "all", "all"]
    case = make(
        kind,
        sizes,
        int(rng.integers(2**32)),
        projected=kind == "lstm" and rng.random() < 0.1,
        cotangents=which[rng.integers(len(which))],
        slices=int(rng.integers(1, 4)),
        draw=values.draw_layer,
        **options,
    )
    if values.offset is not None:
        case.inputs = tuple(map(values.move, case.inputs))
    case.needs = [need and bool(rng.integers(4)) for need in case.needs]

    return (*case.inputs, *case.grads), run_layer(case)


def loss(values):
    rng, classes = values.rng, max(values.size(65, 300), 2)
    ignore_index = int(rng.choice([-100, 0]))
    target = rng.integers(0, classes, values.size(0, 1, 100))
    target[rng.random(len(target)) < rng.choice([0, 0.3])] = ignore_index
    x = values((len(target), classes), rng.choice([0.1, 1, 30, 1e3]))
    weight = abs(values((classes,))) if rng.integers(2) else None
    settings = {
        "ignore_index": ignore_index,
        "reduction": rng.choice(["mean", "sum", "none"]),
        "label_smoothing": float(rng.choice([0, 0, 0.1, 1])),
    }
    inputs = (x, laid_out(rng, target), weight)
    values.rare = 0
    u = values((len(target),) if settings["reduction"] == "none" else ())

    def run(kernels):
        outputs, workspace = kernels.cross_entropy_forward(*inputs, **settings)
        args = ((u,), (True, False, False), inputs, outputs, workspace)
        return *outputs, *kernels.cross_entropy_backward(*args, **settings)

    return (*inputs, u), run


def norm(values):
    rng = values.rng
    shape = [max(values.size(128), 8)] + [2] * int(rng.integers(2))
    x = values((values.size(0, 1, 65), *shape))
    # Rows of equal numbers, less their mean, are nothing but rounding errors.
    x = x + np.linspace(0, 1, prod(shape), dtype=values.dtype).reshape(shape)
    inputs = (x, *(values(shape) if rng.integers(2) else None for _ in range(2)))
    settings = {"shape": tuple(shape), "eps": 1e-5}
    needs = tuple(a is not None and bool(rng.integers(4)) for a in inputs)
    u = values(x.shape)

    def run(kernels):
        outputs, workspace = kernels.layer_norm_forward(*inputs, **settings)
        args = ((u,), needs, inputs, outputs, workspace)
        return *outputs, *kernels.layer_norm_backward(*args, **settings)

    return (*inputs, u), run


def linear(values):
    rng = values.rng
    size, out = values.size(1, 64, 80), values.size(1, 16, 17, 64)
    dims = rng.integers(1, 8, rng.integers(3))
    weight = values((out, size), size**-0.5)
    inputs = values((*dims, size)), weight, values((out,)) if rng.integers(2) else None
    needs = tuple(a is not None and bool(rng.integers(4)) for a in inputs)
    u = values((*dims, out))

    def run(kernels):
        outputs, workspace = kernels.linear_forward(*inputs)
        args = ((u,), needs, inputs, outputs, workspace)
        return *outputs, *kernels.linear_backward(*args)

    return (*inputs, u), run


def embedding(values):
    rng, count = values.rng, values.size(1, 300)
    shape = tuple(rng.integers(0, 12, rng.integers(3)))
    ids = rng.integers(0, count, shape).astype(rng.choice(["u2", "i4", "i8"]))
    values.rare = 0
    inputs = laid_out(rng, ids), values((*shape, values.size(0, 1, 64)))
    transposed = bool(rng.integers(2))
    return inputs, lambda kernels: [
        kernels.embedding_backward(*inputs, count, transposed=transposed)
    ]


def lists(values):
    """Adam, the sum of squares and scaling, of copies of the same lists of arrays."""
    rng = values.rng
    shapes = [rng.integers(0, 30, rng.integers(3)) for _ in range(rng.integers(1, 5))]
    state = [[values(shape) for shape in shapes] for _ in range(5)]
    state[3:] = [[a * a for a in arrays] for arrays in state[3:]]
    options = {
        "step": int(rng.integers(1, 1000)),
        "lr": 0.1,
        "beta1": rng.choice([0, 0.9]),
        "beta2": rng.choice([0.5, 0.999]),
        "eps": 1e-8,
        "weight_decay": rng.choice([0, 0.1]),
        "decoupled": bool(rng.integers(2)),
    }
    amsgrad = bool(rng.integers(2))

    def run(kernels):
        copies = [[np.array(a, order="C") for a in arrays] for arrays in state]
        kernels.adam_step(*copies[:4], copies[4] if amsgrad else None, **options)
        kernels.scale(copies[1], 0.3)
        total = np.asarray(kernels.squares(state[1]), values.dtype)
        return total, *(a for arrays in copies for a in arrays)

    return [a for arrays in state for a in arrays], run


KERNELS = {
    **{kind: lambda values, kind=kind: layer(kind, values) for kind in KINDS},
    "loss": loss,
    "norm": norm,
    "embedding": embedding,
    "linear": linear,
    "lists": lists,
}


# ---- the comparison


def agree(got, want, largest_term=1):
    """How far apart two arrays are, in units of what is allowed; infinite if their
    shapes, their dtypes, or the places of NaN and infinity differ.
    """
    if want is None or got is None:
        return 0 if got is want else np.inf
    finite = np.isfinite(want)
    same = got.shape == want.shape and got.dtype == want.dtype
    if not same or not np.array_equal(got[~finite], want[~finite], equal_nan=True):
        return np.inf
    if not np.isfinite(got[finite]).all():
        return np.inf
    if not finite.any():
        return 0
    largest = max(abs(want[finite]).max(), largest_term)
    apart = abs(got[finite] - want[finite]).max()
    return apart / (TOLERANCE[want.dtype.name] * largest) if apart else 0


def compare(run, kernels, largest_term=1):
    """How far apart the results of an example and NumPy's are, of each array."""
    with np.errstate(all="ignore"):
        pairs = zip(run(kernels), run(reference), strict=True)
        return [agree(*pair, largest_term) for pair in pairs]


def check(kernels, name, seed):
    """Compare an example of a kernel with NumPy's; return how far apart they are."""
    inputs, run = KERNELS[name](Values(np.random.default_rng(seed)))
    before = [None if a is None else a.tobytes() for a in inputs]
    farthest = max(compare(run, kernels, LARGEST_TERM.get(name, 1)))
    assert farthest <= 1, f"{name}, seed {seed}: {farthest} times what is allowed"
    assert before == [None if a is None else a.tobytes() for a in inputs], name
    return farthest


def main():
    from tinygrad_rnn.kernels import c
    from tinygrad_rnn.kernels.choice import INSTRUCTION_SETS

    parser = argparse.ArgumentParser(
        description="Compare the kernels in C with NumPy's."
    )
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for instruction_set in INSTRUCTION_SETS:
        try:
            c._c.use(instruction_set)
        except ValueError as error:
            print(f"{instruction_set}: left out, {error}")
            continue
        start, farthest = time.perf_counter(), dict.fromkeys(KERNELS, 0.0)
        for seed in range(args.seed, args.seed + args.examples):
            name = [*KERNELS][seed % len(KERNELS)]
            farthest[name] = max(farthest[name], check(c, name, seed))
        seconds = time.perf_counter() - start
        print(f"{instruction_set}: {args.examples} examples agree, in {seconds:.0f} s")
        print("  farthest apart, as a share of what is allowed:")
        print("  " + ", ".join(f"{k} {v:.2f}" for k, v in farthest.items()))


if __name__ == "__main__":
    main()
