"""Which parameters share memory: of two updates of one element, one would be lost."""

from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ..tensor import Tensor
from ..types import Array


def find_overlap(params: list[Tensor]) -> tuple[int, int] | None:
    """Return the places of two tensors that share an element's memory, if any do.

    NumPy's arrays are compared in the order of their addresses, so that only neighbours
    meet. Of other libraries' arrays only one that is given twice is found.
    """
    ranges: list[tuple[int, int, int]] = []
    first_place: dict[int, int] = {}
    for place, param in enumerate(params):
        array = param.array
        if type(array) is np.ndarray and array.size:
            ranges.append((*byte_bounds(array), place))
        elif (other := first_place.setdefault(id(array), place)) != place:
            return other, place
    return _overlap_in_ranges(sorted(ranges), params)


def _overlap_in_ranges(
    ranges: list[tuple[int, int, int]], params: list[Tensor]
) -> tuple[int, int] | None:
    """Search ranges (start, stop, place), sorted by start."""
    open_ranges: list[tuple[int, int]] = []  # stop, place: those that reach this far
    for start, stop, place in ranges:
        open_ranges = [(end, other) for end, other in open_ranges if end > start]
        for _, other in open_ranges:
            if _share_memory(params[other].array, params[place].array):
                return min(other, place), max(other, place)
        open_ranges.append((stop, place))
    return None


def _share_memory(a: Array, b: Array) -> bool:
    limit: Any = 10_000  # NumPy's annotations know two of its values only
    try:
        return np.shares_memory(a, b, max_work=limit)
    except np.exceptions.TooHardError:  # interleaved strides: assume the worst
        return True
