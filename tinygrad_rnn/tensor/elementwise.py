"""Functions of each element: the methods that are one op each, and a few more.

An op's errors name the op. Where a method has another name, or settings, ``named``
gives its errors the method's; where the names are the same, it would only cost time.
"""

from numbers import Real
from typing import Self

import numpy as np

from .. import ops
from ..errors import OptionError, check_choice, check_type
from ..errors.boundary import name_errors
from ..types import Operand
from .arguments import check_mask
from .base import TensorBase


class Elementwise(TensorBase):
    """Functions of each element, and the operators."""

    __slots__ = ()

    @name_errors
    def add(self, other: Operand) -> Self:
        """x + other."""
        return ops.add(self, other)

    @name_errors
    def sub(self, other: Operand) -> Self:
        """x - other."""
        return ops.subtract(self, other)

    @name_errors
    def mul(self, other: Operand) -> Self:
        """x * other."""
        return ops.multiply(self, other)

    @name_errors
    def maximum(self, other: Operand) -> Self:
        """The larger of x and other."""
        return ops.maximum(self, other)

    @name_errors
    def minimum(self, other: Operand) -> Self:
        """The smaller of x and other."""
        return ops.minimum(self, other)

    @name_errors
    def remainder(self, other: Operand) -> Self:
        """x % other."""
        return ops.remainder(self, other)

    @name_errors
    def floor_divide(self, other: Operand) -> Self:
        """x // other."""
        return ops.floor_divide(self, other)

    @name_errors
    def eq(self, other: Operand) -> Self:
        """x == other."""
        return ops.equal(self, other)

    @name_errors
    def ne(self, other: Operand) -> Self:
        """x != other."""
        return ops.not_equal(self, other)

    @name_errors
    def lt(self, other: Operand) -> Self:
        """x < other."""
        return ops.less(self, other)

    @name_errors
    def le(self, other: Operand) -> Self:
        """x <= other."""
        return ops.less_equal(self, other)

    @name_errors
    def gt(self, other: Operand) -> Self:
        """x > other."""
        return ops.greater(self, other)

    @name_errors
    def ge(self, other: Operand) -> Self:
        """x >= other."""
        return ops.greater_equal(self, other)

    @name_errors
    def logical_and(self, other: Operand) -> Self:
        """x and other, as truth values."""
        return ops.logical_and(self, other)

    @name_errors
    def logical_or(self, other: Operand) -> Self:
        """x or other, as truth values."""
        return ops.logical_or(self, other)

    def abs(self) -> Self:
        """|x|."""
        return ops.abs(self)

    @name_errors
    def neg(self) -> Self:
        """-x."""
        return ops.negative(self)

    def sign(self) -> Self:
        """The sign of x: -1, 0 or 1."""
        return ops.sign(self)

    def square(self) -> Self:
        """x * x."""
        return ops.square(self)

    def sqrt(self) -> Self:
        """The square root."""
        return ops.sqrt(self)

    def reciprocal(self) -> Self:
        """1 / x."""
        return ops.reciprocal(self)

    def exp(self) -> Self:
        """e^x."""
        return ops.exp(self)

    def expm1(self) -> Self:
        """e^x - 1, exact near 0."""
        return ops.expm1(self)

    def log(self) -> Self:
        """The natural logarithm."""
        return ops.log(self)

    def log1p(self) -> Self:
        """log(1 + x), exact near 0."""
        return ops.log1p(self)

    def sin(self) -> Self:
        """The sine, of radians."""
        return ops.sin(self)

    def cos(self) -> Self:
        """The cosine, of radians."""
        return ops.cos(self)

    def tanh(self) -> Self:
        """The hyperbolic tangent."""
        return ops.tanh(self)

    def sigmoid(self) -> Self:
        """1 / (1 + e^-x)."""
        return ops.sigmoid(self)

    def relu(self) -> Self:
        """max(x, 0)."""
        return ops.relu(self)

    def floor(self) -> Self:
        """The largest integer that is at most x."""
        return ops.floor(self)

    def ceil(self) -> Self:
        """The smallest integer that is at least x."""
        return ops.ceil(self)

    def round(self) -> Self:
        """The nearest integer; the even one of two."""
        return ops.round(self)

    def isnan(self) -> Self:
        """Whether x is NaN."""
        return ops.isnan(self)

    def isinf(self) -> Self:
        """Whether x is infinite."""
        return ops.isinf(self)

    def isfinite(self) -> Self:
        """Whether x is neither NaN nor infinite."""
        return ops.isfinite(self)

    def logical_not(self) -> Self:
        """Whether x is 0 or false."""
        return ops.logical_not(self)

    def clone(self) -> Self:
        """A copy, through which gradients flow."""
        return ops.clone(self)

    @name_errors
    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Self:
        """x / other.

        Args:
            other: a tensor, an array or a number.
            rounding_mode: None leaves the quotient as it is, ``"floor"`` rounds it
                down, ``"trunc"`` rounds it towards 0.
        """
        if rounding_mode is None:
            return ops.divide(self, other)
        check_choice("div", ("floor", "trunc"), rounding_mode=rounding_mode)
        down = ops.floor_divide(self, other)
        if rounding_mode == "floor":
            return down
        is_rounded_away = (down < 0) & (down * other != self)
        return ops.where(is_rounded_away, down + 1, down)

    def pow(self, exponent: Operand) -> Self:
        """x ** exponent."""
        if isinstance(exponent, np.generic):
            exponent = exponent.item()
        if isinstance(exponent, int | float):
            return ops.power(self, exponent)
        return ops.pow(self, exponent)

    @name_errors
    def clamp(self, min: float | None = None, max: float | None = None) -> Self:
        """x, but at least ``min`` and at most ``max``; one of the two may be None."""
        if min is None and max is None:
            raise OptionError("clamp: min and max are both None, expected at least one")
        check_type("clamp", Real | None, "a number, or None", min=min, max=max)
        return ops.clip(self, min, max)

    @name_errors
    def where(self, condition: Operand, other: Operand) -> Self:
        """x where ``condition``, else ``other``."""
        return ops.where(check_mask("where", "condition", condition), self, other)

    @name_errors
    def masked_fill(self, mask: Operand, value: Operand) -> Self:
        """``value`` where ``mask``, else x."""
        return ops.where(check_mask("masked_fill", "mask", mask), value, self)
