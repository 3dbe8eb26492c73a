"""Losses of scores for V classes, against the right classes or their probabilities."""

import math

from ... import ops
from ...engine import seam
from ...engine.node import wrap
from ...errors import GraphError, OptionError, ShapeError, describe
from ...errors.tensor_checks import (
    check_on_device,
    check_options,
    check_range,
    check_shape_and_dtype,
    check_tensors,
)
from ...tensor import Tensor
from ...types import Array, DType, Operand, Shape
from .losses import reduce_losses

__all__ = ["cross_entropy", "nll_loss"]


def _check_scores(
    name: str, input: Tensor, target: Tensor, weight: Tensor | None
) -> int:
    """Require float scores, and a weight for each class if there are weights.

    Returns:
        The dim of the classes: 1, or 0 for the scores (V,) of a single target.
    """
    check_tensors(name, input=input, target=target)
    if not input.ndim or input.dtype.kind != "f":
        raise ShapeError(
            f"{name}: input is {describe(input)}, expected float scores (N, V)"
        )
    dim = min(input.ndim - 1, 1)
    shape = (input.shape[dim],)
    check_shape_and_dtype(name, ", of each class", shape, input.dtype, weight=weight)
    return dim


def _check_classes(
    name: str,
    input: Tensor,
    target: Tensor,
    dim: int,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
) -> None:
    """Require class indices that fit the scores, and one that counts for a mean."""
    if weight is not None and weight.requires_grad:
        raise GraphError(
            f"{name}: weight requires grad, but has no gradient; use weight.detach()"
        )
    shape = input.shape[:dim] + input.shape[dim + 1 :]
    is_integer = target.dtype.kind in "iu"
    if target.shape != shape or not is_integer:
        way = "" if is_integer else "; use target.long()"
        if is_integer and input.ndim == 3:
            way = (
                "; classes are its dim 1: of (T, B, V) use input.flatten(0, 1), "
                "target.flatten()"
            )
        raise ShapeError(
            f"{name}: target is {describe(target)}, expected class indices of shape "
            f"{shape}, or probabilities of the shape of the input{way}"
        )
    seam.use(name, target, weight)
    given = target.array, None if weight is None else weight.array
    options = input.shape[dim], ignore_index, reduction, input.dtype
    seam.act(_check_class_values, name, *given, *options)


def _check_class_values(
    name: str,
    target_array: Array,
    weight_array: Array | None,
    classes: int,
    ignore_index: int,
    reduction: str,
    dtype: DType,
) -> None:
    """Require classes in range, and one that counts for a mean."""
    given = name, "target", target_array, classes, ignore_index, weight_array
    explain_none = _late_no_targets if reduction == "mean" else None
    all_in_range = check_range(*given, explain_none)
    if explain_none is None or all_in_range is None:
        return
    any_counts: Operand = math.prod(target_array.shape)
    if weight_array is not None or not all_in_range or 0 <= ignore_index < classes:
        if check_on_device(*given, explain_none):
            return
        weight = None if weight_array is None else wrap(weight_array)
        weights = _weigh_targets(wrap(target_array), weight, ignore_index, dtype)[2]
        any_counts = (weights != 0).any()
    if not any_counts:
        raise _no_targets(name, ignore_index, target_array.shape)


def _no_targets(name: str, ignore_index: int, shape: Shape) -> ShapeError:
    return ShapeError(
        f"{name}: the mean over no targets is not defined: nothing but "
        f"ignore_index={ignore_index} and classes of weight 0 in {shape}"
    )


def _late_no_targets(
    place: int, value: int, name: str, ignore_index: int, shape: Shape
) -> ShapeError:
    """Return the error that the device has found."""
    return _no_targets(name, ignore_index, shape)


def _weigh_targets(
    target: Tensor, weight: Tensor | None, ignore_index: int, dtype: DType
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the classes, 0 for ignored ones; whether each counts; and its weight."""
    counts = target != ignore_index
    classes = ops.where(counts, target, 0)
    if weight is None:
        return classes, counts, counts.to(dtype)
    return classes, counts, ops.where(counts, weight[classes], 0.0)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood: minus the log-probability of the right class.

    With a weight w for each class, the loss of a target is -w[target] input[target],
    and the mean is divided by the sum of these weights.

    Args:
        input: Log-probabilities, floats (N, V, ...), or (V,) of a single target.
        target: Class indices (N, ...) in [0, V).
        weight: A weight (V,) for each class; 1 if left out.
        ignore_index: Targets of this value count for nothing.
        reduction: ``"mean"``, ``"sum"``, or ``"none"`` for the loss of each target.

    Returns:
        A 0-d Tensor, or one of the target's shape with ``reduction="none"``.

    Raises:
        ShapeError: The shapes do not fit, or no target counts for the mean.
        IdError: A class is not in [0, V).

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.functional import nll_loss
        >>> nll_loss(tg.tensor([[-0.5, -1.0]]), tg.tensor([1])).item()
        1.0
    """
    check_options("nll_loss", reduction=reduction, ignore_index=ignore_index)
    dim = _check_scores("nll_loss", input, target, weight)
    _check_classes("nll_loss", input, target, dim, weight, ignore_index, reduction)
    classes, counts, weights = _weigh_targets(target, weight, ignore_index, input.dtype)
    picked = input.take_along_dim(classes.unsqueeze(dim), dim).squeeze(dim)
    losses = -ops.where(counts, picked, 0.0)
    return reduce_losses("nll_loss", losses, reduction, weights)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross entropy, in nats, of logits and classes or probabilities.

    For the class t of logits x the loss is -w[t] log_softmax(x)[t], and the mean is
    divided by the sum of the weights w[t]. For probabilities p of the classes it is
    -sum(w p log_softmax(x)), and the mean is divided by the number of targets.

    Args:
        input: Logits, floats (N, V, ...), or (V,) of a single target.
        target: Class indices (N, ...) in [0, V), or probabilities of the logits' shape
            and dtype.
        weight: A weight (V,) for each class; 1 if left out.
        ignore_index: Class indices of this value count for nothing.
        reduction: ``"mean"``, ``"sum"``, or ``"none"`` for the loss of each target.
        label_smoothing: s, from 0 to 1: the target is taken as (1 - s) times itself
            plus s / V for every class: Szegedy et al., arXiv:1512.00567.

    Returns:
        A 0-d Tensor, or one of shape (N, ...) with ``reduction="none"``.

    Raises:
        ShapeError: The shapes do not fit, or no target counts for the mean.
        IdError: A class is not in [0, V).
        OptionError: Targets are probabilities, and ``ignore_index`` is not negative.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.functional import cross_entropy
        >>> cross_entropy(tg.zeros(2, 4), tg.tensor([0, 3])).item()  # log(4)
        1.3862943649291992
    """
    name = "cross_entropy"
    options = {
        "ignore_index": ignore_index,
        "reduction": reduction,
        "label_smoothing": label_smoothing,
    }
    check_options(name, **options)
    dim = _check_scores(name, input, target, weight)
    if target.dtype.kind == "f":
        losses = _cross_entropy_of_probabilities(
            input, target, dim, weight, ignore_index, label_smoothing
        )
        return reduce_losses(name, losses, reduction)
    _check_classes(name, input, target, dim, weight, ignore_index, reduction)
    # The fused op takes rows of logits, (N, V), and classes (N,).
    logits = input if dim == input.ndim - 1 else input.movedim(dim, -1)
    if logits.ndim != 2:
        logits = logits.reshape(target.numel(), input.shape[dim])
    classes = target if target.ndim == 1 else target.reshape(target.numel())
    loss = ops.cross_entropy(logits, classes, weight, **options)
    if reduction == "none" and target.ndim != 1:
        return loss.reshape(target.shape)
    return loss


def _cross_entropy_of_probabilities(
    input: Tensor,
    target: Tensor,
    dim: int,
    weight: Tensor | None,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    """Return the loss of each target, a row of probabilities along ``dim``."""
    name = "cross_entropy"
    why = ", probabilities as the input; classes are integers: use target.long()"
    # The shape comes first: classes as floats of any width are a matter of shape.
    check_shape_and_dtype(name, why, input.shape, target.dtype, target=target)
    check_shape_and_dtype(name, why, input.shape, input.dtype, target=target)
    if ignore_index >= 0:
        got = f"ignore_index is {ignore_index}, but the targets are probabilities"
        raise OptionError(f"{name}: {got}, of which none is ignored")
    uniform = label_smoothing / input.shape[dim]
    share = target * (1.0 - label_smoothing) + uniform
    if weight is not None:
        share = share * weight.reshape(-1, *(1,) * (input.ndim - dim - 1))
    return -(share * input.log_softmax(dim)).sum(dim)
