"""The gradients of some tensors with respect to others."""

from collections.abc import Sequence
from typing import Any

from ..engine.node import wrap
from ..engine.walk import gradients
from ..errors import GraphError, check_type
from ..tensor import Tensor, cotangent


def several(name: str, what: str, given: Any) -> tuple[Tensor, ...]:
    """A Tensor, or those of a sequence, as a tuple."""
    one = hasattr(given, "dtype") or not hasattr(given, "__iter__")
    tensors = (given,) if one else tuple(given)
    if not tensors:
        raise GraphError(f"{name}: got no {what}, expected at least one Tensor")
    for i, x in enumerate(tensors):
        check_type(name, Tensor, "a Tensor", **{what if one else f"{what}[{i}]": x})
    return tensors


def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor],
         grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
         allow_unused: bool = False) -> tuple[Tensor | None, ...]:  # fmt: skip
    """The gradients of (the sum of) outputs with respect to inputs, as torch.autograd.grad.

    ``grad`` of the leaves stays as it is. Raises GraphError for an input that the outputs do not
    depend on, unless ``allow_unused``, which gives None for it.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> (dx,) = tg.autograd.grad(x**3, x, create_graph=True)
    >>> tg.autograd.grad(dx, x)[0].item()
    18.0
    """
    outs, ins = several("grad", "outputs", outputs), several("grad", "inputs", inputs)
    one = grad_outputs is None or isinstance(grad_outputs, Tensor)
    given = [grad_outputs] + [None] * (len(outs) - 1) if one else list(grad_outputs)
    if len(given) != len(outs):
        raise GraphError(f"grad: got {len(given)} grad_outputs, expected {len(outs)}")
    for i, x in enumerate(ins):
        if not x.requires_grad:
            raise GraphError(f"grad: input {i} does not require grad")
    starts = [cotangent("grad", out, g) for out, g in zip(outs, given, strict=True)]
    keep = create_graph if retain_graph is None else retain_graph
    cotangents = [g if create_graph else g.array for g in starts]
    found = gradients(outs, cotangents, ins, keep, create_graph)
    for i, g in enumerate(found):
        if g is None and not allow_unused:
            way_out = "allow_unused=True gives None for it"
            raise GraphError(f"grad: the outputs do not depend on input {i}; {way_out}")
    return tuple(g if g is None or create_graph else wrap(g) for g in found)
