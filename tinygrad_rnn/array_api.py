"""The array API standard's names and call forms over Tensors: what
``__array_namespace__`` gives.

Code that asks an array for its namespace runs on Tensors, and can be differentiated.
Most names are the ops themselves, whose forms are the standard's; the rest stands here.
docs/array-api.md says what of the standard (https://data-apis.org/array-api) is left
out, and why.
"""

# mypy: disable-error-code="assignment,no-redef"
# The builtins and ops that are renamed below are so on purpose.

import builtins
import math
import sys
from collections.abc import Callable, Sequence
from math import e, inf, nan, pi
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy import isdtype

from . import creation, functions, ops
from .backend import backend_of, backends, find
from .errors import (
    check_axis,
    check_dim,
    OptionError,
    ShapeError,
    check_choice,
    check_integers,
    check_type,
    described,
)

from .ops import (
    abs,
    add,
    bitwise_and,
    bitwise_invert,
    bitwise_or,
    broadcast_to,
    ceil,
    cos,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    matrix_transpose,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    permute_dims,
    reciprocal,
    remainder,
    round,
    sign,
    sin,
    sqrt,
    square,
    subtract,
    tanh,
)
from .tensor import (
    Tensor,
    bool_,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)


__array_api_version__ = "2024.12"

Axis: TypeAlias = int | tuple[int, ...] | None
Shape: TypeAlias = int | tuple[int, ...]
Flag: TypeAlias = bool

bool, newaxis = bool_, None
_KINDS = {"i": int64, "u": uint64}


# ---------------------------------------------------------------- what there is


class Info:
    """What the namespace can do: the standard's inspection functions."""

    def capabilities(self) -> dict[str, Any]:
        """Results whose shape depends on values, such as ``x[mask]``, are there."""
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": 64,
        }

    def default_device(self) -> str:
        """Where tensors are made."""
        return "cpu"

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """What Python's numbers become, and of what dtype indices are."""
        floats = creation.get_default_dtype()
        return {"real floating": floats, "integral": int64, "indexing": int64}

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The dtypes of a kind, of several kinds, or all, by name."""
        known = (
            bool_,
            int8,
            int16,
            int32,
            int64,
            uint8,
            uint16,
            uint32,
            uint64,
            float32,
            float64,
        )
        kinds = kind if isinstance(kind, tuple) or kind is None else (kind,)
        return {
            dtype.name: dtype
            for dtype in known
            if kinds is None or isdtype(dtype, kinds)
        }

    def devices(self) -> list[str]:
        """The CPU, and the GPUs that CuPy finds."""
        try:
            count = find("cuda").device_count()
        except OptionError:
            count = 0
        return ["cpu", *[f"cuda:{i}" for i in range(count)]]


def __array_namespace_info__() -> Info:  # noqa: N807  (the standard names it)
    """What the namespace can do."""
    return Info()


class FloatInfo(NamedTuple):
    """The limits of a dtype of floats."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any


class IntegerInfo(NamedTuple):
    """The limits of a dtype of integers."""

    bits: int
    max: int
    min: int
    dtype: Any


def _dtype_of(thing: Any) -> Any:
    """The dtype of a tensor; a dtype, or a Python number, as it is."""
    return thing.dtype if isinstance(thing, Tensor) else thing


def finfo(type: Any, /) -> FloatInfo:
    """The limits of a dtype of floats, or of a tensor's."""
    found = np.finfo(_dtype_of(type))
    low, high, tiny = float(found.min), float(found.max), float(found.smallest_normal)
    return FloatInfo(found.bits, float(found.eps), high, low, tiny, found.dtype)


def iinfo(type: Any, /) -> IntegerInfo:
    """The limits of a dtype of integers, or of a tensor's."""
    found = np.iinfo(_dtype_of(type))
    return IntegerInfo(found.bits, int(found.max), int(found.min), found.dtype)


def can_cast(from_: Any, to: Any, /) -> Flag:
    """Whether every value of a dtype, or of a tensor's, fits another dtype."""
    return np.can_cast(_dtype_of(from_), to)


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that an operation on these gives."""
    return np.result_type(*map(_dtype_of, arrays_and_dtypes))


# ---------------------------------------------------------------- creation


def asarray(
    obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None
) -> Tensor:
    """A Tensor of an array, numbers or nested lists; a Tensor keeps its history.

    Memory is shared where it can be, with ``copy=True`` never; with ``copy=False`` an
    error says where it cannot be.
    """
    out = creation.as_tensor(obj, dtype, device)
    is_shared = out is obj or _shares_memory(out, obj)
    if copy is False and not is_shared:
        got = described(obj)
        raise OptionError(f"asarray: copy=False, but a Tensor of this {got} is a copy")
    return out.clone() if copy and is_shared else out


def _shares_memory(x: Tensor, obj: Any) -> builtins.bool:
    """Whether a Tensor that was made of an array shows its memory."""
    if isinstance(obj, np.ndarray):
        return obj.dtype == x.dtype and x.device == "cpu"
    return type(obj) in backends and (obj.dtype, backend_of(obj)) == (
        x.dtype,
        backend_of(x.array),
    )


def from_dlpack(x: Any, /, *, device: Any = None, copy: Flag | None = None) -> Tensor:
    """A tensor of what has ``__dlpack__``; its memory is shared unless ``copy``."""
    out = creation.from_dlpack(x)
    moved = out if device is None else out.to(device=device)
    if copy is False and moved is not out:
        raise OptionError(f"from_dlpack: on {device} it is a copy, but copy=False")
    return moved.clone() if copy and moved is out else moved


def zeros(shape: Shape, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros."""
    return creation.zeros(shape, dtype=dtype, device=device)


def ones(shape: Shape, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones."""
    return creation.ones(shape, dtype=dtype, device=device)


def empty(shape: Shape, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor whose values are not defined."""
    return creation.empty(shape, dtype=dtype, device=device)


def full(
    shape: Shape, fill_value: Any, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """One value everywhere."""
    return creation.full(shape, fill_value, dtype, device)


def zeros_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros in another tensor's shape, dtype and place."""
    return creation.zeros_like(x, dtype, device)


def ones_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones in another tensor's shape, dtype and place."""
    return creation.ones_like(x, dtype, device)


def empty_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor in another one's shape, dtype and place, whose values are not defined."""
    return creation.zeros_like(x, dtype, device)


def full_like(
    x: Tensor, /, fill_value: Any, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """One value in another tensor's shape, dtype and place."""
    return creation.full_like(x, fill_value, dtype, device)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """Ones on a diagonal, the main one or the k-th above it."""
    check_integers("eye", -np.inf, k=k)
    rows, columns = n_rows, n_rows if n_cols is None else n_cols
    above, below = (sorted((0, side, n))[1] for side, n in ((k, columns), (-k, rows)))
    whole = creation.eye(rows + above, columns + below, dtype, device)
    return whole[above:, below:]


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """The numbers from start up to, without, stop; none where they lie the other way."""
    first, last = (0, start) if stop is None else (start, stop)
    if (last - first) * step < 0:
        whole = builtins.all(isinstance(n, int) for n in (first, last, step))
        kind = (int64 if whole else None) if dtype is None else dtype
        return creation.zeros(0, dtype=kind, device=device)
    return creation.arange(first, last, step, dtype, device)


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: Any = None,
    endpoint: Flag = True,
) -> Tensor:
    """``num`` evenly spaced numbers from start to stop, which may be left out."""
    if endpoint:
        return creation.linspace(start, stop, num, dtype, device)
    return creation.linspace(start, stop, num + 1, dtype, device)[:-1]


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Vectors, each repeated along the dims of the others; with ``xy`` the first two
    exchanged.
    """
    check_choice("meshgrid", ("xy", "ij"), indexing=indexing)
    check_type(
        "meshgrid",
        Tensor,
        "a Tensor",
        **{f"number {i}": x for i, x in enumerate(arrays)},
    )
    count, swap = len(arrays), indexing == "xy" and len(arrays) > 1
    order = [1, 0, *range(2, count)] if swap else range(count)
    placed = [
        x.reshape([-1 if place == axis else 1 for place in range(count)])
        for x, axis in zip(arrays, order, strict=True)
    ]
    return broadcast_arrays(*placed)


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """0 above the k-th diagonal of the last two dims."""
    return x.tril(k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """0 below the k-th diagonal of the last two dims."""
    return x.triu(k)


def astype(
    x: Tensor, dtype: Any, /, *, copy: Flag = True, device: Any = None
) -> Tensor:
    """The elements in another dtype."""
    out = x.to(dtype=dtype, device=device)
    return out.clone() if copy and out is x else out


# ---------------------------------------------------------------- elementwise


def pow(x1: Any, x2: Any, /) -> Tensor:
    """x1 ** x2."""
    return x1**x2


def positive(x: Tensor, /) -> Tensor:
    """x itself, as a copy."""
    return ops.clone(x)


def conj(x: Tensor, /) -> Tensor:
    """x itself, as a copy: it is real."""
    return ops.clone(x)


def logical_xor(x1: Any, x2: Any, /) -> Tensor:
    """Either, but not both."""
    return not_equal(x1, x2)


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """No smaller than ``min``, no larger than ``max``: numbers, tensors, or None."""
    if not isinstance(min, Tensor) and not isinstance(max, Tensor):
        return ops.clone(x) if min is None and max is None else ops.clip(x, min, max)
    raised = x if min is None else maximum(x, min)
    return raised if max is None else minimum(raised, max)


def where(condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
    """``x1`` where ``condition``, else ``x2``."""
    return functions.where(condition, x1, x2)


# ---------------------------------------------------------------- reductions


def _reduce(op: Callable[..., Any], x: Tensor, axis: Axis, keepdims: Flag) -> Tensor:
    """An op along dims, of all for None; along no dims, ``()``, of each element by
    itself.
    """
    if axis == ():
        return op(x.unsqueeze(0), 0, False)
    return op(x, axis, keepdims)


def _as_summed(x: Tensor, dtype: Any) -> Tensor:
    """The elements in the dtype of their sum: of integers the widest one, unless it is
    given.
    """
    return x.to(_KINDS.get(x.dtype.kind, x.dtype) if dtype is None else dtype)


def sum(
    x: Tensor, /, *, axis: Axis = None, dtype: Any = None, keepdims: Flag = False
) -> Tensor:
    """The sum, of all or along dims."""
    total = _reduce(ops.sum, x if dtype is None else x.to(dtype), axis, keepdims)
    return total if dtype is None else total.to(dtype)


def prod(
    x: Tensor, /, *, axis: Axis = None, dtype: Any = None, keepdims: Flag = False
) -> Tensor:
    """The product, of all or along dims."""
    x, shape = _as_summed(x, dtype), x.shape
    axes = check_axis("prod", axis, shape) if axis != () else ()
    axes = (
        range(x.ndim) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    )
    rest = [i for i in range(x.ndim) if i not in axes]
    rows = x.permute([*axes, *rest]).reshape(
        [math.prod([shape[i] for i in axes]), *[shape[i] for i in rest]]
    )
    sizes = [
        1 if i in axes else n for i, n in enumerate(shape) if keepdims or i not in axes
    ]
    return rows.prod(0, dtype=x.dtype).reshape(sizes)


def mean(x: Tensor, /, *, axis: Axis = None, keepdims: Flag = False) -> Tensor:
    """The mean, of all or along dims."""
    return _reduce(ops.mean, x, axis, keepdims)


def max(x: Tensor, /, *, axis: Axis = None, keepdims: Flag = False) -> Tensor:
    """The largest, of all or along dims; ties share the gradient."""
    return _reduce(ops.max, x, axis, keepdims)


def min(x: Tensor, /, *, axis: Axis = None, keepdims: Flag = False) -> Tensor:
    """The smallest, of all or along dims; ties share the gradient."""
    return _reduce(ops.min, x, axis, keepdims)


def all(x: Tensor, /, *, axis: Axis = None, keepdims: Flag = False) -> Tensor:
    """Whether all are true."""
    return _reduce(ops.all, x, axis, keepdims)


def any(x: Tensor, /, *, axis: Axis = None, keepdims: Flag = False) -> Tensor:
    """Whether one is true."""
    return _reduce(ops.any, x, axis, keepdims)


def var(
    x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: Flag = False
) -> Tensor:
    """The variance, divided by the count less ``correction``."""
    return _reduce(lambda x, dim, keep: x.var(dim, correction, keep), x, axis, keepdims)


def std(
    x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: Flag = False
) -> Tensor:
    """The standard deviation; its gradient is 0 where nothing varies."""
    return _reduce(lambda x, dim, keep: x.std(dim, correction, keep), x, axis, keepdims)


def count_nonzero(x: Tensor, /, *, axis: Axis = None, keepdims: Flag = False) -> Tensor:
    """How many are not 0."""
    return sum(not_equal(x, 0), axis=axis, dtype=int64, keepdims=keepdims)


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: Flag = False) -> Tensor:
    """Where the largest is, first of equals."""
    return _argument(ops.argmax, x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: Flag = False) -> Tensor:
    """Where the smallest is, first of equals."""
    return _argument(ops.argmin, x, axis, keepdims)


def _argument(
    op: Callable[..., Any], x: Tensor, axis: int | None, keepdims: Flag
) -> Tensor:
    return op(x, axis, keepdims)


def _cumulative(
    function: Callable[..., Tensor],
    first: int,
    x: Tensor,
    axis: int | None,
    dtype: Any,
    include_initial: Flag,
) -> Tensor:
    """Sums or products of the first elements along a dim, from ``first`` on if that is
    included.
    """
    if axis is None and x.ndim > 1:
        raise OptionError(f"{function.__name__}: axis is None, but x has {x.ndim} dims")
    axis = check_dim(function.__name__, 0 if axis is None else axis, x.shape)
    x = _as_summed(x, dtype)
    out = function(x, axis, dtype=x.dtype)
    if not include_initial:
        return out
    start = creation.full_like(x.narrow(axis, 0, 0).sum(axis, True), first, x.dtype)
    return ops.concat([start, out], axis=axis)


def cumulative_sum(
    x: Tensor,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    include_initial: Flag = False,
) -> Tensor:
    """The sums of the first 1, 2, ... elements along a dim."""
    return _cumulative(Tensor.cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Tensor,
    /,
    *,
    axis: int | None = None,
    dtype: Any = None,
    include_initial: Flag = False,
) -> Tensor:
    """The products of the first 1, 2, ... elements along a dim."""
    return _cumulative(Tensor.cumprod, 1, x, axis, dtype, include_initial)


def diff(
    x: Tensor,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """The n-th differences of neighbours along a dim."""
    check_integers("diff", 0, n=n)
    parts = [part for part in (prepend, x, append) if part is not None]
    out = ops.concat(parts, axis=axis) if len(parts) > 1 else x
    for _ in range(n):
        size = builtins.max(out.size(axis) - 1, 0)
        later, earlier = (
            out.narrow(axis, out.size(axis) - size, size),
            out.narrow(axis, 0, size),
        )
        out = not_equal(later, earlier) if out.dtype == bool_ else later - earlier
    return out


# ---------------------------------------------------------------- order and search


def argsort(
    x: Tensor, /, *, axis: int = -1, descending: Flag = False, stable: Flag = True
) -> Tensor:
    """The places of the elements in order along a dim; always stable."""
    return x.argsort(axis, descending)


def sort(
    x: Tensor, /, *, axis: int = -1, descending: Flag = False, stable: Flag = True
) -> Tensor:
    """The elements in order along a dim."""
    return x.sort(axis, descending).values


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """The places of the elements that are not 0: a vector for each dim."""
    if not x.ndim:
        raise ShapeError("nonzero: got a 0-d tensor, expected at least one dim")
    return x.nonzero(as_tuple=True)


def searchsorted(
    x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None
) -> Tensor:
    """Where to put elements into a vector so that it stays in order."""
    check_choice("searchsorted", ("left", "right"), side=side)
    ordered = x1 if sorter is None else x1.index_select(0, sorter)
    rows, wanted = (part.detach().cpu().numpy() for part in (ordered, x2))
    places = np.searchsorted(rows, wanted, "left" if side == "left" else "right")
    return creation.tensor(np.asarray(places, np.int64), device=x2.device)


class Unique(NamedTuple):
    """What ``unique_all`` gives."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """What ``unique_counts`` gives."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """What ``unique_inverse`` gives."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Tensor, /) -> Unique:
    """The distinct elements in order; where each first stands, where all are, how many."""
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    order = inverse.flatten().argsort()
    first = (counts.cumsum(0) - counts) if values.numel() else counts
    return Unique(values, order[first], inverse, counts)


def unique_counts(x: Tensor, /) -> UniqueCounts:
    """The distinct elements in order, and how often each one occurs."""
    return UniqueCounts(*x.unique(return_counts=True))


def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """The distinct elements in order, and where among them each element is."""
    return UniqueInverse(*x.unique(return_inverse=True))


def unique_values(x: Tensor, /) -> Tensor:
    """The distinct elements in order."""
    return x.unique()


# ---------------------------------------------------------------- elements by index


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The slices of a dim that a vector of integers names."""
    if axis is None and x.ndim != 1:
        raise OptionError(f"take: axis is None, but x has {x.ndim} dims, expected 1")
    return x.index_select(0 if axis is None else axis, indices)


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """Elements that are named by their place along a dim."""
    return x.take_along_dim(indices, axis)


# ---------------------------------------------------------------- shape


def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """Tensors, each repeated to the shape that they have together."""
    try:
        shape = np.broadcast_shapes(*[x.shape for x in arrays])
    except ValueError:
        got = " and ".join(str(x.shape) for x in arrays)
        raise ShapeError(
            f"broadcast_arrays: the shapes {got} do not broadcast"
        ) from None
    return [x if x.shape == shape else broadcast_to(x, shape) for x in arrays]


def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """Tensors joined along a dim that they have; flattened first if it is None."""
    if axis is None:
        return functions.cat([x.flatten() for x in arrays])
    return functions.cat(arrays, axis)


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Tensors of one shape, along a new dim."""
    return functions.stack(arrays, axis)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along a dim, without that dim."""
    if not x.ndim:
        raise ShapeError("unstack: got a 0-d tensor, expected at least one dim")
    return x.unbind(axis)


def expand_dims(x: Tensor, /, axis: int) -> Tensor:
    """With a new dim of size 1."""
    return x.unsqueeze(axis)


def squeeze(x: Tensor, /, axis: int | tuple[int, ...]) -> Tensor:
    """Without dims of size 1."""
    dims = axis if isinstance(axis, tuple) else (axis,)
    if long := [dim for dim in dims if x.size(dim) != 1]:
        raise ShapeError(
            f"squeeze: dim {long[0]} of a tensor of shape {x.shape} is not 1"
        )
    return x.squeeze(axis)


def flip(x: Tensor, /, *, axis: Axis = None) -> Tensor:
    """In reverse order along dims, along all for None."""
    return ops.clone(x) if axis == () or not x.ndim else ops.flip(x, axis)


def moveaxis(
    x: Tensor, source: int | tuple[int, ...], destination: int | tuple[int, ...], /
) -> Tensor:
    """Dims moved to other places, the rest in order."""
    return x.movedim(source, destination)


def reshape(
    x: Tensor, /, shape: tuple[int, ...], *, copy: Flag | None = None
) -> Tensor:
    """The same elements in another shape."""
    out = x.reshape(shape)
    if copy is None:
        return out
    shared = backend_of(x.array).aliases(out.array, x.array)
    if not copy and not shared:
        raise OptionError(f"reshape: to {shape} it is a copy, but copy=False")
    return out.clone() if copy and shared else out


def roll(
    x: Tensor,
    /,
    shift: int | tuple[int, ...],
    *,
    axis: int | tuple[int, ...] | None = None,
) -> Tensor:
    """Moved along dims, around the end; without dims, in the order of the elements."""
    if isinstance(axis, tuple) and not isinstance(shift, tuple):
        shift = (shift,) * len(axis)
    return x.roll(shift, axis)


def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """Repeated along each dim, so many times."""
    return x.tile(repetitions)


def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Each element, or each slice along a dim, repeated so many times."""
    x, dim = (
        (x.flatten(), 0) if axis is None else (x, check_dim("repeat", axis, x.shape))
    )
    counts = repeats.cpu().numpy() if isinstance(repeats, Tensor) else repeats
    places = np.repeat(np.arange(x.size(dim)), counts)
    return x.index_select(dim, creation.tensor(places, device=x.device))


# ---------------------------------------------------------------- products


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The matrix product, with NumPy's rules for vectors and for stacks of matrices."""
    return x1 @ x2


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """Sums of products over dims: the last of one and the first of the other, or those
    named.
    """
    if isinstance(axes, int):
        axes = (range(x1.ndim - axes, x1.ndim), range(axes))
    one, two = (
        [check_dim("tensordot", d, x.shape) for d in dims]
        for x, dims in zip((x1, x2), axes, strict=True)
    )
    free = [
        [i for i in range(x.ndim) if i not in dims]
        for x, dims in ((x1, one), (x2, two))
    ]
    sizes = [x.shape[i] for x, kept in zip((x1, x2), free, strict=True) for i in kept]
    summed = math.prod([x1.shape[i] for i in one])
    rows = math.prod([x1.shape[i] for i in free[0]])
    columns = math.prod([x2.shape[i] for i in free[1]])
    left = x1.permute([*free[0], *one]).reshape(rows, summed)
    right = x2.permute([*two, *free[1]]).reshape(summed, columns)
    return (left @ right).reshape(sizes)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The sums of products along a dim, which has one size in both."""
    if x1.size(axis) != x2.size(axis):
        raise ShapeError(
            f"vecdot: the shapes {x1.shape} and {x2.shape} differ along dim {axis}"
        )
    products = x1 * x2
    return sum(products, axis=axis, dtype=products.dtype)


Tensor.namespace = sys.modules[__name__]
