"""How an op is declared, and what happens when it is called.

There are two forms. A row of the table is a forward function and one pullback for each
array argument; arrays are positional-only, settings follow::

    @op
    def tanh(xp, x, /): return xp.tanh(x)
    tanh.vjp(lambda g, out: g * (1 - out * out))

A pullback takes the cotangent ``g`` of the output and names what else it needs: an
argument, ``out``, ``x_shape`` for an argument ``x``, a setting, or ``xp``; exactly that
is saved, and only if that argument needs a gradient. It is code that arrays and Tensors
both understand. A walk runs it on arrays, with ``xp`` the backend; under
``create_graph`` it runs on Tensors, with ``xp`` the table of ops itself, and is
recorded like any code.

The second form, an op with a hand-written backward for all its gradients, is in
`fused.py`. How a call's arguments are bound and checked is in `arguments.py`, how the
forward runs in `forward.py`, what is saved and how pullbacks run in `plan.py`.
"""

import inspect
from collections.abc import Callable
from typing import Any, overload

import numpy as np

from ..backend import Backend, backends
from ..errors import DTypeError, check_axis, describe
from ..types import Array, Function, Namespace, Settings
from .arguments import Signature, as_real, unwrap_arguments
from .custom import Guard
from .forward import run_forward
from .mode import recording
from .node import Value, table, wrap, wrap_view
from .plan import Plan, requests_of, sources_of
from .seam import observers, report_call

_PACKAGE = __name__.partition(".")[0]


class _CallSignature:
    """What a call of an op takes, for help() and tools; the class has its own."""

    def __get__(self, op: "Declared | None", owner: type) -> inspect.Signature:
        if op is None:
            raise AttributeError("__signature__")
        return op.signature.of_a_call()


class Declared:
    """What both forms of an op share: a name, a signature, and plans for its gradients.

    The arguments of a call are those of ``function`` after the first ``skip``.
    """

    def __init__(self, function: Function, skip: int) -> None:
        if not hasattr(function, "__code__"):
            got = describe(function)
            raise DTypeError(f"op: got {got}, expected a function written in Python")
        self.name = self.__name__ = function.__name__.lstrip("_")
        self.__doc__ = function.__doc__
        self.signature = Signature(function, skip)
        # By the indices of the arguments that need a gradient.
        self.plans: dict[tuple[int, ...], Any] = {}
        self.custom = str(function.__module__).partition(".")[0] != _PACKAGE

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join(self.signature.names)})>"

    __signature__ = _CallSignature()


class Op(Declared):
    """A row of the table; made by :func:`op`, completed by :meth:`vjp`."""

    def __init__(
        self, forward: Function, view: bool = False, real: bool = False
    ) -> None:
        super().__init__(forward, skip=1)
        signature = self.signature
        self.forward = forward
        if self.custom:
            self.forward = Guard(self.name, signature.arrays, forward, view)
        self.view = view
        self.real = real
        self.count = len(signature.arrays)
        self.sources = sources_of(signature)  # of what pullbacks may ask for
        self.always_binds = bool(signature.settings) or signature.variadic
        # What the axis of the first argument may be; Any is for one of the result.
        self.axis = forward.__annotations__.get("axis")
        if self.axis is Any:
            self.axis = None
        self.pullbacks: tuple[Function | None, ...] = (None,) * self.count

    def vjp(self, *pullbacks: Function | None) -> None:
        """Declare the pullbacks, one for each array argument; None for no gradient.

        An op without this call is not differentiable. A variadic op has one pullback,
        which gives the gradients of all arguments in a list and may name ``xs`` or
        ``xs_shapes`` (of ``*xs``).

        Example:
            >>> import tinygrad_rnn as tg
            >>> @tg.autograd.op
            ... def scale(xp, x, /, factor=2.0):
            ...     return factor * x
            >>> scale.vjp(lambda g, factor: factor * g)
            >>> x = tg.tensor(1.0, requires_grad=True)
            >>> scale(x, factor=5.0).backward()
            >>> x.grad.item()
            5.0
        """
        if len(pullbacks) != self.count:
            raise DTypeError(
                f"{self.name}.vjp: got {len(pullbacks)} pullbacks, expected one for "
                f"each of {', '.join(self.signature.arrays)}"
            )
        for pullback in pullbacks:
            if pullback is not None:
                self._check_pullback(pullback)
        self.pullbacks = pullbacks
        self.plans.clear()

    def _check_pullback(self, pullback: Function) -> None:
        """Raise if a pullback asks for what there is not, say by a misspelt name."""
        if not hasattr(pullback, "__code__"):
            got = type(pullback).__name__
            raise DTypeError(
                f"{self.name}.vjp: got a {got}, expected a function or None"
            )
        for name in requests_of(pullback):
            if name not in self.sources:
                raise DTypeError(
                    f"{self.name}.vjp: a pullback asks for {name!r}, expected one of "
                    f"{', '.join(self.sources)}"
                )

    def plan(self, needs: tuple[int, ...], arity: int) -> Plan | None:
        """Return the plan for what needs gradients; None if nothing has a pullback."""
        parts = (self.name, self.signature, self.sources, arity)
        if self.signature.variadic:
            pullback = self.pullbacks[0]
            if pullback is None:
                return None
            return Plan(*parts, [pullback], needs)  # not kept: many
        if needs not in self.plans:
            chosen = {i: f for i in needs if (f := self.pullbacks[i]) is not None}
            made = Plan(*parts, [*chosen.values()], [*chosen])
            made.can_warn = not self.view
            self.plans[needs] = made if chosen else None
        return self.plans[needs]

    def __call__(self, *args: Any, **settings: Any) -> Any:
        if self.always_binds or settings or len(args) != self.count:
            args, settings = self.signature.bind(self.name, args, settings)
        arrays, needs, xp = unwrap_arguments(self.name, args)
        if self.real and not needs:
            arrays[0] = as_real(xp, arrays[0])
        if self.axis:
            self._check_axis(settings, arrays[0])
        out = run_forward(
            self.name, self.forward, xp, arrays, settings, self.custom, not self.view
        )
        if type(out) not in backends:
            out = self._array_of_scalar(out, xp)
        # A view shares the counter of changes of its base; other results own theirs.
        if self.view and isinstance(args[0], Value) and xp.aliases(out, arrays[0]):
            result = wrap_view(out, args[0])
        elif out is arrays[0]:  # by an op that does not say that it makes views
            result = wrap(xp.array(out))
        else:
            result = wrap(out)
        if needs and recording():
            plan = self.plans.get(needs) or self.plan(needs, len(args))
            if plan is not None:
                result.node = plan.record(args, arrays, settings, xp, result)
                result.needs_grad = True
        if observers:
            usual = self.signature.default_settings
            given = [v for k, v in settings.items() if usual.get(k, self) is not v]
            report_call(self.name, [*args, *given], result)
        return result

    def _check_axis(self, settings: Settings, x: Array) -> None:
        """Check ``axis`` and ``keepdims``; make dims count from the front."""
        settings["axis"] = check_axis(self.name, settings["axis"], x.shape, self.axis)
        keepdim = settings.get("keepdims", False)
        if type(keepdim) is not bool:
            way = "True or False; several dims are a tuple"
            raise DTypeError(f"{self.name}: keepdim is {keepdim!r}, expected {way}")

    def _array_of_scalar(self, out: object, xp: Backend) -> Array:
        """Return what the forward gave as an array: NumPy makes scalars of 0-d ones."""
        if not isinstance(out, np.generic):
            got = describe(out)
            raise DTypeError(f"{self.name}: the forward gave {got}, expected an array")
        return xp.from_host(np.asarray(out))


@overload
def op(forward: Function) -> Op: ...


@overload
def op(*, view: bool = ..., real: bool = ...) -> Callable[[Function], Op]: ...


def op(
    forward: Function | None = None, *, view: bool = False, real: bool = False
) -> Op | Callable[[Function], Op]:
    """Declare an op by its forward function ``forward(xp, arrays..., /, settings...)``.

    Args:
        forward: The function. ``xp`` is the backend of the arrays: the array API's
            names and a few more.
        view: Whether the output may show the first argument's memory.
        real: Whether it is a function of real numbers: integers become floats first.

    Returns:
        The op, which is called with tensors and settings; its ``vjp`` declares the
        gradients.

    Example:
        >>> import tinygrad_rnn as tg
        >>> @tg.autograd.op
        ... def cube(xp, x, /):
        ...     return x**3
        >>> cube.vjp(lambda g, x: 3 * x**2 * g)
        >>> x = tg.tensor(2.0, requires_grad=True)
        >>> cube(x).backward()
        >>> x.grad.item()
        12.0
    """

    def declare(function: Function) -> Op:
        declared = Op(function, view, real)
        if not declared.custom:
            setattr(table, declared.name, declared)
        return declared

    return declare(forward) if forward else declare


@op(view=True)
def identity(xp: Namespace, x: Array, /) -> Array:
    """Return the argument itself, with a node of its own."""
    return x


identity.vjp(lambda g: g)
