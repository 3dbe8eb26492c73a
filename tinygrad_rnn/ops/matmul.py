"""Matrix products, and the affine map of a Linear layer."""
# mypy: allow-untyped-defs, allow-incomplete-defs

import math

from ..engine.fused import FusedOp
from ..engine.op import op
from ..types import Array, Namespace, Operand, Shape

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


def _as_rows(xp: Namespace, x: Array) -> Array:
    """Flatten all dims but the last: (..., N) to (rows, N)."""
    if x.ndim == 2:
        return x
    return xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _gradient_of_right(g: Array, x: Array, y_shape: Shape, xp: Namespace) -> Array:
    """Return the gradient of y in x @ y."""
    if len(y_shape) == 2 and x.ndim > 2:
        # One product of all rows, not a sum of products.
        x, g = _as_rows(xp, x), _as_rows(xp, g)
    return xp.matmul(xp.matrix_transpose(x), g)


@op
def matmul(xp, x, y, /):
    """Return (..., M, K) @ (..., K, N), with two dims at least."""
    return xp.matmul(x, y)


matmul.vjp(lambda g, y, xp: xp.matmul(g, xp.matrix_transpose(y)), _gradient_of_right)


@op(view=True)
def matrix_transpose(xp, x, /):
    return xp.matrix_transpose(x)


matrix_transpose.vjp(lambda g, xp: xp.matrix_transpose(g))


def _linear_forward(
    xp: Namespace, x: Array, weight: Array, bias: Array | None
) -> tuple[tuple[Array], None]:
    """Compute ``_linear`` by one product of all rows."""
    out = xp.matmul(_as_rows(xp, x), xp.matrix_transpose(weight))
    if bias is not None:
        out += bias
    if x.ndim != 2:
        out = xp.reshape(out, (*x.shape[:-1], weight.shape[0]))
    return (out,), None


def _linear_backward(
    xp: Namespace,
    grads: tuple[Array],
    needs: tuple[bool, ...],
    inputs: tuple[Array, ...],
    outputs: None,
    workspace: None,
) -> tuple[Array | None, ...]:
    """Return the gradients of x, weight and bias."""
    x, weight, _ = inputs
    g = _as_rows(xp, grads[0])
    g_x = g_weight = g_bias = None
    if needs[0]:
        g_x = xp.reshape(xp.matmul(g, weight), x.shape)
    if needs[1]:
        g_weight = xp.matmul(xp.matrix_transpose(g), _as_rows(xp, x))
    if needs[2]:
        g_bias = xp.sum_over_rows(g)
    return g_x, g_weight, g_bias


def _linear(x: Operand, weight: Operand, bias: Operand = None, /) -> Operand:
    """Return x W^T + b: (..., I), (O, I), (O,) to (..., O)."""
    out = x.matmul(weight.T)
    if bias is not None:
        out = out + bias
    return out


linear = FusedOp(_linear, _linear_forward, _linear_backward, fresh=True)
