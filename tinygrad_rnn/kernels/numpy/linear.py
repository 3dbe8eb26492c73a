"""A linear layer: one product of all rows, and a bias.

With the gradient g of y = x W^T + b, of rows, the gradient of x is g W, that of W is
g^T x, and that of b is the sum of the rows of g.
"""

from math import prod

from ...backend.numpy import matmul, sum_over_rows
from .scan import Array, Inputs, MaybeArray, Needs

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


def _as_rows(x: Array) -> Array:
    """Flatten all dims but the last: (..., N) to (rows, N)."""
    return x if x.ndim == 2 else x.reshape(prod(x.shape[:-1]), x.shape[-1])


def linear_forward(
    x: Array, weight: Array, bias: MaybeArray
) -> tuple[tuple[Array], None]:
    """Return x W^T + b of x (..., I), W (O, I) and b (O,): (..., O)."""
    out = matmul(_as_rows(x), weight.T)
    if bias is not None:
        out += bias
    if x.ndim != 2:
        out = out.reshape(*x.shape[:-1], len(weight))
    return (out,), None


def linear_backward(
    grads: tuple[Array], needs: Needs, inputs: Inputs, outputs: object, workspace: None
) -> tuple[MaybeArray, ...]:
    """Return the gradients of x, weight and bias."""
    x, weight, _ = inputs
    g = _as_rows(grads[0])
    g_x = g_weight = g_bias = None
    if needs[0]:
        g_x = matmul(g, weight).reshape(x.shape)
    if needs[1]:
        g_weight = matmul(g.T, _as_rows(x))
    if needs[2]:
        g_bias = sum_over_rows(g)
    return g_x, g_weight, g_bias
