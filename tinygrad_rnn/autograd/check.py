"""Gradients compared with finite differences: a test of your own op, layer or loss."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from ..creation import randn
from ..engine.custom import inspect_forwards
from ..engine.mode import enable_grad
from ..engine.node import Node, check_writable, wrap
from ..errors import (
    DTypeError,
    GraphError,
    OptionError,
    check_numbers,
    check_type,
    describe,
)
from ..random import Generator
from ..tensor import Tensor
from ..types import Function, Operand
from .functional import Tensors, pull

Arrays = list[np.ndarray]
Run = Callable[[], list[Tensor]]  # calls the function that is checked


class Tolerance(NamedTuple):
    """How far apart two numbers may be: atol + rtol times the second."""

    atol: float
    rtol: float


def _as_list(given: Operand) -> list[Operand]:
    return list(given) if isinstance(given, tuple | list) else [given]


def _float_outputs(name: str, fn: Function, inputs: Sequence[Operand]) -> list[Tensor]:
    """Call a function, recording, and return its outputs that can have gradients."""
    with enable_grad():
        results = _as_list(fn(*inputs))
    found = [x for x in results if isinstance(x, Tensor) and x.dtype.kind == "f"]
    if not found:
        wrong = "no output is a Tensor of floats: there is nothing to check"
        raise OptionError(f"{name}: {wrong}")
    return found


def _random_weights(like: Tensors, generator: Generator) -> list[Tensor]:
    """Return random cotangents of either sign, none near 0."""
    weights = []
    for x in like:
        draw = randn(*x.shape, generator=generator, dtype=x.dtype, device=x.device)
        weights.append(draw + draw.sign() * 0.5)
    return weights


def _host(tensors: Tensors) -> Arrays:
    return [np.array(x.detach().cpu().numpy(), np.float64) for x in tensors]


def _first_difference(
    words: str,
    names: Sequence[str],
    found: Arrays,
    expected: Arrays,
    tolerance: Tolerance,
) -> list[str]:
    """Say where the first pair of arrays that differ differs most, if any does."""
    for name, a, b in zip(names, found, expected, strict=True):
        differs = ~np.isclose(a, b, tolerance.rtol, tolerance.atol)
        if differs.any():
            gap = np.where(differs, np.abs(a - b), -1.0)
            worst = np.nan_to_num(gap, nan=np.inf).argmax()
            place = tuple([int(i) for i in np.unravel_index(worst, a.shape)])
            return [f"{name} at {place}: {words.format(a[place], b[place])}"]
    return []


def _fused_nodes(outputs: Tensors) -> list[Node]:
    """Return the calls of fused ops that the outputs come from."""
    nodes = [x.node for x in outputs if x.node is not None]
    for node in nodes:  # the list grows
        for parent in node.parents:
            if isinstance(parent, Node) and parent not in nodes:
                nodes.append(parent)
    return [node for node in nodes if hasattr(node.plan, "op")]


def _compare_with_composite(node: Node, tolerance: Tolerance) -> list[str]:
    """Say where a call of a fused op does not give what its composite gives."""
    op, settings = node.plan.op, node.saved.settings
    args = [wrap(x) if hasattr(x, "shape") else x for x in node.saved.inputs]
    fused = _host(_float_outputs(op.name, partial(op, **settings), args))
    composite = _host(_float_outputs(op.name, partial(op.composite, **settings), args))
    got, expected = [x.shape for x in fused], [x.shape for x in composite]
    if got != expected:
        shapes = f"the outputs have the shapes {got}, its composite's {expected}"
        return [f"{op.name}: {shapes}"]
    names = [f"{op.name}: output {i}" for i in range(len(fused))]
    words = "{}, by its composite {}"
    return _first_difference(words, names, fused, composite, tolerance)


def _changes(words: str, tensors: dict[str, Tensor], before: Arrays) -> list[str]:
    """Say which tensors no longer hold what they held."""
    now = _host(list(tensors.values()))
    changes = []
    for name, new, old in zip(tensors, now, before, strict=True):
        if not np.array_equal(new, old, equal_nan=True):
            changes.append(words.format(name))
    return changes


def _checked_inputs(name: str, inputs: Sequence[Operand]) -> dict[str, Tensor]:
    """Return the inputs that require grad, by name; raise if they cannot be checked."""
    checked = {}
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor) and x.requires_grad:
            check_writable(x.array, f"{name}: input {i}")
            if x.dtype != np.float64:
                got = f"input {i} is {describe(x)}"
                raise DTypeError(f"{name}: {got}, expected float64; use .double()")
            checked[f"input {i}"] = x
    if not checked:
        expected = "expected one with requires_grad=True"
        raise OptionError(f"{name}: no input requires grad, {expected}")
    return checked


def _run_twice(name: str, run: Run, inputs: Sequence[Operand]) -> list[str]:
    """Call the function twice, and say what is wrong with the forwards in it."""
    tensors = {f"input {i}": x for i, x in enumerate(inputs) if isinstance(x, Tensor)}
    before = _host(list(tensors.values()))
    with inspect_forwards() as wrong:
        first, second = _host(run()), _host(run())
    wrong += _changes("fn changes {} in place", tensors, before)
    if not wrong:
        pairs = zip(first, second, strict=False)
        same = all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)
        if not same or len(first) != len(second):
            way = "fix what it draws, and put layers that drop out into .eval()"
            raise OptionError(
                f"{name}: fn gives another result each time it is called: {way}"
            )
    return wrong


def _central_differences(
    run: Run, inputs: Tensors, weights: Arrays, eps: float
) -> Arrays:
    """Return the slopes of the weighted sum of the outputs at each input's elements."""
    slopes = [np.zeros(x.shape) for x in inputs]
    for x, slope in zip(inputs, slopes, strict=True):
        for place in np.ndindex(*x.shape):
            value = float(x.array[place])
            try:
                x.array[place] = value + eps
                high = _host(run())
                x.array[place] = value - eps
                low = _host(run())
            finally:
                x.array[place] = value
            ends = zip(high, low, weights, strict=True)
            slope[place] = sum(((a - b) * w).sum() for a, b, w in ends) / (2 * eps)
    return slopes


def _check_gradients(
    name: str, run: Run, checked: dict[str, Tensor], eps: float, tolerance: Tolerance
) -> list[str]:
    """Say what is wrong: gradients that write, differ from slopes or are not linear."""
    inputs = list(checked.values())

    def gradients(cotangents: Tensors) -> Arrays:
        return _host(pull(name, run(), inputs, cotangents, False, False))

    generator, outputs = Generator(), run()
    u = _random_weights(outputs, generator)
    v = _random_weights(outputs, generator)
    weights = _host(u)
    of_u, of_v = gradients(u), gradients(v)
    of_both = gradients([a - 3 * b for a, b in zip(u, v, strict=True)])
    combined = [a - 3 * b for a, b in zip(of_u, of_v, strict=True)]
    words = "the backward writes into the gradient of {}"
    wrong = _changes(words, {f"output {i}": x for i, x in enumerate(u)}, weights)
    slopes = _central_differences(run, inputs, weights, eps)
    for node in _fused_nodes(run()):
        wrong += _compare_with_composite(node, tolerance)
    words = "analytic {}, numerical {}"
    wrong += _first_difference(words, [*checked], of_u, slopes, tolerance)
    largest = max(np.abs(np.nan_to_num(a)).max(initial=1.0) for a in combined)
    words = (
        "the backward is not linear: given u - 3 v it makes {}, "
        "of u less 3 times of v is {}"
    )
    exact = Tolerance(1e-9 * largest, 0.0)
    return wrong + _first_difference(words, [*checked], of_both, combined, exact)


def _check(
    name: str,
    fn: Function,
    inputs: Sequence[Operand],
    eps: float,
    tolerance: Tolerance,
    raises: bool,
) -> bool:
    check_type(name, Callable, "a function of Tensors", fn=fn)
    check_numbers(name, np.finfo(float).tiny, eps=eps)
    check_numbers(name, 0.0, atol=tolerance.atol, rtol=tolerance.rtol)
    checked = _checked_inputs(name, inputs)
    run = partial(_float_outputs, name, fn, inputs)
    wrong = _run_twice(name, run, inputs)
    if not wrong:
        wrong = _check_gradients(name, run, checked, eps, tolerance)
    if wrong and raises:
        raise GraphError(f"{name}: {'; '.join(wrong)}")
    return not wrong


def gradcheck(
    fn: Function,
    inputs: Operand,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Compare the gradients of ``fn(*inputs)`` with central differences.

    As torch.autograd.gradcheck. The outputs are weighted with random numbers of both
    signs, so that a backward of ``g * g * f'(x)`` fails too, and it has to be linear.
    What a fused op gives is compared with its composite as well. A custom forward that
    writes into its argument, or gives an undeclared view of it, fails too.

    Args:
        fn: A function of the inputs that returns a Tensor, or a tuple of them.
        inputs: One input, or a list of them. Those that require grad are checked, and
            have to be of float64.
        eps: Half the distance between the ends of a difference.
        atol, rtol: Analytic and numerical gradient may be atol + rtol times the
            numerical one apart.
        raise_exception: False returns False in place of an error.

    Raises:
        GraphError: A gradient is wrong; the message has the worst place.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x = tg.randn(3, 2, dtype="float64", requires_grad=True)
        >>> tg.autograd.gradcheck(lambda x: (x * x).tanh(), x)
        True
    """
    tolerance = Tolerance(atol, rtol)
    return _check("gradcheck", fn, _as_list(inputs), eps, tolerance, raise_exception)


def gradgradcheck(
    fn: Function,
    inputs: Operand,
    grad_outputs: Operand = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Compare second derivatives with central differences of the gradients.

    This is :func:`gradcheck` of the function that gives the gradients of ``fn``. The
    gradients of its outputs are inputs as well: the numbers in messages count on with
    them.

    Args:
        fn: A function of the inputs that returns a Tensor, or a tuple of them.
        inputs: One input, or a list of them. Those that require grad are checked, and
            have to be of float64.
        grad_outputs: The gradients of the outputs; random if left out.
        eps, atol, rtol: As of :func:`gradcheck`.
        raise_exception: False returns False in place of an error.

    Raises:
        GraphError: A second derivative is wrong; the message has the worst place.

    Example:
        >>> import tinygrad_rnn as tg
        >>> x = tg.tensor([1.0, 2.0], dtype=tg.float64, requires_grad=True)
        >>> tg.autograd.gradgradcheck(lambda x: x**3, [x])
        True
    """
    name, given = "gradgradcheck", _as_list(inputs)
    count = len(given)

    def outputs_of(xs: Sequence[Operand]) -> list[Tensor]:
        return [x for x in _float_outputs(name, fn, xs) if x.requires_grad]

    def gradients(*args: Operand) -> tuple[Tensor, ...]:
        xs, cotangents = args[:count], args[count:]
        checked = [x for x in xs if isinstance(x, Tensor) and x.requires_grad]
        return pull(name, outputs_of(xs), checked, cotangents, True, False)

    if grad_outputs is None:
        cotangents = _random_weights(outputs_of(given), Generator())
    else:
        cotangents = _as_list(grad_outputs)
    given += [g.detach().requires_grad_() for g in cotangents]
    tolerance = Tolerance(atol, rtol)
    return _check(name, gradients, given, eps, tolerance, raise_exception)
