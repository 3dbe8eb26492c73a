"""Matrix products of stacks, and the affine map: one product of all rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import assert_close
from strategies import Draw, real

import tinygrad_rnn as tg
from tinygrad_rnn import ops
from tinygrad_rnn.backend import numpy as backend


@given(data=st.data())
def test_a_matrix_on_the_right_gets_the_gradients_of_all_on_the_left(data):
    d = Draw(data.draw)
    x = d.array((*d.shape(max_dims=2), 2, 3), real)
    weight = tg.from_numpy(real(d.rng, (3, 4))).requires_grad_()
    u = real(d.rng, (*x.shape[:-1], 4))
    out = ops.matmul(tg.from_numpy(x), weight)
    assert_close(out.detach().numpy(), x @ weight.detach().numpy(), 1e-13)
    out.backward(tg.from_numpy(u))
    rows, g_rows = x.reshape(-1, 3), u.reshape(-1, 4)
    assert_close(weight.grad.numpy(), rows.T @ g_rows, 1e-13)


@pytest.mark.parametrize("shape", [(3,), (0, 3), (5, 3), (2, 0, 3), (2, 4, 3)])
@pytest.mark.parametrize("biased", [False, True])
def test_linear_maps_the_last_dim(shape, biased):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in (shape, (2, 3), (2,))]
    x, weight, bias = [tg.from_numpy(a).requires_grad_() for a in arrays]
    out = ops.linear(x, weight, bias if biased else None)
    wanted = arrays[0] @ arrays[1].T + (arrays[2] if biased else 0)
    assert_close(out.detach().numpy(), wanted, 1e-13)
    out.sum().backward()
    assert_close(x.grad.numpy(), np.broadcast_to(arrays[1].sum(0), shape), 1e-13)
    total = arrays[0].reshape(-1, 3).sum(0)
    assert_close(weight.grad.numpy(), np.stack([total, total]), 1e-13)
    if biased:
        assert bias.grad.tolist() == [out.numel() // 2] * 2


def test_products_of_two_dtypes_promote():
    x, y = np.ones((2, 3), np.float32), np.ones((3, 2))
    assert backend.matmul(x, y).dtype == np.float64
    assert backend.matmul(x, y.astype(np.float32)).dtype == np.float32
