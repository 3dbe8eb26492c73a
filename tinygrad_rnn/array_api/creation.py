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
    """Return a Tensor of an array, numbers or nested lists; a Tensor keeps its history.

    Memory is shared where it can be, with ``copy=True`` never; with ``copy=False`` an
    error says where it cannot be.
    """
    out = creation.as_tensor(obj, dtype, device)
    is_shared = out is obj or _shares_memory(out, obj)
    if copy is False and not is_shared:
        raise OptionError(
            f"asarray: copy=False, but a Tensor of this {describe(obj)} is a copy"
        )
    return out.clone() if copy and is_shared else out


def _shares_memory(x: Tensor, obj: Data) -> bool:
    """Return whether a Tensor that was made of an object shows the object's memory."""
    if isinstance(obj, np.ndarray):
        return obj.dtype == x.dtype and x.device == "cpu"
    if type(obj) not in backends:
        return False
    return obj.dtype == x.dtype and backend_of(obj) == backend_of(x.array)


def from_dlpack(
    x: Array, /, *, device: DeviceLike = None, copy: bool | None = None
) -> Tensor:
    """Return a tensor of an object with ``__dlpack__``; ``copy=True`` copies it."""
    out = creation.from_dlpack(x)
    moved = out if device is None else out.to(device=device)
    if copy is False and moved is not out:
        raise OptionError(f"from_dlpack: on {device} it is a copy, but copy=False")
    return moved.clone() if copy and moved is out else moved


def zeros(shape: Sizes, *, dtype: DType = None, device: DeviceLike = None) -> Tensor:
    """Return zeros."""
    return creation.zeros(shape, dtype=dtype, device=device)


def ones(shape: Sizes, *, dtype: DType = None, device: DeviceLike = None) -> Tensor:
    """Return ones."""
    return creation.ones(shape, dtype=dtype, device=device)


def full(
    shape: Sizes, fill_value: Operand, *, dtype: DType = None, device: DeviceLike = None
) -> Tensor:
    """Return one value everywhere."""
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
    """Return ones on a diagonal: the main one, or the k-th above it."""
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
    """Return the numbers in [start, stop) by ``step``, which may be none."""
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
    """Return ``num`` evenly spaced numbers from start to stop, or to before it."""
    if endpoint:
        return creation.linspace(start, stop, num, dtype, device)
    return creation.linspace(start, stop, num + 1, dtype, device)[:-1]


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Repeat each vector along the dims of the others.

    With ``indexing="xy"`` the first two dims of the results are exchanged.
    """
    check_choice("meshgrid", ("xy", "ij"), indexing=indexing)
    numbered = {f"number {i}": x for i, x in enumerate(arrays)}
    check_type("meshgrid", Tensor, "a Tensor", **numbered)
    dims = [*range(len(arrays))]
    if indexing == "xy":
        dims[:2] = dims[:2][::-1]
    # Broadcasting adds the dims on the left of a vector's own.
    pairs = zip(arrays, dims, strict=True)
    columns = [x.reshape(-1, *[1] * (len(dims) - 1 - dim)) for x, dim in pairs]
    return broadcast_arrays(*columns)


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Return a copy with 0 above the k-th diagonal of the last two dims."""
    return x.tril(k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Return a copy with 0 below the k-th diagonal of the last two dims."""
    return x.triu(k)
