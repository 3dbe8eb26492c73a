"""The functions of the top level that are also methods of Tensor: PyTorch's names for each."""



from collections.abc import Sequence
from typing import Any

import numpy as np

from . import ops
from .creation import as_tensor
from .errors import OptionError, ShapeError
from .tensor import Tensor

__all__ = [
    "abs",
    "add",
    "all",
    "allclose",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "broadcast_to",
    "cat",
    "ceil",
    "chunk",
    "clamp",
    "clone",
    "concat",
    "cos",
    "div",
    "eq",
    "exp",
    "expm1",
    "flatten",
    "flip",
    "floor",
    "floor_divide",
    "ge",
    "gt",
    "index_select",
    "is_tensor",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "log",
    "log1p",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logsumexp",
    "lt",
    "masked_fill",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "movedim",
    "mul",
    "narrow",
    "ne",
    "neg",
    "permute",
    "pow",
    "reciprocal",
    "relu",
    "remainder",
    "reshape",
    "round",
    "select",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "sub",
    "sum",
    "take_along_dim",
    "tanh",
    "transpose",
    "unbind",
    "unsqueeze",
    "var",
    "where",
]

add = Tensor.add
sub = Tensor.sub
mul = Tensor.mul
div = Tensor.div
pow = Tensor.pow
neg = Tensor.neg
abs = Tensor.abs
sign = Tensor.sign
square = Tensor.square
sqrt = Tensor.sqrt
reciprocal = Tensor.reciprocal
exp = Tensor.exp
expm1 = Tensor.expm1
log = Tensor.log
log1p = Tensor.log1p
sin = Tensor.sin
cos = Tensor.cos
tanh = Tensor.tanh
sigmoid = Tensor.sigmoid
relu = Tensor.relu
maximum = Tensor.maximum
minimum = Tensor.minimum
clamp = Tensor.clamp
masked_fill = Tensor.masked_fill
sum = Tensor.sum
mean = Tensor.mean
var = Tensor.var
std = Tensor.std
amax = Tensor.amax
amin = Tensor.amin
max = Tensor.max
min = Tensor.min
argmax = Tensor.argmax
argmin = Tensor.argmin
logsumexp = Tensor.logsumexp
softmax = Tensor.softmax
log_softmax = Tensor.log_softmax
matmul = Tensor.matmul
reshape = Tensor.reshape
flatten = Tensor.flatten
squeeze = Tensor.squeeze
unsqueeze = Tensor.unsqueeze
transpose = Tensor.transpose
permute = Tensor.permute
movedim = Tensor.movedim
broadcast_to = Tensor.broadcast_to
split = Tensor.split
chunk = Tensor.chunk
unbind = Tensor.unbind
flip = Tensor.flip
index_select = Tensor.index_select
take_along_dim = Tensor.take_along_dim
narrow = Tensor.narrow
select = Tensor.select
floor = Tensor.floor
ceil = Tensor.ceil
round = Tensor.round
remainder = Tensor.remainder
floor_divide = Tensor.floor_divide
any = Tensor.any
all = Tensor.all
logical_and = Tensor.logical_and
logical_or = Tensor.logical_or
logical_not = Tensor.logical_not
eq = Tensor.eq
ne = Tensor.ne
lt = Tensor.lt
le = Tensor.le
gt = Tensor.gt
ge = Tensor.ge
isnan = Tensor.isnan
isinf = Tensor.isinf
isfinite = Tensor.isfinite
clone = Tensor.clone


def where(condition: Tensor, input: Any, other: Any) -> Tensor:
    """``input`` where ``condition``, else ``other``."""
    if not isinstance(input, Tensor | np.ndarray) and not isinstance(other, Tensor | np.ndarray):
        input, other = as_tensor([input, other])  # of two numbers, the default dtype
    out: Tensor = ops.where(condition, input, other)
    return out


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along a dim that they have."""
    tensors = list(tensors)
    if not tensors:
        raise OptionError("cat: got no tensors, expected at least one")
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
    tensors = list(tensors)
    for i, x in enumerate(tensors):
        if x.shape != tensors[0].shape:
            raise ShapeError(
                f"stack: tensor {i} has shape {x.shape}, expected {tensors[0].shape}"
            )
    return cat([x.unsqueeze(dim) for x in tensors], tensors[0].ndim + 1 + dim if tensors and dim < 0 else dim)


def is_tensor(obj: Any) -> bool:
    """Whether it is a Tensor."""
    return isinstance(obj, Tensor)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Whether ``|input - other| <= atol + rtol * |other|`` everywhere."""
    return bool(((input == other) | ((input - other).abs() <= other.abs() * rtol + atol)).all())
