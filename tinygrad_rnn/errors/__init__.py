"""The errors that this package raises, the checks before them, and their words.

Each error is also the built-in error that a caller expects: ``except ValueError`` and
``except tg.errors.ShapeError`` both catch a wrong shape. ``kinds`` has the classes,
``checks`` what every room checks, ``tensor_checks`` what layers and losses check,
``boundary`` turns what an array library raises into ours, ``left_out`` is the table of
PyTorch's names that are not here.
"""

from .checks import (
    check_axis,
    check_choice,
    check_dim,
    check_integers,
    check_numbers,
    check_type,
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
    ShapeError,
)
from .messages import abbreviate, describe, described, few, file_name

__all__ = [
    "abbreviate",
    "AttributeMissing",
    "check_axis",
    "check_choice",
    "check_dim",
    "check_integers",
    "check_numbers",
    "check_type",
    "CheckpointError",
    "describe",
    "described",
    "DimError",
    "DTypeError",
    "Error",
    "ExportError",
    "few",
    "file_name",
    "GraphError",
    "IdError",
    "LeftOut",
    "MissingFile",
    "NameMissing",
    "NoAttribute",
    "OptionError",
    "ShapeError",
]
