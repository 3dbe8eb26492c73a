"""The seam: where the engine's work can be watched, or recorded.

Observers see every call of an op and every gradient: `detect_anomaly` is one. A
Recorder, of which there is at most one, also makes the calls: whatever is computed on
arrays passes :func:`run` or :func:`act` as a function with its arguments. `capture.py`
records a function in this way. With neither, the seam costs a test of a name.
"""

from collections.abc import Sequence
from operator import iadd
from threading import get_ident
from typing import NoReturn

from ..types import Array, Function, Gradient, Operand, Settings


class Observer:
    """Base class of observers; its methods do nothing."""

    def op_called(self, name: str, args: Sequence[Operand], result: Operand) -> None:
        """See the call of an op: its arguments, and what it gave."""

    def gradient_arrived(self, source: Operand, g: Gradient) -> None:
        """See a gradient that a node's pullback gave; None for the start of a walk."""


observers: list[Observer] = []


def report_call(name: str, args: Sequence[Operand], result: Operand) -> None:
    """Tell all observers of a call."""
    for observer in tuple(observers):
        observer.op_called(name, args, result)


def report_gradient(source: Operand, g: Gradient) -> None:
    """Tell all observers of a gradient."""
    for observer in tuple(observers):
        observer.gradient_arrived(source, g)


class Recorder(Observer):
    """Base class of recorders, which make the calls on arrays; of one thread."""

    def __init__(self) -> None:
        self.thread = get_ident()

    def run(
        self,
        function: Function,
        args: Sequence[object],
        settings: Settings,
        *,
        has_effect: bool = False,
        can_warn: bool = True,
        name: str = "",
    ) -> Operand:
        """Make a call, and return its result.

        Args:
            function: A function of arrays, and of values that stay what they are.
            args: Its arguments.
            settings: Its arguments by name.
            has_effect: Whether it draws, checks, or changes something in place.
            can_warn: Whether NumPy may warn in it.
            name: What to call it, if not by its own name.
        """
        raise NotImplementedError

    def use(self, name: str, args: Sequence[Operand]) -> None:
        """See the arguments of an op before it reads their arrays."""

    def constant(self, array: Array, is_written: bool) -> Array:
        """See an array that depends on shapes and Python's numbers alone."""
        raise NotImplementedError

    def module_called(self, module: Operand) -> None:
        """See a module that is called."""

    def gradient_read(self, leaf: Operand) -> None:
        """See ``grad`` of a leaf read, or added to."""

    def gradient_set(self, leaf: Operand) -> None:
        """See ``grad`` of a leaf set to another Tensor, or to None."""

    def changed(self, version: Operand, name: str) -> None:
        """See a change in place counted."""

    def leaf_made(self, leaf: Operand) -> None:
        """See a tensor that begins to require grad."""

    def guard(self, holds: Function, args: Sequence[object]) -> None:
        """Repeat what is recorded only where a function returns True."""

    def refuse(self, what: str, way: str = "") -> NoReturn:
        """Raise for what cannot be recorded."""
        raise NotImplementedError


recorder: Recorder | None = None

# How often an attribute of a module, the memory of a tensor, or whether it requires
# grad has changed: as long as this stays the same, so do all of these.
changes = 0
settings: dict[str, object] = {}  # of the whole package; a change of one counts, too


def current() -> Recorder | None:
    """Return the recorder, if it is of this thread."""
    if recorder is None or recorder.thread != get_ident():
        return None
    return recorder


def run(function: Function, *args: Operand, **settings: Operand) -> Operand:
    """Call a function of arrays that changes nothing."""
    found = current()
    if found is None:
        return function(*args, **settings)
    return found.run(function, args, settings)


def act(function: Function, *args: Operand, **settings: Operand) -> Operand:
    """Call a function of arrays that draws, checks, or changes something in place.

    It reports NumPy's warnings itself, or has none.
    """
    found = current()
    if found is None:
        return function(*args, **settings)
    return found.run(function, args, settings, has_effect=True, can_warn=False)


def add_into(total: Array, g: Array, add: Function = iadd) -> None:
    """Add an array to another one, in place; NumPy may warn."""
    found = current()
    if found is None:
        add(total, g)
    else:
        found.run(add, (total, g), {}, has_effect=True)


def use(name: str, *args: Operand) -> None:
    """Say that a function is about to read the arrays of its arguments."""
    found = current()
    if found is not None:
        found.use(name, args)


def constant(array: Array, is_written: bool = False) -> Array:
    """Return an array that depends on shapes and Python's numbers alone.

    ``is_written`` says that somebody may change it: then each run needs a copy.
    """
    found = current()
    return array if found is None else found.constant(array, is_written)


def refuse(what: str, way: str = "") -> None:
    """Raise if a recorder is at work: it could not repeat what happens here."""
    found = current()
    if found is not None:
        found.refuse(what, way)


def read_values(
    what: str,
    way: str = "compute with the tensor itself, or return it and read it outside",
) -> None:
    """Say that numbers leave for Python here, where no recorder can follow them."""
    refuse(f"{what} reads numbers, which a replay would not read again", way)


def count_change(what: str = "", way: str = "do it outside") -> None:
    """Count a change of what :data:`changes` counts."""
    global changes
    if what:
        refuse(what, way)
    changes += 1


def gradient_read(leaf: Operand) -> None:
    """Say that ``grad`` of a leaf is read, or added to."""
    found = current()
    if found is not None:
        found.gradient_read(leaf)


def gradient_set(leaf: Operand) -> None:
    """Say that ``grad`` of a leaf is set to another Tensor, or to None."""
    found = current()
    if found is not None:
        found.gradient_set(leaf)


def changed(version: Operand, name: str) -> None:
    """Say that a change in place was counted."""
    found = current()
    if found is not None:
        found.changed(version, name)


def leaf_made(leaf: Operand) -> None:
    """Say that a tensor begins to require grad."""
    found = current()
    if found is not None:
        found.leaf_made(leaf)


def guard(holds: Function, *args: object) -> None:
    """Say that what follows is done only where ``holds(*args)``, as it does now."""
    found = current()
    if found is not None:
        found.guard(holds, args)


def module_called(module: Operand) -> None:
    """Say that a module is called."""
    found = current()
    if found is not None:
        found.module_called(module)
