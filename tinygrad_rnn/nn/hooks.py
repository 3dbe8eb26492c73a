"""Functions that a module calls before or after its forward."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from ..errors import DTypeError, describe
from ..tensor import Handle
from ..types import Function, Settings
from .construction import explain_forward

Hooked: TypeAlias = Any  # a Module: its file imports this one
Arguments: TypeAlias = tuple[Any, ...]  # those of a forward by position


class ForwardHook(NamedTuple):
    """A function that is called before or after the forward of a module."""

    function: Function
    runs_before: bool
    with_kwargs: bool


def add_hook(hooks: dict[int, ForwardHook], hook: ForwardHook, prepend: bool) -> Handle:
    """Add a hook under the highest number, or the lowest; the handle removes it."""
    number = min(hooks, default=0) - 1 if prepend else max(hooks, default=0) + 1
    hooks[number] = hook
    return Handle(hooks.pop, number, None)


def call_with_hooks(
    module: Hooked, hooks: Mapping[int, ForwardHook], args: Arguments, kwargs: Settings
) -> Any:
    """Call the hooks of a module, in the order of their numbers, and its forward."""
    in_order = [hooks[number] for number in sorted(hooks)]
    for hook in in_order:
        if hook.runs_before:
            args, kwargs = _call_pre_hook(hook, module, args, kwargs)
    try:
        output = module.forward(*args, **kwargs)
    except TypeError:
        explain_forward(module, args, kwargs)
        raise
    for hook in in_order:
        if not hook.runs_before:
            given = (args, kwargs, output) if hook.with_kwargs else (args, output)
            replacement = _call_hook(hook, module, *given)
            if replacement is not None:
                output = replacement
    return output


def _call_pre_hook(
    hook: ForwardHook, module: Hooked, args: Arguments, kwargs: Settings
) -> tuple[Arguments, Settings]:
    """Call a hook that runs before the forward; return the arguments it leaves."""
    given = (args, kwargs) if hook.with_kwargs else (args,)
    replacement = _call_hook(hook, module, *given)
    if replacement is None:
        return args, kwargs
    if not hook.with_kwargs:
        is_tuple = isinstance(replacement, tuple)
        return (replacement if is_tuple else (replacement,)), kwargs
    if not isinstance(replacement, tuple) or len(replacement) != 2:
        got = f"a forward pre-hook returned {describe(replacement)}"
        expected = "expected None or a tuple (args, kwargs)"
        raise DTypeError(f"nn.{type(module).__name__}: {got}, {expected}")
    return replacement


def _call_hook(hook: ForwardHook, module: Hooked, *given: object) -> Any:
    """Call a hook; an error that it raises gets a note that names the module."""
    try:
        return hook.function(module, *given)
    except Exception as error:
        kind = "forward pre-hook" if hook.runs_before else "forward hook"
        layer = f"{type(module).__name__}({module.extra_repr()})"
        error.add_note(f"It was raised by a {kind} of {layer}.")
        raise
