"""The metaclass of classes whose wrong constructor calls raise in their own name."""

import inspect
from abc import ABCMeta
from typing import TYPE_CHECKING

from ..types import Settings
from .kinds import DTypeError, Error

PACKAGE = __name__.partition(".")[0]


class NamedConstruction(ABCMeta):
    """A class whose constructor's errors name it, and list the arguments it takes.

    Python's own errors would name the class that wrote the ``__init__``. A class is
    named by its attribute ``_name``.
    """

    _name: str

    if not TYPE_CHECKING:  # type checkers know a class by its __init__

        def __call__(cls, *args: object, **kwargs: object) -> object:
            try:
                return super().__call__(*args, **kwargs)
            except (TypeError, Error):
                # Users can place the errors of a constructor of their own.
                if cls.__init__.__module__.partition(".")[0] == PACKAGE:
                    cls._explain_call(args, kwargs)
                raise

        @property
        def __signature__(cls) -> inspect.Signature:
            signature = inspect.signature(cls.__init__)
            without_self = list(signature.parameters.values())[1:]
            return signature.replace(parameters=without_self)

    def _explain_call(cls, args: tuple[object, ...], kwargs: Settings) -> None:
        """Raise if arguments do not fit the constructor."""
        signature = inspect.signature(cls)
        if wrong := misfit(signature, args, kwargs):
            takes = strip_annotations(signature)
            raise DTypeError(f"{cls._name}: {wrong}; it takes {takes}")


def misfit(
    signature: inspect.Signature, args: tuple[object, ...], kwargs: Settings
) -> str:
    """Say why arguments do not fit a signature: first of all an unexpected name."""
    for name in kwargs:
        if name not in signature.parameters:
            return f"got an unexpected argument {name!r}"
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return ""


def strip_annotations(signature: inspect.Signature) -> str:
    """Show a signature without its annotations and private parameters."""
    public = [p for p in signature.parameters.values() if not p.name.startswith("_")]
    return str(inspect.Signature([p.replace(annotation=p.empty) for p in public]))
