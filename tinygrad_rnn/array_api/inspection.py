"""What the namespace can do, and what dtypes can hold."""

from typing import NamedTuple

import numpy as np

from ..backend import find
from ..creation import get_default_dtype
from ..errors import OptionError
from ..tensor import Tensor
from ..types import DeviceLike, DType, Operand

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_DTYPES = [np.dtype(name) for name in ("bool", *_INTEGERS, "float32", "float64")]


class Info:
    """What the namespace can do: the standard's inspection functions."""

    def capabilities(self) -> dict[str, bool | int]:
        """Return what the namespace has; shapes of results may depend on values."""
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": 64,
        }

    def default_device(self) -> str:
        """Return where tensors are made."""
        return "cpu"

    def default_dtypes(self, *, device: DeviceLike = None) -> dict[str, DType]:
        """Return what Python's numbers become, and the dtype of indices."""
        floats = get_default_dtype()
        integers = np.dtype("int64")
        return {"real floating": floats, "integral": integers, "indexing": integers}

    def dtypes(
        self, *, device: DeviceLike = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, DType]:
        """Return the dtypes of a kind, of several kinds, or all, by name."""
        return {
            dtype.name: dtype
            for dtype in _DTYPES
            if kind is None or np.isdtype(dtype, kind)
        }

    def devices(self) -> list[str]:
        """Return the CPU, and the GPUs that CuPy finds."""
        try:
            count = find("cuda").device_count()
        except OptionError:
            count = 0
        return ["cpu", *[f"cuda:{i}" for i in range(count)]]


def __array_namespace_info__() -> Info:  # noqa: N807  (the standard names it)
    """Return what the namespace can do."""
    return Info()


class FloatInfo(NamedTuple):
    """The limits of a dtype of floats."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


def _dtype_of(value: Operand | DType) -> DType:
    """Return the dtype of a tensor; a dtype, or a Python number, as it is."""
    return value.dtype if isinstance(value, Tensor) else value


def finfo(type: Tensor | DType, /) -> FloatInfo:
    """Return the limits of a dtype of floats, or of a tensor's."""
    found = np.finfo(_dtype_of(type))
    return FloatInfo(
        found.bits,
        float(found.eps),
        float(found.max),
        float(found.min),
        float(found.smallest_normal),
        found.dtype,
    )


def iinfo(type: Tensor | DType, /) -> np.iinfo:
    """Return the limits of a dtype of integers, or of a tensor's."""
    return np.iinfo(_dtype_of(type))


def can_cast(from_: Tensor | DType, to: DType, /) -> bool:
    """Return whether every value of a dtype, or of a tensor's, fits another dtype."""
    return np.can_cast(_dtype_of(from_), to)


def result_type(*arrays_and_dtypes: Operand | DType) -> DType:
    """Return the dtype that an operation on these gives."""
    return np.result_type(*map(_dtype_of, arrays_and_dtypes))
