"""Functions of each element, and the operators, also those of an array on the left.

An op's errors name the op. Where a method has another name, or settings,
``name_errors`` gives its errors the method's; elsewhere it would only cost time.
"""

from numbers import Number, Real
from typing import Self

import numpy as np

from .. import ops
from ..backend import backends
from ..engine.node import Value
from ..errors import DTypeError, OptionError, check_choice, check_type
from ..errors.boundary import name_errors
from ..types import Operand
from .arguments import check_mask
from .base import TensorBase
from .methods import binary, reflected, unary

# What an operator of a NumPy array calls: its ufunc, and the method of a Tensor on its
# right that takes its place.
_REFLECTED = {
    "add": "__radd__",
    "subtract": "__rsub__",
    "multiply": "__rmul__",
    "divide": "__rtruediv__",
    "floor_divide": "__rfloordiv__",
    "remainder": "__rmod__",
    "power": "__rpow__",
    "matmul": "__rmatmul__",
    "bitwise_and": "__rand__",
    "bitwise_or": "__ror__",
    "equal": "__eq__",
    "not_equal": "__ne__",
    "less": "__gt__",
    "less_equal": "__ge__",
    "greater": "__lt__",
    "greater_equal": "__le__",
}

# NumPy's ufuncs whose method here has another name.
_OUR_NAMES = {
    "absolute": "abs",
    "negative": "neg",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "power": "pow",
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "rint": "round",
    "conjugate": "clone",
}


def _has_elements(value: object) -> bool:
    """Return whether ``==`` compares elements; a str, say, is unequal to tensors."""
    if isinstance(value, Value | Number):
        return True
    return type(value) in backends or hasattr(type(value), "__array__")


class Elementwise(TensorBase):
    """Functions of each element, and the operators."""

    __slots__ = ()

    # ------------------------------------------------------------ of one tensor

    abs = unary(ops.abs, "Return |x|.")
    sign = unary(ops.sign, "Return the sign of x: -1, 0 or 1.")
    square = unary(ops.square, "Return x * x.")
    sqrt = unary(ops.sqrt, "Return the square root.")
    reciprocal = unary(ops.reciprocal, "Return 1 / x.")
    exp = unary(ops.exp, "Return e^x.")
    expm1 = unary(ops.expm1, "Return e^x - 1, exact near 0.")
    log = unary(ops.log, "Return the natural logarithm.")
    log1p = unary(ops.log1p, "Return log(1 + x), exact near 0.")
    sin = unary(ops.sin, "Return the sine, of radians.")
    cos = unary(ops.cos, "Return the cosine, of radians.")
    tanh = unary(ops.tanh, "Return the hyperbolic tangent.")
    sigmoid = unary(ops.sigmoid, "Return 1 / (1 + e^-x).")
    relu = unary(ops.relu, "Return max(x, 0).")
    floor = unary(ops.floor, "Return the largest integer that is at most x.")
    ceil = unary(ops.ceil, "Return the smallest integer that is at least x.")
    round = unary(ops.round, "Return the nearest integer; the even one of two.")
    isnan = unary(ops.isnan, "Return whether x is NaN.")
    isinf = unary(ops.isinf, "Return whether x is infinite.")
    isfinite = unary(ops.isfinite, "Return whether x is neither NaN nor infinite.")
    logical_not = unary(ops.logical_not, "Return whether x is 0 or false.")
    clone = unary(ops.clone, "Return a copy, through which gradients flow.")

    @name_errors
    def neg(self) -> Self:
        """Return -x."""
        return ops.negative(self)

    # ------------------------------------------------------------ of two

    @name_errors
    def add(self, other: Operand) -> Self:
        """Return x + other."""
        return ops.add(self, other)

    @name_errors
    def sub(self, other: Operand) -> Self:
        """Return x - other."""
        return ops.subtract(self, other)

    @name_errors
    def mul(self, other: Operand) -> Self:
        """Return x * other."""
        return ops.multiply(self, other)

    @name_errors
    def maximum(self, other: Operand) -> Self:
        """Return the larger of x and other."""
        return ops.maximum(self, other)

    @name_errors
    def minimum(self, other: Operand) -> Self:
        """Return the smaller of x and other."""
        return ops.minimum(self, other)

    @name_errors
    def remainder(self, other: Operand) -> Self:
        """Return x % other."""
        return ops.remainder(self, other)

    @name_errors
    def floor_divide(self, other: Operand) -> Self:
        """Return x // other."""
        return ops.floor_divide(self, other)

    @name_errors
    def eq(self, other: Operand) -> Self:
        """Return x == other."""
        return ops.equal(self, other)

    @name_errors
    def ne(self, other: Operand) -> Self:
        """Return x != other."""
        return ops.not_equal(self, other)

    @name_errors
    def lt(self, other: Operand) -> Self:
        """Return x < other."""
        return ops.less(self, other)

    @name_errors
    def le(self, other: Operand) -> Self:
        """Return x <= other."""
        return ops.less_equal(self, other)

    @name_errors
    def gt(self, other: Operand) -> Self:
        """Return x > other."""
        return ops.greater(self, other)

    @name_errors
    def ge(self, other: Operand) -> Self:
        """Return x >= other."""
        return ops.greater_equal(self, other)

    @name_errors
    def logical_and(self, other: Operand) -> Self:
        """Return x and other, as truth values."""
        return ops.logical_and(self, other)

    @name_errors
    def logical_or(self, other: Operand) -> Self:
        """Return x or other, as truth values."""
        return ops.logical_or(self, other)

    @name_errors
    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Self:
        """Return x / other.

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
        """Return x ** exponent."""
        if isinstance(exponent, np.generic):
            exponent = exponent.item()
        if isinstance(exponent, int | float):
            return ops.power(self, exponent)
        return ops.pow(self, exponent)

    @name_errors
    def clamp(self, min: float | None = None, max: float | None = None) -> Self:
        """Limit x to at least ``min`` and at most ``max``; one of them may be None."""
        if min is None and max is None:
            raise OptionError("clamp: min and max are both None, expected at least one")
        check_type("clamp", Real | None, "a number, or None", min=min, max=max)
        return ops.clip(self, min, max)

    @name_errors
    def where(self, condition: Operand, other: Operand) -> Self:
        """Return x where ``condition``, else ``other``."""
        return ops.where(check_mask("where", "condition", condition), self, other)

    @name_errors
    def masked_fill(self, mask: Operand, value: Operand) -> Self:
        """Return ``value`` where ``mask``, else x."""
        return ops.where(check_mask("masked_fill", "mask", mask), value, self)

    # ------------------------------------------------------------ operators

    __add__ = binary(ops.add, "Return x + other.")
    __radd__ = reflected(ops.add, "Return other + x.")
    __sub__ = binary(ops.subtract, "Return x - other.")
    __rsub__ = reflected(ops.subtract, "Return other - x.")
    __mul__ = binary(ops.multiply, "Return x * other.")
    __rmul__ = reflected(ops.multiply, "Return other * x.")
    __truediv__ = binary(ops.divide, "Return x / other.")
    __rtruediv__ = reflected(ops.divide, "Return other / x.")
    __floordiv__ = binary(ops.floor_divide, "Return x // other.")
    __rfloordiv__ = reflected(ops.floor_divide, "Return other // x.")
    __mod__ = binary(ops.remainder, "Return x % other.")
    __rmod__ = reflected(ops.remainder, "Return other % x.")
    __and__ = binary(ops.bitwise_and, "Return x & other.")
    __rand__ = reflected(ops.bitwise_and, "Return other & x.")
    __or__ = binary(ops.bitwise_or, "Return x | other.")
    __ror__ = reflected(ops.bitwise_or, "Return other | x.")
    __lt__ = binary(ops.less, "Return x < other.")
    __le__ = binary(ops.less_equal, "Return x <= other.")
    __gt__ = binary(ops.greater, "Return x > other.")
    __ge__ = binary(ops.greater_equal, "Return x >= other.")
    __neg__ = unary(ops.negative, "Return -x.")
    __abs__ = abs
    __invert__ = unary(ops.bitwise_invert, "Return ~x.")
    __hash__ = object.__hash__

    def __eq__(self, other: Operand) -> Self:  # type: ignore[override]
        """Return x == other."""
        return self.eq(other) if _has_elements(other) else NotImplemented

    def __ne__(self, other: Operand) -> Self:  # type: ignore[override]
        """Return x != other."""
        return self.ne(other) if _has_elements(other) else NotImplemented

    def __pos__(self) -> Self:
        """Return +x, which is x itself."""
        return self

    def __pow__(self, other: Operand) -> Self:
        """Return x ** other."""
        return self.pow(other)

    def __rpow__(self, base: Operand) -> Self:
        """Return base ** x; a number is a tensor of the dtype that it has next to x."""
        zeros = ops.zeros_like(self)
        return ops.pow(ops.astype(ops.equal(zeros, zeros), self.dtype) * base, self)

    def __array_ufunc__(
        self,
        ufunc: np.ufunc,
        method: str,
        *inputs: Operand,
        out: tuple[object, ...] = (),
        **settings: object,
    ) -> Self:
        """Run ``array + tensor``, ``array += tensor``; raise for ``np.exp(tensor)``."""
        name = ufunc.__name__
        left, *right = inputs
        is_operator = (
            method == "__call__"
            and name in _REFLECTED
            and len(right) == 1
            and not isinstance(left, Value)
            and all(array is left for array in out)
            and not settings
        )
        if is_operator:
            return getattr(right[0], _REFLECTED[name])(left)
        ours = _OUR_NAMES.get(name, name)
        way = "tg's functions, or t.detach().numpy()"
        if hasattr(type(self), ours):
            way = f"t.{ours}()"
        raise DTypeError(
            f"np.{name}: got a Tensor, which NumPy's functions lose; use {way}"
        )
