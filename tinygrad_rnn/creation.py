"""Functions that make tensors: from data, of a shape, at random. PyTorch's names and arguments."""

from numbers import Real
from typing import Any

import numpy as np

from . import errors
from .backend import backends, find
from .engine.node import wrap
from .methods import named, sizes_of
from .random import Generator, host
from .tensor import Tensor, as_dtype, on_host

# fmt: off
__all__ = [
    "BoolTensor", "DoubleTensor", "FloatTensor", "IntTensor", "LongTensor", "arange", "as_tensor",
    "empty", "eye", "from_dlpack", "from_numpy", "full", "full_like", "get_default_dtype", "linspace", "ones",
    "ones_like", "rand", "randint", "randn", "randn_like", "randperm", "set_default_dtype", "tensor", "zeros", "zeros_like",
]
# fmt: on

_default_dtype = np.dtype("float32")


def set_default_dtype(dtype: Any) -> None:
    """The dtype that Python floats become: float32, unless set to float64."""
    global _default_dtype
    _default_dtype = _float(dtype, "set_default_dtype")


def get_default_dtype() -> np.dtype:
    """The dtype that Python floats become."""
    return _default_dtype


def _float(dtype: Any, name: str) -> np.dtype:
    found: np.dtype = as_dtype(_default_dtype if dtype is None else dtype, name)
    if found.kind != "f":
        raise errors.DTypeError(f"{name}: got the dtype {found}, expected float32 or float64")
    return found


def _array(data: Any, dtype: Any, name: str) -> np.ndarray:
    """A NumPy array of what the user gave, of a dtype that tensors can have; shared if possible."""
    array = np.asarray(on_host(data, name))
    if dtype is None:
        weak = not hasattr(data, "__array__") and (array.dtype == np.float64 or not array.size)
        dtype = _default_dtype if weak else array.dtype
    if array.dtype.kind not in "biuf":
        raise errors.DTypeError(f"{name}: the data is of {array.dtype}, expected numbers")
    made = np.asarray(array, dtype=as_dtype(dtype, name)).view(np.ndarray)
    if made.dtype.kind in "iu" and array.dtype.kind in "iu" and (wrong := made != array).any():
        got = f"the data has {array[wrong][0]}"
        raise errors.OptionError(f"{name}: {got}, which {made.dtype} cannot hold")
    return made


def _made(name: str, array: Any, dtype: Any, device: Any = None,
          requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor of what was made on the host, in a dtype (None: the default one), on a device."""
    found = as_dtype(_default_dtype if dtype is None else dtype, name)
    xp = find("cpu" if device is None else device)
    return Tensor(xp.from_host(np.asarray(array, found)), requires_grad)


def _shape(name: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    shape = sizes_of(name, size)
    if min(shape, default=0) < 0:
        raise errors.ShapeError(f"{name}: got the shape {shape}, expected sizes of at least 0")
    return shape


# ---------------------------------------------------------------- from data


def tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of data: numbers, nested lists, an array, a tensor.

    Python floats become the default dtype; a NumPy array keeps its own.

    >>> tensor([[1.0, 2.0], [3.0, 4.0]]).shape
    (2, 2)
    """
    array = np.array(_array(data, dtype, "tensor"), order="C")
    device = data.device if device is None and isinstance(data, Tensor) else device
    return _made("tensor", array, array.dtype, device, requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """As :func:`tensor`, but sharing memory where it can; a tensor comes back as it is."""
    data = wrap(data) if type(data) in backends and type(data) is not np.ndarray else data
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    array = _array(data, dtype, "as_tensor")
    return _made("as_tensor", array, array.dtype, device)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares a NumPy array's memory."""
    errors.check_type("from_numpy", np.ndarray, "a NumPy array", array=array)
    return _made("from_numpy", _array(array, None, "from_numpy"), array.dtype)


def from_dlpack(x: Any) -> Tensor:
    """A tensor that shares the memory of what has ``__dlpack__``: PyTorch's, JAX's, CuPy's arrays."""
    if not hasattr(x, "__dlpack__"):
        raise errors.DTypeError(f"from_dlpack: got {type(x).__name__}, which has no __dlpack__")
    kind, index = x.__dlpack_device__()
    xp = find({1: "cpu", 2: f"cuda:{index}"}.get(int(kind), f"DLPack device {kind}"))
    array = xp.from_dlpack(x)
    as_dtype(array.dtype, "from_dlpack")
    return Tensor(array)


def _copied_as(dtype: Any, name: str, data: tuple[Any, ...]) -> Tensor:
    """A copy of data, not of sizes: PyTorch's classes take these too."""
    if len(data) != 1 or isinstance(data[0], Real):
        sizes = ", ".join(map(str, data))
        got = f"got {sizes or 'nothing'}, expected a list or an array"
        raise errors.DTypeError(f"{name}: {got}; tg.empty({sizes}) takes sizes")
    return tensor(data[0], dtype=dtype)


@named
def FloatTensor(*data: Any) -> Tensor:
    """A float32 tensor with a copy of data."""
    return _copied_as(np.float32, "FloatTensor", data)


@named
def DoubleTensor(*data: Any) -> Tensor:
    """A float64 tensor with a copy of data."""
    return _copied_as(np.float64, "DoubleTensor", data)


@named
def IntTensor(*data: Any) -> Tensor:
    """An int32 tensor with a copy of data."""
    return _copied_as(np.int32, "IntTensor", data)


@named
def LongTensor(*data: Any) -> Tensor:
    """An int64 tensor with a copy of data."""
    return _copied_as(np.int64, "LongTensor", data)


@named
def BoolTensor(*data: Any) -> Tensor:
    """A bool tensor with a copy of data: true where not 0."""
    return _copied_as(np.bool_, "BoolTensor", data)


# ---------------------------------------------------------------- of a shape


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of a shape."""
    return _made("zeros", np.zeros(_shape("zeros", size)), dtype, device, requires_grad)


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of a shape."""
    return _made("ones", np.ones(_shape("ones", size)), dtype, device, requires_grad)


def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of a shape; what is in it is not defined."""
    return _made("empty", np.zeros(_shape("empty", size)), dtype, device, requires_grad)


def full(size: Any, fill_value: Any, dtype: Any = None, device: Any = None,
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """One value everywhere."""
    value = _array(fill_value, dtype, "full")
    if value.ndim:
        raise errors.ShapeError(f"full: fill_value has the shape {value.shape}, expected a number")
    array = np.full(_shape("full", (size,)), value)
    return _made("full", array, value.dtype, device, requires_grad)


@named
def full_like(input: Tensor, fill_value: Any, dtype: Any = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """One value in another tensor's shape, dtype and place."""
    errors.check_type("full_like", Tensor, "a Tensor", input=input)
    place = input.device if device is None else device
    return full(input.shape, fill_value, dtype or input.dtype, place, requires_grad)


@named
def zeros_like(input: Tensor, dtype: Any = None, device: Any = None,
               requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Zeros of another tensor's shape, dtype and place."""
    return full_like(input, 0, dtype, device, requires_grad)


@named
def ones_like(input: Tensor, dtype: Any = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Ones of another tensor's shape, dtype and place."""
    return full_like(input, 1, dtype, device, requires_grad)


def arange(start: Any = 0, end: Any = None, step: Any = 1, dtype: Any = None, device: Any = None,
           requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The numbers from start (0 if only an end is given) up to, without, end."""
    if end is None:
        start, end = 0, start
    errors.check_numbers("arange", start=start, end=end, step=step)
    if step == 0 or (end - start) * step < 0:
        raise errors.OptionError(f"arange: from {start} to {end}, but step is {step}")
    array = np.arange(start, end, step)
    dtype = np.int64 if dtype is None and array.dtype.kind != "f" else dtype
    return _made("arange", array, dtype, device, requires_grad)


def linspace(start: float, end: float, steps: int, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """``steps`` evenly spaced numbers from start to end, both included."""
    errors.check_numbers("linspace", start=start, end=end)
    errors.check_integers("linspace", 0, steps=steps)
    return _made("linspace", np.linspace(start, end, steps), dtype, device, requires_grad)


def eye(n: int, m: int | None = None, dtype: Any = None, device: Any = None,
        requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The identity matrix, (n, m)."""
    rows, columns = _shape("eye", (n, n if m is None else m))
    return _made("eye", np.eye(rows, columns), dtype, device, requires_grad)


# ---------------------------------------------------------------- at random


def rand(*size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None,
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Uniform in [0, 1)."""
    array = host("rand", generator).random(_shape("rand", size), _float(dtype, "rand").type)
    return _made("rand", array, dtype, device, requires_grad)


def randn(*size: Any, generator: Generator | None = None, dtype: Any = None, device: Any = None,
          requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Normal, of mean 0 and deviation 1."""
    array = host("randn", generator).standard_normal(
        _shape("randn", size), _float(dtype, "randn").type
    )
    return _made("randn", array, dtype, device, requires_grad)


@named
def randn_like(input: Tensor, *, generator: Generator | None = None, dtype: Any = None,
               device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """As :func:`randn`, in another tensor's shape, dtype and place."""
    errors.check_type("randn_like", Tensor, "a Tensor", input=input)
    place = input.device if device is None else device
    like = {"dtype": dtype or input.dtype, "device": place, "requires_grad": requires_grad}
    return randn(*input.shape, generator=generator, **like)


def randint(low: int = 0, high: Any = None, size: Any = None, *,
            generator: Generator | None = None, dtype: Any = None, device: Any = None,
            requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Integers from low (0 if left out) up to, without, high: ``randint(10, (2, 3))``."""
    if size is None or high is None:
        low, high, size = 0, low, high if size is None else size  # randint(10, (2, 3))
    errors.check_integers("randint", -np.inf, **{"low end": low, "high end": high})
    if size is None or low >= high:
        got = f"from {low} to {high} in the shape {size}"
        raise errors.OptionError(f"randint: {got}: nothing to draw; as in randint(10, (2, 3))")
    array = host("randint", generator).integers(low, high, _shape("randint", (size,)), np.int64)
    return _made("randint", array, dtype or np.int64, device, requires_grad)


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The integers below n in random order."""
    found = as_dtype(dtype or np.int64, "randperm")
    errors.check_integers("randperm", 0, n=n)
    array = host("randperm", generator).permutation(n)
    return _made("randperm", array, found, device, requires_grad)
