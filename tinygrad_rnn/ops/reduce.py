"""Ops that reduce dims, and softmax and its relatives, which normalize one.

``axis`` is an int, a tuple of ints, or None for all dims, as in the array API. Ties of
``max`` and ``min`` share the gradient evenly, as in PyTorch's ``amax``.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs

import math
from builtins import all as all_of
from collections.abc import Sequence

from ..engine.op import op
from ..errors import DTypeError, ShapeError
from ..types import Array, Namespace, Shape

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Axis = int | tuple[int, ...] | None


def _axes(shape: Shape, axis: Axis) -> Sequence[int]:
    """Return all axes that ``axis`` stands for."""
    if axis is None:
        return range(len(shape))
    if isinstance(axis, int):
        return (axis,)
    return axis


def _restore_dims(
    xp: Namespace, g: Array, shape: Shape, axis: Axis, keepdims: bool
) -> Array:
    """Put the dims of a reduced array back in place, with size 1."""
    if keepdims:
        return g
    axes = _axes(shape, axis)
    sizes = [1 if i in axes else size for i, size in enumerate(shape)]
    return xp.reshape(g, tuple(sizes))


def _share_of_extremum(
    g: Array, x: Array, out: Array, axis: Axis, keepdims: bool, xp: Namespace
) -> Array:
    """Divide the cotangent of an extremum evenly among the elements that attain it."""
    g = _restore_dims(xp, g, x.shape, axis, keepdims)
    out = _restore_dims(xp, out, x.shape, axis, keepdims)
    chosen = xp.astype(x == out, x.dtype)
    return g * (chosen / xp.sum(chosen, axis=axis, keepdims=True))


def _share_of_median(g: Array, x: Array, out: Array, xp: Namespace) -> Array:
    """Divide the cotangent of the median evenly; every NaN attains a median of NaN."""
    both_nan = (x != x) & (out != out)
    chosen = xp.astype((x == out) | both_nan, x.dtype)
    return g * (chosen / xp.sum(chosen))


def _log_sum(xp: Namespace, x: Array, top: Array, axis: Axis, keepdims: bool) -> Array:
    """Return log(sum(exp(x - top))), where top is the largest number.

    The sum of the other terms goes through log1p. Added to the 1 of the largest, they
    would lose digits.
    """
    largest = x == top
    others = xp.where(largest, 0.0, xp.exp_difference(x, top))
    others = xp.sum(others, axis=axis, keepdims=keepdims)
    count = xp.sum(xp.astype(largest, x.dtype), axis=axis, keepdims=keepdims)
    # The count is 0 if all numbers are -inf or one is inf.
    known = xp.maximum(count, xp.ones_like(count))
    return xp.log(known) + xp.log1p((count - known + others) / known)


# ---------------------------------------------------------------- sums


def _spread(
    g: Array, x_shape: Shape, axis: Axis, keepdims: bool, xp: Namespace
) -> Array:
    """Return the cotangent of each element of a sum."""
    return xp.broadcast_to(_restore_dims(xp, g, x_shape, axis, keepdims), x_shape)


@op
def sum(xp, x, /, axis: Axis = None, keepdims=False):
    return xp.sum(x, axis=axis, keepdims=keepdims)


sum.vjp(_spread)


def _spread_mean(
    g: Array, x_shape: Shape, axis: Axis, keepdims: bool, xp: Namespace
) -> Array:
    """Return the cotangent of each element of a mean."""
    count = math.prod([x_shape[i] for i in _axes(x_shape, axis)])
    return _spread(g / count, x_shape, axis, keepdims, xp)


@op
def mean(xp, x, /, axis: Axis = None, keepdims=False):
    if not xp.isdtype(x.dtype, "real floating"):
        raise DTypeError(
            f"mean: got a tensor of {x.dtype}, expected floats; use .float()"
        )
    axes = _axes(x.shape, axis)
    if 0 in x.shape and all_of(i in axes for i, n in enumerate(x.shape) if n == 0):
        raise ShapeError(f"mean: nothing to average in a tensor of shape {x.shape}")
    return xp.mean(x, axis=axis, keepdims=keepdims)


mean.vjp(_spread_mean)


def _sum_from_end(g: Array, axis: int | None, xp: Namespace) -> Array:
    """Sum the cotangents from each element to the last."""
    if axis is None:  # a 0-d array
        return g
    return xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis), axis=axis)


@op
def cumulative_sum(xp, x, /, axis: int = -1):
    return xp.cumulative_sum(x, axis=axis) if x.ndim else xp.array(x)


cumulative_sum.vjp(_sum_from_end)


# ---------------------------------------------------------------- order


@op
def max(xp, x, /, axis: Axis = None, keepdims=False):
    return xp.max(x, axis=axis, keepdims=keepdims)


max.vjp(_share_of_extremum)


@op
def min(xp, x, /, axis: Axis = None, keepdims=False):
    return xp.min(x, axis=axis, keepdims=keepdims)


min.vjp(_share_of_extremum)


@op
def median(xp, x, /):
    flat = xp.sort(xp.reshape(x, (math.prod(x.shape),)))
    count = flat.shape[0]
    if count == 0:
        raise ShapeError(f"median: nothing in a tensor of shape {x.shape}")
    middle, last = flat[(count - 1) // 2, ...], flat[-1, ...]
    return xp.where(xp.isnan(last), last, middle)


median.vjp(_share_of_median)


@op
def argsort(xp, x, /, axis: int = -1, descending=False):
    """Return the order of a stable sort; NaN is the largest, as in PyTorch."""
    if not x.ndim:
        return xp.argmax(x)
    if not descending:
        return xp.argsort(x, axis=axis, stable=True)
    last = x.shape[axis] - 1
    order = xp.argsort(xp.flip(x, axis=axis), axis=axis, stable=True)
    return last - xp.flip(order, axis=axis)


@op
def argmax(xp, x, /, axis: int | None = None, keepdims=False):
    return xp.argmax(x, axis=axis, keepdims=keepdims)


@op
def argmin(xp, x, /, axis: int | None = None, keepdims=False):
    return xp.argmin(x, axis=axis, keepdims=keepdims)


@op
def all(xp, x, /, axis: Axis = None, keepdims=False):
    return xp.all(x, axis=axis, keepdims=keepdims)


@op
def any(xp, x, /, axis: Axis = None, keepdims=False):
    return xp.any(x, axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------- softmax and its kin


def _softmax_of_logsumexp(
    g: Array, x: Array, out: Array, axis: Axis, keepdims: bool, xp: Namespace
) -> Array:
    """Return the cotangent times softmax(x), the slope of logsumexp."""
    g = _restore_dims(xp, g, x.shape, axis, keepdims)
    out = _restore_dims(xp, out, x.shape, axis, keepdims)
    return g * xp.exp(x - out)


@op(real=True)
def logsumexp(xp, x, /, axis: Axis = None, keepdims=False):
    if 0 in x.shape:
        return xp.sum(x, axis=axis, keepdims=keepdims) - math.inf
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0.0)
    total = _log_sum(xp, x, top, axis, keepdims)
    return total + xp.reshape(top, total.shape)


logsumexp.vjp(_softmax_of_logsumexp)


@op(real=True)
def softmax(xp, x, /, axis: int = -1):
    if 0 in x.shape:
        return xp.array(x)
    e = xp.exp_difference(x, xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


softmax.vjp(
    lambda g, out, axis, xp: out * (g - xp.sum(g * out, axis=axis, keepdims=True))
)


@op(real=True)
def log_softmax(xp, x, /, axis: int = -1):
    if 0 in x.shape:
        return xp.array(x)
    top = xp.max(x, axis=axis, keepdims=True)
    return x - top - _log_sum(xp, x, top, axis, True)


log_softmax.vjp(
    lambda g, out, axis, xp: g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True)
)
