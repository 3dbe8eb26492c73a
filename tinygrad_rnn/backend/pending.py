"""Errors that a device has found, and that the host has not looked at yet.

The host runs ahead of a GPU, so a check there cannot raise unless the host waits for
it. Instead it writes what it found into a record, a few numbers in the memory of the
device, where the first error stays. Whoever waits for the device anyway, to read a
number or to synchronize, looks at the record, and raises.
"""

from collections.abc import Callable, Hashable
from typing import NamedTuple

from ..types import Array, Function

LATE = "found by the GPU after the call"  # how the messages begin
MOST = 1000  # checks to remember, which differ by the shapes of what they look at


class Check(NamedTuple):
    """What a check that fails means: ``explain(place, value, *facts)`` is its error."""

    explain: Callable[..., Exception]
    facts: tuple[Hashable, ...]


class ErrorRecord:
    """The first error of a device, and the checks that it may come from.

    Args:
        memory: Three int64 zeros on the device: the number of the check that failed, 0
            for none, and two numbers for its message.
    """

    def __init__(self, memory: Array) -> None:
        self.memory = memory
        self._checks: dict[Check, int] = {}
        self._may_hold_error = False

    def number_of(self, check: Check) -> int:
        """Return the number by which a check that runs now reports its error."""
        self._may_hold_error = True
        return self._checks.setdefault(check, len(self._checks) + 1)

    def look(self, to_host: Function) -> None:
        """Raise the error of a check that has run; then it is forgotten.

        Args:
            to_host: Waits for the device, and returns the memory as NumPy's array.
        """
        if not self._may_hold_error:
            return
        self._may_hold_error = False
        number, place, value = to_host(self.memory).tolist()
        if number:
            self.memory[...] = 0
            check = list(self._checks)[number - 1]
            error = check.explain(place, value, *check.facts)
            error.args = (f"{LATE}: {error}",)
            raise error
        if len(self._checks) > MOST:  # all have run, so none will be asked for
            self._checks.clear()


records: dict[int, ErrorRecord] = {}  # by the number of a GPU that has made a check


def look(device: int, to_host: Function) -> None:
    """Raise the error that a GPU has found, if there is one."""
    if device in records:
        records[device].look(to_host)
