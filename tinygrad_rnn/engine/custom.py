"""Forwards that users write: what may share memory with what, and what gradcheck looks
at.

A result that shows an argument's memory, without a word about it, would let a later
change of one change the other unseen, and a gradient would be wrong. So it is copied,
where the array library tells (NumPy's does). The package's own forwards are not looked
at: its tests do that.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import numpy as np

Forward = Callable[..., Any]

# What is wrong with the forwards that run, while somebody wants to know: gradcheck.
_found: ContextVar[list[str] | None] = ContextVar("tinygrad_rnn_found", default=None)


@contextmanager
def inspecting() -> Iterator[list[str]]:
    """A context that looks closer at the forwards of users; gives what is wrong with
    them.
    """
    found: list[str] = []
    token = _found.set(found)
    try:
        yield found
    finally:
        _found.reset(token)


def shares_memory(out: Any, array: Any) -> bool:
    """Whether an array shows memory of another one, as far as the array library tells."""
    if out is array:
        return True
    base = getattr(out, "base", None)
    if base is None:  # it has memory of its own
        return False
    if type(out) is np.ndarray and type(array) is np.ndarray:
        return np.may_share_memory(out, array)
    return base is array or base is getattr(array, "base", out)


def guard(name: str, names: Sequence[str], forward: Forward, view: bool) -> Forward:
    """The forward of an op whose result, unless it is a view, has memory of its own.

    With ``view`` it may be a view of its first argument.
    """

    @wraps(forward)
    def run(xp: Any, *arrays: Any, **settings: Any) -> Any:
        out = _watched(name, names, forward, xp, arrays, settings)
        return _separate(xp, name, names, out, arrays, 1 if view else 0)

    return run


def guard_outputs(name: str, names: Sequence[str], forward: Forward) -> Forward:
    """The forward of a fused op whose outputs share memory with no argument and no
    other output.
    """

    @wraps(forward)
    def run(xp: Any, *arrays: Any, **settings: Any) -> Any:
        found = _watched(name, names, forward, xp, arrays, settings)
        if type(found) is not tuple or len(found) != 2 or type(found[0]) is not tuple:
            return found  # which is an error, of which the call speaks
        outputs: list[Any] = []
        for out in found[0]:
            out = _separate(xp, name, names, out, arrays, 0)
            shared = any(shares_memory(out, other) for other in outputs)
            outputs.append(xp.array(out) if shared else out)
        return tuple(outputs), found[1]

    return run


def _separate(
    xp: Any,
    name: str,
    names: Sequence[str],
    out: Any,
    arrays: Sequence[Any],
    first: int,
) -> Any:
    """A result, copied if it shows the memory of an argument; the ``first`` ones may be
    shown.
    """
    for i, array in enumerate(arrays):
        if i >= first and shares_memory(out, array):
            _report(
                f"{name}: the result shows the memory of {_argument(names, i)}: return a copy"
            )
            return xp.array(out)
    return out


def _argument(names: Sequence[str], i: int) -> str:
    """The name of an argument, also of a variadic op."""
    return (
        f"argument {names[i]}" if len(names) > 1 or i < len(names) else f"argument {i}"
    )


def _watched(
    name: str,
    names: Sequence[str],
    forward: Forward,
    xp: Any,
    arrays: Any,
    settings: Any,
) -> Any:
    """What a forward gives; if somebody wants to know, also whether it writes into an
    argument.
    """
    if _found.get() is None:
        return forward(xp, *arrays, **settings)
    before = [xp.array(a) if type(a) is xp.Array else a for a in arrays]
    out = forward(xp, *arrays, **settings)
    for i, (old, new) in enumerate(zip(before, arrays, strict=True)):
        if type(new) is xp.Array and not same(xp, old, new):
            _report(f"{name}: the forward writes into {_argument(names, i)}")
    return out


def same(xp: Any, one: Any, two: Any) -> bool:
    """Whether two arrays of a shape hold the same numbers, a NaN being one."""
    alike = one == two
    return bool(xp.all(alike) or xp.all(alike | ((one != one) & (two != two))))


def _report(what: str) -> None:
    found = _found.get()
    if found is not None and what not in found:
        found.append(what)


def keeps(workspace: Any, outputs: Sequence[Any]) -> bool:
    """Whether arrays in a workspace show the memory of an output."""
    if isinstance(workspace, tuple | list):
        return any(keeps(part, outputs) for part in workspace)
    if isinstance(workspace, dict):
        return any(keeps(part, outputs) for part in workspace.values())
    return any(
        shares_memory(workspace, out) or shares_memory(out, workspace)
        for out in outputs
    )
