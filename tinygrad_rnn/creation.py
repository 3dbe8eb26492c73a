"""Functions that make tensors: from data, of a shape, at random. PyTorch's names and
arguments.
"""

from typing import Any

import numpy as np

from . import errors
from .backend import backends, find
from .convert import (
    as_dtype,
    check_export,
    constructed,
    copied,
    float_dtype,
    get_default_dtype,
    host_array,
    set_default_dtype,
)
from .engine.node import wrap
from .errors.boundary import named
from .random import Generator, numpy_generator
from .tensor import Tensor
from .tensor.arguments import sizes_of

__all__ = [
    "BoolTensor",
    "DoubleTensor",
    "FloatTensor",
    "IntTensor",
    "LongTensor",
    "arange",
    "as_tensor",
    "empty",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "get_default_dtype",
    "linspace",
    "ones",
    "ones_like",
    "rand",
    "randint",
    "randn",
    "randn_like",
    "randperm",
    "set_default_dtype",
    "tensor",
    "zeros",
    "zeros_like",
]


def _made(
    name: str, array: Any, dtype: Any, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of what was made on the host, in a dtype (None: the default one), on a
    device.
    """
    found = as_dtype(get_default_dtype() if dtype is None else dtype, name)
    xp = find("cpu" if device is None else device)
    made: Tensor = wrap(xp.from_host(np.asarray(array, found)))
    return made.requires_grad_() if requires_grad else made


def _shape(name: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    shape = sizes_of(name, size)
    if min(shape, default=0) < 0:
        raise errors.ShapeError(
            f"{name}: got the shape {shape}, expected sizes of at least 0"
        )
    return shape


# ---------------------------------------------------------------- from data


def tensor(
    data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor with a copy of data: numbers, nested lists, an array, a tensor.

    Python floats become the default dtype; a NumPy array keeps its own.

    >>> tensor([[1.0, 2.0], [3.0, 4.0]]).shape
    (2, 2)
    """
    array = copied("tensor", data, dtype)
    device = data.device if device is None and isinstance(data, Tensor) else device
    return _made("tensor", array, array.dtype, device, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """As :func:`tensor`, but sharing memory where it can; a tensor comes back as it is."""
    data = (
        wrap(data) if type(data) in backends and type(data) is not np.ndarray else data
    )
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    array = host_array(data, dtype, "as_tensor")
    return _made("as_tensor", array, array.dtype, device)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares a NumPy array's memory."""
    errors.check_type("from_numpy", np.ndarray, "a NumPy array", array=array)
    return _made("from_numpy", host_array(array, None, "from_numpy"), array.dtype)


def from_dlpack(x: Any) -> Tensor:
    """A tensor that shares the memory of what has ``__dlpack__``: PyTorch's, JAX's,
    CuPy's arrays.

    NumPy before 2.2.6 lets nobody write to memory that came from another library:
    ``clone()`` it.
    """
    if not hasattr(x, "__dlpack__"):
        raise errors.DTypeError(
            f"from_dlpack: got {type(x).__name__}, which has no __dlpack__"
        )
    if isinstance(x, Tensor):
        check_export("from_dlpack", x)
        return x.detach()
    kind, index = x.__dlpack_device__()
    xp = find({1: "cpu", 2: f"cuda:{index}"}.get(int(kind), f"DLPack device {kind}"))
    array = x if type(x) is np.ndarray and x.dtype.isnative else xp.from_dlpack(x)
    as_dtype(array.dtype, "from_dlpack")
    made: Tensor = wrap(array)
    return made


def FloatTensor(*data: Any) -> Tensor:
    """A float32 tensor with a copy of a list or an array."""
    made: Tensor = wrap(constructed("FloatTensor", data, np.float32))
    return made


def DoubleTensor(*data: Any) -> Tensor:
    """A float64 tensor with a copy of a list or an array."""
    made: Tensor = wrap(constructed("DoubleTensor", data, np.float64))
    return made


def LongTensor(*data: Any) -> Tensor:
    """An int64 tensor with a copy of a list or an array."""
    made: Tensor = wrap(constructed("LongTensor", data, np.int64))
    return made


def IntTensor(*data: Any) -> Tensor:
    """An int32 tensor with a copy of a list or an array."""
    made: Tensor = wrap(constructed("IntTensor", data, np.int32))
    return made


def BoolTensor(*data: Any) -> Tensor:
    """A tensor of bools, true where not 0, with a copy of a list or an array."""
    made: Tensor = wrap(constructed("BoolTensor", data, np.bool_))
    return made


# ---------------------------------------------------------------- of a shape


def zeros(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Zeros of a shape."""
    return _made("zeros", np.zeros(_shape("zeros", size)), dtype, device, requires_grad)


def ones(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones of a shape."""
    return _made("ones", np.ones(_shape("ones", size)), dtype, device, requires_grad)


def empty(
    *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of a shape; what is in it is not defined."""
    return _made("empty", np.zeros(_shape("empty", size)), dtype, device, requires_grad)


def full(
    size: Any,
    fill_value: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """One value everywhere."""
    check_export("full", fill_value)
    value = host_array(fill_value, dtype, "full")
    if value.ndim:
        raise errors.ShapeError(
            f"full: fill_value has the shape {value.shape}, expected a number"
        )
    array = np.full(_shape("full", (size,)), value)
    return _made("full", array, value.dtype, device, requires_grad)


@named
def full_like(
    input: Tensor,
    fill_value: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """One value in another tensor's shape, dtype and place."""
    errors.check_type("full_like", Tensor, "a Tensor", input=input)
    place = input.device if device is None else device
    return full(input.shape, fill_value, dtype or input.dtype, place, requires_grad)


@named
def zeros_like(
    input: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Zeros of another tensor's shape, dtype and place."""
    return full_like(input, 0, dtype, device, requires_grad)


@named
def ones_like(
    input: Tensor, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones of another tensor's shape, dtype and place."""
    return full_like(input, 1, dtype, device, requires_grad)


def arange(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers from start (0 if only an end is given) up to, without, end."""
    if end is None:
        start, end = 0, start
    errors.check_numbers("arange", start=start, end=end, step=step)
    if step == 0 or (end - start) * step < 0:
        raise errors.OptionError(f"arange: from {start} to {end}, but step is {step}")
    array = np.arange(start, end, step)
    dtype = np.int64 if dtype is None and array.dtype.kind != "f" else dtype
    return _made("arange", array, dtype, device, requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``steps`` evenly spaced numbers from start to end, both included."""
    errors.check_numbers("linspace", start=start, end=end)
    errors.check_integers("linspace", 0, steps=steps)
    return _made(
        "linspace", np.linspace(start, end, steps), dtype, device, requires_grad
    )


def eye(
    n: int,
    m: int | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The identity matrix, (n, m)."""
    rows, columns = _shape("eye", (n, n if m is None else m))
    return _made("eye", np.eye(rows, columns), dtype, device, requires_grad)


# ---------------------------------------------------------------- at random


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform in [0, 1)."""
    array = numpy_generator("rand", generator).random(
        _shape("rand", size), float_dtype(dtype, "rand").type
    )
    return _made("rand", array, dtype, device, requires_grad)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal, of mean 0 and deviation 1."""
    array = numpy_generator("randn", generator).standard_normal(
        _shape("randn", size), float_dtype(dtype, "randn").type
    )
    return _made("randn", array, dtype, device, requires_grad)


@named
def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """As :func:`randn`, in another tensor's shape, dtype and place."""
    errors.check_type("randn_like", Tensor, "a Tensor", input=input)
    place = input.device if device is None else device
    like = {
        "dtype": dtype or input.dtype,
        "device": place,
        "requires_grad": requires_grad,
    }
    return randn(*input.shape, generator=generator, **like)


def randint(
    low: int = 0,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers from low (0 if left out) up to, without, high: ``randint(10, (2, 3))``."""
    if size is None or high is None:
        low, high, size = 0, low, high if size is None else size  # randint(10, (2, 3))
    errors.check_integers("randint", -np.inf, **{"low end": low, "high end": high})
    if size is None or low >= high:
        got = f"from {low} to {high} in the shape {size}"
        raise errors.OptionError(
            f"randint: {got}: nothing to draw; as in randint(10, (2, 3))"
        )
    array = numpy_generator("randint", generator).integers(
        low, high, _shape("randint", (size,)), np.int64
    )
    return _made("randint", array, dtype or np.int64, device, requires_grad)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The integers below n in random order."""
    found = as_dtype(dtype or np.int64, "randperm")
    errors.check_integers("randperm", 0, n=n)
    array = numpy_generator("randperm", generator).permutation(n)
    return _made("randperm", array, found, device, requires_grad)
