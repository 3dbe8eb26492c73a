"""Arrays as the C kernels take them: C-contiguous, aligned, indices of 64 bits."""

from typing import overload

import numpy as np

from ...backend.numpy import is_contiguous

Array = np.ndarray


@overload
def contiguous(x: Array) -> Array: ...


@overload
def contiguous(x: Array | None) -> Array | None: ...


def contiguous(x: Array | None) -> Array | None:
    """Return an array itself if it is contiguous and aligned, else a copy, or None."""
    return x if x is None or is_contiguous(x) else x.copy()


def converted(x: Array | None, dtype: np.dtype) -> Array | None:
    """Return an array as contiguous, aligned and of a dtype; None stays None."""
    if x is None or (x.dtype is dtype and is_contiguous(x)):
        return x
    return contiguous(np.ascontiguousarray(x, dtype))


@overload
def as_int64(x: Array) -> Array: ...


@overload
def as_int64(x: Array | None) -> Array | None: ...


def as_int64(x: Array | None) -> Array | None:
    """Return integers as C-contiguous, aligned int64; None stays None."""
    return None if x is None else contiguous(np.ascontiguousarray(x, np.int64))
