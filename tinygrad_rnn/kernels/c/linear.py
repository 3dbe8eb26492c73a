"""A linear layer in C, if it is small; kernels/numpy/linear.py has the equations."""

from ..numpy import linear as reference
from ..numpy.scan import Array, Inputs, MaybeArray, Needs
from . import _c

# Multiplications from which on BLAS is faster than the tiles of the C kernels.
LARGE_PRODUCT = 2.0**20


def linear_forward(
    x: Array, weight: Array, bias: MaybeArray
) -> tuple[tuple[Array], None]:
    """Return x W^T + b."""
    out = _c.linear_forward(x, weight, bias, LARGE_PRODUCT)
    if out is None:
        return reference.linear_forward(x, weight, bias)
    return (out,), None


def linear_backward(
    grads: tuple[Array], needs: Needs, inputs: Inputs, outputs: object, workspace: None
) -> tuple[MaybeArray, ...]:
    """Return the gradients of x, weight and bias."""
    found = _c.linear_backward(grads[0], inputs[0], inputs[1], needs, LARGE_PRODUCT)
    if found is None:
        return reference.linear_backward(grads, needs, inputs, outputs, workspace)
    return found
