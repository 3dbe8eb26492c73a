"""Steps without a gradient: those of the layers' kernels, one at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import KINDS, close, every_kind


def draw_layer(rng, kind, size, projected):
    """Weights of a layer of ``size`` features to 4, or to 3 by W_hr."""
    gates, _ = KINDS[kind]
    out = 3 if projected else 4
    shapes = [(gates * 4, size), (gates * 4, out), gates * 4, gates * 4]
    weights = [rng.standard_normal(shape) for shape in shapes]
    if projected:
        weights.append(rng.standard_normal((3, 4)))
    return weights


@every_kind
@pytest.mark.parametrize("projected", [False, True])
@given(seed=st.integers(0, 2**32 - 1), ids=st.booleans(), batched=st.booleans())
def test_steps_are_those_of_the_layers(kernels, kind, projected, seed, ids, batched):
    projected = projected and kind == "lstm"
    rng = np.random.default_rng(seed)
    size = 3 if projected else 4
    layers = [draw_layer(rng, kind, n, projected) for n in (5, size)]
    head = [rng.standard_normal((2, size)), rng.standard_normal(2)]
    settings = {"nonlinearity": "relu"} if kind == "rnn" else {}
    run = kernels.stepper(kind, layers, head, **settings)
    dims = (3,) if batched else ()
    sizes = (size, 4)[: KINDS[kind][1]]
    state = [rng.standard_normal((2, *dims, n)) for n in sizes]
    wanted = [part.reshape(2, -1, part.shape[-1]) for part in state]
    for _ in range(2):
        shape = dims if ids else (*dims, 5)
        x = rng.integers(0, 5, shape) if ids else rng.standard_normal(shape)
        x = np.asarray(x)
        output, state = run(x, state)
        x = x.reshape(1, -1) if ids else x.reshape(1, -1, 5)
        for i, weights in enumerate(layers):
            begins = [part[i : i + 1] for part in wanted]
            forward = getattr(kernels, f"{kind}_forward")
            (x, *last), _ = forward(x, *begins, *weights, **settings)
            for part, new in zip(wanted, last, strict=True):
                part[i] = new[0]
        close(output, (x[0] @ head[0].T + head[1]).reshape(*dims, 2))
        for part, want in zip(state, wanted, strict=True):
            close(part, want.reshape(part.shape))
