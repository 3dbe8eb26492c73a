"""Arrays as C takes them: copied or converted only where they have to be."""

import numpy as np
import pytest
from kernels.cases import import_c

import_c()
from tinygrad_rnn.kernels.c.arrays import as_int64, contiguous, converted  # noqa: E402

x = np.arange(6.0).reshape(2, 3)


def test_what_fits_is_not_copied():
    assert contiguous(x) is x
    assert converted(x, x.dtype) is x
    ids = np.arange(3)
    assert np.shares_memory(as_int64(ids), ids)


def test_none_stays_none():
    assert contiguous(None) is converted(None, x.dtype) is as_int64(None) is None


@pytest.mark.parametrize(
    "other", [x.T, x[:, ::2], x[::-1], np.broadcast_to(x, (2, 2, 3))]
)
def test_other_layouts_are_copied(other):
    for found in (contiguous(other), converted(other, x.dtype)):
        assert found.flags.c_contiguous
        assert np.array_equal(found, other)
        assert not np.shares_memory(found, x)


def test_other_dtypes_are_converted():
    single = converted(x.T, np.dtype(np.float32))
    assert single.dtype == np.float32
    assert single.flags.c_contiguous
    assert np.array_equal(single, x.T)
    for dtype in (np.uint8, np.int32, ">i8"):
        found = as_int64(np.arange(6).astype(dtype)[::2])
        assert found.dtype == np.int64
        assert found.flags.c_contiguous
        assert found.tolist() == [0, 2, 4]
