"""Gradient clipping by norm and by value.

Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
2013: section 3.2 and algorithm 1.
"""

import math
import sys
from collections.abc import Iterable, Sequence

import numpy as np

from ...backend import Backend, backend_of, backends
from ...backend.pending import Check
from ...backend.standard import numpy_dtype
from ...backend.threads import one_thread
from ...convert import get_default_dtype
from ...engine import seam
from ...engine.commit import commit, prepare_writes
from ...engine.node import check_writable, wrap
from ...errors import DTypeError, GraphError, check_numbers, check_type, describe
from ...errors.tensor_checks import check_tensor_list
from ...kernels import find as find_kernel
from ...tensor import Tensor
from ...types import Array, Function, Operand, Shape

Arrays = Sequence[Array]
CLIP = "clip_grad_norm_"


def get_total_norm(
    tensors: Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Return the norm of all tensors as one vector: ``(sum |x|^p)^(1/p)``.

    Args:
        tensors: Their elements x are taken together.
        norm_type: p, a number above 0; ``math.inf`` gives the largest ``|x|``.
        error_if_nonfinite: Raise if the norm is a NaN or an infinity.

    Returns:
        A 0-d tensor, right from 1e-30 to 1e30 in float32, too.

    Raises:
        DTypeError: A tensor has no floats.
        GraphError: The norm is not finite, and ``error_if_nonfinite`` is set. On a GPU
            it is raised where the host next waits for the GPU.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.utils import get_total_norm
        >>> get_total_norm([tg.tensor([3.0]), tg.tensor([4.0])]).item()
        5.0
    """
    name = "get_total_norm"
    given = check_tensor_list(name, tensors)
    for i, tensor in enumerate(given):
        if tensor.dtype.kind != "f":
            got = f"number {i} is {describe(tensor)}, expected floats"
            raise DTypeError(f"{name}: {got}; use .float()")
    seam.use(name, *given)
    arrays = [tensor.array for tensor in given]
    return wrap(
        seam.act(_norm_as_array, name, given, arrays, norm_type, error_if_nonfinite)
    )


def _norm_as_array(
    name: str,
    owners: Sequence[Tensor],
    arrays: Arrays,
    norm_type: float,
    error_if_nonfinite: bool,
) -> Array:
    kernel = _kernel_of_device("total_norm", arrays, norm_type)
    if kernel is not None:
        check = _late_check(name, owners) if error_if_nonfinite else None
        return kernel(arrays, if_nonfinite=check)[0]
    with np.errstate(all="ignore"):
        total = _norm_of(name, owners, arrays, norm_type, error_if_nonfinite)
        return _as_array(total, arrays)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = True,
) -> Tensor:
    """Scale all gradients, in place, so that their common norm is at most max_norm.

    ``g <- g * min(1, max_norm / (norm + 1e-6))``, like PyTorch's function of this name,
    but an infinity or a NaN raises by default. On a CPU, Ctrl-C interrupts before all
    gradients are scaled, or after.

    Args:
        parameters: One or several; those without a gradient are left out.
        max_norm: The largest norm that stays as it is.
        norm_type: p of the norm ``(sum |g|^p)^(1/p)``; ``math.inf`` gives the largest
            ``|g|``.
        error_if_nonfinite: Raise if the norm is a NaN or an infinity.

    Returns:
        The norm before clipping, a 0-d tensor.

    Raises:
        GraphError: A gradient is not finite: the message names its parameter, and
            nothing has changed. On a GPU it is raised where the host next waits for
            the GPU, by ``loss.item()``, say; the gradients became zeros.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.nn.utils import clip_grad_norm_
        >>> weight = tg.tensor([3.0, 4.0], requires_grad=True)
        >>> (weight * weight).sum().backward()
        >>> clip_grad_norm_([weight], max_norm=1.0).item()
        10.0
        >>> [round(slope, 4) for slope in weight.grad.tolist()]
        [0.6, 0.8]
    """
    name = CLIP
    _check_limit(name, max_norm=max_norm)
    owners = [p for p in check_tensor_list(name, parameters) if p.grad is not None]
    grads = [p.grad for p in owners if p.grad is not None]
    options = max_norm, norm_type, error_if_nonfinite
    arrays = [grad.array for grad in grads]
    norm, is_scaled = seam.act(_clip, owners, arrays, *options)
    if is_scaled:
        for grad in grads:
            grad.version.count += 1
    return wrap(norm)


def _clip(
    owners: Sequence[Tensor],
    grads: Arrays,
    max_norm: float,
    norm_type: float,
    error_if_nonfinite: bool,
) -> tuple[Array, bool]:
    """Return the norm before clipping, and whether the gradients were scaled."""
    found = _clip_by_kernel(grads, max_norm) if norm_type == 2.0 and grads else None
    if found is not None:
        total, is_scaled = found
        return _as_array(total, grads), is_scaled
    name = CLIP
    kernel = _kernel_of_device("clip_to_norm", grads, norm_type)
    if kernel is not None:
        check = _late_check(name, owners) if error_if_nonfinite else None
        norm = kernel(grads, max_norm, check)
        if norm is not None:
            return norm, True
    with np.errstate(all="ignore"):  # of an infinity times 0, say
        total = _norm_of(name, owners, grads, norm_type, error_if_nonfinite)
        factor = max_norm / (total + 1e-6)
        is_scaled = not factor >= 1.0  # for a NaN, too: as in PyTorch, all become NaN
        if is_scaled:
            _scale_gradients(grads, factor)
        return _as_array(total, grads), is_scaled


def _clip_by_kernel(grads: Arrays, max_norm: float) -> tuple[float, bool] | None:
    """Do all in one call of a kernel; None, with nothing done, where there is none.

    Or where the norm is not finite, or needs more digits than its squares have.
    """
    kernel = find_kernel(backend_of(grads[0]).kind, "clip")
    found: tuple[float, bool] | None = kernel(grads, max_norm) if kernel else None
    return found


def _kernel_of_device(name: str, arrays: Arrays, norm_type: float) -> Function | None:
    """Return a kernel that computes with norms without waiting for their device.

    None where there is none, or where the arrays are on several devices.
    """
    if norm_type != 2.0 or not arrays or type(arrays[0]) is np.ndarray:
        return None
    xp = backend_of(arrays[0])
    kernel = find_kernel(xp.kind, name)
    if kernel is None or len(_by_backend(arrays)) > 1:
        return None
    return xp.on_device(kernel)


def _late_check(name: str, owners: Sequence[Tensor]) -> Check:
    """Return the check of a device that names the owner of a gradient."""
    owned = tuple([(getattr(p, "name", "tensor"), p.shape) for p in owners])
    return Check(_late_nonfinite_error, (name, owned))


def _late_nonfinite_error(
    place: int, is_nan: int, name: str, owned: Sequence[tuple[str, Shape]]
) -> GraphError:
    """Return the error of a gradient that the device has found not to be finite."""
    what = _describe_owner(place, *owned[place])
    happened = "the gradients became zeros" if name == CLIP else "nothing was changed"
    return GraphError(f"{name}: {what} {_describe_nonfinite(is_nan, happened)}")


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients to [-clip_value, clip_value], in place.

    Args:
        parameters: One or several; those without a gradient are left out.
        clip_value: A number of at least 0.

    Example:
        >>> import tinygrad_rnn as tg
        >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> (w * tg.tensor([5.0, -0.5])).sum().backward()
        >>> tg.nn.utils.clip_grad_value_([w], 1.0)
        >>> w.grad.tolist()
        [1.0, -0.5]
    """
    name = "clip_grad_value_"
    _check_limit(name, clip_value=clip_value)
    given = check_tensor_list(name, parameters)
    grads = [p.grad for p in given if p.grad is not None]
    seam.act(_clip_values, [grad.array for grad in grads], clip_value)
    for grad in grads:
        grad.version.count += 1


def _clip_values(arrays: Arrays, clip_value: float) -> None:
    for array in arrays:
        check_writable(array, "clip_grad_value_: a gradient")
    clipped = [wrap(array).clamp(-clip_value, clip_value).array for array in arrays]
    commit(prepare_writes(list(zip(map(wrap, arrays), clipped, strict=True))))


def _check_limit(name: str, **limit: float) -> None:
    if math.inf not in limit.values():
        check_numbers(name, 0, **limit)


# ---------------------------------------------------------------- scaling


def _scale_gradients(grads: Arrays, factor: float) -> None:
    """Multiply gradients in place, those of one backend in one call of its kernel."""
    for grad in grads:
        check_writable(grad, "clip_grad_norm_: a gradient")
    for xp, arrays in _by_backend(grads).items():
        scale = find_kernel(xp.kind, "scale") or _scale_one_by_one
        xp.on_device(scale)(arrays, factor)


def _scale_one_by_one(arrays: Arrays, factor: float) -> None:
    for array in arrays:
        array *= factor


def _by_backend(arrays: Arrays) -> dict[Backend, Arrays]:
    """Sort arrays by their backends."""
    if len({*map(type, arrays)}) == 1:
        first = backend_of(arrays[0])
        if not first.multi_device:
            return {first: arrays}
    found: dict[Backend, list[Array]] = {}
    for array in arrays:
        found.setdefault(backend_of(array), []).append(array)
    return dict(found)


# ---------------------------------------------------------------- norms


def _norm_of(
    name: str,
    owners: Sequence[Tensor],
    grads: Arrays,
    norm_type: float,
    error_if_nonfinite: bool,
) -> float:
    """Return the norm of gradients; name the owner of one that is not finite.

    Without NumPy's warnings: powers that leave float32's range are taken again.
    """
    if norm_type not in (2.0, math.inf):
        check_numbers(name, sys.float_info.min, norm_type=norm_type)
    total = _norm(grads, norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        for i, (owner, array) in enumerate(zip(owners, grads, strict=True)):
            grad = wrap(array)
            if not grad.isfinite().all():
                label = getattr(owner, "name", "tensor")
                what = _describe_owner(i, label, owner.shape)
                words = _describe_nonfinite(grad.isnan().any())
                raise GraphError(f"{name}: {what} {words}")
    return total


def _as_array(total: float, grads: Arrays) -> Array:
    """Return a norm as a 0-d array like the first gradient."""
    if not grads:
        return np.asarray(total, get_default_dtype())
    first = grads[0]
    norm = np.asarray(total, numpy_dtype(first.dtype))
    return backend_of(first).from_host(norm)


def _describe_owner(number: int, label: str, shape: Shape) -> str:
    return f"the gradient of {label} (number {number}, shape {shape})"


def _describe_nonfinite(is_nan: Operand, happened: str = "nothing was changed") -> str:
    """Say what is wrong with a gradient, and where to look for the cause."""
    kind = "an infinity"
    look = "if the loss has grown from step to step, lower the learning rate"
    if is_nan:
        kind, look = "a NaN", "look for NaN in the data and the loss (x.isnan().any())"
    where = "tg.autograd.detect_anomaly() shows where it began"
    unless = "error_if_nonfinite=False goes on all the same"
    return f"has {kind}; {happened}. {look}; {where}; {unless}"


def _norm(arrays: Arrays, order: float) -> float:
    """Return the norm of arrays taken as one vector."""
    if order == math.inf:
        return _largest_abs(arrays)
    with one_thread():
        total = _sum_of_powers(arrays, order)
        if 1e-28 < total < math.inf:
            return total ** (1.0 / order)
        # Powers that leave the middle of float32's range have lost digits: take those
        # of the elements divided by the largest, in float64.
        top = _largest_abs(arrays)
        if top == 0.0 or not math.isfinite(top):
            return top
        divided = [backend_of(a).on_device(_divide)(a, top) for a in arrays]
        return top * _sum_of_powers(divided, order) ** (1.0 / order)


def _largest_abs(arrays: Arrays) -> float:
    """Return the largest absolute value; an infinity or a NaN if there is one."""
    sizes = []
    for array in arrays:
        if math.prod(array.shape):
            xp = backend_of(array)
            sizes.append(xp.largest(xp.abs(array)))
    return max(sizes, default=0.0) if all(map(math.isfinite, sizes)) else sum(sizes)


def _sum_of_powers(arrays: Arrays, order: float) -> float:
    """Return the sum of all |x|^order, each array's in its dtype."""
    total = 0.0
    for xp, own in _by_backend(arrays).items():
        if order == 2.0:
            squares = find_kernel(xp.kind, "squares") or xp.squares
            total += xp.on_device(squares)(own)
        else:
            total += sum([xp.on_device(_powers)(array, order) for array in own])
    return total


def _powers(flat: Array, order: float) -> float:
    xp = backend_of(flat)
    return float(xp.sum(xp.abs(flat) ** order))


def _divide(array: Array, top: float) -> Array:
    """Divide the elements of an array by a number, flat and in float64."""
    xp = backend_of(array)
    return xp.reshape(xp.astype(array, np.dtype(np.float64)), (-1,)) / top


# ---------------------------------------------------------------- arrays in a list


class GradientClipping:
    """Clip gradients that a backward pass written by hand returns, as a list of arrays.

    Their common norm becomes at most ``max_norm``. For the gradients of a module's
    parameters use :func:`tinygrad_rnn.nn.utils.clip_grad_norm_`, which works in
    place.

    Args:
        max_norm: The largest norm that stays as it is.

    Attributes:
        last_norm: The norm before the latest clipping; None before the first.

    Example:
        >>> import numpy as np
        >>> from tinygrad_rnn.nn import GradientClipping
        >>> clipping = GradientClipping(max_norm=1.0)
        >>> clipping.clip_gradients([np.array([3.0, 4.0]), None])
        [array([0.6, 0.8]), None]
        >>> clipping.last_norm
        5.0
    """

    def __init__(self, max_norm: float = 1.0) -> None:
        _check_limit("GradientClipping", max_norm=max_norm)
        self.max_norm = max_norm
        self.last_norm: float | None = None

    def clip_gradients(self, gradients: Sequence[Array]) -> Sequence[Array]:
        """Scale arrays by max_norm / norm if their common norm is above ``max_norm``.

        Args:
            gradients: Arrays or Tensors in a list; None stays None.

        Returns:
            The list as it is if nothing is to be done, or if the norm is a NaN; else a
            list of new arrays.

        Example:
            >>> import numpy as np
            >>> from tinygrad_rnn import nn
            >>> nn.GradientClipping(max_norm=1.0).clip_gradients([np.array([3.0, 4.0])])
            [array([0.6, 0.8])]
        """
        expected = "arrays in a list"
        check_type("clip_gradients", list | tuple, expected, gradients=gradients)
        numbered = {f"number {i}": g for i, g in enumerate(gradients) if g is not None}
        check_type("clip_gradients", (*backends, Tensor), "an array", **numbered)
        self.last_norm = math.sqrt(sum(float((g**2).sum()) for g in numbered.values()))
        if not self.last_norm > self.max_norm:
            return gradients
        factor = self.max_norm / self.last_norm
        return [None if g is None else g * factor for g in gradients]
