"""Functions that make tensors."""

import math

import numpy as np

from .. import creation
from ..backend import backend_of, backends
from ..errors import OptionError, check_choice, check_integers, check_type, describe
from ..tensor import Tensor
from ..tensor.dtypes import int64
from ..types import Array, Data, DeviceLike, DType, Operand, Sizes
from .manipulation import broadcast_arrays


def asarray(
    obj: Data,
    /,
    *,
    dtype: DType = None,
    device: DeviceLike = None,
    copy: bool | None = None,
) -> Tensor:
    """A Tensor of an array, numbers or nested lists; a Tensor keeps its history.

    Memory is shared where it can be, with ``copy=True`` never; with ``copy=False`` an
    error says where it cannot be.
    """
    out = creation.as_tensor(obj, dtype, device)
    is_shared = out is obj or _shares_memory(out, obj)
    if copy is False and not is_shared:
        got = describe(obj)
        raise OptionError(f"asarray: copy=False, but a Tensor of this {got} is a copy")
    return out.clone() if copy and is_shared else out


def _shares_memory(x: Tensor, obj: Data) -> bool:
    """Whether a Tensor that was made of an object shows the object's memory."""
    if isinstance(obj, np.ndarray):
        return obj.dtype == x.dtype and x.device == "cpu"
    if type(obj) not in backends:
        return False
    return obj.dtype == x.dtype and backend_of(obj) == backend_of(x.array)


def from_dlpack(
    x: Array, /, *, device: DeviceLike = None, copy: bool | None = None
) -> Tensor:
    """A tensor from an object with ``__dlpack__``, sharing memory unless ``copy``."""
    out = creation.from_dlpack(x)
    moved = out if device is None else out.to(device=device)
    if copy is False and moved is not out:
        raise OptionError(f"from_dlpack: on {device} it is a copy, but copy=False")
    return moved.clone() if copy and moved is out else moved


def zeros(shape: Sizes, *, dtype: DType = None, device: DeviceLike = None) -> Tensor:
    """Zeros."""
    return creation.zeros(shape, dtype=dtype, device=device)


def ones(shape: Sizes, *, dtype: DType = None, device: DeviceLike = None) -> Tensor:
    """Ones."""
    return creation.ones(shape, dtype=dtype, device=device)


def empty(shape: Sizes, *, dtype: DType = None, device: DeviceLike = None) -> Tensor:
    """A tensor whose values are not defined."""
    return creation.empty(shape, dtype=dtype, device=device)


def full(
    shape: Sizes, fill_value: Operand, *, dtype: DType = None, device: DeviceLike = None
) -> Tensor:
    """One value everywhere."""
    return creation.full(shape, fill_value, dtype, device)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: DType = None,
    device: DeviceLike = None,
) -> Tensor:
    """Ones on a diagonal, the main one or the k-th above it."""
    check_integers("eye", -math.inf, k=k)
    if n_cols is None:
        n_cols = n_rows
    # Cut from an identity that is larger above, or to the left.
    above = min(max(k, 0), n_cols)
    left = min(max(-k, 0), n_rows)
    identity = creation.eye(n_rows + above, n_cols + left, dtype, device)
    return identity[above:, left:]


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DType = None,
    device: DeviceLike = None,
) -> Tensor:
    """The numbers in [start, stop) by ``step``; none if it leads away from stop."""
    first, last = (0, start) if stop is None else (start, stop)
    if (last - first) * step >= 0:
        return creation.arange(first, last, step, dtype, device)
    are_integers = all(isinstance(n, int) for n in (first, last, step))
    if dtype is None and are_integers:
        dtype = int64
    return creation.zeros(0, dtype=dtype, device=device)


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: DType = None,
    device: DeviceLike = None,
    endpoint: bool = True,
) -> Tensor:
    """``num`` evenly spaced numbers from start to stop, which may be left out."""
    if endpoint:
        return creation.linspace(start, stop, num, dtype, device)
    return creation.linspace(start, stop, num + 1, dtype, device)[:-1]


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Vectors, each repeated along the dims of the others.

    With ``indexing="xy"`` the first two dims of the results are exchanged.
    """
    check_choice("meshgrid", ("xy", "ij"), indexing=indexing)
    numbered = {f"number {i}": x for i, x in enumerate(arrays)}
    check_type("meshgrid", Tensor, "a Tensor", **numbered)
    dims = [*range(len(arrays))]
    if indexing == "xy":
        dims[:2] = dims[:2][::-1]
    placed = []
    for x, dim in zip(arrays, dims, strict=True):
        sizes = [1] * len(arrays)
        sizes[dim] = -1
        placed.append(x.reshape(sizes))
    return broadcast_arrays(*placed)


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """0 above the k-th diagonal of the last two dims."""
    return x.tril(k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """0 below the k-th diagonal of the last two dims."""
    return x.triu(k)
