"""What users give, as arrays: numbers, nested lists, arrays and Tensors, and names of
dtypes.
"""

import warnings
from numbers import Real
from typing import Any

import numpy as np

from .backend import backend_of, backends
from .engine.mode import is_grad_enabled
from .engine.node import Value
from .errors import DTypeError, ExportError, OptionError, ShapeError

_default_dtype = np.dtype("float32")


def as_dtype(dtype: Any, name: str) -> Any:
    """A NumPy dtype that tensors can have; the very object that NumPy's name of it
    gives.
    """
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError):
        found = None
    if (
        found is None
        or found.kind not in "biuf"
        or found == np.float16
        or found.itemsize > 8
    ):
        known = "float32, float64, an integer type or bool"
        known += ", or a device such as 'cpu'" if name == "to" else ""
        raise DTypeError(f"{name}: got the dtype {dtype!r}, expected {known}")
    return np.dtype(
        found.str[1:]
    )  # without a byte order: newbyteorder makes a new object


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


def type_name(dtype: np.dtype) -> str:
    """PyTorch's name of the tensors of a dtype."""
    return next(name for name, known in TYPES.items() if known == str(dtype))


def dtype_of_type(kind: Any) -> Any:
    """The dtype that a name such as ``torch.FloatTensor``, or a constructor's, stands
    for.
    """
    name = getattr(kind, "__name__", kind) if callable(kind) else kind
    return TYPES.get(name.rpartition(".")[2], kind) if isinstance(name, str) else kind


def set_default_dtype(dtype: Any) -> None:
    """The dtype that Python floats become: float32, unless set to float64."""
    global _default_dtype
    _default_dtype = float_dtype(dtype, "set_default_dtype")


def get_default_dtype() -> np.dtype:
    """The dtype that Python floats become."""
    return _default_dtype


def float_dtype(dtype: Any, name: str) -> np.dtype:
    """A dtype of floats; the default one for None."""
    found: np.dtype = as_dtype(_default_dtype if dtype is None else dtype, name)
    if found.kind != "f":
        raise DTypeError(f"{name}: got the dtype {found}, expected float32 or float64")
    return found


def check_export(name: str, value: Any) -> None:
    """Raise where a tensor's history would be lost because another library asks for its
    array.
    """
    if isinstance(value, Value) and value.needs_grad and is_grad_enabled():
        raise ExportError(
            f"{name}: this tensor requires grad, and its gradient would be lost here; join Tensors "
            "with tg.stack([...]) or tg.cat([...]), or leave the graph on purpose with x.detach(), "
            "x.numpy(), or x.item() for a number in a log"
        )


def array_of(value: Any, name: str) -> Any:
    """A Tensor's array, an array of the parts of a list; anything else as it is.

    Raises ExportError for a list with a Tensor that requires grad, while recording.
    """
    if isinstance(value, Value):
        return value.array
    if not isinstance(value, (list, tuple, range)):
        return value
    if len(value) == 0:
        return np.asarray([], np.int64)
    for part in value:
        check_export(name, part)
    try:
        return np.asarray([on_host(part, name) for part in value])
    except ValueError as error:
        raise ShapeError(f"{name}: the data is ragged: {error}") from None


def on_host(value: Any, name: str = "tensor") -> Any:
    """What :func:`array_of` makes of it, with NumPy's array for one on another device."""
    array = array_of(value, name)
    return backend_of(array).to_host(array) if type(array) in backends else array


def index_of(name: str, index: Any, kept: bool = False) -> Any:
    """What stands between brackets, with arrays for Tensors and for sequences among its
    parts.

    An index that is ``kept`` will be needed again: its arrays are copies, as the user
    may change his own.
    """
    if isinstance(index, tuple):
        return tuple(
            [index_of(name, list(p) if type(p) is tuple else p, kept) for p in index]
        )
    if index is None or isinstance(
        index, (int, slice)
    ):  # a bool is a mask of no dims: a copy
        return np.asarray(index) if isinstance(index, bool) else index
    array = array_of(index, name)
    return backend_of(array).array(array) if kept and type(array) in backends else array


def host_array(data: Any, dtype: Any, name: str) -> np.ndarray:
    """A NumPy array of what the user gave, of a dtype that tensors can have; shared if
    possible.
    """
    array = np.asarray(on_host(data, name))
    if dtype is None:
        weak = not hasattr(data, "__array__") and (
            array.dtype == np.float64 or not array.size
        )
        dtype = _default_dtype if weak else array.dtype
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"{name}: the data is of {array.dtype}, expected numbers")
    kept = as_dtype(dtype, name)
    made = np.asarray(array, dtype=kept).view(np.ndarray)
    made = made if made.dtype is kept else made.view(kept)  # equal, but another object
    if (
        made.dtype.kind in "iu"
        and array.dtype.kind in "iu"
        and (wrong := made != array).any()
    ):
        got = f"the data has {array[wrong][0]}"
        raise OptionError(f"{name}: {got}, which {made.dtype} cannot hold")
    return made


def copied(name: str, data: Any, dtype: Any) -> np.ndarray:
    """A copy of what the user gave as :func:`host_array` has it, its elements in order.

    Warns of the user's line, two calls up, where a history ends here.
    """
    if isinstance(data, Value) and data.needs_grad and is_grad_enabled():
        lost = f"{name}: the copy of a tensor that requires grad has no history"
        way = (
            "use x.clone() to keep its gradient, x.detach().clone() to leave the graph"
        )
        warnings.warn(f"{lost}; {way}", stacklevel=3)
    return np.array(host_array(data, dtype, name), order="C")


def constructed(name: str, data: tuple[Any, ...], dtype: Any) -> np.ndarray:
    """A copy of what was given to one of PyTorch's constructors: one list, array or
    Tensor.
    """
    if len(data) > 1 or (data and isinstance(data[0], Real)):
        got = ", ".join(map(repr, data))
        kind = "" if dtype == np.float32 else f", dtype=tg.{np.dtype(dtype)}"
        way = f"tg.empty(2, 3{kind}) for sizes, tg.tensor(...) for a number"
        raise DTypeError(f"{name}: got ({got}), expected one list or array; use {way}")
    given = data[0] if data else []
    check_export(name, given)
    return np.array(host_array(given, dtype, name), order="C")
