"""NumPy's backend: what it shares, how gradients lie in memory, and its products."""

import numpy as np
import pytest

from tinygrad_rnn.backend import numpy


def test_ones_are_kept_and_not_to_be_written_to():
    for dtype in (np.dtype("float64"), np.dtype("float32")):
        vector = numpy.ones(3, dtype)
        assert vector is numpy.ones(3, dtype)
        assert vector.dtype == dtype
        assert vector.tolist() == [1.0] * 3
        with pytest.raises(ValueError, match="read-only"):
            vector += 1


@pytest.mark.parametrize("index", [(slice(None), -1), (slice(None), slice(None), 0)])
def test_the_gradient_of_a_part_has_the_part_in_one_piece(index):
    """x[:, -1] of (B, T, H) lies as a layer reads it that has the steps first."""
    x = np.zeros((2, 3, 4))
    x[index] = values = np.arange(x[index].size).reshape(x[index].shape) + 1.0
    out = numpy.scatter(values, x.shape, index)
    assert np.array_equal(out, x)
    assert out[index].flags.c_contiguous
    assert np.moveaxis(out, len(index) - 1, 0).flags.c_contiguous


@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (4, 2, 3), (4, 0, 3), (2, 0)])
@pytest.mark.parametrize("columns", [0, 5])
def test_products_with_a_matrix_keep_leading_dims(shape, columns):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(shape), rng.standard_normal((shape[-1], columns))
    found = numpy.matmul(x, y)
    assert found.shape == (*shape[:-1], columns)
    np.testing.assert_allclose(found, np.matmul(x, y), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64"])
def test_rows_of_any_integers_are_added_up(dtype):
    """Also where a narrow id times the width of a row would wrap around."""
    out = np.zeros((100, 70))
    rows = np.array([99, 0, 99], dtype)
    numpy.add_rows(out, rows, np.ones((3, 70)))
    assert out.sum(1).tolist() == [70.0] + [0.0] * 98 + [140.0]
