"""The CUDA kernels on the emulator, and random cases that NumPy's kernels decide.

The fake CuPy of tests/backend takes CuPy's place while they are imported.
"""

import importlib
import sys
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from backend import fake_cupy
from kernels.cases import KINDS, close, make

from tinygrad_rnn.backend.threads import one_thread
from tinygrad_rnn.kernels import numpy as reference

TOLERANCE = {"float32": 2e-6, "float64": 1e-13}
BLOCK, CLUSTER, GRID, LOOP = MODES = ("block", "cluster", "grid", "loop")


@cache
def import_twins():
    """Return the package of CUDA kernels, imported on the fake CuPy."""
    name = "tinygrad_rnn.kernels.cupy"
    with pytest.MonkeyPatch.context() as patch:
        for module in [m for m in sys.modules if m.startswith(name)]:
            patch.delitem(sys.modules, module)
        patch.setitem(sys.modules, "cupy", fake_cupy)
        package = importlib.import_module(name)
        parts = ("scan", "plan", "launch", "loss", "embedding", "optimizer", "checks")
        found = {part: importlib.import_module(f"{name}.{part}") for part in parts}
        for module in [m for m in sys.modules if m.startswith(name)]:
            del sys.modules[module]
    vars(sys.modules["tinygrad_rnn.kernels"]).pop("cupy", None)
    return SimpleNamespace(package=package, **found)


def on_device(x, dtype=None):
    """Return an array of the fake, in the layout that it has here."""
    if x is None:
        return None
    return fake_cupy._on_device(x if dtype is None else change_dtype(x, dtype))


def change_dtype(x, dtype):
    """Return floats in another dtype and in the same layout; anything else as it is."""
    if x is None or x.dtype.kind != "f" or x.dtype == dtype:
        return x
    out = np.empty_like(x, dtype)
    out[...] = x
    return out


def on_host(x):
    return None if x is None else fake_cupy.asnumpy(x)


@contextmanager
def planned(mode, number=0, tile=None, order="forwards"):
    """Take one of the plans of a mode, by number, and run threads in an order."""
    twins = import_twins()

    def find_plan(layer, card):
        if mode == LOOP:
            return None
        wanted = MODES.index(mode)
        found = [p for p in twins.plan.plans(layer, card) if p.mode == wanted]
        found = [p for p in found if tile in (None, p.tile)]
        assert found, f"no plan for {layer} on {card}"
        taken.append(found[number % len(found)])
        return taken[-1]

    taken = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(twins.plan, "find_plan", find_plan)
        patch.setattr(fake_cupy, "order", order)
        yield taken


@contextmanager
def compiled_anew():
    """Compile sources again in the context, and after it."""
    launch = import_twins().launch
    caches = (launch._module, launch._kernel)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def random_case(kind, mode, seed):
    """Return a random case of a layer that has plans of a mode."""
    rng = np.random.default_rng(seed)
    flag = lambda: bool(rng.integers(2))  # noqa: E731
    sizes = [int(rng.integers(1, end + 1)) for end in (9, 9, 5, 70)]
    if mode in (CLUSTER, GRID):  # more than one block
        sizes[3] = max(3, sizes[3])
    cotangents = ["all", *range(1 + KINDS[kind][1])][rng.integers(2 + KINDS[kind][1])]
    return make(
        kind,
        sizes,
        seed,
        cotangents=cotangents,
        projected=False,
        **{n: flag() for n in ("ids", "bias", "initial", "ends", "reverse", "relu")},
    )


def run(package, case, dtype, put=on_device, get=on_host):
    """Return the outputs and the gradients of a case by a package of kernels."""
    inputs = [put(x, dtype) for x in case.inputs]
    grads = [put(g, dtype) for g in case.grads]
    with one_thread():
        outputs, workspace = getattr(package, f"{case.kind}_forward")(
            *inputs, **case.settings
        )
        found = getattr(package, f"{case.kind}_backward")(
            grads, case.needs, inputs, outputs, workspace, **case.settings
        )
    return [get(x) for x in outputs], [get(g) for g in found]


def check_case(case, dtype):
    """Compare a case with NumPy's kernels; return what was found."""
    plain = run(reference, case, dtype, put=change_dtype, get=lambda x: x)
    found = run(import_twins().package, case, dtype)
    for ours, theirs in zip(found, plain, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert (a is None) == (b is None)
            if b is not None:
                assert a.dtype == b.dtype == dtype
                close(a, b, TOLERANCE[str(b.dtype)])
    return found
