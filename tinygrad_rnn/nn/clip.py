"""Gradient clipping: Pascanu, Mikolov and Bengio 2013."""

import math
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import imul
from typing import Any

import numpy as np

from ..backend import backend_of, backends, find
from ..backend.threads import one_thread
from ..engine.commit import commit, rewriting
from ..engine.node import check_writable, wrap
from ..errors import GraphError, OptionError, check_numbers, check_type
from ..tensor import Tensor


def listed(name: str, tensors: Any) -> list[Tensor]:
    """The tensors as a list; raises for a non-Tensor, and for an exhausted iterator."""
    if not isinstance(tensors, list):  # in every step it is one
        check_type(name, Iterable, "tensors: pass model.parameters()", tensors=tensors)
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for i, tensor in enumerate(given):
        if not isinstance(tensor, Tensor):
            check_type(name, Tensor, "a Tensor", **{f"number {i}": tensor})
    if not given and hasattr(tensors, "__next__"):
        got = "an iterator that is at its end: it gives its tensors once"
        raise OptionError(
            f"{name}: got {got}; make a list, or call model.parameters() again"
        )
    return given


def _check_bounds(name: str, low: float = 0, **bounds: Any) -> None:
    for what, bound in bounds.items():
        if bound != math.inf:
            check_numbers(name, low, **{what: bound})


def _largest(arrays: Sequence[Any]) -> float:
    """The largest size of an element; an infinity or a NaN if there is one."""
    some = [a for a in arrays if math.prod(a.shape)]
    tops = [backend_of(a).largest(backend_of(a).abs(a)) for a in some]
    return max(tops, default=0.0) if all(map(math.isfinite, tops)) else sum(tops)


def _powers(arrays: Sequence[Any], kind: float) -> float:
    """The sum of all elements' powers, in one piece for each device and dtype."""
    alike: dict[Any, list[Any]] = {}
    for array in arrays:
        alike.setdefault((backend_of(array), array.dtype), []).append(array)
    if kind == 2.0:
        return sum([xp.squares(some) for (xp, _), some in alike.items()])
    return sum(
        [
            xp.on_device(_added)(xp, xp.join(some), kind)
            for (xp, _), some in alike.items()
        ]
    )


def _added(xp: Any, flat: Any, kind: float) -> float:
    return float(xp.sum(xp.abs(flat) ** kind))


def _divided(xp: Any, array: Any, top: float) -> Any:
    return xp.reshape(xp.astype(array, np.dtype(np.float64)), (-1,)) / top


def _scale(grads: Sequence[Tensor], factor: float) -> None:
    """Multiply gradients in place; on a CPU Ctrl-C comes before all of them or after."""
    arrays: dict[Any, list[Any]] = {}
    for grad in grads:
        check_writable(grad.array, "clip_grad_norm_: a gradient")
        arrays.setdefault(backend_of(grad.array), []).append(grad.array)
    for grad in grads:
        grad.version[0] += 1
    for xp, some in arrays.items():
        xp.on_device(_multiply)(some, factor)


def _multiply(arrays: list[Any], factor: float) -> None:
    deque(map(imul, arrays, repeat(factor)), 0)  # one call: see engine.commit


def _norm(arrays: Sequence[Any], kind: float) -> float:
    """The norm of arrays taken as one vector, right from 1e-30 to 1e30 in float32 too."""
    if kind == math.inf:
        return _largest(arrays)
    with one_thread():
        total = _powers(arrays, kind)
        if 1e-28 < total < math.inf:
            return total ** (1.0 / kind)
        # Powers that leave the middle of float32's range have lost digits: scale by the
        # largest.
        top = _largest(arrays)
        if top == 0.0 or not math.isfinite(top):
            return top
        wide = [(xp := backend_of(a)).on_device(_divided)(xp, a, top) for a in arrays]
        return top * _powers(wide, kind) ** (1.0 / kind)


def _total(
    name: str,
    owners: Sequence[Any],
    grads: Sequence[Tensor],
    norm_type: float,
    finite: bool,
) -> tuple[float, Tensor]:
    """The common norm, as a number and as a tensor; with ``finite`` it has to be that."""
    _check_bounds(name, sys.float_info.min, norm_type=norm_type)
    xp, dtype = (
        (backend_of(grads[0].array), grads[0].dtype)
        if grads
        else (find("cpu"), np.float32)
    )
    # A norm beyond float32 of gradients within it is an infinity.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        total = _norm([grad.array for grad in grads], norm_type)
        shown = wrap(xp.from_host(np.asarray(total, dtype)))
    wrong = (
        zip(owners, grads, strict=True) if finite and not math.isfinite(total) else ()
    )
    for i, (owner, grad) in enumerate(wrong):
        if not grad.isfinite().all():
            what = (
                f"{getattr(owner, 'name', 'tensor')} (number {i}, shape {owner.shape})"
            )
            raise GraphError(f"{name}: the gradient of {what} {_nonfinite(grad)}")
    return total, shown


def _nonfinite(grad: Tensor) -> str:
    """What is wrong with a gradient, and where to look for the cause."""
    unless = "error_if_nonfinite=False goes on all the same"
    where = "tg.autograd.detect_anomaly() shows where it began"
    if grad.isnan().any():
        look = "look for NaN in the data and the loss (x.isnan().any())"
        return f"has a NaN; nothing was changed. {look}; {where}; {unless}"
    grown = "if the loss has grown from step to step, lower the learning rate"
    return f"has an infinity; nothing was changed. {grown}; {where}; {unless}"


def get_total_norm(
    tensors: Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """The norm of all tensors taken as one vector: a 0-d tensor."""
    given = listed("get_total_norm", tensors)
    return _total("get_total_norm", given, given, norm_type, error_if_nonfinite)[1]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = True,
) -> Tensor:
    """Scale all gradients by max_norm / norm if their common norm is above max_norm.

    Returns the norm before clipping. As torch.nn.utils.clip_grad_norm_, but by default
    a NaN or an infinity raises GraphError, which names its parameter, and nothing is
    changed. On a CPU the gradients are scaled all or none, wherever Ctrl-C comes in.
    """
    _check_bounds("clip_grad_norm_", max_norm=max_norm)
    chosen = [p for p in listed("clip_grad_norm_", parameters) if p.grad is not None]
    grads = listed("clip_grad_norm_", [p.grad for p in chosen])
    total, shown = _total(
        "clip_grad_norm_", chosen, grads, norm_type, error_if_nonfinite
    )
    scale = max_norm / (total + 1e-6)
    if not scale >= 1.0:  # a NaN scale too: PyTorch lets it through to the gradients
        with np.errstate(all="ignore"):  # infinities times 0
            _scale(grads, scale)
    return shown


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients to [-clip_value, clip_value]."""
    _check_bounds("clip_grad_value_", clip_value=clip_value)
    grads = [
        p.grad for p in listed("clip_grad_value_", parameters) if p.grad is not None
    ]
    for grad in grads:
        check_writable(grad.array, "clip_grad_value_: a gradient")
    news = [grad.detach().clamp(-clip_value, clip_value).array for grad in grads]
    commit(rewriting(list(zip(grads, news, strict=True))))


class GradientClipping:
    """The tutorial's clipping of a list of arrays, without its print.

    ``clip_gradients(gradients)`` returns the list as it is if the common norm is at
    most ``max_norm``, else new arrays scaled by max_norm / norm; None stays None.
    ``last_norm`` keeps the norm before clipping.

    >>> import numpy as np
    >>> clipping = GradientClipping(max_norm=1.0)
    >>> clipping.clip_gradients([np.array([3.0, 4.0]), None])
    [array([0.6, 0.8]), None]
    >>> clipping.last_norm
    5.0
    """

    def __init__(self, max_norm: float = 1.0) -> None:
        _check_bounds("GradientClipping", max_norm=max_norm)
        self.max_norm = max_norm
        self.last_norm: float | None = None

    def clip_gradients(self, gradients: Sequence[Any]) -> Any:
        """Scale the arrays if their common norm is above ``max_norm``."""
        check_type(
            "clip_gradients", list | tuple, "arrays in a list", gradients=gradients
        )
        numbered = {f"number {i}": g for i, g in enumerate(gradients) if g is not None}
        check_type("clip_gradients", (*backends, Tensor), "an array", **numbered)
        self.last_norm = math.sqrt(
            sum(float((g**2).sum()) for g in gradients if g is not None)
        )
        if not self.last_norm > self.max_norm:  # nor if it is NaN, as in the tutorial
            return gradients
        scale = self.max_norm / self.last_norm
        return [None if g is None else g * scale for g in gradients]
