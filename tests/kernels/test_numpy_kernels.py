"""The NumPy kernels against loops written as the equations are, and against PyTorch."""

import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tinygrad_rnn.backend.numpy import join
from tinygrad_rnn.backend.threads import one_thread
from tinygrad_rnn.kernels import numpy as kernels

# Blocks in a weight, parts of the state
KINDS = {"rnn": (1, 1), "lstm": (4, 2), "gru": (3, 1)}
every_kind = pytest.mark.parametrize("kind", KINDS)


# ---- the oracle: one sequence at a time, one step at a time, for real and for complex
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
    """The same values in another layout: transposed, with gaps, backwards or read-only."""
    how = rng.integers(5)
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
    y = np.ascontiguousarray(x.swapaxes(0, -1)).swapaxes(0, -1)
    y.flags.writeable = False
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
):
    (steps, batch, features, hidden), (gates, states) = sizes, KINDS[kind]
    rng = np.random.default_rng(seed)

    def f(*shape):
        return laid_out(rng, rng.standard_normal(shape))

    x = (
        laid_out(rng, rng.integers(0, features, (steps, batch)))
        if ids
        else f(steps, batch, features)
    )
    size = 1 + seed % hidden if projected and kind == "lstm" else hidden  # of h
    first = [f(1, batch, n) if initial else None for n in (size, hidden)[:states]]
    # No chaos
    w_hh = laid_out(rng, rng.standard_normal((gates * hidden, size)) / hidden)
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


def forward(case):
    """Of the whole batch at once, or in as many slices as the case says."""
    parts = np.array_split(
        np.arange(case.inputs[0].shape[1]), getattr(case, "slices", 1)
    )
    cut = lambda rows, multiplications: (
        [slice(p[0], p[-1] + 1) for p in parts if p.size] or [None]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels.slices, "split_rows", cut)
        patch.setattr(kernels.slices, "MIN_WORK", 0)
        return getattr(kernels, f"{case.kind}_forward")(*case.inputs, **case.settings)


def backward(case, outputs, workspace, grads=None, needs=None):
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


# ---- the recurrent scans


def check_values(case):
    outputs, _ = forward(case)
    for out, want in zip(
        outputs, loop(case.kind, case.inputs, **case.settings), strict=True
    ):
        close(out, want)
    assert outputs[0].flags.c_contiguous
    arrays = [a for a in (*outputs, *case.inputs) if a is not None]
    assert not any(
        np.shares_memory(a, b) for a in outputs for b in arrays if a is not b
    )


def check_gradients(case):
    outputs, workspace = forward(case)
    grads = backward(case, outputs, workspace)
    for k, (g, needed) in enumerate(zip(grads, case.needs, strict=True)):
        assert (g is not None) == needed
        if needed:
            assert g.shape == case.inputs[k].shape
            assert g.dtype == np.float64
            for _ in range(2):
                direction = case.rng.standard_normal(g.shape)
                want = slope_along(case, k, direction)
                scale = max(1, (abs(g) * abs(direction)).sum())
                assert abs((g * direction).sum() - want) <= 1e-10 * scale, f"input {k}"


def check_new_and_repeatable(case):
    kept = [None if a is None else a.copy() for a in (*case.inputs, *case.grads)]
    outputs, workspace = forward(case)
    values = [a.copy() for a in outputs]
    first = backward(case, outputs, workspace)
    second = backward(case, outputs, workspace)
    arrays = [
        a
        for a in (*first, *second, *case.inputs, *case.grads, *outputs)
        if a is not None
    ]
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(arrays, 2))
    for g, again in zip(first, second, strict=True):
        assert g is None or g.tobytes() == again.tobytes()
    for a, before in zip(
        (*case.inputs, *case.grads, *outputs), (*kept, *values), strict=True
    ):
        assert a is None or np.array_equal(a, before)


@every_kind
@given(data=st.data())
def test_a_scan_is_the_loop(kind, data):
    check_values(data.draw(cases(kind)))


@every_kind
@given(data=st.data())
def test_gradients_are_the_derivatives(kind, data):
    check_gradients(data.draw(cases(kind)))


@every_kind
@given(data=st.data())
def test_gradients_are_new_and_repeatable(kind, data):
    check_new_and_repeatable(data.draw(cases(kind)))


@every_kind
@given(data=st.data(), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_backward_is_linear(kind, data, a, b):
    case = data.draw(cases(kind))
    outputs, workspace = forward(case)
    u = tuple(
        np.zeros(o.shape) if g is None else g
        for o, g in zip(outputs, case.grads, strict=True)
    )
    v = tuple(case.rng.standard_normal(o.shape) for o in outputs)
    both = backward(
        case,
        outputs,
        workspace,
        tuple(a * p + b * q for p, q in zip(u, v, strict=True)),
    )
    of_u, of_v = (
        backward(case, outputs, workspace, u),
        backward(case, outputs, workspace, v),
    )
    nothing = backward(case, outputs, workspace, tuple(0 * p for p in u))
    for g, p, q, zero in zip(both, of_u, of_v, nothing, strict=True):
        if g is not None:
            close(g, a * p + b * q)
            assert not zero.any()
    for g, p in zip(backward(case, outputs, workspace), of_u, strict=True):
        assert g is None or np.array_equal(g, p), "a missing cotangent is zero"


@every_kind
@given(data=st.data())
def test_the_gradients_that_are_asked_for(kind, data):
    case = data.draw(cases(kind))
    needs = tuple(need and data.draw(st.booleans()) for need in case.needs)
    outputs, workspace = forward(case)
    some = backward(case, outputs, workspace, needs=needs)
    every = backward(case, outputs, workspace)
    for g, full, needed in zip(some, every, needs, strict=True):
        assert (g is not None) == needed
        if needed:
            close(g, full)


@every_kind
@given(data=st.data())
def test_in_float32(kind, data):
    case = data.draw(cases(kind))
    single = SimpleNamespace(**vars(case))
    single.inputs, single.grads = (
        tuple(
            a.astype("f4") if a is not None and a.dtype.kind == "f" else a
            for a in arrays
        )
        for arrays in (case.inputs, case.grads)
    )
    case.inputs, case.grads = (
        tuple(
            a.astype("f8") if a is not None and a.dtype.kind == "f" else a
            for a in arrays
        )
        for arrays in (single.inputs, single.grads)
    )
    outputs, workspace = forward(single)
    want, work = forward(case)
    # At a kink, float32 may see the other side
    smooth = case.settings.get("nonlinearity") != "relu"
    results = (*outputs, *backward(single, outputs, workspace))
    for k, (got, exact) in enumerate(
        zip(results, (*want, *backward(case, want, work)), strict=True)
    ):
        assert got is None or got.dtype == np.float32
        if got is not None and (smooth or k < 2):
            close(got, exact, 2e-5)


@every_kind
@pytest.mark.parametrize(
    "sizes", [(9, 30, 70, 40), (12, 40, 3, 33), (3, 1, 300, 64), (70, 9, 65, 8)]
)
@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("ends", [True, False])
def test_sizes_that_take_the_other_ways(kind, sizes, ids, ends):
    """Large enough for the pool, the table of rows, sorted ids and the copies of
    weights.
    """
    on = {
        "bias": True,
        "initial": True,
        "reverse": False,
        "relu": False,
        "projected": ids == ends,
    }
    case = make(kind, sizes, 5, ids=ids, ends=ends, cotangents="all", **on)
    check_values(case)
    check_gradients(case)
    check_new_and_repeatable(case)


@every_kind
def test_slices_are_asked_for_by_the_work_of_a_step(kind, monkeypatch):
    """Its product with W_hh, as that with W_ih is done for all steps at once."""
    names = ("ids", "bias", "initial", "ends", "reverse", "projected", "relu")
    on, asked = dict.fromkeys(names, False), []
    monkeypatch.setattr(
        kernels.slices, "split_rows", lambda *args: asked.append(args) or [slice(None)]
    )
    for features, hidden in ((1, 130), (500, 7)):
        case = make(kind, (2, 64, features, hidden), 0, cotangents="all", **on)
        getattr(kernels, f"{kind}_forward")(*case.inputs, **case.settings)
    assert asked == [(64, 64 * KINDS[kind][0] * 130 * 130)]


@every_kind
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("count", [200, 70_000])
def test_ids_of_any_integer_type_are_one_hot_rows(kind, count, dtype):
    """Few ids and many, of a vocabulary that 16 bits count and of one that they do not."""
    gates, states = KINDS[kind]
    rng = np.random.default_rng(0)
    used = rng.choice(min(count, np.iinfo(dtype).max), 100, replace=False)
    x = rng.choice(used, (20, 10)).astype(dtype)
    w_hh = rng.standard_normal((gates * 3, 3))
    w_ih, bias = rng.standard_normal((gates * 3, count)), rng.standard_normal(gates * 3)
    none, more = (None,) * states, (None,) if kind == "lstm" else ()
    inputs = (x, *none, w_ih, w_hh, bias, bias, *more)
    hot = (used == x[..., None]).astype(float)
    narrow = (hot, *none, w_ih[:, used], w_hh, bias, bias, *more)
    needs = (False, *(False,) * states, True, True, True, True, *(False,) * len(more))
    found = []
    for arrays in (inputs, narrow):
        case = SimpleNamespace(kind=kind, inputs=arrays, settings={}, needs=needs)
        outputs, workspace = forward(case)
        found.append((outputs, backward(case, outputs, workspace, outputs)))
    (outputs, grads), (want, exact) = found
    close(outputs[0], want[0])
    close(grads[1 + states][:, used], exact[1 + states])
    assert np.count_nonzero(grads[1 + states].any(0)) <= 100
    for g, e in zip(
        grads[2 + states : 5 + states], exact[2 + states : 5 + states], strict=True
    ):
        close(g, e)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize("shape", [(), (0,), (6,), (3, 100), (40, 60)])
@pytest.mark.parametrize("count", [7, 200, 300, 70_000])
@pytest.mark.parametrize("size", [0, 4, 64])
def test_embedding_sums_rows_of_equal_ids(count, shape, dtype, transposed, size):
    """By one-hot rows, by segments and row by row; whole numbers, so sums are exact."""
    rng = np.random.default_rng(0)
    ids = laid_out(rng, rng.integers(0, min(count, 256), shape).astype(dtype))
    g = laid_out(rng, rng.integers(-9, 9, (*shape, size)).astype(float))
    before = ids.copy(), g.copy()
    found = kernels.embedding_backward(ids, g, count, transposed=transposed)
    want = np.zeros((count, size))
    np.add.at(want, ids.astype(int), g)
    assert found.flags.c_contiguous
    assert np.array_equal(found, want.T if transposed else want)
    assert np.array_equal(ids, before[0])
    assert np.array_equal(g, before[1])


@every_kind
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [[2, 5, 1, 4], [2, 4, 0, 3], [0, 0, 0, 0]])
def test_nothing_flows_through_padding(kind, relu, reverse, lengths):
    on = {
        "ids": False,
        "bias": True,
        "initial": True,
        "ends": False,
        "reverse": reverse,
    }
    case = make(
        kind, (5, 4, 3, 6), 0, relu=relu, projected=relu, cotangents="all", **on
    )
    case.settings["lengths"] = np.array(lengths)
    padding = np.arange(5)[:, None] >= case.settings["lengths"]
    x, g_output = case.inputs[0].copy(), case.grads[0].copy()
    case.inputs, case.grads = (x, *case.inputs[1:]), (g_output, *case.grads[1:])
    results = []
    for rubbish in (0.0, 1e300, np.inf, np.nan):
        x[padding], g_output[padding] = rubbish, rubbish
        outputs, workspace = forward(case)
        grads = backward(case, outputs, workspace)
        assert not outputs[0][padding].any()
        assert not grads[0][padding].any()
        results.append([a.tobytes() for a in (*outputs, *grads) if a is not None])
    assert all(r == results[0] for r in results)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_saturated_gates_are_finite(kind, dtype):
    """However large the sums: no overflow, no NaN; the gates are 0, 1 or -1, their
    slopes 0.
    """
    gates, states = KINDS[kind]
    x = np.array([1e4, -1e4, 1e30, -1e30], dtype).reshape(4, 1, 1)
    weights = [np.ones((gates * 2, 1), dtype), np.ones((gates * 2, 2), dtype)]
    more = (None,) if kind == "lstm" else ()
    inputs = (x, *(None,) * states, *weights, None, None, *more)
    needs = (True, *(False,) * states, True, True, False, False, *(False,) * len(more))
    case = SimpleNamespace(kind=kind, inputs=inputs, settings={}, needs=needs)
    outputs, workspace = forward(case)
    ones = tuple(np.ones_like(out) for out in outputs)
    for a in (*outputs, *backward(case, outputs, workspace, ones)):
        assert a is None or np.isfinite(a).all()


def test_relu_has_no_slope_at_zero():
    x, w = np.zeros((2, 1, 1)), np.ones((1, 1))
    inputs = (x, None, w, w, None, None)
    outputs, workspace = kernels.rnn_forward(*inputs, nonlinearity="relu")
    needs = (True, False, True, True, False, False)
    ones = np.ones((2, 1, 1))
    grads = kernels.rnn_backward(
        (ones, None), needs, inputs, outputs, workspace, nonlinearity="relu"
    )
    assert not any(g.any() for g in grads if g is not None)


# ---- cross entropy


def loss_of(x, target, weight, ignore_index, reduction, label_smoothing):
    """The definition, in many digits or in complex numbers."""
    exp, log = (np.exp, np.log) if np.iscomplexobj(x) else (mpmath.exp, mpmath.log)
    w = [1] * x.shape[1] if weight is None else list(weight)
    losses, total = [], 0
    for row, t in zip(x, target, strict=True):
        if t == ignore_index:
            losses.append(0 * row[0])
            continue
        shift = max(row, key=lambda v: v.real) if np.iscomplexobj(x) else max(row)
        log_z = log(sum(exp(v - shift) for v in row)) + shift
        sharp = w[t] * (log_z - row[t])
        smooth = sum(wc * (log_z - v) for wc, v in zip(w, row, strict=True)) / len(row)
        losses.append((1 - label_smoothing) * sharp + label_smoothing * smooth)
        total += w[t]
    if reduction == "none":
        return np.array(losses)
    return sum(losses) / total if reduction == "mean" else sum(losses)


@st.composite
def loss_cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, v = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    ignore_index = draw(st.sampled_from([-100, 0, -1]))
    target = rng.integers(0, v, n)
    if draw(st.booleans()):
        target[rng.random(n) < 0.4] = ignore_index
    x = laid_out(
        rng, rng.standard_normal((n, v)) * draw(st.sampled_from([0.1, 1.0, 30.0]))
    )
    weight = laid_out(rng, rng.random(v) + 0.1) if draw(st.booleans()) else None
    chosen = {
        "ignore_index": ignore_index,
        "reduction": draw(st.sampled_from(["mean", "sum", "none"])),
        "label_smoothing": draw(st.sampled_from([0.0, 0.1, 1.0])),
    }
    assume((target != ignore_index).any())
    return x, laid_out(rng, target), weight, chosen, rng


@given(loss_cases())
def test_cross_entropy_is_its_definition(case):
    x, target, weight, chosen, rng = case
    before = x.copy()
    (loss,), workspace = kernels.cross_entropy_forward(x, target, weight, **chosen)
    want = np.asarray(loss_of(x.astype(complex), target, weight, **chosen).real)
    assert type(loss) is np.ndarray
    assert loss.dtype == x.dtype
    close(loss, want, 1e-12)

    u = np.asarray(rng.standard_normal(loss.shape))
    ask = ((u,), (True, False, False), (x, target, weight), (loss,), workspace)
    g, no_target, no_weight = kernels.cross_entropy_backward(*ask, **chosen)
    again, _, _ = kernels.cross_entropy_backward(*ask, **chosen)
    assert no_target is None
    assert no_weight is None
    assert g.tobytes() == again.tobytes()
    assert not np.shares_memory(g, again)
    assert np.array_equal(x, before)
    assert g.dtype == x.dtype
    assert g.shape == x.shape
    direction = rng.standard_normal(x.shape)
    moved = loss_of(x + 1e-200j * direction, target, weight, **chosen).imag / 1e-200
    close(np.asarray((g * direction).sum()), np.asarray((u * moved).sum()), 1e-12)
    nothing = (ask[0], (False,) * 3, *ask[2:])
    assert kernels.cross_entropy_backward(*nothing, **chosen) == (None, None, None)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 1.0, 40.0, 700.0, 1e4]))
def test_cross_entropy_within_4_ulp(seed, scale):
    """Also of a loss that is tiny, where log(sum(exp)) would round to 0.

    Each x - max(x) is rounded, by half an ULP, before it goes into exp: that comes on
    top.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((8, 5)) * scale
    target = np.where(rng.random(8) < 0.5, x.argmax(1), rng.integers(0, 5, 8))
    (loss,), _ = kernels.cross_entropy_forward(x, target, None, reduction="none")
    with mpmath.workdps(360):  # 1 + exp(-745) is not 1
        exact = np.array([[mpmath.mpf(float(v)) for v in row] for row in x])
        want = loss_of(exact, target, None, -100, "none", 0.0)
        gaps = x - x.max(1, keepdims=True)
        rounding = (np.exp(gaps) * np.spacing(-gaps) / 2).sum(1)
        for got, w, slack in zip(loss, want, rounding, strict=True):
            assert abs(mpmath.mpf(float(got)) - w) <= 4 * np.spacing(float(w)) + slack


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_an_ignored_row_may_hold_anything(label_smoothing):
    x = np.array([[1.0, 2], [np.nan, 0], [np.nan, np.nan], [3, 1]])
    target, options = np.array([0, -100, -100, 1]), {"label_smoothing": label_smoothing}
    (loss,), workspace = kernels.cross_entropy_forward(x, target, None, **options)
    ask = ((np.ones(()),), (True, False, False), (x, target, None), (loss,), workspace)
    g, _, _ = kernels.cross_entropy_backward(*ask, **options)
    inputs = (x[::3], target[::3], None)
    (want,), workspace = kernels.cross_entropy_forward(*inputs, **options)
    ask = ((np.ones(()),), (True, False, False), inputs, (want,), workspace)
    assert loss == want
    np.testing.assert_array_equal(
        g[::3], kernels.cross_entropy_backward(*ask, **options)[0]
    )
    assert not g[1:3].any()


def test_cross_entropy_of_huge_logits_is_finite():
    x = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]], np.float32)
    target = np.array([1, 0, 2])
    with np.errstate(all="raise", under="ignore"):
        (loss,), workspace = kernels.cross_entropy_forward(
            x, target, None, reduction="none"
        )
        ask = (
            (np.ones(3, "f4"),),
            (True, False, False),
            (x, target, None),
            (loss,),
            workspace,
        )
        g, _, _ = kernels.cross_entropy_backward(*ask, reduction="none")
    np.testing.assert_allclose(loss, [2e4, np.log(3), np.log(3)], rtol=1e-6)
    third = 1 / 3
    want = [[1, -1, 0], [third - 1, third, third], [third, third, third - 1]]
    np.testing.assert_allclose(g, want, atol=1e-7)


# ---- Adam


def adam_by_the_paper(
    p, g, m, v, top, step, lr, beta1, beta2, eps, weight_decay, amsgrad, decoupled
):
    if decoupled:
        p = p - lr * weight_decay * p
    else:
        g = g + weight_decay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    top = np.maximum(top, v)
    second = (top if amsgrad else v) / (1 - beta2**step)
    return p - lr * (m / (1 - beta1**step)) / (np.sqrt(second) + eps), m, v, top


adam_options = {
    "lr": st.floats(1e-4, 0.1),
    "beta1": st.sampled_from([0.0, 0.5, 0.9]),
    "beta2": st.sampled_from([0.0, 0.9, 0.999]),
    "eps": st.sampled_from([1e-8, 1e-3]),
    "weight_decay": st.sampled_from([0.0, 0.01]),
    "decoupled": st.booleans(),
}


@given(
    size=st.integers(0, 9),
    seed=st.integers(0, 2**32 - 1),
    amsgrad=st.booleans(),
    options=st.fixed_dictionaries(adam_options),
)
def test_adam_is_the_papers(size, seed, amsgrad, options):
    rng = np.random.default_rng(seed)
    p, state = rng.standard_normal(size), [np.zeros(size) for _ in range(3)]
    want, *moments = p.copy(), *(a.copy() for a in state)
    for step in range(1, 5):
        g = rng.standard_normal(size)
        before = g.copy()
        top = [state[2]] if amsgrad else None
        lists = [p], [g], [state[0]], [state[1]], top
        assert kernels.adam_step(*lists, step=step, **options) is None
        assert np.array_equal(g, before)
        want, *moments = adam_by_the_paper(
            want, g, *moments, step=step, amsgrad=amsgrad, **options
        )
    for got, exact in zip((p, *state[:2]), (want, *moments[:2]), strict=True):
        np.testing.assert_allclose(got, exact, rtol=1e-10, atol=1e-12)


def draw_adam_state(rng, shapes, dtype):
    """Lists of parameters, gradients, first, second and largest second moments."""
    params, grads, exp_avgs = (
        [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]
        for _ in range(3)
    )
    squares = [[np.asarray(m * m) for m in exp_avgs] for _ in range(2)]
    return [params, grads, exp_avgs, *squares]


ADAM = {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize("amsgrad", [True, False])
def test_adam_of_a_list_is_adam_of_one_vector(dtype, decoupled, amsgrad, monkeypatch):
    """Bit for bit, also where arrays are updated in pieces."""
    shapes = [(3, 5), (), (0, 2), (1000,), (1001,), (50, 70)]
    options = {**ADAM, "step": 3, "decoupled": decoupled}
    results = []
    for chunk in (1 << 17, 1000):
        monkeypatch.setattr(kernels.optimizer, "CHUNK", chunk)
        several = draw_adam_state(np.random.default_rng(0), shapes, dtype)
        joined = [[join(arrays)] for arrays in several]
        for lists in (several, joined):
            kernels.adam_step(*lists[:4], lists[4] if amsgrad else None, **options)
            results.append([join(a).tobytes() for a in lists])
    assert all(result == results[0] for result in results)


# ---- clipping


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squares_and_scale(dtype):
    rng = np.random.default_rng(0)
    shapes = [(3, 5), (), (0, 2), (40,)]
    arrays = [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]
    arrays.append(rng.standard_normal((6, 4)).astype(dtype).T[::2])
    before = [array.copy() for array in arrays]
    found = kernels.squares(arrays)
    assert type(found) is float
    want = sum(float((array.astype(np.float64) ** 2).sum()) for array in arrays)
    np.testing.assert_allclose(found, want, rtol=1e-6)
    assert kernels.squares([]) == 0.0
    assert kernels.scale(arrays, 0.3) is None
    for array, old in zip(arrays, before, strict=True):
        assert array.dtype == dtype
        np.testing.assert_array_equal(array, old * dtype(0.3))


# ---- PyTorch


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["rnn", "rnn relu", "lstm", "lstm projected", "gru"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lengths", [None, [3, 7, 1, 7, 4]])
@pytest.mark.parametrize("ids", [True, False])
def test_a_scan_is_pytorchs(kind, bias, lengths, ids):
    """A bidirectional layer: weights of one direction after the other, outputs side by
    side.
    """
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    kind, _, option = kind.partition(" ")
    settings_ = {"nonlinearity": "relu"} if option == "relu" else {}
    size = 3 if option == "projected" else 4
    more = {"proj_size": 3} if option == "projected" else {}
    double = {"dtype": torch.float64}
    layer = getattr(torch.nn, kind.upper())
    theirs = layer(6, 4, bias=bias, bidirectional=True, **settings_, **more, **double)
    x = torch.randn(7, 5, 6, **double)
    if ids:
        x = torch.eye(6, **double)[torch.randint(0, 6, (7, 5))]
    x.requires_grad_()
    states = KINDS[kind][1]
    first = [
        torch.randn(2, 5, n, requires_grad=True, **double) for n in (size, 4)[:states]
    ]
    packed = x
    if lengths is not None:
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            x, lengths, enforce_sorted=False
        )
    output, last = theirs(packed, first[0] if states == 1 else tuple(first))
    if lengths is not None:
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, total_length=7)
    last = [last] if states == 1 else list(last)
    us = [torch.randn_like(out) for out in (output, *last)]
    torch.autograd.backward((output, *last), us)

    g_x = 0
    parameters = list(theirs.parameters())
    half = len(parameters) // 2
    for d in range(2):
        weights = parameters[d * half :][:half]
        arrays = [w.detach().numpy() for w in weights]
        if not bias:
            arrays[2:2] = [None, None]
        if kind == "lstm" and not more:
            arrays.append(None)
        features = x.detach().numpy()
        inputs = (
            features.argmax(2) if ids else features,
            *[s[d : d + 1].detach().numpy() for s in first],
            *arrays,
        )
        case = SimpleNamespace(kind=kind, inputs=inputs)
        case.settings = {"reverse": bool(d), **settings_}
        case.settings["lengths"] = None if lengths is None else np.array(lengths)
        case.needs = (not ids, *[a is not None for a in inputs[1:]])
        outputs, workspace = forward(case)
        side = slice(size * d, size * d + size)
        close(outputs[0], output[..., side].detach().numpy())
        for out, s in zip(outputs[1:], last, strict=True):
            close(out, s[d : d + 1].detach().numpy())
        case.grads = (us[0][..., side].numpy(), *[u[d : d + 1].numpy() for u in us[1:]])
        grads = backward(case, outputs, workspace)
        for g, s in zip(grads[1 : 1 + states], first, strict=True):
            close(g, s.grad[d : d + 1].numpy())
        found = [g for g in grads[1 + states :] if g is not None]
        for g, w in zip(found, weights, strict=True):
            close(g, w.grad.numpy())
        g_x = g_x if ids else g_x + grads[0]
    if not ids:
        close(g_x, x.grad.numpy())


@pytest.mark.parity
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_cross_entropy_is_pytorchs(reduction, label_smoothing, weighted, ignore_index):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    x = torch.randn(9, 5, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 5, (9,))
    target[3] = ignore_index
    weight = torch.rand(5, dtype=torch.float64) if weighted else None
    options = {
        "reduction": reduction,
        "label_smoothing": label_smoothing,
        "ignore_index": ignore_index,
    }
    theirs = torch.nn.functional.cross_entropy(x, target, weight, **options)
    u = torch.randn_like(theirs)
    theirs.backward(u)
    inputs = (
        x.detach().numpy(),
        target.numpy(),
        None if weight is None else weight.numpy(),
    )
    (loss,), workspace = kernels.cross_entropy_forward(*inputs, **options)
    close(loss, theirs.detach().numpy(), 1e-13)
    ask = ((u.numpy(),), (True, False, False), inputs, (loss,), workspace)
    close(kernels.cross_entropy_backward(*ask, **options)[0], x.grad.numpy(), 1e-13)


@pytest.mark.parity
@pytest.mark.parametrize("amsgrad", [True, False])
@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adam_is_pytorchs(amsgrad, decoupled, weight_decay):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.randn(50, dtype=torch.float64))
    ours, *state = p.detach().numpy().copy(), *(np.zeros(50) for _ in range(3))
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = kind([p], lr=0.01, weight_decay=weight_decay, amsgrad=amsgrad)
    options = {"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    for step in range(1, 1001):
        p.grad = torch.randn_like(p) * 10 ** (step % 5 - 3)
        optimizer.step()
        kernels.adam_step(
            [ours],
            [p.grad.numpy()],
            [state[0]],
            [state[1]],
            [state[2]] if amsgrad else None,
            step=step,
            weight_decay=weight_decay,
            decoupled=decoupled,
            **options,
        )
    close(ours, p.detach().numpy())


def test_the_page_names_all_kernels():
    page = Path(__file__).parents[2] / "docs" / "adding-a-kernel.md"
    text = page.read_text(encoding="utf-8")
    names = [name for name, value in vars(kernels).items() if callable(value)]
    assert len(names) > 15
    for name in names:
        listed = re.search(rf"^\| `{name}\b", text, re.MULTILINE)
        assert listed or name.replace("_backward", "_forward") in names, name
