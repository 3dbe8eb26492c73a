"""Large recurrent layers in slices of the batch, each on a thread of its own.

A step has to wait for the one before, but no sequence for another. BLAS's threads would
share each product, and wait for each other twice a step; slices meet once, at the end.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from ...backend.pool import empty
from ...backend.threads import MIN_WORK, run_each, split_rows
from ...types import Function
from .scan import Arrays, MaybeArray, Needs


class _SlicedWorkspace(NamedTuple):
    """The workspaces of slices of the batch, and where these are."""

    parts: list[slice]
    workspaces: Sequence[object]


def _slice_batch(arrays: Arrays, part: slice) -> list[MaybeArray]:
    return [None if array is None else array[:, part] for array in arrays]


def _join_batch(arrays: Arrays) -> MaybeArray:
    """The arrays of all slices as one; None if they are None."""
    parts = [array for array in arrays if array is not None]
    if not parts:
        return None
    first = parts[0]
    batch = sum([part.shape[1] for part in parts])
    out = empty((len(first), batch, *first.shape[2:]), first.dtype)
    return np.concatenate(parts, 1, out)


def parallel_forward(states: int) -> Callable[[Function], Function]:
    """Decorate the forward of a layer: x, so many states, w_ih, w_hh and so on."""

    def decorate(kernel: Function) -> Function:
        @wraps(kernel)
        def run(*args: Any, **settings: Any) -> object:
            batch = args[0].shape[1]
            work = batch * args[states + 2].size  # of a step, with W_hh
            if work < 2 * MIN_WORK:
                return kernel(*args, **settings)
            parts = split_rows(batch, work)
            if len(parts) == 1:
                return kernel(*args, **settings)
            begins, weights = args[: states + 1], args[states + 1 :]
            lengths = settings.pop("lengths", None)

            def run_slice(part: slice) -> Any:
                own = None if lengths is None else lengths[part]
                sliced = _slice_batch(begins, part)
                return kernel(*sliced, *weights, lengths=own, **settings)

            outputs, workspaces = zip(*run_each(run_slice, parts), strict=True)
            joined = tuple(map(_join_batch, zip(*outputs, strict=True)))
            return joined, _SlicedWorkspace(parts, workspaces)

        return run

    return decorate


def parallel_backward(states: int) -> Callable[[Function], Function]:
    """Decorate the backward of such a layer; gradients of weights are added up."""

    def decorate(kernel: Function) -> Function:
        @wraps(kernel)
        def run(
            grads: Arrays,
            needs: Needs,
            inputs: Arrays,
            outputs: object,
            workspace: object,
            **settings: object,
        ) -> object:
            if not isinstance(workspace, _SlicedWorkspace):
                return kernel(grads, needs, inputs, outputs, workspace, **settings)

            def run_slice(pair: tuple[slice, object]) -> Any:
                part, own = pair
                # Of the inputs only the weights are read: the rest is in the workspace.
                sliced = _slice_batch(grads, part)
                return kernel(sliced, needs, inputs, None, own, **settings)

            pairs = list(zip(*workspace, strict=True))
            found = list(zip(*run_each(run_slice, pairs), strict=True))
            begins, weights = found[: states + 1], found[states + 1 :]
            for first, *others in weights:
                for other in others if first is not None else ():
                    np.add(first, other, first)
            return *map(_join_batch, begins), *[parts[0] for parts in weights]

        return run

    return decorate
