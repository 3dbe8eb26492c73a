"""What derivatives should be.

By a complex step, which is exact to the last digit, and by differences.
"""

import numpy as np

import tinygrad_rnn as tg

# Its square is 0 in float64, so the imaginary part is the derivative and no more.
STEP = 1e-200


def softmax_parts(x, axis):
    """Return softmax and its logarithm by their definitions, without any shift."""
    e = np.exp(x)
    total = e.sum(axis, keepdims=True)
    return e / total, x - np.log(total)


def outputs_of(value):
    return value if isinstance(value, tuple) else (value,)


def paired(outputs, cotangents):
    """Return the sum over outputs of <cotangent, output>.

    An output whose cotangent is None is left out.
    """
    return sum(
        (u * out).sum()
        for u, out in zip(cotangents, outputs_of(outputs), strict=True)
        if u is not None
    )


def complex_step(function, arrays, wrt, cotangents):
    """Return the gradients of <cotangents, function(*arrays)>, by each element."""
    gradients = []
    for argument in wrt:
        gradient = np.zeros(arrays[argument].shape)
        for place in np.ndindex(gradient.shape):
            moved = [
                a.astype(complex) if a is not None and a.dtype.kind == "f" else a
                for a in arrays
            ]
            moved[argument][place] += STEP * 1j
            gradient[place] = np.imag(paired(function(*moved), cotangents)) / STEP
        gradients.append(gradient)
    return gradients


def difference(function, arrays, directions, step=1e-4):
    """Return the derivative of a number along a direction, to fourth order."""

    def at(t):
        moved = [np.asarray(a + t * d) for a, d in zip(arrays, directions, strict=True)]
        return function(*moved)

    near, far = at(step) - at(-step), at(2 * step) - at(-2 * step)
    return (8 * near - far) / (12 * step)


def tensors(arrays, wrt=(), device="cpu"):
    """Return Tensors that share the arrays' memory (on the CPU).

    Those of ``wrt`` require grad.
    """
    out = [
        tg.from_numpy(a).to(device) if isinstance(a, np.ndarray) else a for a in arrays
    ]
    for i in wrt:
        out[i].requires_grad_()
    return out


def gradients(function, arrays, wrt, cotangents, create_graph=False, device="cpu"):
    """Return the engine's gradients of <cotangents, function(*arrays)>, as arrays.

    They are zeros where the engine gives None. An output may depend on none of the
    arguments: in the first step of an LSTM, the cell does not depend on W_hr.
    """
    given = tensors(arrays, wrt, device)
    chosen = [
        (out, tg.from_numpy(u).to(out.device))
        for out, u in zip(outputs_of(function(*given)), cotangents, strict=True)
        if u is not None and out.requires_grad
    ]
    if not chosen:
        return [np.zeros_like(arrays[i]) for i in wrt]
    found = tg.autograd.grad(
        [out for out, _ in chosen],
        [given[i] for i in wrt],
        [u for _, u in chosen],
        create_graph=create_graph,
        allow_unused=True,
    )
    return [
        np.zeros_like(arrays[i]) if g is None else g.cpu().numpy()
        for i, g in zip(wrt, found, strict=True)
    ]


def assert_close(actual, expected, rtol=1e-10, atol=None, what=""):
    """Compare as a whole: relative to the largest number (and to 1)."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, (
        f"{what}: {actual.shape} is not {expected.shape}"
    )
    scale = max(1.0, np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(
        actual,
        expected,
        rtol=0,
        atol=rtol * scale if atol is None else atol,
        err_msg=what,
    )


# ---------------------------------------------------------------- beside PyTorch


def derivatives(library, tensor, op, args, wrt, us, vs):
    """Return outputs, their gradients for us, and the gradients of <those, vs>."""
    given = [None if a is None else tensor(a) for a in args]
    for i in wrt:
        given[i].requires_grad_()
    outputs = outputs_of(op(*given))
    if not wrt:
        return outputs, [], []
    inputs = [given[i] for i in wrt]
    how = {"create_graph": True, "allow_unused": True}
    first = library.autograd.grad(outputs, inputs, [tensor(u) for u in us], **how)
    terms = [
        (g * tensor(v)).sum() for g, v in zip(first, vs, strict=True) if g is not None
    ]
    total = sum(terms[1:], terms[0]) if terms else None
    if total is None or not total.requires_grad:
        return outputs, first, [None] * len(inputs)
    return outputs, first, library.autograd.grad(total, inputs, allow_unused=True)


def assert_all_close(ours, theirs, tolerance):
    for one, two in zip(ours, theirs, strict=True):
        if one is None or two is None:  # one of them did not see that it is 0
            known = two if one is None else one
            largest = (
                0.0
                if known is None
                else np.abs(known.detach().cpu().numpy()).max(initial=0)
            )
            assert largest <= tolerance
            continue
        one, two = one.numpy(), two.numpy(force=True)
        assert one.shape == two.shape
        scale = max(1.0, np.abs(two[np.isfinite(two)]).max(initial=0.0))
        np.testing.assert_allclose(one, two, rtol=0, atol=tolerance * scale)
