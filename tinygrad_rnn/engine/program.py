"""A program: the lines of a captured function as one function of Python.

Its source can be read (``tg.compile(...).program()``). The first part asks whether all
is as it was when the function was captured, and gives MISS if not; the rest are the
calls on arrays. A variable is deleted after its last use.
"""

import builtins
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np

from ..backend import backend_of, backends
from ..backend.threads import one_thread
from ..errors import GraphError
from ..types import Array, DType, Function, Operand, Shape
from . import seam
from .custom import equal_with_nan
from .mode import recording
from .node import Node, Value, Version, wrap
from .reads import is_number, is_plain, is_same
from .warned import warn_user

MISS = object()  # what a program gives whose guards do not hold


class _ClosedPlan:
    """The plan of a result that requires grad: its graph is not there."""

    name, count, gives_owned, allows_none, arguments = "compile", 0, False, True, ()

    def pull(self, *args: object) -> Operand:
        raise GraphError(
            "backward: a result of a compiled function has no graph; call backward() "
            "inside of the compiled function, or do not compile it"
        )


_closed_plan = _ClosedPlan()


def closed(array: Array, version: Version) -> Operand:
    """Return a Tensor that requires grad, as the function's result does plainly."""
    node = Node(_closed_plan, [], (), [], array.shape, array.dtype)
    return wrap(array, node, version)


def _report_warnings(name: str) -> AbstractContextManager[None]:
    """Return a context in which NumPy's warnings point to the user's line."""
    modes: dict[str, Operand] = dict(np.geterr())
    for kind, mode in modes.items():
        modes[kind] = "call" if mode == "warn" else mode

    def warn(kind: str, flag: int) -> None:
        warn_user(f"{kind} encountered in the compiled {name}", RuntimeWarning)

    return np.errstate(call=warn, **modes)


# Names that a program uses itself.
NAMESPACE = {
    "MISS": MISS,
    "Version": Version,
    "closed": closed,
    "is_same": is_same,
    "one_thread": one_thread,
    "recording": recording,
    "report_warnings": _report_warnings,
    "wrap": wrap,
}
RESERVED = {*NAMESPACE, "args", "kwargs", "fits", "replay", *dir(builtins)}


Kind = tuple[type, Shape, DType]  # of an array


class Line(NamedTuple):
    """One line of a program."""

    target: str  # the variables that it sets; "" for none
    code: str
    reads: set[str]  # variables
    writes: list[str]
    has_effect: bool
    can_warn: bool
    place: str  # the user's line

    @property
    def text(self) -> str:
        return f"{self.target} = {self.code}" if self.target else self.code


class Conditions(NamedTuple):
    """What has to be as it was, beside the guards; it changes seldom."""

    leaves: Sequence[tuple[Value, Kind, bool]]  # with needs_grad
    modules: Sequence[tuple[Operand, dict[str, Operand]]]  # with attributes
    settings: dict[str, object]

    def hold(self) -> bool:
        """Return whether leaves, modules and settings are what they were."""
        for leaf, kind, needs_grad in self.leaves:
            if leaf.needs_grad is not needs_grad or kind_of(leaf.array) != kind:
                return False
            if leaf.hooks:
                return False
        if self.settings != seam.settings:
            return False
        return all(same_attributes(module, old) for module, old in self.modules)


class Program:
    """A function that repeats what was captured.

    Args:
        name: The captured function's name.
        lines: What it computed.
        guards: Conditions of Python under which it would do the same.
        ends: What is done last, and what is returned, as Python.
        constants: The values of the names in all these.
        live: The variables that ``ends`` reads.
        conditions: What has to be as it was.
        words: For guards that a user may want to read, what they are about and say.
    """

    def __init__(
        self,
        name: str,
        lines: Sequence[Line],
        guards: Sequence[str],
        ends: Sequence[str],
        constants: dict[str, Operand],
        live: set[str],
        conditions: Conditions,
        words: dict[str, tuple[str, str]],
    ) -> None:
        self.name, self.guards, self.conditions = name, guards, conditions
        self.constants, self.words = constants, words
        self.lines, body = _keep_used(lines, live)
        self.source = self._write([*body, *ends])
        self.changes = seam.changes
        self.last_call = 0  # the number of the last call that used it, about
        self._replay: Function | None = None  # made when it is needed first
        self._fits = self._make("fits")

    def _write(self, body: Sequence[str]) -> str:
        """Return the source: one function that asks, and one that replays."""
        guards = "\n        and ".join(self.guards)
        context = "one_thread()"
        if any(line.can_warn for line in self.lines):
            context += f", report_warnings({self.name!r})"
        computed = [f"        {line}" for line in body]
        lines = [
            "def fits(args, kwargs):",
            f"    return (\n        {guards}\n    )",
            "",
            "",
            "def replay(args, kwargs):",
            f"    if not (\n        {guards}\n    ):",
            "        return MISS",
            f"    with {context}:" if self.lines else "    if True:",
            *computed,
        ]
        return "\n".join(lines) + "\n"

    def _make(self, name: str) -> Function:
        """Return a function of the source."""
        fits, _, replay = self.source.partition("\n\n\n")
        space: dict[str, Operand] = {**NAMESPACE, **self.constants}
        space["__name__"] = __name__  # so its lines are none of the user's
        source = {"fits": fits, "replay": replay}[name]
        exec(compile(source, f"<compiled {self.name}>", "exec"), space)
        return space[name]

    def is_current(self) -> bool:
        """Return whether leaves, modules and settings are what they were."""
        if self.changes != seam.changes:
            now = seam.changes
            if not self.conditions.hold():
                return False
            self.changes = now
        return True

    def fits(self, args: Operand, kwargs: Operand) -> bool:
        """Return whether the program would replay a call."""
        return self.is_current() and bool(self._fits(args, kwargs))

    def replay(self, args: Operand, kwargs: Operand) -> Operand:
        """Repeat the function for a call's arguments; MISS if a guard does not hold."""
        if self.changes != seam.changes and not self.is_current():
            return MISS
        if self._replay is None:
            self._replay = self._make("replay")
        return self._replay(args, kwargs)

    def differs(self, other: "Program", guard: str, others_guard: str) -> bool:
        """Return whether a guard is not that of another program at the same place."""
        if guard != others_guard:
            return True
        for name in re.findall(r"\w+", guard):
            one, two = self.constants.get(name), other.constants.get(name)
            if one is not two and not (is_plain(one) and is_same(one, two)):
                return True
        return False

    def difference(self, other: "Program") -> str:
        """Say where another program does something else; "" if it does not."""
        for one, two in zip(self.lines, other.lines, strict=False):
            if one.text != two.text:
                return f"{one.place} computed {one.text}, and then {two.text}"
        changed: dict[bool, str] = {}  # by whether the line is known
        for name, value in self.constants.items():
            new = other.constants.get(name)
            if not _means_the_same(value, new):
                place = self._place_of(name)
                words = f"{place}{name} was {value!r:.60}, and then {new!r:.60}"
                changed.setdefault(bool(place), words)
        if changed:
            return changed[max(changed)]
        shorter, longer = sorted([self, other], key=lambda it: len(it.lines))
        if len(longer.lines) > len(shorter.lines):
            line = longer.lines[len(shorter.lines)]
            return f"{line.place} computed {line.text} one time alone"
        return "" if self.source == other.source else "it returned something else"

    def _place_of(self, name: str) -> str:
        """Return the user's line that uses a constant, for a message; "" for none."""
        for line in self.lines:
            if name in re.findall(r"\w+", line.code):
                return f"at {line.place}, "
        return ""


def _keep_used(lines: Sequence[Line], live: set[str]) -> tuple[list[Line], list[str]]:
    """Return the lines whose results are used, and their text with deletions."""
    live, kept = set(live), []
    body: list[str] = []
    for line in reversed(lines):
        if not line.has_effect and live.isdisjoint(line.writes):
            continue
        is_used = not live.isdisjoint(line.writes)
        last = sorted((line.reads | set(line.writes if is_used else ())) - live)
        if last:
            body.append(f"del {', '.join(last)}")
        body.append(line.text if is_used else line.code)
        live |= line.reads
        live -= set(line.writes)
        kept.append(line)
    return kept[::-1], body[::-1]


def kind_of(array: Array) -> Kind:
    """Return the type, the shape and the dtype of an array."""
    return type(array), array.shape, array.dtype


def same_attributes(module: Operand, before: dict[str, Operand]) -> bool:
    """Return whether a module's attributes are what they were, numbers by value."""
    now = module.__dict__
    if len(now) != len(before):
        return False
    for name, value in before.items():
        new = now.get(name, before)
        is_equal = is_number(value) and is_same(new, value)
        if new is not value and not is_equal:
            return False
    return True


def _means_the_same(one: Operand, two: Operand) -> bool:
    """Return whether two constants of two captures may stand for each other."""
    if one is two:
        return True
    if type(one) is not type(two):
        return False
    if type(one) in backends:
        xp = backend_of(one)
        same = xp.on_device(equal_with_nan)
        return kind_of(one) == kind_of(two) and bool(same(xp, one, two))
    if hasattr(one, "__code__"):  # made anew, as a lambda is
        return one.__code__ is two.__code__ and _means_cells(one, two)
    if isinstance(one, tuple | list):
        pairs = zip(one, two, strict=False)
        return len(one) == len(two) and all(_means_the_same(*pair) for pair in pairs)
    if is_plain(one):
        return is_same(one, two)
    if hasattr(one, "func"):
        return _means_partial(one, two)
    return bool(one == two)


def _means_cells(one: Operand, two: Operand) -> bool:
    pairs = zip(one.__closure__ or (), two.__closure__ or (), strict=False)
    return all(_means_the_same(a.cell_contents, b.cell_contents) for a, b in pairs)


def _means_partial(one: Operand, two: Operand) -> bool:
    """Return whether two partial functions are the same."""
    parts = [(x.func, x.args, [*x.keywords.items()]) for x in (one, two)]
    return _means_the_same(*parts)
