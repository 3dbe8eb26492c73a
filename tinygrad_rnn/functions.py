"""The functions of the top level: ``tg.exp(x)`` is the method ``x.exp()``.

Every public name of this module is one of them, so what it imports for itself has a
private name.
"""

from functools import wraps as _wraps
from typing import TypeVar as _TypeVar

from .backend import backends as _backends
from .combining import cat as cat
from .combining import concat as concat
from .combining import stack as stack
from .combining import where as where
from .creation import as_tensor as _as_tensor
from .einsum import einsum as einsum
from .errors.boundary import check_call as _check_call
from .tensor import Tensor as _Tensor
from .tensor.base import is_tensor as is_tensor
from .types import Function as _Function

_F = _TypeVar("_F", bound=_Function)


def _function(method: _F) -> _F:
    """Return a method of Tensor as a function.

    What it takes first may be an array, and may be called ``input``, as in PyTorch.
    """

    @_wraps(method)
    def function(*args: object, **settings: object) -> object:
        if "input" in settings:
            args = (settings.pop("input"), *args)
        if args and type(args[0]) in _backends:
            args = (_as_tensor(args[0]), *args[1:])
        try:
            return method(*args, **settings)
        except TypeError as error:
            _check_call(method, settings, error)
            raise

    return function  # type: ignore[return-value]


# elementwise
add = _function(_Tensor.add)
sub = _function(_Tensor.sub)
mul = _function(_Tensor.mul)
div = _function(_Tensor.div)
pow = _function(_Tensor.pow)
floor_divide = _function(_Tensor.floor_divide)
remainder = _function(_Tensor.remainder)
neg = _function(_Tensor.neg)
abs = _function(_Tensor.abs)
sign = _function(_Tensor.sign)
square = _function(_Tensor.square)
sqrt = _function(_Tensor.sqrt)
reciprocal = _function(_Tensor.reciprocal)
exp = _function(_Tensor.exp)
expm1 = _function(_Tensor.expm1)
log = _function(_Tensor.log)
log1p = _function(_Tensor.log1p)
sin = _function(_Tensor.sin)
cos = _function(_Tensor.cos)
tanh = _function(_Tensor.tanh)
sigmoid = _function(_Tensor.sigmoid)
relu = _function(_Tensor.relu)
maximum = _function(_Tensor.maximum)
minimum = _function(_Tensor.minimum)
clamp = _function(_Tensor.clamp)
masked_fill = _function(_Tensor.masked_fill)
floor = _function(_Tensor.floor)
ceil = _function(_Tensor.ceil)
round = _function(_Tensor.round)
clone = _function(_Tensor.clone)
logical_and = _function(_Tensor.logical_and)
logical_or = _function(_Tensor.logical_or)
logical_not = _function(_Tensor.logical_not)
eq = _function(_Tensor.eq)
ne = _function(_Tensor.ne)
lt = _function(_Tensor.lt)
le = _function(_Tensor.le)
gt = _function(_Tensor.gt)
ge = _function(_Tensor.ge)
isnan = _function(_Tensor.isnan)
isinf = _function(_Tensor.isinf)
isfinite = _function(_Tensor.isfinite)

# reductions
sum = _function(_Tensor.sum)
mean = _function(_Tensor.mean)
prod = _function(_Tensor.prod)
var = _function(_Tensor.var)
std = _function(_Tensor.std)
amax = _function(_Tensor.amax)
amin = _function(_Tensor.amin)
max = _function(_Tensor.max)
min = _function(_Tensor.min)
argmax = _function(_Tensor.argmax)
argmin = _function(_Tensor.argmin)
logsumexp = _function(_Tensor.logsumexp)
cumsum = _function(_Tensor.cumsum)
norm = _function(_Tensor.norm)
softmax = _function(_Tensor.softmax)
log_softmax = _function(_Tensor.log_softmax)
all = _function(_Tensor.all)
any = _function(_Tensor.any)
allclose = _function(_Tensor.allclose)
equal = _function(_Tensor.equal)
cumprod = _function(_Tensor.cumprod)

# ordering
argsort = _function(_Tensor.argsort)
sort = _function(_Tensor.sort)
topk = _function(_Tensor.topk)
median = _function(_Tensor.median)
unique = _function(_Tensor.unique)
bincount = _function(_Tensor.bincount)

# products
matmul = _function(_Tensor.matmul)
mm = _function(_Tensor.mm)
bmm = _function(_Tensor.bmm)
mv = _function(_Tensor.mv)
dot = _function(_Tensor.dot)
outer = _function(_Tensor.outer)

# shapes
reshape = _function(_Tensor.reshape)
view = _function(_Tensor.view)
flatten = _function(_Tensor.flatten)
squeeze = _function(_Tensor.squeeze)
unsqueeze = _function(_Tensor.unsqueeze)
transpose = _function(_Tensor.transpose)
permute = _function(_Tensor.permute)
movedim = _function(_Tensor.movedim)
expand = _function(_Tensor.expand)
broadcast_to = _function(_Tensor.broadcast_to)
flip = _function(_Tensor.flip)
roll = _function(_Tensor.roll)
tile = _function(_Tensor.tile)
tril = _function(_Tensor.tril)
triu = _function(_Tensor.triu)

# indexing
split = _function(_Tensor.split)
chunk = _function(_Tensor.chunk)
unbind = _function(_Tensor.unbind)
narrow = _function(_Tensor.narrow)
select = _function(_Tensor.select)

# selection
index_select = _function(_Tensor.index_select)
gather = _function(_Tensor.gather)
take_along_dim = _function(_Tensor.take_along_dim)
masked_select = _function(_Tensor.masked_select)
nonzero = _function(_Tensor.nonzero)
diag = _function(_Tensor.diag)
index_fill = _function(_Tensor.index_fill)
scatter = _function(_Tensor.scatter)
scatter_add = _function(_Tensor.scatter_add)
