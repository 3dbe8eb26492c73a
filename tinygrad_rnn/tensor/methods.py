"""Methods that are one op each: ``exp = unary(ops.exp, "e^x.")``.

Where a method's arguments have to be known by name, it is written out instead.
"""

from collections.abc import Callable
from typing import TypeVar

from ..engine.op import Op
from ..types import Function, Operand

T = TypeVar("T")


def _describe(method: Function, op: Op, doc: str) -> None:
    """Give a method its docstring, and the op's name for messages about arguments."""
    method.__name__ = method.__qualname__ = op.name
    method.__doc__ = doc


def unary(op: Op, doc: str) -> Callable[[T], T]:
    """Return the method ``op(x)``."""

    def method(self: T) -> T:
        return op(self)

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
