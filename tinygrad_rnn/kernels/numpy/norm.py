"""Layer normalization and its gradient: Ba, Kiros and Hinton 2016."""

from math import prod
from typing import Any

import numpy as np

from ...backend.numpy import ones, row_sum
from ...backend.pool import empty
from .scan import Array, Arrays, Forward, Maybe, Needs

_sum: Any = np.add.reduce
_products: Any = np.vecdot  # of rows with rows; NumPy's stubs know fewer arguments


def layer_norm_forward(
    x: Array, weight: Maybe, bias: Maybe, *, shape: tuple[int, ...], eps: float
) -> Forward:
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last dims, which are of
    ``shape``.
    """
    size = prod(shape)
    rows = x.reshape(prod(x.shape) // size, size)
    mean = _sum(rows, 1, None, None, True)  # more exact than a product with ones
    normed = np.subtract(rows, np.divide(mean, size, mean), empty(rows.shape, x.dtype))
    scale = _products(normed, normed, keepdims=True)
    scale = np.divide(
        1, np.sqrt(np.add(np.divide(scale, size, scale), eps, scale), scale), scale
    )
    np.multiply(normed, scale, normed)
    factor = np.ones((), x.dtype) if weight is None else weight.reshape(size)
    out = np.multiply(normed, factor, empty(rows.shape, x.dtype))
    if bias is not None:
        np.add(out, bias.reshape(size), out)
    return (out.reshape(x.shape),), (normed, scale)


def layer_norm_backward(
    grads: Any,
    needs: Needs,
    inputs: Any,
    outputs: Any,
    workspace: Any,
    *,
    shape: tuple[int, ...],
    eps: float,
) -> Arrays:
    """Gradients of x, weight and bias: what an element does to mean and variance is
    taken away.
    """
    x, weight, _ = inputs
    normed, scale = workspace
    size, g = normed.shape[1], grads[0].reshape(normed.shape)
    g_x = g_weight = g_bias = None
    room = empty(g.shape, g.dtype)
    if needs[1]:
        g_weight = row_sum(np.multiply(g, normed, room)).reshape(shape)
    if needs[2]:
        g_bias = row_sum(g).reshape(shape)
    if needs[0]:
        factor = np.ones((), x.dtype) if weight is None else weight.reshape(size)
        g_x = np.multiply(g, factor, empty(g.shape, g.dtype))
        along = _products(g_x, normed, keepdims=True)
        mean = g_x.dot(ones(size, g.dtype))[:, None]
        np.subtract(g_x, np.divide(mean, size, mean), g_x)
        np.subtract(g_x, np.multiply(normed, np.divide(along, size, along), room), g_x)
        g_x = np.multiply(g_x, scale, g_x).reshape(x.shape)
    return g_x, g_weight, g_bias
