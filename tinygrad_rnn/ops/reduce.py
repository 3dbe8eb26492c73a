"""Ops that reduce over dims, and those that normalise over one (softmax and its kin).

``axis`` is an int, a tuple of ints or None for all, as in the array API. Ties of ``max`` and
``min`` share the gradient evenly, as PyTorch's ``amax``.
"""

from typing import Any

from ..engine.op import op

# fmt: off
__all__ = [
    "all", "any", "argmax", "argmin", "log_softmax", "logsumexp", "max", "mean", "min",
    "softmax", "sum",
]
# fmt: on

Array = Any
Axis = int | tuple[int, ...] | None


def _restore(xp: Any, g: Any, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Any:
    """A reduced array with the reduced dims back in place, of size 1."""
    if keepdims:
        return g
    if axis is None:
        return xp.reshape(g, (1,) * len(shape))
    axes = {a % len(shape) for a in ((axis,) if isinstance(axis, int) else axis)} if shape else ()
    return xp.reshape(g, tuple(1 if i in axes else n for i, n in enumerate(shape)))


def _spread(g: Any, x_shape: tuple[int, ...], axis: Axis, keepdims: bool, xp: Any) -> Any:
    return xp.broadcast_to(_restore(xp, g, x_shape, axis, keepdims), x_shape)


def _count(shape: tuple[int, ...], axis: Axis) -> int:
    axes = range(len(shape)) if axis is None else (axis,) if isinstance(axis, int) else axis
    count = 1
    for a in axes:
        count *= shape[a] if shape else 1
    return count


def _share(g: Any, x: Any, out: Any, axis: Axis, keepdims: bool, xp: Any) -> Any:
    """The cotangent of an extremum, divided evenly among the elements that attain it."""
    g, out = (_restore(xp, a, x.shape, axis, keepdims) for a in (g, out))
    chosen = xp.astype(x == out, x.dtype)
    return g * (chosen / xp.sum(chosen, axis=axis, keepdims=True))


def _log_sum(xp: Any, shifted: Any, axis: Axis, keepdims: bool) -> Any:
    """log(sum(exp(shifted))) of numbers of which the largest is 0.

    The sum of the others goes through log1p: next to the 1 of the largest their digits would be lost.
    """
    largest = shifted == 0
    others = xp.sum(xp.where(largest, 0.0, xp.exp(shifted)), axis=axis, keepdims=keepdims)
    count = xp.sum(xp.astype(largest, shifted.dtype), axis=axis, keepdims=keepdims)
    known = xp.maximum(count, xp.ones_like(count))  # there is no 0 if all are -inf, or one is inf
    return xp.log(known) + xp.log1p((count - known + others) / known)


# fmt: off

@op
def sum(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    return xp.sum(x, axis=axis, keepdims=keepdims)
sum.vjp(_spread)

@op
def mean(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    return xp.mean(x, axis=axis, keepdims=keepdims)
mean.vjp(lambda g, x_shape, axis, keepdims, xp:
         _spread(g / _count(x_shape, axis), x_shape, axis, keepdims, xp))

@op
def max(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    return xp.max(x, axis=axis, keepdims=keepdims)
max.vjp(_share)

@op
def min(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    return xp.min(x, axis=axis, keepdims=keepdims)
min.vjp(_share)

@op
def logsumexp(xp: Any, x: Array, /, axis: Axis = None, keepdims: bool = False) -> Array:
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0.0)
    total = _log_sum(xp, x - top, axis, keepdims)
    return total + xp.reshape(top, total.shape)
logsumexp.vjp(lambda g, x, out, axis, keepdims, xp:
              _restore(xp, g, x.shape, axis, keepdims)
              * xp.exp(x - _restore(xp, out, x.shape, axis, keepdims)))

@op
def softmax(xp: Any, x: Array, /, axis: int = -1) -> Array:
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)
softmax.vjp(lambda g, out, axis, xp: out * (g - xp.sum(g * out, axis=axis, keepdims=True)))

@op
def log_softmax(xp: Any, x: Array, /, axis: int = -1) -> Array:
    shifted = x - xp.max(x, axis=axis, keepdims=True)
    return shifted - _log_sum(xp, shifted, axis, True)
log_softmax.vjp(lambda g, out, axis, xp: g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True))

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
