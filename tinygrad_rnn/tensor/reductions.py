"""Sums, means, extremes and other functions of all elements along dims."""

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .. import errors, ops
from ..backend.standard import numpy_dtype
from ..engine.node import Value
from ..errors import check_dim
from ..errors.boundary import named
from .arguments import Dim, Sorted
from .selection import Selection


def _check_is_dim(name: str, dim: Any) -> None:
    """Raise if max or min got another tensor, which PyTorch's functions of these names
    take.
    """
    if isinstance(dim, Value):
        got = f"dim is {errors.described(dim)}, expected an integer"
        raise errors.DTypeError(f"{name}: {got}; of two tensors it is {name}imum(a, b)")


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


class Reductions(Selection):
    """Functions of all elements, or of those along dims."""

    __slots__ = ()

    @named
    def allclose(self, other: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
        """Whether ``|x - other| <= atol + rtol * |other|`` everywhere."""
        with np.errstate(invalid="ignore"):  # inf - inf
            near = (self - other).abs() <= abs(other) * rtol + atol
        return bool((self.eq(other) | near).all().array)

    @named
    def equal(self, other: Any) -> bool:
        """Whether shape and all elements are the same."""
        errors.check_type("equal", Value, "a Tensor", other=other)
        return self.shape == other.shape and bool(self.eq(other).all().array)

    def _as(self, dtype: Any) -> Self:
        return self if dtype is None else self.to(dtype)

    def _as_total(self, dtype: Any) -> Self:
        """A total in the dtype asked for; by itself one of unsigned integers is int64,
        as in PyTorch.
        """
        return self._as("int64" if dtype is None and self.dtype.kind == "u" else dtype)

    @named
    def sum(self, dim: Dim = None, keepdim: bool = False, dtype: Any = None) -> Self:
        """The sum, of all or along dims."""
        return ops.sum(self._as(dtype), dim, keepdim)._as_total(dtype)

    @named
    def mean(self, dim: Dim = None, keepdim: bool = False, dtype: Any = None) -> Self:
        """The mean, of all or along dims; floats only."""
        return ops.mean(self._as(dtype), dim, keepdim)

    @named
    def prod(
        self, dim: int | None = None, keepdim: bool = False, dtype: Any = None
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

    @named
    def var(
        self, dim: Dim = None, correction: float | None = 1, keepdim: bool = False
    ) -> Self:
        """The variance, divided by the count less ``correction`` (None is 1)."""
        correction = 1 if correction is None else correction
        errors.check_numbers("var", correction=correction)
        total = (self - self.mean(dim, keepdim=True)).square().sum(dim, keepdim)
        return total / max(self.numel() / max(total.numel(), 1) - correction, 0.0)

    @named
    def std(
        self, dim: Dim = None, correction: float | None = 1, keepdim: bool = False
    ) -> Self:
        """The standard deviation: the root of ``var``; its gradient is 0 where nothing
        varies.
        """
        return _off_zero(self.var(dim, correction, keepdim), ops.sqrt)

    @named
    def norm(self, p: Any = "fro", dim: Dim = None, keepdim: bool = False) -> Self:
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

    @named
    def max(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The largest element, or along a dim ``(values, indices)``."""
        if dim is None:
            return ops.max(self)
        _check_is_dim("max", dim)
        return self._chosen(self.argmax(dim, True), dim, keepdim)

    @named
    def min(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The smallest element, or along a dim ``(values, indices)``."""
        if dim is None:
            return ops.min(self)
        _check_is_dim("min", dim)
        return self._chosen(self.argmin(dim, True), dim, keepdim)

    def _chosen(self, indices: Any, dim: int, keepdim: bool) -> Sorted:
        found = Sorted(self.take_along_dim(indices, dim), indices)
        return found if keepdim else Sorted(*[x.squeeze(dim) for x in found])

    @named
    def amax(self, dim: Dim = None, keepdim: bool = False) -> Self:
        """The largest along dims; ties share the gradient."""
        return ops.max(self, dim, keepdim)

    @named
    def amin(self, dim: Dim = None, keepdim: bool = False) -> Self:
        """The smallest along dims; ties share the gradient."""
        return ops.min(self, dim, keepdim)

    @named
    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Self:
        """Where the largest is, first of equals."""
        return ops.argmax(self, dim, keepdim)

    @named
    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Self:
        """Where the smallest is, first of equals."""
        return ops.argmin(self, dim, keepdim)

    @named
    def all(self, dim: Dim = None, keepdim: bool = False) -> Self:
        """Whether all are true."""
        return ops.all(self, dim, keepdim)

    @named
    def any(self, dim: Dim = None, keepdim: bool = False) -> Self:
        """Whether one is true."""
        return ops.any(self, dim, keepdim)

    @named
    def logsumexp(self, dim: Dim, keepdim: bool = False) -> Self:
        """log(sum(e^x)), without overflow."""
        return ops.logsumexp(self, dim, keepdim)

    @named
    def softmax(self, dim: int) -> Self:
        "e^x / sum(e^x) along dim."
        return ops.softmax(self, dim)

    @named
    def log_softmax(self, dim: int) -> Self:
        "log softmax(x)."
        return ops.log_softmax(self, dim)

    @named
    def cumsum(self, dim: int, dtype: Any = None) -> Self:
        """The sums of the first 1, 2, ... elements along a dim."""
        x = self._as("int64" if dtype is None and self.dtype.kind in "biu" else dtype)
        return ops.cumulative_sum(x, dim)._as_total(dtype)

    @named
    def cumprod(self, dim: int, dtype: Any = None) -> Self:
        """The products of the first 1, 2, ... elements along a dim.

        By doubling (Hillis and Steele, 1986), so gradients are exact where an element
        is 0.
        """
        whole = dtype is None and self.dtype.kind in "biu"
        x: Any = self._as("int64" if whole else dtype)
        dim, step = check_dim("cumprod", dim, self.shape), 1
        size = x.size(dim)
        while step < size:  # then an element is the product of the last 2 * step
            longer = x.narrow(dim, step, size - step) * x.narrow(dim, 0, size - step)
            x = ops.concat([x.narrow(dim, 0, step), longer], axis=dim)
            step *= 2
        return x.clone() if x is self else x

    def __contains__(self, item: Any) -> bool:
        return bool(self.eq(item).any())
