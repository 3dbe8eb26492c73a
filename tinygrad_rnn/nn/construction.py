"""Wrong calls of layers, and of their constructors, raise in the layer's own name."""

import inspect
from typing import Any

from ..errors import DTypeError
from ..errors.construction import PACKAGE, NamedConstruction, misfit, strip_annotations
from ..tensor import Tensor
from ..types import Function, Settings
from . import functional as F


class LayerType(NamedConstruction):
    """A class whose constructor's errors name it, and say what to write instead."""

    def _explain_call(
        cls,  # noqa: N805 - LayerType is a metaclass
        args: tuple[object, ...],
        kwargs: Settings,
    ) -> None:
        """Raise if a constructor got a Tensor for a setting, or unfit arguments."""
        signature = inspect.signature(cls)
        values = [*args, *kwargs.values()]
        try:
            bound = signature.bind(*args, **kwargs).arguments
            values = [bound[key] for key in bound if not key.endswith("weight")]
        except TypeError:
            pass  # arguments that do not fit, among which may be a Tensor too
        if any(isinstance(value, Tensor) for value in values):
            got = f"nn.{cls.__name__}: got a Tensor in place of a setting"
            raise DTypeError(f"{got}; construct it first, then call it: {_usage(cls)}")
        super()._explain_call(args, kwargs)


def explain_forward(module: Any, args: tuple[object, ...], kwargs: Settings) -> None:
    """Raise if the arguments of a call do not fit the forward of our own layer."""
    forward = module.forward
    if getattr(forward, "__module__", "").partition(".")[0] != PACKAGE:
        return  # a user's own forward, whose errors the user can place
    signature = _forward_signature(module)
    if wrong := misfit(signature, args, kwargs):
        takes = f"it takes {strip_annotations(signature)}"
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
