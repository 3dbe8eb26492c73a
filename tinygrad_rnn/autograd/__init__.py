"""What a user does with gradients beyond ``backward()``, and how an op is declared.

``backward``, ``grad``, ``functional`` (Jacobians, Hessians, products with them),
``gradcheck``, and ``op``.

Example:
    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> (slope,) = tg.autograd.grad(x**2, x)
    >>> slope.item()
    6.0
"""

from typing import TYPE_CHECKING

from ..engine.anomaly import detect_anomaly
from ..engine.fused import FusedOp
from ..engine.op import op
from ..errors import left_out
from . import functional
from .check import gradcheck, gradgradcheck
from .functional import backward, grad

__all__ = ["FusedOp", "backward", "detect_anomaly", "functional", "grad", "gradcheck"]
__all__ += ["gradgradcheck", "op"]

if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.autograd", globals())
