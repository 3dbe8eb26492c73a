"""Layers and losses as functions: torch.nn.functional's names and arguments."""

from typing import Any

import numpy as np

from .. import ops
from ..engine.node import wrap
from ..errors import DTypeError, GraphError, IdError, OptionError, ShapeError
from ..random import Generator, host
from ..tensor import Tensor

relu = Tensor.relu
sigmoid = Tensor.sigmoid
softmax = Tensor.softmax
log_softmax = Tensor.log_softmax
tanh = Tensor.tanh


# ---------------------------------------------------------------- checks that layers share


def check_float(name: str, input: Any, weight: Tensor) -> None:
    """Refuse what is not a float tensor of the weights' dtype."""
    if not isinstance(input, Tensor):
        raise DTypeError(
            f"{name}: input is {type(input).__name__}, expected a Tensor; use tg.as_tensor(input)"
        )
    if input.dtype != weight.dtype:
        way = ".double()" if weight.dtype == np.float64 else ".float()"
        raise DTypeError(
            f"{name}: input is {input.dtype}, expected {weight.dtype}, the dtype of the weights; "
            f"use input{way}, or convert the layer with .to()"
        )


def check_ids(name: str, what: str, ids: Tensor, count: int, ignore: int | None = None) -> None:
    """Refuse ids outside of [0, count): the message names the first and its place."""
    data = ids.array
    if ids.numel() == 0 or (int(data.min()) >= 0 and int(data.max()) < count):
        return
    host_ids = ids.numpy()
    wrong = (host_ids < 0) | (host_ids >= count)
    if ignore is not None:
        wrong &= host_ids != ignore
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise IdError(
            f"{name}: {what} has {host_ids[place]} at {place}, expected ids in [0, {count})"
        )


def check_probability(name: str, what: str, p: Any) -> None:
    """Refuse what is not in [0, 1]."""
    if not isinstance(p, int | float) or not 0.0 <= p <= 1.0:
        raise OptionError(f"{name}: {what} is {p!r}, expected a number from 0 to 1")


def padding_row(name: str, padding_idx: Any, count: int) -> int | None:
    """The row that padding_idx names, counted from the front; refuses what is no row."""
    if padding_idx is None:
        return None
    if not hasattr(padding_idx, "__index__"):
        raise DTypeError(f"{name}: padding_idx is {padding_idx!r}, expected an integer or None")
    if not -count <= padding_idx < count:
        raise OptionError(
            f"{name}: padding_idx is {padding_idx}, expected a row of num_embeddings={count}"
        )
    return int(padding_idx) % count


def check_reduction(name: str, reduction: Any) -> None:
    """Refuse a reduction that is not one of three."""
    if reduction not in ("mean", "sum", "none"):
        raise OptionError(f"{name}: reduction is {reduction!r}, expected 'mean', 'sum' or 'none'")


# ---------------------------------------------------------------- layers


def linear(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, name: str = "linear"
) -> Tensor:
    """x W^T + b: (..., I), (O, I), (O,) to (..., O)."""
    check_float(name, input, weight)
    if weight.ndim != 2:
        raise ShapeError(f"{name}: weight has shape {weight.shape}, expected 2 dims (O, I)")
    if not input.ndim or input.shape[-1] != weight.shape[1]:
        got = input.shape[-1] if input.ndim else "no"
        raise ShapeError(
            f"{name}: input has {got} features in its last dimension, expected "
            f"in_features={weight.shape[1]} (input shape {input.shape})"
        )
    if bias is not None and (bias.shape != weight.shape[:1] or bias.dtype != weight.dtype):
        raise ShapeError(
            f"{name}: bias is {bias.dtype} of shape {bias.shape}, expected {weight.dtype} of "
            f"shape {weight.shape[:1]}"
        )
    out: Tensor = ops.linear(input, weight, bias)
    return out


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, name: str = "embedding"
) -> Tensor:
    """The rows of ``weight`` (V, I) that ids (...) name: (..., I)."""
    if not isinstance(input, Tensor) or input.dtype.kind not in "iu":
        got = input.dtype if isinstance(input, Tensor) else type(input).__name__
        way = "input.long()" if isinstance(input, Tensor) else "tg.tensor(input)"
        raise DTypeError(f"{name}: input is {got}, expected a tensor of integer ids; use {way}")
    padding_idx = padding_row(name, padding_idx, weight.shape[0])
    check_ids(name, "input", input, weight.shape[0])
    rows = weight[input]
    if padding_idx is None:
        return rows
    padding = (input == padding_idx).unsqueeze(-1)
    out: Tensor = ops.where(padding, rows.detach(), rows)
    return out


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """Zeros with probability p while training, the rest scaled by 1 / (1 - p)."""
    check_probability("dropout", "p", p)
    if not isinstance(input, Tensor) or input.dtype.kind != "f":
        got = input.dtype if isinstance(input, Tensor) else type(input).__name__
        raise DTypeError(f"dropout: input is {got}, expected a float Tensor")
    if not training or p == 0.0:
        return input
    kept = host(generator).random(input.shape, np.float32) >= p
    scale = kept * np.asarray(0.0 if p == 1.0 else 1.0 / (1.0 - p), input.dtype)
    return input * wrap(scale)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Ids (...) as rows of 0 and one 1: int64 (..., num_classes)."""
    if not isinstance(tensor, Tensor) or tensor.dtype.kind not in "iu":
        got = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise DTypeError(
            f"one_hot: tensor is {got}, expected integer ids; use .long(), or tg.tensor(ids)"
        )
    if num_classes == -1:
        if not tensor.numel():
            raise OptionError("one_hot: no ids to count the classes of; pass num_classes")
        num_classes = int(tensor.max().item()) + 1
    check_ids("one_hot", "tensor", tensor, num_classes)
    classes = wrap(np.arange(num_classes))
    return (tensor.unsqueeze(-1) == classes).long()


# ---------------------------------------------------------------- losses


def _reduced(name: str, loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    if not loss.numel():
        raise ShapeError(f"{name}: the mean of no elements (shape {loss.shape}) is not defined")
    return loss.mean()


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The mean of (input - target)^2, of two tensors of one shape."""
    check_reduction("mse_loss", reduction)
    if not isinstance(input, Tensor) or not isinstance(target, Tensor):
        raise DTypeError(
            f"mse_loss: got {type(input).__name__} and {type(target).__name__}, expected Tensors"
        )
    if input.dtype != target.dtype or input.dtype.kind != "f":
        raise DTypeError(
            f"mse_loss: input is {input.dtype} and target {target.dtype}, expected floats of one "
            "dtype; convert one of them with .to()"
        )
    if input.shape != target.shape:
        raise ShapeError(
            f"mse_loss: input has shape {input.shape} and target {target.shape}, expected the same; "
            "reshape one of them: broadcasting would average over pairs"
        )
    if reduction == "mean" and input.numel():
        mean: Tensor = ops.mse(input, target)
        return mean
    return _reduced("mse_loss", ops.square(input - target), reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy in nats of logits (N, V, ...) and class indices (N, ...), as PyTorch's.

    Also (V,) with a 0-d target, and targets that are probabilities, of the logits' shape.
    Raises ShapeError for a mean over nothing (no rows, or all of them ``ignore_index``), IdError
    for a class that is not in [0, V).

    >>> import tinygrad_rnn as tg
    >>> cross_entropy(tg.zeros(2, 4), tg.tensor([0, 3])).item()  # log(4)
    1.3862943649291992
    """
    name = "cross_entropy"
    check_reduction(name, reduction)
    check_probability(name, "label_smoothing", label_smoothing)
    given = (("input", input), ("target", target), ("weight", input if weight is None else weight))
    for what, value in given:
        if not isinstance(value, Tensor):
            raise DTypeError(f"{name}: {what} is {type(value).__name__}, expected a Tensor")
    if not input.ndim or input.dtype.kind != "f":
        raise ShapeError(
            f"{name}: input is {input.dtype} of shape {input.shape}, expected float logits (N, V)"
        )
    axis = min(input.ndim - 1, 1)
    classes = input.shape[axis]
    if weight is not None and (weight.shape != (classes,) or weight.dtype != input.dtype):
        raise ShapeError(
            f"{name}: weight is {weight.dtype} of shape {weight.shape}, expected {input.dtype} of "
            f"shape {(classes,)}, a number for each class"
        )
    if target.dtype.kind == "f":
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing, axis)
    if weight is not None and weight.requires_grad:
        raise GraphError(f"{name}: weight requires grad, but has no gradient; use weight.detach()")
    outer = input.shape[:axis] + input.shape[axis + 1 :]
    if target.shape != outer or target.dtype.kind not in "iu":
        raise ShapeError(
            f"{name}: target is {target.dtype} of shape {target.shape}, expected class indices of "
            f"shape {outer} or probabilities of shape {input.shape}; the classes are dim 1 of the "
            "input: of (T, B, V) use input.flatten(0, 1), target.flatten()"
        )
    check_ids(name, "target", target, classes, ignore_index)
    if reduction == "mean" and not _any_kept(target, ignore_index, weight):
        raise ShapeError(
            f"{name}: the mean over no targets is not defined: target of shape {target.shape} "
            f"has nothing but ignore_index={ignore_index} and classes of weight 0"
        )
    logits = input if axis == input.ndim - 1 else input.movedim(axis, -1)
    if logits.ndim != 2:
        logits = logits.reshape(-1, classes) if logits.numel() else logits.reshape(0, classes)
    loss: Tensor = ops.cross_entropy(
        logits,
        target if target.ndim == 1 else target.reshape(target.numel()),
        weight,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
    return loss.reshape(outer) if reduction == "none" and target.ndim != 1 else loss


def _any_kept(target: Tensor, ignore_index: int, weight: Tensor | None) -> bool:
    if not target.numel():
        return False
    if weight is not None:
        kept = target != ignore_index
        return bool((weight.detach()[ops.where(kept, target, 0)] * kept).any())
    # The usual target has no ignore_index in it: one look at its first element tells.
    return int(target.array.reshape(-1)[0]) != ignore_index or bool((target != ignore_index).any())


def _soft_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: str,
    label_smoothing: float,
    axis: int,
) -> Tensor:
    """Cross entropy with probabilities as targets; a mean is over all but the classes."""
    if target.shape != input.shape or target.dtype != input.dtype:
        raise ShapeError(
            f"cross_entropy: target is {target.dtype} of shape {target.shape}, expected "
            f"probabilities, {input.dtype} of shape {input.shape} as the input"
        )
    classes = input.shape[axis]
    share = target * (1.0 - label_smoothing) + label_smoothing / classes
    if weight is not None:
        share = share * weight.reshape(-1, *(1,) * (input.ndim - axis - 1))
    loss = -(share * input.log_softmax(axis)).sum(axis)
    return _reduced("cross_entropy", loss, reduction)
