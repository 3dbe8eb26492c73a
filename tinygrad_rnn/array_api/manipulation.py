"""Functions that rearrange elements."""

from collections.abc import Sequence

import numpy as np

from .. import creation, functions, ops
from ..backend import backend_of
from ..errors import OptionError, ShapeError, check_dim
from ..tensor import Tensor

Dims = int | tuple[int, ...]


def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """Broadcast tensors to their common shape."""
    try:
        shape = np.broadcast_shapes(*[x.shape for x in arrays])
    except ValueError:
        got = " and ".join(str(x.shape) for x in arrays)
        raise ShapeError(
            f"broadcast_arrays: the shapes {got} do not broadcast"
        ) from None
    return [x if x.shape == shape else x.broadcast_to(shape) for x in arrays]


def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """Join tensors along an existing dim; flattened first if ``axis`` is None."""
    if axis is None:
        arrays, axis = [x.flatten() for x in arrays], 0
    return functions.cat(arrays, axis)


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Join tensors of one shape along a new dim."""
    return functions.stack(arrays, axis)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Return the slices along a dim, without that dim."""
    if not x.ndim:
        raise ShapeError("unstack: got a 0-d tensor, expected at least one dim")
    return x.unbind(axis)


def expand_dims(x: Tensor, /, axis: int) -> Tensor:
    """Add a dim of size 1."""
    return x.unsqueeze(axis)


def squeeze(x: Tensor, /, axis: Dims) -> Tensor:
    """Remove dims of size 1."""
    for dim in axis if isinstance(axis, tuple) else (axis,):
        if x.size(dim) != 1:
            raise ShapeError(
                f"squeeze: dim {dim} of a tensor of shape {x.shape} is not 1"
            )
    return x.squeeze(axis)


def flip(x: Tensor, /, *, axis: Dims | None = None) -> Tensor:
    """Reverse the elements along dims, or all dims if ``axis`` is None."""
    return x.clone() if axis == () or not x.ndim else ops.flip(x, axis)


def reshape(
    x: Tensor, /, shape: tuple[int, ...], *, copy: bool | None = None
) -> Tensor:
    """Return the same elements in another shape."""
    out = x.reshape(shape)
    if copy is None:
        return out
    is_shared = backend_of(x.array).aliases(out.array, x.array)
    if not copy and not is_shared:
        raise OptionError(f"reshape: to {shape} it is a copy, but copy=False")
    return out.clone() if copy and is_shared else out


def roll(x: Tensor, /, shift: Dims, *, axis: Dims | None = None) -> Tensor:
    """Rotate the elements along dims, or in flattened order if ``axis`` is None."""
    if isinstance(axis, tuple) and not isinstance(shift, tuple):
        shift = (shift,) * len(axis)
    return x.roll(shift, axis)


def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """Repeat the tensor ``repetitions[i]`` times along dim i."""
    return x.tile(repetitions)


def repeat(x: Tensor, repeats: int | Tensor, /, *, axis: int | None = None) -> Tensor:
    """Repeat each element, or each slice along a dim, so many times."""
    if axis is None:
        x, axis = x.flatten(), 0
    dim = check_dim("repeat", axis, x.shape)
    counts = repeats.cpu().numpy() if isinstance(repeats, Tensor) else repeats
    indices = np.repeat(np.arange(x.size(dim)), counts)
    return x.index_select(dim, creation.tensor(indices, device=x.device))
