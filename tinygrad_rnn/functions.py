"""The functions of the top level: most are also methods of Tensor, and stand in
`methods`.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from . import ops
from .backend import backends
from .creation import as_tensor
from .einsum import einsum
from .errors import DTypeError, OptionError, ShapeError, check_dim, check_type
from .errors.boundary import check_call, named
from .tensor import Tensor
from .tensor.arguments import mask_of

T = Tensor
F = TypeVar("F", bound=Callable[..., Any])


def _f(method: F) -> F:
    """A method as a function: what it takes first can be called ``input``, as in
    PyTorch.
    """

    def function(*args: Any, **settings: Any) -> Any:
        if "input" in settings:
            args = (settings.pop("input"), *args)
        if args and type(args[0]) in backends:  # an array
            args = (as_tensor(args[0]), *args[1:])
        try:
            return method(*args, **settings)
        except TypeError as error:
            check_call(method, settings, error)
            raise

    return wraps(method)(function)  # type: ignore[return-value]


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
    "argsort",
    "bincount",
    "bmm",
    "broadcast_to",
    "cat",
    "ceil",
    "chunk",
    "clamp",
    "clone",
    "concat",
    "cos",
    "cumprod",
    "cumsum",
    "diag",
    "div",
    "dot",
    "einsum",
    "eq",
    "equal",
    "exp",
    "expand",
    "expm1",
    "flatten",
    "flip",
    "floor",
    "floor_divide",
    "gather",
    "ge",
    "gt",
    "index_fill",
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
    "masked_select",
    "matmul",
    "max",
    "maximum",
    "mean",
    "median",
    "min",
    "minimum",
    "mm",
    "movedim",
    "mul",
    "mv",
    "narrow",
    "ne",
    "neg",
    "nonzero",
    "norm",
    "outer",
    "permute",
    "pow",
    "prod",
    "reciprocal",
    "relu",
    "remainder",
    "reshape",
    "roll",
    "round",
    "scatter",
    "scatter_add",
    "select",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "sort",
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
    "tile",
    "topk",
    "transpose",
    "tril",
    "triu",
    "unbind",
    "unique",
    "unsqueeze",
    "var",
    "view",
    "where",
]

add, sub, mul, div, pow = _f(T.add), _f(T.sub), _f(T.mul), _f(T.div), _f(T.pow)
floor_divide, remainder, neg, abs = (
    _f(T.floor_divide),
    _f(T.remainder),
    _f(T.neg),
    _f(T.abs),
)
sign, square, sqrt, reciprocal = _f(T.sign), _f(T.square), _f(T.sqrt), _f(T.reciprocal)
exp, expm1, log, log1p, sin = _f(T.exp), _f(T.expm1), _f(T.log), _f(T.log1p), _f(T.sin)
cos, tanh, sigmoid, relu, maximum = (
    _f(T.cos),
    _f(T.tanh),
    _f(T.sigmoid),
    _f(T.relu),
    _f(T.maximum),
)
minimum, clamp, masked_fill, floor = (
    _f(T.minimum),
    _f(T.clamp),
    _f(T.masked_fill),
    _f(T.floor),
)
ceil, round, clone, sum, mean = (
    _f(T.ceil),
    _f(T.round),
    _f(T.clone),
    _f(T.sum),
    _f(T.mean),
)
prod, var, std, amax, amin = _f(T.prod), _f(T.var), _f(T.std), _f(T.amax), _f(T.amin)
max, min, argmax, argmin = _f(T.max), _f(T.min), _f(T.argmax), _f(T.argmin)
logsumexp, cumsum, norm, softmax = (
    _f(T.logsumexp),
    _f(T.cumsum),
    _f(T.norm),
    _f(T.softmax),
)
log_softmax, all, any, argsort = _f(T.log_softmax), _f(T.all), _f(T.any), _f(T.argsort)
sort, topk, matmul, mm, bmm = _f(T.sort), _f(T.topk), _f(T.matmul), _f(T.mm), _f(T.bmm)
mv, dot, outer, reshape, view = (
    _f(T.mv),
    _f(T.dot),
    _f(T.outer),
    _f(T.reshape),
    _f(T.view),
)
flatten, squeeze, unsqueeze = _f(T.flatten), _f(T.squeeze), _f(T.unsqueeze)
transpose, permute, movedim, expand = (
    _f(T.transpose),
    _f(T.permute),
    _f(T.movedim),
    _f(T.expand),
)
broadcast_to, split, chunk, unbind = (
    _f(T.broadcast_to),
    _f(T.split),
    _f(T.chunk),
    _f(T.unbind),
)
flip, roll, tile, tril, triu = (
    _f(T.flip),
    _f(T.roll),
    _f(T.tile),
    _f(T.tril),
    _f(T.triu),
)
index_select, gather, take_along_dim = (
    _f(T.index_select),
    _f(T.gather),
    _f(T.take_along_dim),
)
narrow, select, logical_and = _f(T.narrow), _f(T.select), _f(T.logical_and)
logical_or, logical_not, eq, ne = (
    _f(T.logical_or),
    _f(T.logical_not),
    _f(T.eq),
    _f(T.ne),
)
lt, le, gt, ge, isnan, isinf = (
    _f(T.lt),
    _f(T.le),
    _f(T.gt),
    _f(T.ge),
    _f(T.isnan),
    _f(T.isinf),
)
isfinite, allclose, equal = _f(T.isfinite), _f(T.allclose), _f(T.equal)
masked_select, nonzero, median = _f(T.masked_select), _f(T.nonzero), _f(T.median)
unique, bincount, cumprod = _f(T.unique), _f(T.bincount), _f(T.cumprod)
diag, index_fill, scatter = _f(T.diag), _f(T.index_fill), _f(T.scatter)
scatter_add = _f(T.scatter_add)


def where(condition: Tensor, input: Any, other: Any) -> Tensor:
    """``input`` where ``condition``, else ``other``."""
    if not isinstance(input, Tensor | np.ndarray) and not isinstance(
        other, Tensor | np.ndarray
    ):
        pair = as_tensor([input, other], device=getattr(condition, "device", None))
        input, other = pair  # of two numbers, the default dtype
    return ops.where(mask_of("where", "condition", condition), input, other)


def _check_several(name: str, tensors: Sequence[Tensor]) -> None:
    """Refuse what is not a list of Tensors: the usual slip is ``cat(a, b)``."""
    if not isinstance(tensors, list | tuple):
        got = type(tensors).__name__
        raise DTypeError(
            f"{name}: got {got}, expected the tensors in a list: {name}([a, b], dim)"
        )
    if not tensors:
        raise OptionError(f"{name}: got no tensors, expected at least one")
    numbered = {f"number {i}": x for i, x in enumerate(tensors)}
    check_type(name, Tensor, "a Tensor; use tg.as_tensor()", **numbered)


@named
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors joined along a dim that they have."""
    _check_several("cat", tensors)
    if 0 in [x.ndim for x in tensors]:
        raise ShapeError("cat: a 0-d tensor has no dim to join along; use stack()")
    try:
        return ops.concat(tensors, axis=dim)
    except ShapeError:
        _check_alike("cat", tensors, dim)
        raise


def _check_alike(name: str, tensors: Sequence[Tensor], dim: int) -> None:
    """Raise for the first tensor that differs from those before it in another dim."""
    first = tensors[0].shape
    for i, x in enumerate(tensors):
        others = [*x.shape]
        if len(others) == len(first):
            others[dim] = first[dim]
        if tuple(others) != first:
            sizes: list[Any] = [*first]
            sizes[dim] = "*"
            expected = ", ".join(map(str, sizes)) + ("," if len(sizes) == 1 else "")
            got = f"tensor {i} has shape {x.shape}"
            raise ShapeError(f"{name}: {got}, expected ({expected})")


concat = cat


@named
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape, along a new dim."""
    _check_several("stack", tensors)
    for i, x in enumerate(tensors):
        if x.shape != tensors[0].shape:
            raise ShapeError(
                f"stack: tensor {i} has shape {x.shape}, expected {tensors[0].shape}"
            )
    dim = check_dim("stack", dim, (1, *tensors[0].shape))
    return ops.stack(tensors, axis=dim)


def is_tensor(obj: Any) -> bool:
    """Whether it is a Tensor."""
    return isinstance(obj, Tensor)
