"""How an op is declared, and what happens when it is called.

There are two forms. A row of the table is a forward function and one pullback for each
array argument; arrays are positional-only, settings follow::

    @op
    def tanh(xp, x, /): return xp.tanh(x)
    tanh.vjp(lambda g, out: g * (1 - out * out))

A pullback takes the cotangent ``g`` of the output and names what else it needs: an
argument, ``out``, ``x_shape`` for an argument ``x``, a setting, or ``xp``; exactly that
is saved, and only if a gradient is asked of that argument. It is plain code that arrays
and Tensors both understand: a plain walk runs it on arrays, with ``xp`` the backend;
under ``create_graph`` it runs on Tensors, with ``xp`` the table of ops itself, and is
recorded like any code.

The second form, an op with a hand-written backward for all its gradients, is in
`fused.py`.
"""

import inspect
import weakref
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, overload

import numpy as np

from ..backend import backends
from ..errors import DTypeError, check_axis, described
from .arguments import Signature, as_real, enter, raise_translated
from .mode import recording
from .node import Node, Value, record, wrap
from .own import guard
from .warned import telling, was_warning

table = SimpleNamespace()
"""The package's ops by name, filled by `ops`: the ``xp`` of a pullback that is being
recorded.
"""

Pullback = Callable[..., Any]
_PACKAGE = __name__.partition(".")[0]
_Scalar = np.generic
NEVER: tuple[list[int], int] = (
    [0, 0],
    0,
)  # the version of what cannot change: a Python scalar


def _tuple(values: Iterable[str]) -> str:
    return f"({''.join(f'{value}, ' for value in values)})"


class _Plan:
    """What one op saves and runs for one choice of the arguments that need gradients.

    Three functions, written out as expressions and compiled, once, as they are the hot
    path: ``record`` makes the node of a call, ``run`` calls the pullbacks, and ``lift``
    gives what was saved as Tensors in the graph, for pullbacks that are recorded
    themselves. A node has a parent for each chosen argument; of a variadic op for each
    argument, None where none is needed.
    """

    owned = False  # whether the gradients are fresh arrays that nobody else holds
    blanks = False  # whether a gradient may be left out
    count = 0  # not one of several outputs: see _Output in fused.py

    def __init__(self, op: "Op", chosen: tuple[int, ...]) -> None:
        self.name = op.name
        variadic, arrays = op.signature.variadic, op.signature.arrays
        self.all = () if variadic else (True,) * len(chosen)
        self.arguments = [arrays[i] for i in chosen]
        pullbacks = {f"f{i}": op.pullbacks[i] for i in chosen}
        asked = [needs_of(function) for function in pullbacks.values()]
        names = list(dict.fromkeys(name for several in asked for name in several))
        calls = [
            f"{function}(g, {', '.join(f'saved[{names.index(name)}]' for name in several)})"
            for function, several in zip(pullbacks, asked, strict=True)
        ]
        parents = [f"args[{i}].node or args[{i}]" for i in chosen]
        runs = _tuple(
            f"{call} if wanted[{i}] else None" for i, call in enumerate(calls)
        )
        if variadic:
            parents = ["*map(parent_of, args)"]
            runs = f"[g if want else None for g, want in zip({calls[0]}, wanted, strict=True)]"
        versions: list[str] = []
        lifts = {"xp": "table"}
        for i, name in enumerate(names):
            value = f"node.saved[{i}]"
            if name == "out":
                lifts[name] = f"wrap({value}, node, node.versions[-1][0])"
            elif name in arrays and variadic:
                lifts[name] = f"tuple(map(lift, {value}, node.parents, node.versions))"
                versions.append("*map(version_of, args)")
            elif name in arrays:
                place = arrays.index(name)
                parent = (
                    f"node.parents[{chosen.index(place)}]" if place in chosen else None
                )
                lifts[name] = f"lift({value}, {parent}, node.versions[{len(versions)}])"
                versions.append(f"version_of(args[{place}])")
            lifts.setdefault(name, value)
        if "out" in names:
            versions.append("(version, version[0])")
        saved = _tuple(op.sources[name] for name in names)
        self.record, self.run, self.lift = eval(
            "lambda args, arrays, out, xp, settings, version: record(plan, "
            f"[{', '.join(parents)}], {saved}, [{', '.join(versions)}], out.shape, out.dtype), "
            f"lambda g, saved, wanted: {runs}, "
            f"lambda node: {_tuple(lifts[name] for name in names)}",
            globals() | pullbacks | {"plan": self, "record": record},
        )

    def pull(
        self, node: Node, g: Any, wanted: Sequence[bool] | None, create: bool
    ) -> Any:
        """The gradients of the node's parents; ``wanted`` leaves some out."""
        wanted = wanted or self.all or [parent is not None for parent in node.parents]
        return self.run(g, self.lift(node) if create else node.saved, wanted)


def needs_of(pullback: Pullback | None) -> tuple[str, ...]:
    """The names of what a pullback asks for beside the cotangent."""
    return (
        pullback.__code__.co_varnames[1 : pullback.__code__.co_argcount]
        if pullback
        else ()
    )


def parent_of(arg: Any) -> Any:
    """What a node points to for an argument: the node that made it, or the leaf that it
    is.
    """
    return (arg.node or arg) if isinstance(arg, Value) and arg.needs_grad else None


def version_of(arg: Any) -> tuple[list[int], int]:
    """The counter of an argument's changes in place, and what it shows now."""
    return (arg.version, arg.version[0]) if isinstance(arg, Value) else NEVER


def lift(array: Any, parent: Any, version: tuple[list[int], int]) -> Any:
    """An argument as it was: a Tensor with its place in the graph, if it needs a
    gradient.
    """
    if not hasattr(array, "shape"):
        return array  # a Python scalar, or None
    return (
        wrap(array, parent, version[0])
        if parent is None or type(parent) is Node
        else parent
    )


class Declared:
    """What both forms of an op have: a name, and arguments that are parted by a
    function's.
    """

    def __init__(self, function: Callable[..., Any], skip: int) -> None:
        if not hasattr(function, "__code__"):
            got = described(function)
            raise DTypeError(f"op: got {got}, expected a function written in Python")
        self.function, self.skip = function, skip
        self.name = self.__name__ = function.__name__.lstrip("_")
        self.__doc__ = function.__doc__
        self.signature = Signature(function, skip)
        self.plans: dict[
            int, Any
        ] = {}  # by what needs a gradient, a bit for each argument
        self.own = str(function.__module__).partition(".")[0] != _PACKAGE

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join(self.signature.names)})>"

    @property
    def __signature__(self) -> inspect.Signature:
        """What a call takes, for help() and tools: the function's arguments after the
        first ``skip``.
        """
        known = inspect.signature(self.function)
        return known.replace(parameters=[*known.parameters.values()][self.skip :])


class Op(Declared):
    """A row of the table; made by :func:`op`, completed by :meth:`vjp`."""

    def __init__(
        self, forward: Callable[..., Any], view: bool = False, real: bool = False
    ) -> None:
        super().__init__(forward, skip=1)
        arrays = self.signature.arrays
        self.forward = guard(self.name, arrays, forward, view) if self.own else forward
        self.real = real
        self.view = view
        self.count = len(self.signature.arrays)
        self.binds = bool(self.signature.settings) or self.signature.variadic
        axis = forward.__annotations__.get("axis")
        self.axis = (
            None if axis is Any else axis
        )  # of the first argument; Any is one of the result
        self.pullbacks: tuple[Pullback | None, ...] = ()
        # What a pullback may ask for: expressions in what a call has at hand.
        self.sources = {name: f"arrays[{i}]" for i, name in enumerate(arrays)}
        self.sources |= {
            f"{name}_shape": f"arrays[{i}].shape" for i, name in enumerate(arrays)
        }
        if self.signature.variadic:
            shapes = "tuple([array.shape for array in arrays])"
            self.sources = {arrays[0]: "tuple(arrays)", f"{arrays[0]}_shapes": shapes}
        self.sources |= {
            name: f"settings[{name!r}]" for name in self.signature.settings
        }
        self.sources |= {"out": "out", "xp": "xp"}

    def vjp(self, *pullbacks: Pullback | None) -> None:
        """Declare the pullbacks, one for each array argument; None where there is no
        gradient.

        An op without this call is not differentiable. A variadic op has one pullback,
        which gives the gradients of all arguments in a list and may name ``xs`` or
        ``xs_shapes`` (of ``*xs``).
        """
        if len(pullbacks) != self.count:
            raise DTypeError(
                f"{self.name}.vjp: got {len(pullbacks)} pullbacks, expected one for each of "
                f"{', '.join(self.signature.arrays)}"
            )
        for pullback in pullbacks:
            if pullback is not None and not hasattr(pullback, "__code__"):
                got = type(pullback).__name__
                raise DTypeError(
                    f"{self.name}.vjp: got a {got}, expected a function or None"
                )
            for name in needs_of(
                pullback
            ):  # a misspelt name is an error here, at import
                if name not in self.sources:
                    raise DTypeError(
                        f"{self.name}.vjp: a pullback asks for {name!r}, expected one of "
                        f"{', '.join(self.sources)}"
                    )
        self.pullbacks = pullbacks
        self.plans.clear()

    def plan(self, needs: int) -> _Plan | None:
        """The plan for a set of arguments that need gradients; None if no pullback is
        among them.
        """
        if self.signature.variadic:
            needs = 1  # any of them, and as many as there are
        if needs not in self.plans:
            chosen = [
                i
                for i, f in enumerate(self.pullbacks)
                if needs >> i & 1 and f is not None
            ]
            self.plans[needs] = _Plan(self, tuple(chosen)) if chosen else None
        return self.plans[needs]

    def __call__(self, *args: Any, **settings: Any) -> Any:
        if self.binds or settings or len(args) != self.count:
            args, settings = self.signature.bind(self.name, args, settings)
        arrays, needs, xp = enter(self.name, args)
        if self.real and not needs:
            arrays[0] = as_real(xp, arrays[0])
        if self.axis:
            settings["axis"] = check_axis(
                self.name, settings["axis"], arrays[0].shape, self.axis
            )
            if type(keepdim := settings.get("keepdims", False)) is not bool:
                way = "True or False; several dims are a tuple"
                raise DTypeError(f"{self.name}: keepdim is {keepdim!r}, expected {way}")
        forward = xp.on_device(self.forward) if xp.multi_device else self.forward
        try:
            out = forward(xp, *arrays, **settings)
        except Exception as error:
            if was_warning(error):
                forward, out = telling(self.name, forward), None
            else:
                given = settings.values()
                raise_translated(self.name, arrays, error, given, self.own)
                out = None
        if (
            out is None
        ):  # only here does nothing hold any more what the failed run has made
            out = forward(xp, *arrays, **settings)
        if type(out) not in backends:
            if not isinstance(out, _Scalar):  # NumPy makes scalars of 0-d results
                got = described(out)
                raise DTypeError(
                    f"{self.name}: the forward gave {got}, expected an array"
                )
            out = xp.from_host(np.asarray(out))
        if self.view and isinstance(args[0], Value) and xp.aliases(out, arrays[0]):
            version = args[0].version
            result = wrap(out, None, version, version[1])
            result.source = (weakref.ref(args[0]), None, arrays[0])
        else:
            version = [0, 0]
            if (
                out is arrays[0]
            ):  # handed on by an op that does not say that it makes views
                out = xp.array(out)
            result = wrap(out, None, version)
        if needs and recording():
            plan = self.plans[needs] if needs in self.plans else self.plan(needs)
            if plan is not None:
                result.node = plan.record(args, arrays, out, xp, settings, version)
                result.needs_grad = True
        return result


@overload
def op(forward: Callable[..., Any]) -> Op: ...


@overload
def op(*, view: bool = ..., real: bool = ...) -> Callable[[Callable[..., Any]], Op]: ...


def op(
    forward: Callable[..., Any] | None = None, *, view: bool = False, real: bool = False
) -> Any:
    """Declare an op by its forward function ``forward(xp, arrays..., /, settings...)``.

    ``xp`` is the backend of the arrays: the array API's names and a few more.
    ``view=True`` says that the output may show the first argument's memory;
    ``real=True``, that it is a function of real numbers: integers become floats first.
    """
    return (
        Op(forward, view, real)
        if forward
        else lambda function: Op(function, view, real)
    )


@op(view=True)
def identity(xp: Any, x: Any, /) -> Any:
    """The argument itself, with a node of its own."""
    return x


identity.vjp(lambda g: g)
