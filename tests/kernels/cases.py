"""Recurrent layers as loops over their equations, and random cases for kernels."""

import sys
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import strategies as st

from tinygrad_rnn.backend.threads import one_thread


def import_c():
    """Return the kernels in C; skip the test file where they have not been built."""
    try:
        return import_module("tinygrad_rnn.kernels.c")
    except ImportError as error:
        pytest.skip(f"no kernels in C: {error}", allow_module_level=True)


# Blocks in a weight, parts of the state
KINDS = {"rnn": (1, 1), "lstm": (4, 2), "gru": (3, 1)}
every_kind = pytest.mark.parametrize("kind", KINDS)


# ---- the oracle: one sequence at a time, one step at a time, for real and complex
# numbers


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def rnn_step(z, r, h, nonlinearity):
    z = z + r
    return [np.tanh(z) if nonlinearity == "tanh" else np.where(z.real > 0, z, 0)]


def lstm_step(z, r, h, c, w_hr):
    i, f, g, o = np.split(z + r, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    m = sigmoid(o) * np.tanh(c)
    return [m if w_hr is None else w_hr @ m, c]


def gru_step(z, r, h):
    (z_r, z_u, z_n), (r, u, n) = np.split(z, 3), np.split(r, 3)
    u = sigmoid(z_u + u)
    return [(1 - u) * np.tanh(z_n + sigmoid(z_r + r) * n) + u * h]


def loop(kind, inputs, *, reverse, lengths, **settings):
    """The outputs of a layer, as its equations say."""
    step, states = globals()[f"{kind}_step"], KINDS[kind][1]
    x, first = inputs[0], inputs[1 : 1 + states]
    w_ih, w_hh, b_ih, b_hh, *more = inputs[1 + states :]
    if x.dtype.kind in "iu":
        x = np.eye(w_ih.shape[1])[x]
    steps, batch = x.shape[:2]
    sizes = (w_hh.shape[1], len(w_hh) // KINDS[kind][0])[:states]
    dtype = np.result_type(*(a for a in (x, *inputs[1:]) if a is not None))
    output = np.zeros((steps, batch, sizes[0]), dtype)
    last = [np.zeros((1, batch, size), dtype) for size in sizes]
    for b in range(batch):
        state = [
            np.zeros(n) if h is None else h[0, b]
            for h, n in zip(first, sizes, strict=True)
        ]
        times = range(steps if lengths is None else lengths[b])
        for t in reversed(times) if reverse else times:
            z, r = w_ih @ x[t, b], w_hh @ state[0]
            z, r = z + (0 if b_ih is None else b_ih), r + (0 if b_hh is None else b_hh)
            state = step(z, r, *state, *more, **settings)
            output[t, b] = state[0]
        for end, part in zip(last, state, strict=True):
            end[0, b] = part
    return output, *last


def slope_along(case, k, direction):
    """The exact derivative of the sums of cotangent * output, by a complex step:
    nothing cancels.
    """
    inputs = [None if a is None else a.copy() for a in case.inputs]
    inputs[k] = inputs[k] + 1e-200j * direction
    with one_thread():  # BLAS's threads cost more than such small products
        outputs = loop(case.kind, inputs, **case.settings)
    pairs = zip(case.grads, outputs, strict=True)
    return sum((g * out.imag).sum() for g, out in pairs if g is not None) / 1e-200


# ---- random cases


def laid_out(rng, x):
    """The same values in another layout: transposed, with gaps, reversed, read-only,
    not aligned.
    """
    how = rng.integers(6)
    if how == 0 or x.ndim == 0:
        return x
    if how == 1:
        return np.asfortranarray(x)
    if how == 2:
        wide = np.full((*x.shape[:-1], 2 * x.shape[-1] + 1), 7, x.dtype)
        wide[..., 1::2] = x
        return wide[..., 1::2]
    if how == 3:
        return np.ascontiguousarray(x[::-1])[::-1]
    if how == 4:
        return moved(x, 1)
    y = np.ascontiguousarray(x.swapaxes(0, -1)).swapaxes(0, -1)
    y.flags.writeable = False
    return y


def moved(x, offset):
    """A C-contiguous copy that begins so many bytes after an address that is even."""
    memory = np.empty(x.nbytes + offset + 64, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    y = memory[start : start + x.nbytes].view(x.dtype).reshape(x.shape)
    y[...] = x
    return y


def make(
    kind,
    sizes,
    seed,
    *,
    ids,
    bias,
    initial,
    ends,
    reverse,
    projected,
    relu,
    cotangents,
    slices=1,
    draw=None,
):
    (steps, batch, features, hidden), (gates, states) = sizes, KINDS[kind]
    rng = np.random.default_rng(seed)

    def f(*shape):
        return draw(shape) if draw else laid_out(rng, rng.standard_normal(shape))

    x = (
        laid_out(rng, rng.integers(0, features, (steps, batch)))
        if ids
        else f(steps, batch, features)
    )
    size = 1 + seed % hidden if projected and kind == "lstm" else hidden  # of h
    first = [f(1, batch, n) if initial else None for n in (size, hidden)[:states]]
    w_hh = f(gates * hidden, size)
    w_hh = laid_out(rng, w_hh / w_hh.dtype.type(hidden))  # no chaos
    alone = seed % 5 if bias else -1  # one of two may be missing
    biases = [f(gates * hidden) if bias and alone != k else None for k in range(2)]
    inputs = (x, *first, f(gates * hidden, features), w_hh, *biases)
    settings_ = {
        "reverse": reverse,
        "lengths": rng.integers(0, steps + 1, batch) if ends else None,
    }
    if kind == "lstm":
        inputs += (f(size, hidden) if projected else None,)
    elif kind == "rnn":
        settings_["nonlinearity"] = "relu" if relu else "tanh"
    shapes = [(steps, batch, size), (1, batch, size), (1, batch, hidden)][: 1 + states]
    grads = tuple(
        f(*shape) if cotangents in (k, "all") else None
        for k, shape in enumerate(shapes)
    )
    assert any(g is not None for g in grads)
    needs = tuple(a is not None and a.dtype.kind == "f" for a in inputs)
    return SimpleNamespace(
        kind=kind,
        inputs=inputs,
        settings=settings_,
        grads=grads,
        needs=needs,
        rng=rng,
        slices=slices,
    )


@st.composite
def cases(draw, kind):
    names = ("ids", "bias", "initial", "ends", "reverse", "projected", "relu")
    sizes = st.tuples(
        st.integers(1, 6), st.integers(0, 5), st.integers(1, 4), st.integers(1, 5)
    )
    cotangents = st.sampled_from([*range(1 + KINDS[kind][1]), "all"])
    return make(
        kind,
        draw(sizes),
        draw(st.integers(0, 2**32 - 1)),
        cotangents=draw(cotangents),
        slices=draw(st.integers(1, 3)),
        **{name: draw(st.booleans()) for name in names},
    )


@contextmanager
def cut(case):
    """Run a layer in as many slices of the batch as the case says; as usual if None."""
    count = getattr(case, "slices", 1)

    def split_batch(steps, batch, weight_size):
        parts = max(min(count, batch), 1)
        ends = [batch * i // parts for i in range(parts + 1)]
        return [slice(*pair) for pair in pairwise(ends)]

    with pytest.MonkeyPatch.context() as patch:
        for name in ("numpy.slices", "c.recurrent") if count else ():
            module = sys.modules.get(f"tinygrad_rnn.kernels.{name}")
            if module is not None:
                patch.setattr(module, "split_batch", split_batch)
        yield


def forward(kernels, case):
    with cut(case):
        return getattr(kernels, f"{case.kind}_forward")(*case.inputs, **case.settings)


def backward(kernels, case, outputs, workspace, grads=None, needs=None):
    with cut(case):
        return getattr(kernels, f"{case.kind}_backward")(
            case.grads if grads is None else grads,
            case.needs if needs is None else needs,
            case.inputs,
            outputs,
            workspace,
            **case.settings,
        )


def close(got, want, rtol=1e-10):
    """Compared with the largest number of all: a sum cannot be more exact than its
    terms.
    """
    assert got.shape == want.shape
    if want.size:
        np.testing.assert_allclose(
            got, want, rtol=0, atol=rtol * max(1, abs(want).max())
        )


def check_saturated(kernels, kind, dtype):
    """However large the sums, nothing overflows and nothing is NaN.

    The gates are 0, 1 or -1, and their slopes are 0.
    """
    gates, states = KINDS[kind]
    x = np.array([1e4, -1e4, 1e30, -1e30], dtype).reshape(4, 1, 1)
    weights = [np.ones((gates * 2, 1), dtype), np.ones((gates * 2, 2), dtype)]
    more = (None,) if kind == "lstm" else ()
    inputs = (x, *(None,) * states, *weights, None, None, *more)
    needs = (True, *(False,) * states, True, True, False, False, *(False,) * len(more))
    case = SimpleNamespace(kind=kind, inputs=inputs, settings={}, needs=needs)
    outputs, workspace = forward(kernels, case)
    ones = tuple(np.ones_like(out) for out in outputs)
    for a in (*outputs, *backward(kernels, case, outputs, workspace, ones)):
        assert a is None or np.isfinite(a).all()
