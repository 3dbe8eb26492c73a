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


class _WithoutOptions(Functional):
    """A function of its input alone."""

    def __init__(self) -> None:
        super().__init__()


class _WithInplace(Functional):
    """A function that PyTorch can compute in place; ``inplace`` has to be False."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        check_options(self._name, inplace=inplace)


class _AlongDim(Functional):
    """A function along one dim of its input."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim=dim)


class Tanh(_WithoutOptions, of=F.tanh):
    """tanh(x).

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.Tanh()(tg.tensor([0.0, 99.0])).tolist()
        [0.0, 1.0]
    """


class ReLU(_WithInplace, of=F.relu):
    """max(x, 0).

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.ReLU()(tg.tensor([-2.0, 3.0])).tolist()
        [0.0, 3.0]
    """


class Sigmoid(_WithoutOptions, of=F.sigmoid):
    """1 / (1 + e^-x).

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.Sigmoid()(tg.tensor([0.0, 99.0])).tolist()
        [0.5, 1.0]
    """


class SiLU(_WithInplace, of=F.silu):
    """x * sigmoid(x), also called swish: Elfwing et al., arXiv:1702.03118.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.SiLU()(tg.tensor([0.0, 99.0])).tolist()
        [0.0, 99.0]
    """


class LogSigmoid(_WithoutOptions, of=F.logsigmoid):
    """log(sigmoid(x)), without overflow.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.LogSigmoid()(tg.tensor([-1000.0])).tolist()
        [-1000.0]
    """


class GELU(Functional, of=F.gelu):
    """x * Phi(x), Phi the normal CDF: Hendrycks and Gimpel, arXiv:1606.08415.

    Args:
        approximate: ``"none"``, or ``"tanh"`` to compute Phi(x) as
            (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.GELU()(tg.tensor([0.0, 99.0])).tolist()
        [0.0, 99.0]
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)


class LeakyReLU(Functional, of=F.leaky_relu):
    """x where x > 0, else negative_slope * x: Maas et al. 2013.

    Args:
        negative_slope: The slope below 0.
        inplace: Not supported; has to be False.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.LeakyReLU(0.5)(tg.tensor([-2.0, 3.0])).tolist()
        [-1.0, 3.0]
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(negative_slope=negative_slope)
        check_options(self._name, inplace=inplace)


class ELU(Functional, of=F.elu):
    """x where x > 0, else alpha * (e^x - 1): Clevert et al., arXiv:1511.07289.

    Args:
        alpha: Minus the limit of the values far below 0.
        inplace: Not supported; has to be False.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.ELU()(tg.tensor([-100.0, 3.0])).tolist()
        [-1.0, 3.0]
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha)
        check_options(self._name, inplace=inplace)


class Softplus(Functional, of=F.softplus):
    """log(1 + e^(beta x)) / beta, a smooth max(x, 0).

    Args:
        beta: How sharp the bend at 0 is.
        threshold: The result is x itself where beta x is above it, as in PyTorch;
            ``math.inf`` gives the exact value everywhere.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.Softplus()(tg.tensor([-200.0, 200.0])).tolist()
        [0.0, 200.0]
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)


class Softmax(_AlongDim, of=F.softmax):
    """e^x / sum(e^x), the sum along ``dim``.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.Softmax(dim=-1)(tg.zeros(2, 4))[0].tolist()
        [0.25, 0.25, 0.25, 0.25]
    """


class LogSoftmax(_AlongDim, of=F.log_softmax):
    """log(softmax(x)) along ``dim``, computed as x - logsumexp(x).

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.LogSoftmax(dim=-1)(tg.tensor([0.0, 1000.0])).tolist()
        [-1000.0, 0.0]
    """
