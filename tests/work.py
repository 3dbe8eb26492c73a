"""The work of a call as a count, which is the same on a busy machine."""

import gc
import sys
from collections.abc import Callable
from typing import Any


def count_calls(function: Callable[..., Any], *args: Any) -> int:
    """Return how many calls of Python and C functions a call makes."""
    calls = 0

    def count(frame: Any, event: str, arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    gc.disable()  # a collection could call finalizers of somebody else
    sys.setprofile(count)
    try:
        function(*args)
    finally:
        sys.setprofile(before)
        gc.enable()
    return calls


def assert_linear(function: Callable[[int], Any], size: int) -> None:
    """Require at most ten times the calls for ten times the size, within 5%."""
    function(1)  # what is prepared once, at the first call
    small, large = count_calls(function, size), count_calls(function, 10 * size)
    assert small > size, "it does nothing in proportion to the size"
    assert large < 10.5 * small, f"{size} took {small} calls, {10 * size} took {large}"
