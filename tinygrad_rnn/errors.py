"""The errors that this package raises: each is also the built-in error that a caller expects."""


class Error(Exception):
    """Base of every error raised by tinygrad_rnn on purpose: ``except tg.Error`` catches them all."""


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


class CheckpointError(Error, ValueError):
    """A file of weights or a checkpoint that cannot be read, written or applied."""


class DimError(Error, IndexError, ValueError):
    """A dim that the tensor does not have; both built-in errors, as NumPy's AxisError is."""
