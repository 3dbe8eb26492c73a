"""Functions of all elements, or of those along dims: sums, extremes, norms."""

import math
from typing import Self

import numpy as np

from .. import ops
from ..backend.standard import numpy_dtype
from ..engine import seam
from ..engine.node import Value
from ..engine.warned import warn_user
from ..errors import DTypeError, check_dim, check_numbers, check_type, describe
from ..errors.boundary import name_errors
from ..types import Dims, DType, Function, Operand
from .arguments import Sorted
from .casting import Casting
from .selection import Selection


def _check_no_tensor(name: str, dim: object) -> None:
    """Raise if max or min got a second tensor, as PyTorch's functions may."""
    if isinstance(dim, Value):
        raise DTypeError(
            f"{name}: dim is {describe(dim)}, expected an integer; of two tensors it "
            f"is {name}imum(a, b)"
        )


def _except_at_zero(x: Operand, function: Function, at_zero: float = 0.0) -> Operand:
    """Return ``function(x)``; where x is 0, ``at_zero`` with the gradient 0."""
    is_zero = ops.equal(x, 0)
    return ops.where(is_zero, at_zero, function(ops.where(is_zero, 1.0, x)))


class Reductions(Selection, Casting):
    """Functions of all elements, or of those along dims."""

    __slots__ = ()

    # ------------------------------------------------------------ sums and products

    def _cast(self, dtype: DType, to_int64: str = "") -> Self:
        """Return this tensor in a dtype.

        With None the kinds of dtypes in ``to_int64`` become int64, as PyTorch's totals
        are; others stay as they are.
        """
        if dtype is None:
            if self.dtype.kind not in to_int64:
                return self
            dtype = "int64"
        return self.to(dtype)

    @name_errors
    def sum(self, dim: Dims = None, keepdim: bool = False, dtype: DType = None) -> Self:
        """Return the sum of all elements, or along dims.

        Args:
            dim: a dim, or several; None sums all.
            keepdim: leave the dims in the result, with size 1.
            dtype: convert to it first; by itself a sum of integers or bools is int64.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1, 2], [3, 4]]).sum(dim=0)
            tensor([4, 6], dtype=int64)
        """
        return ops.sum(self._cast(dtype), dim, keepdim)._cast(dtype, "u")

    @name_errors
    def mean(
        self, dim: Dims = None, keepdim: bool = False, dtype: DType = None
    ) -> Self:
        """Return the mean, of all elements or along dims; floats only.

        The arguments are those of :meth:`sum`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1.0, 2.0], [3.0, 6.0]]).mean(dim=1).tolist()
            [1.5, 4.5]
        """
        return ops.mean(self._cast(dtype), dim, keepdim)

    @name_errors
    def prod(
        self, dim: int | None = None, keepdim: bool = False, dtype: DType = None
    ) -> Self:
        """Return the product of all elements, or along one dim.

        It multiplies in pairs, so that gradients are exact where an element is 0.

        The arguments are those of :meth:`sum`, but for a single ``dim``.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([2, 3, 4]).prod().item()
            24
        """
        if dim is None or not self.ndim:
            return self.flatten().prod(0, dtype=dtype)
        x = self._cast(dtype, "biu")
        size = x.size(dim)
        if size == 0:
            x = (ops.sum(x, dim, True) + 1)._cast(dtype, "u")
        while size > 1:
            half = size // 2
            pairs = x.narrow(dim, 0, half) * x.narrow(dim, half, half)
            if size % 2:
                pairs = ops.concat([pairs, x.narrow(dim, size - 1, 1)], axis=dim)
            x, size = pairs, size - half
        return x if keepdim else x.squeeze(dim)

    @name_errors
    def cumsum(self, dim: int, dtype: DType = None) -> Self:
        """Return the cumulative sums along a dim.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2, 3]).cumsum(0).tolist()
            [1, 3, 6]
        """
        return ops.cumulative_sum(self._cast(dtype, "biu"), dim)._cast(dtype)

    @name_errors
    def cumprod(self, dim: int, dtype: DType = None) -> Self:
        """Return the cumulative products along a dim.

        By doubling (Hillis and Steele, 1986), so that gradients are exact where an
        element is 0.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1, 2, 3, 4]).cumprod(0).tolist()
            [1, 2, 6, 24]
        """
        x = self._cast(dtype, "biu")
        dim = check_dim("cumprod", dim, self.shape)
        size = self.shape[dim] if self.ndim else 1
        step = 1
        while step < size:  # then an element is the product of the last 2 * step
            longer = x.narrow(dim, step, size - step) * x.narrow(dim, 0, size - step)
            x = ops.concat([x.narrow(dim, 0, step), longer], axis=dim)
            step *= 2
        return x.clone() if x is self else x

    # ------------------------------------------------------------ spread and size

    @name_errors
    def var(
        self, dim: Dims = None, correction: float | None = 1, keepdim: bool = False
    ) -> Self:
        """Return the variance of all elements, or along dims.

        Args:
            dim: a dim, or several; None takes all elements.
            correction: what the count is lessened by in the divisor: 1, or None, for a
                sample (Bessel's correction), 0 for a whole population.
            keepdim: leave the dims in the result, with size 1.

        Returns:
            The variance. If the correction is not below the count, there is a warning,
            and the result is infinite, or NaN where the elements are equal.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1.0, 2.0, 3.0]).var().item()
            1.0
        """
        correction = 1 if correction is None else correction
        check_numbers("var", correction=correction)
        deviations = self - self.mean(dim, keepdim=True)
        total = deviations.square().sum(dim, keepdim)
        count = self.numel() // max(total.numel(), 1)
        if count > correction or not total.numel():
            return total / (count - correction)
        warn_user(
            f"var: correction={correction} leaves nothing of a count of {count} to "
            "divide by; pass correction=0 for the variance of these numbers alone"
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            return total / 0.0

    @name_errors
    def std(
        self, dim: Dims = None, correction: float | None = 1, keepdim: bool = False
    ) -> Self:
        """Return the standard deviation, the root of :meth:`var`.

        Its gradient is 0 where the elements do not vary.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1.0, 3.0]).std(correction=0).item()
            1.0
        """
        return _except_at_zero(self.var(dim, correction, keepdim), ops.sqrt)

    @name_errors
    def norm(
        self, p: float | str = "fro", dim: Dims = None, keepdim: bool = False
    ) -> Self:
        """Return the p-norm of all elements, or along dims: ``(sum |x|^p)^(1/p)``.

        Args:
            p: the power. ``"fro"`` is 2; inf and -inf take the largest and the smallest
                absolute value, 0 counts the elements that are not 0.
            dim: a dim, or several; None takes all elements.
            keepdim: leave the dims in the result, with size 1.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([3.0, 4.0]).norm().item()
            5.0
        """
        if p == math.inf:
            return self.abs().amax(dim, keepdim)
        if p == -math.inf:
            return self.abs().amin(dim, keepdim)
        if p == 0:
            return self.abs().sign().sum(dim, keepdim)
        power: Operand = 2 if p == "fro" else p
        check_numbers("norm", p=power)
        scale = self._norm_scale(power, dim)
        x = self / scale
        if power == 2:
            powers = x.square()
        else:
            at_zero = 0.0 if power > 0 else math.inf
            powers = _except_at_zero(x.abs(), lambda x: ops.power(x, power), at_zero)
        total = powers.sum(dim, keepdim)
        root = _except_at_zero(total, lambda x: ops.power(x, 1 / power))
        return root if type(scale) is int else root * scale.reshape(root.shape)

    def _norm_scale(self, p: float, dim: Dims) -> Operand:
        """Return what ``norm`` divides by to keep powers in the range of the dtype.

        That is exactly 1, which changes no bit, where the element that counts most is
        of usual size; elsewhere it is that size. Sizes are usual if the powers in the
        first two derivatives, |x|^(p - 2) and (sum |x|^p)^(1/p - 2), are within range.
        """
        if self.dtype.kind != "f" or not self.numel():
            return 1
        limits = np.finfo(numpy_dtype(self.dtype))
        tiny, largest = float(limits.tiny), float(limits.max)
        highest_power = max(1.0, abs(p), abs(p - 2), abs(1 - 2 * p))
        low = (tiny / float(limits.eps)) ** (1 / highest_power)
        high = (largest / self.numel()) ** (1 / highest_power)
        sizes = self.detach().abs()
        top = sizes.amax(dim, True) if p > 0 else sizes.amin(dim, True)
        top = ops.where(ops.equal(top, 0), 1.0, top).clamp(max=largest)
        return ops.where(ops.equal(top, top.clamp(low, high)), 1.0, top)

    @name_errors
    def logsumexp(self, dim: Dims, keepdim: bool = False) -> Self:
        """Return log(sum(e^x)) along dims, without overflow.

        The arguments are those of :meth:`sum`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([1000.0, 0.0]).logsumexp(0).item()
            1000.0
        """
        return ops.logsumexp(self, dim, keepdim)

    @name_errors
    def softmax(self, dim: int) -> Self:
        """Return e^x / sum(e^x) along a dim.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[0.0, 0.0], [0.0, 99.0]]).softmax(1).tolist()[0]
            [0.5, 0.5]
        """
        return ops.softmax(self, dim)

    @name_errors
    def log_softmax(self, dim: int) -> Self:
        """Return log(softmax(x)) along a dim.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([0.0, 1000.0]).log_softmax(0).tolist()
            [-1000.0, 0.0]
        """
        return ops.log_softmax(self, dim)

    # ------------------------------------------------------------ extremes

    @name_errors
    def max(self, dim: int | None = None, keepdim: bool = False) -> Operand:
        """Return the largest element, or the largest along a dim and its index.

        Args:
            dim: None takes all elements; equal ones share the gradient.
            keepdim: leave the dim in the results, with size 1.

        Returns:
            A tensor, or with ``dim`` the tuple ``(values, indices)``, where the first
            of equal elements is taken and has the gradient.

        Example:
            >>> import tinygrad_rnn as tg
            >>> values, indices = tg.tensor([[1.0, 3.0], [5.0, 2.0]]).max(dim=1)
            >>> values.tolist(), indices.tolist()
            ([3.0, 5.0], [1, 0])
        """
        if dim is None:
            return ops.max(self)
        _check_no_tensor("max", dim)
        return self._take_with_indices(self.argmax(dim, True), dim, keepdim)

    @name_errors
    def min(self, dim: int | None = None, keepdim: bool = False) -> Operand:
        """Return the smallest element, or that along a dim, like :meth:`max`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> values, indices = tg.tensor([[1.0, 3.0], [5.0, 2.0]]).min(dim=1)
            >>> values.tolist(), indices.tolist()
            ([1.0, 2.0], [0, 1])
        """
        if dim is None:
            return ops.min(self)
        _check_no_tensor("min", dim)
        return self._take_with_indices(self.argmin(dim, True), dim, keepdim)

    def _take_with_indices(self, indices: Operand, dim: int, keepdim: bool) -> Sorted:
        """Return the elements at some indices along a dim, and the indices."""
        values: Operand = self.take_along_dim(indices, dim)
        if keepdim:
            return Sorted(values, indices)
        return Sorted(values.squeeze(dim), indices.squeeze(dim))

    @name_errors
    def amax(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """Return the largest element along dims; equal ones share the gradient.

        The arguments are those of :meth:`sum`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1.0, 3.0], [5.0, 2.0]]).amax(dim=1).tolist()
            [3.0, 5.0]
        """
        return ops.max(self, dim, keepdim)

    @name_errors
    def amin(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """Return the smallest element along dims; equal ones share the gradient.

        The arguments are those of :meth:`sum`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1.0, 3.0], [5.0, 2.0]]).amin(dim=1).tolist()
            [1.0, 2.0]
        """
        return ops.min(self, dim, keepdim)

    @name_errors
    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Self:
        """Return the index of the largest element, the first of equal ones.

        Args:
            dim: The dim to look along; None looks at all elements, counted in order.
            keepdim: leave the dim in the result, with size 1.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1.0, 3.0], [5.0, 2.0]]).argmax(dim=1).tolist()
            [1, 0]
        """
        return ops.argmax(self, dim, keepdim)

    @name_errors
    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Self:
        """Return the index of the smallest element, the first of equal ones.

        Args:
            dim: The dim to look along; None looks at all elements, counted in order.
            keepdim: leave the dim in the result, with size 1.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1.0, 3.0], [5.0, 2.0]]).argmin(dim=1).tolist()
            [0, 1]
        """
        return ops.argmin(self, dim, keepdim)

    # ------------------------------------------------------------ truth

    @name_errors
    def all(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """Return whether all elements are true, or not 0.

        The arguments are those of :meth:`sum`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[1, 1], [0, 1]]).all(dim=1).tolist()
            [True, False]
        """
        return ops.all(self, dim, keepdim)

    @name_errors
    def any(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """Return whether at least one element is true, or not 0.

        The arguments are those of :meth:`sum`.

        Example:
            >>> import tinygrad_rnn as tg
            >>> tg.tensor([[0, 0], [0, 1]]).any(dim=1).tolist()
            [False, True]
        """
        return ops.any(self, dim, keepdim)

    @name_errors
    def allclose(self, other: Operand, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
        """Return whether ``|x - other| <= atol + rtol * |other|`` everywhere.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([1.0, 2.0])
            >>> x.allclose(x + 1e-6), x.allclose(x + 0.1)
            (True, False)
        """
        with np.errstate(invalid="ignore"):  # inf - inf
            near = (self - other).abs() <= abs(other) * rtol + atol
        seam.read_values("allclose()")
        return bool((self.eq(other) | near).all().array)

    @name_errors
    def equal(self, other: Operand) -> bool:
        """Return whether another tensor has the same shape and the same elements.

        Example:
            >>> import tinygrad_rnn as tg
            >>> x = tg.tensor([1, 2])
            >>> x.equal(tg.tensor([1, 2])), x.equal(tg.tensor([1, 3]))
            (True, False)
        """
        check_type("equal", Value, "a Tensor", other=other)
        seam.read_values("equal()")
        return self.shape == other.shape and bool(self.eq(other).all().array)

    def __contains__(self, item: Operand) -> bool:
        return bool(self.eq(item).any())
