"""Gradient clipping: Pascanu, Mikolov and Bengio 2013."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..backend.threads import threads_for
from ..engine.node import wrap
from ..errors import DTypeError, GraphError, OptionError
from ..tensor import Tensor


def _tensors(name: str, tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    if not isinstance(tensors, Iterable):
        raise DTypeError(
            f"{name}: got {type(tensors).__name__}, expected tensors: pass model.parameters()"
        )
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for place, tensor in enumerate(given):
        if not isinstance(tensor, Tensor):
            raise DTypeError(
                f"{name}: number {place} is {type(tensor).__name__}, expected a Tensor"
            )
    return given


def _with_grad(name: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [p for p in _tensors(name, parameters) if p.grad is not None]


def _check_bound(name: str, what: str, bound: Any) -> None:
    if not isinstance(bound, int | float):
        raise DTypeError(f"{name}: {what} is {bound!r}, expected a number")
    if not bound >= 0:
        raise OptionError(f"{name}: {what} is {bound}, expected at least 0")


def _norm(array: Any, norm_type: float) -> float:
    """The norm of one array, right from 1e-30 to 1e30 in float32 too."""
    flat = np.abs(array.reshape(-1)) if norm_type != 2.0 else array.reshape(-1)
    if not flat.size:
        return 0.0
    if norm_type == math.inf:
        return float(flat.max())
    with np.errstate(over="ignore", under="ignore", invalid="ignore"), threads_for(0):
        total = float(flat @ flat) if norm_type == 2.0 else float((flat**norm_type).sum())
        # Squares that leave the middle of the range have lost digits: scale by the largest.
        tiny, huge = np.finfo(array.dtype).tiny, np.finfo(array.dtype).max
        if not tiny * 1e10 < total < huge:
            top = float(np.abs(flat).max())
            if top == 0.0 or not math.isfinite(top):
                return top
            scaled = np.abs(flat.astype(np.float64)) / top
            return top * float((scaled**norm_type).sum()) ** (1.0 / norm_type)
    return total ** (1.0 / norm_type)


def _combined(norms: Sequence[float], norm_type: float) -> float:
    top = max(norms, default=0.0)
    if top == 0.0 or not all(map(math.isfinite, norms)):
        return sum(norms)  # an infinity or a NaN, which a maximum may not see
    if norm_type == math.inf:
        return top
    return top * math.fsum((norm / top) ** norm_type for norm in norms) ** (1.0 / norm_type)


def _check_norm_type(name: str, norm_type: Any) -> float:
    if not isinstance(norm_type, int | float):
        raise DTypeError(f"{name}: norm_type is {norm_type!r}, expected a number, or math.inf")
    if not norm_type > 0:
        raise OptionError(f"{name}: norm_type is {norm_type}, expected above 0, or inf")
    return float(norm_type)


def _scalar(total: float, tensors: Sequence[Tensor]) -> Tensor:
    with np.errstate(over="ignore"):  # a norm beyond float32 of gradients within it is an infinity
        return wrap(np.asarray(total, tensors[0].dtype if tensors else np.float32))


def get_total_norm(tensors: Iterable[Tensor], norm_type: float = 2.0) -> Tensor:
    """The norm of all tensors taken as one vector: a 0-d tensor."""
    given = _tensors("get_total_norm", tensors)
    kind = _check_norm_type("get_total_norm", norm_type)
    return _scalar(_combined([_norm(t.array, kind) for t in given], kind), given)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = True,
) -> Tensor:
    """Scale all gradients by max_norm / norm if their common norm is above max_norm.

    Returns the norm before clipping. As torch.nn.utils.clip_grad_norm_, but by default a NaN or an
    infinity raises GraphError, which names its parameter, and nothing is changed.
    """
    _check_bound("clip_grad_norm_", "max_norm", max_norm)
    kind = _check_norm_type("clip_grad_norm_", norm_type)
    chosen = _with_grad("clip_grad_norm_", parameters)
    norms = [_norm(parameter.grad.array, kind) for parameter in chosen]
    total = _combined(norms, kind)
    if not math.isfinite(total) and error_if_nonfinite:
        for place, (parameter, norm) in enumerate(zip(chosen, norms, strict=True)):
            if not math.isfinite(norm):
                label = getattr(parameter, "name", "tensor")
                raise GraphError(
                    f"clip_grad_norm_: the gradient of {label} (number {place}, shape "
                    f"{parameter.shape}) has a NaN or an infinity; nothing was changed. Lower the "
                    "learning rate, or pass error_if_nonfinite=False to go on"
                )
    scale = max_norm / (total + 1e-6)
    if not scale >= 1.0:  # a NaN scale too: PyTorch lets it through to the gradients
        for parameter in chosen:
            parameter.grad.array *= scale
            parameter.grad.version[0] += 1
    return _scalar(total, chosen)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients to [-clip_value, clip_value]."""
    _check_bound("clip_grad_value_", "clip_value", clip_value)
    for parameter in _with_grad("clip_grad_value_", parameters):
        parameter.grad.clamp_(-clip_value, clip_value)


class GradientClipping:
    """The tutorial's clipping of a list of arrays, without its print.

    ``clip_gradients(gradients)`` returns the list as it is if the common norm is at most
    ``max_norm``, else new arrays scaled by max_norm / norm; None stays None. ``last_norm`` keeps
    the norm before clipping.

    >>> import numpy as np
    >>> clipping = GradientClipping(max_norm=1.0)
    >>> clipping.clip_gradients([np.array([3.0, 4.0]), None])
    [array([0.6, 0.8]), None]
    >>> clipping.last_norm
    5.0
    """

    def __init__(self, max_norm: float = 1.0) -> None:
        _check_bound("GradientClipping", "max_norm", max_norm)
        self.max_norm = max_norm
        self.last_norm: float | None = None

    def clip_gradients(self, gradients: Sequence[Any]) -> Any:
        """Scale the arrays if their common norm is above ``max_norm``."""
        self.last_norm = math.sqrt(sum(float((g**2).sum()) for g in gradients if g is not None))
        if not self.last_norm > self.max_norm:  # nor if it is NaN, as in the tutorial
            return gradients
        scale = self.max_norm / self.last_norm
        return [None if g is None else g * scale for g in gradients]
