"""The classes of errors: each is also the built-in error that a caller expects."""

from collections.abc import Callable, Iterable

__name__ = __package__  # what tracebacks show before the name of a class


class Error(Exception):
    """Base of all errors that tinygrad_rnn raises on purpose: catch ``tg.Error``."""


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
    """A tensor that requires grad, where another library would lose its gradient."""


class CheckpointError(Error, ValueError):
    """A file of weights or a checkpoint that cannot be read, written or applied."""


class MissingFile(CheckpointError, OptionError, FileNotFoundError):
    """A file of weights or of text that does not exist."""


class DimError(Error, IndexError, ValueError):
    """A dim that the tensor does not have; both built-in errors, as in NumPy."""


class NameMissing(IdError, KeyError):
    """A key that a container does not have."""

    __str__ = Exception.__str__  # KeyError shows the message as a literal


class AttributeMissing(Error, AttributeError):
    """A module, a parameter or a buffer that does not exist."""


def _names_like(name: str, names: Iterable[str]) -> str:
    """The end of a message: up to three names that are close to the one asked for."""
    from difflib import get_close_matches  # not for those whose names are right

    close = ", ".join(get_close_matches(name, names, 3))
    return f"; names like it: {close}" if close else ""


class NoAttribute(AttributeMissing):
    """An attribute that an object lacks.

    The message is made when it is read, as hasattr() drops most of these errors.
    """

    def __init__(
        self, kind: str, name: str, names: Callable[[], Iterable[str]]
    ) -> None:
        super().__init__(f"{kind!r} object has no attribute {name!r}", name=name)
        self.names = names

    def __str__(self) -> str:
        public = [name for name in self.names() if not name.startswith("_")]
        return f"{self.args[0]}{_names_like(str(self.name), public)}"

    def __reduce__(self) -> tuple[type[AttributeError], tuple[str]]:
        return AttributeError, (str(self),)


class LeftOut(Error, AttributeError):
    """A name that an owner lacks: what to write instead, where it is, or what is close.

    The message is made when it is read, as hasattr() drops most of these errors.
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
        public = [name for name in self.names() if not name.startswith("_")]
        similar = _names_like(self.asked, public)
        return f"{lacking}{similar}; see docs/differences.md"

    def __reduce__(self) -> tuple[type[AttributeError], tuple[str]]:
        return AttributeError, (str(self),)
