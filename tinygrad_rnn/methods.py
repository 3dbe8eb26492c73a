"""PyTorch's functions of tensors, as methods: a line, or a few, each over the table of
ops.

`functions` lists those that stand at the top level too. What the table itself checks
(dims, shapes that do not fit) is not checked again here.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from numbers import Number, Real
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np

from . import errors, ops
from .backend import backend_of, backends
from .backend.standard import numpy_dtype
from .engine.node import Value, wrap
from .errors import ShapeError, check_axis, check_dim
from .errors.boundary import named

Dim = int | tuple[int, ...] | list[int] | None
Operand = Any  # a Tensor, an array or a scalar

Int: TypeAlias = int  # methods take these names
Float: TypeAlias = float
Bool: TypeAlias = bool

F = TypeVar("F", bound=Callable[..., Any])


class Sorted(NamedTuple):
    """What ``max``, ``min`` along a dim, ``sort`` and ``topk`` give."""

    values: Any
    indices: Any


def sizes_of(name: str, sizes: tuple[Any, ...], named: Any = None) -> tuple[int, ...]:
    """Sizes given one by one, or as one sequence, or by name."""
    sizes = sizes if named is None else (named,)
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    try:
        return tuple([size.__index__() for size in sizes])
    except (AttributeError, TypeError):
        raise errors.DTypeError(f"{name}: got {sizes!r}, expected integers") from None


def mask_of(name: str, what: str, mask: Any) -> Any:
    """A mask, which has to be bool, as everywhere in PyTorch."""
    if "bool" not in str(getattr(mask, "dtype", "")):
        got = errors.described(mask)
        raise errors.DTypeError(
            f"{name}: {what} is {got}, expected bool; compare, as in x > 0"
        )
    return mask


def _check_is_dim(name: str, dim: Any) -> None:
    """Raise if max or min got another tensor, which PyTorch's functions of these names
    take.
    """
    if isinstance(dim, Value):
        got = f"dim is {errors.described(dim)}, expected an integer"
        raise errors.DTypeError(f"{name}: {got}; of two tensors it is {name}imum(a, b)")


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _compares(value: Any) -> bool:
    """Whether == compares elements with it; what else there is, such as a str, is just
    not equal.
    """
    if isinstance(value, Value | Number):
        return True
    return type(value) in backends or hasattr(type(value), "__array__")


def _operand(value: Any) -> Any:
    """A factor of a matrix product that is no Tensor, as one."""
    if type(value) not in backends:
        errors.check_type("matmul", Value, "a Tensor or an array", other=value)
    return wrap(value)


def _off_zero(x: Any, function: Callable[[Any], Any], there: float = 0.0) -> Any:
    """A function of x, but ``there``, and of gradient 0, where x is 0."""
    flat = ops.equal(x, 0)
    return ops.where(flat, there, function(ops.where(flat, 1.0, x)))


def _norm_scale(x: Any, p: float, dim: Dim) -> Any:
    """What to divide by before powers are taken, so that none leaves the range of the
    dtype.

    That is exactly 1, which changes no bit, where the element that counts most is of
    usual size; else it is that size. Usual sizes are those of which the powers in the
    first two derivatives, |x|^(p - 2) and (sum |x|^p)^(1/p - 2), are within range, too.
    """
    if x.dtype.kind != "f" or not x.numel():
        return 1
    limits = np.finfo(numpy_dtype(x.dtype))
    tiny, largest = float(limits.tiny), float(limits.max)
    highest_power = max(1.0, abs(p), abs(p - 2), abs(1 - 2 * p))
    low = (tiny / float(limits.eps)) ** (1 / highest_power)
    high = (largest / x.numel()) ** (1 / highest_power)
    sizes = x.detach().abs()
    top = sizes.amax(dim, True) if p > 0 else sizes.amin(dim, True)
    top = ops.where(ops.equal(top, 0), 1.0, top).clamp(max=largest)
    return ops.where(ops.equal(top, top.clamp(low, high)), 1.0, top)


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


class Methods(Value):
    """What can be done with a tensor: the names, arguments and results of PyTorch."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[Int, ...]:
        "The sizes of its dims."
        return self.array.shape

    @property
    def ndim(self) -> Int:
        "The number of its dims."
        return len(self.array.shape)

    @property
    def dtype(self) -> Any:
        """The type of its elements, a NumPy dtype on every device."""
        found = self.array.dtype
        return found if isinstance(found, np.dtype) else numpy_dtype(found)

    @property
    def T(self) -> Self:
        "The dims in reverse order."
        return self.permute(*range(self.ndim)[::-1])

    @property
    def mT(self) -> Self:
        "The last two dims exchanged."
        return self.transpose(-1, -2)

    def dim(self) -> Int:
        "The number of dims."
        return self.ndim

    def numel(self) -> Int:
        "The number of elements."
        return math.prod(self.shape)

    def size(self, dim: Int | None = None) -> Any:
        """The shape, or the size of one dim."""
        return (
            self.shape
            if dim is None
            else (self.shape or (1,))[check_dim("size", dim, self.shape)]
        )

    # ------------------------------------------------------------ elementwise: a line each
    def add(self, other: Operand) -> Self:
        "x + other."
        return ops.add(self, other)

    def sub(self, other: Operand) -> Self:
        "x - other."
        return ops.subtract(self, other)

    def mul(self, other: Operand) -> Self:
        "x * other."
        return ops.multiply(self, other)

    def maximum(self, other: Operand) -> Self:
        "The larger one."
        return ops.maximum(self, other)

    def minimum(self, other: Operand) -> Self:
        "The smaller one."
        return ops.minimum(self, other)

    def remainder(self, other: Operand) -> Self:
        "x % other."
        return ops.remainder(self, other)

    def floor_divide(self, other: Any) -> Self:
        "x // other."
        return ops.floor_divide(self, other)

    def eq(self, other: Operand) -> Self:
        "x == other."
        return ops.equal(self, other)

    def ne(self, other: Operand) -> Self:
        "x != other."
        return ops.not_equal(self, other)

    def lt(self, other: Operand) -> Self:
        "x < other."
        return ops.less(self, other)

    def le(self, other: Operand) -> Self:
        "x <= other."
        return ops.less_equal(self, other)

    def gt(self, other: Operand) -> Self:
        "x > other."
        return ops.greater(self, other)

    def ge(self, other: Operand) -> Self:
        "x >= other."
        return ops.greater_equal(self, other)

    def logical_and(self, other: Operand) -> Self:
        "Both."
        return ops.logical_and(self, other)

    def logical_or(self, other: Operand) -> Self:
        "Either."
        return ops.logical_or(self, other)

    def abs(self) -> Self:
        "|x|."
        return ops.abs(self)

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
        return (ops.power if isinstance(exponent, Int | Float) else ops.pow)(
            self, exponent
        )

    def clamp(self, min: Any = None, max: Any = None) -> Self:
        """No smaller than ``min``, no larger than ``max``: numbers, or None."""
        if min is None and max is None:
            raise errors.OptionError(
                "clamp: min and max are both None, expected at least one"
            )
        if not isinstance(min, Int | Float | None) or not isinstance(
            max, Int | Float | None
        ):
            errors.check_type(
                "clamp", Real | None, "a number, or None", min=min, max=max
            )
        return ops.clip(self, min, max)

    def where(self, condition: Any, other: Operand) -> Self:
        """Itself where ``condition``, else ``other``."""
        return ops.where(mask_of("where", "condition", condition), self, other)

    def allclose(self, other: Any, rtol: Float = 1e-5, atol: Float = 1e-8) -> Bool:
        """Whether ``|x - other| <= atol + rtol * |other|`` everywhere."""
        with np.errstate(invalid="ignore"):  # inf - inf
            near = (self - other).abs() <= abs(other) * rtol + atol
        return Bool((self.eq(other) | near).all().array)

    def equal(self, other: Any) -> Bool:
        """Whether shape and all elements are the same."""
        errors.check_type("equal", Value, "a Tensor", other=other)
        return self.shape == other.shape and Bool(self.eq(other).all().array)

    def masked_fill(self, mask: Any, value: Operand) -> Self:
        """``value`` where ``mask``, else itself."""
        return ops.where(mask_of("masked_fill", "mask", mask), value, self)

    __add__, __sub__, __mul__ = add, sub, mul

    def __truediv__(self, other: Operand) -> Self:
        return ops.divide(self, other)

    def __floordiv__(self, other: Any) -> Any:
        return ops.floor_divide(self, other)

    def __mod__(self, other: Any) -> Any:
        return ops.remainder(self, other)

    def __pow__(self, other: Any) -> Any:
        return self.pow(other)

    __lt__, __le__, __gt__, __ge__, __neg__, __abs__ = lt, le, gt, ge, neg, abs
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
        mixed = len(inputs) == 2 and not isinstance(inputs[0], Methods)
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
            if hasattr(Methods, ours)
            else "tg's functions, or t.detach().numpy()"
        )
        raise errors.DTypeError(
            f"{name}: got a Tensor, which NumPy's functions lose; use {way}"
        )

    def _from_host(self, array: np.ndarray) -> Any:
        """A NumPy array as a tensor on this one's device."""
        return wrap(backend_of(self.array).from_host(array))

    # ------------------------------------------------------------ reductions

    def to(self, *args: Any, **kwargs: Any) -> Self:
        raise NotImplementedError  # Tensor says how

    def __getitem__(self, index: Any) -> Self:
        raise NotImplementedError  # likewise

    def _as(self, dtype: Any) -> Self:
        return self if dtype is None else self.to(dtype)

    def _as_total(self, dtype: Any) -> Self:
        """A total in the dtype asked for; by itself one of unsigned integers is int64,
        as in PyTorch.
        """
        return self._as("int64" if dtype is None and self.dtype.kind == "u" else dtype)

    def sum(self, dim: Dim = None, keepdim: Bool = False, dtype: Any = None) -> Self:
        """The sum, of all or along dims."""
        return ops.sum(self._as(dtype), dim, keepdim)._as_total(dtype)

    def mean(self, dim: Dim = None, keepdim: Bool = False, dtype: Any = None) -> Self:
        """The mean, of all or along dims; floats only."""
        return ops.mean(self._as(dtype), dim, keepdim)

    def prod(
        self, dim: Int | None = None, keepdim: Bool = False, dtype: Any = None
    ) -> Self:
        """The product, of all or along a dim."""
        x = self._as("int64" if dtype is None and self.dtype.kind in "biu" else dtype)
        if whole := dim is None or not self.ndim:
            x, dim = x.flatten(), 0
        while (n := x.size(dim)) > 1:  # in pairs: exact gradients where x is 0
            half = x.narrow(dim, 0, n // 2) * x.narrow(dim, n // 2, n // 2)
            x = ops.concat([half, x.narrow(dim, n - 1, 1)], axis=dim) if n % 2 else half
        x = x if n else (ops.sum(x, dim, True) + 1)._as_total(dtype)
        return x if keepdim and not whole else x.squeeze(dim)

    def var(
        self, dim: Dim = None, correction: Float | None = 1, keepdim: Bool = False
    ) -> Self:
        """The variance, divided by the count less ``correction`` (None is 1)."""
        correction = 1 if correction is None else correction
        errors.check_numbers("var", correction=correction)
        total = (self - self.mean(dim, keepdim=True)).square().sum(dim, keepdim)
        return total / max(self.numel() / max(total.numel(), 1) - correction, 0.0)

    def std(
        self, dim: Dim = None, correction: Float | None = 1, keepdim: Bool = False
    ) -> Self:
        """The standard deviation: the root of ``var``; its gradient is 0 where nothing
        varies.
        """
        return _off_zero(self.var(dim, correction, keepdim), ops.sqrt)

    def norm(self, p: Any = "fro", dim: Dim = None, keepdim: Bool = False) -> Self:
        """(sum |x|^p)^(1/p), the root of the sum of squares by default; p may be inf,
        -inf or 0.
        """
        if p in (math.inf, -math.inf):
            return (
                self.abs().amax(dim, keepdim)
                if p > 0
                else self.abs().amin(dim, keepdim)
            )
        if p == 0:
            return self.abs().sign().sum(dim, keepdim)
        if p not in ("fro", 2):
            errors.check_numbers("norm", p=p)
        power = 2 if p == "fro" else p
        scale = _norm_scale(self, power, dim)
        x = self / scale
        if power == 2:
            powers = x.square()
        else:
            at_zero = 0.0 if power > 0 else math.inf
            powers = _off_zero(x.abs(), lambda size: ops.power(size, power), at_zero)
        root = _off_zero(
            powers.sum(dim, keepdim), lambda total: ops.power(total, 1 / power)
        )
        return root if type(scale) is int else root * scale.reshape(root.shape)

    def max(self, dim: Int | None = None, keepdim: Bool = False) -> Any:
        """The largest element, or along a dim ``(values, indices)``."""
        if dim is None:
            return ops.max(self)
        _check_is_dim("max", dim)
        return self._chosen(self.argmax(dim, True), dim, keepdim)

    def min(self, dim: Int | None = None, keepdim: Bool = False) -> Any:
        """The smallest element, or along a dim ``(values, indices)``."""
        if dim is None:
            return ops.min(self)
        _check_is_dim("min", dim)
        return self._chosen(self.argmin(dim, True), dim, keepdim)

    def _chosen(self, indices: Any, dim: Int, keepdim: Bool) -> Sorted:
        found = Sorted(self.take_along_dim(indices, dim), indices)
        return found if keepdim else Sorted(*[x.squeeze(dim) for x in found])

    def amax(self, dim: Dim = None, keepdim: Bool = False) -> Self:
        """The largest along dims; ties share the gradient."""
        return ops.max(self, dim, keepdim)

    def amin(self, dim: Dim = None, keepdim: Bool = False) -> Self:
        """The smallest along dims; ties share the gradient."""
        return ops.min(self, dim, keepdim)

    def argmax(self, dim: Int | None = None, keepdim: Bool = False) -> Self:
        """Where the largest is, first of equals."""
        return ops.argmax(self, dim, keepdim)

    def argmin(self, dim: Int | None = None, keepdim: Bool = False) -> Self:
        """Where the smallest is, first of equals."""
        return ops.argmin(self, dim, keepdim)

    def all(self, dim: Dim = None, keepdim: Bool = False) -> Self:
        """Whether all are true."""
        return ops.all(self, dim, keepdim)

    def any(self, dim: Dim = None, keepdim: Bool = False) -> Self:
        """Whether one is true."""
        return ops.any(self, dim, keepdim)

    def logsumexp(self, dim: Dim, keepdim: Bool = False) -> Self:
        """log(sum(e^x)), without overflow."""
        return ops.logsumexp(self, dim, keepdim)

    def softmax(self, dim: Int) -> Self:
        "e^x / sum(e^x) along dim."
        return ops.softmax(self, dim)

    def log_softmax(self, dim: Int) -> Self:
        "log softmax(x)."
        return ops.log_softmax(self, dim)

    def cumsum(self, dim: Int, dtype: Any = None) -> Self:
        """The sums of the first 1, 2, ... elements along a dim."""
        x = self._as("int64" if dtype is None and self.dtype.kind in "biu" else dtype)
        return ops.cumulative_sum(x, dim)._as_total(dtype)

    # ------------------------------------------------------------ order

    def argsort(
        self, dim: Int = -1, descending: Bool = False, stable: Bool = False
    ) -> Self:
        """The places of the elements in order; equal ones stay in the order that they
        have.
        """
        return ops.argsort(self, dim, descending)

    def sort(
        self, dim: Int = -1, descending: Bool = False, stable: Bool = False
    ) -> Sorted:
        """``(values, indices)`` in order along a dim; always stable."""
        return self._chosen(self.argsort(dim, descending), dim, True)

    def topk(
        self, k: Int, dim: Int = -1, largest: Bool = True, sorted: Bool = True
    ) -> Sorted:
        """``(values, indices)`` of the k largest, or smallest, along a dim, in order."""
        errors.check_integers("topk", 0, k=k)
        places = self.argsort(dim, largest)
        if k > (size := self.size(dim)):
            raise errors.OptionError(
                f"topk: k is {k}, expected at most {size}, the dim's"
            )
        return self._chosen(
            places.narrow(dim, 0, k) if self.ndim else places, dim, True
        )

    # ------------------------------------------------------------ products

    def matmul(self, other: Operand) -> Self:
        """The matrix product, with NumPy's rules for vectors and for stacks of
        matrices.
        """
        y: Any = other if isinstance(other, Value) else _operand(other)
        if (
            not self.ndim
            or not y.ndim
            or self.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]
        ):
            rule = "the last dim of the first is summed with the last but one of the second"
            raise ShapeError(
                f"matmul: the shapes {self.shape} and {y.shape} do not fit: {rule}"
            )
        left = self if self.ndim > 1 else self.unsqueeze(0)
        out = ops.matmul(left, y if y.ndim > 1 else y.unsqueeze(1))
        out = out.squeeze(-2) if self.ndim == 1 else out
        return out.squeeze(-1) if y.ndim == 1 else out

    def _fit(self, name: str, other: Any, one: Int, two: Int) -> Any:
        """The other one, if both have the dims that the product of that name takes."""
        errors.check_type(name, Methods, "a Tensor", other=other)
        if (self.ndim, other.ndim) != (one, two) or self.shape[:-2] != other.shape[:-2]:
            got = f"{self.shape} and {other.shape}, expected {one} and {two} dims that fit"
            raise ShapeError(f"{name}: got the shapes {got}; matmul() takes others")
        return other

    def mm(self, mat2: Any) -> Self:
        "(M, K) @ (K, N)."
        return self @ self._fit("mm", mat2, 2, 2)

    def bmm(self, mat2: Any) -> Self:
        "B times mm."
        return self @ self._fit("bmm", mat2, 3, 3)

    def mv(self, vec: Any) -> Self:
        "(M, K) @ (K,)."
        return self @ self._fit("mv", vec, 2, 1)

    def dot(self, tensor: Any) -> Self:
        "(K,) @ (K,)."
        return self @ self._fit("dot", tensor, 1, 1)

    def outer(self, vec2: Any) -> Self:
        """(M,), (N,) to the products of all pairs, (M, N)."""
        return self._fit("outer", vec2, 1, 1) * self.unsqueeze(-1)

    __matmul__ = matmul

    def __rmatmul__(self, other: Operand) -> Any:
        return _operand(other).matmul(self)

    # ------------------------------------------------------------ shape

    def reshape(self, *sizes: Any, shape: Any = None) -> Self:
        """The same elements in another shape; one size may be -1."""
        sizes = sizes_of("reshape", sizes, shape)
        if min(sizes, default=0) < -1:
            raise ShapeError(f"reshape: got the sizes {sizes}, expected none below -1")
        return ops.reshape(self, sizes)

    def view(self, *shape: Any) -> Self:
        "As :meth:`reshape`."
        return self.reshape(*shape)

    def flatten(self, start_dim: Int = 0, end_dim: Int = -1) -> Self:
        """The dims from ``start_dim`` to ``end_dim`` as one."""
        first, last = (
            check_dim("flatten", d, self.shape) for d in (start_dim, end_dim)
        )
        if first > last:
            raise errors.DimError(
                f"flatten: start_dim {start_dim} comes after end_dim {end_dim}"
            )
        joined = math.prod(self.shape[first : last + 1])
        return self.reshape(*self.shape[:first], joined, *self.shape[last + 1 :])

    def squeeze(self, dim: Dim = None) -> Self:
        """Without its dims of size 1, or without those named, if they are of size 1."""
        dims = range(self.ndim) if dim is None else _several(dim)
        chosen = [check_dim("squeeze", d, self.shape) for d in dims]
        return self.reshape(
            [n for i, n in enumerate(self.shape) if n != 1 or i not in chosen]
        )

    def unsqueeze(self, dim: Int) -> Self:
        """With a new dim of size 1 at ``dim``."""
        dim = check_dim("unsqueeze", dim, (*self.shape, 1))
        return self.reshape(*self.shape[:dim], 1, *self.shape[dim:])

    def permute(self, *order: Any, dims: Any = None) -> Self:
        """The dims in another order."""
        axes = check_axis("permute", sizes_of("permute", order, dims), self.shape)
        return ops.permute_dims(self, axes or ())

    def transpose(self, dim0: Int, dim1: Int) -> Self:
        """Two dims exchanged."""
        one, two = (check_dim("transpose", d, self.shape) for d in (dim0, dim1))
        axes = list(range(self.ndim))
        if axes:
            axes[one], axes[two] = two, one
        return ops.permute_dims(self, tuple(axes))

    def t(self) -> Self:
        """The dims of a matrix exchanged; a vector, a number as they are."""
        if self.ndim > 2:
            raise ShapeError(
                f"t: got the shape {self.shape}, expected at most 2 dims; use mT"
            )
        return self.T

    def movedim(self, source: Any, destination: Any) -> Self:
        """Dims moved to other places, the rest in order."""
        both = _several(source), _several(destination)
        taken, placed = (check_axis("movedim", dims, self.shape) or () for dims in both)
        if len(taken) != len(placed):
            raise errors.DimError(
                f"movedim: {source!r} cannot be moved to {destination!r}"
            )
        order = [i for i in range(self.ndim) if i not in taken]
        for place, axis in sorted(zip(placed, taken, strict=True)):
            order.insert(place, axis)
        return self.permute(order)

    def broadcast_to(self, *shape: Any) -> Self:
        """Repeated, without a copy, to a larger shape."""
        return ops.broadcast_to(self, sizes_of("broadcast_to", shape))

    def view_as(self, other: Any) -> Self:
        """The same elements in the shape of another tensor."""
        errors.check_type("view_as", Value, "a Tensor", other=other)
        return self.reshape(other.shape)

    def expand_as(self, other: Any) -> Self:
        """Repeated, without a copy, to the shape of another tensor."""
        errors.check_type("expand_as", Value, "a Tensor", other=other)
        return self.expand(other.shape)

    def expand(self, *sizes: Any) -> Self:
        """As :meth:`broadcast_to`; -1 keeps a size."""
        wanted = sizes_of("expand", sizes)
        lead = len(wanted) - self.ndim
        if lead < 0 or -1 in wanted[:lead]:
            raise ShapeError(
                f"expand: the shape {self.shape} does not expand to {wanted}"
            )
        kept = [
            o if n == -1 else n for o, n in zip(self.shape, wanted[lead:], strict=True)
        ]
        return ops.broadcast_to(self, (*wanted[:lead], *kept))

    def tile(self, *times: Any, dims: Any = None) -> Self:
        """Repeated along each dim, so many times."""
        repeats = sizes_of("tile", times, dims)
        x = self.reshape((1,) * (len(repeats) - self.ndim) + self.shape)
        for dim, n in enumerate(repeats, x.ndim - len(repeats)):
            errors.check_integers("tile", 0, dims=n)
            x = ops.concat([x] * n, axis=dim) if n else x.narrow(dim, 0, 0)
        return x

    def repeat(self, *repeats: Any) -> Self:
        """As :meth:`tile`, with a number for each dim at least."""
        times = sizes_of("repeat", repeats)
        if len(times) < self.ndim:
            raise ShapeError(
                f"repeat: got {len(times)} sizes, expected {self.ndim} at least"
            )
        return self.tile(times)

    def roll(self, shifts: Any, dims: Any = None) -> Self:
        """Moved along dims, around the end; without dims, in the order of the elements."""
        if dims is None:
            return self.flatten().roll(shifts, 0).reshape(self.shape)
        steps, places, x = _several(shifts), _several(dims), self
        if len(steps) != len(places):
            raise errors.DimError(
                f"roll: got {len(steps)} shifts for {len(places)} dims"
            )
        for shift, dim in zip(steps, places, strict=True):
            size = x.size(dim)
            cut = -shift % max(size, 1)
            x = ops.concat(
                [x.narrow(dim, cut, size - cut), x.narrow(dim, 0, cut)], axis=dim
            )
        return x

    def flip(self, *axes: Any, dims: Any = None) -> Self:
        """In reverse order along dims."""
        if not axes and dims is None:
            raise errors.DTypeError(
                "flip: got no dims, expected them as in flip(0) or flip((0, 1))"
            )
        return (
            ops.flip(self, axes)
            if (axes := sizes_of("flip", axes, dims))
            else self.clone()
        )

    def tril(self, diagonal: Int = 0) -> Self:
        """0 above a diagonal of the last two dims."""
        return ops.where(self._below("tril", diagonal), self, ops.zeros_like(self))

    def triu(self, diagonal: Int = 0) -> Self:
        """0 below a diagonal of the last two dims."""
        return ops.where(self._below("triu", diagonal - 1), ops.zeros_like(self), self)

    def _below(self, name: str, diagonal: Int) -> Any:
        if self.ndim < 2:
            raise ShapeError(
                f"{name}: got the shape {self.shape}, expected at least 2 dims"
            )
        return self._from_host(
            np.tri(self.shape[-2], self.shape[-1], diagonal, np.bool_)
        )

    # ------------------------------------------------------------ parts

    def split(self, split_size: Int | Sequence[Int], dim: Int = 0) -> tuple[Self, ...]:
        """Pieces of a size, the last one perhaps smaller, or of the sizes given."""
        total = self.size(dim)
        if isinstance(split_size, Int):
            errors.check_integers("split", split_size=split_size)
            sizes = [
                min(split_size, total - i) for i in range(0, max(total, 1), split_size)
            ]
        elif sum(sizes := list(split_size)) != total or min(sizes, default=0) < 0:
            raise ShapeError(f"split: the sizes {sizes} do not add up to {total}")
        ends = itertools.accumulate(sizes)
        return tuple(
            [self.narrow(dim, end - n, n) for end, n in zip(ends, sizes, strict=True)]
        )

    def chunk(self, chunks: Int, dim: Int = 0) -> tuple[Self, ...]:
        """At most ``chunks`` pieces of equal size, the last one perhaps smaller."""
        errors.check_integers("chunk", chunks=chunks)
        return self.split(max(-(-self.size(dim) // chunks), 1), dim)

    def unbind(self, dim: Int = 0) -> tuple[Self, ...]:
        """The slices along a dim, without that dim."""
        return tuple([self.select(dim, i) for i in range(self.size(dim))])

    def narrow(self, dim: Int, start: Int, length: Int) -> Self:
        """``length`` slices of a dim, from ``start`` on."""
        dim, size = check_dim("narrow", dim, self.shape), self.size(dim)
        if not 0 <= start <= start + length <= size:
            raise errors.IdError(
                f"narrow: {start} to {start + length} of a dim of size {size}"
            )
        return self[(slice(None),) * dim + (slice(start, start + length),)]

    def select(self, dim: Int, index: Int) -> Self:
        """One slice of a dim, without that dim."""
        return self[(slice(None),) * check_dim("select", dim, self.shape) + (index,)]

    def index_select(self, dim: Int, index: Any) -> Self:
        """The slices of a dim that a 1-d (or 0-d) integer tensor names."""
        errors.check_type(
            "index_select", (Value, *backends, list), "a Tensor", index=index
        )
        if getattr(index, "ndim", 1) > 1:
            raise ShapeError(f"index_select: index has {index.ndim} dims, expected 1")
        dim = check_dim("index_select", dim, self.shape)
        index = index if isinstance(index, list) or index.ndim else index.reshape(1)
        if self.ndim:
            return self[(slice(None),) * dim + (index,)]
        if len(index) != 1:
            raise ShapeError(
                f"index_select: {len(index)} of a 0-d tensor, which has 1 element"
            )
        return self.reshape(1)[index].reshape(())

    def take_along_dim(self, indices: Any, dim: Int | None = None) -> Self:
        """Elements named by their place along one dim; in the other dims the two are
        broadcast.
        """
        errors.check_type(
            "take_along_dim", (Value, *backends), "a Tensor", indices=indices
        )
        if dim is None:
            return self.flatten().gather(0, indices.reshape(-1))
        dim = check_dim("take_along_dim", dim, self.shape)
        if indices.ndim != self.ndim:
            got = f"{tuple(indices.shape)}, expected {self.ndim} dims, as the input"
            raise ShapeError(f"take_along_dim: indices has shape {got}")
        one, two = ((*x.shape[:dim], *x.shape[dim + 1 :]) for x in (self, indices))
        if one == two:
            return self.gather(dim, indices)
        try:
            common = np.broadcast_shapes(one, two)
        except ValueError:
            got = f"{self.shape} and {tuple(indices.shape)}"
            raise ShapeError(
                f"take_along_dim: the shapes {got} do not broadcast"
            ) from None
        sizes = [(*common[:dim], x.shape[dim], *common[dim:]) for x in (self, indices)]
        return self.expand(sizes[0]).gather(dim, ops.broadcast_to(indices, sizes[1]))

    def gather(self, dim: Int, index: Any) -> Self:
        """``out[i][j] = x[index[i][j]][j]`` for dim 0, and so on; in the shape of
        ``index``.
        """
        dim = check_dim("gather", dim, self.shape)
        errors.check_type(
            "gather", (Value, *backends), "a Tensor of indices", index=index
        )
        if max(index.ndim, 1) != max(self.ndim, 1):
            raise ShapeError(
                f"gather: index has shape {index.shape}, expected {self.ndim} dims"
            )
        x = self if self.ndim else self.reshape(1)
        grid = list(np.ogrid[tuple(map(slice, index.shape))])
        return x[(*grid[:dim], index, *grid[dim + 1 :])]


# Errors name the function that the user called: not our class (in Python's own
# messages), nor what the function is made of. Operators name the op, and so do
# functions that are an op of one tensor, as to ask them would cost them a tenth of
# their time.
for name, method in list(vars(Methods).items()):
    if name[0] != "_" and callable(method):
        method.__qualname__ = method.__name__
        lean = method.__code__.co_argcount == 1 and hasattr(ops, name)
        if name in ("flip", "max", "min") or not (lean or name == "pow"):
            setattr(Methods, name, named(method))
