"""Initial values, written into a tensor in place: torch.nn.init's names.

They are drawn on the host, so the same seed gives the same values on every device.

Example:
    >>> from tinygrad_rnn import nn
    >>> layer = nn.Linear(3, 2)
    >>> nn.init.zeros_(layer.bias).tolist()
    [0.0, 0.0]
"""

import math
from numbers import Real
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..creation import as_tensor
from ..errors import (
    DTypeError,
    OptionError,
    ShapeError,
    check_choice,
    check_numbers,
    check_type,
    describe,
    left_out,
)
from ..errors.boundary import name_errors
from ..random import Generator, numpy_generator
from ..tensor import Tensor

Gen: TypeAlias = Generator | None

_GAINS = {
    "linear": 1.0,
    "identity": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
    "leaky_relu": math.nan,  # depends on the slope
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which the weights before a nonlinearity are scaled.

    Args:
        nonlinearity: "linear", "identity" or "sigmoid" (1), "tanh" (5/3), "relu"
            (sqrt 2), "selu" (3/4) or "leaky_relu" (sqrt(2 / (1 + param^2))).
        param: The slope of leaky_relu below 0; None is 0.01.

    Example:
        >>> import tinygrad_rnn as tg
        >>> round(tg.nn.init.calculate_gain("tanh"), 4)
        1.6667
    """
    check_choice("calculate_gain", tuple(_GAINS), nonlinearity=nonlinearity)
    slope = 0.01 if param is None else param
    check_numbers("calculate_gain", param=slope)
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + slope**2))
    return _GAINS[nonlinearity]


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Gen = None
) -> Tensor:
    """Draw from the uniform distribution over [a, b).

    Like all functions here, it changes the tensor without recording, and returns it.

    Args:
        tensor: A float tensor, such as a parameter.
        a: The lower bound.
        b: The upper bound.
        generator: Where the numbers come from; None is the default generator.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x = tg.nn.init.uniform_(tg.empty(100), -1.0, 1.0)
        >>> bool((x >= -1.0).all()), bool((x < 1.0).all())
        (True, True)
    """
    _check_tensor("uniform_", tensor, a=a, b=b)
    if not a <= b:
        raise OptionError(f"uniform_: from a={a} to b={b}, expected a <= b")
    tensor.detach().uniform_(a, b, generator)
    return tensor


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Gen = None
) -> Tensor:
    """Draw from the normal distribution N(mean, std^2).

    Args:
        tensor: A float tensor, such as a parameter.
        mean: The mean.
        std: The standard deviation.
        generator: Where the numbers come from; None is the default generator.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.init.normal_(tg.empty(3), mean=5.0, std=0.0).tolist()
        [5.0, 5.0, 5.0]
    """
    _check_tensor("normal_", tensor, mean=mean)
    check_numbers("normal_", 0, std=std)
    tensor.detach().normal_(mean, std, generator)
    return tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Set all elements to one value.

    Args:
        tensor: A float tensor, such as a parameter.
        val: The value.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.init.constant_(tg.empty(2), 7.0).tolist()
        [7.0, 7.0]
    """
    _check_tensor("constant_", tensor, val=val)
    return _write(tensor, np.full(tensor.shape, val))


@name_errors
def zeros_(tensor: Tensor) -> Tensor:
    """Set all elements to 0.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.init.zeros_(tg.ones(2)).tolist()
        [0.0, 0.0]
    """
    return constant_(tensor, 0.0)


@name_errors
def ones_(tensor: Tensor) -> Tensor:
    """Set all elements to 1.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.init.ones_(tg.zeros(2)).tolist()
        [1.0, 1.0]
    """
    return constant_(tensor, 1.0)


@name_errors
def eye_(tensor: Tensor) -> Tensor:
    """Set a matrix to the identity.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.init.eye_(tg.empty(2, 2)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    return identity_(tensor)


def identity_(tensor: Tensor, scale: float = 1.0) -> Tensor:
    """Set a matrix to ``scale`` times the identity.

    A recurrent weight that begins like this keeps the state from step to step. Le,
    Jaitly and Hinton, "A simple way to initialize recurrent networks of rectified
    linear units", 2015, use scale 1 and relu; the tutorial that this package follows
    uses 0.1 and tanh.

    Args:
        tensor: A float matrix.
        scale: The diagonal elements.

    Example:
        >>> import tinygrad_rnn as tg
        >>> rnn = tg.nn.RNN(3, 2, nonlinearity="relu")
        >>> tg.nn.init.identity_(rnn.weight_hh_l0).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    _check_tensor("identity_", tensor, "2 dims", scale=scale)
    return _write(tensor, scale * np.eye(tensor.shape[0], tensor.shape[1]))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Gen = None) -> Tensor:
    """Draw from U(-a, a) with a = gain * sqrt(6 / (fan_in + fan_out)).

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010: signals and gradients keep their variance from layer to layer.

    Args:
        tensor: A float weight (fan_out, fan_in), or (out, in, ...), whose further dims
            multiply both fans.
        gain: A factor, as :func:`calculate_gain` gives.
        generator: Where the numbers come from; None is the default generator.

    Raises:
        ShapeError: The tensor has fewer than 2 dims, or no elements.

    Example:
        >>> import tinygrad_rnn as tg
        >>> weight = tg.nn.init.xavier_uniform_(tg.empty(2, 4))
        >>> bool((weight.abs() <= 1.0).all())  # sqrt(6 / (4 + 2))
        True
    """
    std = _scaled_std("xavier_uniform_", tensor, gain, "mean")
    return _uniform_with(std, tensor, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Gen = None) -> Tensor:
    """Draw from N(0, std^2) with std = gain * sqrt(2 / (fan_in + fan_out)).

    Glorot and Bengio 2010; see :func:`xavier_uniform_`.

    Example:
        >>> import tinygrad_rnn as tg
        >>> weight = tg.nn.init.xavier_normal_(tg.empty(100, 100))
        >>> round(weight.std().item(), 2)  # sqrt(2 / (100 + 100))
        0.1
    """
    std = _scaled_std("xavier_normal_", tensor, gain, "mean")
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Gen = None,
) -> Tensor:
    """Draw from U(-bound, bound) with bound = gain * sqrt(3 / fan).

    He et al., "Delving deep into rectifiers", 2015: with relu, which drops half of the
    signal, its variance stays the same from layer to layer.

    Args:
        tensor: A float weight (fan_out, fan_in), or (out, in, ...).
        a: The slope below 0, for leaky_relu.
        mode: "fan_in" keeps the variance of signals, "fan_out" that of gradients.
        nonlinearity: What follows; the gain is :func:`calculate_gain`'s.
        generator: Where the numbers come from; None is the default generator.

    Raises:
        ShapeError: The tensor has fewer than 2 dims, or no elements.

    Example:
        >>> import tinygrad_rnn as tg
        >>> weight = tg.empty(2, 6)
        >>> weight = tg.nn.init.kaiming_uniform_(weight, nonlinearity="relu")
        >>> bool((weight.abs() <= 1.0).all())  # sqrt(2) sqrt(3 / 6)
        True
    """
    std = _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return _uniform_with(std, tensor, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Gen = None,
) -> Tensor:
    """Draw from N(0, std^2) with std = gain / sqrt(fan).

    He et al. 2015; see :func:`kaiming_uniform_`.

    Example:
        >>> import tinygrad_rnn as tg
        >>> weight = tg.empty(100, 200)
        >>> weight = tg.nn.init.kaiming_normal_(weight, nonlinearity="relu")
        >>> round(weight.std().item(), 2)  # sqrt(2) / sqrt(200)
        0.1
    """
    std = _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Gen = None) -> Tensor:
    """Draw an orthogonal matrix, all of them equally likely, times ``gain``.

    Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning
    in deep linear neural networks", 2013: vectors keep their length.

    Args:
        tensor: A float weight (rows, ...) with at least 2 dims, taken as a matrix of so
            many rows. If it is not square, its rows or its columns are orthonormal.
        gain: A factor, as :func:`calculate_gain` gives.
        generator: Where the numbers come from; None is the default generator.

    Example:
        >>> import tinygrad_rnn as tg
        >>> q = tg.nn.init.orthogonal_(tg.empty(3, 3))
        >>> (q @ q.T).allclose(tg.eye(3), atol=1e-6)
        True
    """
    _check_tensor("orthogonal_", tensor, "at least 2 dims", gain=gain)
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    shape = max(rows, columns), min(rows, columns)
    q, r = np.linalg.qr(
        numpy_generator("orthogonal_", generator).standard_normal(shape)
    )
    # The decomposition's choice of signs makes some matrices more likely: undo it.
    q *= np.sign(np.diag(r))
    return _write(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def _check_tensor(name: str, tensor: Tensor, dims: str = "", **numbers: float) -> None:
    """Require a float tensor, of these dims, and numbers, before any is drawn."""
    check_type(name, Real, "a number", **numbers)
    if not isinstance(tensor, Tensor) or tensor.dtype.kind != "f":
        got = f"got {describe(tensor)}"
        raise DTypeError(f"{name}: {got}, expected a float Tensor")
    is_small = tensor.ndim < 2 or not tensor.numel()
    if (dims and is_small) or (dims == "2 dims" and tensor.ndim != 2):
        got = f"got a tensor of shape {tensor.shape}"
        raise ShapeError(f"{name}: {got}, expected {dims}, and some elements")


def _scaled_std(name: str, tensor: Tensor, gain: float, mode: str) -> float:
    """Return gain / sqrt(fan) of a weight; mode "mean" averages both fans."""
    _check_tensor(name, tensor, "a weight of at least 2 dims", gain=gain)
    fan_in, fan_out = tensor.numel() / len(tensor), tensor.numel() / tensor.shape[1]
    fans = {"fan_in": fan_in, "fan_out": fan_out, "mean": (fan_in + fan_out) / 2}
    return gain / math.sqrt(fans[mode])


def _kaiming_std(
    name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str
) -> float:
    check_choice(name, ("fan_in", "fan_out"), mode=mode)
    return _scaled_std(name, tensor, calculate_gain(nonlinearity, a), mode)


def _uniform_with(std: float, tensor: Tensor, generator: Gen) -> Tensor:
    """Draw from the uniform distribution around 0 with a standard deviation."""
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def _write(tensor: Tensor, values: np.ndarray) -> Tensor:
    fitting = as_tensor(np.asarray(values, tensor.dtype), device=tensor.device)
    tensor.detach().copy_(fitting)
    return tensor


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.nn.init", globals())
