"""Gradients held against differences: how to test an op, a layer or a loss of one's
own.
"""

from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np

from ..creation import randn
from ..engine.custom import inspecting
from ..engine.mode import enable_grad
from ..engine.node import Node, check_writable, wrap
from ..errors import (
    DTypeError,
    GraphError,
    OptionError,
    check_numbers,
    check_type,
    described,
)
from ..random import Generator
from ..tensor import Tensor
from .functional import Fn, Tensors, pull


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, tuple | list) else [given]


def _floats(name: str, fn: Fn, inputs: Any) -> list[Tensor]:
    """What a function returns, recorded, as far as it can have gradients."""
    with enable_grad():
        found = [
            x
            for x in _listed(fn(*inputs))
            if isinstance(x, Tensor) and x.dtype.kind == "f"
        ]
    if not found:
        raise OptionError(
            f"{name}: no output is a Tensor of floats: there is nothing to check"
        )
    return found


def _signed(like: Tensors, generator: Generator) -> list[Tensor]:
    """Random weights that show what ones would hide: of either sign, none near 0."""
    draws = [
        randn(*x.shape, generator=generator, dtype=x.dtype, device=x.device)
        for x in like
    ]
    return [g + g.sign() * 0.5 for g in draws]


def _host(tensors: Tensors) -> list[np.ndarray]:
    return [np.array(x.detach().cpu().numpy(), np.float64) for x in tensors]


def _unlike(words: str, *rows: Any, atol: float, rtol: float) -> list[str]:
    """The first row (name, found, wanted) that differs, and where most; nothing if none
    does.
    """
    for name, a, b in zip(*rows, strict=True):
        far = ~np.isclose(a, b, rtol, atol)
        if far.any():
            gap = np.nan_to_num(np.where(far, np.abs(a - b), -1.0), nan=np.inf)
            place = tuple([int(n) for n in np.unravel_index(gap.argmax(), a.shape)])
            return [f"{name} at {place}: {words.format(a[place], b[place])}"]
    return []


def _fused(outputs: Tensors) -> list[Node]:
    """The calls of fused ops that the outputs come from."""
    nodes = [x.node for x in outputs if x.node is not None]
    for node in nodes:  # which grows
        nodes += [p for p in node.parents if isinstance(p, Node) and p not in nodes]
    return [node for node in nodes if hasattr(node.plan, "op")]


def _apart(node: Node, **near: float) -> list[str]:
    """Where a call of a fused op does not give what its composite gives."""
    op, given, settings = node.plan.op, node.saved.inputs, node.saved.settings
    args = [wrap(x) if hasattr(x, "shape") else x for x in given]
    one, two = (
        _host(_floats(op.name, partial(way, **settings), args))
        for way in (op, op.composite)
    )
    if (had := [x.shape for x in one]) != (has := [x.shape for x in two]):
        return [f"{op.name}: the outputs have the shapes {had}, its composite's {has}"]
    names = [f"{op.name}: output {i}" for i in range(len(one))]
    return _unlike("{}, by its composite {}", names, one, two, **near)


def _numbered(what: str, tensors: Tensors) -> dict[str, Tensor]:
    return {f"{what} {i}": x for i, x in enumerate(tensors)}


def _changed(
    words: str, named: dict[str, Tensor], before: list[np.ndarray]
) -> list[str]:
    """What is to be said of tensors that no longer hold what they held."""
    pairs = zip(named, _host(list(named.values())), before, strict=True)
    return [
        words.format(name)
        for name, a, b in pairs
        if not np.array_equal(a, b, equal_nan=True)
    ]


def _check(
    name: str,
    fn: Fn,
    inputs: list[Any],
    eps: float,
    atol: float,
    rtol: float,
    raises: bool,
) -> bool:
    check_type(name, Callable, "a function of Tensors", fn=fn)
    check_numbers(name, np.finfo(float).tiny, eps=eps)
    check_numbers(name, 0.0, atol=atol, rtol=rtol)
    places = [
        i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad
    ]
    if not places:
        raise OptionError(
            f"{name}: no input requires grad, expected one with requires_grad=True"
        )
    for i in places:
        check_writable(inputs[i].array, f"{name}: input {i}")
        if inputs[i].dtype != np.float64:
            got = described(inputs[i])
            raise DTypeError(
                f"{name}: input {i} is {got}, expected float64; use .double()"
            )
    asked, generator = [inputs[i] for i in places], Generator()
    run: Fn = lambda: _floats(name, fn, inputs)
    pulled: Fn = lambda g: _host(pull(name, run(), asked, g, False, False))

    named = _numbered("input", inputs)
    given = {key: x for key, x in named.items() if isinstance(x, Tensor)}
    before = _host(list(given.values()))
    with inspecting() as wrong:
        one, two = run(), run()
    wrong += _changed("fn changes {} in place", given, before)
    alike = map(np.array_equal, _host(one), _host(two), repeat(True))
    if not wrong and (len(one) != len(two) or not all(alike)):
        way = "fix what it draws, and put layers that drop out into .eval()"
        raise OptionError(
            f"{name}: fn gives another result each time it is called: {way}"
        )
    if wrong:
        if raises:
            raise GraphError(f"{name}: {'; '.join(wrong)}")
        return False
    u, v = _signed(one, generator), _signed(two, generator)
    weights = _host(u)
    of_u, of_v, both = (
        pulled(u),
        pulled(v),
        pulled([a - 3 * b for a, b in zip(u, v, strict=True)]),
    )
    wanted = [a - 3 * b for a, b in zip(of_u, of_v, strict=True)]
    wrong = _changed(
        "the backward writes into the gradient of {}", _numbered("output", u), weights
    )
    slopes = [np.zeros(x.shape) for x in asked]
    for x, slope in zip(asked, slopes, strict=True):
        for place in np.ndindex(*x.shape):
            value = float(x.array[place])
            try:
                x.array[place] = value + eps
                high = _host(run())
                x.array[place] = value - eps
                ends = zip(high, _host(run()), weights, strict=True)
            finally:
                x.array[place] = value
            slope[place] = sum(((a - b) * w).sum() for a, b, w in ends) / (2 * eps)
    wrong += [x for node in _fused(run()) for x in _apart(node, atol=atol, rtol=rtol)]
    labels = [f"input {i}" for i in places]
    wrong += _unlike(
        "analytic {}, numerical {}", labels, of_u, slopes, atol=atol, rtol=rtol
    )
    linear = "the backward is not linear: given u - 3 v it makes {}, of u less 3 times of v is {}"
    scale = max(np.abs(np.nan_to_num(a)).max(initial=1.0) for a in wanted)
    wrong += _unlike(linear, labels, both, wanted, atol=1e-9 * scale, rtol=0.0)
    if wrong and raises:
        raise GraphError(f"{name}: {'; '.join(wrong)}")
    return not wrong


def gradcheck(
    fn: Fn,
    inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Hold the gradients of ``fn(*inputs)`` against central differences, as
    torch.autograd.gradcheck.

    Checked are those inputs, Tensors of float64, that require grad. The outputs are
    weighed with random numbers of both signs, so that a backward of ``g * g * f'(x)``
    fails too, and it has to be linear. What a fused op gives is held against its
    composite as well. A forward of your own that writes into its argument, or gives a
    view of it without saying so, fails too. Raises GraphError with the worst place, or
    returns False unless ``raise_exception``.

    >>> import tinygrad_rnn as tg
    >>> x = tg.randn(3, 2, dtype="float64", requires_grad=True)
    >>> tg.autograd.gradcheck(lambda x: (x * x).tanh(), x)
    True
    """
    return _check("gradcheck", fn, _listed(inputs), eps, atol, rtol, raise_exception)


def gradgradcheck(
    fn: Fn,
    inputs: Any,
    grad_outputs: Any = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """As :func:`gradcheck`, of the second derivatives: those of the gradients of
    ``fn``.

    The gradients of its outputs, ``grad_outputs``, random if left out, are inputs as
    well: the numbers in messages count on with them.
    """
    given, count = _listed(inputs), len(_listed(inputs))
    recorded: Fn = lambda xs: [
        x for x in _floats("gradgradcheck", fn, xs) if x.requires_grad
    ]
    us = (
        _signed(recorded(given), Generator())
        if grad_outputs is None
        else _listed(grad_outputs)
    )

    def slopes(*args: Any) -> tuple[Tensor, ...]:
        asked = [x for x in args[:count] if isinstance(x, Tensor) and x.requires_grad]
        return pull(
            "gradgradcheck", recorded(args[:count]), asked, args[count:], True, False
        )

    given += [u.detach().requires_grad_() for u in us]
    return _check("gradgradcheck", slopes, given, eps, atol, rtol, raise_exception)
