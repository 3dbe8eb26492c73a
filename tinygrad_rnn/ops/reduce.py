"""Ops that reduce over dims, and those that normalise over one (softmax and its kin).

``axis`` is an int, a tuple of ints or None for all, as in the array API. Ties of
``max`` and ``min`` share the gradient evenly, as PyTorch's ``amax``.
"""

import math
from builtins import all as all_of
from collections.abc import Sequence
from typing import Any

from ..engine.op import op
from ..errors import DTypeError, ShapeError

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Array = Any
Axis = int | tuple[int, ...] | None


def _axes(shape: tuple[int, ...], axis: Axis) -> Sequence[int]:
    return (
        range(len(shape))
        if axis is None
        else (axis,)
        if isinstance(axis, int)
        else axis
    )


def _restore(
    xp: Any, g: Any, shape: tuple[int, ...], axis: Axis, keepdims: bool
) -> Any:
    """A reduced array with the reduced dims back in place, of size 1."""
    if keepdims:
        return g
    axes = _axes(shape, axis)
    return xp.reshape(g, tuple([1 if i in axes else n for i, n in enumerate(shape)]))


def _spread(
    g: Any, x_shape: tuple[int, ...], axis: Axis, keepdims: bool, xp: Any
) -> Any:
    return xp.broadcast_to(_restore(xp, g, x_shape, axis, keepdims), x_shape)


def _share(g: Any, x: Any, out: Any, axis: Axis, keepdims: bool, xp: Any) -> Any:
    """The cotangent of an extremum, divided evenly among the elements that attain it."""
    g, out = (_restore(xp, a, x.shape, axis, keepdims) for a in (g, out))
    chosen = xp.astype(x == out, x.dtype)
    return g * (chosen / xp.sum(chosen, axis=axis, keepdims=True))


def _share_middle(g: Any, x: Any, out: Any, xp: Any) -> Any:
    """That of the median, divided likewise; a median of NaN comes from every NaN."""
    chosen = xp.astype((x == out) | ((x != x) & (out != out)), x.dtype)
    return g * (chosen / xp.sum(chosen))


def _log_sum(xp: Any, x: Any, top: Any, axis: Axis, keepdims: bool) -> Any:
    """log(sum(exp(x - top))) of numbers of which the largest is top.

    The sum of the others goes through log1p: next to the 1 of the largest, digits would
    be lost.
    """
    largest = x == top
    others = xp.sum(
        xp.where(largest, 0.0, xp.exp_difference(x, top)), axis=axis, keepdims=keepdims
    )
    count = xp.sum(xp.astype(largest, x.dtype), axis=axis, keepdims=keepdims)
    known = xp.maximum(
        count, xp.ones_like(count)
    )  # there is no 0 if all are -inf, or one is inf
    return xp.log(known) + xp.log1p((count - known + others) / known)


# fmt: off

@op
def sum(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    return xp.sum(x, axis=axis, keepdims=keepdims)
sum.vjp(_spread)

@op
def mean(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    if not xp.isdtype(x.dtype, "real floating"):
        raise DTypeError(f"mean: got a {x.dtype} tensor, expected floats; use .float()")
    axes = _axes(x.shape, axis)
    if 0 in x.shape and all_of(i in axes for i, n in enumerate(x.shape) if n == 0):
        raise ShapeError(f"mean: nothing to average in a tensor of shape {x.shape}")
    return xp.mean(x, axis=axis, keepdims=keepdims)
mean.vjp(lambda g, x_shape, axis, keepdims, xp:
         _spread(g / math.prod([x_shape[i] for i in _axes(x_shape, axis)]),
                 x_shape, axis, keepdims, xp))

@op
def max(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    return xp.max(x, axis=axis, keepdims=keepdims)
max.vjp(_share)

@op
def min(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    return xp.min(x, axis=axis, keepdims=keepdims)
min.vjp(_share)

@op
def median(xp: Any, x: Array, /) -> Array:
    flat = xp.sort(xp.reshape(x, (math.prod(x.shape),)))
    if not flat.shape[0]:
        raise ShapeError(f"median: nothing in a tensor of shape {x.shape}")
    middle, last = flat[(flat.shape[0] - 1) // 2, ...], flat[-1, ...]
    return xp.where(xp.isnan(last), last, middle)
median.vjp(_share_middle)

@op(real=True)
def logsumexp(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    if 0 in x.shape: return xp.sum(x, axis=axis, keepdims=keepdims) - math.inf
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0.0)
    total = _log_sum(xp, x, top, axis, keepdims)
    return total + xp.reshape(top, total.shape)
logsumexp.vjp(lambda g, x, out, axis, keepdims, xp:
              _restore(xp, g, x.shape, axis, keepdims)
              * xp.exp(x - _restore(xp, out, x.shape, axis, keepdims)))

@op(real=True)
def softmax(xp: Any, x: Array, /, axis: int = -1) -> Array:
    if 0 in x.shape: return xp.array(x)
    e = xp.exp_difference(x, xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)
softmax.vjp(lambda g, out, axis, xp: out * (g - xp.sum(g * out, axis=axis, keepdims=True)))

@op(real=True)
def log_softmax(xp: Any, x: Array, /, axis: int = -1) -> Array:
    if 0 in x.shape: return xp.array(x)
    top = xp.max(x, axis=axis, keepdims=True)
    return x - top - _log_sum(xp, x, top, axis, True)
log_softmax.vjp(lambda g, out, axis, xp: g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True))

@op
def cumulative_sum(xp: Any, x: Array, /, axis: int = -1) -> Array:
    return xp.cumulative_sum(x, axis=axis) if x.ndim else xp.array(x)
cumulative_sum.vjp(lambda g, axis, xp: g if axis is None else
                   xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis), axis=axis))

@op
def argsort(xp: Any, x: Array, /, axis: int = -1, descending: bool = False) -> Array:
    """Stable both ways; NaN is the largest, as in PyTorch."""
    if not x.ndim:
        return xp.argmax(x)
    if not descending:
        return xp.argsort(x, axis=axis, stable=True)
    last = x.shape[axis] - 1
    return last - xp.flip(xp.argsort(xp.flip(x, axis=axis), axis=axis, stable=True), axis=axis)

@op
def argmax(xp: Any, x: Array, /, axis: int | None = None, keepdims: bool = False) -> Array:
    return xp.argmax(x, axis=axis, keepdims=keepdims)

@op
def argmin(xp: Any, x: Array, /, axis: int | None = None, keepdims: bool = False) -> Array:
    return xp.argmin(x, axis=axis, keepdims=keepdims)

@op
def all(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    return xp.all(x, axis=axis, keepdims=keepdims)

@op
def any(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    return xp.any(x, axis=axis, keepdims=keepdims)
