"""Padding at the ends of dims."""

import sys
from collections.abc import Sequence

import numpy as np

from ...creation import as_tensor, full
from ...engine import seam
from ...errors import (
    OptionError,
    ShapeError,
    check_choice,
    check_fits,
    check_integers,
    check_type,
)
from ...errors.tensor_checks import check_tensors
from ...functions import cat
from ...tensor import Tensor

__all__ = ["pad"]


def pad(
    input: Tensor,
    pad: Sequence[int],
    mode: str = "constant",
    value: float | None = None,
) -> Tensor:
    """Add elements at the ends of the last dims.

    Args:
        input: A Tensor of any shape and dtype.
        pad: How many elements to add, as (left, right) of the last dim, then of the dim
            before it, and so on. Negative numbers cut elements off.
        mode: ``"constant"``, ``"reflect"`` (mirrored at the outermost element, which is
            not repeated) or ``"replicate"`` (the outermost element again), of any dims.
        value: The new elements with ``mode="constant"``; 0 if left out.

    Returns:
        A new Tensor; the gradient of a copied element is added to its source's.

    Raises:
        ShapeError: There are too many sizes, or one does not fit its dim.
        OptionError: A ``value`` is given with another mode, or is 0.5 for integers.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.functional import pad
        >>> pad(tg.tensor([[1, 2, 3]]), (2, -1), "replicate").tolist()
        [[1, 1, 1, 2]]
    """
    check_tensors("pad", input=input)
    check_type("pad", tuple | list, "sizes in a tuple", pad=pad)
    check_choice("pad", ("constant", "reflect", "replicate"), mode=mode)
    for i, size in enumerate(pad):
        check_integers("pad", -sys.maxsize, **{f"pad[{i}]": size})
    if value is not None and mode != "constant":
        raise OptionError(f"pad: value is {value}, which mode={mode!r} does not take")
    check_fits("pad", input.dtype, value=value)
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ShapeError(
            f"pad: got {len(pad)} sizes, expected two for each of some last dims"
        )
    if not pad:
        return input.clone()
    for i in range(len(pad) // 2):
        dim, left, right = input.ndim - 1 - i, pad[2 * i], pad[2 * i + 1]
        size = input.shape[dim]
        is_too_short = size + min(left, 0) + min(right, 0) < 0
        if is_too_short or max(left, right) > _most_new_elements(mode, size):
            raise ShapeError(
                f"pad: {left} and {right} do not fit dim {dim} of an input of shape "
                f"{input.shape}, mode={mode!r}"
            )
        if mode == "constant":
            input = _pad_with_value(input, dim, left, right, value or 0)
        else:
            indices = _source_indices(mode, size, left, right)
            input = input.index_select(dim, as_tensor(indices, device=input.device))
    return input


def _most_new_elements(mode: str, size: int) -> int:
    """Return how many elements can be added at an end of a dim."""
    if mode == "reflect":
        return max(size - 1, 0)
    return 0 if mode == "replicate" and not size else sys.maxsize


def _pad_with_value(
    input: Tensor, dim: int, left: int, right: int, value: float
) -> Tensor:
    size = input.shape[dim]
    kept = input.narrow(dim, max(-left, 0), size + min(left, 0) + min(right, 0))
    shape = list(input.shape)
    ends = []
    for count in (left, right):
        shape[dim] = max(count, 0)
        ends.append(full(shape, value, input.dtype, input.device))
    return cat([ends[0], kept, ends[1]], dim)


def _source_indices(mode: str, size: int, left: int, right: int) -> np.ndarray:
    """Say which element of a dim each element of the padded dim is a copy of."""
    indices = np.arange(-left, size + right)
    last = size - 1
    if mode == "replicate":
        return seam.constant(indices.clip(0, last))
    return seam.constant(last - abs(last - abs(indices)))
