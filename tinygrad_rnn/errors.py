"""The errors that this package raises: each is also the built-in error that a caller
expects.
"""

import os
from collections.abc import Callable, Iterable
from math import inf, isfinite, nextafter
from numbers import Integral, Real
from sys import float_info
from typing import Any


class Error(Exception):
    """Base of every error raised by tinygrad_rnn on purpose: ``except tg.Error``
    catches them all.
    """


class ShapeError(Error, ValueError):
    """A shape, a rank or a size that cannot be right."""


class OptionError(Error, ValueError):
    """A setting or a value outside of what a function accepts."""


class DTypeError(Error, TypeError):
    """A type or a dtype that a function does not accept."""


class IdError(Error, IndexError):
    """An index, an id or a class that is out of range."""


class GraphError(Error, RuntimeError):
    """A backward pass that the recorded graph cannot give."""


class ExportError(GraphError, BufferError):
    """A tensor that requires grad, where another library's array would lose its
    gradient.
    """


class CheckpointError(Error, ValueError):
    """A file of weights or a checkpoint that cannot be read, written or applied."""


class MissingFile(CheckpointError, OptionError, FileNotFoundError):
    """A file that is not there, of weights or of text; both built-in errors."""


class DimError(Error, IndexError, ValueError):
    """A dim that the tensor does not have; both built-in errors, as NumPy's AxisError
    is.
    """


class NameMissing(IdError, KeyError):
    """A name that is not there; both built-in errors."""

    __str__ = Exception.__str__  # KeyError's shows the message as a literal


class AttributeMissing(Error, AttributeError):
    """A module, a parameter or a buffer that is not there."""


class NoAttribute(AttributeMissing):
    """An attribute that an object lacks: the message, made when it is read, has names
    like it.
    """

    def __init__(
        self, kind: str, name: str, names: Callable[[], Iterable[str]]
    ) -> None:
        super().__init__(f"{kind!r} object has no attribute {name!r}", name=name)
        self.names = names

    def __str__(self) -> str:
        from difflib import get_close_matches

        close = ", ".join(get_close_matches(str(self.name), self.names(), 3))
        return f"{self.args[0]}; names like it: {close}" if close else str(self.args[0])

    def __reduce__(self) -> Any:
        return AttributeError, (str(self),)


class LeftOut(Error, AttributeError):
    """A name that is not here: the message says what to write instead, or where it is,
    or what is close.

    The message is made when it is read, as hasattr() throws most of these errors away.
    """

    def __init__(
        self,
        owner: str,
        name: str,
        instead: str | None,
        names: Callable[[], Iterable[str]],
        homes: Callable[[], list[str]],
    ) -> None:
        super().__init__(f"{owner} has no {name!r}", name=name)
        self.owner, self.asked = owner, name
        self.instead, self.names, self.homes = instead, names, homes

    def __str__(self) -> str:
        lacking = f"{self.owner}.{self.asked} is not here"
        if self.instead is not None:
            return f"{lacking}; instead: {self.instead}"
        if homes := self.homes():
            return f"{lacking}; it is {' or '.join(homes)}"
        from difflib import get_close_matches  # not for those whose names are right

        public = [name for name in self.names() if not name.startswith("_")]
        close = ", ".join(get_close_matches(self.asked, public, 3))
        similar = f"; names like it: {close}" if close else ""
        return f"{lacking}{similar}; see docs/differences.md"

    def __reduce__(self) -> Any:
        return AttributeError, (str(self),)


# ---------------------------------------------------------------- checks that all floors share


def described(value: Any, kind: str | None = None) -> str:
    """What came, for a message: ``float32 of shape (2, 3)`` of a Tensor, else with its
    type's name.
    """
    if (
        hasattr(value, "dtype")
        and hasattr(value, "shape")
        and not isinstance(value, type)
    ):
        if kind is None:
            kind = "" if hasattr(value, "requires_grad") else f" {type(value).__name__}"
        return f"{value.dtype}{kind} of shape {tuple(value.shape)}"
    return type(value).__name__


def few(items: Iterable[Any], between: str = ", ", most: int = 10) -> str:
    """The first items of a list that may be long, for a message, and how many more
    there are.
    """
    listed = [str(item) for item in items]
    shown = [item if len(item) <= 300 else f"{item[:300]}..." for item in listed[:most]]
    if len(listed) > most:
        shown.append(f"and {len(listed) - most:,} more")
    return between.join(shown)


def file_name(path: Any) -> str:
    """How a message names a path, or a file that is open."""
    if isinstance(path, str | bytes | os.PathLike):
        return os.fsdecode(path)
    return str(getattr(path, "name", type(path).__name__))


def check_type(name: str, kinds: Any, expected: str, /, **values: Any) -> None:
    """Refuse values that are not of one of the types; ``expected`` says them, and the
    way out.
    """
    for what, value in values.items():
        if not isinstance(value, kinds):
            raise DTypeError(
                f"{name}: {what} is {described(value)}, expected {expected}"
            )


def check_numbers(
    name: str, low: float = -inf, high: float = inf, **values: Any
) -> None:
    """Refuse values that are not finite numbers from ``low`` to ``high``."""
    for what, value in values.items():
        if type(value) is not float and (
            type(value) is bool or not isinstance(value, Real)
        ):
            if hasattr(value, "item"):
                got = f"{what} is {described(value)}"
                raise DTypeError(f"{name}: {got}, expected a number; use .item()")
            raise DTypeError(f"{name}: {what} is {value!r}, expected a number")
        if not low <= float(value) <= high or not isfinite(value):
            raise OptionError(
                f"{name}: {what} is {value}, expected {_range(low, high)}"
            )


def _range(low: float, high: float) -> str:
    """In words what numbers are within the bounds: the float next to 0 or to 1 leaves
    that out.
    """
    is_above_0 = 0 < low <= float_info.min
    if high == inf:
        return "a finite number above 0" if is_above_0 else f"a finite number >= {low}"
    top = "below 1" if high == nextafter(1.0, 0.0) else f"{high}"
    return (
        f"a number above 0, to {top}" if is_above_0 else f"a number from {low} to {top}"
    )


def check_integers(name: str, low: float = 1, **values: Any) -> None:
    """Refuse values that are not integers of at least ``low``."""
    for what, value in values.items():
        if type(value) is bool or not isinstance(value, Integral):
            got = described(value) if hasattr(value, "shape") else repr(value)
            raise DTypeError(f"{name}: {what} is {got}, expected an integer")
        if value.__index__() < low:
            raise OptionError(f"{name}: {what} is {value}, expected at least {low}")


def check_choice(name: str, choices: tuple[Any, ...], **values: Any) -> None:
    """Refuse values that are not among the choices."""
    for what, value in values.items():
        if (
            not isinstance(value, str | int) or value not in choices
        ):  # an array is in nothing
            got = described(value) if hasattr(value, "shape") else repr(value)
            expected = " or ".join(map(repr, choices))
            raise OptionError(f"{name}: {what} is {got}, expected {expected}")
