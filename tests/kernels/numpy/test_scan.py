"""The scans of all recurrent layers: the loop over their equations, and PyTorch's."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import (
    KINDS,
    backward,
    cases,
    close,
    every_kind,
    forward,
    loop,
    make,
    slope_along,
)

from tinygrad_rnn.kernels import numpy


def check_values(kernels, case):
    outputs, _ = forward(kernels, case)
    for out, want in zip(
        outputs, loop(case.kind, case.inputs, **case.settings), strict=True
    ):
        close(out, want)
    assert outputs[0].flags.c_contiguous
    arrays = [a for a in (*outputs, *case.inputs) if a is not None]
    assert not any(
        np.shares_memory(a, b) for a in outputs for b in arrays if a is not b
    )


def check_gradients(kernels, case):
    outputs, workspace = forward(kernels, case)
    grads = backward(kernels, case, outputs, workspace)
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


def check_new_and_repeatable(kernels, case):
    kept = [None if a is None else a.copy() for a in (*case.inputs, *case.grads)]
    outputs, workspace = forward(kernels, case)
    values = [a.copy() for a in outputs]
    first = backward(kernels, case, outputs, workspace)
    second = backward(kernels, case, outputs, workspace)
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
def test_a_scan_is_the_loop(kernels, kind, data):
    check_values(kernels, data.draw(cases(kind)))


@every_kind
@given(data=st.data())
def test_gradients_are_the_derivatives(kernels, kind, data):
    check_gradients(kernels, data.draw(cases(kind)))


@every_kind
@given(data=st.data())
def test_gradients_are_new_and_repeatable(kernels, kind, data):
    check_new_and_repeatable(kernels, data.draw(cases(kind)))


@every_kind
@given(data=st.data(), a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_backward_is_linear(kernels, kind, data, a, b):
    case = data.draw(cases(kind))
    outputs, workspace = forward(kernels, case)
    u = tuple(
        np.zeros(o.shape) if g is None else g
        for o, g in zip(outputs, case.grads, strict=True)
    )
    v = tuple(case.rng.standard_normal(o.shape) for o in outputs)
    both = backward(
        kernels,
        case,
        outputs,
        workspace,
        tuple(a * p + b * q for p, q in zip(u, v, strict=True)),
    )
    of_u, of_v = (
        backward(kernels, case, outputs, workspace, u),
        backward(kernels, case, outputs, workspace, v),
    )
    nothing = backward(kernels, case, outputs, workspace, tuple(0 * p for p in u))
    for g, p, q, zero in zip(both, of_u, of_v, nothing, strict=True):
        if g is not None:
            close(g, a * p + b * q)
            assert not zero.any()
    for g, p in zip(backward(kernels, case, outputs, workspace), of_u, strict=True):
        assert g is None or np.array_equal(g, p), "a missing cotangent is zero"


@every_kind
@given(data=st.data())
def test_the_gradients_that_are_asked_for(kernels, kind, data):
    case = data.draw(cases(kind))
    needs = tuple(need and data.draw(st.booleans()) for need in case.needs)
    outputs, workspace = forward(kernels, case)
    some = backward(kernels, case, outputs, workspace, needs=needs)
    every = backward(kernels, case, outputs, workspace)
    for g, full, needed in zip(some, every, needs, strict=True):
        assert (g is not None) == needed
        if needed:
            close(g, full)


@every_kind
@given(data=st.data())
def test_in_float32(kernels, kind, data):
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
    outputs, workspace = forward(kernels, single)
    want, work = forward(kernels, case)
    # At a kink, float32 may see the other side
    smooth = case.settings.get("nonlinearity") != "relu"
    results = (*outputs, *backward(kernels, single, outputs, workspace))
    for k, (got, exact) in enumerate(
        zip(results, (*want, *backward(kernels, case, want, work)), strict=True)
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
    weights. The loop is slow: other kernels are compared with NumPy's.
    """
    on = {
        "bias": True,
        "initial": True,
        "reverse": False,
        "relu": False,
        "projected": ids == ends,
    }
    case = make(kind, sizes, 5, ids=ids, ends=ends, cotangents="all", **on)
    check_values(numpy, case)
    check_gradients(numpy, case)
    check_new_and_repeatable(numpy, case)


@every_kind
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("count", [200, 70_000])
def test_ids_of_any_integer_type_are_one_hot_rows(kernels, kind, count, dtype):
    """Few ids and many, of a vocabulary within 16 bits and of a larger one."""
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
        outputs, workspace = forward(kernels, case)
        found.append((outputs, backward(kernels, case, outputs, workspace, outputs)))
    (outputs, grads), (want, exact) = found
    close(outputs[0], want[0])
    close(grads[1 + states][:, used], exact[1 + states])
    assert np.count_nonzero(grads[1 + states].any(0)) <= 100
    for g, e in zip(
        grads[2 + states : 5 + states], exact[2 + states : 5 + states], strict=True
    ):
        close(g, e)


@every_kind
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [[2, 5, 1, 4], [2, 4, 0, 3], [0, 0, 0, 0]])
def test_nothing_flows_through_padding(kernels, kind, relu, reverse, lengths):
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
        outputs, workspace = forward(kernels, case)
        grads = backward(kernels, case, outputs, workspace)
        assert not outputs[0][padding].any()
        assert not grads[0][padding].any()
        results.append([a.tobytes() for a in (*outputs, *grads) if a is not None])
    assert all(r == results[0] for r in results)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("batch", [None, 1, 3])
def test_a_cell_is_a_layer_of_one_step(kernels, kind, ids, batch):
    """Bit for bit, with and without a batch."""
    rng = np.random.default_rng(0)
    gates, states = KINDS[kind]
    rows = batch or 1
    x = rng.integers(0, 5, (1, rows)) if ids else rng.standard_normal((1, rows, 5))
    begins = [rng.standard_normal((1, rows, 4)) for _ in range(states)]
    shapes = [(gates * 4, 5), (gates * 4, 4), gates * 4, gates * 4]
    weights = [rng.standard_normal(shape) for shape in shapes]
    needs = (not ids, *[True] * (states + 4))
    inputs, grads = (x, *begins, *weights), [rng.standard_normal((1, rows, 4))] * states
    layer = SimpleNamespace(kind=kind, inputs=inputs, settings={}, needs=needs)
    layer.inputs += (None,) * (kind == "lstm")
    outputs, workspace = forward(kernels, layer)
    index = (0,) if batch else (0, 0)

    def drop_dims(arrays):
        return [np.asarray(array[index]) for array in arrays]

    cell = (*drop_dims([x, *begins]), *weights)
    found, work = getattr(kernels, f"{kind}_cell_forward")(*cell)
    for one, two in zip(found, drop_dims(outputs[1:]), strict=True):
        assert np.array_equal(one, two)
    layer.needs += (False,) * (kind == "lstm")
    wanted = backward(kernels, layer, outputs, workspace, (None, *grads))
    args = (drop_dims(grads), needs, cell, None, work)
    found = getattr(kernels, f"{kind}_cell_backward")(*args)
    for i, (one, two) in enumerate(zip(found, wanted, strict=kind == "gru")):
        assert (one is not None) == needs[i]
        if needs[i]:
            assert np.array_equal(one, two[index] if i <= states else two)


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["rnn", "rnn relu", "lstm", "lstm projected", "gru"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lengths", [None, [3, 7, 1, 7, 4]])
@pytest.mark.parametrize("ids", [True, False])
def test_a_scan_is_pytorchs(kernels, kind, bias, lengths, ids):
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
        outputs, workspace = forward(kernels, case)
        side = slice(size * d, size * d + size)
        close(outputs[0], output[..., side].detach().numpy())
        for out, s in zip(outputs[1:], last, strict=True):
            close(out, s[d : d + 1].detach().numpy())
        case.grads = (us[0][..., side].numpy(), *[u[d : d + 1].numpy() for u in us[1:]])
        grads = backward(kernels, case, outputs, workspace)
        for g, s in zip(grads[1 : 1 + states], first, strict=True):
            close(g, s.grad[d : d + 1].numpy())
        found = [g for g in grads[1 + states :] if g is not None]
        for g, w in zip(found, weights, strict=True):
            close(g, w.grad.numpy())
        g_x = g_x if ids else g_x + grads[0]
    if not ids:
        close(g_x, x.grad.numpy())
