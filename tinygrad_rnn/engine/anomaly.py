"""Where a NaN or an infinity comes from: all ops and gradients are checked, while that
is asked for.

Then the calls of the two forms of an op, and the class that a walk gathers gradients
with, are replaced by checked ones; at other times nothing of this costs anything.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, get_ident
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..backend import backend_of, backends
from ..errors import GraphError, described
from . import walk
from .fused import FusedOp
from .op import Op

_CALLS: dict[Any, Callable[..., Any]] = {kind: kind.__call__ for kind in (Op, FusedOp)}
_PACKAGE = __name__.partition(".")[0]
_calls: WeakKeyDictionary[Any, str] = WeakKeyDictionary()  # what made a node, and where
_lock = Lock()
_blocks: dict[
    object, int
] = {}  # those that are open, and the thread that each was opened in


def _flaw(value: Any) -> str:
    """What is wrong with the numbers of an array, a Tensor or a scalar; "" if nothing
    is.
    """
    array = getattr(
        value, "array", getattr(value, "values", value)
    )  # of a Tensor, of a Part
    array = np.asarray(array) if np.isscalar(array) else array
    xp = backend_of(array) if type(array) in backends else None
    if (
        not xp
        or not xp.isdtype(array.dtype, "real floating")
        or xp.all(xp.isfinite(array))
    ):
        return ""
    return "a NaN" if xp.any(xp.isnan(array)) else "an infinity"


def _where() -> str:
    """The innermost line outside of the package; on the walk back, the call that it is
    for.
    """
    frame: Any = sys._getframe(1)
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        if frame.f_code is walk.walk_back.__code__:
            node = frame.f_locals.get("node", walk)
            return f"for the gradient of {_calls.get(node, 'an op')}"
        frame = frame.f_back
    return (
        f"at {frame.f_code.co_filename}:{frame.f_lineno}"
        if frame
        else "at an unknown line"
    )


def _checked(call: Callable[..., Any]) -> Callable[..., Any]:
    """A call of an op whose results are checked; an infinity may be handed on, a NaN
    may not.
    """

    def checked(self: Any, *args: Any, **settings: Any) -> Any:
        result = call(self, *args, **settings)
        where = _where()
        inputs = args[0] if args and isinstance(args[0], list | tuple) else args
        shown = ", ".join(
            described(x) if hasattr(x, "shape") else repr(x) for x in inputs
        )
        called = f"{self.name}({shown}) {where}"
        for out in result if isinstance(result, tuple) else (result,):
            if out.node is not None:
                for node in (out.node, *out.node.parents[: out.node.plan.count]):
                    _calls[node] = called
            if where.startswith("at ") and (
                flaw := _flaw(out)
            ):  # a walk checks by itself
                had = [
                    f"; argument {i} has {f}"
                    for i, x in enumerate(inputs)
                    if (f := _flaw(x))
                ]
                if flaw == "a NaN" or not had:
                    what = f"{flaw} in the result of {called}"
                    raise GraphError(f"detect_anomaly: {what}{''.join(had)}")
        return result

    return checked


class _CheckedGradients(walk.Gradients):
    """The gradients of a walk, each checked when it arrives."""

    origin = "the caller of backward()"

    def pop(self) -> list[Any]:
        entry = super().pop()
        unknown = f"{entry[0].plan.name} (its call, outside of detect_anomaly(), is not known)"
        self.origin = _calls.get(entry[0], unknown)
        return entry

    def add(self, target: Any, g: Any, owned: bool) -> None:
        if flaw := _flaw(g):
            what = f"{flaw} in a gradient of shape {g.shape}"
            raise GraphError(f"detect_anomaly: {what} from {self.origin}")
        super().add(target, g, owned)


def _switch() -> None:
    """Put the checked calls in the place of the plain ones while a block is open, else
    back.
    """
    for kind, call in _CALLS.items():
        kind.__call__ = _checked(call) if _blocks else call
    walk.gathering = _CheckedGradients if _blocks else walk.Gradients


def _forget_other_threads() -> None:
    """In a forked child: it has no other threads, which may hold the lock or have
    blocks open.
    """
    global _lock
    _lock = Lock()
    for block, thread in list(_blocks.items()):
        if thread != get_ident():
            del _blocks[block]
    _switch()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise GraphError where an op, or its gradient, first gives a NaN or an infinity.

    ``with tg.autograd.detect_anomaly():`` or ``@tg.autograd.detect_anomaly()``, around
    the forward pass and ``backward()``, in all threads. The message names the op, the
    shapes of its arguments and the line of the program that called it. An op may hand
    on an infinity that an argument has, such as that of a mask: only one that is new is
    an error. Slow: for finding an error.
    """
    block = object()
    with _lock:
        _blocks[block] = get_ident()
        _switch()
    try:
        yield
    finally:
        with _lock:
            _blocks.pop(block, None)
            _switch()
