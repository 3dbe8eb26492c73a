"""Losses that compare an input with a target of the same shape, element by element."""

from ... import ops
from ...engine import seam
from ...errors import ShapeError, check_choice
from ...errors.tensor_checks import (
    KL_REDUCTIONS,
    check_broadcasts_to_input,
    check_loss_arguments,
    check_probabilities,
)
from ...tensor import Tensor
from ...types import Operand, Shape

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
]


def reduce_losses(
    name: str, losses: Tensor, reduction: str, weight: Tensor | None = None
) -> Tensor:
    """Return all losses l, their sum or their mean; with weights w, those of w l.

    Args:
        name: The public function, for the message.
        losses: The loss of each element.
        reduction: ``"none"``, ``"sum"`` or ``"mean"``.
        weight: A factor for each loss. The mean is then sum(w l) / sum(w).
    """
    losses = _multiply(losses, weight)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    divisor: Operand = losses.numel() if weight is None else weight.sum()
    count = divisor if weight is None else divisor.array
    seam.act(_check_divisor, name, count, losses.shape)
    return losses.sum() / divisor


def _check_divisor(name: str, divisor: Operand, shape: Shape) -> None:
    if not divisor:
        raise ShapeError(
            f"{name}: the mean of no elements (shape {shape}) is not defined"
        )


def _multiply(losses: Tensor, weight: Tensor | None) -> Tensor:
    return losses if weight is None else losses * weight


# ---------------------------------------------------------------- distances


def mse_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """Return the squared error, (input - target)^2.

    Args:
        input: Predictions, floats of any shape.
        target: What they should be, of the same shape and dtype.
        reduction: ``"mean"``, ``"sum"``, or ``"none"`` for the loss of each element.
        weight: A factor for each element's loss, of the same shape. The mean is then
            divided by the sum of the weights.

    Returns:
        A 0-d Tensor, or one of the input's shape with ``reduction="none"``.

    Raises:
        ShapeError: The shapes differ, or it is the mean of no elements.
        DTypeError: The dtypes differ.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.functional import mse_loss
        >>> mse_loss(tg.tensor([1.0, 4.0]), tg.tensor([1.0, 2.0])).item()
        2.0
    """
    check_loss_arguments("mse_loss", input, target, weight, reduction=reduction)
    if reduction == "mean" and weight is None and input.numel():
        return ops.mse(input, target)
    return reduce_losses("mse_loss", (input - target).square(), reduction, weight)


def l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """Return the absolute error, abs(input - target).

    Arguments, result and errors are those of :func:`mse_loss`.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.functional import l1_loss
        >>> l1_loss(tg.tensor([1.0, 4.0]), tg.tensor([1.0, 2.0])).item()
        1.0
    """
    check_loss_arguments("l1_loss", input, target, weight, reduction=reduction)
    return reduce_losses("l1_loss", (input - target).abs(), reduction, weight)


def _huber(difference: Tensor, delta: float) -> Tensor:
    """Return d^2 / 2 where abs(d) < delta, and beyond that the line that continues it.

    Both are c (d - c / 2), with d clipped to c in [-delta, delta]. So the gradient of
    a large d is finite, where that of an unused d^2 would overflow.
    """
    is_small = difference.abs() < delta
    clipped = ops.where(is_small, difference, difference.sign() * delta)
    return clipped * (difference - clipped * 0.5)


def smooth_l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """Return the absolute error with a parabola around 0: Girshick, arXiv:1504.08083.

    With d = input - target: d^2 / (2 beta) where abs(d) < beta, else
    abs(d) - beta / 2.

    Args:
        input: Predictions, floats of any shape.
        target: What they should be, of the same shape and dtype.
        reduction: ``"mean"``, ``"sum"``, or ``"none"`` for the loss of each element.
        beta: Where the parabola ends; 0 gives :func:`l1_loss`.

    Returns:
        A 0-d Tensor, or one of the input's shape with ``reduction="none"``.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.functional import smooth_l1_loss
        >>> smooth_l1_loss(tg.tensor([1.0, 5.0]), tg.tensor([2.0, 2.0])).item()
        1.5
    """
    name = "smooth_l1_loss"
    check_loss_arguments(name, input, target, reduction=reduction, beta=beta)
    difference = input - target
    losses = _huber(difference, beta) / beta if beta else difference.abs()
    return reduce_losses(name, losses, reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Return a squared error that grows only linearly beyond delta: Huber 1964.

    With d = input - target: d^2 / 2 where abs(d) < delta, else
    delta * (abs(d) - delta / 2).

    Args:
        input: Predictions, floats of any shape.
        target: What they should be, of the same shape and dtype.
        reduction: ``"mean"``, ``"sum"``, or ``"none"`` for the loss of each element.
        delta: Where the parabola ends, above 0.
        weight: A factor for each element's loss, of the same shape. As in PyTorch, the
            mean is still divided by the number of elements.

    Returns:
        A 0-d Tensor, or one of the input's shape with ``reduction="none"``.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.functional import huber_loss
        >>> huber_loss(tg.tensor([1.0, 5.0]), tg.tensor([2.0, 2.0])).item()
        1.5
    """
    name = "huber_loss"
    check_loss_arguments(name, input, target, weight, reduction=reduction, delta=delta)
    losses = _multiply(_huber(input - target, delta), weight)
    return reduce_losses(name, losses, reduction)


# ---------------------------------------------------------------- probabilities


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the binary cross entropy, in nats, from logits.

    With logits x and targets t: -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)),
    computed as t softplus(-x) + (1 - t) softplus(x), of which neither part overflows.

    Args:
        input: Logits, floats of any shape.
        target: The probability of yes, from 0 to 1, of the same shape and dtype.
        weight: A factor for each loss, which broadcasts to the input's shape. The mean
            is still divided by the number of elements.
        reduction: ``"mean"``, ``"sum"``, or ``"none"`` for the loss of each element.
        pos_weight: A factor for the first part alone, that of yes. It broadcasts too.

    Returns:
        A 0-d Tensor, or one of the input's shape with ``reduction="none"``.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.functional import binary_cross_entropy_with_logits
        >>> x, t = tg.tensor([0.0, 0.0]), tg.tensor([0.0, 1.0])
        >>> round(binary_cross_entropy_with_logits(x, t).item(), 4)  # log(2)
        0.6931
    """
    name = "binary_cross_entropy_with_logits"
    check_loss_arguments(name, input, target, reduction=reduction)
    check_broadcasts_to_input(name, input, weight=weight, pos_weight=pos_weight)
    positive = _multiply(target, pos_weight)
    losses = positive * ops.softplus(-input) + (1.0 - target) * ops.softplus(input)
    return reduce_losses(name, _multiply(losses, weight), reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Return the binary cross entropy, in nats, from probabilities.

    With probabilities x and targets t: -t log(x) - (1 - t) log(1 - x). As in PyTorch,
    a logarithm is at least -100. For logits there is
    :func:`binary_cross_entropy_with_logits`.

    Args:
        input: Probabilities, floats of any shape.
        target: The probability of yes, from 0 to 1, of the same shape and dtype.
        weight: A factor for each loss, which broadcasts to the input's shape. The mean
            is still divided by the number of elements.
        reduction: ``"mean"``, ``"sum"``, or ``"none"`` for the loss of each element.

    Returns:
        A 0-d Tensor, or one of the input's shape with ``reduction="none"``.

    Raises:
        OptionError: An element of input or target is not from 0 to 1.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.functional import binary_cross_entropy
        >>> x, t = tg.tensor([0.5, 0.5]), tg.tensor([0.0, 1.0])
        >>> round(binary_cross_entropy(x, t).item(), 4)  # log(2)
        0.6931
    """
    name = "binary_cross_entropy"
    check_loss_arguments(name, input, target, reduction=reduction)
    check_probabilities(name, input=input, target=target)
    check_broadcasts_to_input(name, input, weight=weight)
    losses = _multiply(ops.binary_cross_entropy(input, target), weight)
    return reduce_losses(name, losses, reduction)


def kl_div(
    input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """Return the Kullback-Leibler divergence of log-probabilities x from t.

    Each element's part is t (log(t) - x), and 0 where t is 0.

    Args:
        input: Log-probabilities, floats (B, ...).
        target: Probabilities, or their logarithms if ``log_target`` is set, of the same
            shape and dtype.
        reduction: ``"batchmean"`` divides the sum by B, which is the divergence as it
            is defined; ``"mean"`` divides it by the number of elements; ``"sum"``;
            ``"none"`` for the part of each element.
        log_target: Whether the target holds logarithms.

    Returns:
        A 0-d Tensor, or one of the input's shape with ``reduction="none"``.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.functional import kl_div
        >>> x, t = tg.tensor([[0.5, 0.5]]), tg.tensor([[1.0, 0.0]])
        >>> round(kl_div(x.log(), t, "batchmean").item(), 4)  # log(2)
        0.6931
    """
    check_loss_arguments("kl_div", input, target, log_target=log_target)
    check_choice("kl_div", KL_REDUCTIONS, reduction=reduction)
    if log_target:
        losses = target.exp() * (target - input)
    else:
        log_t = ops.where(target == 0.0, 1.0, target).log()  # so that 0 log(0) is 0
        losses = target * (log_t - input)
    if reduction != "batchmean":
        return reduce_losses("kl_div", losses, reduction)
    batch = losses.shape[0] if losses.ndim else 1
    if not batch:
        raise ShapeError(
            f"kl_div: the mean over an empty batch ({losses.shape}) is not defined"
        )
    return losses.sum() / batch
