"""Layer normalization and its gradient: Ba, Kiros and Hinton, arXiv:1607.06450.

With n = (x - mean(x)) s, s = 1 / sqrt(var(x) + eps) and y = n w + b, all over the last
dims: n is a function of x directly, by way of its mean and by way of its variance, so

    dn = dy w,    dx = s (dn - mean(dn) - n mean(dn n)),    dw = sum dy n,    db = sum
    dy.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from ...backend.numpy import ones, sum_over_rows
from ...backend.pool import empty
from ...types import Function, Shape
from .scan import Array, Arrays, Inputs, MaybeArray, Needs

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

# NumPy's stubs know fewer arguments of these.
_sum: Function = np.add.reduce
_dot_rows: Function = np.vecdot


class Workspace(NamedTuple):
    """What the backward needs of the forward."""

    normed: Array  # (x - mean) / sqrt(var + eps), (rows, size)
    scale: Array  # 1 / sqrt(var + eps), (rows, 1)


def layer_norm_forward(
    x: Array, weight: MaybeArray, bias: MaybeArray, *, shape: Shape, eps: float
) -> tuple[tuple[Array], Workspace]:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dims, of ``shape``."""
    size = prod(shape)
    rows = x.reshape(prod(x.shape) // size, size)
    mean = _sum(rows, 1, None, None, True)  # more exact than a product with ones
    np.divide(mean, size, mean)
    normed = np.subtract(rows, mean, empty(rows.shape, x.dtype))
    scale = _dot_rows(normed, normed, keepdims=True)
    np.divide(scale, size, scale)
    np.add(scale, eps, scale)
    np.sqrt(scale, scale)
    np.divide(1, scale, scale)
    np.multiply(normed, scale, normed)
    factor = np.ones((), x.dtype) if weight is None else weight.reshape(size)
    out = np.multiply(normed, factor, empty(rows.shape, x.dtype))
    if bias is not None:
        np.add(out, bias.reshape(size), out)
    return (out.reshape(x.shape),), Workspace(normed, scale)


def layer_norm_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: Workspace,
    *,
    shape: Shape,
    eps: float,
) -> Arrays:
    """Gradients of x, weight and bias."""
    x, weight, _ = inputs
    normed, scale = workspace
    size = normed.shape[1]
    g = np.reshape(grads[0], normed.shape)  # type: ignore[arg-type]
    g_x = g_weight = g_bias = None
    spare = empty(g.shape, g.dtype)
    if needs[1]:
        g_weight = sum_over_rows(np.multiply(g, normed, spare)).reshape(shape)
    if needs[2]:
        g_bias = sum_over_rows(g).reshape(shape)
    if needs[0]:
        factor = np.ones((), x.dtype) if weight is None else weight.reshape(size)
        g_x = np.multiply(g, factor, empty(g.shape, g.dtype))
        by_variance = _dot_rows(g_x, normed, keepdims=True)
        by_mean = g_x.dot(ones(size, g.dtype))[:, None]
        np.subtract(g_x, np.divide(by_mean, size, by_mean), g_x)
        np.divide(by_variance, size, by_variance)
        np.subtract(g_x, np.multiply(normed, by_variance, spare), g_x)
        g_x = np.multiply(g_x, scale, g_x).reshape(x.shape)
    return g_x, g_weight, g_bias
