"""The array API standard's names and call forms over Tensors.

``tensor.__array_namespace__()`` returns this module, so code that asks an array for its
namespace runs on Tensors, and can be differentiated. Names that are ops, or functions
of the package, are listed here; the others stand in a file for each family of the
standard. docs/array-api.md says what of the standard (https://data-apis.org/array-api)
is left out, and why.
"""

from math import e, inf, nan, pi
from operator import pow

from numpy import isdtype

from ..creation import full_like, ones_like, zeros_like
from ..creation import zeros_like as empty_like
from ..functions import matmul, where
from ..functions import movedim as moveaxis
from ..functions import unique as unique_values
from ..ops import (
    abs,
    add,
    argmax,
    argmin,
    bitwise_and,
    bitwise_invert,
    bitwise_or,
    broadcast_to,
    ceil,
    cos,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    matrix_transpose,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    permute_dims,
    reciprocal,
    remainder,
    round,
    sign,
    sin,
    sqrt,
    square,
    subtract,
    tanh,
)
from ..ops import clone as conj
from ..ops import clone as positive
from ..ops import not_equal as logical_xor
from ..tensor.dtypes import (
    bool,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .creation import (
    arange,
    asarray,
    eye,
    from_dlpack,
    full,
    linspace,
    meshgrid,
    ones,
    tril,
    triu,
    zeros,
)
from .creation import zeros as empty
from .elementwise import astype, clip
from .inspection import __array_namespace_info__, can_cast, finfo, iinfo, result_type
from .manipulation import (
    broadcast_arrays,
    concat,
    expand_dims,
    flip,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    tile,
    unstack,
)
from .products import tensordot, vecdot
from .searching import (
    argsort,
    nonzero,
    searchsorted,
    sort,
    take,
    take_along_axis,
    unique_all,
    unique_counts,
    unique_inverse,
)
from .statistics import (
    all,
    any,
    count_nonzero,
    cumulative_prod,
    cumulative_sum,
    diff,
    max,
    mean,
    min,
    prod,
    std,
    sum,
    var,
)

__array_api_version__ = "2024.12"
newaxis = None
