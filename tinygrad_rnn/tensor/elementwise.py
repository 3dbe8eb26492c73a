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

    abs = unary(ops.abs, "Return the absolute value.", "[-2.0, 3.0]", "[2.0, 3.0]")
    sign = unary(
        ops.sign,
        "Return the sign of x: -1, 0 or 1.",
        "[-2.0, 0.0, 3.0]",
        "[-1.0, 0.0, 1.0]",
    )
    square = unary(ops.square, "Return x * x.", "[-2.0, 3.0]", "[4.0, 9.0]")
    sqrt = unary(ops.sqrt, "Return the square root.", "[4.0, 9.0]", "[2.0, 3.0]")
    reciprocal = unary(ops.reciprocal, "Return 1 / x.", "[2.0, 4.0]", "[0.5, 0.25]")
    exp = unary(ops.exp, "Return e^x.", "[0.0, -999.0]", "[1.0, 0.0]")
    expm1 = unary(
        ops.expm1, "Return e^x - 1, exact near 0.", "[0.0, -99.0]", "[0.0, -1.0]"
    )
    log = unary(ops.log, "Return the natural logarithm.", "[1.0]", "[0.0]")
    log1p = unary(ops.log1p, "Return log(1 + x), exact near 0.", "[0.0]", "[0.0]")
    sin = unary(
        ops.sin, "Return the sine, of radians.", "[0.0, 1.5707964]", "[0.0, 1.0]"
    )
    cos = unary(
        ops.cos, "Return the cosine, of radians.", "[0.0, 3.1415927]", "[1.0, -1.0]"
    )
    tanh = unary(
        ops.tanh, "Return the hyperbolic tangent.", "[0.0, 99.0]", "[0.0, 1.0]"
    )
    sigmoid = unary(ops.sigmoid, "Return 1 / (1 + e^-x).", "[0.0, 99.0]", "[0.5, 1.0]")
    relu = unary(ops.relu, "Return max(x, 0).", "[-2.0, 3.0]", "[0.0, 3.0]")
    floor = unary(
        ops.floor,
        "Return the largest integer that is at most x.",
        "[-1.5, 1.5]",
        "[-2.0, 1.0]",
    )
    ceil = unary(
        ops.ceil,
        "Return the smallest integer that is at least x.",
        "[-1.5, 1.5]",
        "[-1.0, 2.0]",
    )
    round = unary(
        ops.round,
        "Return the nearest integer; the even one of two.",
        "[0.5, 1.5, 1.7]",
        "[0.0, 2.0, 2.0]",
    )
    isnan = unary(
        ops.isnan, "Return whether x is NaN.", "[1.0, float('nan')]", "[False, True]"
    )
    isinf = unary(
        ops.isinf,
        "Return whether x is infinite.",
        "[1.0, float('-inf')]",
        "[False, True]",
    )
    isfinite = unary(
        ops.isfinite,
        "Return whether x is neither NaN nor infinite.",
        "[1.0, float('nan')]",
        "[True, False]",
    )
    logical_not = unary(
        ops.logical_not,
        "Return whether x is 0 or false.",
        "[0.0, 2.0]",
        "[True, False]",
    )
    clone = unary(
        ops.clone,
        "Return a copy, through which gradients flow.",
        "[1.0, 2.0]",
        "[1.0, 2.0]",
    )

    @name_errors
    def neg(self) -> Self:
        """Return -x.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, -2]).neg().tolist()
            [-1, 2]
        """
        return ops.negative(self)

    # ------------------------------------------------------------ of two

    @name_errors
    def add(self, other: Operand) -> Self:
        """Return x + other.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2]).add(10).tolist()
            [11, 12]
        """
        return ops.add(self, other)

    @name_errors
    def sub(self, other: Operand) -> Self:
        """Return x - other.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2]).sub(10).tolist()
            [-9, -8]
        """
        return ops.subtract(self, other)

    @name_errors
    def mul(self, other: Operand) -> Self:
        """Return x * other.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1], [2]]).mul(tg.tensor([3, 4])).tolist()
            [[3, 4], [6, 8]]
        """
        return ops.multiply(self, other)

    @name_errors
    def maximum(self, other: Operand) -> Self:
        """Return the larger of x and other.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 5]).maximum(tg.tensor([3, 4])).tolist()
            [3, 5]
        """
        return ops.maximum(self, other)

    @name_errors
    def minimum(self, other: Operand) -> Self:
        """Return the smaller of x and other.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 5]).minimum(tg.tensor([3, 4])).tolist()
            [1, 4]
        """
        return ops.minimum(self, other)

    @name_errors
    def remainder(self, other: Operand) -> Self:
        """Return x % other: what remains after :meth:`floor_divide`, with other's sign.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([-7, 7]).remainder(3).tolist()
            [2, 1]
        """
        return ops.remainder(self, other)

    @name_errors
    def floor_divide(self, other: Operand) -> Self:
        """Return x // other: the quotient, rounded down.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([-7, 7]).floor_divide(3).tolist()
            [-3, 2]
        """
        return ops.floor_divide(self, other)

    @name_errors
    def eq(self, other: Operand) -> Self:
        """Return x == other.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2, 3]).eq(2).tolist()
            [False, True, False]
        """
        return ops.equal(self, other)

    @name_errors
    def ne(self, other: Operand) -> Self:
        """Return x != other.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2, 3]).ne(2).tolist()
            [True, False, True]
        """
        return ops.not_equal(self, other)

    @name_errors
    def lt(self, other: Operand) -> Self:
        """Return x < other.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2, 3]).lt(2).tolist()
            [True, False, False]
        """
        return ops.less(self, other)

    @name_errors
    def le(self, other: Operand) -> Self:
        """Return x <= other.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2, 3]).le(2).tolist()
            [True, True, False]
        """
        return ops.less_equal(self, other)

    @name_errors
    def gt(self, other: Operand) -> Self:
        """Return x > other.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2, 3]).gt(2).tolist()
            [False, False, True]
        """
        return ops.greater(self, other)

    @name_errors
    def ge(self, other: Operand) -> Self:
        """Return x >= other.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2, 3]).ge(2).tolist()
            [False, True, True]
        """
        return ops.greater_equal(self, other)

    @name_errors
    def logical_and(self, other: Operand) -> Self:
        """Return x and other, as truth values.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([True, True]).logical_and(tg.tensor([True, False])).tolist()
            [True, False]
        """
        return ops.logical_and(self, other)

    @name_errors
    def logical_or(self, other: Operand) -> Self:
        """Return x or other, as truth values.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([True, False]).logical_or(tg.tensor([False, False])).tolist()
            [True, False]
        """
        return ops.logical_or(self, other)

    @name_errors
    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Self:
        """Return x / other.

        Args:
            other: a tensor, an array or a number.
            rounding_mode: None leaves the quotient as it is, ``"floor"`` rounds it
                down, ``"trunc"`` rounds it towards 0.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([-7.0, 7.0]).div(2).tolist()
            [-3.5, 3.5]
            >>> tg.tensor([-7.0, 7.0]).div(2, rounding_mode="trunc").tolist()
            [-3.0, 3.0]
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
        """Return x ** exponent.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2, 3]).pow(2).tolist()
            [1, 4, 9]
        """
        if isinstance(exponent, np.generic):
            exponent = exponent.item()
        if isinstance(exponent, int | float):
            return ops.power(self, exponent)
        return ops.pow(self, exponent)

    @name_errors
    def clamp(self, min: float | None = None, max: float | None = None) -> Self:
        """Limit x to at least ``min`` and at most ``max``; one of them may be None.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([-5.0, 0.5, 5.0]).clamp(-1.0, 1.0).tolist()
            [-1.0, 0.5, 1.0]
        """
        if min is None and max is None:
            raise OptionError("clamp: min and max are both None, expected at least one")
        check_type("clamp", Real | None, "a number, or None", min=min, max=max)
        return ops.clip(self, min, max)

    @name_errors
    def where(self, condition: Operand, other: Operand) -> Self:
        """Return x where ``condition``, else ``other``.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([-2.0, 3.0])
            >>> x.where(x > 0, 0.0).tolist()
            [0.0, 3.0]
        """
        return ops.where(check_mask("where", "condition", condition), self, other)

    @name_errors
    def masked_fill(self, mask: Operand, value: Operand) -> Self:
        """Return ``value`` where ``mask``, else x.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([1.0, 2.0])
            >>> x.masked_fill(tg.tensor([True, False]), 9.0).tolist()
            [9.0, 2.0]
        """
        return ops.where(check_mask("masked_fill", "mask", mask), value, self)

    # ------------------------------------------------------------ operators

    __add__ = binary(ops.add, "Return x + other: see :meth:`add`.")
    __radd__ = reflected(ops.add, "Return other + x: see :meth:`add`.")
    __sub__ = binary(ops.subtract, "Return x - other: see :meth:`sub`.")
    __rsub__ = reflected(ops.subtract, "Return other - x: see :meth:`sub`.")
    __mul__ = binary(ops.multiply, "Return x * other: see :meth:`mul`.")
    __rmul__ = reflected(ops.multiply, "Return other * x: see :meth:`mul`.")
    __truediv__ = binary(ops.divide, "Return x / other: see :meth:`div`.")
    __rtruediv__ = reflected(ops.divide, "Return other / x: see :meth:`div`.")
    __floordiv__ = binary(
        ops.floor_divide, "Return x // other: see :meth:`floor_divide`."
    )
    __rfloordiv__ = reflected(
        ops.floor_divide, "Return other // x: see :meth:`floor_divide`."
    )
    __mod__ = binary(ops.remainder, "Return x % other: see :meth:`remainder`.")
    __rmod__ = reflected(ops.remainder, "Return other % x: see :meth:`remainder`.")
    __and__ = binary(
        ops.bitwise_and,
        "Return x & other: of bools :meth:`logical_and`, of integers each bit.",
    )
    __rand__ = reflected(
        ops.bitwise_and,
        "Return other & x: of bools :meth:`logical_and`, of integers each bit.",
    )
    __or__ = binary(
        ops.bitwise_or,
        "Return x | other: of bools :meth:`logical_or`, of integers each bit.",
    )
    __ror__ = reflected(
        ops.bitwise_or,
        "Return other | x: of bools :meth:`logical_or`, of integers each bit.",
    )
    __lt__ = binary(ops.less, "Return x < other: see :meth:`lt`.")
    __le__ = binary(ops.less_equal, "Return x <= other: see :meth:`le`.")
    __gt__ = binary(ops.greater, "Return x > other: see :meth:`gt`.")
    __ge__ = binary(ops.greater_equal, "Return x >= other: see :meth:`ge`.")
    __neg__ = unary(ops.negative, "Return -x: see :meth:`neg`.")
    __abs__ = abs
    __invert__ = unary(
        ops.bitwise_invert,
        "Return ~x: of bools :meth:`logical_not`, of integers each bit.",
    )
    __hash__ = object.__hash__

    def __eq__(self, other: Operand) -> Self:  # type: ignore[override]
        """Return x == other: see :meth:`eq`."""
        return self.eq(other) if _has_elements(other) else NotImplemented

    def __ne__(self, other: Operand) -> Self:  # type: ignore[override]
        """Return x != other: see :meth:`ne`."""
        return self.ne(other) if _has_elements(other) else NotImplemented

    def __pos__(self) -> Self:
        """Return +x, which is x itself."""
        return self

    def __pow__(self, other: Operand) -> Self:
        """Return x ** other: see :meth:`pow`."""
        return self.pow(other)

    def __rpow__(self, base: Operand) -> Self:
        """Return base ** x; a number is a tensor of the dtype that it has next to x.

        Example:
            >>> import tinygrad_rnn as tg
            >>> (2.0 ** tg.tensor([1.0, 3.0])).tolist()
            [2.0, 8.0]
        """
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
