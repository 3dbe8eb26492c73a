"""How an op is declared, and what happens when it is called.

There are two forms. A row of the table is a forward function and one pullback for each array
argument; arrays are positional-only, settings follow::

    @op
    def tanh(xp, x, /): return xp.tanh(x)
    tanh.vjp(lambda g, out: g * (1 - out * out))

A pullback takes the cotangent ``g`` of the output and names what else it needs: an argument, ``out``,
``x_shape`` for an argument ``x``, a setting, or ``xp``; exactly that is saved, and only if a gradient
is asked of that argument. It is plain code that arrays and Tensors both understand: a plain walk
runs it on arrays, with ``xp`` the backend; under ``create_graph`` it runs on Tensors, with ``xp``
the table of ops itself, and is recorded like any code.

The second form, an op with a hand-written backward for all its gradients, is in `fused.py`.
"""

import weakref
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, overload

import numpy as np

from ..backend import Backend, backend_of, backends
from ..errors import DimError, DTypeError, Error, IdError, OptionError, ShapeError
from .mode import is_grad_enabled
from .node import Node, Value, check_view, record, wrap

table = SimpleNamespace()
"""The package's ops by name, filled by `ops`: the ``xp`` of a pullback that is being recorded."""

Pullback = Callable[..., Any]
_Scalar = np.generic
_LISTS = {list, tuple}
NEVER: tuple[list[int], int] = ([0, 0], 0)  # the version of what cannot change: a Python scalar


class Signature:
    """The array arguments and the settings of a forward function, read once at import."""

    def __init__(self, function: Callable[..., Any], skip: int = 1) -> None:
        code = function.__code__
        names = code.co_varnames
        self.variadic = bool(code.co_flags & 0x04)
        total = code.co_argcount + code.co_kwonlyargcount
        self.arrays = names[skip : code.co_posonlyargcount]
        if self.variadic:
            self.arrays = (names[total],)
        if not self.arrays:
            raise DTypeError(
                f"{function.__name__}: no array arguments; they stand before a slash, "
                "as in def name(xp, x, y, /, setting=1.0)"
            )
        self.settings = names[code.co_posonlyargcount : total]
        positional = self.settings[: code.co_argcount - code.co_posonlyargcount]
        defaults = function.__defaults__ or ()
        # Defaults of array arguments (an optional array is None) stand before those of settings.
        own = defaults[len(defaults) - len(positional) :] if positional else ()
        self.defaults = dict(zip(positional[len(positional) - len(own) :], own, strict=True))
        self.defaults.update(function.__kwdefaults__ or {})
        self.keys = dict.fromkeys(self.settings).keys()
        self.optional = len(defaults) - len(own)

    def bind(
        self, name: str, args: tuple[Any, ...], settings: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The array arguments, and the settings in the order in which they were declared."""
        if self.variadic:
            if not args or not isinstance(args[0], list | tuple):
                raise DTypeError(f"{name}: expected a list or a tuple of tensors first")
            arrays, rest = tuple(args[0]), args[1:]
        else:
            count = len(self.arrays)
            arrays, rest = args[:count], args[count:]
            if len(arrays) < count:
                missing = count - len(arrays)
                if missing > self.optional:
                    raise DTypeError(
                        f"{name}: got {len(arrays)} tensors, expected {', '.join(self.arrays)}"
                    )
                arrays += (None,) * missing
        merged = self.defaults | settings
        for name_of, value in zip(self.settings, rest, strict=False):
            merged[name_of] = value
        if merged.keys() != self.keys or len(rest) > len(self.settings):
            self._refuse(name, rest, merged)
        return arrays, merged

    def _refuse(self, name: str, rest: tuple[Any, ...], merged: dict[str, Any]) -> None:
        missing = ", ".join(key for key in self.settings if key not in merged)
        unknown = ", ".join(key for key in merged if key not in self.keys)
        wrong = f"{missing} is missing" if missing else f"got the unknown argument {unknown}"
        if not missing and not unknown:
            wrong = f"got {len(rest) - len(self.settings)} arguments too many"
        expected = ", ".join(self.arrays + self.settings)
        raise DTypeError(f"{name}: {wrong}; the arguments are {expected}")


def enter(name: str, args: tuple[Any, ...]) -> tuple[list[Any], int, Backend]:
    """The arrays of the arguments, a bit for each that needs a gradient, and their backend."""
    arrays: list[Any] = []
    needs = 0
    bit = 1
    xp = None
    for arg in args:
        if isinstance(arg, Value):
            data = arg.array
            if arg.requires_grad:
                needs += bit
            if arg.epoch is not None:
                check_view(arg, name)
            if xp is None:
                xp = backends[type(data)]
        elif isinstance(arg, _Scalar):
            data = arg.item()  # weak, as a Python scalar is: nothing turns float64 unasked
        else:
            data = arg
            if xp is None and isinstance(arg, np.ndarray):
                xp = backend_of(arg)
            elif (
                type(arg) in _LISTS
            ):  # NumPy would take it, and lose the gradients of what is in it
                raise DTypeError(
                    f"{name}: got a {type(arg).__name__}, expected a Tensor or a number"
                )
        arrays.append(data)
        bit += bit
    if xp is None:
        kinds = ", ".join(type(arg).__name__ for arg in args) or "nothing"
        raise DTypeError(f"{name}: expected a Tensor, got {kinds}")
    return arrays, needs, xp


def check_dim(name: str, dim: Any, shape: Sequence[int]) -> int:
    """A dim counted from the front; of 0-d arrays 0 and -1 are dims too, as in PyTorch."""
    count = max(len(shape), 1)
    if type(dim) is not int and not hasattr(dim, "__index__"):
        raise DTypeError(f"{name}: dim is {dim!r}, expected an integer")
    if not -count <= dim < count:
        raise DimError(
            f"{name}: dim {dim} of a tensor of shape {tuple(shape)}, "
            f"expected one from {-count} to {count - 1}"
        )
    return int(dim) % count


def check_axis(name: str, axis: Any, shape: Sequence[int], kind: Any = None) -> Any:
    """The setting ``axis`` of an op: a dim, several, or None for all, as for any of a 0-d array.

    ``kind`` is the annotation in the row: if it is ``int``, then nothing else will do.
    """
    if kind is int or not isinstance(axis, tuple | list | None):
        found = check_dim(name, axis, shape)
        return found if shape else None
    if axis is None:
        return None
    dims = tuple([check_dim(name, dim, shape) for dim in axis])
    if len(set(dims)) < len(dims):
        raise DimError(f"{name}: dim {axis!r} names a dim twice")
    return dims if dims and shape else None


def _as_real(xp: Backend, x: Any) -> Any:
    """Integers as floats: float32, or float64 of 32 bits or more, as NumPy has it (but no float16)."""
    if getattr(x.dtype, "kind", "") == "f" or xp.isdtype(x.dtype, "real floating"):
        return x
    return xp.astype(x, getattr(xp, str(np.result_type(str(x.dtype), np.float32))))


def explain(name: str, arrays: Sequence[Any], error: Exception) -> Error | None:
    """An error of the array library in terms of the op and its arguments; None if it is another."""
    seen = ", ".join(
        f"{a.dtype}{tuple(a.shape)}" if hasattr(a, "shape") else type(a).__name__ for a in arrays
    )
    message = f"{name}: {error} (got {seen})"
    shapes = [tuple(a.shape) for a in arrays if hasattr(a, "shape")]
    if "could not be broadcast" in str(error):
        both = " and ".join(map(str, shapes))
        message = f"{name}: the shapes {both} cannot be broadcast together"
    if isinstance(error, np.exceptions.AxisError):
        return DimError(message)
    for builtin, ours in _ERRORS:
        if isinstance(error, builtin):
            return ours(message)
    return None


_ERRORS: tuple[tuple[type[Exception], type[Error]], ...] = (
    (IndexError, IdError),
    (ValueError, ShapeError),
    (TypeError, DTypeError),
    (OverflowError, OptionError),
)


class _Plan:
    """What one op saves and runs for one choice of the arguments that need gradients.

    Saving and calling are written out as expressions and compiled, once: they are the hot path.
    """

    owned = False  # whether the gradients are fresh arrays that nobody else holds
    count = 0  # not an output of a fused op: see _Select

    def __init__(self, op: "Op", chosen: tuple[int, ...]) -> None:
        self.op = op
        self.name = op.name
        self.chosen = chosen
        pullbacks = [pullback for i in chosen if (pullback := op.pullbacks[i]) is not None]
        names = [op.needs_of(pullback) for pullback in pullbacks]
        union = list(dict.fromkeys(name for wanted in names for name in wanted))
        sources = [op.source(name) for name in union]
        self.save = _compile("arrays, out, xp, settings", sources)
        self.saves_out = "out" in sources
        arguments = op.signature.arrays
        self.saved_args = tuple(arguments.index(name) for name in union if name in arguments)
        self.saves_all = op.signature.variadic and bool(self.saved_args)
        self.calls = [
            _compile("g, saved", [f"saved[{union.index(n)}]" for n in wanted], pullback)
            for pullback, wanted in zip(pullbacks, names, strict=True)
        ]
        self.union = union

    def pull(self, node: Node, g: Any, wanted: Sequence[bool] | None, create: bool) -> list[Any]:
        """The gradients of the node's parents; ``wanted`` leaves some out."""
        saved = self.lift(node) if create else node.saved
        if wanted is None:
            return [call(g, saved) for call in self.calls]
        return [
            call(g, saved) if want else None for call, want in zip(self.calls, wanted, strict=True)
        ]

    def lift(self, node: Node) -> list[Any]:
        """What was saved, as Tensors in the graph, for a pullback that is to be recorded."""
        lifted = []
        arrays = self.op.signature.arrays
        cells = iter([cell for cell, _ in node.versions])
        for name, value in zip(self.union, node.saved, strict=True):
            if name == "out":
                value = wrap(value, node, node.versions[-1][0])
            elif name == "xp":
                value = table
            elif name in arrays and self.op.signature.variadic:
                pairs = zip(value, node.parents, strict=True)
                value = tuple([lift(array, parent, next(cells)) for array, parent in pairs])
            elif name in arrays:
                parents = dict(zip(self.chosen, node.parents, strict=True))
                value = lift(value, parents.get(arrays.index(name)), next(cells))
            lifted.append(value)
        return lifted


class _ListPlan(_Plan):
    """The plan of a variadic op, one for any number of arguments.

    Its nodes have a parent for each argument, or None where no gradient is needed.
    """

    def __init__(self, op: "Op") -> None:
        super().__init__(op, (0,))
        self.chosen = ()

    def pull(self, node: Node, g: Any, wanted: Sequence[bool] | None, create: bool) -> list[Any]:
        grads = self.calls[0](g, self.lift(node) if create else node.saved)
        needed = [parent is not None for parent in node.parents] if wanted is None else wanted
        return [grad if need else None for grad, need in zip(grads, needed, strict=True)]


def lift(array: Any, parent: Any, cell: list[int]) -> Any:
    """An argument as it was: a Tensor with its place in the graph, if it needs a gradient."""
    if not hasattr(array, "shape"):
        return array  # a Python scalar, or None
    return wrap(array, parent, cell) if parent is None or isinstance(parent, Node) else parent


def _parent(arg: Any) -> Any:
    """What a node points to for an argument: the node that made it, or the leaf that it is."""
    if not isinstance(arg, Value) or not arg.requires_grad:
        return None
    return arg if arg.node is None else arg.node


def _compile(arguments: str, values: Sequence[str], function: Pullback | None = None) -> Any:
    """A function of the arguments that makes a tuple of values, or calls a function with ``g`` first."""
    if function is None:
        body = f"({''.join(f'{value}, ' for value in values)})"
    else:
        body = f"function({', '.join(['g', *values])})"
    return eval(f"lambda {arguments}: {body}", {"function": function})


class Op:
    """A row of the table; made by :func:`op`, completed by :meth:`vjp`."""

    def __init__(self, forward: Callable[..., Any], view: bool = False, real: bool = False) -> None:
        self.forward = forward
        self.real = real
        self.name = forward.__name__
        self.__name__ = self.name
        self.__doc__ = forward.__doc__
        self.view = view
        self.signature = Signature(forward)
        self.count = len(self.signature.arrays)
        self.binds = bool(self.signature.settings) or self.signature.variadic
        self.axis = forward.__annotations__.get("axis")
        self.pullbacks: tuple[Pullback | None, ...] = ()
        self.plans: dict[int, _Plan | None] = {}
        self.list_plan: _ListPlan | None = None

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join(self.signature.arrays + self.signature.settings)})>"

    def vjp(self, *pullbacks: Pullback | None) -> None:
        """Declare the pullbacks, one for each array argument; None where there is no gradient.

        An op without this call is not differentiable. A variadic op has one pullback, which gives
        the gradients of all arguments in a list and may name ``xs`` or ``xs_shapes`` (of ``*xs``).
        """
        if len(pullbacks) != len(self.signature.arrays):
            raise DTypeError(
                f"{self.name}.vjp: got {len(pullbacks)} pullbacks, expected one for each of "
                f"{', '.join(self.signature.arrays)}"
            )
        for pullback in pullbacks:
            if pullback is not None:
                if not hasattr(pullback, "__code__"):
                    got = type(pullback).__name__
                    raise DTypeError(f"{self.name}.vjp: got a {got}, expected a function or None")
                for name in self.needs_of(pullback):
                    self.source(name)  # a misspelt name is an error here, at import
        self.pullbacks = pullbacks
        self.plans.clear()
        self.list_plan = _ListPlan(self) if self.signature.variadic and pullbacks[0] else None

    @staticmethod
    def needs_of(pullback: Pullback) -> tuple[str, ...]:
        """The names of what a pullback asks for beside the cotangent."""
        code = pullback.__code__
        return code.co_varnames[1 : code.co_argcount]

    def source(self, name: str) -> str:
        """Where a name of a pullback comes from: an expression in what a call has at hand."""
        arrays = self.signature.arrays
        if self.signature.variadic and name == arrays[0]:
            return "tuple(arrays)"
        if self.signature.variadic and name == f"{arrays[0]}_shapes":
            return "tuple([array.shape for array in arrays])"
        if name in arrays:
            return f"arrays[{arrays.index(name)}]"
        if name.endswith("_shape") and name[:-6] in arrays:
            return f"arrays[{arrays.index(name[:-6])}].shape"
        if name in self.signature.settings:
            return f"settings[{name!r}]"
        if name in ("out", "xp"):
            return name
        raise DTypeError(
            f"{self.name}.vjp: a pullback asks for {name!r}, expected one of {', '.join(arrays)}, "
            f"{', '.join(f'{a}_shape' for a in arrays)}, out, xp"
            + "".join(f", {s}" for s in self.signature.settings)
        )

    def plan(self, needs: int) -> _Plan | None:
        """The plan for a set of arguments that need gradients; None if no pullback is among them."""
        if self.signature.variadic:
            return self.list_plan
        chosen = tuple(
            i
            for i, pullback in enumerate(self.pullbacks)
            if needs >> i & 1 and pullback is not None
        )
        plan = _Plan(self, chosen) if chosen else None
        self.plans[needs] = plan
        return plan

    def __call__(self, *args: Any, **settings: Any) -> Any:
        if self.binds or settings or len(args) != self.count:
            args, settings = self.signature.bind(self.name, args, settings)
        arrays, needs, xp = enter(self.name, args)
        if self.real and not needs:
            arrays[0] = _as_real(xp, arrays[0])
        if self.axis:
            settings["axis"] = check_axis(self.name, settings["axis"], arrays[0].shape, self.axis)
        try:
            out = self.forward(xp, *arrays, **settings)
        except Error:
            raise
        except Exception as error:
            if (explained := explain(self.name, arrays, error)) is None:
                raise
            raise explained from error
        if isinstance(out, _Scalar):  # NumPy makes scalars of 0-d results
            out = np.asarray(out)
        if self.view and isinstance(args[0], Value) and xp.aliases(out, arrays[0]):
            version = args[0].version
            result = wrap(out, None, version, version[1])
            result.source = (weakref.ref(args[0]), None)
        else:
            version = [0, 0]
            result = wrap(out, None, version)
        if needs and is_grad_enabled():
            plan = self.plans[needs] if needs in self.plans else self.plan(needs)
            if plan is not None:
                versions = [
                    (cell := args[i].version, cell[0]) if isinstance(args[i], Value) else NEVER
                    for i in (range(len(args)) if plan.saves_all else plan.saved_args)
                ]
                if plan.saves_out:
                    versions.append((version, version[0]))
                if plan.chosen:
                    parents = [a if (a := args[i]).node is None else a.node for i in plan.chosen]
                else:
                    parents = [_parent(arg) for arg in args]
                saved = plan.save(arrays, out, xp, settings)
                result.node = record(plan, parents, saved, versions, out.shape, out.dtype)
                result.requires_grad = True
        return result


@overload
def op(forward: Callable[..., Any]) -> Op: ...


@overload
def op(*, view: bool = ..., real: bool = ...) -> Callable[[Callable[..., Any]], Op]: ...


def op(forward: Callable[..., Any] | None = None, *, view: bool = False, real: bool = False) -> Any:
    """Declare an op by its forward function ``forward(xp, arrays..., /, settings...)``.

    ``xp`` is the backend of the arrays: the array API's names and a few more. ``view=True`` says
    that the output may show the first argument's memory; ``real=True``, that it is a function of
    real numbers: integers become floats first.
    """
    if forward is None:
        return lambda function: Op(function, view, real)
    return Op(forward, view, real)


@op(view=True)
def identity(xp: Any, x: Any, /) -> Any:
    """The argument itself, with a node of its own."""
    return x


identity.vjp(lambda g: g)
