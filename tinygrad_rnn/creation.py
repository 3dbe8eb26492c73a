"""Functions that make tensors: from data, of a shape, at random. PyTorch's names and arguments."""

from typing import Any

import numpy as np

from .backend import find
from .errors import DTypeError, OptionError, ShapeError
from .methods import sizes_of
from .random import Generator, host
from .tensor import Tensor, as_dtype, plain

# fmt: off
__all__ = [
    "FloatTensor", "arange", "as_tensor", "empty", "eye", "from_numpy", "full", "full_like",
    "get_default_dtype", "linspace", "multinomial", "ones", "ones_like", "rand", "randint",
    "randn", "randperm", "set_default_dtype", "tensor", "zeros", "zeros_like",
]
# fmt: on

_default_dtype = np.dtype("float32")


def set_default_dtype(dtype: Any) -> None:
    """The dtype that Python floats become: float32, unless set to float64."""
    global _default_dtype
    found = as_dtype(dtype, "set_default_dtype")
    if found.kind != "f":
        raise DTypeError(f"set_default_dtype: got {dtype!r}, expected float32 or float64")
    _default_dtype = found


def get_default_dtype() -> np.dtype:
    """The dtype that Python floats become."""
    return _default_dtype


def _array(data: Any, dtype: Any, name: str) -> np.ndarray:
    """A NumPy array of what the user gave, of a dtype that tensors can have; shared if possible."""
    try:
        array = np.asarray(plain(data))
    except ValueError as error:
        raise ShapeError(f"{name}: the data is ragged: {error}") from None
    if dtype is None:
        ours = isinstance(data, np.ndarray | np.generic | Tensor) or hasattr(data, "__array__")
        weak = not ours and (array.dtype == np.float64 or not array.size)
        dtype = _default_dtype if weak else array.dtype
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"{name}: the data is of {array.dtype}, expected numbers")
    found = as_dtype(dtype, name)
    return np.asarray(array, dtype=found).view(np.ndarray)


def _made(array: np.ndarray, device: Any, requires_grad: bool) -> Tensor:
    find("cpu" if device is None else device)
    return Tensor(array, requires_grad)


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of data: numbers, nested lists, an array, a tensor.

    Python floats become the default dtype; a NumPy array keeps its own.

    >>> tensor([[1.0, 2.0], [3.0, 4.0]]).shape
    (2, 2)
    """
    return _made(np.array(_array(data, dtype, "tensor"), order="C"), device, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """As :func:`tensor`, but sharing memory where it can; a tensor comes back as it is."""
    if isinstance(data, Tensor) and (dtype is None or data.dtype == np.dtype(dtype)):
        return data
    return _made(_array(data, dtype, "as_tensor"), device, False)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares a NumPy array's memory."""
    if not isinstance(array, np.ndarray):
        raise DTypeError(f"from_numpy: got {type(array).__name__}, expected a NumPy array")
    return _made(_array(array, None, "from_numpy"), None, False)


def FloatTensor(data: Any) -> Tensor:
    """A float32 tensor with a copy of data."""
    return tensor(data, dtype=np.float32)


def _shape(name: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    shape = sizes_of(name, size)
    if min(shape, default=0) < 0:
        raise ShapeError(f"{name}: got the shape {shape}, expected sizes of at least 0")
    return shape


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of a shape."""
    return full(_shape("zeros", size), 0, dtype or _default_dtype, device, requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of a shape."""
    return full(_shape("ones", size), 1, dtype or _default_dtype, device, requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of a shape; what is in it is not defined."""
    array = np.empty(_shape("empty", size), as_dtype(dtype or _default_dtype, "empty"))
    return _made(array, device, requires_grad)


def full(
    size: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """One value everywhere."""
    value = _array(fill_value, dtype, "full")
    return _made(np.full(_shape("full", (size,)), value, value.dtype), device, requires_grad)


def zeros_like(
    input: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Zeros of another tensor's shape and dtype."""
    return full(input.shape, 0, dtype or input.dtype, device, requires_grad)


def ones_like(
    input: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones of another tensor's shape and dtype."""
    return full(input.shape, 1, dtype or input.dtype, device, requires_grad)


def full_like(
    input: Tensor,
    fill_value: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """One value in another tensor's shape and dtype."""
    return full(input.shape, fill_value, dtype or input.dtype, device, requires_grad)


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers from start (0 if only an end is given) up to, without, end."""
    if end is None:
        start, end = 0, start
    if step == 0:
        raise OptionError("arange: step is 0")
    array = np.arange(start, end, step)
    if dtype is None:
        dtype = _default_dtype if array.dtype.kind == "f" else np.int64
    return _made(array.astype(as_dtype(dtype, "arange")), device, requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``steps`` evenly spaced numbers from start to end, both included."""
    if steps < 0:
        raise OptionError(f"linspace: steps is {steps}, expected at least 0")
    array = np.linspace(start, end, steps).astype(as_dtype(dtype or _default_dtype, "linspace"))
    return _made(array, device, requires_grad)


def eye(
    n: int, m: int | None = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The identity matrix, (n, m)."""
    shape = _shape("eye", (n, n if m is None else m))
    return _made(
        np.eye(*shape, dtype=as_dtype(dtype or _default_dtype, "eye")), device, requires_grad
    )


# ---------------------------------------------------------------- at random


def _float(dtype: Any, name: str) -> Any:
    found = as_dtype(dtype or _default_dtype, name)
    if found.kind != "f":
        raise DTypeError(f"{name}: got the dtype {found}, expected float32 or float64")
    return found


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform in [0, 1)."""
    array = host(generator).random(_shape("rand", size), _float(dtype, "rand"))
    return _made(np.asarray(array), device, requires_grad)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal, of mean 0 and deviation 1."""
    array = host(generator).standard_normal(_shape("randn", size), _float(dtype, "randn"))
    return _made(np.asarray(array), device, requires_grad)


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers from low (0 if left out) up to, without, high: ``randint(10, (2, 3))``."""
    if size is None:
        low, high, size = 0, low, high
    if size is None or not low < high:
        raise OptionError(f"randint: from {low} to {high} in the shape {size}: nothing to draw")
    array = host(generator).integers(low, high, _shape("randint", (size,)), np.int64)
    found = as_dtype(dtype or np.int64, "randint")
    return _made(np.asarray(array).astype(found), device, requires_grad)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The integers below n in random order."""
    array = host(generator).permutation(_shape("randperm", (n,))[0])
    return _made(array.astype(as_dtype(dtype or np.int64, "randperm")), device, requires_grad)


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Draw indices in proportion to weights: (V,) to (num_samples,), or (B, V) row by row.

    The weights need not add up to 1. Raises OptionError for negative or non-finite ones, for a row
    of zeros, and for more samples without replacement than there are weights above 0.

    >>> multinomial(tensor([0.0, 1.0]), 1).item()
    1
    """
    weights = plain(input)
    if not isinstance(input, Tensor) or weights.dtype.kind != "f" or weights.ndim not in (1, 2):
        got = f"{weights.dtype}{weights.shape}" if isinstance(input, Tensor) else type(input)
        raise ShapeError(f"multinomial: got {got}, expected a float tensor (V,) or (B, V)")
    rows = np.atleast_2d(np.asarray(weights, np.float64))
    if not np.isfinite(rows).all() or (rows < 0).any():
        raise OptionError("multinomial: the weights must be finite and not negative")
    if num_samples < 1:
        raise OptionError(f"multinomial: num_samples is {num_samples}, expected at least 1")
    possible = (rows > 0).sum(axis=1).min(initial=rows.shape[1])
    if possible < (1 if replacement else num_samples):
        raise OptionError(
            f"multinomial: {possible} weights are above 0, which is too few for "
            f"num_samples={num_samples}, replacement={replacement}"
        )
    random = host(generator)
    if replacement or num_samples == 1:
        totals = np.cumsum(rows / rows.max(axis=1, keepdims=True), axis=1)
        points = random.random((len(rows), num_samples)) * totals[:, -1:]
        drawn = np.stack(
            [np.searchsorted(t, p, side="right") for t, p in zip(totals, points, strict=True)]
        )
    else:  # the smallest of exponentials with these rates are a draw without replacement
        with np.errstate(divide="ignore"):
            clocks = random.standard_exponential(rows.shape) / rows
        drawn = np.argsort(clocks, axis=1)[:, :num_samples]
    drawn = drawn.astype(np.int64)
    return Tensor(drawn[0] if weights.ndim == 1 else drawn)
