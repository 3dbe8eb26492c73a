"""Matrix products, and the affine map that a Linear layer is."""

import math
from typing import Any

from ..engine.fused import FusedOp
from ..engine.op import op

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Array = Any


def _rows(xp: Any, x: Any) -> Any:
    """All leading dims as one: (..., N) to (rows, N)."""
    return x if x.ndim == 2 else xp.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _to_y(g: Any, x: Any, y_shape: tuple[int, ...], xp: Any) -> Any:
    if (
        len(y_shape) == 2 and x.ndim > 2
    ):  # one product over all matrices of x, not a sum of many
        x, g = _rows(xp, x), _rows(xp, g)
    return xp.matmul(xp.matrix_transpose(x), g)


# fmt: off

@op
def matmul(xp: Any, x: Array, y: Array, /) -> Array:
    """(..., M, K) @ (..., K, N); at least two dims each, Tensor.matmul sees to fewer.
    """
    return xp.matmul(x, y)
matmul.vjp(lambda g, y, xp: xp.matmul(g, xp.matrix_transpose(y)), _to_y)

@op(view=True)
def matrix_transpose(xp: Any, x: Array, /) -> Array: return xp.matrix_transpose(x)
matrix_transpose.vjp(lambda g, xp: xp.matrix_transpose(g))

# fmt: on


def _linear_forward(xp: Any, x: Array, weight: Array, bias: Array | None) -> Any:
    out = xp.product(_rows(xp, x), xp.matrix_transpose(weight))
    if bias is not None:
        out += bias
    return (
        out if x.ndim == 2 else xp.reshape(out, (*x.shape[:-1], weight.shape[0])),
    ), None


def _linear_backward(
    xp: Any, grads: Any, needs: Any, inputs: Any, outputs: None, workspace: None
) -> tuple[Any, ...]:
    x, weight, _ = inputs
    g = _rows(xp, grads[0])
    return (
        xp.reshape(xp.product(g, weight), x.shape) if needs[0] else None,
        xp.product(xp.matrix_transpose(g), _rows(xp, x)) if needs[1] else None,
        xp.row_sum(g) if needs[2] else None,
    )


def _linear(x: Any, weight: Any, bias: Any = None, /) -> Any:
    """x W^T + b: (..., I), (O, I), (O,) to (..., O)."""
    out = x.matmul(weight.T)
    return out if bias is None else out + bias


linear = FusedOp(_linear, _linear_forward, _linear_backward, fresh=True)
