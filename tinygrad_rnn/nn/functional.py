"""Layers and losses as functions: torch.nn.functional's names and arguments."""

import math
import sys
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import functions, ops
from ..creation import arange, as_tensor, full
from ..errors import (
    GraphError,
    OptionError,
    ShapeError,
    check_choice,
    check_integers,
    check_type,
    described,
    left_out,
)
from ..errors.tensor_checks import (
    KL_REDUCTIONS,
    check_broadcasts_to_input,
    check_features,
    check_float_input,
    check_ids,
    check_loss_arguments,
    check_normalized_shape,
    check_options,
    check_padding_idx,
    check_probabilities,
    check_shape_and_dtype,
    check_tensors,
)
from ..random import Generator, host
from ..tensor import Tensor

Opt: TypeAlias = Tensor | None
Gen: TypeAlias = Generator | None

relu, sigmoid, tanh = functions.relu, functions.sigmoid, functions.tanh
softmax, log_softmax = functions.softmax, functions.log_softmax


# ---------------------------------------------------------------- layers


def linear(input: Tensor, weight: Tensor, bias: Opt = None) -> Tensor:
    """x W^T + b: (..., I), (O, I), (O,) to (..., O)."""
    check_float_input("linear", input, weight)
    if weight is None or weight.ndim != 2:
        check_tensors("linear", weight=weight)
        raise ShapeError(
            f"linear: weight has shape {weight.shape}, expected 2 dims (O, I)"
        )
    check_features("linear", input, "in_features", weight.shape[1])
    if bias is not None:
        check_shape_and_dtype("linear", "", weight.shape[:1], weight.dtype, bias=bias)
    return ops.linear(input, weight, bias)


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The rows of ``weight`` (V, I) that ids (...) name: (..., I)."""
    check_tensors("embedding", weight=weight)
    padding_idx = check_padding_idx("embedding", padding_idx, weight.shape[0])
    check_ids("embedding", "input", input, weight.shape[0])
    rows = weight[input]
    if padding_idx is None:
        return rows
    return ops.where((input == padding_idx).unsqueeze(-1), rows.detach(), rows)


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    generator: Gen = None,
) -> Tensor:
    """Zeros with probability p while training, the rest scaled by 1 / (1 - p)."""
    check_options("dropout", p=p, inplace=inplace)
    check_float_input("dropout", input)
    if not training or p == 0.0:
        return input
    kept = host("dropout", generator).random(input.shape, np.float32) >= p
    scale = kept * np.asarray(0.0 if p == 1.0 else 1.0 / (1.0 - p), input.dtype)
    return input * as_tensor(scale, device=input.device)


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Opt = None,
    bias: Opt = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last dims: Ba, Kiros,
    Hinton 2016.
    """
    check_float_input("layer_norm", input, weight)
    check_options("layer_norm", eps=eps)
    shape = check_normalized_shape("layer_norm", normalized_shape)
    if input.shape[-len(shape) :] != shape:
        raise ShapeError(
            f"layer_norm: input has shape {input.shape}, expected {shape} at its end"
        )
    check_shape_and_dtype(
        "layer_norm",
        ", the normalized_shape",
        shape,
        input.dtype,
        weight=weight,
        bias=bias,
    )
    return ops.layer_norm(input, weight, bias, shape=shape, eps=float(eps))


# ---------------------------------------------------------------- activations


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x, or negative_slope * x where it is not above 0."""
    check_float_input("leaky_relu", input)
    check_options("leaky_relu", negative_slope=negative_slope)
    return ops.where(input > 0, input, input.clamp(max=0.0) * negative_slope)


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """x, or alpha * (e^x - 1) where it is not above 0."""
    check_float_input("elu", input)
    check_options("elu", alpha=alpha)
    return ops.where(input > 0, input, input.clamp(max=0.0).expm1() * alpha)


def silu(input: Tensor) -> Tensor:
    """x * sigmoid(x)."""
    check_float_input("silu", input)
    return input * input.sigmoid()


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x * Phi(x), with Phi the normal distribution's: Hendrycks and Gimpel,
    arXiv:1606.08415.

    With ``approximate="tanh"`` Phi(x) is (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) /
    2.
    """
    check_float_input("gelu", input)
    check_options("gelu", approximate=approximate)
    if approximate == "none":
        return input * ops.normal_cdf(input)
    inner = (input + 0.044715 * input**3) * math.sqrt(2.0 / math.pi)
    return 0.5 * input * (1.0 + inner.tanh())


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta x)) / beta, and x where beta x is above the threshold; inf is for
    exact.
    """
    check_float_input("softplus", input)
    check_type("softplus", Real, "a number", beta=beta, threshold=threshold)
    scaled = input * beta
    return ops.where(scaled > threshold, input, ops.softplus(scaled) / beta)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)), without overflow."""
    check_float_input("logsigmoid", input)
    return -ops.softplus(-input)


# ---------------------------------------------------------------- ids, padding


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Ids (...) as rows of 0 and one 1: int64 (..., num_classes)."""
    check_integers("one_hot", -1, num_classes=num_classes)
    check_ids(
        "one_hot", "tensor", tensor, sys.maxsize if num_classes == -1 else num_classes
    )
    if num_classes == -1:
        if not tensor.numel():
            raise OptionError(
                "one_hot: no ids to count the classes of; pass num_classes"
            )
        num_classes = int(tensor.max().item()) + 1
    return (tensor.unsqueeze(-1) == arange(num_classes, device=tensor.device)).long()


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


# ---------------------------------------------------------------- losses


def _reduced(name: str, losses: Tensor, reduction: str, weight: Opt = None) -> Tensor:
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
    input: Tensor, target: Tensor, reduction: str = "mean", weight: Opt = None
) -> Tensor:
    """(input - target)^2, of two tensors of one shape."""
    check_loss_arguments("mse_loss", input, target, weight, reduction=reduction)
    if reduction == "mean" and weight is None and input.numel():
        return ops.mse(input, target)
    return _reduced("mse_loss", (input - target).square(), reduction, weight)


def l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", weight: Opt = None
) -> Tensor:
    """|input - target|, of two tensors of one shape."""
    check_loss_arguments("l1_loss", input, target, weight, reduction=reduction)
    return _reduced("l1_loss", (input - target).abs(), reduction, weight)


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
    return _reduced("smooth_l1_loss", losses, reduction)


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Opt = None,
) -> Tensor:
    """d^2 / 2 for |d| < delta, else delta * (|d| - delta / 2), of d = input - target."""
    check_loss_arguments(
        "huber_loss", input, target, weight, reduction=reduction, delta=delta
    )
    losses = _huber(
        input - target, delta
    )  # the mean is over all, as PyTorch's, whatever weighs
    return _reduced(
        "huber_loss", losses if weight is None else losses * weight, reduction
    )


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Opt = None,
    reduction: str = "mean",
    pos_weight: Opt = None,
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
    return _reduced(name, losses, reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Opt = None, reduction: str = "mean"
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
    return _reduced(name, losses, reduction)


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
        return _reduced("kl_div", losses, reduction)
    if 0 in losses.shape[:1]:
        raise ShapeError(
            f"kl_div: the mean over a batch of none ({losses.shape}) is not defined"
        )
    return losses.sum() / (losses.shape[0] if losses.ndim else 1)


def _shares(target: Tensor, weight: Opt, ignore: int, dtype: Any) -> tuple[Tensor, ...]:
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
    weight: Opt,
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
    weight: Opt = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-input at the class: of log-probabilities (N, V, ...) and class indices (N, ...)."""
    check_options("nll_loss", reduction=reduction, ignore_index=ignore_index)
    dim = _dim_of_classes("nll_loss", input, target, weight, ignore_index, reduction)
    index, kept, share = _shares(target, weight, ignore_index, input.dtype)
    picked = input.take_along_dim(index.unsqueeze(dim), dim).squeeze(dim)
    return _reduced("nll_loss", -ops.where(kept, picked, 0.0), reduction, share)


_USUAL = {"ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0}


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Opt = None,
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
        return _reduced(
            "cross_entropy", -(share * input.log_softmax(dim)).sum(dim), reduction
        )
    logits = input if dim == input.ndim - 1 else input.movedim(dim, -1)
    rows = logits if logits.ndim == 2 else logits.reshape(target.numel(), classes)
    flat = target if target.ndim == 1 else target.reshape(target.numel())
    loss = ops.cross_entropy(rows, flat, weight, **given)
    return (
        loss.reshape(target.shape) if reduction == "none" and target.ndim != 1 else loss
    )


if not TYPE_CHECKING:
    __getattr__ = left_out.getter("tg.nn.functional", globals())
