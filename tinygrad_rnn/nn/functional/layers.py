"""Layers as functions: linear, embedding, one_hot, dropout, layer_norm."""

import sys
from collections.abc import Sequence

import numpy as np

from ... import ops
from ...convert import index_of
from ...creation import arange, as_tensor
from ...engine import seam
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
from ...random import Generator, draw
from ...tensor import Tensor
from ...types import DType

__all__ = ["dropout", "embedding", "layer_norm", "linear", "one_hot"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x W^T + b.

    Args:
        input: x, floats (..., I).
        weight: W, (O, I), of the same dtype.
        bias: b, (O,), of the same dtype; none is added if left out.

    Returns:
        A Tensor (..., O).

    Raises:
        ShapeError: The sizes do not fit.
        DTypeError: The dtypes differ.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x, weight = tg.tensor([1.0, 2.0]), tg.tensor([[3.0, 4.0], [5.0, 6.0]])
        >>> tg.nn.functional.linear(x, weight, tg.tensor([0.5, 0.5])).tolist()
        [11.5, 17.5]
    """
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
    """Return the rows of a table that ids name.

    Args:
        input: Integer ids (...) in [0, V).
        weight: The table, (V, I).
        padding_idx: A row that gets no gradient, if any.

    Returns:
        A Tensor (..., I).

    Raises:
        IdError: An id is not in [0, V).

    Example:
        >>> import tinygrad_rnn as tg
        >>> table = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> tg.nn.functional.embedding(tg.tensor([1, 1]), table).tolist()
        [[3.0, 4.0], [3.0, 4.0]]
    """
    check_tensors("embedding", weight=weight)
    padding_idx = check_padding_idx("embedding", padding_idx, weight.shape[0])
    check_ids("embedding", "input", input, weight.shape[0])
    rows = ops.embedding(weight, index_of("embedding", input, weight.needs_grad))
    if padding_idx is None:
        return rows
    return ops.where((input == padding_idx).unsqueeze(-1), rows.detach(), rows)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return each id as a row of zeros with a one at the id's index.

    Args:
        tensor: Integer ids (...) in [0, num_classes).
        num_classes: The length of a row; one more than the largest id if it is -1.

    Returns:
        An int64 Tensor (..., num_classes).

    Raises:
        IdError: An id is not in [0, num_classes).
        OptionError: There is no id, and ``num_classes`` is -1.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.nn.functional.one_hot(tg.tensor([0, 2])).tolist()
        [[1, 0, 0], [0, 0, 1]]
    """
    check_integers("one_hot", -1, num_classes=num_classes)
    most = sys.maxsize if num_classes == -1 else num_classes
    check_ids("one_hot", "tensor", tensor, most)
    if num_classes == -1:
        if not tensor.numel():
            raise OptionError(
                "one_hot: no ids to count the classes of; pass num_classes"
            )
        seam.read_values("one_hot() without num_classes", "pass num_classes")
        num_classes = int(tensor.max().item()) + 1
    return (tensor.unsqueeze(-1) == arange(num_classes, device=tensor.device)).long()


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Set elements to 0 with probability p, and scale the others by 1 / (1 - p).

    The scale keeps the expected value: Srivastava et al. 2014.

    Args:
        input: Floats of any shape.
        p: The probability of a zero, from 0 to 1.
        training: Whether to drop anything; with False the result is the input.
        inplace: Not supported; has to be False.
        generator: Where the random numbers come from; the default one if left out.

    Returns:
        A Tensor of the input's shape.

    Example:
        >>> import tinygrad_rnn as tg
        >>> kept = tg.nn.functional.dropout(tg.ones(1000), p=0.75)
        >>> kept.unique().tolist()
        [0.0, 4.0]
    """
    check_options("dropout", p=p, inplace=inplace)
    check_float_input("dropout", input)
    if not training or p == 0.0:
        return input
    draws = draw("dropout", generator, "random", input.shape, np.float32)
    factors = seam.run(_dropout_factors, draws, p, input.dtype)
    return input * as_tensor(factors, device=input.device)


def _dropout_factors(draws: np.ndarray, p: float, dtype: DType) -> np.ndarray:
    scale = 0.0 if p == 1.0 else 1.0 / (1.0 - p)
    return (draws >= p) * np.asarray(scale, dtype)


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(var + eps) * weight + bias.

    Ba, Kiros and Hinton, arXiv:1607.06450.

    Args:
        input: x, floats ``(..., *S)``.
        normalized_shape: S, the last dims, which mean and variance are taken over.
        weight: A factor for each element of S, if any.
        bias: A summand for each element of S, if any.
        eps: A small number that keeps the root above 0.

    Returns:
        A Tensor of the input's shape.

    Raises:
        ShapeError: The input's last dims, ``weight`` or ``bias`` are not of shape S.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor([[1.0, 3.0]])
        >>> tg.nn.functional.layer_norm(x, 2).round().tolist()
        [[-1.0, 1.0]]
    """
    check_float_input("layer_norm", input, weight)
    check_options("layer_norm", eps=eps)
    shape = check_normalized_shape("layer_norm", normalized_shape)
    if input.shape[-len(shape) :] != shape:
        raise ShapeError(
            f"layer_norm: input has shape {input.shape}, expected {shape} at its end"
        )
    given = {"weight": weight, "bias": bias}
    why = ", the normalized_shape"
    check_shape_and_dtype("layer_norm", why, shape, input.dtype, **given)
    return ops.layer_norm(input, weight, bias, shape=shape, eps=float(eps))
