"""The functions of the top level: most are also methods of Tensor, and stand in `methods`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import ops
from .creation import as_tensor
from .einsum import einsum
from .errors import DTypeError, OptionError, ShapeError, check_type
from .methods import mask_of
from .tensor import Tensor

# fmt: off
__all__ = [
    "abs", "add", "all", "allclose", "amax", "amin", "any", "argmax", "argmin", "argsort", "bmm",
    "broadcast_to", "cat", "ceil", "chunk", "clamp", "clone", "concat", "cos", "cumsum", "div",
    "dot", "einsum", "eq", "exp", "expand", "expm1", "flatten", "flip", "floor", "floor_divide",
    "gather", "ge", "gt", "index_select", "is_tensor", "isfinite", "isinf", "isnan", "le", "log",
    "log1p", "log_softmax", "logical_and", "logical_not", "logical_or", "logsumexp", "lt",
    "masked_fill", "matmul", "max", "maximum", "mean", "min", "minimum", "mm", "movedim", "mul",
    "mv", "narrow", "ne", "neg", "norm", "outer", "permute", "pow", "prod", "reciprocal", "relu",
    "remainder", "reshape", "roll", "round", "select", "sigmoid", "sign", "sin", "softmax", "sort",
    "split", "sqrt", "square", "squeeze", "stack", "std", "sub", "sum", "take_along_dim", "tanh",
    "tile", "topk", "transpose", "tril", "triu", "unbind", "unsqueeze", "var", "view", "where",
]

add, sub, mul, div, pow = Tensor.add, Tensor.sub, Tensor.mul, Tensor.div, Tensor.pow
floor_divide, remainder, neg, abs = Tensor.floor_divide, Tensor.remainder, Tensor.neg, Tensor.abs
sign, square, sqrt, reciprocal = Tensor.sign, Tensor.square, Tensor.sqrt, Tensor.reciprocal
exp, expm1, log, log1p, sin = Tensor.exp, Tensor.expm1, Tensor.log, Tensor.log1p, Tensor.sin
cos, tanh, sigmoid, relu = Tensor.cos, Tensor.tanh, Tensor.sigmoid, Tensor.relu
maximum, minimum, clamp = Tensor.maximum, Tensor.minimum, Tensor.clamp
masked_fill, floor, ceil, round = Tensor.masked_fill, Tensor.floor, Tensor.ceil, Tensor.round
clone = Tensor.clone
sum, mean, prod, var, std = Tensor.sum, Tensor.mean, Tensor.prod, Tensor.var, Tensor.std
amax, amin, max, min, argmax = Tensor.amax, Tensor.amin, Tensor.max, Tensor.min, Tensor.argmax
argmin, logsumexp, cumsum, norm = Tensor.argmin, Tensor.logsumexp, Tensor.cumsum, Tensor.norm
softmax, log_softmax, all, any = Tensor.softmax, Tensor.log_softmax, Tensor.all, Tensor.any
argsort, sort, topk = Tensor.argsort, Tensor.sort, Tensor.topk
matmul, mm, bmm, mv, dot = Tensor.matmul, Tensor.mm, Tensor.bmm, Tensor.mv, Tensor.dot
outer = Tensor.outer
reshape, view, flatten, squeeze = Tensor.reshape, Tensor.view, Tensor.flatten, Tensor.squeeze
unsqueeze, transpose, permute = Tensor.unsqueeze, Tensor.transpose, Tensor.permute
movedim, expand, broadcast_to = Tensor.movedim, Tensor.expand, Tensor.broadcast_to
split, chunk, unbind, flip = Tensor.split, Tensor.chunk, Tensor.unbind, Tensor.flip
roll, tile, tril, triu = Tensor.roll, Tensor.tile, Tensor.tril, Tensor.triu
index_select, gather, take_along_dim = Tensor.index_select, Tensor.gather, Tensor.take_along_dim
narrow, select = Tensor.narrow, Tensor.select
logical_and, logical_or, logical_not = Tensor.logical_and, Tensor.logical_or, Tensor.logical_not
eq, ne, lt, le, gt, ge = Tensor.eq, Tensor.ne, Tensor.lt, Tensor.le, Tensor.gt, Tensor.ge
isnan, isinf, isfinite, allclose = Tensor.isnan, Tensor.isinf, Tensor.isfinite, Tensor.allclose
# fmt: on


def where(condition: Tensor, input: Any, other: Any) -> Tensor:
    """``input`` where ``condition``, else ``other``."""
    if not isinstance(input, Tensor | np.ndarray) and not isinstance(other, Tensor | np.ndarray):
        pair = as_tensor([input, other], device=getattr(condition, "device", None))
        input, other = pair  # of two numbers, the default dtype
    out: Tensor = ops.where(mask_of("where", "condition", condition), input, other)
    return out


def _several(name: str, tensors: Sequence[Tensor], dim: int) -> list[Tensor]:
    """Refuse what is not a list of Tensors, and a dim: the usual slip is ``cat(a, b)``."""
    if not isinstance(tensors, list | tuple) or not hasattr(dim, "__index__"):
        raise DTypeError(
            f"{name}: got {type(tensors).__name__} and dim of {type(dim).__name__}, expected the "
            f"tensors in a list: {name}([a, b], dim)"
        )
    for i, x in enumerate(tensors):
        check_type(name, Tensor, "a Tensor; use tg.as_tensor()", **{f"number {i}": x})
    if not tensors:
        raise OptionError(f"{name}: got no tensors, expected at least one")
    return list(tensors)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along a dim that they have."""
    tensors = _several("cat", tensors, dim)
    if 0 in [x.ndim for x in tensors]:
        raise ShapeError("cat: a 0-d tensor has no dim to join along; use stack()")
    out: Tensor = ops.concat(tensors, axis=dim)
    return out


concat = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape, along a new dim."""
    tensors = _several("stack", tensors, dim)
    for i, x in enumerate(tensors):
        if x.shape != tensors[0].shape:
            raise ShapeError(f"stack: tensor {i} has shape {x.shape}, expected {tensors[0].shape}")
    return cat([x.unsqueeze(dim) for x in tensors], dim)


def is_tensor(obj: Any) -> bool:
    """Whether it is a Tensor."""
    return isinstance(obj, Tensor)
