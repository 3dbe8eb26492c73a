"""Derivatives of functions of Tensors, in PyTorch's names: Jacobian, Hessian, products
with them.

They stand on `grad`, which is ``autograd.grad``. ``inputs``, and what ``func`` returns,
are a Tensor or a tuple of them; results are nested alike. They can be differentiated
again if ``create_graph``. An input or output without a part in the derivative gives
zeros, or with ``strict`` a GraphError.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ..creation import arange, ones_like, zeros_like
from ..engine import walk
from ..engine.mode import enable_grad
from ..engine.node import wrap
from ..engine.op import identity
from ..engine.walk import gradients
from ..errors import (
    DTypeError,
    GraphError,
    OptionError,
    ShapeError,
    check_type,
    described,
)
from ..functions import stack
from ..tensor import Tensor, cotangent, targets_of, tensors_of

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vjp"]

Tensors = Sequence[Tensor]
Fn = Callable[..., Any]
OR_V = ", or a v of its shape"


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradient of (the sum of) tensors to ``grad`` of every leaf, in one walk.

    As torch.autograd.backward: ``grad_tensors`` are the cotangents, one for each of the
    tensors, None for one of a single element. With ``inputs`` only their ``grad`` is
    added to.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> tg.autograd.backward([x.sum(), (x * x).sum()])
    >>> x.grad
    tensor([3., 5.], dtype=float32)
    """
    outs = tensors_of("backward", "tensors", tensors)
    starts = _cotangents("backward", "grad_tensors", outs, grad_tensors, create_graph)
    targets = None if inputs is None else targets_of("backward", inputs)
    keep = create_graph if retain_graph is None else retain_graph
    walk.backward(outs, starts, keep, create_graph, targets)


def _cotangents(
    name: str, what: str, outs: Tensors, given: Any, create: bool
) -> list[Any]:
    """The gradients with which a walk begins, one for each output."""
    given = [None] * len(outs) if given is None else given
    given = given if isinstance(given, tuple | list) else [given]
    if len(given) != len(outs):
        raise GraphError(f"{name}: got {len(given)} {what}, expected {len(outs)}")
    starts = [cotangent(name, out, g) for out, g in zip(outs, given, strict=True)]
    return [g if create else g.array for g in starts]


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    *,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of (the sum of) outputs with respect to inputs, as
    torch.autograd.grad.

    ``grad`` of the leaves stays as it is. Raises GraphError for an input that the
    outputs do not depend on, unless ``allow_unused``, which gives None for it, or
    ``materialize_grads``, which gives zeros.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> (dx,) = tg.autograd.grad(x**3, x, create_graph=True)
    >>> tg.autograd.grad(dx, x)[0].item()
    18.0
    """
    outs, ins = (
        tensors_of("grad", "outputs", outputs),
        tensors_of("grad", "inputs", inputs),
    )
    for i, x in enumerate(ins):
        if not x.requires_grad:
            raise GraphError(f"grad: input {i} does not require grad")
    if materialize_grads and allow_unused is False:
        way = "leave allow_unused out, or pass True"
        raise OptionError(
            f"grad: allow_unused is False with materialize_grads=True; {way}"
        )
    cotangents = _cotangents("grad", "grad_outputs", outs, grad_outputs, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    found = gradients(outs, cotangents, ins, keep, create_graph)
    for i, g in enumerate(found):
        if g is None and not allow_unused and not materialize_grads:
            way_out = (
                "allow_unused=True gives None for it, materialize_grads=True zeros"
            )
            raise GraphError(f"grad: the outputs do not depend on input {i}; {way_out}")
    # Typed as in PyTorch: a None is for those who allow it.
    grads: list[Any] = [g if g is None or create_graph else wrap(g) for g in found]
    if materialize_grads:
        pairs = zip(grads, ins, strict=True)
        grads = [
            zeros_like(x, requires_grad=False) if g is None else g for g, x in pairs
        ]
    return tuple(grads)


def _own(name: str, func: Fn, inputs: Any) -> tuple[Tensor, ...]:
    """The inputs of a function, if it is one and they are floats."""
    check_type(name, Callable, "a function of Tensors", func=func)
    given = tensors_of(name, "inputs", inputs)
    for x in given:
        if x.dtype.kind != "f":
            raise DTypeError(
                f"{name}: inputs are {described(x)}, expected floats; use .double()"
            )
    return given


def _call(
    name: str, func: Fn, inputs: Any, create: bool
) -> tuple[Tensors, Any, Tensors]:
    """Inputs of its own for a function, what it makes of them, and that as a tuple."""
    with enable_grad():
        given = [x if create else x.detach() for x in _own(name, func, inputs)]
        xs = [
            identity(x) if x.requires_grad else x.detach().requires_grad_()
            for x in given
        ]
        result = func(*xs)
    return xs, result, tensors_of(name, "the output", result)


def _vector(name: str, v: Any, like: Tensors, what: str, way: str = "") -> Tensors:
    """The vector of a product, of the shapes of ``like``; None is 1 for a single
    number.
    """
    if v is None:
        if len(like) > 1 or like[0].numel() != 1:
            given = ", ".join(map(described, like))
            raise ShapeError(
                f"{name}: {what} is {given}, expected a single number{way}"
            )
        return (ones_like(like[0]),)
    vectors = tensors_of(name, "v", v)
    got, wanted = ([x.shape for x in each] for each in (vectors, like))
    if got != wanted:
        raise ShapeError(f"{name}: v is of the shapes {got}, expected {wanted}")
    return vectors


def pull(
    name: str,
    outputs: Tensors,
    inputs: Tensors,
    v: Tensors,
    create: bool,
    strict: bool,
    what: str = "input",
) -> tuple[Tensor, ...]:
    """The gradients of the inputs, given those of the outputs; zeros where there is no
    way.
    """
    pairs = [(out, g) for out, g in zip(outputs, v, strict=True) if out.requires_grad]
    found: Any = [None] * len(inputs)
    if pairs:
        outs, vectors = zip(*pairs, strict=True)
        found = grad(outs, inputs, vectors, True, create, allow_unused=True)
    lost = [f"output {i}" for i, out in enumerate(outputs) if not out.requires_grad]
    lost += [
        f"{what} {i}"
        for i, g in enumerate(found)
        if g is None or g.requires_grad < create
    ]
    if strict and lost:
        raise GraphError(
            f"{name}: the derivative does not depend on {lost[0]} (strict=True)"
        )
    return tuple(
        zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True)
    )


def _like(given: Any, results: Sequence[Any], create: bool = True) -> Any:
    """Results nested as what was given, without their history unless it is wanted."""
    results = (
        tuple(results) if create else tuple([result.detach() for result in results])
    )
    return results[0] if isinstance(given, Tensor) else results


def vjp(
    func: Fn,
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """``func(*inputs)``, and v times its Jacobian: of the shapes of the outputs, of the
    inputs.

    ``v`` is of the shapes of the outputs; it may be left out if they are one number.
    """
    xs, result, outs = _call("vjp", func, inputs, create_graph)
    grads = pull(
        "vjp",
        outs,
        xs,
        _vector("vjp", v, outs, "the output", OR_V),
        create_graph,
        strict,
    )
    return _like(result, outs, create_graph), _like(inputs, grads)


def jvp(
    func: Fn,
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """``func(*inputs)``, and its Jacobian times v, which is of the shapes of the
    inputs.

    The gradients are linear in those of the outputs: their derivative by these is the
    Jacobian.
    """
    xs, result, outs = _call("jvp", func, inputs, create_graph)
    us = [zeros_like(out, requires_grad=True) for out in outs]
    back = pull("jvp", outs, xs, us, True, strict)
    along = pull(
        "jvp",
        back,
        us,
        _vector("jvp", v, xs, "the input", OR_V),
        create_graph,
        strict,
        "output",
    )
    return _like(result, outs, create_graph), _like(result, along)


def hvp(
    func: Fn,
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """``func(*inputs)``, a single number, and its Hessian times v, of the shapes of the
    inputs.
    """
    xs, result, outs = _call("hvp", func, inputs, create_graph)
    back = pull("hvp", outs, xs, _vector("hvp", None, outs, "the output"), True, strict)
    grads = pull(
        "hvp", back, xs, _vector("hvp", v, xs, "the input", OR_V), create_graph, strict
    )
    return _like(result, outs, create_graph), _like(inputs, grads)


def jacobian(
    func: Fn, inputs: Any, create_graph: bool = False, strict: bool = False
) -> Any:
    """The derivatives of outputs by inputs: for one of each, of their shapes joined."""
    xs, result, outs = _call("jacobian", func, inputs, create_graph)
    found = []
    for out in outs:
        index = arange(out.numel(), device=out.device).reshape(out.shape)
        units = [(index == i).to(out.dtype) for i in range(out.numel())]
        rows = [
            pull("jacobian", [out], xs, [unit], create_graph, strict) for unit in units
        ]
        columns = [
            stack([row[i] for row in rows] or [x])[: len(rows)]
            for i, x in enumerate(xs)
        ]
        shaped = [
            c.reshape(*out.shape, *x.shape) for c, x in zip(columns, xs, strict=True)
        ]
        found.append(_like(inputs, shaped))
    return _like(result, found)


def hessian(
    func: Fn, inputs: Any, create_graph: bool = False, strict: bool = False
) -> Any:
    """The second derivatives of a single number by all pairs of inputs."""

    def slope(*inner: Tensor) -> Any:
        xs, _, outs = _call("hessian", func, inner, True)
        one = _vector("hessian", None, outs, "the output")
        return _like(inputs, pull("hessian", outs, xs, one, True, strict))

    _own("hessian", func, inputs)
    return jacobian(slope, inputs, create_graph, strict)
