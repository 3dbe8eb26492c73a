"""Order, search, distinct elements, and elements by index."""

from typing import NamedTuple

import numpy as np

from .. import creation
from ..convert import on_host
from ..errors import OptionError, ShapeError, check_choice
from ..tensor import Tensor


def argsort(
    x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> Tensor:
    """Return the indices that sort the elements along a dim; always stable."""
    return x.argsort(axis, descending)


def sort(
    x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> Tensor:
    """Sort the elements along a dim."""
    return x.sort(axis, descending).values


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """Return the indices of the elements that are not 0: a vector for each dim."""
    if not x.ndim:
        raise ShapeError("nonzero: got a 0-d tensor, expected at least one dim")
    return x.nonzero(as_tuple=True)


def searchsorted(
    x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None
) -> Tensor:
    """Return where to put elements into a vector so that it stays in order."""
    check_choice("searchsorted", ("left", "right"), side=side)
    ordered = x1 if sorter is None else x1.index_select(0, sorter)
    indices = np.searchsorted(
        on_host(ordered), on_host(x2), "left" if side == "left" else "right"
    )
    return creation.tensor(np.asarray(indices, np.int64), device=x2.device)


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
    """Return the distinct elements in order, with first indices and counts."""
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    order = inverse.flatten().argsort()  # equal elements stay in order
    first = counts.cumsum(0) - counts if values.numel() else counts
    return Unique(values, order[first], inverse, counts)


def unique_counts(x: Tensor, /) -> UniqueCounts:
    """Return the distinct elements in order, and how often each one occurs."""
    return UniqueCounts(*x.unique(return_counts=True))


def unique_inverse(x: Tensor, /) -> UniqueInverse:
    """Return the distinct elements in order, and where among them each element is."""
    return UniqueInverse(*x.unique(return_inverse=True))


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """Return the slices at the given indices along a dim."""
    if axis is None and x.ndim != 1:
        raise OptionError(f"take: axis is None, but x has {x.ndim} dims, expected 1")
    return x.index_select(0 if axis is None else axis, indices)


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """Return the elements at the given indices along a dim."""
    return x.take_along_dim(indices, axis)
