"""Initial values, written into a tensor in place. Drawn on the host: the same on every
device.
"""

import math
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..creation import as_tensor
from ..errors import (
    DTypeError,
    OptionError,
    ShapeError,
    check_choice,
    check_numbers,
    check_type,
    described,
    left_out,
)
from ..errors.boundary import named
from ..random import Generator, numpy_generator
from ..tensor import Tensor

Gen: TypeAlias = Generator | None

_GAINS = {
    "linear": 1.0,
    "identity": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
}
_GAINS |= {"selu": 0.75, "leaky_relu": math.nan}


def _check(name: str, tensor: Any, dims: str = "", **numbers: Any) -> None:
    """Require a tensor that can hold initial values, and numbers, before any number is
    drawn.
    """
    check_type(name, Real, "a number", **numbers)
    if not isinstance(tensor, Tensor) or tensor.dtype.kind != "f":
        got = described(tensor)
        raise DTypeError(f"{name}: got {got}, expected a float Tensor")
    few = tensor.ndim < 2 or not tensor.numel()
    if (dims and few) or (dims == "2 dims" and tensor.ndim != 2):
        got = f"a tensor of shape {tensor.shape}"
        raise ShapeError(f"{name}: got {got}, expected {dims}, and some elements")


def _write(tensor: Tensor, values: Any) -> Tensor:
    tensor.detach().copy_(
        as_tensor(np.asarray(values, tensor.dtype), device=tensor.device)
    )
    return tensor


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a nonlinearity's weights are scaled; ``param`` is
    leaky_relu's slope.
    """
    check_choice("calculate_gain", tuple(_GAINS), nonlinearity=nonlinearity)
    slope = 0.01 if param is None else param
    check_numbers("calculate_gain", param=slope)
    return (
        math.sqrt(2 / (1 + slope**2))
        if nonlinearity == "leaky_relu"
        else _GAINS[nonlinearity]
    )


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Gen = None
) -> Tensor:
    """Uniform in [a, b)."""
    _check("uniform_", tensor, a=a, b=b)
    if not a <= b:
        raise OptionError(f"uniform_: from a={a} to b={b}, expected a <= b")
    tensor.detach().uniform_(a, b, generator)
    return tensor


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Gen = None
) -> Tensor:
    """Normal."""
    _check("normal_", tensor, mean=mean)
    check_numbers("normal_", 0, std=std)
    tensor.detach().normal_(mean, std, generator)
    return tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value everywhere."""
    _check("constant_", tensor, val=val)
    return _write(tensor, np.full(tensor.shape, val))


@named
def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


@named
def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


@named
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix."""
    return identity_(tensor)


def identity_(tensor: Tensor, scale: float = 1.0) -> Tensor:
    """``scale`` times the identity: a recurrent weight that keeps what the state holds.

    Le, Jaitly and Hinton 2015 start with scale 1 and relu, the tutorial that this
    package follows with 0.1 and tanh.
    """
    _check("identity_", tensor, "2 dims", scale=scale)
    return _write(tensor, scale * np.eye(tensor.shape[0], tensor.shape[1]))


def _spread(name: str, tensor: Tensor, gain: float, fan: str, generator: Any) -> Tensor:
    """Numbers of deviation gain / sqrt(fan), distributed as the name says.

    The fan is how many inputs each unit of a weight (out, in, ...) has, or outputs, or
    the mean.
    """
    _check(name, tensor, "a weight of at least 2 dims", gain=gain)
    fans = {
        "fan_in": tensor.numel() / len(tensor),
        "fan_out": tensor.numel() / tensor.shape[1],
    }
    std = gain / math.sqrt(fans.get(fan) or sum(fans.values()) / 2)
    if "normal" in name:
        return normal_(tensor, 0.0, std, generator)
    return uniform_(tensor, -math.sqrt(3.0) * std, math.sqrt(3.0) * std, generator)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Gen = None) -> Tensor:
    """Uniform, of deviation gain * sqrt(2 / (fan_in + fan_out)): Glorot and Bengio
    2010.
    """
    return _spread("xavier_uniform_", tensor, gain, "mean", generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Gen = None) -> Tensor:
    """Normal, of deviation gain * sqrt(2 / (fan_in + fan_out)): Glorot and Bengio 2010."""
    return _spread("xavier_normal_", tensor, gain, "mean", generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Gen = None,
) -> Tensor:
    """Uniform, of deviation gain / sqrt(fan): He et al. 2015."""
    check_choice("kaiming_uniform_", ("fan_in", "fan_out"), mode=mode)
    return _spread(
        "kaiming_uniform_", tensor, calculate_gain(nonlinearity, a), mode, generator
    )


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Gen = None,
) -> Tensor:
    """Normal, of deviation gain / sqrt(fan): He et al. 2015."""
    check_choice("kaiming_normal_", ("fan_in", "fan_out"), mode=mode)
    return _spread(
        "kaiming_normal_", tensor, calculate_gain(nonlinearity, a), mode, generator
    )


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Gen = None) -> Tensor:
    """A (semi-)orthogonal matrix, of all such equally likely: Saxe et al. 2013."""
    _check("orthogonal_", tensor, "at least 2 dims", gain=gain)
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    normal = numpy_generator("orthogonal_", generator).standard_normal(
        (max(rows, columns), min(rows, columns))
    )
    q, r = np.linalg.qr(normal)
    q *= np.sign(np.diag(r))  # without this the decomposition prefers some of them
    return _write(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.nn.init", globals())
