"""Forwards that users write: what may share memory, and what gradcheck looks at.

If a result showed an argument's memory without saying so, a change in place of one
would change the other unseen, and a gradient would be wrong. So such a result is
copied, as far as the array library reports it (NumPy does). The package's own forwards
are not checked here but by its tests.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import update_wrapper

import numpy as np

from ..backend import Backend
from ..errors import DTypeError, describe
from ..types import Array, Function, Operand, Settings

# What is wrong with the forwards that run, while somebody wants to know: gradcheck.
_found: ContextVar[list[str] | None] = ContextVar("tinygrad_rnn_found", default=None)


@contextmanager
def inspect_forwards() -> Iterator[list[str]]:
    """Collect, inside ``with``, what is wrong with the forwards that users wrote."""
    found: list[str] = []
    token = _found.set(found)
    try:
        yield found
    finally:
        _found.reset(token)


def shares_memory(out: Array, array: Array) -> bool:
    """Return whether an array shows memory of another, as far as its library tells."""
    if out is array:
        return True
    base = getattr(out, "base", None)
    if base is None:  # it has memory of its own
        return False
    if type(out) is np.ndarray and type(array) is np.ndarray:
        return np.may_share_memory(out, array)
    return base is array or base is getattr(array, "base", out)


class Guard:
    """The forward of a custom op, whose result has memory of its own.

    With ``view`` it may be a view of the first argument.
    """

    def __init__(
        self, name: str, names: Sequence[str], forward: Function, view: bool = False
    ) -> None:
        update_wrapper(self, forward)
        self.name, self.names, self.forward = name, names, forward
        self.first = 1 if view else 0  # of the arguments whose memory it may not show

    def __call__(self, xp: Backend, *arrays: Operand, **settings: object) -> Array:
        return self._separate(xp, self._run(xp, arrays, settings), arrays)

    def _run(
        self, xp: Backend, arrays: Sequence[Operand], settings: Settings
    ) -> Operand:
        """Run the forward; while inspecting, report writes into an argument."""
        if _found.get() is None:
            return self.forward(xp, *arrays, **settings)
        before = [xp.array(a) if type(a) is xp.Array else a for a in arrays]
        found = self.forward(xp, *arrays, **settings)
        for i, (old, new) in enumerate(zip(before, arrays, strict=True)):
            if type(new) is xp.Array and not equal_with_nan(xp, old, new):
                self._report(f"the forward writes into {self._argument(i)}")
        return found

    def _separate(self, xp: Backend, out: Array, arrays: Sequence[Array]) -> Array:
        """Return a result, or a copy if it shows the memory of an argument."""
        for i, array in enumerate(arrays):
            if i >= self.first and shares_memory(out, array):
                shown = f"shows the memory of {self._argument(i)}"
                self._report(f"the result {shown}: return a copy")
                return xp.array(out)
        return out

    def _argument(self, i: int) -> str:
        """Return the name of an argument, also of a variadic op."""
        return f"argument {self.names[i] if i < len(self.names) else i}"

    def _report(self, what: str) -> None:
        found = _found.get()
        if found is not None and f"{self.name}: {what}" not in found:
            found.append(f"{self.name}: {what}")


class OutputsGuard(Guard):
    """The forward of a custom fused op, whose outputs share no memory."""

    def __call__(self, xp: Backend, *arrays: Operand, **settings: object) -> Operand:
        found = self._run(xp, arrays, settings)
        parts = found if type(found) is tuple and len(found) == 2 else (found, None)
        # An array in place of the tuple would be taken apart by rows.
        if type(parts[0]) is not tuple or parts[0] is found:
            got = f"the forward gave outputs as {describe(parts[0])}"
            expected = "(outputs, workspace) with a tuple of arrays"
            raise DTypeError(f"{self.name}: {got}, expected {expected}")
        outputs: list[Array] = []
        for out in parts[0]:
            out = self._separate(xp, out, arrays)
            shared = any(shares_memory(out, other) for other in outputs)
            outputs.append(xp.array(out) if shared else out)
        return tuple(outputs), parts[1]


def equal_with_nan(xp: Backend, one: Array, two: Array) -> bool:
    """Return whether two arrays of one shape are equal, where a NaN equals a NaN."""
    alike = one == two
    return bool(xp.all(alike) or xp.all(alike | ((one != one) & (two != two))))


def keeps(workspace: object, outputs: Sequence[Array]) -> bool:
    """Return whether arrays in a workspace show the memory of an output."""
    if isinstance(workspace, dict):
        workspace = list(workspace.values())
    if isinstance(workspace, tuple | list):
        return any(keeps(part, outputs) for part in workspace)
    return any(
        shares_memory(workspace, out) or shares_memory(out, workspace)
        for out in outputs
    )
