"""Derivatives of functions of Tensors: Jacobian, Hessian and products with them.

As torch.autograd.functional. ``inputs``, and what ``func`` returns, are a Tensor or a
tuple of them; results are nested alike. With ``create_graph`` they can be
differentiated again. An input or output without a part in the derivative gives zeros,
or with ``strict`` a GraphError.

Example:
    >>> from tinygrad_rnn import tensor
    >>> from tinygrad_rnn.autograd.functional import jacobian
    >>> jacobian(lambda x: x * x, tensor([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..creation import arange, ones_like, zeros_like
from ..engine import walk
from ..engine.mode import enable_grad
from ..engine.node import wrap
from ..engine.op import identity
from ..errors import (
    DTypeError,
    GraphError,
    OptionError,
    ShapeError,
    check_type,
    describe,
)
from ..functions import stack
from ..tensor import Tensor, cotangent, targets_of, tensors_of
from ..types import Function, Gradient, Operand

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vjp"]

Tensors = Sequence[Tensor]


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Operand = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradient of (the sum of) tensors to ``grad`` of every leaf, in one walk.

    Args:
        tensors: The tensor, or the tensors, at which the walk begins.
        grad_tensors: The gradient of each of them; None for a tensor of one element.
        retain_graph: Keep the graph for another walk; by default as create_graph.
        create_graph: Record this walk, for a further derivative.
        inputs: Add to ``grad`` of these tensors alone.

    Raises:
        GraphError: The graph was walked before or not recorded, or a value that it
            needs was changed in place.

    Example:
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
    name: str, what: str, outs: Tensors, given: Operand, create: bool
) -> list[Gradient]:
    """Return the gradients with which a walk begins, one for each output."""
    if given is None:
        given = [None] * len(outs)
    elif not isinstance(given, tuple | list):
        given = [given]
    if len(given) != len(outs):
        raise GraphError(f"{name}: got {len(given)} {what}, expected {len(outs)}")
    starts = [cotangent(name, out, g) for out, g in zip(outs, given, strict=True)]
    return [g if create else g.array for g in starts]


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Operand = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    *,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """Return the gradients of (the sum of) outputs with respect to inputs.

    ``grad`` of the leaves stays as it is.

    Args:
        outputs: The tensor, or the tensors, at which the walk begins.
        inputs: The tensor, or the tensors, whose gradients are returned.
        grad_outputs: The gradient of each output; None for one of a single element.
        retain_graph: Keep the graph for another walk; by default as create_graph.
        create_graph: Record this walk, for a further derivative.
        allow_unused: Return None for an input that the outputs do not depend on.
        materialize_grads: Return zeros for such an input.

    Returns:
        A gradient for each input, in a tuple.

    Raises:
        GraphError: The outputs do not depend on an input; the graph was walked before
            or not recorded, or a value that it needs was changed in place.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor(3.0, requires_grad=True)
        >>> (dx,) = tg.autograd.grad(x**3, x, create_graph=True)
        >>> tg.autograd.grad(dx, x)[0].item()
        18.0
    """
    outs = tensors_of("grad", "outputs", outputs)
    ins = tensors_of("grad", "inputs", inputs)
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
    found = walk.gradients(outs, cotangents, ins, keep, create_graph)
    grads = []
    for i, (g, x) in enumerate(zip(found, ins, strict=True)):
        if g is not None:
            grads.append(g if create_graph else wrap(g))
        elif materialize_grads:
            grads.append(zeros_like(x, requires_grad=False))
        elif allow_unused:
            grads.append(None)
        else:
            lost = f"the outputs do not depend on input {i}"
            way = "allow_unused=True gives None for it, materialize_grads=True zeros"
            raise GraphError(f"grad: {lost}; {way}")
    return tuple(grads)  # typed as in PyTorch: a None is for those who allow it


def _float_inputs(name: str, func: Function, inputs: Operand) -> tuple[Tensor, ...]:
    """Return the inputs of a function as a tuple; raise if they are not floats."""
    check_type(name, Callable, "a function of Tensors", func=func)
    given = tensors_of(name, "inputs", inputs)
    for x in given:
        if x.dtype.kind != "f":
            got = f"inputs are {describe(x)}"
            raise DTypeError(f"{name}: {got}, expected floats; use .double()")
    return given


class FunctionCall(NamedTuple):
    """A call of a function, on inputs at which the walk back from its outputs ends."""

    inputs: Tensors
    result: Operand  # as the function returned it
    outputs: Tensors  # as a tuple


def _call(name: str, func: Function, inputs: Operand, create: bool) -> FunctionCall:
    """Call a function with fresh inputs that require grad."""
    with enable_grad():
        xs = []
        for x in _float_inputs(name, func, inputs):
            if create and x.requires_grad:
                xs.append(identity(x))
            else:
                xs.append(x.detach().requires_grad_())
        result = func(*xs)
    return FunctionCall(xs, result, tensors_of(name, "the output", result))


def _one(name: str, what: str, like: Tensors, way: str = "") -> Tensors:
    """Return 1 as the vector of a product; raise unless there is a single number."""
    if len(like) > 1 or like[0].numel() != 1:
        given = ", ".join(map(describe, like))
        raise ShapeError(f"{name}: {what} is {given}, expected a single number{way}")
    return (ones_like(like[0]),)


def _vector(name: str, v: Operand, what: str, like: Tensors) -> Tensors:
    """Return the vector of a product, of the shapes of ``like``; None stands for 1."""
    if v is None:
        return _one(name, what, like, ", or a v of its shape")
    vectors = tensors_of(name, "v", v)
    got, expected = [x.shape for x in vectors], [x.shape for x in like]
    if got != expected:
        raise ShapeError(f"{name}: v is of the shapes {got}, expected {expected}")
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
    """Return the gradients of the inputs, given ``v`` of the outputs.

    They are zeros where there is no way; an error with ``strict``, which calls the
    inputs ``what``.
    """
    pairs = [(out, g) for out, g in zip(outputs, v, strict=True) if out.requires_grad]
    found: Sequence[Tensor | None] = [None] * len(inputs)
    if pairs:
        outs, vectors = zip(*pairs, strict=True)
        found = grad(outs, inputs, vectors, True, create, allow_unused=True)
    if strict:
        lost = [f"output {i}" for i, out in enumerate(outputs) if not out.requires_grad]
        for i, g in enumerate(found):
            if g is None or (create and not g.requires_grad):
                lost.append(f"{what} {i}")
        if lost:
            problem = f"the derivative does not depend on {lost[0]}"
            raise GraphError(f"{name}: {problem} (strict=True)")
    grads = zip(inputs, found, strict=True)
    return tuple([zeros_like(x) if g is None else g for x, g in grads])


def _nested_like(given: Operand, results: Tensors, create: bool = True) -> Operand:
    """Return results nested as what was given, without history unless ``create``."""
    if not create:
        results = [result.detach() for result in results]
    return results[0] if isinstance(given, Tensor) else tuple(results)


def vjp(
    func: Function,
    inputs: Operand,
    v: Operand = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Operand, Operand]:
    """Return ``func(*inputs)``, and v times its Jacobian.

    Args:
        func: A function of the inputs that returns a Tensor, or a tuple of them.
        inputs: A Tensor, or a tuple of them.
        v: Of the shapes of the outputs; may be left out if they are one number.
        create_graph: Record the results, for a further derivative.
        strict: Raise for an input that an output does not depend on.

    Returns:
        The outputs, and the product, of the shapes of the inputs.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.autograd.functional import vjp
        >>> x, v = tg.tensor([1.0, 2.0]), tg.tensor([1.0, 10.0])
        >>> y, product = vjp(lambda x: x * x, x, v)
        >>> product.tolist()  # 2 x v
        [2.0, 40.0]
    """
    xs, result, outs = _call("vjp", func, inputs, create_graph)
    vectors = _vector("vjp", v, "the output", outs)
    grads = pull("vjp", outs, xs, vectors, create_graph, strict)
    return _nested_like(result, outs, create_graph), _nested_like(inputs, grads)


def jvp(
    func: Function,
    inputs: Operand,
    v: Operand = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Operand, Operand]:
    """Return ``func(*inputs)``, and its Jacobian times v.

    The gradients are linear in those of the outputs: the derivative by these is the
    Jacobian.

    Args:
        func: A function of the inputs that returns a Tensor, or a tuple of them.
        inputs: A Tensor, or a tuple of them.
        v: Of the shapes of the inputs; may be left out if they are one number.
        create_graph: Record the results, for a further derivative.
        strict: Raise for an input that an output does not depend on.

    Returns:
        The outputs, and the product, of the shapes of the outputs.

    Example:
        >>> import tinygrad_rnn as tg
        >>> from tinygrad_rnn.autograd.functional import jvp
        >>> x, v = tg.tensor([1.0, 2.0]), tg.tensor([1.0, 10.0])
        >>> y, product = jvp(lambda x: x * x, x, v)
        >>> product.tolist()  # 2 x v
        [2.0, 40.0]
    """
    xs, result, outs = _call("jvp", func, inputs, create_graph)
    us = [zeros_like(out, requires_grad=True) for out in outs]
    back = pull("jvp", outs, xs, us, True, strict)
    vectors = _vector("jvp", v, "the input", xs)
    products = pull("jvp", back, us, vectors, create_graph, strict, "output")
    return _nested_like(result, outs, create_graph), _nested_like(result, products)


def hvp(
    func: Function,
    inputs: Operand,
    v: Operand = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Operand, Operand]:
    """Return ``func(*inputs)``, a single number, and its Hessian times v.

    Args:
        func: A function of the inputs that returns a Tensor of one element.
        inputs: A Tensor, or a tuple of them.
        v: Of the shapes of the inputs; may be left out if they are one number.
        create_graph: Record the results, for a further derivative.
        strict: Raise for an input that the output does not depend on.

    Returns:
        The output, and the product, of the shapes of the inputs.

    Example:
        >>> import tinygrad_rnn as tg
        >>> def f(x):
        ...     return (x**3).sum()
        >>> x, v = tg.tensor([1.0, 2.0]), tg.tensor([1.0, 10.0])
        >>> value, product = tg.autograd.functional.hvp(f, x, v)
        >>> product.tolist()  # 6 x v
        [6.0, 120.0]
    """
    xs, result, outs = _call("hvp", func, inputs, create_graph)
    back = pull("hvp", outs, xs, _one("hvp", "the output", outs), True, strict)
    vectors = _vector("hvp", v, "the input", xs)
    grads = pull("hvp", back, xs, vectors, create_graph, strict)
    return _nested_like(result, outs, create_graph), _nested_like(inputs, grads)


def jacobian(
    func: Function, inputs: Operand, create_graph: bool = False, strict: bool = False
) -> Operand:
    """Return the derivatives of every element of the outputs by each of the inputs.

    Args:
        func: A function of the inputs that returns a Tensor, or a tuple of them.
        inputs: A Tensor, or a tuple of them.
        create_graph: Record the result, for a further derivative.
        strict: Raise for an input that an output does not depend on.

    Returns:
        A Tensor ``(*output.shape, *input.shape)``; with several outputs or inputs,
        tuples of them.

    Raises:
        GraphError: An output does not depend on an input, with ``strict``.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor([1.0, 2.0])
        >>> tg.autograd.functional.jacobian(lambda x: x * x, x).tolist()
        [[2.0, 0.0], [0.0, 4.0]]
    """
    xs, result, outs = _call("jacobian", func, inputs, create_graph)
    found = []
    for out in outs:
        index = arange(out.numel(), device=out.device).reshape(out.shape)
        rows = []
        for i in range(out.numel()):
            unit = (index == i).to(out.dtype)
            rows.append(pull("jacobian", [out], xs, [unit], create_graph, strict))
        blocks = []
        for i, x in enumerate(xs):
            column = stack([row[i] for row in rows] or [x])[: len(rows)]
            blocks.append(column.reshape(*out.shape, *x.shape))
        found.append(_nested_like(inputs, blocks))
    return _nested_like(result, found)


def hessian(
    func: Function, inputs: Operand, create_graph: bool = False, strict: bool = False
) -> Operand:
    """Return the second derivatives of a function that returns a single number.

    Args:
        func: A function of the inputs that returns a Tensor of one element.
        inputs: A Tensor, or a tuple of them.
        create_graph: Record the result, for a further derivative.
        strict: Raise for an input that the output does not depend on.

    Returns:
        A Tensor ``(*input.shape, *input.shape)``; with several inputs, tuples of
        tuples.

    Raises:
        GraphError: The output does not depend on an input, with ``strict``.

    Example:
        >>> import tinygrad_rnn as tg
        >>> def f(x):
        ...     return x[0] ** 2 * x[1]
        >>> tg.autograd.functional.hessian(f, tg.tensor([1.0, 3.0])).tolist()
        [[6.0, 2.0], [2.0, 0.0]]
    """

    def slope(*inner: Tensor) -> Operand:
        xs, _, outs = _call("hessian", func, inner, True)
        one = _one("hessian", "the output", outs)
        return _nested_like(inputs, pull("hessian", outs, xs, one, True, strict))

    _float_inputs("hessian", func, inputs)
    return jacobian(slope, inputs, create_graph, strict)
