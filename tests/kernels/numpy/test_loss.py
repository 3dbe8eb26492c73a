"""Cross entropy: its definition, exact to a few digits, and PyTorch's."""

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kernels.cases import close, laid_out


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
def test_cross_entropy_is_its_definition(kernels, case):
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
def test_cross_entropy_within_4_ulp(kernels, seed, scale):
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
def test_an_ignored_row_may_hold_anything(kernels, label_smoothing):
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


def test_cross_entropy_of_huge_logits_is_finite(kernels):
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


@pytest.mark.parity
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_cross_entropy_is_pytorchs(
    kernels, reduction, label_smoothing, weighted, ignore_index
):
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
