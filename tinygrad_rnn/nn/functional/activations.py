"""Activations, applied to each element, and softmax along a dim."""

import math
from numbers import Real

from ... import functions, ops
from ...errors import check_type
from ...errors.tensor_checks import check_float_input, check_options
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

relu, sigmoid, tanh = functions.relu, functions.sigmoid, functions.tanh
softmax, log_softmax = functions.softmax, functions.log_softmax


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x, or negative_slope * x where it is not above 0."""
    check_float_input("leaky_relu", input)
    check_options("leaky_relu", negative_slope=negative_slope)
    return ops.where(input > 0, input, input.clamp(max=0.0) * negative_slope)


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """x, or alpha * (e^x - 1) where it is not above 0."""
    check_float_input("elu", input)
    check_options("elu", alpha=alpha)
    return ops.where(input > 0, input, input.clamp(max=0.0).expm1() * alpha)


def silu(input: Tensor) -> Tensor:
    """x * sigmoid(x)."""
    check_float_input("silu", input)
    return input * input.sigmoid()


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x * Phi(x), with Phi the normal distribution's: Hendrycks and Gimpel,
    arXiv:1606.08415.

    With ``approximate="tanh"`` Phi(x) is (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) /
    2.
    """
    check_float_input("gelu", input)
    check_options("gelu", approximate=approximate)
    if approximate == "none":
        return input * ops.normal_cdf(input)
    inner = (input + 0.044715 * input**3) * math.sqrt(2.0 / math.pi)
    return 0.5 * input * (1.0 + inner.tanh())


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta x)) / beta, and x where beta x is above the threshold; inf is for
    exact.
    """
    check_float_input("softplus", input)
    check_type("softplus", Real, "a number", beta=beta, threshold=threshold)
    scaled = input * beta
    return ops.where(scaled > threshold, input, ops.softplus(scaled) / beta)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)), without overflow."""
    check_float_input("logsigmoid", input)
    return -ops.softplus(-input)
