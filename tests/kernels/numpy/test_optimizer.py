"""Adam and clipping of lists of arrays: the papers' equations, and PyTorch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernels.cases import close

from tinygrad_rnn.backend.numpy import join
from tinygrad_rnn.kernels.numpy import optimizer


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
def test_adam_is_the_papers(kernels, size, seed, amsgrad, options):
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
def test_adam_of_a_list_is_adam_of_one_vector(
    kernels, dtype, decoupled, amsgrad, monkeypatch
):
    """Bit for bit, also where arrays are updated in pieces."""
    shapes = [(3, 5), (), (0, 2), (1000,), (1001,), (50, 70)]
    options = {**ADAM, "step": 3, "decoupled": decoupled}
    results = []
    for chunk in (1 << 17, 1000):
        monkeypatch.setattr(optimizer, "CHUNK", chunk)
        several = draw_adam_state(np.random.default_rng(0), shapes, dtype)
        joined = [[join(arrays)] for arrays in several]
        for lists in (several, joined):
            kernels.adam_step(*lists[:4], lists[4] if amsgrad else None, **options)
            results.append([join(a).tobytes() for a in lists])
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squares_and_scale(kernels, dtype):
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


@pytest.mark.parity
@pytest.mark.parametrize("amsgrad", [True, False])
@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_adam_is_pytorchs(kernels, amsgrad, decoupled, weight_decay):
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
