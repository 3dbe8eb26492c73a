"""Layers as functions: one_hot, layer_norm, and where dropout draws from."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from nn.draws import seeds

import tinygrad_rnn as tg
import tinygrad_rnn.nn.functional as F


def test_layer_norm_of_large_numbers_with_small_differences():
    x = tg.tensor(np.array([[1e4, 1e4 + 1, 1e4 + 2]], np.float32))
    found = F.layer_norm(x, 3).numpy()
    np.testing.assert_allclose(
        found, [[-math.sqrt(1.5), 0.0, math.sqrt(1.5)]], rtol=1e-4
    )


def test_layer_norm_shares_no_memory():
    """The output with what the backward reads, gradients with what came in."""
    x = tg.randn(2, 3, requires_grad=True)
    y = F.layer_norm(x, 3)
    (one,) = tg.autograd.grad(y.square().sum(), x, retain_graph=True)
    g, kept = tg.randn(2, 3), None
    (kept,) = tg.autograd.grad(y, x, g, retain_graph=True)
    with tg.no_grad():
        y.mul_(9.0)
    assert tg.autograd.grad(y, x, g)[0].tolist() == kept.tolist()
    bias, g = tg.zeros(3, requires_grad=True), tg.ones(1, 3)
    F.layer_norm(tg.randn(1, 3), 3, None, bias).backward(g)
    bias.grad.mul_(0.0)
    assert g.tolist() == [[1.0] * 3]


def test_dropout_draws_from_the_generator_it_is_given():
    x = tg.ones(50)
    before = tg.random.default_generator.get_state().numpy()
    draws = [
        F.dropout(x, generator=tg.Generator().manual_seed(seed)).numpy()
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()
    np.testing.assert_array_equal(
        tg.random.default_generator.get_state().numpy(), before
    )


def test_masks_do_not_depend_on_the_dtype():
    masks = []
    for dtype in (tg.float32, tg.float64):
        tg.manual_seed(3)
        masks.append(F.dropout(tg.ones(100, dtype=dtype), 0.4).numpy() != 0)
    np.testing.assert_array_equal(*masks)


@given(
    classes=st.integers(1, 5), lead=st.lists(st.integers(0, 3), max_size=3), seed=seeds
)
def test_one_hot(classes, lead, seed):
    ids = np.random.default_rng(seed).integers(0, classes, lead)
    found = F.one_hot(tg.tensor(ids), classes)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found.numpy(), np.eye(classes, dtype=np.int64)[ids])
    if ids.size:
        assert F.one_hot(tg.tensor(ids)).shape == (*lead, ids.max() + 1)
