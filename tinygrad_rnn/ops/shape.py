"""Ops that arrange elements: most only look at the same memory in another way."""

from functools import cache
from itertools import accumulate
from typing import Any

from ..engine.op import op

__warningregistry__ = ()  # makes NumPy's warnings errors: see engine/warned.py

Array = Any
Shape = tuple[int, ...]


@cache
def _inverse(axes: Shape) -> Shape:
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


def _parts(g: Any, xs_shapes: tuple[Shape, ...], axis: int) -> list[Any]:
    """The stretches of a cotangent that belong to each of several joined arrays."""
    before = (slice(None),) * (axis % g.ndim)
    sizes = [shape[axis] for shape in xs_shapes]
    ends = accumulate(sizes)
    return [
        g[(*before, slice(end - n, end), ...)]
        for n, end in zip(sizes, ends, strict=True)
    ]


def _layers(g: Any, xs_shapes: tuple[Shape, ...], axis: int) -> list[Any]:
    """Those of several stacked arrays."""
    before = (slice(None),) * (axis % g.ndim)
    return [g[(*before, i, ...)] for i in range(len(xs_shapes))]


# fmt: off

@op(view=True)
def reshape(xp: Any, x: Array, /, shape: Shape) -> Array: return xp.reshape(x, shape)
reshape.vjp(lambda g, x_shape, xp: xp.reshape(g, x_shape))

@op(view=True)
def permute_dims(xp: Any, x: Array, /, axes: Shape) -> Array: return xp.permute_dims(x, axes)
permute_dims.vjp(lambda g, axes, xp: xp.permute_dims(g, _inverse(tuple(axes))))

@op(view=True)
def broadcast_to(xp: Any, x: Array, /, shape: Shape) -> Array: return xp.broadcast_to(x, shape)
broadcast_to.vjp(lambda g: g)  # the engine undoes broadcasting

@op
def flip(xp: Any, x: Array, /, axis: int | Shape | None = None) -> Array:
    return xp.array(xp.flip(x, axis=axis))
flip.vjp(lambda g, axis, xp: xp.flip(g, axis=axis))

@op
def concat(xp: Any, /, *xs: Array, axis: int = 0) -> Array: return xp.concat(xs, axis=axis)
concat.vjp(_parts)

@op
def stack(xp: Any, /, *xs: Array, axis: Any = 0) -> Array: return xp.stack(xs, axis=axis)
stack.vjp(_layers)

@op
def to_device(xp: Any, x: Array, /, device: str, source: str) -> Array:
    """A copy on a device; ``source`` is the one that it comes from."""
    return xp.to_device(x, device)
to_device.vjp(lambda g, device, source, xp: xp.to_device(g, source, device))
