"""Padding at the ends of dims."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import functions
from ...creation import as_tensor, full
from ...errors import OptionError, ShapeError, check_choice, check_integers, check_type
from ...errors.tensor_checks import check_tensors
from ...tensor import Tensor

__all__ = ["pad"]

# Which of n elements stands at place i.
_PLACES: dict[str, Any] = {"reflect": lambda i, n: n - 1 - abs(n - 1 - abs(i))}
_PLACES["replicate"] = lambda i, n: i.clip(0, n - 1)


def pad(
    input: Tensor,
    pad: Sequence[int],
    mode: str = "constant",
    value: float | None = None,
) -> Tensor:
    """With ``pad`` = (left, right) more elements in the last dim, then in the one
    before, and so on.

    Fewer, where they are negative. ``mode`` is constant, reflect or replicate, for any
    dims.
    """
    check_tensors("pad", input=input)
    check_type("pad", tuple | list, "sizes in a tuple", pad=pad)
    check_choice("pad", ("constant", *_PLACES), mode=mode)
    check_integers(
        "pad", -sys.maxsize, **{f"pad[{i}]": size for i, size in enumerate(pad)}
    )
    if value is not None and mode != "constant":
        raise OptionError(f"pad: value is {value}, which mode={mode!r} does not take")
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ShapeError(
            f"pad: got {len(pad)} sizes, expected two for each of some last dims"
        )
    for dim, left, right in zip(
        range(input.ndim)[::-1], pad[::2], pad[1::2], strict=False
    ):
        before, n, after = input.shape[:dim], input.shape[dim], input.shape[dim + 1 :]
        most = {"reflect": max(n - 1, 0), "replicate": n * sys.maxsize}.get(
            mode, sys.maxsize
        )
        if n + min(left, 0) + min(right, 0) < 0 or max(left, right) > most:
            got = f"{left} and {right} do not fit dim {dim}"
            raise ShapeError(
                f"pad: {got} of an input of shape {input.shape}, mode={mode!r}"
            )
        if mode == "constant":
            shapes = [(*before, max(size, 0), *after) for size in (left, right)]
            first, last = [
                full(s, value or 0, input.dtype, input.device) for s in shapes
            ]
            kept = input.narrow(dim, max(-left, 0), n + min(left, 0) + min(right, 0))
            input = functions.cat([first, kept, last], dim)
        else:
            places = _PLACES[mode](np.arange(-left, n + right), n)
            input = input.index_select(dim, as_tensor(places, device=input.device))
    return input if len(pad) else input.clone()
