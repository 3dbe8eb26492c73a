"""Layer normalization and its gradient: Ba, Kiros and Hinton, arXiv:1607.06450.

With n = (x - mean(x)) s, s = 1 / sqrt(var(x) + eps) and y = n w + b, all over the last
dims, n depends on x directly, through its mean and through its variance, so

    dn = dy w        dx = s (dn - mean(dn) - n mean(dn n))
    dw = sum dy n    db = sum dy
"""

from math import prod
from typing import NamedTuple

import numpy as np

from ...backend.numpy import ones, sum_over_rows
from ...backend.pool import empty
from ...types import Shape
from .scan import Array, Arrays, Inputs, MaybeArray, Needs

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


class Workspace(NamedTuple):
    """What the backward needs of the forward."""

    normed: Array  # (x - mean) / sqrt(var + eps), (rows, size)
    scale: Array  # 1 / sqrt(var + eps), (rows, 1)


def layer_norm_forward(
    x: Array, weight: MaybeArray, bias: MaybeArray, *, shape: Shape, eps: float
) -> tuple[tuple[Array], Workspace]:
    """Return (x - mean) / sqrt(var + eps) * weight + bias over dims of ``shape``."""
    size = prod(shape)
    rows = x.reshape(prod(x.shape) // size, size)
    mean = np.add.reduce(rows, 1, keepdims=True)  # more exact than a product with ones
    mean /= size
    normed = np.subtract(rows, mean, empty(rows.shape, x.dtype))
    scale = np.vecdot(normed, normed)[:, None]
    scale /= size
    scale += eps
    np.sqrt(scale, scale)
    np.divide(1, scale, scale)
    normed *= scale
    factor = 1 if weight is None else weight.reshape(size)
    out = np.multiply(normed, factor, empty(rows.shape, x.dtype))
    if bias is not None:
        out += bias.reshape(size)
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
    """Return the gradients of x, weight and bias."""
    x, weight, _ = inputs
    normed, scale = workspace
    size = normed.shape[1]
    assert grads[0] is not None
    g = grads[0].reshape(normed.shape)
    g_x = g_weight = g_bias = None
    spare = empty(g.shape, g.dtype)
    if needs[1]:
        g_weight = sum_over_rows(np.multiply(g, normed, spare)).reshape(shape)
    if needs[2]:
        g_bias = sum_over_rows(g).reshape(shape)
    if needs[0]:
        factor = 1 if weight is None else weight.reshape(size)
        g_x = np.multiply(g, factor, empty(g.shape, g.dtype))
        through_variance = np.vecdot(g_x, normed)[:, None]
        through_mean = g_x.dot(ones(size, g.dtype))[:, None]
        through_mean /= size
        g_x -= through_mean
        through_variance /= size
        g_x -= np.multiply(normed, through_variance, spare)
        g_x *= scale
        g_x = g_x.reshape(x.shape)
    return g_x, g_weight, g_bias
