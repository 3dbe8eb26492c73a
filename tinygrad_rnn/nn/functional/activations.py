"""Activations of each element, and the softmax along a dim."""

import math
from numbers import Real

from ... import ops
from ...errors import check_type
from ...errors.tensor_checks import check_float_input, check_options
from ...functions import log_softmax, relu, sigmoid, softmax, tanh
from ...tensor import Tensor

__all__ = [
    "elu",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Return x where x > 0, else negative_slope * x: Maas et al. 2013.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.functional.leaky_relu(tg.tensor([-2.0, 3.0]), 0.5).tolist()
        [-1.0, 3.0]
    """
    check_float_input("leaky_relu", input)
    check_options("leaky_relu", negative_slope=negative_slope)
    return ops.where(input > 0, input, input.clamp(max=0.0) * negative_slope)


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Return x where x > 0, else alpha * (e^x - 1).

    Clevert et al., arXiv:1511.07289.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.functional.elu(tg.tensor([-100.0, 3.0])).tolist()
        [-1.0, 3.0]
    """
    check_float_input("elu", input)
    check_options("elu", alpha=alpha)
    # The clamp keeps e^x finite where x is taken instead.
    return ops.where(input > 0, input, input.clamp(max=0.0).expm1() * alpha)


def silu(input: Tensor) -> Tensor:
    """Return x * sigmoid(x), also called swish: Elfwing et al., arXiv:1702.03118.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.functional.silu(tg.tensor([0.0, 99.0])).tolist()
        [0.0, 99.0]
    """
    check_float_input("silu", input)
    return input * input.sigmoid()


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return x * Phi(x), where Phi is the normal CDF.

    Hendrycks and Gimpel, arXiv:1606.08415.

    Args:
        input: Floats of any shape.
        approximate: ``"none"``, or ``"tanh"`` to compute Phi(x) as
            (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.functional.gelu(tg.tensor([0.0, 99.0])).tolist()
        [0.0, 99.0]
    """
    check_float_input("gelu", input)
    check_options("gelu", approximate=approximate)
    if approximate == "none":
        return input * ops.normal_cdf(input)
    inner = (input + 0.044715 * input**3) * math.sqrt(2.0 / math.pi)
    return 0.5 * input * (1.0 + inner.tanh())


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + e^(beta x)) / beta, a smooth max(x, 0).

    Args:
        input: Floats of any shape.
        beta: How sharp the bend at 0 is.
        threshold: The result is x itself where beta x is above it, as in PyTorch;
            ``math.inf`` gives the exact value everywhere.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.functional.softplus(tg.tensor([-200.0, 200.0])).tolist()
        [0.0, 200.0]
    """
    check_float_input("softplus", input)
    check_type("softplus", Real, "a number", beta=beta, threshold=threshold)
    scaled = input * beta
    return ops.where(scaled > threshold, input, ops.softplus(scaled) / beta)


def logsigmoid(input: Tensor) -> Tensor:
    """Return log(sigmoid(x)), computed as -softplus(-x), which does not overflow.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.functional.logsigmoid(tg.tensor([-1000.0])).tolist()
        [-1000.0]
    """
    check_float_input("logsigmoid", input)
    return -ops.softplus(-input)
