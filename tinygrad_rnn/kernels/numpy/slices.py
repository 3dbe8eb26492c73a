"""Large recurrent layers in slices of the batch, each on its own thread.

A step has to wait for the previous one, but no sequence for another. The threads of
BLAS would share each product and wait for each other twice a step. Slices wait for each
other only once, at the end.
"""

from collections.abc import Callable
from functools import wraps
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ...backend.pool import empty
from ...backend.threads import MAX_SLICES, run_each
from ...types import Function
from .scan import Arrays, MaybeArray, Needs

# What a slice of the batch has at least: rows, and multiplications of its whole scan.
MIN_ROWS = 16
MIN_WORK = 1 << 23


def split_batch(steps: int, batch: int, weight_size: int) -> list[slice]:
    """Split a batch into slices, given the size of W_hh.

    How many there are depends on the shape alone, so results are the same bits with any
    number of threads.
    """
    work = steps * batch * weight_size
    if work < 2 * MIN_WORK:
        return [slice(0, batch)]
    count = max(min(MAX_SLICES, batch // MIN_ROWS, work // MIN_WORK), 1)
    ends = [batch * i // count for i in range(count + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


class Slice(NamedTuple):
    """A slice of the batch, and the workspace of the kernel that ran on it."""

    part: slice
    workspace: object


def _slice_batch(arrays: Arrays, part: slice) -> list[MaybeArray]:
    """Return a slice of the batch of each array."""
    return [None if array is None else array[:, part] for array in arrays]


def _join_batch(arrays: Arrays) -> MaybeArray:
    """Join the arrays of all slices along the batch; None if they are None."""
    parts = [array for array in arrays if array is not None]
    if not parts:
        return None
    first = parts[0]
    batch = sum([part.shape[1] for part in parts])
    out = empty((len(first), batch, *first.shape[2:]), first.dtype)
    return np.concatenate(parts, 1, out)


def _add_up(arrays: Arrays) -> MaybeArray:
    """Add the arrays of all slices to the first one; None if they are None."""
    total, *others = arrays
    if total is not None:
        for other in others:
            total += other
    return total


def parallel_forward(states: int) -> Callable[[Function], Function]:
    """Decorate a layer's forward, which takes x, so many states, W_ih, W_hh and so on.

    Its workspace becomes a list of Slices if it runs in several.
    """

    def decorate(kernel: Function) -> Function:
        @wraps(kernel)
        def run(
            *args: Any, lengths: MaybeArray = None, **settings: object
        ) -> tuple[Any, Any]:
            steps, batch = args[0].shape[:2]
            parts = split_batch(steps, batch, args[states + 2].size)
            if len(parts) == 1:
                return kernel(*args, lengths=lengths, **settings)

            def run_slice(part: slice) -> Any:
                begins = _slice_batch(args[: states + 1], part)
                own = None if lengths is None else lengths[part]
                weights = args[states + 1 :]
                return kernel(*begins, *weights, lengths=own, **settings)

            outputs, workspaces = zip(*run_each(run_slice, parts), strict=True)
            joined = tuple(map(_join_batch, zip(*outputs, strict=True)))
            return joined, list(map(Slice, parts, workspaces))

        return run

    return decorate


def parallel_backward(states: int) -> Callable[[Function], Function]:
    """Decorate a layer's backward; the gradients of weights are added up."""

    def decorate(kernel: Function) -> Function:
        @wraps(kernel)
        def run(
            grads: Arrays,
            needs: Needs,
            inputs: Arrays,
            outputs: object,
            workspace: Any,
            **settings: object,
        ) -> Arrays:
            if not isinstance(workspace, list):
                return kernel(grads, needs, inputs, outputs, workspace, **settings)

            def run_slice(own: Slice) -> Any:
                # Of the inputs, only the weights are read.
                g_slice = _slice_batch(grads, own.part)
                return kernel(g_slice, needs, inputs, None, own.workspace, **settings)

            found = list(zip(*run_each(run_slice, workspace), strict=True))
            begins, weights = found[: states + 1], found[states + 1 :]
            return *map(_join_batch, begins), *map(_add_up, weights)

        return run

    return decorate
