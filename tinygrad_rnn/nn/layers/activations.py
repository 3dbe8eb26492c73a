"""Activations as modules."""

from ...errors.tensor_checks import check_options
from .. import functional as F
from .base import Functional

__all__ = [
    "ELU",
    "GELU",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


class _Plain(Functional):
    def __init__(self) -> None:
        super().__init__()


class _InPlace(Functional):
    """An activation that PyTorch can compute in place."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        check_options(self._name, inplace=inplace)


class Tanh(_Plain, of=F.tanh):
    """tanh(x)."""


class ReLU(_InPlace, of=F.relu):
    """max(x, 0)."""


class Sigmoid(_Plain, of=F.sigmoid):
    """1 / (1 + e^-x)."""


class SiLU(_InPlace, of=F.silu):
    """x * sigmoid(x)."""


class LogSigmoid(_Plain, of=F.logsigmoid):
    """log(sigmoid(x)), without overflow."""


class GELU(Functional, of=F.gelu):
    """x * Phi(x), with Phi the normal distribution's; or by tanh, if
    ``approximate="tanh"``.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)


class LeakyReLU(Functional, of=F.leaky_relu):
    """x, or negative_slope * x where it is not above 0."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(negative_slope=negative_slope)
        check_options(self._name, inplace=inplace)


class ELU(Functional, of=F.elu):
    """x, or alpha * (e^x - 1) where it is not above 0."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha)
        check_options(self._name, inplace=inplace)


class Softplus(Functional, of=F.softplus):
    """log(1 + e^(beta x)) / beta."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)


class _AlongDim(Functional):
    def __init__(self, dim: int) -> None:
        super().__init__(dim=dim)


class Softmax(_AlongDim, of=F.softmax):
    """e^x / sum(e^x) along a dim."""


class LogSoftmax(_AlongDim, of=F.log_softmax):
    """log(softmax(x)) along a dim."""
