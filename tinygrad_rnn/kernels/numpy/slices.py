"""Recurrent layers in slices of the batch, each on a thread of its own, where the steps
are large.

A step has to wait for the one before, but one sequence never for another. BLAS's
threads would share each product, and wait for each other twice a step; slices meet
once, at the end.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ...backend.pool import empty
from ...backend.threads import WORTH, cut, each


class _Slices(list[Any]):
    """The workspaces of slices, each with its place in the batch."""


def _of(part: slice, arrays: Any, axis: int = 1) -> list[Any]:
    """What of arrays, or None, belongs to a slice."""
    place = (slice(None),) * axis + (part,)
    return [None if array is None else array[place] for array in arrays]


def _whole(parts: Any) -> Any:
    if (first := parts[0]) is None:
        return None
    batch = sum([part.shape[1] for part in parts])
    return np.concatenate(
        parts, 1, empty((len(first), batch, *first.shape[2:]), first.dtype)
    )


def forward(states: int) -> Callable[[Any], Any]:
    """For the forward of a layer whose arguments are x, so many states, w_ih, w_hh, ..."""

    def decorate(kernel: Any) -> Any:
        @wraps(kernel)
        def run(*args: Any, **settings: Any) -> Any:
            batch = args[0].shape[1]
            work = batch * args[states + 2].size  # a step's, with W_hh
            if work < 2 * WORTH or len(parts := cut(batch, work)) == 1:
                return kernel(*args, **settings)

            def one(part: slice) -> Any:
                begins = _of(part, args[: states + 1])
                (own,) = _of(part, [settings.get("lengths")], 0)
                return kernel(
                    *begins, *args[states + 1 :], **settings | {"lengths": own}
                )

            outputs, workspaces = zip(*each(one, parts), strict=True)
            joined = tuple(map(_whole, zip(*outputs, strict=True)))
            return joined, _Slices(zip(parts, workspaces, strict=True))

        return run

    return decorate


def backward(states: int) -> Callable[[Any], Any]:
    """For the backward of such a layer: gradients of weights are those of the slices,
    added up.
    """

    def decorate(kernel: Any) -> Any:
        @wraps(kernel)
        def run(
            grads: Any,
            needs: Any,
            inputs: Any,
            outputs: Any,
            workspace: Any,
            **settings: Any,
        ) -> Any:
            if type(workspace) is not _Slices:
                return kernel(grads, needs, inputs, outputs, workspace, **settings)

            def one(pair: Any) -> Any:
                part, own = pair
                # Of the inputs it reads the weights alone: the rest is in its
                # workspace.
                return kernel(_of(part, grads), needs, inputs, None, own, **settings)

            found = list(zip(*each(one, workspace), strict=True))
            for first, *others in found[states + 1 :]:
                for other in others if first is not None else ():
                    np.add(first, other, first)
            return *map(_whole, found[: states + 1]), *[
                g[0] for g in found[states + 1 :]
            ]

        return run

    return decorate
