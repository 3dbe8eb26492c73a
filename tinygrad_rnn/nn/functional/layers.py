"""Layers as functions: linear, embedding, one_hot, dropout, layer_norm."""

import sys
from collections.abc import Sequence

import numpy as np

from ... import ops
from ...creation import arange, as_tensor
from ...errors import OptionError, ShapeError, check_integers
from ...errors.tensor_checks import (
    check_features,
    check_float_input,
    check_ids,
    check_normalized_shape,
    check_options,
    check_padding_idx,
    check_shape_and_dtype,
    check_tensors,
)
from ...random import Generator, numpy_generator
from ...tensor import Tensor

__all__ = ["dropout", "embedding", "layer_norm", "linear", "one_hot"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
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
    generator: Generator | None = None,
) -> Tensor:
    """Zeros with probability p while training, the rest scaled by 1 / (1 - p)."""
    check_options("dropout", p=p, inplace=inplace)
    check_float_input("dropout", input)
    if not training or p == 0.0:
        return input
    kept = numpy_generator("dropout", generator).random(input.shape, np.float32) >= p
    scale = kept * np.asarray(0.0 if p == 1.0 else 1.0 / (1.0 - p), input.dtype)
    return input * as_tensor(scale, device=input.device)


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
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
