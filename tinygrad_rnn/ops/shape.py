"""Ops that rearrange elements; most of them return views."""
# mypy: allow-untyped-defs, allow-incomplete-defs

from functools import cache
from itertools import accumulate, pairwise

from ..engine.op import op
from ..types import Array, Shape

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py


@op(view=True)
def reshape(xp, x, /, shape):
    return xp.reshape(x, shape)


reshape.vjp(lambda g, x_shape, xp: xp.reshape(g, x_shape))


@cache
def _inverse(axes: Shape) -> Shape:
    """Return the inverse of a permutation."""
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


@op(view=True)
def permute_dims(xp, x, /, axes):
    return xp.permute_dims(x, axes)


permute_dims.vjp(lambda g, axes, xp: xp.permute_dims(g, _inverse(tuple(axes))))


@op(view=True)
def broadcast_to(xp, x, /, shape):
    return xp.broadcast_to(x, shape)


broadcast_to.vjp(lambda g: g)  # the engine undoes broadcasting


@op
def flip(xp, x, /, axis: int | Shape | None = None):
    return xp.array(xp.flip(x, axis=axis))


flip.vjp(lambda g, axis, xp: xp.flip(g, axis=axis))


def _split(g: Array, xs_shapes: tuple[Shape, ...], axis: int) -> list[Array]:
    """Return the parts of a cotangent that belong to each of several joined arrays."""
    before = (slice(None),) * (axis % g.ndim)
    sizes = [shape[axis] for shape in xs_shapes]
    ends = accumulate(sizes, initial=0)
    return [g[(*before, slice(*part), ...)] for part in pairwise(ends)]


@op
def concat(xp, /, *xs, axis: int = 0):
    return xp.concat(xs, axis=axis)


concat.vjp(_split)


def _unstack(g: Array, xs_shapes: tuple[Shape, ...], axis: int) -> list[Array]:
    """Return the parts of a cotangent that belong to each of several stacked arrays."""
    before = (slice(None),) * (axis % g.ndim)
    return [g[(*before, i, ...)] for i in range(len(xs_shapes))]


@op
def stack(xp, /, *xs, axis=0):
    return xp.stack(xs, axis=axis)


stack.vjp(_unstack)


@op
def to_device(xp, x, /, device, source):
    """Return a copy on a device; ``source`` is the device of ``x``."""
    return xp.to_device(x, device)


to_device.vjp(lambda g, device, source, xp: xp.to_device(g, source, device))
