"""Where a NaN or an infinity comes from: a check of every op and gradient."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import get_ident
from types import FrameType
from weakref import WeakKeyDictionary

import numpy as np

from ..backend import backend_of, backends
from ..errors import GraphError, describe
from ..types import Gradient, Operand
from . import walk
from .node import Node
from .seam import Observer, observers
from .warned import is_in_package

_made_by: WeakKeyDictionary[Node, str] = WeakKeyDictionary()  # the call, and its line


def _flaw(value: Operand) -> str:
    """Say what is wrong with an array, a Tensor, a Part or a number; "" if nothing."""
    array = getattr(value, "array", getattr(value, "values", value))
    if np.isscalar(array):
        array = np.asarray(array)
    if array is None or type(array) not in backends:
        return ""
    xp = backend_of(array)
    if not xp.isdtype(array.dtype, "real floating") or xp.all(xp.isfinite(array)):
        return ""
    return "a NaN" if xp.any(xp.isnan(array)) else "an infinity"


def _caller() -> tuple[str, bool]:
    """Say who called an op; return also whether that was a walk, for a gradient.

    Otherwise it is the innermost line outside of the package.
    """
    frame: FrameType | None = sys._getframe(1)
    while is_in_package(frame):
        if frame.f_code is walk.walk_back.__code__:
            node = frame.f_locals.get("node", walk)
            return f"for the gradient of {_made_by.get(node, 'an op')}", True
        frame = frame.f_back
    if not frame:
        return "at an unknown line", False
    return f"at {frame.f_code.co_filename}:{frame.f_lineno}", False


class _Detector(Observer):
    """Raises for the first NaN or infinity in a block of `detect_anomaly`."""

    def __init__(self) -> None:
        self.thread = get_ident()  # that opened the block

    def op_called(self, name: str, args: Sequence[Operand], result: Operand) -> None:
        """Check a result; an infinity may be handed on, a NaN may not."""
        caller, is_walk = _caller()
        shown = [describe(x) if hasattr(x, "shape") else repr(x) for x in args]
        call = f"{name}({', '.join(shown)}) {caller}"
        for out in result if isinstance(result, tuple) else (result,):
            if out.node is not None:
                for node in (out.node, *out.node.parents[: out.node.plan.count]):
                    _made_by[node] = call
            if not is_walk:  # which checks its gradients
                self._check_result(out, args, call)

    def _check_result(self, out: Operand, args: Sequence[Operand], call: str) -> None:
        flaw = _flaw(out)
        if not flaw:
            return
        flaws = [(i, _flaw(x)) for i, x in enumerate(args)]
        given = [f"; argument {i} has {had}" for i, had in flaws if had]
        if flaw == "a NaN" or not given:
            what = f"{flaw} in the result of {call}"
            raise GraphError(f"detect_anomaly: {what}{''.join(given)}")

    def gradient_arrived(self, source: Node | None, g: Gradient) -> None:
        """Check a gradient."""
        flaw = _flaw(g)
        if not flaw:
            return
        origin = "the caller of backward()"
        if source is not None:
            unknown = "(its call, outside of detect_anomaly(), is not known)"
            origin = _made_by.get(source, f"{source.plan.name} {unknown}")
        what = f"{flaw} in a gradient of shape {g.shape}"
        raise GraphError(f"detect_anomaly: {what} from {origin}")


def _close_blocks_of_other_threads() -> None:
    """Forget the threads of the parent: a forked child has one only."""
    for observer in tuple(observers):
        if isinstance(observer, _Detector) and observer.thread != get_ident():
            observers.remove(observer)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_blocks_of_other_threads)


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise GraphError where an op, or its gradient, first gives a NaN or an infinity.

    ``with tg.autograd.detect_anomaly():`` or ``@tg.autograd.detect_anomaly()``, around
    the forward pass and ``backward()``; it checks all threads. The message names the
    op, the shapes of its arguments and the line of the program that called it. An op
    may hand on an infinity that an argument has, such as that of a mask: only a new one
    is an error. It is slow: use it to find an error.

    Example:
        >>> import tinygrad_rnn as tg
        >>> with tg.autograd.detect_anomaly():
        ...     tg.tensor(1.0) * float("nan")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        tinygrad_rnn.errors.GraphError: detect_anomaly: a NaN in the result of ...
    """
    detector = _Detector()
    observers.append(detector)
    try:
        yield
    finally:
        observers.remove(detector)
