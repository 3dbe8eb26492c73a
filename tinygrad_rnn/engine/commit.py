"""Changes made as one: all of them or none, also when Ctrl-C comes in between.

Python raises KeyboardInterrupt, and any other exception of a signal handler, between
two of its own instructions, never inside a function that is written in C. So a change
is first prepared, as calls of such functions, and then one more of them makes all the
calls.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from operator import call, setitem

from ..backend import backend_of
from ..backend.ranges import forget_range
from ..types import Array
from . import seam
from .node import Value

Changes = list[Callable[[], object]]


def commit(changes: Changes) -> None:
    """Make all changes, or none of them.

    Each is a ``partial`` of a function written in C: ``setitem``, ``setattr``, a dict's
    ``update``. It needs no memory to speak of, and making it twice is as making it
    once: where an array library assigns in Python, an interrupt can come between, and
    all changes are made once more.
    """
    seam.refuse("a change of several tensors at once", "do it outside")
    try:
        deque(map(call, changes), 0)
    except BaseException:
        deque(map(call, changes), 0)
        raise


def prepare_writes(pairs: Sequence[tuple[Value, Array]]) -> Changes:
    """Return the changes that write arrays into tensors' memory; count them now.

    If they are not made after all, an old graph raises that was still right: no harm.
    """
    for value, _ in pairs:
        forget_range(value.array)
        value.version.count += 1
    return [
        partial(backend_of(new).on_device(setitem), v.array, ..., new)
        for v, new in pairs
    ]
