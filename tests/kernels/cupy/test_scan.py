"""The scans on the emulator of CUDA: NumPy's kernels say what is right."""

import os

import numpy as np
import pytest
from kernels.cupy import emulator
from kernels.cupy.emulator import ORDERS, needs_compiler
from kernels.cupy.twins import (
    BLOCK,
    CLUSTER,
    GRID,
    LOOP,
    MODES,
    check_case,
    compiled_anew,
    planned,
    random_case,
)

pytestmark = needs_compiler
KINDS = ("rnn", "lstm", "gru")
# Each pair takes two seconds to compile; the slow test has all of them.
SOME = [
    ("rnn", BLOCK, "float32"),
    ("rnn", GRID, "float64"),
    ("lstm", CLUSTER, "float32"),
    ("lstm", BLOCK, "float64"),
    ("gru", GRID, "float32"),
    ("gru", LOOP, "float64"),
]


@pytest.mark.parametrize(("kind", "mode", "dtype"), SOME)
def test_a_scan_equals_numpys(kind, mode, dtype):
    for seed in range(7):
        with planned(mode, number=seed, tile=4):
            check_case(random_case(kind, mode, seed), np.dtype(dtype))


def test_the_stacks_of_other_processors(monkeypatch):
    """Threads change by assembly on x86-64, and by ucontext elsewhere."""
    build = emulator.build

    def build_with_ucontext(source, options):
        return build(source, (*options, "-DEMULATE_WITH_UCONTEXT"))

    monkeypatch.setattr(emulator, "build", build_with_ucontext)
    with compiled_anew(), planned(BLOCK, tile=4):
        check_case(random_case("gru", BLOCK, 3), np.dtype("float32"))


def check_orders(kind, mode, dtype, tile, count):
    """Equal to NumPy's in each order of threads, and the same bits in all of them."""
    begin = 1000 * MODES.index(mode)
    for seed in range(begin, begin + count):
        case, found = random_case(kind, mode, seed), []
        for order in ORDERS:
            with planned(mode, seed, tile, order):
                found.append(check_case(case, np.dtype(dtype)))
        for other in found[1:]:
            for a, b in zip(sum(found[0], []), sum(other, []), strict=True):
                assert a is None or a.tobytes() == b.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("tile", [4, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_scan_in_three_orders(kind, mode, dtype, tile):
    count = int(os.environ.get("TEST_SCANS", "528")) // 48
    check_orders(kind, mode, dtype, tile, max(1, count))
