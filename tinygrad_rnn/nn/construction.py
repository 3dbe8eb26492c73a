"""The type of layers: what is wrong with the call of a constructor, in the layer's own
name.
"""

import inspect
from abc import ABCMeta
from typing import TYPE_CHECKING, Any

from ..errors import DTypeError, Error
from ..tensor import Tensor
from . import functional as F

PACKAGE = __name__.partition(".")[0]


class LayerType(ABCMeta):
    """A class whose constructor's errors name it, and know the way out.

    Python's own would name the class that wrote the ``__init__``.
    """

    if not TYPE_CHECKING:  # type checkers know a class by its __init__

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().__call__(*args, **kwargs)
            except (TypeError, Error):
                explain(cls, args, kwargs)
                raise

        @property
        def __signature__(cls) -> inspect.Signature:
            return _signature(cls.__init__)


def explain(cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise what is wrong with the call of a constructor as a whole, if something is."""
    if cls.__init__.__module__.partition(".")[0] != PACKAGE:
        return  # the user's own, whose errors are clear to the user
    signature = inspect.signature(cls)
    has_tensors = any(isinstance(value, Tensor) for value in (*args, *kwargs.values()))
    wrong = _misfit(signature, args, kwargs)
    if not wrong:
        given = signature.bind(*args, **kwargs).arguments.items()
        has_tensors = any(
            isinstance(v, Tensor) and not k.endswith("weight") for k, v in given
        )
    if has_tensors:
        got = f"nn.{cls.__name__}: got a Tensor in place of a setting"
        raise DTypeError(f"{got}; construct it first, then call it: {_usage(cls)}")
    if wrong:
        raise DTypeError(f"nn.{cls.__name__}: {wrong}; it takes {_plain(signature)}")


def _misfit(signature: inspect.Signature, args: Any, kwargs: Any) -> str:
    """What does not fit a signature, in words; the unexpected before what is missing."""
    for name in kwargs:
        if name not in signature.parameters:
            return f"got an unexpected argument {name!r}"
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return ""


def _usage(cls: Any) -> str:
    """How a layer is made and called, and the function that does the same."""
    settings, function = (
        _required(inspect.signature(cls)),
        getattr(cls, "function", None),
    )
    if function is None:
        return f"nn.{cls.__name__}({', '.join(settings)})(input)"
    taken = [
        "input" if name == "self" else name
        for name in _required(inspect.signature(function))
    ]
    tensors = [name for name in taken if name not in settings]
    usage = f"nn.{cls.__name__}({', '.join(settings)})({', '.join(tensors)})"
    name = function.__name__
    if getattr(F, name, None) is not function:
        return usage
    return f"{usage}, or F.{name}({', '.join(taken)})"


def _required(signature: inspect.Signature) -> list[str]:
    return [p.name for p in signature.parameters.values() if p.default is p.empty]


def _signature(method: Any) -> inspect.Signature:
    """A method's signature without ``self``."""
    signature = inspect.signature(method)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _plain(signature: inspect.Signature) -> str:
    """A signature as it is called, without annotations and private arguments."""
    shown = [p for p in signature.parameters.values() if not p.name.startswith("_")]
    parameters = [p.replace(annotation=p.empty) for p in shown]
    return str(inspect.Signature(parameters))
