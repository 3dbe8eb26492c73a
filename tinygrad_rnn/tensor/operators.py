"""The operators, also those of a NumPy array on the left."""

from numbers import Number
from typing import Self

import numpy as np

from .. import ops
from ..backend import backends
from ..engine.node import Value
from ..errors import DTypeError
from ..types import Operand
from .elementwise import Elementwise

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
    """Whether ``==`` compares elements; other values, such as a str, are unequal."""
    if isinstance(value, Value | Number):
        return True
    return type(value) in backends or hasattr(type(value), "__array__")


class Operators(Elementwise):
    """The operators."""

    __slots__ = ()

    def __add__(self, other: Operand) -> Self:
        return ops.add(self, other)

    def __sub__(self, other: Operand) -> Self:
        return ops.subtract(self, other)

    def __mul__(self, other: Operand) -> Self:
        return ops.multiply(self, other)

    def __truediv__(self, other: Operand) -> Self:
        return ops.divide(self, other)

    def __floordiv__(self, other: Operand) -> Self:
        return ops.floor_divide(self, other)

    def __mod__(self, other: Operand) -> Self:
        return ops.remainder(self, other)

    def __pow__(self, other: Operand) -> Self:
        return self.pow(other)

    def __lt__(self, other: Operand) -> Self:
        return ops.less(self, other)

    def __le__(self, other: Operand) -> Self:
        return ops.less_equal(self, other)

    def __gt__(self, other: Operand) -> Self:
        return ops.greater(self, other)

    def __ge__(self, other: Operand) -> Self:
        return ops.greater_equal(self, other)

    def __neg__(self) -> Self:
        return ops.negative(self)

    def __abs__(self) -> Self:
        return ops.abs(self)

    __hash__ = object.__hash__

    def __eq__(self, other: Operand) -> Self:  # type: ignore[override]
        return self.eq(other) if _has_elements(other) else NotImplemented

    def __ne__(self, other: Operand) -> Self:  # type: ignore[override]
        return self.ne(other) if _has_elements(other) else NotImplemented

    def __radd__(self, other: Operand) -> Self:
        return ops.add(other, self)

    def __rsub__(self, other: Operand) -> Self:
        return ops.subtract(other, self)

    def __rmul__(self, other: Operand) -> Self:
        return ops.multiply(other, self)

    def __rtruediv__(self, other: Operand) -> Self:
        return ops.divide(other, self)

    def __rfloordiv__(self, other: Operand) -> Self:
        return ops.floor_divide(other, self)

    def __rmod__(self, other: Operand) -> Self:
        return ops.remainder(other, self)

    def __and__(self, other: Operand) -> Self:
        return ops.bitwise_and(self, other)

    def __rand__(self, other: Operand) -> Self:
        return ops.bitwise_and(other, self)

    def __or__(self, other: Operand) -> Self:
        return ops.bitwise_or(self, other)

    def __ror__(self, other: Operand) -> Self:
        return ops.bitwise_or(other, self)

    def __invert__(self) -> Self:
        return ops.bitwise_invert(self)

    def __pos__(self) -> Self:
        return self

    def __rpow__(self, base: Operand) -> Self:
        """base ** x; a number becomes a tensor of the dtype that it has next to x."""
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
        """``array + tensor`` and ``array += tensor``; ``np.exp(tensor)`` raises."""
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
