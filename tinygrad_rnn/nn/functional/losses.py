"""Losses of an input and a target of one shape, element by element."""

from typing import Any

from ... import ops
from ...errors import ShapeError, check_choice
from ...errors.tensor_checks import (
    KL_REDUCTIONS,
    check_broadcasts_to_input,
    check_loss_arguments,
    check_probabilities,
)
from ...tensor import Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
]


def reduced(
    name: str, losses: Tensor, reduction: str, weight: Tensor | None = None
) -> Tensor:
    """The losses, by weight: as they are, their sum, or their mean, over the weights if
    there are.
    """
    losses = losses if weight is None else losses * weight
    if reduction != "mean":
        return losses if reduction == "none" else losses.sum()
    count: Any = losses.numel() if weight is None else weight.sum()
    if not count:
        raise ShapeError(
            f"{name}: the mean of no elements (shape {losses.shape}) is not defined"
        )
    return losses.sum() / count


def mse_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """(input - target)^2, of two tensors of one shape."""
    check_loss_arguments("mse_loss", input, target, weight, reduction=reduction)
    if reduction == "mean" and weight is None and input.numel():
        return ops.mse(input, target)
    return reduced("mse_loss", (input - target).square(), reduction, weight)


def l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """|input - target|, of two tensors of one shape."""
    check_loss_arguments("l1_loss", input, target, weight, reduction=reduction)
    return reduced("l1_loss", (input - target).abs(), reduction, weight)


def _huber(difference: Tensor, bound: float) -> Tensor:
    """d^2 / 2 for |d| < bound, and the line that goes on from there."""
    near = ops.where(difference.abs() < bound, difference, difference.sign() * bound)
    return near * (difference - near * 0.5)


def smooth_l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """d^2 / (2 beta) for |d| < beta, else |d| - beta / 2, of d = input - target."""
    check_loss_arguments(
        "smooth_l1_loss", input, target, reduction=reduction, beta=beta
    )
    difference = input - target
    losses = _huber(difference, beta) / beta if beta else difference.abs()
    return reduced("smooth_l1_loss", losses, reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d^2 / 2 for |d| < delta, else delta * (|d| - delta / 2), of d = input - target."""
    check_loss_arguments(
        "huber_loss", input, target, weight, reduction=reduction, delta=delta
    )
    losses = _huber(
        input - target, delta
    )  # the mean is over all, as PyTorch's, whatever weighs
    return reduced(
        "huber_loss", losses if weight is None else losses * weight, reduction
    )


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """-t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)) of logits x and targets t of one
    shape.

    ``weight`` of each loss, ``pos_weight`` of its first part: both broadcast to the
    input's shape.
    """
    name = "binary_cross_entropy_with_logits"
    check_loss_arguments(name, input, target, reduction=reduction)
    weights = {"weight": weight, "pos_weight": pos_weight}
    check_broadcasts_to_input(name, input, **weights)
    true = target if pos_weight is None else target * pos_weight
    losses = true * ops.softplus(-input) + (1.0 - target) * ops.softplus(input)
    losses = losses if weight is None else losses * weight
    return reduced(name, losses, reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """-t log(x) - (1 - t) log(1 - x) of probabilities x and targets t of one shape.

    As PyTorch's: logarithms are at least -100. ``weight`` of each loss broadcasts to
    their shape; the mean is over their number. Scores instead of probabilities go to
    :func:`binary_cross_entropy_with_logits`.
    """
    name = "binary_cross_entropy"
    check_loss_arguments(name, input, target, reduction=reduction)
    check_probabilities(name, input=input, target=target)
    check_broadcasts_to_input(name, input, weight=weight)
    losses = ops.binary_cross_entropy(input, target)
    losses = losses if weight is None else losses * weight
    return reduced(name, losses, reduction)


def kl_div(
    input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """t (log(t) - x) of log-probabilities x and probabilities t, or their logarithms,
    of one shape.

    Where t is 0, so is the loss. ``reduction`` is "none", "sum", "mean" over all
    elements, or "batchmean": the sum over the size of the first dim, the
    Kullback-Leibler divergence.
    """
    check_loss_arguments("kl_div", input, target, log_target=log_target)
    check_choice("kl_div", KL_REDUCTIONS, reduction=reduction)
    if log_target:
        losses = target.exp() * (target - input)
    else:
        logs = ops.where(target == 0.0, 1.0, target).log()  # so that 0 log(0) is 0
        losses = target * (logs - input)
    if reduction != "batchmean":
        return reduced("kl_div", losses, reduction)
    if 0 in losses.shape[:1]:
        raise ShapeError(
            f"kl_div: the mean over a batch of none ({losses.shape}) is not defined"
        )
    return losses.sum() / (losses.shape[0] if losses.ndim else 1)
