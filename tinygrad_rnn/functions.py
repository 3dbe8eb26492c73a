"""The functions of the top level that are also methods of Tensor: PyTorch's names for each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import ops
from .creation import as_tensor
from .errors import DTypeError, OptionError, ShapeError
from .tensor import Tensor

# fmt: off
__all__ = [
    "abs", "add", "all", "allclose", "amax", "amin", "any", "argmax", "argmin", "broadcast_to",
    "cat", "ceil", "chunk", "clamp", "clone", "concat", "cos", "div", "eq", "exp", "expm1",
    "flatten", "flip", "floor", "floor_divide", "ge", "gt", "index_select", "is_tensor",
    "isfinite", "isinf", "isnan", "le", "log", "log1p", "log_softmax", "logical_and",
    "logical_not", "logical_or", "logsumexp", "lt", "masked_fill", "matmul", "max", "maximum",
    "mean", "min", "minimum", "movedim", "mul", "narrow", "ne", "neg", "permute", "pow",
    "reciprocal", "relu", "remainder", "reshape", "round", "select", "sigmoid", "sign", "sin",
    "softmax", "split", "sqrt", "square", "squeeze", "stack", "std", "sub", "sum",
    "take_along_dim", "tanh", "transpose", "unbind", "unsqueeze", "var", "where",
]
# fmt: on

add, sub, mul, div, pow = Tensor.add, Tensor.sub, Tensor.mul, Tensor.div, Tensor.pow
neg, abs, sign, square, sqrt = Tensor.neg, Tensor.abs, Tensor.sign, Tensor.square, Tensor.sqrt
reciprocal, exp, expm1, log = Tensor.reciprocal, Tensor.exp, Tensor.expm1, Tensor.log
log1p, sin, cos, tanh, sigmoid = Tensor.log1p, Tensor.sin, Tensor.cos, Tensor.tanh, Tensor.sigmoid
relu, maximum, minimum, clamp = Tensor.relu, Tensor.maximum, Tensor.minimum, Tensor.clamp
masked_fill, sum, mean, var = Tensor.masked_fill, Tensor.sum, Tensor.mean, Tensor.var
std, amax, amin, max, min = Tensor.std, Tensor.amax, Tensor.amin, Tensor.max, Tensor.min
argmax, argmin, logsumexp = Tensor.argmax, Tensor.argmin, Tensor.logsumexp
softmax, log_softmax, matmul = Tensor.softmax, Tensor.log_softmax, Tensor.matmul
reshape, flatten, squeeze = Tensor.reshape, Tensor.flatten, Tensor.squeeze
unsqueeze, transpose, permute = Tensor.unsqueeze, Tensor.transpose, Tensor.permute
movedim, broadcast_to, split = Tensor.movedim, Tensor.broadcast_to, Tensor.split
chunk, unbind, flip, index_select = Tensor.chunk, Tensor.unbind, Tensor.flip, Tensor.index_select
take_along_dim, narrow, select = Tensor.take_along_dim, Tensor.narrow, Tensor.select
floor, ceil, round, remainder = Tensor.floor, Tensor.ceil, Tensor.round, Tensor.remainder
floor_divide, any, all = Tensor.floor_divide, Tensor.any, Tensor.all
logical_and, logical_or, logical_not = Tensor.logical_and, Tensor.logical_or, Tensor.logical_not
eq, ne, lt, le, gt, ge = Tensor.eq, Tensor.ne, Tensor.lt, Tensor.le, Tensor.gt, Tensor.ge
isnan, isinf, isfinite, clone = Tensor.isnan, Tensor.isinf, Tensor.isfinite, Tensor.clone


def where(condition: Tensor, input: Any, other: Any) -> Tensor:
    """``input`` where ``condition``, else ``other``."""
    if not isinstance(input, Tensor | np.ndarray) and not isinstance(other, Tensor | np.ndarray):
        input, other = as_tensor([input, other])  # of two numbers, the default dtype
    out: Tensor = ops.where(condition, input, other)
    return out


def _several(name: str, tensors: Sequence[Tensor], dim: int) -> list[Tensor]:
    """Refuse what is not a list of Tensors, and a dim: the usual slip is ``cat(a, b)``."""
    if not isinstance(tensors, list | tuple) or not hasattr(dim, "__index__"):
        raise DTypeError(
            f"{name}: got {type(tensors).__name__} and dim of {type(dim).__name__}, expected the "
            f"tensors in a list: {name}([a, b], dim)"
        )
    for i, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise DTypeError(
                f"{name}: number {i} is {type(x).__name__}, expected a Tensor; use tg.as_tensor()"
            )
    if not tensors:
        raise OptionError(f"{name}: got no tensors, expected at least one")
    return list(tensors)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along a dim that they have."""
    tensors = _several("cat", tensors, dim)
    dim = tensors[0]._dim("cat", dim)
    for i, x in enumerate(tensors):
        wanted = tensors[0].shape
        if x.ndim != len(wanted) or x.shape[:dim] + x.shape[dim + 1 :] != (
            wanted[:dim] + wanted[dim + 1 :]
        ):
            raise ShapeError(
                f"cat: tensor {i} has shape {x.shape}, expected {wanted} in all dims but {dim}"
            )
    out: Tensor = ops.concat(tensors, axis=dim)
    return out


concat = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape, along a new dim."""
    tensors = _several("stack", tensors, dim)
    for i, x in enumerate(tensors):
        if x.shape != tensors[0].shape:
            raise ShapeError(f"stack: tensor {i} has shape {x.shape}, expected {tensors[0].shape}")
    return cat([x.unsqueeze(dim) for x in tensors], tensors[0].ndim + 1 + dim if dim < 0 else dim)


def is_tensor(obj: Any) -> bool:
    """Whether it is a Tensor."""
    return isinstance(obj, Tensor)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Whether ``|input - other| <= atol + rtol * |other|`` everywhere."""
    with np.errstate(invalid="ignore"):  # inf - inf
        near = (input - other).abs() <= other.abs() * rtol + atol
    return bool(((input == other) | near).all())
