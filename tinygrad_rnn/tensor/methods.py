"""Methods that are one op each: ``exp = unary(ops.exp, "e^x.", "[0.0]", "[1.0]")``.

Where a method's arguments have to be known by name, it is written out instead.
"""

from collections.abc import Callable
from typing import TypeVar

from ..engine.op import Op
from ..types import Function, Operand

T = TypeVar("T")

_WITH_EXAMPLE = """{doc}

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.tensor({given}).{name}().tolist()
        {result}
"""


def _describe(method: Function, op: Op, doc: str) -> None:
    """Give a method its docstring, and the op's name for messages about arguments."""
    method.__name__ = method.__qualname__ = op.name
    method.__doc__ = doc


def unary(op: Op, doc: str, given: str = "", result: str = "") -> Callable[[T], T]:
    """Return the method ``op(x)``.

    Its docstring shows the result, as a list, for the elements ``given``.
    """

    def method(self: T) -> T:
        return op(self)

    if given:
        parts = {"doc": doc, "given": given, "name": op.name, "result": result}
        doc = _WITH_EXAMPLE.format(**parts)
    _describe(method, op, doc)
    return method


def binary(op: Op, doc: str) -> Callable[[T, Operand], T]:
    """Return the method ``op(x, other)``."""

    def method(self: T, other: Operand) -> T:
        return op(self, other)

    _describe(method, op, doc)
    return method


def reflected(op: Op, doc: str) -> Callable[[T, Operand], T]:
    """Return the method ``op(other, x)``, of an operator with x on its right."""

    def method(self: T, other: Operand) -> T:
        return op(other, self)

    _describe(method, op, doc)
    return method
