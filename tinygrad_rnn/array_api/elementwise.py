"""Functions of elements that are not just an op."""

from .. import ops
from ..tensor import Tensor
from ..types import DeviceLike, DType, Operand


def astype(
    x: Tensor, dtype: DType, /, *, copy: bool = True, device: DeviceLike = None
) -> Tensor:
    """Return the elements in another dtype."""
    out = x.to(dtype=dtype, device=device)
    return out.clone() if copy and out is x else out


def clip(x: Tensor, /, min: Operand = None, max: Operand = None) -> Tensor:
    """Limit the elements to [min, max]; a limit is a number, a tensor, or None."""
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        raised = x if min is None else ops.maximum(x, min)
        return raised if max is None else ops.minimum(raised, max)
    if min is None and max is None:
        return x.clone()
    return ops.clip(x, min, max)
