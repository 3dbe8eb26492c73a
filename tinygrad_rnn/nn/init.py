"""Initial values, written into a tensor in place. Drawn on the host: the same on every device."""

import math
from typing import Any

import numpy as np

from ..backend import backend_of
from ..errors import DTypeError, OptionError, ShapeError
from ..random import Generator, host
from ..tensor import Tensor


def _check(name: str, tensor: Any) -> None:
    """Refuse what cannot hold initial values, before any number is drawn."""
    if not isinstance(tensor, Tensor) or tensor.dtype.kind != "f":
        got = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise DTypeError(f"{name}: got {got}, expected a float Tensor")


def _write(tensor: Tensor, values: Any) -> Tensor:
    array = np.asarray(values, tensor.dtype)
    tensor.array[...] = backend_of(tensor.array).from_host(array)
    tensor.version[0] += 1
    return tensor


def _fans(name: str, tensor: Tensor) -> tuple[int, int]:
    """The inputs and the outputs of each unit: of a weight (out, in)."""
    _check(name, tensor)
    if tensor.ndim < 2 or not tensor.numel():
        raise ShapeError(
            f"{name}: got a tensor of shape {tensor.shape}, expected a weight of at least 2 dims"
        )
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a nonlinearity's weights are scaled; ``param`` is leaky_relu's slope."""
    gains = {"tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75}
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + (0.01 if param is None else param) ** 2))
    if nonlinearity in ("linear", "sigmoid", "identity"):
        return 1.0
    if nonlinearity not in gains:
        raise OptionError(
            f"calculate_gain: nonlinearity is {nonlinearity!r}, expected linear, sigmoid, tanh, "
            "relu, leaky_relu or selu"
        )
    return gains[nonlinearity]


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in [a, b)."""
    _check("uniform_", tensor)
    if not a <= b:
        raise OptionError(f"uniform_: from a={a} to b={b}, expected a <= b")
    return _write(tensor, host(generator).uniform(a, b, tensor.shape))


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Normal."""
    _check("normal_", tensor)
    if not std >= 0:
        raise OptionError(f"normal_: std is {std}, expected at least 0")
    return _write(tensor, host(generator).normal(mean, std, tensor.shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value everywhere."""
    _check("constant_", tensor)
    return _write(tensor, np.full(tensor.shape, val))


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix."""
    return identity_(tensor)


def identity_(tensor: Tensor, scale: float = 1.0) -> Tensor:
    """``scale`` times the identity: a recurrent weight that keeps what the state holds.

    Le, Jaitly and Hinton 2015 start with scale 1 and relu, the tutorial that this package follows
    with 0.1 and tanh.
    """
    _check("identity_", tensor)
    if tensor.ndim != 2:
        raise ShapeError(f"identity_: got a tensor of shape {tensor.shape}, expected 2 dims")
    return _write(tensor, scale * np.eye(tensor.shape[0], tensor.shape[1]))


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform, of deviation gain * sqrt(2 / (fan_in + fan_out)): Glorot and Bengio 2010."""
    fan_in, fan_out = _fans("xavier_uniform_", tensor)
    bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal, of deviation gain * sqrt(2 / (fan_in + fan_out)): Glorot and Bengio 2010."""
    fan_in, fan_out = _fans("xavier_normal_", tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)


def _kaiming(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fan_in, fan_out = _fans(name, tensor)
    if mode not in ("fan_in", "fan_out"):
        raise OptionError(f"{name}: mode is {mode!r}, expected 'fan_in' or 'fan_out'")
    fan = fan_in if mode == "fan_in" else fan_out
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform, of deviation gain / sqrt(fan): He et al. 2015."""
    bound = math.sqrt(3.0) * _kaiming("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal, of deviation gain / sqrt(fan): He et al. 2015."""
    std = _kaiming("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """A (semi-)orthogonal matrix, of all such equally likely: Saxe et al. 2013."""
    _check("orthogonal_", tensor)
    if tensor.ndim < 2:
        raise ShapeError(
            f"orthogonal_: got a tensor of shape {tensor.shape}, expected at least 2 dims"
        )
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    normal = host(generator).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q *= np.sign(np.diag(r))  # without this the decomposition prefers some of them
    return _write(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))
