"""The classes of errors: each is also the built-in error that a caller expects."""

from collections.abc import Callable

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


class NoAttribute(AttributeMissing):
    """A name that an object or a module lacks.

    The message is made when it is read, as hasattr() drops most of these errors.
    """

    def __init__(self, name: str, make_message: Callable[[], str]) -> None:
        super().__init__(f"no attribute {name!r}", name=name)
        self.make_message = make_message

    def __str__(self) -> str:
        return self.make_message()

    def __reduce__(self) -> tuple[type[AttributeError], tuple[str]]:
        return AttributeError, (str(self),)


class LeftOut(NoAttribute):
    """A name of PyTorch's, or one misspelt, that is not here."""
