"""Observers, which see every call of an op and every gradient.

Detecting anomalies, profiling and the like have no other access to the engine. Without
an observer, this costs a test of an empty list.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..types import Gradient, Operand

if TYPE_CHECKING:
    from .node import Node


class Observer:
    """Base class of observers; its methods do nothing."""

    def op_called(self, name: str, args: Sequence[Operand], result: Operand) -> None:
        """See the call of an op: its arguments, and what it gave."""

    def gradient_arrived(self, source: "Node | None", g: Gradient) -> None:
        """See a gradient that a node's pullback gave; None for the start of a walk."""


observers: list[Observer] = []


def report_call(name: str, args: Sequence[Operand], result: Operand) -> None:
    """Tell all observers of a call."""
    for observer in tuple(observers):
        observer.op_called(name, args, result)


def report_gradient(source: "Node | None", g: Gradient) -> None:
    """Tell all observers of a gradient."""
    for observer in tuple(observers):
        observer.gradient_arrived(source, g)
