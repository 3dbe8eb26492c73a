"""Layer normalization in C; kernels/numpy/norm.py has the equations."""

from math import prod

from ...types import Shape
from ..numpy.scan import Array, Arrays, Inputs, MaybeArray, Needs
from . import _c


def layer_norm_forward(
    x: Array, weight: MaybeArray, bias: MaybeArray, *, shape: Shape, eps: float
) -> tuple[tuple[Array], tuple[Array, Array]]:
    """Return (x - mean) / sqrt(var + eps) * weight + bias over dims of ``shape``."""
    return _c.layer_norm_forward(x, weight, bias, prod(shape), eps)


def layer_norm_backward(
    grads: Arrays,
    needs: Needs,
    inputs: Inputs,
    outputs: object,
    workspace: tuple[Array, Array],
    *,
    shape: Shape,
    eps: float,
) -> Arrays:
    """Return the gradients of x, weight and bias."""
    return _c.layer_norm_backward(grads[0], *inputs, *workspace, prod(shape), needs)
