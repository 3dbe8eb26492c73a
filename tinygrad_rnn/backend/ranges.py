"""What the host knows of integers that it has sent to a device: their range.

With it, ids and classes are checked without waiting for the device. It belongs to an
array and all views of it, until the array is written to.
"""

import weakref
from functools import partial
from typing import NamedTuple

import numpy as np

from ..types import Array


class _Range(NamedTuple):
    """The smallest and the largest integer of an array."""

    low: int
    high: int
    array: weakref.ref[Array]


_ranges: dict[int, _Range] = {}  # by the id of an array that owns its memory


def _owner(array: Array) -> Array:
    base = getattr(array, "base", None)
    return array if base is None else base


def _forget(key: int, reference: object = None) -> None:
    _ranges.pop(key, None)


def find_range(array: np.ndarray) -> tuple[int, int]:
    """Return bounds of the integers in a NumPy array.

    As ids are not negative, one pass is enough for them: a negative integer, taken for
    one without a sign, is larger than any other.
    """
    if array.dtype.kind == "u":
        return 0, int(array.max())
    high = int(array.view(array.dtype.str.replace("i", "u")).max())
    if not high >> (8 * array.itemsize - 1):
        return 0, high
    return int(array.min()), int(array.max())


def keep_range(array: Array, low: int, high: int) -> None:
    """Remember the range of an array that was just made."""
    key = id(array)  # which no other array has before the entry is gone
    _ranges[key] = _Range(low, high, weakref.ref(array, partial(_forget, key)))


def known_range(array: Array) -> tuple[int, int] | None:
    """Return bounds of all elements; None if none are known."""
    found = _ranges.get(id(_owner(array)))
    return None if found is None else (found.low, found.high)


def forget_range(array: Array) -> None:
    """Forget the range of an array that is about to be written to."""
    _forget(id(_owner(array)))
