"""NumPy's warnings, of an overflow or of log(0), at the line of the user's that they
are about.

NumPy warns at the innermost line of Python, which is a row of the table of ops. A
context around each op that says otherwise (``np.errstate``) would cost a third of a
small op. So the modules of the table, and those whose arithmetic it uses, have a
registry of warnings that is none: Python raises TypeError there instead of warning,
whatever filters are set. Then what was called runs once more, this time with such a
context. Each call of theirs is inside of something that knows this: an op, the walk, or
:func:`run_reporting_warnings`.
"""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

_PACKAGE = __name__.partition(".")[0]
_NO_REGISTRY = ()  # empty, as unittest replaces those that are not
_REFUSAL = "'registry' must be a dict or None"  # what Python says then


def mark(*modules: str) -> None:
    """Let warnings in modules of the package be errors, for what runs their functions
    to catch.
    """
    for module in modules:
        vars(sys.modules[f"{_PACKAGE}.{module}"])["__warningregistry__"] = _NO_REGISTRY


def was_warning(error: Exception) -> bool:
    """Whether an error stands for a warning."""
    return type(error) is TypeError and str(error) == _REFUSAL


def rerun_with_warnings(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with NumPy's warnings about its numbers given at the user's line."""
    kinds: dict[
        str, None
    ] = {}  # in order; some may come from threads that know no user's line

    def note(kind: str, flag: int) -> None:
        kinds[kind] = None

    def run(*args: Any, **settings: Any) -> Any:
        modes: Any = {
            kind: "call" if how == "warn" else how for kind, how in np.geterr().items()
        }
        with np.errstate(call=note, **modes):
            try:
                result = function(*args, **settings)
            except TypeError as error:
                if not was_warning(error):
                    raise
                _unmark(error)  # it is of another kind: let it be shown where it arises
                result = function(*args, **settings)
        for kind in kinds:
            _warn(f"{kind} encountered in {what}")
        return result

    return run


def run_reporting_warnings(what: str, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function, which may run twice, with NumPy's warnings given at the user's
    line.
    """
    try:
        return function(*args)
    except TypeError as error:
        if not was_warning(error):
            raise
    return rerun_with_warnings(what, function)(*args)


def _warn(message: str) -> None:
    """Warn at the innermost line outside of the package."""
    frame: Any = sys._getframe(1)
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
    if frame is None:
        return warnings.warn(message, RuntimeWarning, stacklevel=2)
    module = (
        frame.f_globals.get("__name__") or "<string>"
    )  # as Python's own warnings have it
    place = frame.f_code.co_filename, frame.f_lineno, module
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, RuntimeWarning, *place, registry)


def _unmark(error: Exception) -> None:
    """Give the module in which an error arose a registry again."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None:
        trace.tb_frame.f_globals["__warningregistry__"] = {}
