"""The array API standard's names and call forms over Tensors: what ``__array_namespace__`` gives.

Code that asks an array for its namespace runs on Tensors, and can be differentiated. Here is what
we have of the standard (https://data-apis.org/array-api); most are the ops themselves.
"""

# mypy: disable-error-code="assignment,arg-type,no-redef"
# The builtins and ops that are renamed below are so on purpose.

import builtins
import sys
from collections.abc import Callable
from functools import wraps
from math import e, inf, nan, pi
from typing import Any

import numpy as np
from numpy import can_cast, finfo, iinfo, isdtype

from . import creation, functions
from .backend import backend_of, backends
from .errors import OptionError, described
from .ops import *
from .creation import *
from .functions import where
from .tensor import Tensor, bool_, float32, float64, int32, int64

bool, newaxis, empty_like = bool_, None, zeros_like
_OURS = {"axis": "dim", "keepdims": "keepdim", "k": "diagonal", "stop": "end", "num": "steps"}


def _standard(method: Callable[..., Any], **defaults: Any) -> Callable[..., Any]:
    """A method of ours under the standard's keywords, and with its defaults."""

    @wraps(method)
    def function(x: Any, /, *args: Any, **settings: Any) -> Any:
        ours = {_OURS.get(key, key): value for key, value in settings.items()}
        return method(x, *args, **defaults | ours)

    return function


sum, prod, argsort = map(_standard, (Tensor.sum, Tensor.prod, Tensor.argsort))
var, std = _standard(Tensor.var, correction=0), _standard(Tensor.std, correction=0)
squeeze, expand_dims, unstack = map(_standard, (Tensor.squeeze, Tensor.unsqueeze, Tensor.unbind))
stack, moveaxis, tile = map(_standard, (functions.stack, Tensor.movedim, Tensor.tile))
tril, triu, matmul = map(_standard, (Tensor.tril, Tensor.triu, Tensor.matmul))
arange, linspace = map(_standard, (creation.arange, creation.linspace))
take_along_axis = _standard(Tensor.take_along_dim, dim=-1)


def sort(x: Tensor, /, *, axis: int = -1, descending: Any = False, stable: Any = True) -> Tensor:
    """The elements in order along a dim."""
    return x.sort(axis, descending).values


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: Any = None) -> Tensor:
    """A Tensor of an array, numbers or nested lists; a Tensor keeps its history.

    Memory is shared where it can be, with ``copy=True`` never; with ``copy=False`` an error says
    where it cannot be.
    """
    out = creation.as_tensor(obj, dtype, device)
    is_shared = out is obj or _shares_memory(out, obj)
    if copy is False and not is_shared:
        got = described(obj)
        raise OptionError(f"asarray: copy=False, but a Tensor of this {got} is a copy")
    return out.clone() if copy and is_shared else out


def _shares_memory(x: Tensor, obj: Any) -> builtins.bool:
    """Whether a Tensor that was made of an array shows its memory."""
    if isinstance(obj, np.ndarray):
        return obj.dtype == x.dtype and x.device == "cpu"
    return type(obj) in backends and (obj.dtype, backend_of(obj)) == (x.dtype, backend_of(x.array))


def astype(x: Tensor, dtype: Any, /, *, copy: Any = True) -> Tensor:
    """The elements in another dtype."""
    out = x.to(dtype)
    return out.clone() if copy and out is x else out


def roll(x: Tensor, /, shift: Any, *, axis: Any = None) -> Tensor:
    """Moved along dims, around the end."""
    return x.roll(shift, axis)


def take(x: Tensor, indices: Tensor, /, *, axis: int = 0) -> Tensor:
    """The slices of a dim that a 1-d integer tensor names."""
    return x.index_select(axis, indices)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The sums of products along a dim."""
    return (x1 * x2).sum(axis)


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that an operation on these gives."""
    return np.result_type(*[getattr(x, "dtype", x) for x in arrays_and_dtypes])


Tensor.namespace = sys.modules[__name__]
