"""Functions of each element, and the operators."""

from numbers import Number, Real
from typing import Any, Self

import numpy as np

from .. import errors, ops
from ..backend import backends
from ..engine.node import Value
from ..errors.boundary import named
from .arguments import Operand, mask_of
from .base import TensorBase


def _compares(value: Any) -> bool:
    """Whether == compares elements with it; what else there is, such as a str, is just
    not equal.
    """
    if isinstance(value, Value | Number):
        return True
    return type(value) in backends or hasattr(type(value), "__array__")


# The operators of NumPy's arrays by the ufunc that they call, and what a Tensor on
# their right does.
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

# Ufuncs whose method is called otherwise.
_OURS = {
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


class Elementwise(TensorBase):
    """Functions of each element, and the operators."""

    __slots__ = ()

    @named
    def add(self, other: Operand) -> Self:
        "x + other."
        return ops.add(self, other)

    @named
    def sub(self, other: Operand) -> Self:
        "x - other."
        return ops.subtract(self, other)

    @named
    def mul(self, other: Operand) -> Self:
        "x * other."
        return ops.multiply(self, other)

    @named
    def maximum(self, other: Operand) -> Self:
        "The larger one."
        return ops.maximum(self, other)

    @named
    def minimum(self, other: Operand) -> Self:
        "The smaller one."
        return ops.minimum(self, other)

    @named
    def remainder(self, other: Operand) -> Self:
        "x % other."
        return ops.remainder(self, other)

    @named
    def floor_divide(self, other: Any) -> Self:
        "x // other."
        return ops.floor_divide(self, other)

    @named
    def eq(self, other: Operand) -> Self:
        "x == other."
        return ops.equal(self, other)

    @named
    def ne(self, other: Operand) -> Self:
        "x != other."
        return ops.not_equal(self, other)

    @named
    def lt(self, other: Operand) -> Self:
        "x < other."
        return ops.less(self, other)

    @named
    def le(self, other: Operand) -> Self:
        "x <= other."
        return ops.less_equal(self, other)

    @named
    def gt(self, other: Operand) -> Self:
        "x > other."
        return ops.greater(self, other)

    @named
    def ge(self, other: Operand) -> Self:
        "x >= other."
        return ops.greater_equal(self, other)

    @named
    def logical_and(self, other: Operand) -> Self:
        "Both."
        return ops.logical_and(self, other)

    @named
    def logical_or(self, other: Operand) -> Self:
        "Either."
        return ops.logical_or(self, other)

    def abs(self) -> Self:
        "|x|."
        return ops.abs(self)

    @named
    def neg(self) -> Self:
        "-x."
        return ops.negative(self)

    def sign(self) -> Self:
        "-1, 0 or 1."
        return ops.sign(self)

    def square(self) -> Self:
        "x * x."
        return ops.square(self)

    def sqrt(self) -> Self:
        "The square root."
        return ops.sqrt(self)

    def reciprocal(self) -> Self:
        "1 / x."
        return ops.reciprocal(self)

    def exp(self) -> Self:
        "e^x."
        return ops.exp(self)

    def expm1(self) -> Self:
        "e^x - 1, exact near 0."
        return ops.expm1(self)

    def log(self) -> Self:
        "The natural logarithm."
        return ops.log(self)

    def log1p(self) -> Self:
        "log(1 + x), exact near 0."
        return ops.log1p(self)

    def sin(self) -> Self:
        "The sine, of radians."
        return ops.sin(self)

    def cos(self) -> Self:
        "The cosine, of radians."
        return ops.cos(self)

    def tanh(self) -> Self:
        "The hyperbolic tangent."
        return ops.tanh(self)

    def sigmoid(self) -> Self:
        "1 / (1 + e^-x)."
        return ops.sigmoid(self)

    def relu(self) -> Self:
        "max(x, 0)."
        return ops.relu(self)

    def floor(self) -> Self:
        "Rounded down."
        return ops.floor(self)

    def ceil(self) -> Self:
        "Rounded up."
        return ops.ceil(self)

    def round(self) -> Self:
        "Rounded to even at a half."
        return ops.round(self)

    def isnan(self) -> Self:
        "Where NaN."
        return ops.isnan(self)

    def isinf(self) -> Self:
        "Where infinite."
        return ops.isinf(self)

    def isfinite(self) -> Self:
        "Where neither NaN nor infinite."
        return ops.isfinite(self)

    def logical_not(self) -> Self:
        "Where 0 or false."
        return ops.logical_not(self)

    def clone(self) -> Self:
        "A copy, in the graph."
        return ops.clone(self)

    @named
    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Self:
        """x / other; as it is, rounded down (``"floor"``) or towards 0 (``"trunc"``)."""
        if rounding_mode is None:
            return ops.divide(self, other)
        errors.check_choice("div", ("floor", "trunc"), rounding_mode=rounding_mode)
        down: Any = self.floor_divide(other)
        if rounding_mode == "floor":
            return down
        is_rounded_away = (down < 0) & (down * other != self)
        return ops.where(is_rounded_away, down + 1, down)

    def pow(self, exponent: Operand) -> Self:
        """x ** exponent."""
        if isinstance(exponent, np.generic):
            exponent = exponent.item()
        return (ops.power if isinstance(exponent, int | float) else ops.pow)(
            self, exponent
        )

    @named
    def clamp(self, min: Any = None, max: Any = None) -> Self:
        """No smaller than ``min``, no larger than ``max``: numbers, or None."""
        if min is None and max is None:
            raise errors.OptionError(
                "clamp: min and max are both None, expected at least one"
            )
        if not isinstance(min, int | float | None) or not isinstance(
            max, int | float | None
        ):
            errors.check_type(
                "clamp", Real | None, "a number, or None", min=min, max=max
            )
        return ops.clip(self, min, max)

    @named
    def where(self, condition: Any, other: Operand) -> Self:
        """Itself where ``condition``, else ``other``."""
        return ops.where(mask_of("where", "condition", condition), self, other)

    @named
    def masked_fill(self, mask: Any, value: Operand) -> Self:
        """``value`` where ``mask``, else itself."""
        return ops.where(mask_of("masked_fill", "mask", mask), value, self)

    def __add__(self, other: Operand) -> Self:
        return ops.add(self, other)

    def __sub__(self, other: Operand) -> Self:
        return ops.subtract(self, other)

    def __mul__(self, other: Operand) -> Self:
        return ops.multiply(self, other)

    def __truediv__(self, other: Operand) -> Self:
        return ops.divide(self, other)

    def __floordiv__(self, other: Any) -> Any:
        return ops.floor_divide(self, other)

    def __mod__(self, other: Any) -> Any:
        return ops.remainder(self, other)

    def __pow__(self, other: Any) -> Any:
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

    def __eq__(self, x: Operand) -> Any:
        return self.eq(x) if _compares(x) else NotImplemented

    def __ne__(self, x: Operand) -> Any:
        return self.ne(x) if _compares(x) else NotImplemented

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
        self, ufunc: Any, method: str, *inputs: Any, **settings: Any
    ) -> Any:
        """``array + tensor`` as a Tensor; of ``np.exp(tensor)`` and its kin an error."""
        reflected = _REFLECTED.get(ufunc.__name__)
        mixed = len(inputs) == 2 and not isinstance(inputs[0], TensorBase)
        plain = (
            all(out is inputs[0] for out in settings.pop("out", ())) and not settings
        )
        if method == "__call__" and reflected is not None and mixed and plain:
            return getattr(inputs[1], reflected)(
                inputs[0]
            )  # array + tensor, or array += tensor
        name = f"np.{ufunc.__name__}"
        ours = _OURS.get(ufunc.__name__, ufunc.__name__)
        way = (
            f"t.{ours}()"
            if hasattr(type(self), ours)
            else "tg's functions, or t.detach().numpy()"
        )
        raise errors.DTypeError(
            f"{name}: got a Tensor, which NumPy's functions lose; use {way}"
        )
