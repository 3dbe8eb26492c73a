"""Wrong calls of layers, and of their constructors, raise in the layer's own name."""

import inspect
from abc import ABCMeta
from typing import TYPE_CHECKING, Any

from ..errors import DTypeError, Error
from ..tensor import Tensor
from ..types import Function, Settings
from . import functional as F

PACKAGE = __name__.partition(".")[0]


class LayerType(ABCMeta):
    """A class whose constructor's errors name it, and say what to write instead.

    Python's own errors would name the class that wrote the ``__init__``.
    """

    if not TYPE_CHECKING:  # type checkers know a class by its __init__

        def __call__(cls, *args: object, **kwargs: object) -> object:
            try:
                return super().__call__(*args, **kwargs)
            except (TypeError, Error):
                explain_call(cls, args, kwargs)
                raise

        @property
        def __signature__(cls) -> inspect.Signature:
            signature = inspect.signature(cls.__init__)
            without_self = list(signature.parameters.values())[1:]
            return signature.replace(parameters=without_self)


def explain_call(cls: type, args: tuple[object, ...], kwargs: Settings) -> None:
    """Raise if a constructor got a Tensor for a setting, or unfit arguments."""
    if cls.__init__.__module__.partition(".")[0] != PACKAGE:  # type: ignore[misc]
        return  # a user's own constructor, whose errors the user can place
    name, signature = f"nn.{cls.__name__}", inspect.signature(cls)
    values = [*args, *kwargs.values()]
    wrong = _misfit(signature, args, kwargs)
    if not wrong:
        bound = signature.bind(*args, **kwargs).arguments
        values = [bound[key] for key in bound if not key.endswith("weight")]
    if any(isinstance(value, Tensor) for value in values):
        got = f"{name}: got a Tensor in place of a setting"
        raise DTypeError(f"{got}; construct it first, then call it: {_usage(cls)}")
    if wrong:
        raise DTypeError(f"{name}: {wrong}; it takes {_strip_annotations(signature)}")


def explain_forward(module: Any, args: tuple[object, ...], kwargs: Settings) -> None:
    """Raise if the arguments of a call do not fit the forward of our own layer."""
    forward = module.forward
    if getattr(forward, "__module__", "").partition(".")[0] != PACKAGE:
        return  # a user's own forward, whose errors the user can place
    signature = _forward_signature(module)
    if wrong := _misfit(signature, args, kwargs):
        takes = f"it takes {_strip_annotations(signature)}"
        raise DTypeError(f"{module._name}: {wrong}; {takes}") from None


def _forward_signature(module: Any) -> inspect.Signature:
    """Return what a module is called with; a function's settings are its own."""
    signature = inspect.signature(module.forward)
    function = getattr(type(module), "_function", None)
    if "inputs" not in signature.parameters or function is None:
        return signature
    names = [n for n in _required_names(function) if n not in module._setting_names]
    kind = inspect.Parameter.POSITIONAL_ONLY
    tensors = ["input" if name == "self" else name for name in names]
    return inspect.Signature([inspect.Parameter(name, kind) for name in tensors])


def _misfit(
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


def _usage(cls: type) -> str:
    """Show how to construct and call a layer, and the function that does the same."""
    settings = _required_names(cls)
    function: Any = getattr(cls, "_function", None)
    required = ["self"] if function is None else _required_names(function)
    arguments = ["input" if name == "self" else name for name in required]
    tensors = [name for name in arguments if name not in settings]
    usage = f"nn.{cls.__name__}({', '.join(settings)})({', '.join(tensors)})"
    if function is not None and function in vars(F).values():
        usage += f", or F.{function.__name__}({', '.join(arguments)})"
    return usage


def _required_names(function: Function) -> list[str]:
    """Return the names of the parameters without a default."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty]


def _strip_annotations(signature: inspect.Signature) -> str:
    """Show a signature without its annotations and private parameters."""
    public = [p for p in signature.parameters.values() if not p.name.startswith("_")]
    return str(inspect.Signature([p.replace(annotation=p.empty) for p in public]))
