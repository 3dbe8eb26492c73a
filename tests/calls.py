"""Checks of one call that the tests of several families of functions share."""

import inspect

import array_api_compat.numpy
import numpy as np
import pytest
from oracle import assert_close, difference, gradients
from strategies import apart, real

import tinygrad_rnn as tg

DTYPES = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "float32",
    "float64",
]
LIBRARIES = ["tg", pytest.param("torch", marks=pytest.mark.parity)]


def same(tensor, array):
    """Assert that a tensor equals an array in shape, dtype and every value."""
    assert type(tensor) is tg.Tensor
    assert tensor.dtype == array.dtype
    np.testing.assert_array_equal(tensor.numpy(), array, strict=True)


def with_tensors(d, index):
    """Return the same index with Tensors or lists for arrays, and Tensors for ints."""
    if isinstance(index, tuple):
        return tuple(with_tensors(d, part) for part in index)
    if isinstance(index, np.ndarray):
        return (
            tg.tensor(index)
            if d.chance() or not index.size * index.ndim
            else index.tolist()
        )
    return tg.tensor(index) if isinstance(index, int) and d.chance() else index


def check_wrong_call(call, kind, words):
    """The error is of this package, is the built-in one that a caller expects, and says
    what came.
    """
    x = tg.arange(6).float().reshape(2, 3)
    with pytest.raises(kind, match=words) as caught:
        call(x)
    assert isinstance(caught.value, tg.Error)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (x.version.count, x.version.recorded_count) == (0, 0)


def check_what_pytorch_gives(library, call, wanted):
    """Both libraries give what PyTorch gives."""
    lib = tg if library == "tg" else pytest.importorskip("torch")
    found = call(lib, lib.arange(7.0, 13.0, dtype=lib.float64).reshape(2, 3))
    found = found if isinstance(found, str) else found.tolist()
    assert found == (
        pytest.approx(wanted, rel=1e-14) if isinstance(wanted, float) else wanted
    )


# ------------------------------------------------------------ the array API's forms

GIVEN = {
    "a": np.array([[3.0, -1.0, 2.0], [0.5, 7.0, -4.0]]),
    "v": np.array([2.0, -3.0, 1.0, 0.0]),
    "i": np.array([[3, 1, 2], [0, 2, 2]], np.int32),
    "u": np.array([3, 200, 100], np.uint8),
    "b": np.array([[True, False, True], [False, False, True]]),
}


def call_form(form, namespace, tensor):
    """Call a form, made of a namespace and of arrays that its parameters name."""
    names = [*inspect.signature(form).parameters][1:]
    found = form(namespace, *[tensor(GIVEN[name]) for name in names])
    return found if isinstance(found, tuple | list) else [found]


def check_form(form):
    """A call gives what NumPy gives for the same call."""
    found = call_form(form, tg.array_api, tg.tensor)
    wanted = call_form(form, array_api_compat.numpy, np.array)
    assert all(isinstance(part, tg.Tensor) for part in found)
    for one, two in zip(found, wanted, strict=True):
        assert one.dtype == np.asarray(two).dtype
        assert_close(np.asarray(one), np.asarray(two))


def check_slope(function, d):
    """The gradient of a function of the namespace is its slope."""
    array = d.array((d.integer(2, 3), d.integer(2, 3)), apart)
    out = function(tg.array_api, tg.tensor(array))
    u, v = real(d.rng, out.shape), real(d.rng, array.shape)
    (slope,) = gradients(lambda x: function(tg.array_api, x), [array], [0], [u])

    def weigh(x):
        return (function(tg.array_api, tg.tensor(x)).numpy() * u).sum()

    along = difference(weigh, [array], [v], step=1e-5)
    assert_close((slope * v).sum(), along, rtol=1e-6)
