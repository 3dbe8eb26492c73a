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


def _linear(x: Operand, weight: Operand, bias: Operand = None, /) -> Operand:
    """Return x W^T + b: (..., I), (O, I), (O,) to (..., O)."""
    out = x.matmul(weight.T)
    if bias is not None:
        out = out + bias
    return out


linear = FusedOp(_linear, "linear_forward", "linear_backward")
