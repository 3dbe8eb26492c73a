"""The matrix products that a work cannot do without, alone, in NumPy: what no framework
takes away.

Recurrence, head, and their gradients; with float features the projection and its
gradient too.
"""

import numpy as np
from works import GATES

VERSION = f"NumPy {np.__version__}"


def build(work, arrays):
    random = np.random.default_rng(0)

    def made(*shape):
        return random.standard_normal(shape, np.float32)

    rows, steps = GATES[work.cell] * work.H, work.T
    count = work.B * (1 if work.task == "sine" else steps)  # what the head sees
    w_ih, w_hh, head = (
        made(rows, work.V),
        made(rows, work.H),
        made(work.outputs, work.H),
    )
    state, sums, back = made(work.B, work.H), made(work.B, rows), made(work.B, work.H)
    x, gates, hidden = (made(steps * work.B, n) for n in (work.V, rows, work.H))
    seen, scores = hidden[:count], made(count, work.outputs)
    out = {
        name: np.empty_like(a) for name, a in (("x", gates), ("ih", w_ih), ("hh", w_hh))
    }
    out |= {name: np.empty_like(a) for name, a in (("head", head), ("seen", seen))}
    projects = work.task != "ids"

    def step():
        if projects:
            np.matmul(x, w_ih.T, out=out["x"])
        for _ in range(steps):
            np.matmul(state, w_hh.T, out=sums)
        np.matmul(seen, head.T, out=scores)
        if work.kind != "train":
            return
        np.matmul(scores, head, out=out["seen"])
        np.matmul(scores.T, seen, out=out["head"])
        for _ in range(steps):
            np.matmul(sums, w_hh, out=back)
        np.matmul(gates.T, hidden, out=out["hh"])
        if projects:
            np.matmul(gates.T, x, out=out["ih"])

    return step, dict
