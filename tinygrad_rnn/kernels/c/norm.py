"""Layer normalization in C; kernels/numpy/norm.py has the equations."""

from math import prod

from ...backend.pool import empty
from ...types import Shape
from ..numpy.norm import Workspace
from ..numpy.scan import Array, Arrays, Inputs, MaybeArray, Needs
from . import _c
from .arrays import contiguous


def layer_norm_forward(
    x: Array, weight: MaybeArray, bias: MaybeArray, *, shape: Shape, eps: float
) -> tuple[tuple[Array], Workspace]:
    """Return (x - mean) / sqrt(var + eps) * weight + bias over dims of ``shape``."""
    size = prod(shape)
    rows = contiguous(x).reshape(-1, size)
    weight, bias = [
        None if a is None else contiguous(a).reshape(size) for a in (weight, bias)
    ]
    normed, out = empty(rows.shape, x.dtype), empty(rows.shape, x.dtype)
    scale = empty((len(rows),), x.dtype)
    _c.layer_norm_forward(len(rows), size, eps, rows, weight, bias, normed, scale, out)
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
    rows, size = normed.shape
    assert grads[0] is not None
    g = contiguous(grads[0]).reshape(rows, size)
    shapes = [(rows, size), (size,), (size,)]
    g_x, g_weight, g_bias = [
        empty(like, g.dtype) if needed else None
        for needed, like in zip(needs, shapes, strict=True)
    ]
    weight = None if weight is None else contiguous(weight).reshape(size)
    _c.layer_norm_backward(rows, size, normed, scale, weight, g, g_x, g_weight, g_bias)
    return (
        None if g_x is None else g_x.reshape(x.shape),
        None if g_weight is None else g_weight.reshape(shape),
        None if g_bias is None else g_bias.reshape(shape),
    )
