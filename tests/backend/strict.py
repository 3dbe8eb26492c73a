"""A stand-in for a GPU's array library: array-api-strict, on a device that is not its
default one.

Like CuPy it refuses what would quietly go through the host: conversion to NumPy,
NumPy's arrays and scalars as operands, lists. Beyond that it has the array API's names
and nothing else (no einsum, no ``add.at``, no ``out=``), no assignment by arrays, makes
arrays on the device that it is told only, and has dtypes of its own. So what runs here
asks of a library what the standard promises, and the backend's own few functions.
"""

import array_api_strict as namespace
import numpy as np

from tinygrad_rnn.backend import numpy, standard

Array = type(namespace.zeros(0))
DEVICE = namespace.Device("device1")
# Messages show dtypes, and CuPy's are NumPy's.
type(namespace.float32).__str__ = lambda dtype: repr(dtype).split(".")[1]


def own_dtype(dtype):
    return getattr(namespace, dtype.name) if isinstance(dtype, np.dtype) else dtype


def from_host(x):
    assert type(x) in (np.ndarray, np.bool_) or isinstance(x, np.generic), type(x)
    return namespace.asarray(np.array(x), device=DEVICE)


def to_host(x):
    assert x.device == DEVICE
    return x._array.copy()


def zeros(shape, dtype):
    return namespace.zeros(shape, dtype=own_dtype(dtype), device=DEVICE)


def arange(count):
    return namespace.arange(count, device=DEVICE)


def astype(x, dtype):
    return namespace.astype(x, own_dtype(dtype))


def aliases(out, x):
    return np.may_share_memory(out._array, x._array)


# Slices out of bounds, and values of another dtype: CuPy takes these as NumPy does, the
# standard does not say.


def getitem(x, index):
    if standard.has_arrays(index):
        return standard.getitem(BACKEND, x, index)
    return Array._new(numpy.getitem(x._array, index), device=x.device)


def assign(x, index, values):
    if standard.has_arrays(index):
        return standard.assign(BACKEND, x, index, values)
    values = astype(values, x.dtype) if isinstance(values, Array) else values
    window = getitem(x, index)
    if isinstance(values, Array):
        assert values.device == x.device
        window._array[...] = values._array
    else:
        window[...] = values


BACKEND = None  # what register() gave
