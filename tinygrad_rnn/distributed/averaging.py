"""Gradients averaged over all ranks, and losses whose mean goes by counts."""

from collections.abc import Sequence

import numpy as np

from ..backend import backend_of, backends
from ..backend.standard import numpy_dtype
from ..engine import seam
from ..engine.node import Value, wrap
from ..errors import OptionError, ShapeError, check_numbers, check_type, describe
from ..tensor import Tensor
from ..types import Array, Operand
from .collectives import group_by_kind, reduce_arrays
from .communicator import ReduceOp
from .group import ProcessGroup, current_group, is_initialized


def average_gradients(
    group: ProcessGroup, gradients: Sequence[Array | None], parameters: Sequence[Array]
) -> list[Array | None]:
    """Return the mean over all ranks of each gradient; None where no rank has one.

    All of one dtype and device go as one vector. A rank that has no gradient for a
    parameter counts as zeros. A number for each parameter follows the gradients: how
    many ranks have one.

    Args:
        group: The ranks.
        gradients: An array for each parameter, or None.
        parameters: Their arrays, in the same order, shapes and dtypes on all ranks.
    """
    averaged: list[Array | None] = list(gradients)
    for places in group_by_kind(parameters):
        xp = backend_of(parameters[places[0]])
        given = [gradients[i] for i in places]
        arrays = [
            xp.zeros_like(parameters[i]) if g is None else g
            for i, g in zip(places, given, strict=True)
        ]
        is_there = [g is not None for g in given]
        has_one = np.array(is_there, numpy_dtype(arrays[0].dtype))
        sent = [*arrays, xp.from_host(has_one)]
        *means, share = reduce_arrays(group, "backward", sent, ReduceOp.AVG)
        # All are there: no need to wait for a GPU to read what other ranks have.
        found = has_one if has_one.all() else xp.to_host(share)
        for i, mean, some in zip(places, means, found, strict=True):
            averaged[i] = mean if some else None
    return averaged


def average_in_place(group: ProcessGroup, gradients: Sequence[Array]) -> None:
    """Replace gradients, one of each parameter, by their means over all ranks."""
    averaged = average_gradients(group, gradients, gradients)
    for gradient, mean in zip(gradients, averaged, strict=True):
        backend_of(gradient).assign(gradient, ..., mean)


def mean_loss(total: Tensor, count: Operand) -> Tensor:
    """Return a loss whose average over the ranks is the mean over all elements.

    A mean of the ranks' means gives each rank the same weight. That is the mean over
    all elements only if every rank has as many of them. With ignored targets or with
    ``lengths``, sum the losses and pass how many there are.

    Args:
        total: The sum of the losses of this rank, as from ``reduction="sum"``.
        count: How many elements that is the sum of, or the sum of their weights, as a
            number or a Tensor of one; it may be 0 on some ranks.

    Returns:
        ``total * world_size / sum of all counts``; without a group, ``total / count``.

    Raises:
        ShapeError: The count is more than one number, or 0 on all ranks.
        OptionError: It is negative.

    Example:
        >>> import tinygrad_rnn as tg
        >>> import tinygrad_rnn.nn.functional as F
        >>> logits, targets = tg.randn(3, 5), tg.tensor([4, -100, 2])
        >>> total = F.cross_entropy(logits, targets, reduction="sum")
        >>> loss = tg.distributed.mean_loss(total, (targets != -100).sum())
        >>> loss.allclose(F.cross_entropy(logits, targets))
        True
    """
    check_type("mean_loss", Value, "a Tensor", total=total)
    _check_count(count)
    seam.use("mean_loss", total, count)
    group = current_group("mean_loss") if is_initialized() else None
    counted = count.array if isinstance(count, Value) else count
    return total * wrap(seam.act(_scale_of, group, counted, total.array))


def _check_count(count: Operand) -> None:
    """Raise if it is not one number."""
    array = count.array if isinstance(count, Value) else count
    if type(array) not in backends:
        check_numbers("mean_loss", 0.0, count=count)
    elif array.size != 1:
        raise ShapeError(
            f"mean_loss: count is {describe(count)}, expected one number; pass the sum "
            "of the mask, (targets != -100).sum()"
        )


def _scale_of(group: ProcessGroup | None, count: Operand, total: Array) -> Array:
    """Return by what a sum is multiplied, as an array like it."""
    counted = backend_of(count).to_host(count) if type(count) in backends else count
    counts, ranks = np.array(counted, np.float64).reshape(1), 1
    if not counts[0] >= 0:
        raise OptionError(f"mean_loss: count is {counts[0]}, expected at least 0")
    if group is not None:
        counts = reduce_arrays(group, "mean_loss", [counts], ReduceOp.SUM)[0]
        ranks = group.size
    if not counts[0]:
        raise ShapeError(
            "mean_loss: the mean over no elements is not defined: the count is 0 on "
            "all ranks; leave this batch out on all of them"
        )
    scale = np.asarray(ranks / counts[0], numpy_dtype(total.dtype))
    return backend_of(total).from_host(scale)
