"""Bugs that GPU programs have, planted one by one: the emulator finds each of them."""

from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pytest
from backend import fake_cupy
from kernels.cases import close, make
from kernels.cupy.emulator import ORDERS, needs_compiler
from kernels.cupy.twins import (
    BLOCK,
    CLUSTER,
    GRID,
    LOOP,
    check_case,
    compiled_anew,
    import_twins,
    on_device,
    on_host,
    planned,
)

from tinygrad_rnn.backend import pending
from tinygrad_rnn.backend.pending import Check
from tinygrad_rnn.kernels import numpy as reference

pytestmark = needs_compiler
launch = import_twins().launch


class Bug(NamedTuple):
    """A piece of a source, what takes its place, and where it shows.

    The first argument is a kind of layer and a mode, or a test of this file.
    """

    where: tuple[str, str] | str
    piece: str
    planted: str
    number: int = 0  # which of the places that the piece fits


BARRIER = "__syncthreads();"
ON = "if (!goes_on[i]) new_h = old[i], new_c = old_c;"

# Barriers that are missing, or not for all
BARRIERS = [
    Bug(
        ("lstm", BLOCK),
        f"multiply(w, h, z, rows, pitch, parts);\n            {BARRIER}",
        "multiply(w, h, z, rows, pitch, parts);",
    ),
    Bug(
        ("lstm", BLOCK),
        f"multiply(w, g, z, rows, pitch, parts);\n                {BARRIER}",
        "multiply(w, g, z, rows, pitch, parts);",
    ),
    Bug(
        ("lstm", BLOCK),
        "if (MODE == 0 || (MODE == 1 && tile + TILE < part.count)) __syncthreads();",
        "",
    ),
    Bug(
        ("rnn", BLOCK),
        "if (MODE == 0 || (MODE == 1 && tile + TILE < part.count)) __syncthreads();",
        "",
        1,
    ),
    Bug(
        ("rnn", CLUSTER),
        "if (MODE == 0 || (MODE == 1 && tile + TILE < part.count)) __syncthreads();",
        "if (MODE == 0) __syncthreads();",
    ),
    Bug(
        ("rnn", BLOCK),
        f"    else {BARRIER}\n\n    for (int s = 0; s < steps; s++)",
        "\n    for (int s = 0; s < steps; s++)",
    ),
    Bug(
        ("gru", BLOCK),
        f"    if (MODE == 1) wait_for_cluster();\n    else {BARRIER}\n    unsigned met",
        "    if (MODE == 1) wait_for_cluster();\n    unsigned met",
    ),
    Bug(
        ("rnn", GRID),
        f"here, H, pitch);\n                {BARRIER}",
        "here, H, pitch);",
    ),
    Bug(
        ("rnn", GRID),
        f"here, K, pitch);\n                    {BARRIER}",
        "here, K, pitch);",
    ),
    Bug(
        ("rnn", BLOCK),
        f"multiply(w, h, z, rows, pitch, parts);\n            {BARRIER}",
        f"multiply(w, h, z, rows, pitch, parts); if (threadIdx.x < 32) {BARRIER}",
    ),
    Bug(
        ("rnn", BLOCK),
        "    SHARED_MEMORY(w);",
        "    if (threadIdx.x >= 32) return;\n    SHARED_MEMORY(w);",
    ),
    Bug(
        ("rnn", CLUSTER),
        "else if (MODE == 1) wait_for_cluster();",
        f"else if (MODE == 1) {BARRIER}",
    ),
    Bug(("rnn", CLUSTER), "if (MODE == 1 && !last) wait_for_cluster();", ""),
    Bug(
        ("gru", CLUSTER),
        "if (MODE == 1 && more) wait_for_cluster();",
        f"if (MODE == 1 && more) {BARRIER}",
    ),
    Bug(
        ("rnn", CLUSTER),
        "if (MODE == 1 && !last) wait_for_cluster();",
        "if (MODE == 1 && !last && blockIdx.x) wait_for_cluster();",
    ),
    Bug(("rnn", CLUSTER), "BUFFERS = MODE == 1 ? 2 : 1", "BUFFERS = 1"),
]
# The barrier of the grid: its fences, its counter
GRIDS = [
    Bug(
        ("rnn", GRID),
        "        __threadfence();\n        atomicAdd(counter, 1u);",
        "        atomicAdd(counter, 1u);",
    ),
    Bug(("rnn", GRID), "give_up();\n        __threadfence();", "give_up();"),
    Bug(
        ("rnn", GRID),
        "        __threadfence();\n        atomicAdd(counter, 1u);",
        "        atomicAdd(counter, 1u);\n        __threadfence();",
    ),
    Bug(("lstm", GRID), f"unsigned all) {{\n    {BARRIER}", "unsigned all) {"),
    Bug(
        ("rnn", GRID),
        f"        __threadfence();\n    }}\n    {BARRIER}",
        "        __threadfence();\n    }",
    ),
    Bug(("rnn", GRID), "look_at(counter) < all;", "look_at(counter) + 1 < all;"),
    Bug(("rnn", GRID), "look_at(counter) < all;", "look_at(counter) <= all;"),
    Bug(
        ("gru", GRID), "met += ranks;\n        if (GRID && !last)", "if (GRID && !last)"
    ),
    Bug(("rnn", GRID), "blockIdx.x / ranks * 32;", "blockIdx.x * 32;"),
    Bug(("rnn", GRID), "met += ranks;\n        if (GRID && more)", "if (GRID && more)"),
]
# Wrong places
INDICES = [
    Bug(
        ("rnn", BLOCK),
        "row < rows; row += teams * ROWS",
        "row <= rows; row += teams * ROWS",
    ),
    Bug(("rnn", BLOCK), "pitch = round_up(H, LINE * parts);", "pitch = H;"),
    Bug(
        ("rnn", BLOCK),
        "x[i] = is ? h_0[(long long)(part.first + b) * H + k] : REAL(0);",
        "if (is) x[i] = h_0[(long long)(part.first + b) * H + k];",
    ),
    Bug(
        ("lstm", BLOCK), "cells[after + at] = new_c;", "cells[after + at + H] = new_c;"
    ),
    Bug(
        ("rnn", BLOCK),
        "__shfl_xor_sync(mask, given, BIT)",
        "__shfl_xor_sync(mask, given, 8 * BIT)",
    ),
    Bug(("rnn", BLOCK), "0xffu << (threadIdx.x & 24)", "0xffu << (threadIdx.x & 16)"),
    Bug(
        ("gru", BLOCK),
        "before = (t + reverse) * layer, after",
        "before = t * layer, after",
    ),
    Bug(
        ("rnn", CLUSTER),
        "unit = blockIdx.x % ranks * units;",
        "unit = blockIdx.x % ranks * (units - 1);",
    ),
    Bug(
        ("rnn", BLOCK),
        "first = blockIdx.x / ranks * slice;",
        "first = max(0, (int)(blockIdx.x / ranks * slice) - 1);",
    ),
    Bug(
        ("rnn", CLUSTER),
        "for (int rank = 0; rank < ranks; rank++)",
        "for (int rank = 1; rank < ranks; rank++)",
    ),
    Bug(
        ("rnn", CLUSTER),
        "for (int rank = 0; rank < ranks; rank++)",
        "for (int rank = 0; rank <= ranks; rank++)",
    ),
    Bug(("lstm", BLOCK), ON, "if (!goes_on[i]) new_h = old[i];"),
    Bug(("gru", GRID), "done = reverse ? t - 1 : t + 1;", "done = t + 1;"),
    Bug(
        ("lstm", BLOCK),
        "g * units + part.u[i], rows, parts",
        "g + G * part.u[i], rows, parts",
    ),
    Bug(
        ("rnn", BLOCK),
        "if (last) h_n[at] = new_h;",
        "if (t == steps - 1) h_n[at] = new_h;",
    ),
    Bug(
        ("lstm", LOOP),
        "if (!goes_on) h_next = old_h, c_next = old_c;",
        "if (!goes_on) h_next = old_h;",
    ),
    Bug(("gru", LOOP), "if (at >= (long long)batch * hidden) return;", ""),
]
# The other kernels
OTHERS = [
    Bug("adam", "if (decay != 0) g += decay * p;", "if (decay != 0) g = decay * p;"),
    Bug(
        "squares",
        f"for (int half = blockDim.x / 2; half; half /= 2) {{\n        {BARRIER}",
        "for (int half = blockDim.x / 2; half; half /= 2) {",
    ),
    Bug(
        "cross_entropy",
        f"const T sum = sums[0];\n    {BARRIER}  // the next call overwrites it",
        "const T sum = sums[0];",
        0,
    ),
    Bug(
        "squares",
        "i < count; i += step) {\n        const double value = g[i];",
        "i <= count; i += step) {\n        const double value = g[i];",
    ),
    Bug(
        "embedding",
        f"sums[threadIdx.x] = sum;\n    {BARRIER}\n    if (team == 0",
        "sums[threadIdx.x] = sum;\n    if (team == 0",
    ),
    Bug("embedding", "if (team == 0 && k < width)", "if (k < width)"),
    Bug("cross_entropy", "if (row >= count) return;  // the whole warp", ""),
    Bug(
        "cross_entropy",
        "for (int bit = WARP / 2; bit; bit /= 2) value +=",
        "for (int bit = WARP / 4; bit; bit /= 2) value +=",
    ),
]
# What is reported late
REPORTS = [
    Bug("checks", "if (wrong < count) report(", "if (wrong > count) report("),
    Bug("checks", "    if (record[0]) return;\n", ""),
    Bug("checks", "if (id < 0 || id >= rows)", "if (id >= rows)"),
    Bug("checks", "if (id == ignored) continue;", ""),
    Bug("checks", "wrong = min(wrong, int64(shared[i]));", ""),
    Bug("checks", f"= counts;\n    {BARRIER}", "= counts;"),
    Bug("clipping", "if (value - value != 0) wrong = min(wrong, i);", ""),
    Bug("clipping", "wrong = min(wrong, int(shared[i]));", ""),
    Bug("clipping", f"= wrong;\n    {BARRIER}", "= wrong;"),
    Bug("clipping", "factor[0] = -1;", ""),
    Bug("clipping", "if (scale == 1) return;", "if (scale < 1) return;"),
]
BUGS = [*BARRIERS, *GRIDS, *INDICES, *OTHERS, *REPORTS]


# ---- where bugs show


def scan(kind, mode):
    """A scan with lengths and states, both ways; several tiles for each block."""
    batch, number = {BLOCK: (26, 0), CLUSTER: (9, 1)}.get(mode, (9, 0))
    for reverse, hidden in ((True, 20), (False, 13)):
        case = make(
            kind,
            (4, batch, 3, hidden),
            1,
            ids=False,
            bias=True,
            initial=True,
            ends=True,
            reverse=reverse,
            projected=False,
            relu=False,
            cotangents="all",
        )
        with planned(mode, number, tile=4, order=fake_cupy.order):
            check_case(case, np.dtype("float64"))


def squares():
    x = np.linspace(-1, 1, 1000)
    found = import_twins().optimizer.squares([on_device(x), on_device(x[:77])])
    close(np.array(found), np.array(reference.squares([x, x[:77]])), 1e-13)


def embedding():
    ids, g = np.arange(40) % 3, np.linspace(-1, 1, 40 * 37).reshape(40, 37)
    found = import_twins().embedding.embedding_backward(on_device(ids), on_device(g), 3)
    close(on_host(found), reference.embedding_backward(ids, g, 3), 1e-13)


def cross_entropy():
    x, target = np.linspace(-3, 3, 5 * 40).reshape(5, 40) ** 3, np.arange(5) * 9
    package = import_twins().loss
    inputs = on_device(x), on_device(target), None
    (found,), kept = package.cross_entropy_forward(*inputs)
    (g, _, _) = package.cross_entropy_backward(
        (on_device(np.ones(())),), (True,), inputs, None, kept
    )
    (want,), kept = reference.cross_entropy_forward(x, target)
    inputs = x, target, None
    wanted = reference.cross_entropy_backward(
        (np.ones(()),), (True,), inputs, None, kept
    )
    close(on_host(found), want, 1e-13)
    close(on_host(g), wanted[0], 1e-13)


def adam():
    names = ("lr", "beta1", "beta2", "eps", "weight_decay")
    settings = dict(zip(names, (0.1, 0.9, 0.99, 1e-8, 0.1), strict=True))
    state = [np.linspace(0.5, k, 9) for k in (1, 2, 3, 4)]
    ours = [[on_device(x.copy())] for x in state]
    for package, part in (
        (reference, [[x] for x in state]),
        (import_twins().optimizer, ours),
    ):
        package.adam_step(*part, None, step=1, decoupled=False, **settings)
    for found, want in zip(ours, state, strict=True):
        close(on_host(found[0]), want, 1e-13)


def explain(place, value, *facts):
    return ValueError(f"{place} {value}")


CHECKS = [Check(explain, (i,)) for i in range(2)]


def look():
    """What was reported, after the words that it begins with."""
    try:
        pending.look(0, fake_cupy.asnumpy)
    except ValueError as error:
        return str(error).rpartition(": ")[2]
    return None


def checks():
    check = import_twins().checks.check_ids
    ids = np.arange(200) % 3
    for place, value in ((150, 3), (120, -1)):
        ids[place] = value
        check(on_device(ids), 3, CHECKS[0])
    found = [look(), look()]
    check(on_device(ids), 3, CHECKS[0])
    found.append(look())
    ids = np.full(200, -100)
    for place in (150, 199):
        check(on_device(ids), 3, CHECKS[0], ignore=-100, if_none=CHECKS[1])
        found.append(look())
        ids[place] = 1
    assert found == ["150 3", None, "120 -1", "0 0", None]


def clipping():
    clip, found = import_twins().optimizer.clip_to_norm, []
    for wrong in ([], [1], [1, 2]):
        arrays = [np.linspace(-1, 1, n) for n in (200, 300, 5)]
        for number in wrong:
            arrays[number][0] = np.inf
        ours = [on_device(x.copy()) for x in arrays]
        clip(ours, 1.0, CHECKS[0])
        found.append(look())
        norm = np.sqrt(sum((x**2).sum() for x in arrays))
        for a, b in zip(ours, arrays, strict=True):
            want = np.zeros_like(b) if wrong else b / (norm + 1e-6)
            close(on_host(a), want, 1e-13)
    assert found == [None, "1 0", "1 0"]


PLACES = (squares, embedding, cross_entropy, adam, checks, clipping)
OTHER_PLACES = {f.__name__: f for f in PLACES}


def run(where):
    if isinstance(where, tuple):
        scan(*where)
    else:
        OTHER_PLACES[where]()


# ---- planting


def places(bug):
    """Return the sources in which the piece stands often enough."""
    sources = (launch.SCAN, launch.STEPS, launch.TRAINING)
    return [s for s in sources if launch.read(s).count(bug.piece) > bug.number]


@contextmanager
def plant(bug):
    """Compile the sources with a bug while the context is open."""
    (source,) = places(bug)
    code, at = launch.read(source), -1
    for _ in range(bug.number + 1):
        at = code.index(bug.piece, at + 1)
    planted = code[:at] + bug.planted + code[at + len(bug.piece) :]
    original = launch.read
    with pytest.MonkeyPatch.context() as patch, compiled_anew():
        patch.setattr(launch, "read", lambda s: planted if s == source else original(s))
        yield


def find(bug, monkeypatch):
    """Return the orders of threads in which a bug is found."""
    found = []
    with plant(bug):
        for order in ORDERS:
            monkeypatch.setattr(fake_cupy, "order", order)
            try:
                run(bug.where)
            except AssertionError:
                found.append(order)
            finally:
                pending.records.clear()
    return found


def test_every_bug_has_its_place():
    assert len({*BUGS}) == len(BUGS) >= 40
    assert [bug for bug in BUGS if len(places(bug)) != 1] == []


def test_a_bug_is_found(monkeypatch):
    assert find(GRIDS[0], monkeypatch) == [*ORDERS]


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", sorted({str(bug.where): bug.where for bug in BUGS}.items())
)
def test_nothing_is_found_without_a_bug(where, monkeypatch):
    """The runs in which a bug is found raise nothing where there is none."""
    passed = []
    for order in ORDERS:
        monkeypatch.setattr(fake_cupy, "order", order)
        run(where[1])
        passed.append(order)
    assert passed == [*ORDERS]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BUGS)))
def test_every_bug_is_found(number, monkeypatch):
    bug = BUGS[number]
    assert find(bug, monkeypatch) == [*ORDERS], bug
