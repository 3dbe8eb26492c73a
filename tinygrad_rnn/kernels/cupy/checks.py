"""Checks that the host does not wait for: backend/pending.py has their errors."""

import cupy
import numpy as np

from ...backend.pending import Check, ErrorRecord, records
from ...backend.ranges import known_range
from ...types import Array
from .launch import THREADS, TRAINING, contiguous, launch, options


def error_record() -> ErrorRecord:
    """Return the record of the current device."""
    device = cupy.cuda.runtime.getDevice()
    if device not in records:  # nor after that, if another thread has made one
        records.setdefault(device, ErrorRecord(cupy.zeros(3, np.int64)))
    return records[device]


def all_below(ids: Array, count: int) -> bool:
    """Return whether the host knows that ids are all in [0, count)."""
    if not ids.size:
        return True
    low, high = known_range(ids) or (-1, -1)
    return low >= 0 and high < count


def check_ids(
    ids: Array,
    count: int,
    if_wrong: Check,
    *,
    ignore: int | None = None,
    weight: Array | None = None,
    if_none: Check | None = None,
) -> bool:
    """Look on the device for an id outside of [0, count), other than ``ignore``.

    Given ``if_none``, also look for an id that counts: one that is not ignored, and
    whose weight is not 0.

    Returns:
        Whether the device looks. It does not if the host knows that an id is wrong,
        which it then has to find.
    """
    ignored = 0 if ignore is None else ignore  # 0 is in range anyway
    is_whole = ids.base is None or ids.base.size == ids.size
    ends = known_range(ids) if is_whole else None
    for end in ends or ():
        if end != ignored and not 0 <= end < count:
            return False
    record = error_record()
    numbers = [record.number_of(check) if check else 0 for check in (if_wrong, if_none)]
    ids = contiguous(ids.astype(np.int64, copy=False))
    if weight is not None:
        weight = contiguous(weight.astype(np.float64, copy=False))
    sizes = map(np.int64, (ids.size, count, ignored))
    args = (ids, weight, record.memory, *sizes, *numbers)
    launch("check_ids", TRAINING, options(8), (1,), THREADS, args, 16 * THREADS)
    return True
