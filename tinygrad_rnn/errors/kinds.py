"""The errors that this package raises: each is also the built-in error that a caller
expects.
"""

from collections.abc import Callable, Iterable
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
