"""What users give, as arrays and dtypes: numbers, nested lists, arrays, Tensors."""

from numbers import Real

import numpy as np

from .backend import backend_of, backends, find
from .engine import seam
from .engine.mode import is_grad_enabled
from .engine.node import Value
from .engine.warned import warn_user
from .errors import DTypeError, ExportError, OptionError, ShapeError
from .types import Array, Data, DType, Index

_default_dtype = np.dtype("float32")

TYPES = {
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "ShortTensor": "int16",
    "CharTensor": "int8",
    "ByteTensor": "uint8",
    "BoolTensor": "bool",
    "UInt16Tensor": "uint16",
    "UInt32Tensor": "uint32",
    "UInt64Tensor": "uint64",
}
"""PyTorch's names of types of tensors, and their dtypes."""

# The dtypes that tensors can have, by NumPy's code without a byte order.
_DTYPES = {np.dtype(name).str[1:]: np.dtype(name) for name in TYPES.values()}


def as_dtype(dtype: DType, name: str) -> DType:
    """Return a dtype that tensors can have: the very object that NumPy's name gives."""
    try:
        return _DTYPES[np.dtype(dtype).str[1:]]
    except (KeyError, TypeError, ValueError):
        known = "float32, float64, an integer type or bool"
        known += ", or a device such as 'cpu'" if name == "to" else ""
        shown = dtype.name if isinstance(dtype, np.dtype) else repr(dtype)
        raise DTypeError(f"{name}: got the dtype {shown}, expected {known}") from None


def type_name(dtype: np.dtype) -> str:
    """Return PyTorch's name of the tensors of a dtype."""
    return next(name for name, known in TYPES.items() if known == str(dtype))


def dtype_of_type(kind: DType) -> DType:
    """Return the dtype of ``"torch.FloatTensor"`` or a constructor, or a dtype."""
    name = getattr(kind, "__name__", kind) if callable(kind) else kind
    return TYPES.get(name.rpartition(".")[2], kind) if isinstance(name, str) else kind


def set_default_dtype(dtype: DType) -> None:
    """Set the dtype that Python floats become: float32, unless set to float64.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.set_default_dtype(tg.float64)
        >>> tg.tensor([1.0]).dtype
        dtype('float64')
        >>> tg.set_default_dtype(tg.float32)
    """
    global _default_dtype
    _default_dtype = float_dtype(dtype, "set_default_dtype")
    seam.count_change("set_default_dtype()")
    seam.settings["default_dtype"] = _default_dtype


def get_default_dtype() -> np.dtype:
    """Return the dtype that Python floats become.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.get_default_dtype()
        dtype('float32')
    """
    return _default_dtype


def float_dtype(dtype: DType, name: str) -> np.dtype:
    """Return a dtype of floats; the default one for None."""
    found = as_dtype(_default_dtype if dtype is None else dtype, name)
    if found.kind != "f":
        raise DTypeError(f"{name}: got the dtype {found}, expected float32 or float64")
    return found


def _would_lose_history(value: Data) -> bool:
    """Return whether a copy of a value would cut it off from a graph that records."""
    return isinstance(value, Value) and value.needs_grad and is_grad_enabled()


def check_export(name: str, value: Data) -> None:
    """Raise if another library asks for the array of a tensor that requires grad."""
    if _would_lose_history(value):
        raise ExportError(
            f"{name}: this tensor requires grad, and its gradient would be lost here; "
            "join Tensors with tg.stack([...]) or tg.cat([...]), or leave the graph on "
            "purpose with x.detach(), x.numpy(), or x.item() for a number in a log"
        )


def array_of(value: Data, name: str) -> Data:
    """Return the array of a Tensor, or of a list's elements; anything else unchanged.

    Raises:
        ExportError: for a list with a Tensor that requires grad, while recording.
    """
    if isinstance(value, Value):
        seam.use(name, value)
        return value.array
    if not isinstance(value, (list, tuple, range)):
        return value
    if len(value) == 0:
        return np.asarray([], np.int64)
    for part in value:
        check_export(name, part)
        if type(part) in backends:
            seam.refuse(f"{name}: a list of arrays", "pass each as an argument")
    try:
        return seam.constant(np.asarray([on_host(part, name) for part in value]))
    except ValueError as error:
        raise ShapeError(f"{name}: the data is ragged: {error}") from None


def on_host(value: Data, name: str = "tensor") -> Data:
    """Do the same as :func:`array_of`, with NumPy's array for one on another device."""
    if seam.recorder is not None and isinstance(value, Value):
        seam.read_values(f"{name}() of a tensor")
    array = array_of(value, name)
    return backend_of(array).to_host(array) if type(array) in backends else array


def index_of(name: str, index: Index, copy: bool = False) -> Index:
    """Return an index with arrays in place of its Tensors and sequences.

    With ``copy`` no array is the user's own, so that a backward pass finds it as it is.
    """
    if isinstance(index, tuple):
        parts = [list(part) if type(part) is tuple else part for part in index]
        return tuple([index_of(name, part, copy) for part in parts])
    if isinstance(index, bool):
        return np.asarray(index)  # a mask of no dims
    if isinstance(index, (int, slice, type(None))):
        return index
    array = array_of(index, name)
    if copy and type(array) in backends:
        return seam.run(backend_of(array).array, array)
    return array


# The numbers of devices in DLPack: memory of the host, also such as a GPU can read, and
# memory of a GPU, also such as the host can read.
_ON_HOST, _ON_GPU = (1, 3), (2, 13)


def array_by_dlpack(x: Data) -> Array:
    """Return an array that shares the memory of an object with ``__dlpack__``."""
    kind, index = map(int, x.__dlpack_device__())
    name = f"cuda:{index}" if kind in _ON_GPU else f"DLPack device {kind}"
    return find("cpu" if kind in _ON_HOST else name).from_dlpack(x)


def device_array(data: Data, name: str) -> Array | None:
    """Return the array of data that is not on the host; None if it is.

    The arrays of other libraries share their memory by DLPack or, where they have it
    alone, as Numba's do, by ``__cuda_array_interface__``.
    """
    if isinstance(data, Value):
        if type(data.array) is np.ndarray:
            return None
        seam.use(name, data)
        return data.array
    if type(data) in backends:
        return None if type(data) is np.ndarray else data
    if hasattr(data, "__dlpack_device__"):
        is_on_gpu = int(data.__dlpack_device__()[0]) in _ON_GPU
        # What NumPy would take for one object
        is_opaque = not hasattr(data, "__array__")
        return array_by_dlpack(data) if is_on_gpu or is_opaque else None
    if hasattr(data, "__cuda_array_interface__"):
        return find("cuda").module.from_cuda_array_interface(data)
    return None


def warn_if_history_ends(name: str, data: Data) -> None:
    """Warn if data is a tensor whose copy would lose its gradient."""
    if _would_lose_history(data):
        warn_user(
            f"{name}: the copy of a tensor that requires grad has no history; use "
            "x.clone() to keep its gradient, x.detach().clone() to leave the graph"
        )


def host_array(data: Data, dtype: DType, name: str) -> np.ndarray:
    """Return a NumPy array of a dtype that tensors can have, shared if possible."""
    if type(data) in backends and seam.current() is not None:
        return seam.run(host_array, data, dtype, name)
    array = np.asarray(on_host(data, name))
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"{name}: the data is of {array.dtype}, expected numbers")
    if dtype is None:
        # Python's numbers become float64 in NumPy, as an empty list does.
        is_python = not hasattr(data, "__array__")
        is_weak = is_python and (array.dtype == np.float64 or not array.size)
        dtype = _default_dtype if is_weak else array.dtype
    dtype = as_dtype(dtype, name)
    made = np.asarray(array, dtype=dtype).view(np.ndarray)
    if made.dtype is not dtype:
        made = made.view(dtype)  # an equal dtype, but another object
    if made.dtype.kind in "iu" and array.dtype.kind in "iu":
        wrong = made != array
        if wrong.any():
            raise OptionError(
                f"{name}: the data has {array[wrong][0]}, which {dtype} cannot hold"
            )
    return made


def host_copy(name: str, data: Data, dtype: DType) -> np.ndarray:
    """Return a copy of what :func:`host_array` returns, its elements in order.

    Warns where a history ends here.
    """
    warn_if_history_ends(name, data)
    return _copy(host_array(data, dtype, name))


def array_for_constructor(
    name: str, data: tuple[Data, ...], dtype: DType
) -> np.ndarray:
    """Return a copy of the list, array or Tensor that PyTorch's constructors take."""
    if len(data) > 1 or (data and isinstance(data[0], Real)):
        got = ", ".join(map(repr, data))
        kind = "" if dtype == np.float32 else f", dtype=tg.{dtype}"
        raise DTypeError(
            f"{name}: got ({got}), expected one list or array; use "
            f"tg.empty(2, 3{kind}) for sizes, tg.tensor(...) for a number"
        )
    given = data[0] if data else []
    check_export(name, given)
    return _copy(host_array(given, dtype, name))


def _copy(array: np.ndarray) -> np.ndarray:
    return seam.run(np.array, seam.constant(array), order="C")
