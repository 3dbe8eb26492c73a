"""Functions that make tensors: from data, of a shape, at random."""

import math
from collections.abc import Callable

import numpy as np

from . import errors
from .backend import backend_of, find
from .convert import (
    TYPES,
    array_by_dlpack,
    array_for_constructor,
    as_dtype,
    check_export,
    device_array,
    float_dtype,
    get_default_dtype,
    host_array,
    host_copy,
    set_default_dtype,
    warn_if_history_ends,
)
from .engine import seam
from .engine.node import wrap
from .errors.boundary import name_errors
from .random import Generator, draw
from .tensor import Tensor
from .tensor.arguments import sizes_of
from .types import Array, Data, DeviceLike, DType, Operand, Setting, Shape, Sizes

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


def _make(
    array: Array,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of an array on the host; None is the default dtype.

    Its errors begin with "tensor:", for which ``name_errors`` puts the function's name.
    """
    found = as_dtype(get_default_dtype() if dtype is None else dtype, "tensor")
    xp = find("cpu" if device is None else device)
    array = seam.constant(array, is_written=True)
    if array.dtype != found:
        array = seam.run(np.asarray, array, found)
    made = wrap(seam.run(xp.from_host, array))
    return made.requires_grad_() if requires_grad else made


def _shape_of(size: tuple[Sizes, ...]) -> Shape:
    """Return sizes given one by one, or as one sequence, as a shape."""
    shape = sizes_of(size)
    if min(shape, default=0) < 0:
        raise errors.ShapeError(
            f"tensor: got the shape {shape}, expected sizes of at least 0"
        )
    return shape


# ---------------------------------------------------------------- from data


def tensor(
    data: Data,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor with a copy of data.

    Args:
        data: numbers, nested lists of them, an array or a Tensor. The copy of a Tensor
            has no history. Arrays of other libraries, such as PyTorch's tensors, are
            taken too, also on a GPU.
        dtype: the dtype of the elements. By default Python floats get the default
            dtype, and an array or a Tensor keeps its own, also float64.
        device: where the tensor is; by default where the data is.
        requires_grad: whether operations on it are recorded.

    Raises:
        ShapeError: for nested lists of different lengths.
        DTypeError: for what is not numbers, and for a dtype that tensors cannot have.
        OptionError: for an integer that the dtype cannot hold.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.tensor([[1.0, 2.0], [3.0, 4.0]])
        tensor([[1., 2.],
                [3., 4.]], dtype=float32)
        >>> tg.tensor([1, 2]).dtype
        dtype('int64')
    """
    there = device_array(data, "tensor")
    if there is None:
        array = host_copy("tensor", data, dtype)
        return _make(array, array.dtype, device, requires_grad)
    warn_if_history_ends("tensor", data)
    copied = wrap(seam.run(backend_of(there).array, there))
    as_dtype(copied.dtype, "tensor")
    made = copied.to(dtype=dtype, device=device)
    return made.requires_grad_() if requires_grad else made


def as_tensor(data: Data, dtype: DType = None, device: DeviceLike = None) -> Tensor:
    """Return a tensor of data, which shares the memory of the data where it can.

    A Tensor of this dtype and device comes back as it is, and an array on the device
    shares its memory: what changes in one changes in the other. Everything else is
    copied, as by :func:`tensor`. A Tensor keeps its history.

    Args:
        data: Numbers, nested lists of them, an array or a Tensor. An array is one of
            NumPy, CuPy, or any library whose arrays have ``__dlpack__`` or
            ``__cuda_array_interface__``, such as PyTorch, JAX and Numba.
        dtype: The dtype of the elements; by default that of the data.
        device: Where the tensor is; by default where the data is.

    Example:
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> array = np.zeros(2)
        >>> x = tg.as_tensor(array)
        >>> array[0] = 1.0
        >>> x
        tensor([1., 0.], dtype=float64)
    """
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    there = device_array(data, "as_tensor")
    if there is not None:
        shared = wrap(there)
        as_dtype(shared.dtype, "as_tensor")
        return shared.to(dtype=dtype, device=device)
    array = host_array(data, dtype, "as_tensor")
    return _make(array, array.dtype, device)


def from_numpy(array: np.ndarray) -> Tensor:
    """Return a tensor that shares a NumPy array's memory, and keeps its dtype.

    What is written to the array is seen by the tensor, and the other way round. An
    array that is not in this machine's byte order is copied.

    Raises:
        DTypeError: for what is not a NumPy array, and for dtypes that tensors cannot
            have, such as complex numbers.

    Example:
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> array = np.zeros(2)
        >>> x = tg.from_numpy(array)
        >>> array[0] = 1.0
        >>> x
        tensor([1., 0.], dtype=float64)
    """
    errors.check_type("from_numpy", np.ndarray, "a NumPy array", array=array)
    return _make(host_array(array, None, "from_numpy"), array.dtype)


def from_dlpack(x: Array) -> Tensor:
    """Return a tensor that shares the memory of an object with ``__dlpack__``.

    That is an array of PyTorch, JAX, CuPy and others, on the CPU or on a GPU. NumPy
    before 2.2.6 does not let anybody write to memory that came from another library:
    ``clone()`` it.

    Example:
        >>> import numpy as np
        >>> import tinygrad_rnn as tg
        >>> tg.from_dlpack(np.arange(3)).tolist()
        [0, 1, 2]
    """
    if not hasattr(x, "__dlpack__"):
        raise errors.DTypeError(
            f"from_dlpack: got {type(x).__name__}, which has no __dlpack__"
        )
    if isinstance(x, Tensor):
        check_export("from_dlpack", x)
        return x.detach()
    is_numpys = type(x) is np.ndarray and x.dtype.isnative
    array = x if is_numpys else array_by_dlpack(x)
    as_dtype(array.dtype, "from_dlpack")
    return wrap(array)


_CONSTRUCTOR_DOC = """Copy a list or an array to a tensor of dtype {dtype}.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.{name}([1, 0]).dtype
        dtype('{dtype}')
"""


def _constructor(name: str) -> Callable[..., Tensor]:
    """Return PyTorch's constructor of a type of tensors."""
    dtype = np.dtype(TYPES[name])

    def construct(*data: Data) -> Tensor:
        return wrap(array_for_constructor(name, data, dtype))

    construct.__name__ = construct.__qualname__ = name
    construct.__doc__ = _CONSTRUCTOR_DOC.format(name=name, dtype=dtype)
    return construct


FloatTensor = _constructor("FloatTensor")
DoubleTensor = _constructor("DoubleTensor")
LongTensor = _constructor("LongTensor")
IntTensor = _constructor("IntTensor")
BoolTensor = _constructor("BoolTensor")


# ---------------------------------------------------------------- of a shape


@name_errors
def zeros(
    *size: Sizes,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return zeros of a shape.

    Args:
        size: The sizes, one by one or as one sequence.
        dtype: The dtype of the elements; the default dtype if None.
        device: Where the tensor is; by default the CPU.
        requires_grad: Whether operations on it are recorded.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.zeros(2, 3).shape, tg.zeros((2, 3)).shape
        ((2, 3), (2, 3))
    """
    return _make(np.zeros(_shape_of(size)), dtype, device, requires_grad)


@name_errors
def ones(
    *size: Sizes,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ones of a shape, with the arguments of :func:`zeros`.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.ones(2, 2).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return _make(np.ones(_shape_of(size)), dtype, device, requires_grad)


@name_errors
def empty(
    *size: Sizes,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of undefined values, with the arguments of :func:`zeros`.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.empty(2, 3).shape
        (2, 3)
    """
    return _make(np.zeros(_shape_of(size)), dtype, device, requires_grad)


@name_errors
def full(
    size: Sizes,
    fill_value: Operand,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return one value everywhere.

    Args:
        size: The shape, or one size.
        fill_value: A number, or a tensor of one.
        dtype: The dtype of the elements; by default what :func:`tensor` makes of the
            value.
        device: Where the tensor is; by default the CPU.
        requires_grad: Whether operations on it are recorded.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.full((2,), 7.0).tolist()
        [7.0, 7.0]
    """
    check_export("full", fill_value)
    value = host_array(fill_value, dtype, "full")
    if value.ndim:
        raise errors.ShapeError(
            f"full: fill_value has the shape {value.shape}, expected a number"
        )
    array = np.full(_shape_of((size,)), value)
    return _make(array, value.dtype, device, requires_grad)


@name_errors
def full_like(
    input: Tensor,
    fill_value: Operand,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return one value in another tensor's shape, dtype and device.

    Args:
        input: The tensor whose shape it is.
        fill_value: A number, or a tensor of one.
        dtype: Another dtype, if not None.
        device: Another device, if not None.
        requires_grad: Whether operations on it are recorded.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.full_like(tg.zeros(2), 7).tolist()
        [7.0, 7.0]
    """
    errors.check_type("full_like", Tensor, "a Tensor", input=input)
    device = input.device if device is None else device
    return full(input.shape, fill_value, dtype or input.dtype, device, requires_grad)


@name_errors
def zeros_like(
    input: Tensor,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return zeros in another tensor's shape, with the options of :func:`full_like`.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.zeros_like(tg.tensor([1, 2])).tolist()
        [0, 0]
    """
    return full_like(input, 0, dtype, device, requires_grad)


@name_errors
def ones_like(
    input: Tensor,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ones in another tensor's shape, with the options of :func:`full_like`.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.ones_like(tg.tensor([3, 4])).tolist()
        [1, 1]
    """
    return full_like(input, 1, dtype, device, requires_grad)


@name_errors
def arange(
    start: float = 0,
    end: float | None = None,
    step: float = 1,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return start, start + step, ... below ``end``; ``arange(end)`` begins at 0.

    Args:
        start: the first number.
        end: the bound, which is left out; with a negative step the numbers are above.
        step: what is added each time; not 0, and of the sign that leads to ``end``.
        dtype: by default int64 if all three are integers, else the default dtype.
        device: where the tensor is; by default the CPU.
        requires_grad: whether operations on it are recorded.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.arange(5).tolist(), tg.arange(4, 0, -2).tolist()
        ([0, 1, 2, 3, 4], [4, 2])
    """
    if end is None:
        start, end = 0, start
    errors.check_numbers("arange", start=start, end=end, step=step)
    if step == 0 or (end - start) * step < 0:
        raise errors.OptionError(f"arange: from {start} to {end}, but step is {step}")
    array = np.arange(start, end, step)
    if dtype is None and array.dtype.kind != "f":
        dtype = np.int64
    return _make(array, dtype, device, requires_grad)


@name_errors
def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return evenly spaced numbers, both ends included.

    Args:
        start: The first number.
        end: The last number.
        steps: How many numbers there are.
        dtype: The dtype of the elements; the default dtype if None.
        device: Where the tensor is; by default the CPU.
        requires_grad: Whether operations on it are recorded.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.linspace(0.0, 1.0, 5).tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    errors.check_numbers("linspace", start=start, end=end)
    errors.check_integers("linspace", 0, steps=steps)
    return _make(np.linspace(start, end, steps), dtype, device, requires_grad)


@name_errors
def eye(
    n: int,
    m: int | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the identity matrix.

    Args:
        n: The number of rows.
        m: The number of columns; n if None.
        dtype: The dtype of the elements; the default dtype if None.
        device: Where the tensor is; by default the CPU.
        requires_grad: Whether operations on it are recorded.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.eye(2).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    rows, columns = _shape_of((n, n if m is None else m))
    return _make(np.eye(rows, columns), dtype, device, requires_grad)


# ---------------------------------------------------------------- at random


@name_errors
def rand(
    *size: Sizes,
    generator: Generator | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return random numbers, uniform in [0, 1).

    Args:
        size: the sizes, one by one or as one sequence.
        generator: where the random numbers come from; the default generator if None.
            They are drawn on the host, so a seed gives the same numbers everywhere.
        dtype: float32 or float64, for which the numbers differ; the default dtype if
            None.
        device: where the tensor is; by default the CPU.
        requires_grad: whether operations on it are recorded.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.rand(2, generator=tg.Generator().manual_seed(0))
        tensor([0.8506242 , 0.63696164], dtype=float32)
    """
    kind = float_dtype(dtype, "rand").type
    array = draw("rand", generator, "random", _shape_of(size), kind)
    return _make(array, dtype, device, requires_grad)


@name_errors
def randn(
    *size: Sizes,
    generator: Generator | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return random numbers, normal with mean 0 and standard deviation 1.

    The arguments are those of :func:`rand`.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.randn(2, 3).shape
        (2, 3)
    """
    kind = float_dtype(dtype, "randn").type
    array = draw("randn", generator, "standard_normal", _shape_of(size), kind)
    return _make(array, dtype, device, requires_grad)


@name_errors
def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Do the same as :func:`randn`, in another tensor's shape, dtype and device.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.randn_like(tg.zeros(2, 3)).shape
        (2, 3)
    """
    errors.check_type("randn_like", Tensor, "a Tensor", input=input)
    return randn(
        *input.shape,
        generator=generator,
        dtype=dtype or input.dtype,
        device=input.device if device is None else device,
        requires_grad=requires_grad,
    )


@name_errors
def randint(
    low: int = 0,
    high: Setting = None,
    size: Setting = None,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return random integers in [low, high).

    ``randint(high, size)`` draws from 0. The other arguments are those of :func:`rand`;
    the dtype is int64 if it is left out.

    Raises:
        OptionError: if there is nothing to draw, as low is not below high.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x = tg.randint(10, 20, (100,))
        >>> x.dtype, bool((x >= 10).all()), bool((x < 20).all())
        (dtype('int64'), True, True)
    """
    if size is None:  # randint(10, (2, 3))
        low, high, size = 0, low, high
    elif high is None:  # randint(10, size=(2, 3))
        low, high = 0, low
    errors.check_integers("randint", -math.inf, **{"low end": low, "high end": high})
    if size is None or low >= high:
        raise errors.OptionError(
            f"randint: from {low} to {high} in the shape {size}: nothing to draw; "
            "as in randint(10, (2, 3))"
        )
    given = low, high, _shape_of((size,)), np.int64
    array = draw("randint", generator, "integers", *given)
    return _make(array, dtype or np.int64, device, requires_grad)


@name_errors
def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: DType = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the integers from 0 to n - 1 in random order.

    Args:
        n: How many integers there are.
        generator: Where the random numbers come from; the default generator if None.
        dtype: The dtype of the elements; int64 if None.
        device: Where the tensor is; by default the CPU.
        requires_grad: Whether operations on it are recorded.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.randperm(5).sort().values.tolist()
        [0, 1, 2, 3, 4]
    """
    found = as_dtype(dtype or np.int64, "randperm")
    errors.check_integers("randperm", 0, n=n)
    array = draw("randperm", generator, "permutation", n)
    return _make(array, found, device, requires_grad)
