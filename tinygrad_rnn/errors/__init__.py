"""The errors that this package raises.

Each one is also the built-in error that a caller expects: ``except ValueError`` and
``except tg.errors.ShapeError`` both catch a wrong shape. A message says which function
or argument is wrong, what came, what was expected and the way out; nothing has changed
when it is raised.

Example:
    >>> import tinygrad_rnn as tg
    >>> try:
    ...     tg.zeros(2).add(tg.zeros(3))
    ... except tg.errors.ShapeError as error:
    ...     print(error)
    add: the shapes (2,) and (3,) cannot be broadcast together
"""

# `kinds` has the classes, `checks` the checks that every room uses and the words of
# their messages, `tensor_checks` those of layers and losses. `boundary` turns what an
# array library raises into ours, `construction` names wrong arguments of constructors,
# and `left_out` is the table of PyTorch's names that are not here.

from .checks import (
    abbreviate,
    check_axis,
    check_choice,
    check_dim,
    check_fits,
    check_integers,
    check_numbers,
    check_type,
    describe,
    file_name,
)
from .kinds import (
    AttributeMissing,
    CheckpointError,
    DimError,
    DTypeError,
    Error,
    ExportError,
    GraphError,
    IdError,
    LeftOut,
    MissingFile,
    NameMissing,
    NoAttribute,
    OptionError,
    OutOfMemoryError,
    ShapeError,
)

__all__ = [
    "abbreviate",
    "AttributeMissing",
    "check_axis",
    "check_choice",
    "check_dim",
    "check_fits",
    "check_integers",
    "check_numbers",
    "check_type",
    "CheckpointError",
    "describe",
    "DimError",
    "DTypeError",
    "Error",
    "ExportError",
    "file_name",
    "GraphError",
    "IdError",
    "LeftOut",
    "MissingFile",
    "NameMissing",
    "NoAttribute",
    "OptionError",
    "OutOfMemoryError",
    "ShapeError",
]
