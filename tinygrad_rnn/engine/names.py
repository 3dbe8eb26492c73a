"""How a program names what it computes with: literally, or by a name of its own."""

import builtins
import copy
import keyword
import math

import numpy as np

from ..backend import backends
from ..types import Operand
from .program import RESERVED
from .reads import is_number, is_plain

PLAIN_TYPES = (type(None), bool, int, str, type(...))
COMPARED = (slice, range, frozenset, np.dtype)  # by value, as they are made anew


class Constants:
    """The values that a program uses by name.

    Attributes:
        values: By their names.
    """

    def __init__(self) -> None:
        self.values: dict[str, Operand] = {}
        self._names: dict[int, str] = {}  # of ids; values keeps all these alive

    def name(self, value: Operand, wanted: str = "") -> str:
        """Return a value as it stands in the program: literally, or as a name."""
        literal = _literal(value)
        if literal:
            return literal
        if type(value) is slice:
            ends = value.start, value.stop, value.step
            return f"slice({', '.join(map(self.name, ends))})"
        if id(value) not in self._names:
            own = self._free(wanted or _name_of(value), value)
            self._names[id(value)] = own
            self.values[own] = value
        return self._names[id(value)]

    def _free(self, own: str, value: Operand) -> str:
        """Return a name like this one that nothing has yet."""
        kind = type(value)
        usual = "constant" if kind in backends else kind.__name__.lower()
        names = [str(name).strip("_") for name in (own, usual)]  # "_1" becomes "1"
        own = next(filter(str.isidentifier, names), "constant")
        while own in self.values or _is_taken(own):
            stem, _, number = own.rpartition("_")
            is_numbered = stem and number.isdigit()
            own = f"{stem}_{int(number) + 1}" if is_numbered else f"{own}_2"
        return own


def conditions(at: str, value: Operand, constants: Constants) -> list[str]:
    """Return what holds of an expression whose value is this one of Python.

    Numbers count by what they are, as do small containers of them; other objects by
    identity.
    """
    kind = constants.name(type(value))
    if is_number(value) and value is not None and type(value) is not bool:
        own = constants.name(value)
        is_nan = bool(value != value)
        same = [
            f"type({at}) is {kind}",
            f"{at} != {at}" if is_nan else f"{at} == {own}",
        ]
        if value == 0:  # or -0.0, which is equal
            same.append(f"repr({at}) == {repr(value)!r}")
        return same
    if isinstance(value, COMPARED):
        own = constants.name(value)
        return [f"type({at}) is {kind} and {at} == {own}"]
    if not is_number(value) and is_plain(value):
        return [f"is_same({at}, {constants.name(copy.copy(value))})"]
    same = [f"{at} is {constants.name(value)}"]
    if type(value) in (list, dict):
        same.append(f"len({at}) == {len(value)}")
    return same


def _name_of(value: Operand) -> str:
    """Return a name for a constant; "" if it has none."""
    try:
        return str(getattr(value, "name", "") or getattr(value, "__name__", ""))
    except Exception:  # of a __getattr__ of the user's that raises others
        return ""


def _literal(value: Operand) -> str:
    """Return a value as Python writes it, if that is all there is to it; else ""."""
    kind = type(value)
    if kind in PLAIN_TYPES or (kind is float and math.isfinite(value)):
        return repr(value)
    if kind is tuple and all(type(part) in PLAIN_TYPES for part in value):
        return repr(value)
    if isinstance(value, type):
        name = value.__name__
        return name if vars(builtins).get(name) is value else ""
    return ""


def _is_taken(name: str) -> bool:
    """Return whether a program uses a name itself, as a variable or otherwise."""
    is_variable = name[0] in "vtu" and name[1:].isdigit()
    return is_variable or name in RESERVED or keyword.iskeyword(name)
