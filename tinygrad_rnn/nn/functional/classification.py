"""Losses of scores for classes, and of the classes that are right."""

from typing import Any

from ... import ops
from ...errors import GraphError, OptionError, ShapeError, described
from ...errors.tensor_checks import (
    check_ids,
    check_options,
    check_shape_and_dtype,
    check_tensors,
)
from ...tensor import Tensor
from .losses import reduced

__all__ = ["cross_entropy", "nll_loss"]


def _shares(
    target: Tensor, weight: Tensor | None, ignore: int, dtype: Any
) -> tuple[Tensor, ...]:
    """The classes, 0 in place of ignored ones, where they are kept, and what share each
    has.
    """
    kept = target != ignore
    index = ops.where(kept, target, 0)
    return (
        index,
        kept,
        kept.to(dtype) if weight is None else ops.where(kept, weight[index], 0.0),
    )


def _dim_of_classes(
    name: str,
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore: int,
    reduction: str,
    probabilities: bool = False,
) -> int:
    """The dim of the classes; raises if scores, targets and weights do not fit, or none
    counts.
    """
    check_tensors(name, input=input, target=target)
    if not input.ndim or input.dtype.kind != "f":
        raise ShapeError(
            f"{name}: input is {described(input)}, expected float scores (N, V)"
        )
    dim = min(input.ndim - 1, 1)
    outer, classes = input.shape[:dim] + input.shape[dim + 1 :], input.shape[dim]
    check_shape_and_dtype(
        name, ", of each class", (classes,), input.dtype, weight=weight
    )
    if probabilities and target.dtype.kind == "f":
        why = ", probabilities as the input; classes are integers: use target.long()"
        check_shape_and_dtype(
            name, why, input.shape, target.dtype, target=target
        )  # classes as float64
        check_shape_and_dtype(name, why, input.shape, input.dtype, target=target)
        return dim
    if weight is not None and weight.requires_grad:
        raise GraphError(
            f"{name}: weight requires grad, but has no gradient; use weight.detach()"
        )
    if target.shape != outer or target.dtype.kind not in "iu":
        expected = f"class indices of shape {outer}, or probabilities of the shape of the input"
        way = "classes are its dim 1: of (T, B, V) use input.flatten(0, 1), target.flatten()"
        way = way if target.dtype.kind in "iu" else "use target.long()"
        raise ShapeError(
            f"{name}: target is {described(target)}, expected {expected}; {way}"
        )
    inside = check_ids(name, "target", target, classes, ignore)
    if reduction == "mean":
        some: Any = target.numel()
        if (
            weight is not None or not inside or 0 <= ignore < classes
        ):  # else all of them count
            some = (_shares(target, weight, ignore, input.dtype)[2] != 0).any()
        if not some:
            got = f"nothing but ignore_index={ignore} and classes of weight 0 in {target.shape}"
            raise ShapeError(f"{name}: the mean over no targets is not defined: {got}")
    return dim


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-input at the class: of log-probabilities (N, V, ...) and class indices (N, ...)."""
    check_options("nll_loss", reduction=reduction, ignore_index=ignore_index)
    dim = _dim_of_classes("nll_loss", input, target, weight, ignore_index, reduction)
    index, kept, share = _shares(target, weight, ignore_index, input.dtype)
    picked = input.take_along_dim(index.unsqueeze(dim), dim).squeeze(dim)
    return reduced("nll_loss", -ops.where(kept, picked, 0.0), reduction, share)


_USUAL = {"ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy in nats of logits (N, V, ...) and class indices (N, ...), as
    PyTorch's.

    Also (V,) with a 0-d target, and targets that are probabilities, of the logits'
    shape. Raises ShapeError for a mean over nothing (no rows, or all of them
    ``ignore_index``), IdError for a class that is not in [0, V).

    >>> import tinygrad_rnn as tg
    >>> cross_entropy(tg.zeros(2, 4), tg.tensor([0, 3])).item()  # log(4)
    1.3862943649291992
    """
    given = {"ignore_index": ignore_index, "reduction": reduction}
    given["label_smoothing"] = label_smoothing
    if given != _USUAL:  # else there is nothing to check, once for each step
        check_options("cross_entropy", **given)
    dim = _dim_of_classes(
        "cross_entropy", input, target, weight, ignore_index, reduction, True
    )
    classes = input.shape[dim]
    if target.dtype.kind == "f":
        if ignore_index >= 0:
            got = f"ignore_index is {ignore_index}, but the targets are probabilities"
            raise OptionError(f"cross_entropy: {got}, of which none is ignored")
        share = target * (1.0 - label_smoothing) + label_smoothing / classes
        if weight is not None:
            share = share * weight.reshape(-1, *(1,) * (input.ndim - dim - 1))
        return reduced(
            "cross_entropy", -(share * input.log_softmax(dim)).sum(dim), reduction
        )
    logits = input if dim == input.ndim - 1 else input.movedim(dim, -1)
    rows = logits if logits.ndim == 2 else logits.reshape(target.numel(), classes)
    flat = target if target.ndim == 1 else target.reshape(target.numel())
    loss = ops.cross_entropy(rows, flat, weight, **given)
    return (
        loss.reshape(target.shape) if reduction == "none" and target.ndim != 1 else loss
    )
