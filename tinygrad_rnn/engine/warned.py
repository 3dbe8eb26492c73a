"""NumPy's warnings, of an overflow or of log(0), at the line of the user's program.

NumPy warns at the innermost line of Python, which is a row of the table of ops. A
context around each op that says otherwise (``np.errstate``) would cost a third of a
small op. So each module that ops compute in sets ``__warningregistry__ = ()``. Python
keeps there which warnings of a module were shown; where it finds no dict, it raises
TypeError instead of warning, whatever filters are set. Then what was called runs once
more, this time in such a context. All calls into these modules are made by something
that does so: an op, the walk, or :func:`run_reporting_warnings`.
"""

import sys
import warnings
from types import FrameType
from typing import TypeGuard

import numpy as np

from ..types import Array, Function, Settings

_PACKAGE = __name__.partition(".")[0]
_NOT_A_DICT = "'registry' must be a dict or None"  # what Python says then


def was_warning(error: Exception) -> bool:
    """Return whether an error stands for a warning."""
    return type(error) is TypeError and str(error) == _NOT_A_DICT


def run_reporting_warnings(what: str, function: Function, *args: object) -> Array:
    """Call a function, which may run twice; warn of its numbers at the user's line."""
    try:
        return function(*args)
    except TypeError as error:
        if not was_warning(error):
            raise
    return rerun_with_warnings(what, function)(*args)


def rerun_with_warnings(what: str, function: Function) -> Function:
    """Return the function with NumPy's warnings of its numbers at the user's line."""
    # A dict keeps the order. Threads, which know no user's line, may note some too.
    kinds: dict[str, None] = {}

    def note(kind: str, flag: int) -> None:
        kinds[kind] = None

    def run(*args: object, **settings: object) -> Array:
        modes: Settings = dict(np.geterr())
        for kind, how in modes.items():
            modes[kind] = "call" if how == "warn" else how
        with np.errstate(call=note, **modes):
            try:
                result = function(*args, **settings)
            except TypeError as error:
                if not was_warning(error):
                    raise
                # A warning of another kind: let it be shown where it arises.
                _give_registry(error)
                result = function(*args, **settings)
        for kind in kinds:
            warn_user(f"{kind} encountered in {what}", RuntimeWarning)
        return result

    return run


def is_in_package(frame: FrameType | None) -> TypeGuard[FrameType]:
    """Return whether a frame runs code of the package."""
    if frame is None:
        return False
    return str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line outside of the package."""
    frame: FrameType | None = sys._getframe(1)
    while is_in_package(frame):
        frame = frame.f_back
    if frame is None:
        return warnings.warn(message, category, stacklevel=2)
    module = frame.f_globals.get("__name__") or "<string>"  # as in Python's warnings
    place = frame.f_code.co_filename, frame.f_lineno, module
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, *place, registry)


def _give_registry(error: Exception) -> None:
    """Let the module in which an error arose warn from now on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None:
        trace.tb_frame.f_globals["__warningregistry__"] = {}
