"""The bare matrix products of a work in NumPy, which no framework can avoid.

They are those of the recurrence, the head and their gradients, and with float features
those of the projection and its gradient.
"""

import numpy as np
from works import GATES

VERSION = f"NumPy {np.__version__}"


def build(work, arrays):
    if work.kind == "calls":
        return calls()
    generator = np.random.default_rng(0)

    def random_array(*shape):
        return generator.standard_normal(shape, np.float32)

    rows, steps = GATES[work.cell] * work.H, work.T
    count = work.B * (1 if work.task == "sine" else steps)  # what the head sees
    w_ih, w_hh = random_array(rows, work.V), random_array(rows, work.H)
    head = random_array(work.outputs, work.H)
    state, back = random_array(work.B, work.H), random_array(work.B, work.H)
    sums = random_array(work.B, rows)
    x, gates, hidden = (random_array(steps * work.B, n) for n in (work.V, rows, work.H))
    seen, scores = hidden[:count], random_array(count, work.outputs)
    like = {"x": gates, "ih": w_ih, "hh": w_hh, "head": head, "seen": seen}
    out = {name: np.empty_like(array) for name, array in like.items()}
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


def calls():
    def step():
        x = np.ones(16, np.float32)
        for _ in range(1000):
            x = np.tanh(x)

    return step, dict
